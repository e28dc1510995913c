"""Finding a call nobody told us of: the window, the scan that may be believed, and what it proves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from dialer.core.reconcile import (
    ATTEMPT_KEY,
    LATE_S,
    UNKNOWN_SKEW_S,
    Scan,
    Skew,
    SkewMeter,
    Window,
    by_number,
    echoed_attempt,
    evidence,
    same_number,
    window,
)
from dialer.core.wire import Call, CallPage

NOW = 1_790_000_000.0
PHONE, AGENT = "+12125550100", "agent_a"


def call(call_id: str, created_at: float | None = NOW, **fields: Any) -> Call:
    said = {"phone_number": PHONE, "agent_id": AGENT, "direction": "outbound", "status": "ringing"}
    return Call.model_validate({"id": call_id, "created_at": created_at, **said, **fields})


def new_scan(relevant_from: float = 0.0) -> Scan:
    return Scan(1, AGENT, NOW - 1e5, NOW + 1e5, relevant_from, NOW)


def feed(
    scan: Scan, calls: Iterable[Call], *, total: int | None, per_page: int = 10, unreadable: int = 0, bound: str = ""
) -> None:
    shown = CallPage(calls=tuple(calls), total=total, page=scan.page, per_page=per_page, unreadable=unreadable)
    scan.absorb(shown, bound.split())


def newest_first(first: int, last: int) -> list[Call]:
    return [call(f"c{index}", NOW - index) for index in range(first, last)]


# --- the window ---------------------------------------------------------------------------------------------------


def test_a_call_is_looked_for_from_just_before_its_intent_until_long_after_we_gave_up() -> None:
    found = window(1000.0 - 2, 1030.0 + 3)
    assert found == Window(1000 - 2 - 5 - 1, 1030 + 3 + LATE_S + 5)
    assert LATE_S == 120
    assert found.low in found
    assert found.high in found
    assert found.low - 0.01 not in found
    assert found.high + 0.01 not in found


def test_while_the_apis_clock_is_unknown_ten_minutes_either_way_are_searched() -> None:
    assert SkewMeter().skew == Skew(-600.0, 600.0)
    assert UNKNOWN_SKEW_S == 600


def test_the_apis_clock_is_known_by_the_widest_of_its_latest_answers() -> None:
    meter = SkewMeter(keep=3)
    meter.add(-90.0, -80.0)
    meter.add(-1.0, 0.5)
    meter.add(-0.5, 1.5)
    assert meter.skew == Skew(-90.0, 1.5)
    meter.add(0.0, 0.2)
    assert meter.skew == Skew(-1.0, 1.5), "an early answer is forgotten, so a clock that was mended is believed"


# --- the scan -----------------------------------------------------------------------------------------------------


def test_one_short_page_is_a_complete_scan() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 4), total=4, bound="c1 c9")
    assert (scan.done, scan.complete) == (True, True)
    assert set(scan.calls) == {"c0", "c1", "c2", "c3"}
    assert scan.bound == {"c1", "c9"}


@pytest.mark.parametrize("total", [0, None])
def test_a_list_without_anybody_is_complete(total: int | None) -> None:
    scan = new_scan()
    feed(scan, [], total=total)
    assert (scan.done, scan.complete) == (True, True)


def test_full_pages_are_read_on_until_a_short_one() -> None:
    scan = new_scan()
    for page in (1, 2):
        assert (scan.page, scan.done) == (page, False)
        feed(scan, newest_first(page * 10 - 10, page * 10), total=25)
    assert scan.page == 3
    feed(scan, newest_first(20, 25), total=25)
    assert (scan.done, scan.complete, len(scan.calls)) == (True, True, 25)


def test_a_list_that_ends_with_a_full_page_is_read_until_the_empty_one() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 10), total=10)
    assert not scan.done
    feed(scan, [], total=10)
    assert (scan.done, scan.complete) == (True, True)


def test_a_list_that_counts_more_calls_than_it_shows_proves_nothing() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 4), total=5)
    assert (scan.done, scan.complete) == (True, False)


def test_a_page_that_only_repeats_an_earlier_one_ends_the_scan_and_proves_nothing() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 10), total=30)
    feed(scan, newest_first(0, 10), total=30)
    assert (scan.done, scan.complete) == (True, False)


def test_a_list_that_shrank_while_it_was_read_proves_nothing() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 10), total=15)
    feed(scan, newest_first(10, 14), total=14)  # everybody counted, but one slipped past a page's edge
    assert (scan.done, scan.complete) == (True, False)


def test_a_newest_first_list_that_grew_at_its_head_is_complete_for_everybody_before() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 10), total=15)
    feed(scan, newest_first(9, 15), total=16)
    assert (scan.done, scan.complete) == (True, True)


def test_a_list_in_no_order_that_grew_proves_nothing() -> None:
    scan = new_scan()
    mixed = newest_first(0, 15)[::-1]
    feed(scan, mixed[:10], total=15)
    feed(scan, mixed[10:], total=16)
    assert (scan.done, scan.complete) == (True, False)


def test_a_list_in_no_order_is_complete_when_it_shows_as_many_as_it_counts() -> None:
    scan = new_scan(relevant_from=NOW)
    mixed = [call(f"c{index}", NOW - (index * 7) % 25) for index in range(25)]
    for page in range(3):
        assert not scan.done
        feed(scan, mixed[page * 10 : page * 10 + 10], total=25)
    assert (scan.done, scan.complete) == (True, True)


def test_a_newest_first_list_is_left_where_calls_are_too_old_to_matter() -> None:
    scan = new_scan(relevant_from=NOW - 15)
    feed(scan, newest_first(0, 10), total=90_000)
    assert not scan.done
    feed(scan, newest_first(10, 20), total=90_000)
    assert (scan.done, scan.complete, scan.page) == (True, True, 2)


def test_a_list_is_not_left_early_before_it_has_proved_its_order() -> None:
    few, mixed, undated = new_scan(NOW - 5), new_scan(NOW - 5), new_scan(NOW - 5)
    feed(few, newest_first(0, 10), total=500)
    feed(mixed, [call("new", NOW - 9), *newest_first(0, 29)], total=500, per_page=30)
    feed(undated, [call("when", None), *newest_first(0, 29)], total=500, per_page=30)
    assert not few.done
    assert not mixed.done
    assert not undated.done


@pytest.mark.parametrize(("shown", "unreadable"), [(5, 0), (9, 1)])
def test_a_newest_first_list_that_shows_fewer_than_it_counted_from_the_start_proves_nothing(
    shown: int, unreadable: int
) -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 10), total=20)
    feed(scan, newest_first(10, 10 + shown), total=20, unreadable=unreadable)
    if not scan.done:
        feed(scan, [], total=20)
    assert (scan.done, scan.complete) == (True, False)


def test_calls_of_one_second_repeated_on_every_page_prove_nothing() -> None:
    scan = new_scan()
    burst = [call(f"c{index}", NOW) for index in range(10)]
    feed(scan, burst, total=30)
    feed(scan, burst, total=30)
    assert (scan.done, scan.complete) == (True, False)


def test_without_a_count_a_repeated_page_proves_nothing() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 10), total=None)
    feed(scan, newest_first(0, 10), total=None)
    assert (scan.done, scan.complete) == (True, False)


@pytest.mark.parametrize("on_page", [1, 2])
def test_without_a_count_a_call_that_cannot_be_read_may_be_anybodys(on_page: int) -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 9), total=None, unreadable=1 if on_page == 1 else 0, per_page=10 if on_page == 1 else 9)
    feed(scan, newest_first(9, 12), total=None, unreadable=1 if on_page == 2 else 0)
    assert (scan.done, scan.complete) == (True, False)


def test_without_a_count_a_short_page_is_the_end() -> None:
    scan = new_scan()
    feed(scan, newest_first(0, 10), total=None)
    feed(scan, newest_first(10, 13), total=None)
    assert (scan.done, scan.complete) == (True, True)


def test_a_list_that_never_ends_is_left_at_last_and_proves_nothing() -> None:
    scan = new_scan()
    for page in range(2_000):
        assert not scan.done
        feed(scan, [call(f"c{page}", NOW + page)], total=10**9, per_page=1)
    assert (scan.done, scan.complete) == (True, False)


# --- the evidence -------------------------------------------------------------------------------------------------

WHEN = Window(NOW - 10, NOW + 150)


def found_in(*calls: Call, bound: str = "") -> list[str]:
    return [item.id for item in evidence(PHONE, AGENT, WHEN, by_number(calls), bound.split()).candidates]


@pytest.mark.parametrize("spelling", ["+12125550100", "+1 (212) 555-0100", "1-212-555-0100", "+1.212.555.0100"])
def test_a_number_spelled_differently_is_the_same_persons(spelling: str) -> None:
    assert found_in(call("c1", phone_number=spelling)) == ["c1"]
    assert same_number(spelling, PHONE)


def test_another_number_is_another_person_and_no_number_nobodys() -> None:
    assert found_in(call("c1", phone_number="+12125550101"), call("c2", phone_number=None)) == []
    assert not same_number(None, PHONE)
    assert not same_number("+12125550101", PHONE)


def test_calls_of_another_agent_and_calls_from_outside_are_not_ours() -> None:
    assert found_in(call("c1", agent_id="agent_b"), call("c2", direction="inbound")) == []
    assert found_in(call("c3", agent_id=None, direction=None)) == ["c3"], "what is not told rules nobody out"


def test_a_call_that_another_attempt_holds_is_not_taken_twice() -> None:
    assert found_in(call("c1"), call("c2"), bound="c1 c7") == ["c2"]


def test_only_calls_made_while_ours_can_have_been_made_are_taken_for_it() -> None:
    calls = [call("early", NOW - 11), call("first", NOW - 10), call("last", NOW + 150), call("late", NOW + 151)]
    assert found_in(*calls) == ["first", "last"]


def test_of_several_calls_the_earliest_comes_first() -> None:
    assert found_in(call("b", NOW + 5), call("z", NOW), call("a", NOW + 5)) == ["z", "a", "b"]


def test_a_call_to_the_number_that_cannot_be_dated_is_no_proof_and_no_disproof() -> None:
    shown = evidence(PHONE, AGENT, WHEN, by_number([call("c1", None)]), ())
    assert (shown.candidates, shown.undated) == ((), True)
    assert not evidence(PHONE, AGENT, WHEN, by_number([call("c1", None)]), ["c1"]).undated
    assert not evidence(PHONE, AGENT, WHEN, by_number([call("c1", None, agent_id="agent_b")]), ()).undated


def test_an_attempt_is_named_by_the_metadata_that_came_back_with_its_call() -> None:
    assert echoed_attempt(call("c1", metadata={ATTEMPT_KEY: "w.7.1"})) == "w.7.1"
    for metadata in (None, {}, {ATTEMPT_KEY: 7}, {"other": "w.7.1"}, "w.7.1"):
        assert echoed_attempt(call("c1", metadata=metadata)) is None
