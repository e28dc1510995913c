"""The switchboard: facts and the time go in, changes to remember and orders to carry out come out.

Pure: no clock, no chance but seeded chance, no ``await``, no I/O. It holds what is live in memory and asks the policies
(retry, hours, caps, pacing, tracking, doubts); the runner feeds it due leads and facts, commits the changes, and only
then carries out the orders. The one law above all: **an attempt is intended before its create may leave, and nothing
else happens to a number while an attempt at it is open.**
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from dialer.core import errors
from dialer.core.campaign import Rules
from dialer.core.caps import Purse
from dialer.core.catchup import CatchUp
from dialer.core.doubts import Absent, Bound, Doubts
from dialer.core.fuel import LOOKS, Needs, Wish, wish
from dialer.core.halts import (
    Halt,
    clocks_differ,
    disk_full,
    halt_for,
    money_spent,
    only_blocked,
    somebody_else_dials,
    too_many_invalid,
    wrong_answer,
)
from dialer.core.lengths import LENGTHS, Lengths
from dialer.core.lifecycle import (
    SETTLED_LEADS,
    Attempt,
    AttemptState,
    Disposition,
    Lead,
    LeadState,
    check_attempt_step,
    check_lead_step,
    state_after_void,
)
from dialer.core.lines import HANG_UP_AGAIN_S, Line, Lines
from dialer.core.messages import (
    Accepted,
    AllowanceTold,
    Amend,
    CallSeen,
    Change,
    ClockSet,
    Fact,
    HangUp,
    HoldWished,
    Intend,
    Learn,
    Look,
    LookAtPage,
    MarkDoubted,
    MarkEnded,
    MarkLost,
    MarkPlaced,
    MarkUncertain,
    MarkUnresolved,
    MarkVoid,
    NotAccepted,
    Note,
    Order,
    PageSeen,
    Place,
    Postpone,
    PostponeLead,
    Reconcile,
    RequestFailed,
    Restored,
    ServerClock,
    Spend,
    Stranger,
    Walk,
)
from dialer.core.pacing import Agents, Breaker, Pause, Requests, Slots, breaker_pause
from dialer.core.reconcile import (
    ATTEMPT_KEY,
    CAMPAIGN_KEY,
    SEND_WITHIN_S,
    SkewMeter,
    other_number,
    same_number,
    window,
)
from dialer.core.retry import after_attempt
from dialer.core.settling import SettlingCalls
from dialer.core.strangers import Candidate, Kind, Strangers
from dialer.core.tracking import Tracker
from dialer.core.trust import ClockTrust
from dialer.core.wire import STATUS_STEPS, Call, CallStatus

BATCH: Final = 64
"""Leads taken from the ledger at once."""
CREATES_PER_LOOK: Final = 8
BLOCKED_FOR_S: Final = 3600.0
"""While this runner holds the ledger, the campaign that called this number cannot come on."""
LOOKED_INTO_S: Final = 5.0
"""A contact whose number shows in the list without our doing rests until it is known whose call that is."""
MISSING_S: Final = 300.0
"""A call that the API placed and does not know is asked for this long; then the list decides which call it was."""
NEW_S: Final = 5.0
"""A campaign that the ledger has known for less than this was not dialed by anybody else."""
REFUSALS_IN_ROW: Final = 3
"""So many requests refused as invalid in a row are the campaign's fault, not the contacts'."""


@dataclass(slots=True)
class Tally:
    """What was done since the runner started."""

    requests: int = 0
    creates: int = 0
    charged: int = 0
    """Creates less those that proved void."""
    placed: int = 0
    refused_for_slots: int = 0


class Switchboard:
    """The rules of one campaign at work. See the module's docstring for how it is driven."""

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

    # --- what the runner asks ---------------------------------------------------------------------------------------

    @property
    def recovering(self) -> bool:
        """Whether it is still being found out what an earlier run, or somebody else, did: nothing is dialed before."""
        return self.doubts.recovering or self._still_arriving()

    def _still_arriving(self) -> bool:
        return self._arriving and (self.catch_up.under_way or len(self._strangers) > 0)

    @property
    def live(self) -> int:
        """Calls that are up as far as is known, and creates on their way."""
        return len(self.lines)

    def occupied(self, now: float) -> int:
        """Lines that may hold a slot: live, on their way, or freshly in doubt."""
        return len(self.lines) + self.doubts.occupying(now)

    def due_left(self) -> int:
        """Contacts that are still to be called, now or later."""
        return self.counts[LeadState.QUEUED] + self.counts[LeadState.WAITING]

    def finished(self, now: float) -> bool:
        """Whether nothing is left to do: every contact settled and every live call followed to its end."""
        if self.halt is not None and self.halt.abandon:
            return not self.lines.unanswered()  # their answers say whether phones rang
        if self.lines:
            return False
        if self.due_left() and not self.doubts.unsettled():
            if self.rules.max_cost is not None and not self.purse.allows(len(self.doubts)):
                self._halt(money_spent(self.rules.max_cost))
            elif len(self._blocked) >= self.due_left():
                self._halt(only_blocked(len(self._blocked)))
        if self.trust.hopeless(now):
            self._halt(clocks_differ(self.trust.off_s))
        if self.stopping or self.halt is not None:
            return self.halt is not None or not self.doubts.looking()
        return not self.due_left() and not self.doubts.unsettled() and not self._settling.awaited()

    def settled(self) -> int:
        """Contacts whose story is over."""
        return sum(self.counts[state] for state in SETTLED_LEADS)

    def take_changes(self) -> list[Change]:
        """What must be durable before the orders planned with it are carried out."""
        changes, self._changes = self._changes, []
        self._moved.clear()
        return changes

    def wanted(self, now: float) -> int:
        """How many due leads could be dialed right now, if there are tickets for them."""
        if not self._dialing(now) or self.agents.pick(now) is None:
            return 0
        return min(self.slots.room(now, self.occupied(now), self.lines.awaited(now)), BATCH)

    def offer(self, leads: list[Lead]) -> None:
        """Due leads from the ledger, the most urgent first; those not dialed in the next plan stay where they are."""
        self._hand = leads

    def _dialing(self, now: float) -> bool:
        return (
            not self.stopping
            and self.halt is None
            and not self.recovering
            and self.trust.good
            and self.requests.left() > self._kept_for_looks()
            and self.network.over(now)
            and not (self.network.failures and self.lines.unanswered())
            and self.breaker.room(now, self.lines.unanswered())
            and self.purse.allows(len(self.lines) + len(self.doubts))
        )

    # --- planning ---------------------------------------------------------------------------------------------------

    def plan(self, now: float, tickets: int) -> list[Order]:
        """Up to ``tickets`` orders, the most urgent first. Commit :meth:`take_changes` before carrying them out."""
        self.requests.turn(now)
        self.passed_over = False
        self._check_deadlines(now)
        if self._arriving and not self._still_arriving():  # strangers met later hold up their own number only
            self._arriving = False
            self._changes.append(Walk(None, now))
        orders: list[Order] = []
        if self.requests.opens_at(now) <= now:
            tickets = min(tickets, self.requests.left())
            while len(orders) < tickets and (order := self._next_order(now)) is not None:
                orders.append(order)
        self._hand = []
        if orders:
            self.requests.spend(len(orders), now)
            self.tally.requests += len(orders)
            self._changes.append(Spend(len(orders), now))
        return orders

    def _next_order(self, now: float) -> Order | None:
        if self._hang_ups:
            return self._hang_ups.pop()
        if self.recovering and (order := self._recover(now)):
            return order
        if self.trust.wants_to_ask(now):
            self.trust.asks(now)
            return LookAtPage(1)
        if sweep := self.tracker.next_sweep(now, self._wish(now)):
            return sweep
        if self._creates_since_look >= CREATES_PER_LOOK and (order := self._look(now)):
            return order
        return self._create(now) or self._look(now)

    def _recover(self, now: float) -> Order | None:
        return self.catch_up.next_order(now) or self._strangers.next_look() or self.doubts.next_order(now)

    def _look(self, now: float) -> Order | None:
        self._creates_since_look = 0
        return (
            self._strangers.next_look()
            or self.tracker.next_straggler(now)
            or self.doubts.next_order(now)
            or (self._settling.next_look(now) if self._spares_requests(now) else None)
        )

    def _spares_requests(self, now: float) -> bool:
        """Whether requests may go into what a campaign can do without: none that people wait for a call with."""
        return not self.backlog or self._wish(now).looks >= LOOKS

    def _wish(self, now: float) -> Wish:
        """What a look may cost now."""
        return wish(
            Needs(
                mean_s=self.tracker.mean_s,
                slots=self.slots.ceiling(),
                listed=self.tracker.listing.believed(now),
                waiting=self.backlog and not self.stopping,
                per_minute=self.rules.requests_per_minute,
                left_today=self.requests.left() - self._kept_for_looks(),
                wanted=self.due_left(),
                day_s=self._day_left_s(now),
            )
        )

    def _day_left_s(self, now: float) -> float:
        """Seconds in which today's requests can be used: until the quota is new, or until nobody may be called."""
        ends_at = self.requests.next_day_at(now)
        return (min(ends_at, self._closes_at) if self._closes_at > now else ends_at) - now

    def out_of_quota(self) -> bool:
        """Whether the day's requests are used, as far as they may be."""
        return self.requests.left() <= (0 if self.lines else self._kept_for_looks())

    def _kept_for_looks(self) -> int:
        """Requests of the day that creates must leave, so that live calls can be followed to their end."""
        return 5 + len(self.lines) // 10

    def _create(self, now: float) -> Place | None:
        while self._hand:
            if not self.wanted(now):
                return None
            lead = self._hand.pop(0)
            if self._may_dial(lead, now):
                return self._intend(lead, now)
        return None

    def _may_dial(self, lead: Lead, now: float) -> bool:
        if lead.id in self._moved:
            self.passed_over = True
            return False
        if lead.blocked:
            self._blocked.add(lead.id)
            until = now + BLOCKED_FOR_S
            self._changes.append(PostponeLead(lead, until, "an open call of another campaign", now))
            return False
        if self._strangers.is_candidate(lead.id):
            self._changes.append(PostponeLead(lead, now + LOOKED_INTO_S, "a call to this number is looked into", now))
            return False
        opening = self.rules.hours.opening(lead.zone, now)
        if opening.is_open and opening.until < now + SEND_WITHIN_S:  # what is intended now may leave only then
            opening = self.rules.hours.opening(lead.zone, opening.until)
        if not opening.is_open:
            until = min(opening.until, now + 86_400.0)
            self._changes.append(Postpone(lead.zone, until, now))
            self._hand = [other for other in self._hand if other.zone != lead.zone]
            return False
        self._closes_at = max(self._closes_at, opening.until)
        return True

    def _intend(self, lead: Lead, now: float) -> Place | None:
        agent_id = self.agents.pick(now)
        if agent_id is None:
            return None
        check_lead_step(lead.state, LeadState.DIALING)
        key = self._key(lead)
        dialing = replace(lead, submissions=lead.submissions + 1)
        attempt = self._attempt(key, dialing, agent_id, now)
        self.lines.intend(attempt)
        self._settling.dialed_again(lead.id)
        self._blocked.discard(lead.id)
        self.agents.gave(agent_id)
        self._creates_since_look += 1
        self.tally.creates += 1
        self.tally.charged += 1
        self._count(lead.state, LeadState.DIALING)
        self._changes.append(Intend(key, dialing, agent_id, now, attempt.skew_low_s, attempt.skew_high_s))
        metadata = {**lead.extra, CAMPAIGN_KEY: self.rules.campaign, ATTEMPT_KEY: key}
        return Place(key, agent_id, lead.phone, lead.first_name, lead.last_name, metadata, now)

    def _key(self, lead: Lead) -> str:
        """The name of the lead's next attempt: unique in the ledger, and beyond it by the workspace's word."""
        return f"{self.workspace}{lead.id}.{lead.submissions + 1}"

    def _attempt(self, key: str, lead: Lead, agent_id: str, now: float) -> Attempt:
        known = self.meter.known
        skew = (None, None) if known is None else (known.low_s, known.high_s)
        state = AttemptState.INTENDED
        return Attempt(key, lead, agent_id, state, now, skew_low_s=skew[0], skew_high_s=skew[1])

    def withdraw(self, orders: list[Order], now: float) -> None:
        """The disk is full: creates that were planned do not leave, and nothing further is begun."""
        for order in orders:
            if isinstance(order, Place):
                error = errors.NotSent("withdrawn: the disk is full", code="disk_full")
                self._not_accepted(NotAccepted(order.attempt, error), now)
        self._halt(disk_full())

    def _count(self, before: LeadState, after: LeadState) -> None:
        self.counts[before] -= 1
        self.counts[after] += 1

    def wake_at(self, now: float) -> float:
        """When :meth:`plan` may have something new if no fact and no due lead comes before (UTC seconds)."""
        moments = [self.tracker.wake_at(now, self._wish(now)), self.doubts.wake_at()]
        moments += [self.trust.ask_at(), self.catch_up.wake_at()]
        moments += self._settling.next_looks_at()
        if self.backlog:
            moments += [self.network.until, self.breaker.pause.until, self.agents.next_ready_at()]
            moments += [self.requests.next_day_at(now)] if self.out_of_quota() else []
            try_at = self.slots.next_try_at(self.occupied(now))
            moments += [] if try_at is None else [try_at]
            late_at = self.lines.late_at()
            moments += [] if late_at is None else [late_at]
        soonest = min((moment for moment in moments if moment > now), default=float("inf"))
        if any(moment <= now for moment in moments[:4]):
            soonest = now
        return min(max(soonest, self.requests.opens_at(now)), max(self.lines.next_deadline(), now))

    # --- absorbing --------------------------------------------------------------------------------------------------

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

    def stop(self) -> None:
        """No new calls; live ones are followed to their end."""
        self.stopping = True

    def look_again(self, now: float) -> None:
        """No new calls, but every doubt gets one scan now; what it finds is followed to its end."""
        self.stop()
        self.doubts.look_now(now)

    def _answered(self, attempt_key: str, *, charged: bool) -> Line | None:
        line = self.lines.answered(attempt_key)
        if line is not None:
            self.agents.answered(line.attempt.agent_id, charged=charged)
        return line

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
        self.slots.accepted(self.lines.live(), partial(self.tracker.unnoticed, now))
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

    def _place(self, line: Line, call: Call, now: float, *, found: bool) -> None:
        created_at = call.created_at.timestamp() if call.created_at else None
        self._changes.append(MarkPlaced(line.attempt, call.id, call.status, created_at, now, found))
        self.lines.place(line, call, now)
        self._strangers.bound(call.id)
        self.tracker.add(call.id, now, created_at)
        self._show(line, call, now)

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

    def _doubt(self, line: Line, reason: str, now: float) -> None:
        self.lines.drop(line)
        check_attempt_step(line.attempt.state, AttemptState.UNCERTAIN)
        self._changes.append(MarkUncertain(line.attempt, now, reason, now))
        lead = replace(line.attempt.lead, state=LeadState.DIALING)
        attempt = replace(line.attempt, state=AttemptState.UNCERTAIN, gave_up_at=now, lead=lead)
        self.doubts.add(attempt, now)
        if self.breaker.unanswered(now):
            self._changes.append(Note("breaker_open", now, {"until": self.breaker.pause.until}))

    def _void(self, attempt: Attempt, error: errors.ApiError, now: float) -> None:
        """No phone rang: the contact goes back to where it was, at the head, and is not charged."""
        lead = attempt.lead
        state = state_after_void(lead.attempts)
        self.tally.charged -= 1
        self._count(LeadState.DIALING, state)
        code = error.code or type(error).__name__.lower()
        self._changes.append(MarkVoid(attempt, state, lead.due_at, code, str(error), now))
        self._next_stranger(replace(lead, state=state), now)

    def _refuse_contact(self, attempt: Attempt, error: errors.ContactNever, now: float) -> None:
        self._invalid_in_row = 0 if error.code == errors.BAD_NUMBER else self._invalid_in_row + 1
        if self._invalid_in_row >= REFUSALS_IN_ROW:
            self._void(attempt, error, now)
            self._halt(too_many_invalid(self._invalid_in_row, error))
            return
        self._count(LeadState.DIALING, LeadState.REJECTED)
        self._changes.append(
            MarkVoid(attempt, LeadState.REJECTED, None, error.code, str(error), now, disposition=Disposition.INVALID)
        )

    def _hold(self, attempt: Attempt, error: errors.TryLater, now: float) -> None:
        if error.code == errors.NO_SLOTS:
            self.tally.refused_for_slots += 1
            self.slots.refused(now, attempt.intended_at, self.lines.live(), self.tracker.mean_s)
        elif error.code == errors.AGENT_NOT_READY:
            self.agents.not_ready(attempt.agent_id, now)
        else:
            self.requests.limited(now, error.retry_after_s)

    def _halt(self, halt: Halt) -> None:
        if self.halt is None or (halt.abandon and not self.halt.abandon):
            self.halt = halt

    # --- looks ------------------------------------------------------------------------------------------------------

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
        for stranger in fact.strangers:  # before a call on this page ends: then those that wait for it are known
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

    def _let_go(self, line: Line, reason: str, now: float) -> None:
        """The id that the API gave is not this attempt's call: which one is, the list decides."""
        attempt = line.attempt
        check_attempt_step(attempt.state, AttemptState.UNCERTAIN)
        self._changes.append(MarkDoubted(attempt, reason, now))
        if attempt.call_id is not None:
            self._strangers.unbound(attempt.call_id)
        self._forget(line, now, ended=False)
        self.doubts.add(replace(attempt, state=AttemptState.UNCERTAIN, call_id=None, gave_up_at=attempt.placed_at), now)

    # --- calls that nobody here made --------------------------------------------------------------------------------

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

    def _shadow(self, line: Line, other: str, now: float) -> None:
        """The list shows two calls where one was made: this number rests until the other must have ended."""
        said = {"bound": line.attempt.call_id, "others": [other]}
        self._changes.append(Note("possible_double_call", now, said, line.attempt))
        line.attempt = replace(line.attempt, shadowed=True)

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

    def _check_deadlines(self, now: float) -> None:
        for line in self.lines.overdue(now, self.requests.opens_at(now)):
            if line.hang_ups >= len(HANG_UP_AGAIN_S) and line.seen_since:
                self._lose(line, f"the call would not end; its last status was '{line.status}'", now)
            elif line.attempt.call_id is not None:
                self._changes.append(Note("hang_up", now, {"call_id": line.attempt.call_id}, line.attempt))
                self._hang_ups.append(HangUp(line.attempt.call_id))
        self._settling.drop_old(now)

    def _lose(self, line: Line, reason: str, now: float) -> None:
        check_attempt_step(line.attempt.state, AttemptState.LOST)
        self._changes.append(MarkLost(line.attempt, reason, now))
        self._forget(line, now, ended=False)
        self._count(LeadState.DIALING, LeadState.UNRESOLVED)

    # --- failures of looks, and doubts ------------------------------------------------------------------------------

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


def _to_walk_from(restored: Restored, now: float) -> float | None:
    """Since when the list may show what this ledger does not know: since its last attempt, or since it has its list."""
    if restored.walking_since is not None:  # the last walk was not finished
        return restored.walking_since
    if restored.active_at is not None:
        return restored.active_at
    if restored.began_at is None or 0 <= now - restored.began_at < NEW_S:
        return None
    return restored.began_at
