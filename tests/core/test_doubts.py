"""Creates that were never answered: RECOVERY's second decision table, row by row."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

from dialer.core.doubts import PATIENCE, REPEAT_S, REPEATS, RETRIES_S, Absent, Bound, Doubts
from dialer.core.lifecycle import Attempt, AttemptState, Lead, LeadState
from dialer.core.messages import Look, PageSeen, Reconcile
from dialer.core.reconcile import ATTEMPT_KEY, LATE_S, SkewMeter
from dialer.core.retry import RetryPolicy
from dialer.core.wire import Call, CallPage

NOW = 1_790_000_000.0
PHONE, AGENT = "+12125550100", "agent_a"
POLICY = RetryPolicy(horizon_s=1800.0, scans=3, scan_gap_s=60.0)


def attempt(index: int = 0, *, intended_at: float = NOW, agent_id: str = AGENT, **lead: Any) -> Attempt:
    person = Lead(index, f"+1212555{100 + index:04d}", LeadState.DIALING, NOW, submissions=1)
    gave_up_at = intended_at + 30
    return Attempt(
        f"a{index}", replace(person, **lead), agent_id, AttemptState.UNCERTAIN, intended_at, gave_up_at=gave_up_at
    )


def call(call_id: str, created_at: float | None = NOW + 1, **fields: Any) -> Call:
    said = {"phone_number": PHONE, "agent_id": AGENT, "direction": "outbound", "status": "ringing"}
    return Call.model_validate({"id": call_id, "created_at": created_at, **said, **fields})


class Bench:
    """Doubts, and a list that shows whatever the test wants at the moment."""

    def __init__(self, policy: RetryPolicy = POLICY, *restored: Attempt) -> None:
        meter = SkewMeter()
        meter.add(0.0, 0.0)
        self.now = NOW + 30
        self.doubts = Doubts(policy, meter, restored, self.now)
        self.scanned_at: list[float] = []

    def add(self, *attempts: Attempt) -> Bench:
        for item in attempts:
            self.doubts.add(item, self.now)
        return self

    def ask(self) -> Reconcile:
        """Wait until a scan is wanted."""
        self.now = max(self.now, self.doubts.wake_at())
        order = self.doubts.next_order(self.now)
        assert isinstance(order, Reconcile), order
        return order

    def scan(self, *calls: Call, bound: str = "", total: int | None = None) -> list[Bound | Absent]:
        """One scan of one page."""
        order = self.ask()
        self.scanned_at.append(self.now)
        shown = CallPage(calls=calls, total=len(calls) if total is None else total, per_page=100)
        return self.doubts.absorb_page(PageSeen(shown, self.now, order.scan, frozenset(bound.split())), self.now)

    def look(self, *shown: Call) -> list[Bound | None]:
        """Answer the looks at candidates, which are wanted before anything else."""
        found = []
        for item in shown:
            order = self.doubts.next_order(self.now)
            assert order == Look(item.id)
            found.append(self.doubts.absorb_look(item, self.now))
        return found

    def until_absent(self, *calls: Call, bound: str = "") -> Absent:
        for _ in range(100):
            for verdict in self.scan(*calls, bound=bound):
                assert isinstance(verdict, Absent)
                return verdict
        raise AssertionError("never absent")


# --- found --------------------------------------------------------------------------------------------------------


def test_a_call_whose_metadata_names_the_attempt_is_bound_at_once_whatever_else_is_listed() -> None:
    mine = call("mine", NOW + 9, metadata={ATTEMPT_KEY: "a0"})
    foreign = call("foreign", NOW + 1, metadata={ATTEMPT_KEY: "a77"})
    assert Bench().add(attempt()).scan(foreign, mine) == [Bound(attempt(), mine)]


def test_a_call_whose_metadata_names_the_attempt_is_bound_even_by_an_incomplete_scan() -> None:
    mine = call("mine", metadata={ATTEMPT_KEY: "a0"})
    assert Bench().add(attempt()).scan(mine, total=40) == [Bound(attempt(), mine)]


def test_the_only_call_to_the_number_is_bound_after_its_details_were_seen() -> None:
    bench = Bench().add(attempt())
    assert bench.scan(call("c1")) == []
    assert bench.doubts.wake_at() <= bench.now
    assert bench.look(call("c1")) == [None]
    assert bench.scan(call("c1")) == [Bound(attempt(), call("c1"))]


def test_details_that_name_the_attempt_bind_its_call_without_another_scan() -> None:
    bench = Bench().add(attempt())
    bench.scan(call("c1"), call("c2", NOW + 2))
    mine = call("c2", NOW + 2, metadata={ATTEMPT_KEY: "a0"})
    assert bench.look(call("c1"), mine) == [None, Bound(attempt(), mine)]


def test_of_two_calls_without_metadata_the_earliest_is_bound_and_the_other_named() -> None:
    bench = Bench().add(attempt())
    later, earlier = call("later", NOW + 20), call("earlier", NOW + 2)
    bench.scan(later, earlier)
    assert bench.look(earlier, later) == [None, None]
    assert bench.scan(later, earlier) == [Bound(attempt(), earlier, (later,))]


def test_a_call_that_names_another_attempt_is_not_taken() -> None:
    bench = Bench().add(attempt())
    assert bench.scan(call("c1", metadata={ATTEMPT_KEY: "a77"})) == []
    assert isinstance(bench.ask(), Reconcile), "it is absent so far; nobody's details are asked for"


def test_where_the_api_gives_metadata_back_a_call_without_ours_is_somebody_elses() -> None:
    bench = Bench().add(attempt())
    bench.doubts.learn(call("other", metadata={ATTEMPT_KEY: "a5"}), ours=True)
    bench.scan(call("c1"))
    bench.look(call("c1", status="completed"))
    assert not bench.until_absent(call("c1")).witnessed


def test_a_call_that_is_live_may_still_be_labelled_when_it_has_ended() -> None:
    bench = Bench().add(attempt())
    bench.doubts.learn(call("other", metadata={ATTEMPT_KEY: "a5"}), ours=True)
    bench.scan(call("c1"))
    bench.look(call("c1"))
    assert bench.scan(call("c1")) == []
    mine = call("c1", status="completed", metadata={ATTEMPT_KEY: "a0"})
    assert bench.look(mine) == [Bound(attempt(), mine)]


def test_a_call_another_attempt_holds_is_not_bound_again() -> None:
    bench = Bench().add(attempt())
    assert bench.scan(call("c1"), bound="c1") == []
    assert bench.until_absent(call("c1"), bound="c1").attempt == attempt()


def test_a_call_placed_two_minutes_after_we_gave_up_is_still_ours() -> None:
    bench = Bench().add(attempt())
    late = call("late", NOW + 30 + LATE_S, metadata={ATTEMPT_KEY: "a0"})
    assert bench.scan(late) == [Bound(attempt(), late)]


def test_details_that_do_not_come_are_asked_for_again_and_bind_nobody_meanwhile() -> None:
    bench = Bench().add(attempt())
    bench.scan(call("c1"))
    assert bench.doubts.next_order(bench.now) == Look("c1")
    bench.doubts.look_failed("c1", bench.now)
    assert bench.scan(call("c1")) == []
    bench.look(call("c1"))
    assert bench.scan(call("c1")) == [Bound(attempt(), call("c1"))]


def test_details_of_a_contact_that_is_settled_already_change_nothing() -> None:
    bench = Bench().add(attempt())
    bench.scan(call("c1"))
    bench.doubts.drop(attempt())
    assert bench.look(call("c1")) == [None]
    assert len(bench.doubts) == 0
    assert bench.doubts.wake_at() == float("inf")


# --- absent -------------------------------------------------------------------------------------------------------


def test_nobody_is_absent_before_the_horizon_and_after_it_only_by_three_scans_a_minute_apart() -> None:
    bench = Bench().add(attempt())
    verdict = bench.until_absent()
    assert bench.now >= NOW + 30 + POLICY.horizon_s
    assert len(bench.scanned_at) >= POLICY.scans
    assert all(after - before >= POLICY.scan_gap_s for before, after in pairwise(bench.scanned_at))
    assert len(bench.scanned_at) <= POLICY.scans + 1, "nor are requests wasted"
    assert verdict == Absent(attempt(), witnessed=False)


def test_a_short_horizon_does_not_make_up_for_missing_scans() -> None:
    bench = Bench(RetryPolicy(horizon_s=10.0, scans=5, scan_gap_s=60.0)).add(attempt())
    bench.until_absent()
    assert len(bench.scanned_at) == 5
    assert bench.scanned_at[-1] - bench.scanned_at[0] >= 4 * 60


def test_scans_for_others_that_come_too_soon_after_each_other_do_not_count_twice() -> None:
    bench = Bench(RetryPolicy(horizon_s=10.0, scans=3, scan_gap_s=60.0)).add(attempt())
    for index in range(1, 12):
        bench.now += 5
        bench.add(attempt(index, intended_at=bench.now - 30))
        assert bench.scan() == [], "eleven scans in a minute"


def test_a_scan_begun_before_the_horizon_and_ended_after_it_does_not_settle() -> None:
    bench = Bench(RetryPolicy(horizon_s=200.0, scans=1, scan_gap_s=60.0)).add(attempt())
    bench.now = NOW + 30 + 199
    order = bench.ask()
    assert bench.doubts.absorb_page(PageSeen(CallPage(total=0), bench.now + 50, order.scan), bench.now + 50) == []


def test_absence_is_witnessed_by_a_later_call_of_ours_in_the_same_list() -> None:
    witness = call("w", NOW + 31, phone_number="+12125559999")
    assert Bench().add(attempt()).until_absent(witness, bound="w").witnessed
    assert not Bench().add(attempt()).until_absent(witness).witnessed, "not one of ours"
    early = call("w", NOW + 30, phone_number="+12125559999")
    assert not Bench().add(attempt()).until_absent(early, bound="w").witnessed, "not later"


def test_a_call_to_the_number_without_a_date_leaves_it_open_and_is_never_a_proof() -> None:
    witness = call("w", NOW + 60, phone_number="+12125559999")
    bench = Bench().add(attempt())
    bench.scan(call("c1", None), witness, bound="w")
    bench.look(call("c1", None))
    verdict = bench.until_absent(call("c1", None), witness, bound="w")
    assert bench.now >= NOW + 30 + POLICY.horizon_s
    assert not verdict.witnessed


def test_a_call_without_a_number_may_be_anybodys_and_proves_nobody_absent() -> None:
    witness = call("w", NOW + 60, phone_number="+12125559999")
    nameless = call("c1", phone_number=None)
    bench = Bench().add(attempt())
    bench.scan(nameless, witness, bound="w")
    bench.look(nameless)
    assert not bench.until_absent(nameless, witness, bound="w").witnessed


def test_a_call_without_a_date_is_bound_where_its_metadata_names_the_attempt() -> None:
    bench = Bench().add(attempt())
    assert bench.scan(call("c1", None)) == []
    mine = call("c1", None, metadata={ATTEMPT_KEY: "a0"})
    assert bench.look(mine) == [Bound(attempt(), mine)]


def test_a_number_in_national_writing_or_with_zeros_before_it_is_the_same_number() -> None:
    bench = Bench().add(attempt())
    bench.scan(call("c1", phone_number="(212) 555-0100"))
    bench.look(call("c1", phone_number="(212) 555-0100"))
    (found,) = bench.scan(call("c1", phone_number="001 212 555 0100"))
    assert isinstance(found, Bound)


def test_a_masked_number_proves_nobody_absent() -> None:
    witness = call("w", NOW + 60, phone_number="+12125559999")
    masked = call("c1", phone_number="+1212***0100")
    bench = Bench().add(attempt())
    bench.scan(masked, witness, bound="w")
    bench.look(masked)
    assert not bench.until_absent(masked, witness, bound="w").witnessed


def test_a_call_that_the_list_showed_before_the_intent_is_not_its_call() -> None:
    bench = Bench()
    bench.doubts = Doubts(POLICY, bench.doubts._meter, (), bench.now, lambda call_id, _: call_id == "older")
    bench.add(attempt())
    assert bench.scan(call("older", NOW - 2)) == []
    assert isinstance(bench.ask(), Reconcile), "nobody's details are asked for"


def test_a_call_that_was_accepted_once_is_waited_for_from_when_it_went_missing() -> None:
    accepted = replace(attempt(), placed_at=NOW + 1)
    bench = Bench()
    bench.now = NOW + 5000
    bench.add(accepted)
    verdict = bench.until_absent()
    assert verdict.attempt.was_accepted
    assert bench.now >= NOW + 5000 + POLICY.horizon_s


def test_a_doubt_is_judged_by_the_clock_it_was_made_under_though_ours_was_set_since() -> None:
    made_two_hours_ago = replace(attempt(), skew_low_s=7200.0, skew_high_s=7201.0)  # our clock was behind then
    bench = Bench(POLICY, made_two_hours_ago)
    bench.now = NOW + 7240
    bench.scan(call("c1", NOW + 7201))
    bench.look(call("c1", NOW + 7201))
    assert isinstance(bench.scan(call("c1", NOW + 7201))[0], Bound)


def test_after_a_crash_the_intent_alone_tells_when_we_gave_up() -> None:
    crashed = replace(attempt(), gave_up_at=None)
    bench = Bench(POLICY, crashed)
    bench.until_absent()
    assert bench.now >= NOW + POLICY.horizon_s


# --- scans that prove nothing -------------------------------------------------------------------------------------


def test_scans_that_fail_are_repeated_ever_more_seldom_and_settle_nothing() -> None:
    bench, waits = Bench().add(attempt()), []
    for _ in range(9):
        for _ in range(REPEATS):
            bench.doubts.failed(bench.ask(), bench.now, soon=False)
        waits.append(bench.doubts.wake_at() - bench.now)
    assert waits == [*RETRIES_S, RETRIES_S[-1], RETRIES_S[-1]]
    assert RETRIES_S == (30, 120, 600, 1800, 3600, 6 * 3600, 24 * 3600)
    assert bench.doubts.unsettled() == 1


def test_a_page_only_the_request_limit_stood_against_is_asked_for_again() -> None:
    bench = Bench().add(attempt())
    first = bench.ask()
    bench.doubts.failed(first, bench.now, soon=True)
    assert bench.doubts.next_order(bench.now) == first


def test_an_incomplete_scan_is_repeated_twice_at_once_and_then_counts_as_failed() -> None:
    bench, waits = Bench().add(attempt()), []
    for _ in range(2 * REPEATS):
        assert bench.scan(call("x", phone_number="+12125559999"), total=7) == []
        waits.append(bench.doubts.wake_at() - bench.now)
    assert waits == [REPEAT_S, REPEAT_S, RETRIES_S[0], REPEAT_S, REPEAT_S, POLICY.scan_gap_s]


def test_a_list_that_never_adds_up_proves_nobody_absent_and_holds_up_nobody_for_ever() -> None:
    witness = call("w", NOW + 60, phone_number="+12125559999")
    bench = Bench(POLICY, attempt())
    for _ in range(PATIENCE - 1):
        assert bench.scan(witness, bound="w", total=7) == []
        assert bench.doubts.recovering
    bench.scan(witness, bound="w", total=7)
    assert not bench.doubts.recovering
    for _ in range(200):
        verdicts = bench.scan(witness, bound="w", total=7)
        if verdicts:
            break
    assert verdicts == [Absent(attempt(), witnessed=False)]
    assert bench.now >= NOW + 30 + POLICY.horizon_s


def test_a_call_in_a_list_that_never_adds_up_is_found_all_the_same() -> None:
    bench = Bench().add(attempt())
    for _ in range(PATIENCE):
        assert bench.scan(call("c1"), total=7) == []
    bench.look(call("c1"))
    for _ in range(PATIENCE):
        verdicts = bench.scan(call("c1"), total=7)
    assert verdicts == [Bound(attempt(), call("c1"))]


def test_a_page_of_a_scan_that_was_given_up_is_ignored() -> None:
    bench = Bench().add(attempt())
    old = bench.ask()
    bench.doubts.failed(old, bench.now, soon=False)
    for _ in range(REPEATS - 1):
        bench.doubts.failed(bench.ask(), bench.now, soon=False)
    bench.ask()
    mine = call("mine", metadata={ATTEMPT_KEY: "a0"})
    stale = PageSeen(CallPage(calls=(mine,), total=1), bench.now, old.scan)
    assert bench.doubts.absorb_page(stale, bench.now) == []


# --- how it asks --------------------------------------------------------------------------------------------------


def test_a_scan_covers_a_day_either_side_and_asks_one_page_at_a_time() -> None:
    bench = Bench().add(attempt())
    order = bench.ask()
    assert order.agent_id == AGENT
    assert order.from_at <= NOW - 6 - 86_400
    assert order.to_at >= bench.now + 86_400
    assert bench.doubts.next_order(bench.now) is None
    assert bench.doubts.wake_at() == float("inf")
    full = CallPage(calls=(call("x", phone_number="+12125559999"),), total=2, per_page=1)
    bench.doubts.absorb_page(PageSeen(full, bench.now, order.scan), bench.now)
    assert bench.doubts.wake_at() <= bench.now
    assert bench.doubts.next_order(bench.now) == replace(order, page=2)


def test_one_scan_settles_all_doubts_of_an_agent_and_none_of_another() -> None:
    bench = Bench().add(attempt(0), attempt(1, intended_at=NOW - 300), attempt(2, agent_id="agent_b"))
    shown = [
        call(f"c{index}", NOW + 1 - 300 * index, phone_number=f"+1212555{100 + index:04d}", metadata=echo)
        for index in range(3)
        for echo in [{ATTEMPT_KEY: f"a{index}"}]
    ]
    first = bench.scan(*shown)
    assert {verdict.attempt.key for verdict in first} == {"a0", "a1"}
    for verdict in first:
        bench.doubts.drop(verdict.attempt)
    assert bench.ask().agent_id == "agent_b"


def test_the_finished_scan_is_told_to_the_journal_once() -> None:
    bench = Bench().add(attempt())
    assert bench.doubts.take_finished() is None
    bench.scan(call("x", phone_number="+12125559999"))
    finished = bench.doubts.take_finished()
    assert finished is not None
    assert finished.complete
    assert bench.doubts.take_finished() is None


def test_an_unanswered_create_may_hold_a_slot_for_two_minutes_more() -> None:
    doubts = Bench().add(attempt()).doubts
    assert doubts.occupying(NOW + 30 + LATE_S - 1) == 1
    assert doubts.occupying(NOW + 30 + LATE_S) == 0
    assert len(doubts) == 1


def test_a_new_doubt_is_looked_into_after_a_second() -> None:
    bench = Bench().add(attempt())
    assert bench.doubts.next_order(bench.now) is None
    assert bench.doubts.next_due() == bench.doubts.wake_at() == bench.now + 1


# --- unresolved, and at start -------------------------------------------------------------------------------------


def parked() -> Bench:
    bench = Bench().add(attempt())
    verdict = bench.until_absent()
    lead = replace(verdict.attempt.lead, state=LeadState.UNRESOLVED)
    bench.doubts.park(replace(verdict.attempt, lead=lead), bench.now)
    return bench


def test_an_unresolved_contact_is_looked_for_on_and_holds_up_no_run() -> None:
    bench = parked()
    assert bench.doubts.unsettled() == 0
    assert len(bench.doubts) == 1
    assert bench.scan() == [], "it is not told absent a second time"
    mine = call("mine", metadata={ATTEMPT_KEY: "a0"})
    (found,) = bench.scan(mine)
    assert isinstance(found, Bound)
    assert found.attempt.lead.state is LeadState.UNRESOLVED
    assert found.call == mine


def test_an_unresolved_contact_is_looked_for_ever_more_seldom() -> None:
    bench = parked()
    waits = []
    for _ in range(8):
        before = bench.now
        bench.scan()
        waits.append(bench.now - before)
    assert waits == sorted(waits)
    assert waits[-1] >= RETRIES_S[-2], waits


def test_parking_a_contact_that_was_found_meanwhile_changes_nothing() -> None:
    bench = Bench()
    bench.doubts.park(attempt(), NOW)
    assert len(bench.doubts) == 0


def test_nobody_is_dialed_after_a_restart_before_every_doubt_was_scanned_for_once() -> None:
    bench = Bench(POLICY, attempt(0), attempt(1, agent_id="agent_b"))
    assert bench.doubts.recovering
    assert bench.doubts.wake_at() <= bench.now, "and that begins at once"
    bench.scan()
    assert bench.doubts.recovering, "the other agent's list was not read"
    bench.scan(total=9)
    assert bench.doubts.recovering, "an incomplete scan tells nothing"
    bench.scan()
    assert not bench.doubts.recovering


def test_a_restart_is_over_when_its_doubts_are_settled_and_later_doubts_do_not_bring_it_back() -> None:
    bench = Bench(POLICY, attempt(0))
    mine = call("mine", metadata={ATTEMPT_KEY: "a0"})
    assert bench.scan(mine) == [Bound(attempt(0), mine)]
    bench.doubts.drop(attempt(0))
    assert not bench.doubts.recovering
    bench.add(attempt(1))
    assert not bench.doubts.recovering


def test_a_restart_without_doubts_waits_for_nothing() -> None:
    assert not Bench().doubts.recovering
    assert Bench().doubts.wake_at() == float("inf")
    assert Bench(POLICY, attempt(state=LeadState.DIALING)).doubts.recovering
    assert not Bench(POLICY, attempt(state=LeadState.UNRESOLVED)).doubts.recovering, "that one rests by itself"
