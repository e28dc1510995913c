"""Which live calls are looked at, and how."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.core.fuel import Wish
from dialer.core.lengths import Lengths
from dialer.core.listing import SINGLES_FOR_S, STRIKES
from dialer.core.messages import Look, LookAtPage
from dialer.core.tracking import LONGEST_UNSEEN, MOST_PAGES, Tracker
from dialer.core.wire import Call, CallPage

NOW = 1_790_000_000.0
BINDING, IDLE, THRIFTY = Wish(1.5, 2.0), Wish(7.5, 4.0), Wish(1.5, 0.02)
WISHES = (BINDING, IDLE, THRIFTY)


def listed(call_id: str, created_at: float) -> Call:
    return Call.model_validate({"id": call_id, "status": "in_progress", "created_at": created_at})


def page(calls: Iterable[tuple[str, float]], *, number: int = 1, per_page: int = 100, total: int = 0) -> CallPage:
    found = tuple(listed(call_id, created_at) for call_id, created_at in calls)
    return CallPage(calls=found, page=number, per_page=per_page, total=total or len(found))


def learnt(mean_s: float = 45.0, calls: int = 200) -> Lengths:
    """Lengths as an earlier campaign has met them: evenly spread between nothing and twice the mean."""
    lengths = Lengths()
    for index in range(calls):
        lengths.learn("completed", 2 * mean_s * (index + 0.5) / calls)
    return lengths


def tracker_of(live: int, *, spread_s: float = 0.1) -> Tracker:
    tracker = Tracker(lengths=learnt())
    for index in range(live):
        tracker.add(f"c{index}", NOW + index * spread_s)
    return tracker


def show(tracker: Tracker, shown: CallPage, now: float, *, asked: int | None = None) -> None:
    for call in shown.calls:
        tracker.seen(call.id, now)
    tracker.page_done(shown.page if asked is None else asked, shown, now)


def newest(tracker: Tracker, without: Iterable[str] = ()) -> list[tuple[str, float]]:
    live = [(call.call_id, call.created_at) for call in tracker.calls.values() if call.call_id not in set(without)]
    return sorted(live, key=lambda item: -item[1])


def due(tracker: Tracker, now: float, wish: Wish = IDLE) -> float:
    """When the next question is asked, if nothing happens."""
    while (moment := tracker.wake_at(now, wish)) > now:
        assert tracker.next_sweep(now, wish) is None
        now = moment
    return now


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
    assert many.next_sweep(NOW + 40, IDLE)
    assert many.next_sweep(NOW + 40, IDLE) is None
    assert many.wake_at(NOW + 40, IDLE) == float("inf")
    assert one.next_sweep(NOW + 40, IDLE)
    assert one.next_sweep(NOW + 40, IDLE) is None
    assert one.wake_at(NOW + 40, IDLE) == float("inf")
    one.seen("c0", NOW + 40)
    assert NOW + 40 < due(one, NOW + 40, IDLE) < NOW + 80


def test_while_people_wait_for_slots_the_ends_of_calls_are_looked_for_sooner() -> None:
    moments = [due(tracker_of(50), NOW + 1, wish) - NOW for wish in WISHES]
    assert 1 < moments[0] < moments[1] < moments[2]


def test_however_dear_requests_are_nobody_goes_unseen_for_ever() -> None:
    for live in (1, 3, 20, 300):
        tracker = tracker_of(live)
        assert due(tracker, NOW + 5, Wish(float("inf"), 1e-6)) < NOW + 5 + 2 * LONGEST_UNSEEN * tracker.mean_s


@pytest.mark.parametrize("lengths", [Lengths(), learnt()], ids=["nothing known", "much known"])
def test_a_call_that_nobody_looked_at_for_hours_is_looked_at_at_once(lengths: Lengths) -> None:
    """Whatever the hours: the chance that it still lasts gets as small as numbers can be, and then is none."""
    for minutes in range(1, 24 * 60, 3):
        tracker = Tracker(lengths=copy.deepcopy(lengths))
        tracker.add("c1", NOW - 60.0 * minutes, met_live=False)
        for wish in WISHES:
            assert tracker.wake_at(NOW, wish) <= NOW + 1.0
        assert tracker.next_sweep(NOW + 1.0, IDLE) == Look("c1")


def test_of_many_calls_alike_ends_are_noticed_as_late_as_was_wished_for() -> None:
    """A page every t seconds notices an end t / 2 late on average; 90 calls of 45 s end at two a second."""
    tracker = Tracker(lengths=learnt())
    for index in range(90):
        tracker.add(f"c{index}", NOW - 45 + index / 2)
        tracker.seen(f"c{index}", NOW)
    waited_s = due(tracker, NOW, BINDING) - NOW
    assert 2 * BINDING.late_s / 1.5 < waited_s < 2 * BINDING.late_s * 1.5


def test_the_first_call_ever_is_looked_at_soon_and_then_ever_more_seldom() -> None:
    tracker = Tracker()
    tracker.add("c0", NOW)
    now, moments = NOW, []
    for _ in range(10):
        now = due(tracker, now, IDLE)
        assert tracker.next_sweep(now, IDLE) == Look("c0")
        tracker.seen("c0", now)
        moments.append(now - NOW)
    assert moments[0] <= 0.25
    assert moments[-1] > 8
    gaps = [after - before for before, after in pairwise(moments)]
    assert gaps == sorted(gaps)


def test_a_page_that_has_come_is_not_due_again_at_once() -> None:
    tracker = tracker_of(50)
    now = due(tracker, NOW + 5)
    tracker.next_sweep(now, IDLE)
    show(tracker, page(newest(tracker)), now + 0.1)
    assert tracker.next_sweep(now + 0.2, IDLE) is None
    assert due(tracker, now + 0.2, IDLE) > now + 1


def test_more_calls_than_a_page_holds_are_asked_for_page_by_page_and_several_at_once() -> None:
    tracker = tracker_of(600, spread_s=0.01)
    now = NOW + 40
    pages = []
    while order := tracker.next_sweep(now, IDLE):
        pages.append(order)
    assert len(pages) == MOST_PAGES
    everybody = newest(tracker)
    for order in pages:
        assert isinstance(order, LookAtPage)
        shown = everybody[(order.page - 1) * 100 : order.page * 100]
        show(tracker, page(shown, number=order.page, total=600), now)
    rest = []
    while order := tracker.next_sweep(now + 1, IDLE):
        rest.append(order)
    assert {order.page for order in [*pages, *rest] if isinstance(order, LookAtPage)} == {1, 2, 3, 4, 5, 6}


def test_the_oldest_page_with_few_calls_is_read_seldom_and_the_newest_often() -> None:
    tracker = Tracker(lengths=learnt())
    now, asked = NOW, {1: 0, 2: 0}
    for index in range(1500):
        now += 0.2
        tracker.add(f"c{index}", now)
        if index >= 110 and index % 55:  # one call in fifty-five lasts for ever
            tracker.drop(f"c{index - 90}", now, ended=True)
        made = sorted((int(call_id[1:]) for call_id in tracker.calls), reverse=True)
        while isinstance(order := tracker.next_sweep(now, BINDING), LookAtPage):
            asked[order.page] = asked.get(order.page, 0) + 1
            high = index - (order.page - 1) * 100
            shown = [(f"c{number}", NOW + 0.2 * (number + 1)) for number in range(high, max(high - 100, -1), -1)]
            show(tracker, page(shown, number=order.page, total=index + 1), now)
        for call_id in [f"c{number}" for number in made]:
            tracker.seen(call_id, tracker.calls[call_id].seen_at)
    assert asked[1] > 3 * asked[2]


def test_a_call_too_old_for_the_page_that_was_read_is_looked_for_on_the_next_and_then_alone() -> None:
    tracker = Tracker(lengths=learnt())
    tracker.add("old", NOW - 80)
    for index in range(99):
        tracker.add(f"c{index}", NOW + index / 10)
    now = NOW + 60
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    others = [(f"x{index}", NOW - index / 10) for index in range(1, 2)]
    show(tracker, page([*newest(tracker, ["old"]), *others], total=5000), now)
    while True:
        now = due(tracker, now, IDLE)
        order = tracker.next_sweep(now, IDLE)
        if order == Look("old"):  # it stands alone on its page
            break
        assert order == LookAtPage(1)
        show(tracker, page([*newest(tracker, ["old"]), *others], total=5000), now)


def test_a_call_too_young_for_the_list_is_waited_for_as_long_as_others_were() -> None:
    tracker = tracker_of(20)
    tracker.add("young", NOW + 36)
    now = NOW + 40
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    show(tracker, page(newest(tracker, ["young"])), now)
    assert tracker.next_straggler(now) is None
    assert tracker.listing.lag_s == 1.25 * 4.0
    for call_id in [call_id for call_id in tracker.calls if call_id != "young"]:
        tracker.drop(call_id, now, ended=True)
    tracker.add("younger", now)
    assert due(tracker, now + 0.01, BINDING) > now + 1


def test_a_list_that_shows_nobody_yet_is_not_asked_at_every_moment() -> None:
    tracker = tracker_of(20, spread_s=0.0)
    now, asked = NOW + 1, 0
    while now < NOW + 30:
        now = max(due(tracker, now, BINDING), now + 0.05)
        order = tracker.next_sweep(now, BINDING)
        if isinstance(order, LookAtPage):
            asked += 1
            show(tracker, CallPage(calls=(), page=1, per_page=100, total=0), now)
        elif order is not None:
            tracker.seen(order.call_id, now)
    assert asked < 20


def strike(tracker: Tracker, now: float, hidden: list[str]) -> None:
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    show(tracker, page(newest(tracker, hidden)), now)
    while look := tracker.next_straggler(now):
        tracker.seen(look.call_id, now)


def test_a_list_that_hides_calls_it_must_hold_is_left_for_looks_one_by_one_and_tried_again_later() -> None:
    tracker = tracker_of(10, spread_s=2)
    now = NOW
    for _ in range(STRIKES):
        now += 60
        strike(tracker, now, ["c5"])
    now += 60
    order = tracker.next_sweep(now, IDLE)
    assert isinstance(order, Look)
    looks = [order.call_id]
    tracker.add("c99", now)
    while look := tracker.next_sweep(now + 30, IDLE):
        assert isinstance(look, Look)
        looks.append(look.call_id)
    assert len(looks) == len(set(looks)) >= 10, "everybody once"
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


def test_a_list_that_heeds_no_page_numbers_is_found_out() -> None:
    tracker = tracker_of(300)
    now = NOW + 60
    first = page(newest(tracker)[:100], total=300)
    for _ in range(20):
        while order := tracker.next_sweep(now, IDLE):
            if isinstance(order, Look):
                assert not tracker.listing.believed(now)
                return
            show(tracker, first, now, asked=order.page)
        now += 20
    raise AssertionError("the pages were believed for ever")


def test_a_list_in_smaller_pages_than_were_asked_for_is_read_in_those() -> None:
    tracker = tracker_of(60)
    now = NOW + 40
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    show(tracker, page(newest(tracker)[:20], per_page=20, total=60), now)
    pages = set()
    while order := tracker.next_sweep(now + 20, IDLE):
        assert isinstance(order, LookAtPage)
        pages.add(order.page)
    assert pages == {1, 2, 3}


def test_a_list_that_runs_the_other_way_is_read_from_its_end() -> None:
    tracker = tracker_of(20)
    now = NOW + 60
    assert tracker.next_sweep(now, IDLE) == LookAtPage(1)
    ancient = [(f"x{index}", NOW - 1e5 + index) for index in range(100)]
    show(tracker, page(ancient, total=250), now)
    now = due(tracker, now, IDLE)
    assert tracker.next_sweep(now, IDLE) == LookAtPage(3), "at the newest end"
    show(tracker, page(sorted(newest(tracker), key=lambda item: item[1]), number=3, total=250), now)
    tracker.drop("c0", now, ended=True)
    assert tracker.next_straggler(now) is None
    assert tracker.next_sweep(now + 60, IDLE) == LookAtPage(3), "and the next time it begins there"


def test_a_list_that_looks_wrong_from_both_ends_is_left_for_single_looks() -> None:
    tracker = tracker_of(20)
    now = NOW + 60
    tracker.next_sweep(now, IDLE)
    show(tracker, page([(f"x{index}", NOW - 1e5 + index) for index in range(100)], total=250), now)
    now = due(tracker, now, IDLE)
    assert tracker.next_sweep(now, IDLE) == LookAtPage(3)
    show(tracker, page([(f"y{index}", NOW - 1e5 - index) for index in range(50)], number=3, total=250), now)
    assert isinstance(tracker.next_sweep(due(tracker, now), IDLE), Look)


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
        tracker.failed(LookAtPage(1), now)
        waits.append(tracker.wake_at(now, IDLE) - now)
        assert tracker.next_sweep(now + waits[-1] - 0.01, IDLE) is None
        now += waits[-1]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    tracker.next_sweep(now, IDLE)
    show(tracker, page(newest(tracker)), now)
    tracker.next_sweep(now + 60, IDLE)
    tracker.failed(LookAtPage(1), now + 60)
    assert tracker.wake_at(now + 60, IDLE) == now + 62, "an answer ends the row of failures"


def test_a_look_that_fails_holds_all_looks_and_is_asked_again() -> None:
    tracker = tracker_of(1)
    now = NOW + 60
    assert tracker.next_sweep(now, IDLE) == Look("c0")
    tracker.failed(Look("c0"), now)
    assert tracker.next_sweep(now + 1, IDLE) is None
    assert tracker.next_sweep(now + 2, IDLE) == Look("c0")
    tracker.failed(Look("gone"), now + 2)


def test_a_question_only_the_request_limit_stood_against_needs_no_pause_of_its_own() -> None:
    tracker = tracker_of(20)
    tracker.next_sweep(NOW + 60, IDLE)
    tracker.failed(LookAtPage(1), NOW + 60)
    tracker.retry_at_once()
    assert tracker.next_sweep(NOW + 60, IDLE) == LookAtPage(1)


def test_how_long_people_talk_is_learnt_from_calls_that_ended_and_from_no_others() -> None:
    tracker = Tracker()
    for index in range(200):
        tracker.add(f"c{index}", NOW)
        tracker.seen(f"c{index}", NOW + 99)
        tracker.drop(f"c{index}", NOW + 101, ended=True, outcome="completed")
    tracker.add("lost", NOW)
    tracker.drop("lost", NOW + 9000, ended=False)
    tracker.add("of an earlier run", NOW - 5000, met_live=False)
    tracker.drop("of an earlier run", NOW, ended=True)
    tracker.drop("never heard of", NOW, ended=True)
    assert tracker.lengths.heard == 200
    tracker.add("next", NOW + 102)
    tracker.wake_at(NOW + 102, IDLE)
    assert 90 < tracker.mean_s < 110


def test_what_the_api_says_of_a_calls_length_is_believed_where_it_can_be_true() -> None:
    tracker = Tracker()
    for call_id, told_s in (("true", 60.0), ("false", 6000.0)):
        tracker.add(call_id, NOW)
        tracker.seen(call_id, NOW + 50)
        tracker.drop(call_id, NOW + 100, ended=True, outcome="completed", length_s=told_s)
    found = [index for index, count in enumerate(tracker.lengths.ends["completed"]) if count]
    assert len(found) == 2, "sixty seconds, and between fifty and a hundred"


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


def test_how_many_have_ended_unnoticed_is_told_by_their_ages() -> None:
    tracker = tracker_of(20, spread_s=0.0)
    assert tracker.unnoticed(NOW) == 0.0
    assert 8 < tracker.unnoticed(NOW + 45) < 12
    assert tracker.unnoticed(NOW + 100) > 18


def test_how_many_have_ended_is_told_from_the_plan_as_well_less_those_that_are_being_looked_at() -> None:
    tracker = tracker_of(50)
    assert tracker.expected(NOW) == 0.0
    moment = due(tracker, NOW + 20, IDLE)
    assert abs(tracker.expected(moment) - tracker.unnoticed(moment)) < 0.1 * tracker.unnoticed(moment)
    count = tracker.expected(moment) + 2.0
    assert abs(tracker.expected(tracker.expected_at(count)) - count) < 1e-6
    assert isinstance(tracker.next_sweep(moment, IDLE), LookAtPage)
    assert tracker.expected(moment) < 0.1 < tracker.unnoticed(moment)
    assert tracker.expected_at(1.0) > moment
    other = tracker_of(50)
    due(other, NOW + 20, IDLE)
    other.shift(-3600.0)
    assert other.expected(NOW - 3580) == 0.0, "until it is planned anew on the clock that was set"


def test_no_more_calls_are_expected_to_have_ended_than_there_are_however_old_the_plan() -> None:
    tracker = tracker_of(10)
    assert tracker.next_sweep(NOW + 1, THRIFTY) is None
    assert tracker.expected(NOW + 3600) == 10
    assert tracker.expected_at(10.5) == float("inf")
    for index in range(10):
        tracker.drop(f"c{index}", NOW + 30, ended=True, length_s=20.0)
    assert tracker.expected(NOW + 3600) == 0.0, "nobody is on the line"
    assert tracker.expected_at(1.0) == float("inf")


def honest(tracker: Tracker, now: float) -> None:
    """wake_at says now exactly when there is something to ask now."""
    for wish in WISHES:
        probe = copy.deepcopy(tracker)
        promised = probe.wake_at(now, wish) <= now
        found = probe.next_sweep(now, wish) or probe.next_straggler(now)
        assert promised == (found is not None), (wish, promised, found)


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
                order = self.tracker.next_sweep(self.now, WISHES[pick % 3])
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
            self.tracker.failed(order, self.now)
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


def _requests_for_calls_that_never_end(tracker: Tracker, until: float) -> int:
    now, count = until - 3400.0, 0
    while (now := due(tracker, now, IDLE)) < until:
        order = tracker.next_sweep(now, IDLE)
        count += order is not None
        if isinstance(order, LookAtPage):
            show(tracker, page(newest(tracker), number=order.page), now)
        elif isinstance(order, Look):
            tracker.seen(order.call_id, now)
        now += 0.01
    return count


def test_calls_that_do_not_end_are_news_and_are_looked_at_ever_more_seldom() -> None:
    tracker = tracker_of(14)
    first_hour = _requests_for_calls_that_never_end(tracker, NOW + 3600.0)
    second_hour = _requests_for_calls_that_never_end(tracker, NOW + 7200.0)
    assert second_hour < 0.75 * first_hour < 150


def test_many_talks_none_of_which_has_ended_yet_are_not_taken_for_endless_ones() -> None:
    lengths = Lengths()
    for index in range(130):
        lengths.learn("busy", 2.0 + index / 40)
    lengths.learn("voicemail", 12.0)
    tracker = Tracker(lengths=lengths)
    for index in range(900):
        tracker.add(f"c{index}", NOW + index / 900)
    for age_s in (8.0, 12.5, 16.9):
        for index in range(900):
            tracker.seen(f"c{index}", NOW + age_s, "in_progress")
    assert tracker.next_sweep(NOW + 17.0, BINDING) is None
    assert tracker.expected_at(1.0) - NOW < 19.0
    assert due(tracker, NOW + 17.0, BINDING) - NOW < 24.0


def test_a_plan_made_for_a_few_calls_is_none_for_the_many_that_came_since() -> None:
    tracker = tracker_of(4)
    tracker.next_sweep(NOW + 0.5, BINDING)
    for index in range(4, 200):
        tracker.add(f"c{index}", NOW + 0.5)
    tracker.next_sweep(NOW + 0.6, BINDING)
    assert tracker.expected_at(10.0) < NOW + 6.0, "as of two hundred calls, not of four"
