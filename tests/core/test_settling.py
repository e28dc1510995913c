"""Calls that have ended and have not told yet what they cost."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from dialer.core.messages import Amend, Look
from dialer.core.settling import KEPT_S, LOOKS_AFTER_S, SettlingCalls
from tests.core.test_doubts import NOW, attempt, call


def _ended(count: int = 1) -> SettlingCalls:
    settling = SettlingCalls()
    for index in range(count):
        settling.add(attempt(index), call(f"c{index}", status="completed"), NOW)
    return settling


def _looks(settling: SettlingCalls, seconds: Iterable[int]) -> list[int]:
    """How long after the end somebody who is asked every second looks."""
    return [second for second in seconds if settling.next_look(NOW + second) is not None]


@pytest.mark.parametrize(
    ("requests_from_s", "expected"),
    [(1, [5, 30, 120, 600]), (100, [100, 125, 215, 695]), (500, [500, 525, 615, 1095])],
)
def test_looks_that_had_to_wait_for_requests_do_not_follow_each_other_at_once(
    requests_from_s: int, expected: list[int]
) -> None:
    assert _looks(_ended(), range(requests_from_s, 1200)) == expected


def test_a_call_that_does_not_tell_what_it_cost_is_money_in_flight_until_a_few_looks_were_in_vain() -> None:
    settling = _ended()
    counted = [(second, settling.unpaid()) for second in range(600) if settling.next_look(NOW + second) is not None]
    assert counted == [(5, 1), (30, 1), (120, 0)]


def test_a_clock_that_is_set_moves_looks_along() -> None:
    settling = _ended()
    assert _looks(settling, range(20)) == [5]
    settling.shift(3600.0)
    assert _looks(settling, range(3600, 3680)) == [3630]


def test_a_call_that_told_late_because_nobody_asked_makes_no_other_wait_until_it_is_forgotten() -> None:
    settling = _ended(2)
    late = KEPT_S - 5.0
    assert settling.next_look(NOW + late) == Look("c0")
    change, cost = settling.see(call("c0", status="completed", cost=0.1, duration_s=10.0), NOW + late)
    assert isinstance(change, Amend)
    assert cost == 0.1
    assert max(settling.next_looks_at()) <= NOW + LOOKS_AFTER_S[-1] < NOW + KEPT_S
    assert settling.next_look(NOW + late) == Look("c1")
