"""How many requests fetching may make, in virtual time: the plan's pace, the day's end, and dialing first.

How: the real ledger on disk and the real budget; only the clock is virtual.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dialer.client.headers import Allowance, AnswerNote
from dialer.core.campaign import Api
from dialer.core.messages import Spend
from dialer.core.pacing import DAY_S
from dialer.fetching.budget import Budget, DialingFirst, NothingLeft, rivals
from dialer.ledger.reading import open_reader
from tests.support.virtual import VirtualClock, run_virtually
from tests.support_rows import ACCOUNT, NOON, enroll, opened, person, put


class _Notes(list[str]):
    def notice(self, text: str) -> None:
        self.append(text)


def _ledger(home: Path, due: int = 0, spent: int = 0) -> Path:
    with opened(home) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(index) for index in range(due)])
        ledger.commit(record.id, ACCOUNT, [Spend(spent, NOON)])
    return home / "ledger.db"


def _spent(path: Path, day: float = NOON) -> int:
    with open_reader(path) as reader:
        return int(reader.one("spent", account=ACCOUNT, day=int(day // DAY_S))[0])


Meanwhile = Callable[[Budget, int], None]


def _play(
    path: Path,
    api: Api,
    tickets: int,
    *,
    wait: bool = True,
    before: bool = False,
    meanwhile: Meanwhile = lambda _budget, _nth: None,
) -> tuple[list[float], list[str], Exception | None]:
    """When each request left (UTC seconds), what was said, and why it ended before ``tickets``."""
    clock, notes, left = VirtualClock(NOON), _Notes(), list[float]()

    async def main() -> Exception | None:
        with open_reader(path) as reader:
            campaigns = [] if before else rivals(reader, api.base_url)
        budget = Budget(path, ACCOUNT, api, campaigns, clock, notes, wait)
        try:
            for nth in range(tickets):
                await budget.ticket()
                left.append(clock.wall())
                meanwhile(budget, nth)
        except (DialingFirst, NothingLeft) as why:
            return why
        finally:
            budget.close()
        return None

    why = run_virtually(main)
    return left, notes, why


def test_requests_leave_at_the_plans_pace_and_are_counted_to_the_last(tmp_path: Path) -> None:
    path = _ledger(tmp_path, spent=3)
    left, _, why = _play(path, Api(requests_per_minute=60), 130)
    assert why is None
    for first, later in zip(left, left[60:], strict=False):
        assert later - first >= 60.0
    assert left[-1] - left[0] < 135
    assert _spent(path) == 133  # what was booked beyond was given back


def test_what_calls_due_today_will_need_is_left_to_them(tmp_path: Path) -> None:
    path = _ledger(tmp_path, due=10, spent=2)
    left, _, why = _play(path, Api(requests_per_day=30), 100, wait=False)
    assert (len(left), type(why)) == (11, NothingLeft)
    assert "the 10 calls due today need the others" in str(why)
    left, _, why = _play(path, Api(requests_per_day=30), 100, wait=False, before=True)
    assert (len(left), str(why)) == (17, "30 of the day's 30 requests are spent")
    assert _spent(path) == 30


def test_calls_of_campaigns_elsewhere_need_none_of_these_requests(tmp_path: Path) -> None:
    path = _ledger(tmp_path, due=10)
    left, _, _ = _play(path, Api(requests_per_day=30, base_url="https://api.getsmartalex.com/v1"), 100, wait=False)
    assert len(left) == 30


def test_when_the_day_is_used_up_the_next_one_is_waited_for(tmp_path: Path) -> None:
    path = _ledger(tmp_path, spent=8)
    left, notes, why = _play(path, Api(requests_per_day=10), 5)
    midnight = (NOON // DAY_S + 1) * DAY_S
    assert why is None
    assert [moment >= midnight for moment in left] == [False, False, True, True, True]
    assert left[2] - midnight < 10
    assert ["8 of" in note or "10 of" in note for note in notes] == [True]
    assert (_spent(path), _spent(path, midnight)) == (10, 3)


def test_a_run_that_begins_is_given_way_to_before_the_next_request(tmp_path: Path) -> None:
    path = _ledger(tmp_path)
    held = []

    def begins(_budget: Budget, nth: int) -> None:
        if nth == 3:
            held.append(opened(tmp_path))
            held[0].__enter__()

    left, _, why = _play(path, Api(), 100, meanwhile=begins)
    assert (len(left), type(why)) == (4, DialingFirst)
    held[0].__exit__(None, None, None)
    assert 4 <= _spent(path) <= 6  # at most what was booked, never less than what was made
    assert len(_play(path, Api(), 5)[0]) == 5


@pytest.mark.parametrize(
    ("note", "least_s"),
    [
        (AnswerNote(hold_s=40.0), 40.0),
        (AnswerNote(allowance=Allowance(2, 60.0)), 30.0),
        (AnswerNote(allowance=Allowance(0.0, 7200.0)), 7200.0),
    ],
)
def test_what_the_api_says_of_its_limits_is_kept(tmp_path: Path, note: AnswerNote, least_s: float) -> None:
    def hears(budget: Budget, nth: int) -> None:
        if nth == 0:
            budget.heard(note)

    left, _, _ = _play(_ledger(tmp_path), Api(requests_per_minute=6000), 3, meanwhile=hears)
    assert left[2] - left[0] >= least_s


def test_a_429_makes_everything_wait_as_long_as_it_says(tmp_path: Path) -> None:
    left, _, _ = _play(_ledger(tmp_path), Api(), 2, meanwhile=lambda budget, _: budget.limited(90.0))
    assert left[1] - left[0] >= 90.0
