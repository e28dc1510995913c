"""Twenty thousand campaigns on bad days: nobody called twice, nobody forgotten, whatever crashes when."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.simulation.campaign import Broken, Simulation, case_of, play

SEEDS = 20_000
CHUNK = 500


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """The collector takes a third of the time, and a seed leaves little behind: collected by hand."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_campaigns_on_bad_days_call_nobody_twice_and_forget_nobody(first: int) -> None:
    for seed in range(first, first + CHUNK):
        play(seed)


def test_the_seeds_hold_every_kind_of_bad_day() -> None:
    cases = [case_of(seed) for seed in range(2000)]
    for accident in ("restores", "restores_journal", "jumps", "second_runner", "steals"):
        assert sum(getattr(case, accident) for case in cases) > 50, accident
    assert {case.policy for case in cases} == {"hold", "retry_absent"}
    assert {case.rules.echo for case in cases} == {"none", "get", "both"}
    assert sum(case.crashes for case in cases) > 1500
    assert any(case.weather.lost > 0.5 for case in cases)


def test_a_seed_is_the_same_campaign_every_time() -> None:
    one, other = play(17), play(17)
    lives = [[(call.phone, call.created_at) for call in game.world.exchange.calls.values()] for game in (one, other)]
    assert lives[0] == lives[1]
    assert lives[0]


def test_a_failing_seed_prints_the_line_that_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Simulation) -> None:
        raise Broken("a law")

    monkeypatch.setattr(Simulation, "_check_end", broken)
    with pytest.raises(Broken) as caught:
        play(4711)
    assert caught.value.__notes__ == ["replay: python -m tests.simulation --seed 4711"]
