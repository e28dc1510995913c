"""Somebody wants to know now: every open doubt gets one scan, and is waited for until that has judged it or failed."""

from __future__ import annotations

from dataclasses import replace

from dialer.core.doubts import REPEATS, Bound
from dialer.core.lifecycle import LeadState
from tests.core.test_doubts import NOW, POLICY, Bench, attempt, call


def _parked(bench: Bench, index: int) -> None:
    item = attempt(index)
    bench.doubts.park(replace(item, lead=replace(item.lead, state=LeadState.UNRESOLVED)), bench.now)


def test_a_parked_doubt_is_looked_for_at_once_and_the_look_is_over_when_the_list_was_read() -> None:
    bench = Bench(POLICY).add(attempt(0))
    _parked(bench, 0)
    assert bench.doubts.next_due() > bench.now
    assert not bench.doubts.looking()
    bench.doubts.look_now(bench.now)
    assert bench.doubts.looking()
    assert bench.doubts.next_due() == bench.now
    assert bench.scan() == []
    assert not bench.doubts.looking()
    assert bench.doubts.next_due() > bench.now


def test_what_a_look_finds_is_bound_and_looked_for_no_more() -> None:
    bench = Bench(POLICY).add(attempt(0))
    _parked(bench, 0)
    bench.doubts.echoes = False
    bench.doubts.look_now(bench.now)
    (found,) = bench.scan(call("c1", NOW + 1))
    assert isinstance(found, Bound)
    bench.doubts.drop(found.attempt)
    assert not bench.doubts.looking()


def test_a_list_that_does_not_come_ends_the_look_without_a_verdict() -> None:
    bench = Bench(POLICY).add(attempt(0))
    _parked(bench, 0)
    bench.doubts.look_now(bench.now)
    for _ in range(REPEATS):
        assert bench.doubts.looking()
        bench.doubts.failed(bench.ask(), bench.now, soon=False)
    assert not bench.doubts.looking()


def test_doubts_of_this_run_and_unresolved_ones_share_the_look() -> None:
    bench = Bench(POLICY).add(attempt(0), attempt(1))
    _parked(bench, 1)
    bench.doubts.look_now(bench.now)
    bench.scan()
    assert not bench.doubts.looking()
    assert len(bench.scanned_at) == 1
