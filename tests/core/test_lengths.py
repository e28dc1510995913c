"""How long calls last, and what that says of those that are up."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.core.lengths import PRIOR_LENGTH_S, Lengths


def talks(seed: int, calls: int, mean_s: float) -> list[float]:
    draw = Random(seed)
    return [draw.expovariate(1 / mean_s) for _ in range(calls)]


def learnt(lengths_s: list[float], outcome: str = "completed") -> Lengths:
    lengths = Lengths()
    for length_s in lengths_s:
        lengths.learn(outcome, length_s)
    return lengths


def test_before_any_call_was_heard_all_are_believed_to_be_of_the_same_kind() -> None:
    curve, _ = Lengths().curves()
    assert curve.mean_s == PRIOR_LENGTH_S
    assert curve.outlook(0.0, PRIOR_LENGTH_S).ended == pytest.approx(0.63, abs=0.02)


@pytest.mark.parametrize("mean_s", [0.6, 38.0, 900.0])
def test_the_mean_the_chance_to_have_ended_and_the_waiting_are_those_of_the_calls_that_were_heard(
    mean_s: float,
) -> None:
    lengths_s = talks(1, 4000, mean_s)
    curve, _ = learnt(lengths_s).curves()
    assert curve.mean_s == pytest.approx(mean_s, rel=0.1)
    for seen_s, age_s in ((0.0, mean_s / 3), (mean_s / 2, mean_s), (mean_s, 2.5 * mean_s)):
        alive = [length_s for length_s in lengths_s if length_s >= seen_s]
        ended = sum(1 for length_s in alive if length_s < age_s) / len(alive)
        waited_s = sum(max(age_s - length_s, 0.0) for length_s in alive) / len(alive)
        outlook = curve.outlook(seen_s, age_s)
        assert outlook.ended == pytest.approx(ended, abs=0.05)
        assert outlook.waited_s == pytest.approx(waited_s, rel=0.15)


def test_calls_that_are_still_up_count_so_that_the_first_short_ones_make_nobody_look_short() -> None:
    lengths = learnt([2.0, 2.5])
    alone, _ = lengths.curves()
    among, _ = lengths.curves([(30.0, True)] * 18)
    assert among.mean_s > 2 * alone.mean_s
    assert among.outlook(3.0, 10.0).ended < alone.outlook(3.0, 10.0).ended


def test_a_call_that_is_known_to_have_connected_is_judged_by_those_that_did() -> None:
    lengths = learnt([60.0 + index / 10 for index in range(100)])
    for index in range(100):
        lengths.learn("no_answer", 25.0 + index / 100)
    everybody, connected = lengths.curves()
    assert everybody.outlook(20.0, 40.0).ended > 0.4
    assert connected.outlook(20.0, 40.0).ended < 0.15


def test_habits_that_change_are_learnt_anew() -> None:
    lengths = learnt([100.0] * 2500)
    for _ in range(2500):
        lengths.learn("completed", 20.0)
    assert lengths.curves()[0].mean_s < 50


def test_what_a_campaign_has_learnt_is_kept_and_counts_for_a_little_in_the_next_one() -> None:
    before = learnt(talks(3, 3000, 120.0))
    after = Lengths.of_data(json.loads(json.dumps(before.to_data())))
    assert after.curves()[0].mean_s == pytest.approx(120.0, rel=0.1)
    for length_s in talks(4, 600, 10.0):
        after.learn("completed", length_s)
    assert after.curves()[0].mean_s < 25


@pytest.mark.parametrize("data", [{}, {"bins": 3, "ends": {}}, {"bins": 120, "ends": []}, {"bins": 120, "ends": {}}])
def test_what_cannot_be_read_of_an_earlier_run_is_worth_nothing(data: dict[str, object]) -> None:
    assert Lengths.of_data(data).curves()[0].mean_s == PRIOR_LENGTH_S


@given(
    st.lists(st.floats(0, 1e5), max_size=30),
    st.floats(0, 1e5),
    st.floats(0, 1e5),
)
def test_a_chance_is_a_chance_and_nobody_waits_longer_than_since_the_last_look(
    lengths_s: list[float], seen_s: float, since_s: float
) -> None:
    outlook = learnt(lengths_s).curves()[0].outlook(seen_s, seen_s + since_s)
    assert 0.0 <= outlook.ended <= 1.0
    assert -1e-6 <= outlook.waited_s <= since_s * (1 + 1e-9) + 1e-6
    assert outlook.hazard >= 0.0
