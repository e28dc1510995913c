"""What the switchboard hears: each fact, and which moves follow from it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from dialer.core import errors
from dialer.core.doubts import Absent, Bound
from dialer.core.halts import (
    halt_for,
    somebody_else_dials,
    too_many_invalid,
    wrong_answer,
)
from dialer.core.lifecycle import (
    Attempt,
    AttemptState,
    Disposition,
    Lead,
    LeadState,
    check_attempt_step,
    check_lead_step,
)
from dialer.core.lines import Line
from dialer.core.messages import (
    Accepted,
    AllowanceTold,
    CallSeen,
    ClockSet,
    Fact,
    HangUp,
    HoldWished,
    Look,
    LookAtPage,
    MarkUnresolved,
    MarkVoid,
    NotAccepted,
    Note,
    PageSeen,
    Reconcile,
    RequestFailed,
    ServerClock,
    Stranger,
)
from dialer.core.reconcile import (
    same_number,
    window,
)
from dialer.core.strangers import Candidate, Kind
from dialer.core.switchboard.board import Board
from dialer.core.wire import Call

MISSING_S: Final = 300.0
"""A call that the API placed and does not know is asked for this long; then the list decides which call it was."""
REFUSALS_IN_ROW: Final = 3
"""So many requests refused as invalid in a row are the campaign's fault, not the contacts'."""


class Hearing(Board):
    """A board that takes facts in."""

    def absorb(self, fact: Fact, now: float) -> None:
        """Take in what happened; what follows from it is in the changes and in the next plan."""
        match fact:
            case Accepted():
                self._accepted(fact, now)
            case NotAccepted():
                self._not_accepted(fact, now)
            case CallSeen():
                self._looked(fact, now)
            case PageSeen():
                self._page(fact, now)
            case RequestFailed():
                self._failed(fact, now)
            case ServerClock():
                self.meter.add(fact.low_s, fact.high_s)
                self.trust.compare(fact.low_s, fact.high_s, now)
            case ClockSet():
                self._clock_set(fact.by_s, now)
            case HoldWished():
                self.requests.hush.until = max(self.requests.hush.until, fact.until)
            case AllowanceTold():
                self.requests.told(now, fact.left, fact.reset_at)

    def _clock_set(self, by_s: float, now: float) -> None:
        """Everything measured on this machine's clock moves along; due times are UTC and stay."""
        self._changes.append(Note("clock_set", now, {"by_s": by_s}))
        self.trust.was_set(by_s, now)
        parts = (self.slots, self.agents, self.network, self.tracker, self.lines, self.doubts, self._settling)
        for part in (*parts, self._strangers, self.catch_up):
            part.shift(by_s)
        self.breaker.pause.shift(by_s)
        self.requests.shift(by_s)

    def _accepted(self, fact: Accepted, now: float) -> None:
        call = fact.call
        if fact.known or self.lines.of_call(call.id) is not None:
            error = errors.NoAnswer(f"the answer names call {call.id}, which is another attempt's")
            self._not_accepted(NotAccepted(fact.attempt, error), now)
            return
        line = self._answered(fact.attempt, charged=True)
        if line is None:
            return
        self.breaker.answered()
        self.network.clear()
        self.requests.hush.failures = 0
        self._invalid_in_row = 0
        self.agents.ready(line.attempt.agent_id)
        self.tally.placed += 1
        live, expected = self.lines.live(), self.tracker.expected(now)
        self.slots.accepted(live, partial(self.tracker.unnoticed, now), expected)
        attempt = line.attempt
        if call.created_at is not None:  # cut to the second; whatever clock writes it is the one that lists go by
            created_at = call.created_at.timestamp()
            self.meter.add_made(created_at - now, created_at + 1.0 - attempt.intended_at)
        self._place(line, call, now, found=False)
        wrong_phone = call.phone_number is not None and not same_number(call.phone_number, attempt.lead.phone)
        if wrong_phone or call.agent_id not in {None, attempt.agent_id}:
            said = {"call_id": call.id, "phone": "another" if wrong_phone else "the same", "agent_id": call.agent_id}
            self._changes.append(Note("answer_mismatch", now, said, attempt))
            self._halt(wrong_answer(call.id))

    def _not_accepted(self, fact: NotAccepted, now: float) -> None:
        error = fact.error
        unanswered = isinstance(error, errors.NoAnswer)
        line = self._answered(fact.attempt, charged=unanswered)
        if line is None:
            return
        attempt = line.attempt
        if unanswered:
            self._doubt(line, str(error), now)
            return
        self.lines.drop(line)
        if isinstance(error, errors.NotSent):
            if error.code not in {"stale", "disk_full"}:
                self.network.fail(now)
        else:
            self.breaker.answered()
            self.network.clear()
        if isinstance(error, errors.ContactNever):
            self._refuse_contact(attempt, error, now)
            return
        self._invalid_in_row = 0
        self._void(attempt, error, now)
        if isinstance(error, errors.TryLater):
            self._hold(attempt, error, now)
        elif isinstance(error, errors.MendCampaign):
            self._halt(halt_for(error, attempt.agent_id))
        elif isinstance(error, errors.Gone):  # a word that has no meaning in answer to a create
            self.network.fail(now)

    def _refuse_contact(self, attempt: Attempt, error: errors.ContactNever, now: float) -> None:
        self._invalid_in_row = 0 if error.code == errors.BAD_NUMBER else self._invalid_in_row + 1
        if self._invalid_in_row >= REFUSALS_IN_ROW:
            self._void(attempt, error, now)
            self._halt(too_many_invalid(self._invalid_in_row, error))
            return
        if error.code == errors.BAD_NUMBER and (number := self._next_number(attempt.lead)) is not None:
            self._void(attempt, error, now, goes_on_to=number)
            return
        self._count(LeadState.DIALING, LeadState.REJECTED)
        self._changes.append(
            MarkVoid(attempt, LeadState.REJECTED, None, error.code, str(error), now, disposition=Disposition.INVALID)
        )

    def _hold(self, attempt: Attempt, error: errors.TryLater, now: float) -> None:
        if error.code == errors.NO_SLOTS:
            self.tally.refused_for_slots += 1
            self.slots.refused(now, attempt.intended_at, self._up(now), self.tracker.mean_s, self.tracker.expected(now))
        elif error.code == errors.AGENT_NOT_READY:
            self.agents.not_ready(attempt.agent_id, now)
        else:
            self.requests.limited(now, error.retry_after_s)

    def _up(self, now: float) -> int:
        """Calls that may be up: whoever is in doubt, or whose answer is overdue, may well be on the line."""
        overdue = self.lines.unanswered() - self.lines.awaited(now)
        return self.lines.live() + overdue + self.doubts.occupying(now)

    def _looked(self, fact: CallSeen, now: float) -> None:
        self.requests.hush.failures = 0  # but never its end: a silence that was asked for is kept
        self.trust.answered()
        self.doubts.learn(fact.call, ours=self.lines.of_call(fact.call.id) is not None)
        candidate = self._strangers.take(fact.call)
        if candidate is not None:
            self._judge_stranger(candidate, now)
        bound = self.doubts.absorb_look(fact.call, now)
        if bound is not None:
            self._bind(bound, now)
        self._see(fact.call, fact.asked_at, now)

    def _page(self, fact: PageSeen, now: float) -> None:
        self.requests.hush.failures = 0
        self.trust.answered()
        self._taken_numbers.update(
            call.phone_number
            for call in fact.page.calls
            if call.phone_number and call.id not in fact.bound and call.agent_id in self.agents.desks
        )
        # before a call on this page ends, so that those that wait for it are known; and in the order they were made in,
        # since the last call to a person may settle what an earlier one did not
        for stranger in _as_made(fact):
            self._meet(stranger, now)
        for call in fact.page.calls:
            self._see(call, fact.asked_at, now)
        if fact.scan == self.catch_up.scan_id:
            self.catch_up.absorb(fact.page, now)
            return
        if fact.scan is None:
            self.tracker.page_done(fact.asked_page, fact.page, now)
            return
        verdicts = self.doubts.absorb_page(fact, now)
        if (scan := self.doubts.take_finished()) is not None:
            read = {"agent_id": scan.agent_id, "calls": len(scan.calls), "pages": scan.page, "complete": scan.complete}
            self._changes.append(Note("scan", now, read))
        for verdict in verdicts:
            if isinstance(verdict, Bound):
                self._bind(verdict, now)
            else:
                self._absent(verdict, now)

    def _meet(self, stranger: Stranger, now: float) -> None:
        """``stranger.lead`` is as the ledger had it before this turn: what this turn brought so far counts as well."""
        line = self.lines.of_lead(stranger.lead.id)
        lead = self._settling.lead_of(stranger.lead.id) or stranger.lead
        if line is not None:
            lead = replace(stranger.lead, state=LeadState.DIALING)
        self._strangers.meet(replace(stranger, lead=lead), now, self._began_at)
        if line is None or line.attempt.call_id in {None, stranger.call.id} or line.attempt.shadowed:
            return
        if self._strangers.waits(stranger.call.id, line.attempt.lead.id) and self._is_later(stranger.call, line):
            self._shadow(line, stranger.call.id, now)

    def _is_later(self, call: Call, line: Line) -> bool:
        """Whether a call was made since the line's attempt was intended, as far as the clocks tell."""
        if call.created_at is None:
            return False
        return call.created_at.timestamp() >= line.attempt.intended_at + self.meter.skew.low_s - 1.0

    def _judge_stranger(self, item: Candidate, now: float) -> None:
        call, lead = item.call, item.lead
        agent_id = call.agent_id
        kind = self._strangers.kind(call, echoes=bool(self.doubts.echoes))
        if kind is Kind.OTHERS or agent_id is None or not same_number(call.phone_number, lead.phone):
            self._strangers.leave_alone(call.id)
            self._next_stranger(lead, now)
            return
        double = self._is_double(call, lead)
        self._adopt(call, lead, agent_id, now)
        if kind is Kind.UNTOLD and not double and self._strangers.fresh(call, now):
            self._halt(somebody_else_dials(self._adopted))

    def _is_double(self, call: Call, lead: Lead) -> bool:
        """Whether the call may be a second one of the create that made the last call: no sign of another host."""
        attempt = self._settling.attempt_of(lead.id)
        if attempt is None or call.created_at is None:
            return False
        skew = self.meter.skew
        gave_up_at = attempt.intended_at + self.rules.timeout_s if attempt.gave_up_at is None else attempt.gave_up_at
        return call.created_at.timestamp() in window(attempt.intended_at + skew.low_s, gave_up_at + skew.high_s)

    def _failed(self, fact: RequestFailed, now: float) -> None:
        error, order = fact.error, fact.order
        limited = isinstance(error, errors.TryLater)
        if isinstance(error, errors.TryLater) and error.code == errors.RATE_LIMITED:
            self.requests.limited(now, error.retry_after_s)
        if isinstance(error, errors.MendCampaign) and error.code != errors.AGENT_NOT_FOUND:
            self._halt(halt_for(error, None))
        match order:
            case Reconcile() if order.scan == self.catch_up.scan_id:
                self.catch_up.failed(now, agent_gone=error.code == errors.AGENT_NOT_FOUND)
            case Reconcile():
                self._changes.append(Note("scan_failed", now, {"agent_id": order.agent_id, "reason": str(error)}))
                if error.code == errors.AGENT_NOT_FOUND and order.agent_id is not None:
                    self.doubts.agent_unknown(order.agent_id)
                self.doubts.failed(order, now, soon=limited)
            case LookAtPage():
                self.tracker.failed(order, now)
            case Look():
                self.doubts.look_failed(order.call_id, now)
                self._stranger_failed(order.call_id, now)
                self._look_failed(order.call_id, error, now)
            case HangUp():
                self.lines.hung_up(order.call_id, now, reached=not isinstance(error, errors.NotSent | errors.NoAnswer))
                self.tracker.look_soon(order.call_id)  # it may have ended by itself: its real outcome counts
        if isinstance(order, (Reconcile, LookAtPage)) and limited:
            self.tracker.retry_at_once()

    def _look_failed(self, call_id: str, error: errors.ApiError, now: float) -> None:
        line = self.lines.of_call(call_id)
        if not isinstance(error, errors.Gone) or line is None:
            self.tracker.failed(Look(call_id), now)
            return
        self.tracker.seen(call_id, now)
        if line.missing_since is None:
            line.missing_since = now
            self._changes.append(Note("call_not_found", now, {"call_id": call_id}, line.attempt))
        elif now - line.missing_since >= min(MISSING_S, self.rules.retry.horizon_s):
            self._let_go(line, f"the API does not know the call {call_id} that it placed", now)

    def _stranger_failed(self, call_id: str, now: float) -> None:
        self._strangers.look_failed(call_id)
        given_up = self._strangers.given_up(call_id)
        if given_up is not None:
            self._judge_stranger(given_up, now)

    def _absent(self, verdict: Absent, now: float) -> None:
        attempt = verdict.attempt
        provable = verdict.witnessed and not attempt.was_accepted and not attempt.elsewhere
        if self.rules.retry.on_uncertain == "retry_absent" and provable:
            self.doubts.drop(attempt)
            check_attempt_step(attempt.state, AttemptState.VOID)
            error = errors.NotSent("never answered, and absent from the list beyond the horizon", code="absent")
            self._void(attempt, error, now)
            return
        check_lead_step(LeadState.DIALING, LeadState.UNRESOLVED)
        reason = "the create was never answered, and the list does not show the call"
        if attempt.was_accepted:
            reason = "the API placed the call, and neither knows it nor lists it any more"
        self._changes.append(MarkUnresolved(attempt, reason, now))
        self._count(LeadState.DIALING, LeadState.UNRESOLVED)
        self.doubts.park(replace(attempt, lead=replace(attempt.lead, state=LeadState.UNRESOLVED)), now)


def _as_made(fact: PageSeen) -> list[Stranger]:
    """The strangers of a page, the oldest first; within a second, to which the API cuts times, by the page's order."""
    shown = [_made_at(call) for call in fact.page.calls]
    ascending = bool(shown) and shown[0] < shown[-1]
    strangers = fact.strangers if ascending else fact.strangers[::-1]
    return sorted(strangers, key=lambda stranger: _made_at(stranger.call))


def _made_at(call: Call) -> float:
    return call.created_at.timestamp() if call.created_at else 0.0
