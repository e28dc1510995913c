"""How fast: what refusals and silences teach, and when the next call may be tried."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.core.pacing import CREATES_PER_PROBE, DAY_S, Agents, Breaker, Pause, Requests, Slots

NOW = 1_790_000_000.0
LENGTH_S = 40.0


def lengths(pause: Pause, times: int) -> list[float]:
    found = []
    for index in range(times):
        now = NOW + index * 10_000
        pause.fail(now)
        found.append(pause.until - now)
    return found


# --- pauses -------------------------------------------------------------------------------------------------------


def test_a_line_that_keeps_failing_is_left_alone_ever_longer_but_never_longer_than_the_bound() -> None:
    nominal = [2.0, 4.0, 8.0, 16.0, 32.0] + [60.0] * 60
    for waited, most in zip(lengths(Pause(2.0, 60.0, "x"), 65), nominal, strict=True):
        assert most / 2 <= waited <= most


def test_two_lines_that_fail_together_do_not_come_back_together() -> None:
    assert len({lengths(Pause(2.0, 60.0, f"line {n}"), 1)[0] for n in range(50)}) == 50


def test_the_same_failure_pauses_as_long_after_a_restart() -> None:
    assert lengths(Pause(2.0, 60.0, "x"), 5) == lengths(Pause(2.0, 60.0, "x"), 5)


def test_a_line_that_works_again_has_forgotten_its_failures() -> None:
    pause = Pause(2.0, 60.0, "x")
    lengths(pause, 9)
    pause.clear()
    assert pause.over(0.0)
    assert lengths(pause, 1)[0] <= 2.0


def test_a_pause_can_be_bounded_from_both_sides_for_once() -> None:
    pause = Pause(2.0, 60.0, "x")
    pause.fail(NOW, least_s=20.0)
    assert 10.0 <= pause.until - NOW <= 20.0
    pause.fail(NOW, least_s=50.0, most_s=8.0)
    assert 4.0 <= pause.until - NOW <= 8.0
    assert not pause.over(pause.until - 0.001)
    assert pause.over(pause.until)


# --- slots --------------------------------------------------------------------------------------------------------


def full_house(live: int = 3, most: int = 10) -> Slots:
    slots = Slots(most)
    slots.refused(NOW, NOW - 1, live, LENGTH_S)
    return slots


def test_the_first_creates_go_one_by_one_and_then_by_the_root_of_what_was_accepted() -> None:
    slots = Slots(100)
    rooms = []
    for live in range(17):
        rooms.append(slots.room(NOW, live, 0))
        slots.accepted(live + 1)
    assert rooms == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3]
    assert slots.room(NOW, 20, 1) == 2, "creates still unanswered count"
    assert slots.room(NOW, 99, 0) == 1, "the user's ceiling holds"
    assert slots.room(NOW, 100, 0) == 0


def test_a_refusal_teaches_how_many_calls_fit_and_holds_all_lines() -> None:
    slots = full_house(3)
    assert (slots.learned, slots.ceiling()) == (3, 3)
    assert slots.held_until > NOW
    assert [slots.room(slots.held_until - 0.01, occupied, 0) for occupied in range(6)] == [0] * 6


def test_after_the_hold_one_create_goes_below_the_ceiling_and_one_probe_above_it() -> None:
    slots = full_house(3)
    later = slots.held_until
    assert [slots.room(later, occupied, 0) for occupied in range(5)] == [1] * 5
    assert [slots.room(later, occupied, 1) for occupied in range(5)] == [0] * 5


def test_a_call_that_ends_is_a_reason_to_try_at_once_below_the_ceiling_but_not_above_it() -> None:
    slots = full_house(3)
    slots.freed()
    assert slots.room(NOW, 2, 0) == 1
    assert slots.room(NOW, 3, 0) == 0
    assert slots.room(slots.probe.until, 3, 0) == 1
    assert slots.room(slots.probe.until, 3, 0, may_probe=lambda: False) == 0, "where a refusal is too dear"
    assert slots.room(slots.probe.until, 2, 0, may_probe=lambda: False) == 1, "below the ceiling it is none"


def test_a_probe_goes_alone_and_each_accepted_one_makes_room_for_one_more() -> None:
    slots = full_house(3)
    later = slots.held_until
    slots.accepted(4)
    assert slots.learned == 4
    assert slots.room(later, 4, 1) == 0
    assert slots.room(later, 4, 0) == 1
    slots.accepted(5)
    assert slots.learned == 5
    slots.accepted(2)
    assert slots.learned == 5, "a call below the ceiling teaches nothing about it"


def test_a_probe_that_took_the_slot_of_a_call_that_had_ended_unnoticed_proves_no_slot_more() -> None:
    slots = full_house(20, most=50)
    slots.accepted(21, lambda: 2.0)
    assert slots.learned == 20
    slots.accepted(25, lambda: 2.0)
    assert slots.learned == 20, "five above, all of which may have ended"
    slots.accepted(26, lambda: 2.0)
    assert slots.learned == 21
    slots.accepted(27)
    assert slots.learned == 27


def test_after_a_probe_that_succeeded_the_next_ones_come_sooner_again() -> None:
    slots = full_house(20, most=50)
    now = NOW
    for _ in range(9):
        slots.refused(now, now - 0.1, 20, LENGTH_S)
        now = slots.probe.until + 1
    failures = slots.probe.failures
    slots.accepted(21)
    assert slots.probe.over(now)
    assert slots.probe.failures == failures - 2


def test_nobody_probes_above_what_the_user_allows() -> None:
    slots = full_house(3, most=3)
    assert slots.room(NOW + 1e6, 3, 0) == 0
    assert slots.next_try_at(3) is None


def test_a_burst_of_refusals_counts_once() -> None:
    slots = Slots(50)
    for index in range(8):
        slots.refused(NOW + index / 10, NOW - 1 + index / 100, 20, LENGTH_S)
    assert slots.probe.failures == 1
    assert slots.held_until <= NOW + 1 + 2 * LENGTH_S
    slots.refused(NOW + 30, NOW + 29, 20, LENGTH_S)
    assert slots.probe.failures == 2


def test_the_ceiling_follows_the_lowest_refusal_until_a_probe_shows_more() -> None:
    slots = full_house(6)
    slots.refused(NOW + 100, NOW + 99, 4, LENGTH_S)
    slots.refused(NOW + 200, NOW + 199, 5, LENGTH_S)
    assert slots.learned == 4
    slots.accepted(5)
    assert slots.learned == 5


def test_probes_that_stay_refused_become_ever_more_seldom_and_end_at_a_bound() -> None:
    slots = Slots(50)
    now, waits = NOW, []
    for _ in range(20):
        slots.refused(now, now - 0.1, 20, LENGTH_S)
        waits.append(slots.held_until - now)
        now = slots.held_until + 1
    assert LENGTH_S <= waits[0] <= 2 * LENGTH_S, "twenty to forty calls: a short list is not spent on probes"
    assert waits[1] > 1.5 * LENGTH_S
    most = LENGTH_S * CREATES_PER_PROBE / 20
    assert max(waits) <= most
    assert min(waits[-5:]) >= most / 2


def test_a_ceiling_that_has_fallen_far_is_probed_soon_since_who_took_slots_may_give_them_back() -> None:
    slots = full_house(20, most=50)
    now = NOW + 100
    for times in (1, 2, 4):
        slots.refused(now, now - 1, 10, LENGTH_S)
        assert slots.held_until - now <= times * LENGTH_S / 4
        now = slots.held_until + 1
    assert slots.learned == 10


def test_where_others_hold_all_slots_we_ask_again_at_least_every_half_minute() -> None:
    slots = Slots(50)
    now = NOW
    for _ in range(20):
        slots.refused(now, now - 0.1, 0, LENGTH_S)
        assert slots.room(slots.held_until, 0, 0) == 1
        assert slots.held_until - now <= 30.0
        now = slots.held_until + 1


def test_after_a_refusal_creates_grow_softly_again() -> None:
    slots = Slots(50)
    for live in range(1, 26):
        slots.accepted(live)
    assert slots.room(NOW, 0, 0) == 3
    slots.refused(NOW, NOW - 1, 25, LENGTH_S)
    assert slots.room(slots.held_until, 0, 0) == 1


def test_a_probe_accepted_while_all_lines_are_held_does_not_hide_when_they_open() -> None:
    slots = full_house(3)
    slots.accepted(4)  # it was on its way when its sibling was refused
    assert slots.room(NOW, 4, 0) == 0, "still held"
    try_at = slots.next_try_at(4)
    assert try_at is not None
    assert slots.room(max(try_at, NOW), 4, 0) == 1, "so this is when somebody should look again"


def test_where_many_are_up_slots_of_those_that_have_ended_almost_certainly_are_taken_unseen() -> None:
    slots = full_house(100, most=200)
    slots.freed()
    assert slots.room(NOW + 1, 100, 0, expected=4.8) == 0, "one of them may be no more than bad luck away"
    slots.accepted_in_row = 10_000
    assert slots.room(NOW + 1, 100, 0, expected=25.0) == 14
    assert slots.room(NOW + 1, 110, 0, expected=25.0) == 4
    assert slots.takes(14) <= 25.0 < slots.takes(15)
    assert Slots(200, accepted_in_row=10_000).room(NOW, 200, 0, expected=25.0) == 0, "the user's ceiling is no guess"
    assert full_house(100, most=105).room(NOW + 1e4, 100, 0, expected=1e4) <= 5


@given(st.integers(1, 200), st.integers(1, 40))
def test_what_must_be_expected_for_so_many_to_be_certain_is_just_enough(trusted: int, count: int) -> None:
    slots = full_house(100, most=1000)
    slots.trust = trusted / 200
    assert slots.ended(slots.takes(count) * 1.000001) >= count > slots.ended(slots.takes(count) * 0.999)


def test_a_refusal_of_a_create_that_counted_on_unseen_ends_makes_the_next_ones_more_careful() -> None:
    slots = full_house(100, most=200)
    for index in range(20):
        slots.refused(NOW + 10 * index, NOW + 10 * index - 1, 102, LENGTH_S, expected=12.0)
    assert slots.learned == 100, "it says nothing about the ceiling"
    assert slots.ended(12.0) < full_house(100, most=200).ended(12.0)
    for _ in range(100):
        slots.accepted(102, expected=12.0)
    assert slots.learned == 100, "nor does an acceptance"
    assert slots.ended(12.0) == full_house(100, most=200).ended(12.0)
    slots.refused(NOW + 1000, NOW + 999, 95, LENGTH_S, expected=12.0)
    assert (slots.learned, slots.trust) == (95, 1.0), "others took five slots; nothing was counted on"


@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.sampled_from("arf"), st.integers(0, 30), st.floats(0, 50)), max_size=40),
    st.integers(0, 40),
    st.integers(0, 5),
)
def test_whatever_the_api_answered_nobody_is_called_beyond_the_users_ceiling_and_probes_go_alone(
    most: int, events: list[tuple[str, int, float]], occupied: int, unanswered: int
) -> None:
    slots, now = Slots(most), NOW
    for kind, live, wait_s in events:
        now += wait_s
        if kind == "a":
            slots.accepted(min(live, most))
        elif kind == "r":
            slots.refused(now, now - 2, min(live, most), LENGTH_S)
        else:
            slots.freed()
        room = slots.room(now, occupied, unanswered)
        assert 0 <= room <= max(most - occupied, 0)
        if occupied >= slots.ceiling():
            assert room <= (1 if unanswered == 0 else 0)
        if now < slots.held_until:
            assert room == 0


# --- agents -------------------------------------------------------------------------------------------------------


def give(agents: Agents, now: float, *, charged: bool = True) -> str:
    agent_id = agents.pick(now)
    assert agent_id is not None
    agents.gave(agent_id)
    agents.answered(agent_id, charged=charged)
    return agent_id


def test_agents_speak_by_their_weights_from_the_first_call_on() -> None:
    agents = Agents([("ann", 1.0), ("bob", 3.0)])
    given_to = [give(agents, NOW) for _ in range(40)]
    assert given_to.count("bob") == 30
    assert all(2 <= given_to[index : index + 4].count("bob") <= 4 for index in range(0, 40, 4))


def test_a_call_nobody_was_charged_for_does_not_count_as_the_agents_share() -> None:
    agents = Agents([("ann", 1.0), ("bob", 1.0)])
    assert [give(agents, NOW, charged=False) for _ in range(3)] == ["ann"] * 3
    assert [give(agents, NOW) for _ in range(4)] == ["ann", "bob", "ann", "bob"]


def test_an_agent_that_is_not_ready_is_held_alone_and_probed_by_a_single_call() -> None:
    agents = Agents([("ann", 1.0), ("bob", 1.0)])
    agents.not_ready("ann", NOW)
    reopens = agents.desks["ann"].pause.until
    assert NOW + 5 <= reopens <= NOW + 10
    assert {give(agents, NOW) for _ in range(5)} == {"bob"}
    assert min(agents.ready_at()) < NOW
    assert agents.pick(reopens) == "ann"
    agents.gave("ann")
    assert agents.pick(reopens) == "bob", "the probe is still unanswered"
    agents.answered("ann", charged=True)
    agents.ready("ann")
    assert agents.desks["ann"].pause.failures == 0


def test_several_refusals_at_once_hold_an_agent_once_and_each_later_one_longer() -> None:
    agents = Agents([("ann", 1.0)])
    for _ in range(5):
        agents.not_ready("ann", NOW)
    assert agents.desks["ann"].pause.failures == 1
    assert agents.pick(NOW) is None
    assert min(agents.ready_at()) == agents.desks["ann"].pause.until
    now = NOW
    for failures in range(2, 12):
        now = min(agents.ready_at())
        agents.not_ready("ann", now)
        assert agents.desks["ann"].pause.failures == failures
    assert 150 <= min(agents.ready_at()) - now <= 300


def test_an_agent_of_an_earlier_campaign_file_is_no_bodys_business() -> None:
    agents = Agents([("ann", 1.0)])
    agents.answered("gone", charged=True)
    agents.not_ready("gone", NOW)
    agents.ready("gone")
    assert set(agents.desks) == {"ann"}


# --- requests -----------------------------------------------------------------------------------------------------

MIDNIGHT = NOW // DAY_S * DAY_S


def test_a_used_up_day_lets_nothing_leave_before_midnight_utc() -> None:
    requests = Requests(100, spent=100)
    requests.turn(MIDNIGHT + 3600)
    assert requests.left() == 0
    assert requests.opens_at(MIDNIGHT + 3600) == MIDNIGHT + DAY_S
    requests.turn(MIDNIGHT + DAY_S - 0.001)
    assert requests.left() == 0
    requests.turn(MIDNIGHT + DAY_S)
    assert requests.left() == 100
    assert requests.opens_at(MIDNIGHT + DAY_S) == MIDNIGHT + DAY_S


def test_requests_of_an_earlier_run_today_count_and_overspending_leaves_none() -> None:
    requests = Requests(100, spent=40)
    requests.turn(MIDNIGHT + 3600)
    assert requests.left() == 60
    requests.spent = 130
    assert requests.left() == 0


def test_the_api_is_left_alone_exactly_as_long_as_it_asks() -> None:
    requests = Requests(100)
    requests.limited(NOW, 17.0)
    assert requests.opens_at(NOW) == NOW + 17
    requests.limited(NOW + 1, 2.0)
    assert requests.opens_at(NOW + 1) == NOW + 17, "a shorter wish does not cut a longer one"
    assert requests.opens_at(NOW + 20) == NOW + 20


def test_where_the_api_does_not_say_how_long_the_silence_grows_once_per_burst() -> None:
    requests, now = Requests(100), NOW
    waits = []
    for _ in range(10):
        for _ in range(3):
            requests.limited(now, None)
        waits.append(requests.hush.until - now)
        now = requests.hush.until
    assert 1.0 <= waits[0] <= 2.0
    assert all(30.0 <= wait <= 60.0 for wait in waits[5:])
    requests.hush.clear()
    assert requests.opens_at(now) == now


def test_silence_and_an_empty_day_both_have_to_pass() -> None:
    requests = Requests(100, spent=100)
    late = MIDNIGHT + DAY_S - 10
    requests.turn(late)
    requests.limited(late, 60.0)
    assert requests.opens_at(late) == late + 60
    requests.hush.clear()
    assert requests.opens_at(late) == MIDNIGHT + DAY_S


def test_what_the_api_says_is_left_is_spread_until_it_counts_anew() -> None:
    requests = Requests(10_000)
    requests.told(NOW, 30, NOW + 60)
    assert requests.opens_at(NOW) == NOW
    requests.spend(1, NOW)
    assert requests.opens_at(NOW) == NOW + 2
    requests.spend(1, NOW + 10)
    assert requests.opens_at(NOW + 10) == NOW + 12
    requests.spend(40, NOW + 50)
    assert requests.opens_at(NOW + 50) == NOW + 60, "then the count begins anew"
    assert requests.opens_at(NOW + 61) == NOW + 61
    assert requests.left() == 10_000 - 42


def test_a_limit_that_is_counted_over_hours_is_a_quota_beside_our_own() -> None:
    requests = Requests(10_000)
    requests.turn(NOW)
    requests.told(NOW, 100, NOW + 7200)
    assert requests.left() == 100
    requests.spend(60, NOW)
    assert requests.left() == 40
    assert requests.opens_at(NOW) == NOW
    requests.spend(40, NOW)
    assert requests.opens_at(NOW) == NOW + 7200
    requests.turn(NOW + 7200)
    assert requests.left() == 9_900


def test_a_clock_set_back_over_midnight_gives_nobody_a_second_quota() -> None:
    requests = Requests(100)
    requests.turn(MIDNIGHT + 5)
    requests.spent = 90
    requests.turn(MIDNIGHT - 5)
    requests.turn(MIDNIGHT + 5)
    assert requests.left() <= 10


# --- the breaker --------------------------------------------------------------------------------------------------


def test_three_creates_in_a_row_without_an_answer_stop_all_others() -> None:
    breaker = Breaker()
    assert [breaker.unanswered(NOW) for _ in range(3)] == [False, False, True]
    assert not breaker.room(NOW, 0)
    assert NOW + 5 <= breaker.pause.until <= NOW + 10


def test_an_answer_in_between_begins_the_row_anew() -> None:
    breaker = Breaker()
    for _ in range(2):
        breaker.unanswered(NOW)
        breaker.unanswered(NOW)
        breaker.answered()
    assert breaker.room(NOW, 5)


@pytest.mark.parametrize(("silent", "opens"), [(4, False), (5, True)])
def test_more_than_a_fifth_of_the_last_twenty_without_an_answer_stops_all_others(silent: int, opens: bool) -> None:
    breaker = Breaker()
    opened = []
    for index in range(20):
        if index % 4 == 3 and index // 4 >= 5 - silent:
            opened.append(breaker.unanswered(NOW))
        else:
            breaker.answered()
    assert len(opened) == silent
    assert any(opened) is opens
    assert breaker.room(NOW, 0) is not opens


def test_before_twenty_were_tried_a_share_says_nothing() -> None:
    breaker = Breaker()
    for _ in range(6):
        assert not breaker.unanswered(NOW)
        assert not breaker.unanswered(NOW)
        breaker.answered()


def test_after_the_pause_one_create_tries_alone_and_its_answer_frees_all() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.unanswered(NOW)
    later = breaker.pause.until
    assert not breaker.room(math.nextafter(later, 0), 0)
    assert breaker.room(later, 0)
    assert not breaker.room(later, 1)
    breaker.answered()
    assert breaker.room(later, 7)


def test_a_single_create_that_tried_in_vain_stops_all_others_for_longer() -> None:
    breaker, now = Breaker(), NOW
    for _ in range(3):
        breaker.unanswered(now)
    waits = []
    for _ in range(8):
        now = breaker.pause.until
        assert breaker.unanswered(now)
        waits.append(breaker.pause.until - now)
    assert 10 <= waits[0] <= 20
    assert all(150 <= wait <= 300 for wait in waits[-3:])


def test_creates_already_on_their_way_when_it_opened_do_not_open_it_again() -> None:
    breaker = Breaker()
    assert [breaker.unanswered(NOW) for _ in range(9)].count(True) == 1
    assert breaker.pause.failures == 1
