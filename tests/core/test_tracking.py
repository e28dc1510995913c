"""Which live calls are looked at, and how."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.core.messages import Look, LookAtPage
from dialer.core.tracking import (
    LAG_ALLOWED_S,
    MOST_BINDING_S,
    MOST_IDLE_S,
    SINGLES_FOR_S,
    STRIKES,
    THRIFTY_LENGTHS,
    Eagerness,
    Tracker,
)
from dialer.core.wire import Call, CallPage

NOW = 1_790_000_000.0
IDLE, BINDING, THRIFTY = Eagerness.IDLE, Eagerness.BINDING, Eagerness.THRIFTY


def listed(call_id: str, created_at: float) -> Call:
    return Call.model_validate({"id": call_id, "status": "in_progress", "created_at": created_at})


def page(calls: Iterable[tuple[str, float]], *, number: int = 1, per_page: int = 100, total: int = 0) -> CallPage:
    found = tuple(listed(call_id, created_at) for call_id, created_at in calls)
    return CallPage(calls=found, page=number, per_page=per_page, total=total or len(found))


def tracker_of(live: int, *, spread_s: float = 0.1, learned: int = 10) -> Tracker:
    tracker = Tracker(learned=learned)
    for index in range(live):
        tracker.add(f"c{index}", NOW + index * spread_s)
    return tracker


def show(tracker: Tracker, shown: CallPage, now: float) -> None:
    for call in shown.calls:
        tracker.seen(call.id, now)
    tracker.page_done(shown, now)


def newest(tracker: Tracker, without: Iterable[str] = ()) -> list[tuple[str, float]]:
    live = [(call.call_id, call.created_at) for call in tracker.calls.values() if call.call_id not in set(without)]
    return sorted(live, key=lambda item: -item[1])


def due(tracker: Tracker, now: float, eager: Eagerness = IDLE) -> float:
    moment = tracker.wake_at(now, eager)
    assert now < moment < float("inf")
    assert tracker.next_sweep(moment - 0.001, eager) is None
    return moment


def test_where_nobody_is_on_the_line_nothing_is_asked() -> None:
    tracker = Tracker()
    assert tracker.wake_at(NOW, BINDING) == float("inf")
    assert tracker.next_sweep(NOW, BINDING) is None
    assert tracker.next_straggler(NOW) is None


def test_many_calls_are_looked_at_by_a_page_and_one_alone_by_itself() -> None:
    many, one = tracker_of(50), tracker_of(1)
    assert many.next_sweep(due(many, NOW + 5), IDLE) == LookAtPage(1)
    assert one.next_sweep(due(one, NOW), IDLE) == Look("c0")


def test_a_question_is_asked_once_until_it_is_answered() -> None:
    many, one = tracker_of(50), tracker_of(1)
    assert many.next_sweep(NOW + 100, IDLE)
    assert many.next_sweep(NOW + 100, IDLE) is None
    assert many.wake_at(NOW + 100, IDLE) == float("inf")
    assert one.next_sweep(NOW + 100, IDLE)
    assert one.next_sweep(NOW + 100, IDLE) is None
    assert one.wake_at(NOW + 100, IDLE) == float("inf")
    one.seen("c0", NOW + 100)
    assert NOW + 100 < one.wake_at(NOW + 100, IDLE) <= NOW + 100 + MOST_IDLE_S


def test_while_people_wait_for_slots_the_ends_of_calls_are_looked_for_sooner() -> None:
    tracker = tracker_of(50)
    assert tracker.wake_at(NOW, BINDING) < tracker.wake_at(NOW, IDLE) < tracker.wake_at(NOW, THRIFTY)
    assert tracker.wake_at(NOW, BINDING) <= NOW + MOST_BINDING_S
    assert tracker.wake_at(NOW, IDLE) <= NOW + MOST_IDLE_S
    assert tracker.wake_at(NOW, THRIFTY) == NOW + THRIFTY_LENGTHS * tracker.mean_s


def test_the_first_call_ever_is_looked_at_soon_and_then_ever_more_seldom() -> None:
    tracker = tracker_of(1, learned=0)
    now, moments = NOW, []
    for _ in range(12):
        now = tracker.wake_at(now, IDLE)
        assert tracker.next_sweep(now, IDLE) == Look("c0")
        tracker.seen("c0", now)
        moments.append(now - NOW)
    assert moments[0] <= 0.25
    assert moments[-1] > 20
    gaps = [after - before for before, after in pairwise(moments)]
    assert gaps == sorted(gaps)


def test_a_short_page_ends_the_sweep_and_the_next_one_is_not_due_at_once() -> None:
    tracker = tracker_of(50)
    now = due(tracker, NOW + 5)
    tracker.next_sweep(now, IDLE)
    show(tracker, page(newest(tracker)), now + 0.1)
    assert tracker.next_sweep(now + 0.2, IDLE) is None
    assert tracker.wake_at(now + 0.2, IDLE) > now + 1


def test_more_calls_than_a_page_holds_are_read_page_by_page() -> None:
    tracker = tracker_of(250)
    now = NOW + 40
    everybody = newest(tracker)
    for number in (1, 2, 3):
        assert tracker.wake_at(now, IDLE) <= now
        assert tracker.next_sweep(now, IDLE) == LookAtPage(number)
        shown = everybody[(number - 1) * 100 : number * 100]
        show(tracker, page(shown, number=number, total=250), now)
    assert tracker.next_sweep(now, IDLE) is None


def test_a_page_is_not_read_on_for_a_single_straggler_who_is_looked_at_alone() -> None:
    tracker = Tracker(learned=10)
    tracker.add("old", NOW - 600)
    for index in range(100):
        tracker.add(f"c{index}", NOW + index / 10)
    now = NOW + 60
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    show(tracker, page(newest(tracker, ["old"]), total=5000), now)
    assert tracker.next_sweep(now, IDLE) is None
    assert tracker.wake_at(now, IDLE) <= now
    assert tracker.next_straggler(now) == Look("old")
    assert tracker.next_straggler(now) is None
    tracker.seen("old", now)
    assert tracker.next_straggler(now) is None


def test_a_call_too_young_for_the_list_is_no_straggler() -> None:
    tracker = tracker_of(20)
    tracker.add("young", NOW + 60 - LAG_ALLOWED_S / 3)
    tracker.next_sweep(NOW + 60, IDLE)
    show(tracker, page(newest(tracker, ["young"])), NOW + 60)
    assert tracker.next_straggler(NOW + 60) is None


def strike(tracker: Tracker, now: float, hidden: list[str]) -> None:
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    show(tracker, page(newest(tracker, hidden), total=1000), now)
    while look := tracker.next_straggler(now):
        tracker.seen(look.call_id, now)


def test_a_list_that_hides_calls_it_must_hold_is_left_for_looks_one_by_one_and_tried_again_later() -> None:
    tracker = tracker_of(10, spread_s=2)
    now = NOW
    for _ in range(STRIKES):
        now += 60
        strike(tracker, now, ["c5"])
    now += 60
    assert isinstance(tracker.next_sweep(now, IDLE), Look)
    tracker.add("c99", now)
    looks = []
    while look := tracker.next_sweep(now + 30, IDLE):
        assert isinstance(look, Look)
        looks.append(look.call_id)
    assert len(looks) == len(set(looks)) == 10, "everybody once"
    later = now + SINGLES_FOR_S
    for call_id in tracker.calls:
        tracker.seen(call_id, now + 30)
    assert tracker.next_sweep(later, IDLE) == LookAtPage(1)


def test_a_list_that_hides_a_call_now_and_then_keeps_its_pages() -> None:
    tracker = tracker_of(10, spread_s=2)
    now = NOW
    for hidden in (["c5"], ["c5"], [], ["c5"], ["c5"]):
        now += 60
        strike(tracker, now, hidden)
    assert tracker.next_sweep(now + 60, IDLE) == LookAtPage(1)


def test_a_list_that_runs_the_other_way_is_read_from_its_end() -> None:
    tracker = tracker_of(20)
    now = NOW + 60
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    ancient = [(f"x{index}", NOW - 1e5 + index) for index in range(100)]
    show(tracker, page(ancient, total=250), now)
    assert tracker.next_sweep(now, IDLE) == LookAtPage(3), "the same sweep goes on at the newest end"
    show(tracker, page(sorted(newest(tracker), key=lambda item: item[1]), number=3, total=250), now)
    tracker.drop("c0", now, ended=True)
    assert tracker.next_straggler(now) is None
    assert tracker.next_sweep(now + 60, IDLE) == LookAtPage(3), "and the next one begins there"


def test_a_list_that_looks_wrong_from_both_ends_is_left_for_single_looks() -> None:
    tracker = tracker_of(20)
    now = NOW + 60
    tracker.next_sweep(now, IDLE)
    show(tracker, page([(f"x{index}", NOW - 1e5 + index) for index in range(100)], total=250), now)
    assert tracker.next_sweep(now, IDLE) == LookAtPage(3)
    show(tracker, page([(f"y{index}", NOW - 1e5 - index) for index in range(50)], number=3, total=250), now)
    assert isinstance(tracker.next_sweep(now, IDLE), Look)


def test_a_short_list_shows_everybody_whichever_way_it_runs() -> None:
    tracker = tracker_of(20)
    now = NOW + 60
    tracker.next_sweep(now, IDLE)
    show(tracker, page(reversed(newest(tracker))), now)
    assert tracker.next_sweep(now, IDLE) is None
    assert tracker.next_sweep(now + 60, IDLE) == LookAtPage(1)


def test_questions_that_fail_are_asked_again_after_a_growing_and_bounded_pause() -> None:
    tracker = tracker_of(20)
    now, waits = NOW + 60, []
    for _ in range(9):
        assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
        tracker.failed(None, now)
        waits.append(tracker.wake_at(now, IDLE) - now)
        assert tracker.next_sweep(now + waits[-1] - 0.01, IDLE) is None
        now += waits[-1]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    tracker.next_sweep(now, IDLE)
    show(tracker, page(newest(tracker)), now)
    tracker.next_sweep(now + 60, IDLE)
    tracker.failed(None, now + 60)
    assert tracker.wake_at(now + 60, IDLE) == now + 62, "an answer ends the row of failures"


def test_a_look_that_fails_holds_all_looks_and_is_asked_again() -> None:
    tracker = tracker_of(1)
    now = NOW + 60
    assert tracker.next_sweep(now, IDLE) == Look("c0")
    tracker.failed("c0", now)
    assert tracker.next_sweep(now + 1, IDLE) is None
    assert tracker.next_sweep(now + 2, IDLE) == Look("c0")
    tracker.failed("gone", now + 2)


def test_a_question_only_the_request_limit_stood_against_needs_no_pause_of_its_own() -> None:
    tracker = tracker_of(20)
    tracker.next_sweep(NOW + 60, IDLE)
    tracker.failed(None, NOW + 60)
    tracker.retry_at_once()
    assert tracker.next_sweep(NOW + 60, IDLE) == LookAtPage(1)


def test_how_long_people_talk_is_learnt_from_calls_that_ended_and_from_no_others() -> None:
    tracker = Tracker()
    for index in range(200):
        tracker.add(f"c{index}", NOW)
        tracker.seen(f"c{index}", NOW + 99)
        tracker.drop(f"c{index}", NOW + 101, ended=True)
    assert tracker.mean_s == 100
    tracker.add("lost", NOW)
    tracker.drop("lost", NOW + 9000, ended=False)
    tracker.drop("never heard of", NOW, ended=True)
    assert tracker.mean_s == 100
    for index in range(200):
        tracker.add(f"d{index}", NOW)
        tracker.seen(f"d{index}", NOW + 19)
        tracker.drop(f"d{index}", NOW + 21, ended=True)
    assert 20 <= tracker.mean_s < 21, "and learnt anew when people's habits change"


def test_a_call_with_a_reason_is_looked_at_once_with_the_next_request() -> None:
    tracker = tracker_of(20)
    for _ in range(3):
        tracker.look_soon("c7")
    tracker.look_soon("gone")
    assert tracker.wake_at(NOW + 3, THRIFTY) <= NOW + 3
    assert tracker.next_straggler(NOW + 3) == Look("c7")
    assert tracker.next_straggler(NOW + 3) is None


def test_an_answer_asked_for_earlier_does_not_make_a_call_look_longer_unseen() -> None:
    tracker = tracker_of(2)
    tracker.seen("c0", NOW + 50)
    tracker.seen("c0", NOW + 40)
    assert tracker.calls["c0"].seen_at == NOW + 50
    tracker.seen("nobody", NOW)


def honest(tracker: Tracker, now: float) -> None:
    """wake_at says now exactly when there is something to ask now."""
    for eager in Eagerness:
        probe = copy.deepcopy(tracker)
        promised = probe.wake_at(now, eager) <= now
        found = probe.next_sweep(now, eager) or probe.next_straggler(now)
        assert promised == (found is not None), (eager, promised, found)


class Shift:
    """A tracker among calls that come and end, and answers that come, fail and are late."""

    def __init__(self) -> None:
        self.tracker, self.now = Tracker(), NOW
        self.asked: list[Look | LookAtPage] = []

    def step(self, step: str, pick: int, index: int) -> None:
        live = list(self.tracker.calls)
        call_id = live[pick % len(live)] if live else "nobody"
        match step:
            case "add":
                for twin in range(pick % 4):
                    self.tracker.add(f"c{index}_{twin}", self.now - pick / 10)
            case "wait":
                self.now += pick * pick / 100
            case "ask":
                order = self.tracker.next_sweep(self.now, list(Eagerness)[pick % 3])
                self.asked += [order] if order else []
            case "look":
                look = self.tracker.next_straggler(self.now)
                self.asked += [look] if look else []
            case "end":
                self.tracker.drop(call_id, self.now, ended=True)
            case "soon":
                self.tracker.look_soon(call_id)
            case _:
                self.answer(step, pick, live)

    def answer(self, step: str, pick: int, live: list[str]) -> None:
        if not self.asked:
            return
        order = self.asked.pop(pick % len(self.asked))
        if step == "fail":
            self.tracker.failed(order.call_id if isinstance(order, Look) else None, self.now)
        elif isinstance(order, LookAtPage):
            shown = newest(self.tracker, live[: pick % 3])
            show(self.tracker, page(shown, number=order.page, per_page=1 + pick % 9), self.now)
        elif pick % 2:
            self.tracker.seen(order.call_id, self.now)
        else:
            self.tracker.drop(order.call_id, self.now, ended=True)


STEPS = st.tuples(st.sampled_from(["add", "wait", "ask", "look", "answer", "fail", "end", "soon"]), st.integers(0, 99))


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_whoever_is_woken_finds_a_question_to_ask_and_nobody_sleeps_over_one(steps: list[tuple[str, int]]) -> None:
    shift = Shift()
    for index, (step, pick) in enumerate(steps):
        shift.step(step, pick, index)
        honest(shift.tracker, shift.now)
