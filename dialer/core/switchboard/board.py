"""The switchboard's state, and each legal move of an attempt and its lead: in memory, and as the change to remember.

Here is what may happen. When it happens is told by what is heard (:mod:`dialer.core.switchboard.hearing`) and by what
is decided (:mod:`dialer.core.switchboard`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from dialer.core import errors
from dialer.core.campaign import Rules
from dialer.core.caps import Purse
from dialer.core.catchup import CatchUp
from dialer.core.doubts import Bound, Doubts
from dialer.core.halts import Halt
from dialer.core.lengths import LENGTHS, Lengths
from dialer.core.lifecycle import (
    Attempt,
    AttemptState,
    Disposition,
    Lead,
    LeadState,
    Number,
    check_attempt_step,
    check_lead_step,
    state_after_void,
)
from dialer.core.lines import Line, Lines
from dialer.core.messages import (
    Amend,
    Change,
    HangUp,
    Intend,
    Learn,
    MarkDoubted,
    MarkEnded,
    MarkLost,
    MarkPlaced,
    MarkUncertain,
    MarkVoid,
    Note,
    Restored,
    Walk,
)
from dialer.core.pacing import Agents, Breaker, Pause, Requests, Slots, breaker_pause
from dialer.core.reconcile import (
    SkewMeter,
    other_number,
)
from dialer.core.retry import after_attempt
from dialer.core.settling import SettlingCalls
from dialer.core.strangers import Strangers
from dialer.core.tracking import Tracker
from dialer.core.trust import ClockTrust
from dialer.core.wire import STATUS_STEPS, Call, CallStatus

NEW_S: Final = 5.0
"""A campaign that the ledger has known for less than this was not dialed by anybody else."""


@dataclass(slots=True)
class Tally:
    """What was done since the runner started."""

    requests: int = 0
    creates: int = 0
    charged: int = 0
    """Creates less those that proved void."""
    placed: int = 0
    refused_for_slots: int = 0


class Board:
    """All that one campaign's switchboard knows."""

    def __init__(self, rules: Rules, restored: Restored, now: float, *, workspace: str = "") -> None:
        self.rules = rules
        self.workspace = workspace
        self.slots = Slots(rules.max_concurrent)
        self.agents = Agents(rules.agents)
        self.requests = Requests(rules.requests_per_day, restored.requests_today)
        self.requests.turn(now)
        self.breaker = Breaker(breaker_pause(rules.retry.horizon_s))
        self.network = Pause(1.0, 60.0, "network")
        self.purse = Purse(rules.max_cost, restored.cost, restored.costed_calls)
        self.tracker = Tracker(lengths=Lengths.of_data(restored.lengths))
        self.meter = SkewMeter()
        self.counts = {state: restored.counts.get(state, 0) for state in LeadState}
        self.tally = Tally()
        self.halt: Halt | None = None
        self.stopping = False
        self.backlog = False
        """Whether contacts are due and not dialed yet; the runner says so after every commit."""
        self.lines = Lines(rules.longest_call_s)
        self._settling = SettlingCalls()
        self._changes: list[Change] = []
        self._hand: list[Lead] = []
        self._hang_ups: list[HangUp] = []
        self._blocked: set[int] = set()
        self._moved: set[int] = set()
        """Leads that changed since the last commit: as the ledger hands them out, they are out of date."""
        self.passed_over = False
        """Whether the last plan was offered leads that had just been moved: the next claim brings others."""
        self._taken_numbers: set[str] = set()
        """Numbers that no lead may go on to: another did, or the list shows a call that this ledger does not know."""
        self._invalid_in_row = 0
        self._creates_since_look = 0
        uncertain = [item for item in restored.open_attempts if item.state is AttemptState.UNCERTAIN]
        agents = frozenset(agent_id for agent_id, _ in rules.agents)
        self.trust = ClockTrust(rules.clock_tolerance_s)
        self._began_at = restored.began_at
        self._strangers = Strangers(rules.campaign, agents, workspace, self.meter)
        walk_from = _to_walk_from(restored, now)
        self.catch_up = CatchUp(walk_from, restored.active_skew_s, agents, self.meter, rules.retry.horizon_s)
        self._adopted = 0
        self._closes_at = float("-inf")
        """When the last of the zones that were dialed closes."""
        self._arriving = self.catch_up.under_way
        """Whether the walk at start, or what it met, is still being looked into."""
        if self._arriving:
            self._changes.append(Walk(walk_from, now))
        self.doubts = Doubts(rules.retry, self.meter, uncertain, now, self._strangers.seen_before)
        for attempt in restored.open_attempts:
            if attempt.state is AttemptState.PLACED and attempt.call_id is not None:
                self._strangers.bound(attempt.call_id)
                self.lines.restore(attempt, now)
                self.tracker.add(attempt.call_id, attempt.placed_at or now, met_live=False)

    def _count(self, before: LeadState, after: LeadState) -> None:
        self.counts[before] -= 1
        self.counts[after] += 1

    def _halt(self, halt: Halt) -> None:
        if self.halt is None or (halt.abandon and not self.halt.abandon):
            self.halt = halt

    def _key(self, lead: Lead) -> str:
        """The name of the lead's next attempt: unique in the ledger, and beyond it by the workspace's word."""
        return f"{self.workspace}{lead.id}.{lead.submissions + 1}"

    def _attempt(self, key: str, lead: Lead, agent_id: str, now: float) -> Attempt:
        known = self.meter.known
        skew = (None, None) if known is None else (known.low_s, known.high_s)
        state = AttemptState.INTENDED
        return Attempt(key, lead, agent_id, state, now, skew_low_s=skew[0], skew_high_s=skew[1])

    def _answered(self, attempt_key: str, *, charged: bool) -> Line | None:
        line = self.lines.answered(attempt_key)
        if line is not None:
            self.agents.answered(line.attempt.agent_id, charged=charged)
        return line

    def _place(self, line: Line, call: Call, now: float, *, found: bool) -> None:
        created_at = call.created_at.timestamp() if call.created_at else None
        self._changes.append(MarkPlaced(line.attempt, call.id, call.status, created_at, now, found))
        self.lines.place(line, call, now)
        self._strangers.bound(call.id)
        self.tracker.add(call.id, now, created_at)
        self._show(line, call, now)

    def _bind(self, verdict: Bound, now: float) -> None:
        """The list shows the call: from here on it is like any other."""
        attempt = verdict.attempt
        self.doubts.drop(attempt)
        if attempt.lead.state is not LeadState.DIALING:
            check_lead_step(attempt.lead.state, LeadState.DIALING)
            self._count(attempt.lead.state, LeadState.DIALING)
        line = Line(replace(attempt, shadowed=bool(verdict.others)))
        if verdict.others:
            others = [call.id for call in verdict.others]
            self._changes.append(
                Note("possible_double_call", now, {"bound": verdict.call.id, "others": others}, attempt)
            )
        self._place(line, verdict.call, now, found=True)

    def _see(self, call: Call, asked_at: float, now: float) -> None:
        line = self.lines.of_call(call.id)
        if line is None:
            self._see_again(call, now)
            return
        if other_number(call.phone_number, line.attempt.lead.phone):
            self._let_go(line, f"the call {call.id} is to another number", now)
            return
        line.missing_since = None
        line.seen_since = asked_at > line.hung_up_at
        if not call.ended:
            self.tracker.seen(call.id, asked_at, call.status)
        self._show(line, call, now)

    def _see_again(self, call: Call, now: float) -> None:
        change, cost = self._settling.see(call, now)
        if change is None:
            return
        self._changes.append(change)
        self.purse.pay(cost)
        if isinstance(change, Amend) and change.lead_state is not None:
            self._count(LeadState.WAITING, change.lead_state)
            self._moved.add(change.attempt.lead.id)
            self._strangers.forget(change.attempt.lead.id)

    def _show(self, line: Line, call: Call, now: float) -> None:
        if call.ended:
            self._end(line, call, now)
            return
        before = line.status
        if call.status == before:
            return
        if call.status not in STATUS_STEPS:
            self._changes.append(Note("status_unknown", now, {"status": call.status[:64]}, line.attempt))
        elif before in STATUS_STEPS and CallStatus(call.status) not in STATUS_STEPS[CallStatus(before)]:
            self._changes.append(Note("status_backwards", now, {"from": before, "to": call.status}, line.attempt))
            return
        line.status = call.status

    def _end(self, line: Line, call: Call, now: float) -> None:
        attempt = line.attempt
        lead = attempt.lead
        check_attempt_step(attempt.state, AttemptState.ENDED)
        disposition = Disposition(call.status)
        verdict = after_attempt(self.rules.retry, disposition, lead.attempts + 1, now, self.rules.campaign, lead.phone)
        due_at = verdict.due_at
        if due_at is not None:
            due_at = self._allowed_from(lead.zone, due_at)
            if attempt.shadowed:
                due_at = max(due_at, now + self.rules.longest_call_s)
        self._changes.append(MarkEnded(attempt, call, disposition, verdict.state, due_at, verdict.reason, now))
        self._forget(line, now, ended=True, call=call)
        self._count(LeadState.DIALING, verdict.state)
        self.purse.pay(call.cost)
        self.slots.freed()
        after = replace(lead, state=verdict.state, attempts=lead.attempts + 1, due_at=due_at or now)
        self._settling.add(replace(attempt, state=AttemptState.ENDED, lead=after), call, now)
        self._next_stranger(after, now)

    def _allowed_from(self, zone: str | None, moment: float) -> float:
        opening = self.rules.hours.opening(zone, moment)
        return moment if opening.is_open or opening.until == float("inf") else opening.until

    def _void(self, attempt: Attempt, error: errors.ApiError, now: float, *, goes_on_to: Number | None = None) -> None:
        """No phone rang: the contact goes back to where it was, at the head, and is not charged."""
        lead = attempt.lead
        state = state_after_void(lead.attempts)
        self.tally.charged -= 1
        self._count(LeadState.DIALING, state)
        code = error.code or type(error).__name__.lower()
        self._changes.append(MarkVoid(attempt, state, lead.due_at, code, str(error), now, goes_on_to=goes_on_to))
        self._next_stranger(replace(lead, state=state), now)

    def _next_number(self, lead: Lead) -> Number | None:
        """The next of the lead's numbers that nobody else went on to since they were handed out."""
        for number in lead.further:
            if number.phone not in self._taken_numbers:
                self._taken_numbers.add(number.phone)
                return number
        return None

    def _doubt(self, line: Line, reason: str, now: float) -> None:
        self.lines.drop(line)
        check_attempt_step(line.attempt.state, AttemptState.UNCERTAIN)
        self._changes.append(MarkUncertain(line.attempt, now, reason, now))
        lead = replace(line.attempt.lead, state=LeadState.DIALING)
        attempt = replace(line.attempt, state=AttemptState.UNCERTAIN, gave_up_at=now, lead=lead)
        self.doubts.add(attempt, now)
        if self.breaker.unanswered(now):
            self._changes.append(Note("breaker_open", now, {"until": self.breaker.pause.until}))

    def _let_go(self, line: Line, reason: str, now: float) -> None:
        """The id that the API gave is not this attempt's call: which one is, the list decides."""
        attempt = line.attempt
        check_attempt_step(attempt.state, AttemptState.UNCERTAIN)
        self._changes.append(MarkDoubted(attempt, reason, now))
        if attempt.call_id is not None:
            self._strangers.unbound(attempt.call_id)
        self._forget(line, now, ended=False)
        self.doubts.add(replace(attempt, state=AttemptState.UNCERTAIN, call_id=None, gave_up_at=attempt.placed_at), now)

    def _lose(self, line: Line, reason: str, now: float) -> None:
        check_attempt_step(line.attempt.state, AttemptState.LOST)
        self._changes.append(MarkLost(line.attempt, reason, now))
        self._forget(line, now, ended=False)
        self._count(LeadState.DIALING, LeadState.UNRESOLVED)

    def _forget(self, line: Line, now: float, *, ended: bool, call: Call | None = None) -> None:
        call_id = line.attempt.call_id
        assert call_id is not None
        self.lines.drop(line)
        if call is None:
            self.tracker.drop(call_id, now, ended=ended)
            return
        told_s = None
        if call.ended_at is not None and call.created_at is not None:
            told_s = (call.ended_at - call.created_at).total_seconds()
        self.tracker.drop(call_id, now, ended=ended, outcome=call.status, length_s=told_s)
        if self.tracker.lengths.worth_keeping():
            self._changes.append(Learn(LENGTHS, self.tracker.lengths.to_data(), now))

    def _shadow(self, line: Line, other: str, now: float) -> None:
        """The list shows two calls where one was made: this number rests until the other must have ended."""
        said = {"bound": line.attempt.call_id, "others": [other]}
        self._changes.append(Note("possible_double_call", now, said, line.attempt))
        line.attempt = replace(line.attempt, shadowed=True)

    def _adopt(self, call: Call, lead: Lead, agent_id: str, now: float) -> None:
        """The person was called, by whomever: that is an attempt like any other, and followed to its end."""
        check_lead_step(lead.state, LeadState.DIALING)
        self._adopted += 1
        self._moved.add(lead.id)
        attempt = self._attempt(self._key(lead), replace(lead, submissions=lead.submissions + 1), agent_id, now)
        self._count(lead.state, LeadState.DIALING)
        self._settling.dialed_again(lead.id)
        self._changes.append(Intend(attempt.key, attempt.lead, agent_id, now, attempt.skew_low_s, attempt.skew_high_s))
        self._changes.append(Note("foreign_call", now, {"call_id": call.id}, attempt))
        self._strangers.hold(lead.id)
        self._place(Line(attempt), call, now, found=True)

    def _next_stranger(self, lead: Lead, now: float) -> None:
        """What else the list shows of this lead: looked into while it is due, and only noted when it is settled."""
        for call in self._strangers.next_of(lead):
            self._changes.append(Note("foreign_call", now, {"call_id": call.id, "lead": lead.id}))


def _to_walk_from(restored: Restored, now: float) -> float | None:
    """Since when the list may show what this ledger does not know: since its last attempt, or since it has its list."""
    if restored.walking_since is not None:  # the last walk was not finished
        return restored.walking_since
    if restored.active_at is not None:
        return restored.active_at
    if restored.began_at is None or 0 <= now - restored.began_at < NEW_S:
        return None
    return restored.began_at
