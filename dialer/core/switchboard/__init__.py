"""The switchboard: facts and the time go in, changes to remember and orders to carry out come out.

Pure: no clock, no chance but seeded chance, no ``await``, no I/O. It holds what is live in memory and asks the policies
(retry, hours, caps, pacing, tracking, doubts); the runner feeds it due leads and facts, commits the changes, and only
then carries out the orders. The one law above all: **an attempt is intended before its create may leave, and nothing
else happens to a number while an attempt at it is open.**
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from dialer.core import errors
from dialer.core.fuel import Needs, Wish, day_is_short, wish
from dialer.core.halts import clocks_differ, disk_full, money_spent, only_blocked
from dialer.core.lifecycle import SETTLED_LEADS, Lead, LeadState, check_lead_step
from dialer.core.lines import HANG_UP_AGAIN_S
from dialer.core.messages import (
    Change,
    HangUp,
    Intend,
    LookAtPage,
    NotAccepted,
    Note,
    Order,
    Place,
    Postpone,
    PostponeLead,
    Spend,
    Walk,
)
from dialer.core.reconcile import ATTEMPT_KEY, CAMPAIGN_KEY, SEND_WITHIN_S
from dialer.core.switchboard.hearing import Hearing

BATCH: Final = 64
"""Leads taken from the ledger at once."""
CREATES_PER_LOOK: Final = 8
BLOCKED_FOR_S: Final = 3600.0
"""While this runner holds the ledger, the campaign that called this number cannot come on."""
LOOKED_INTO_S: Final = 5.0
"""A contact whose number shows in the list without our doing rests until it is known whose call that is."""


class Switchboard(Hearing):
    """The rules of one campaign at work. See the module's docstring for how it is driven."""

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

    def settled(self) -> int:
        """Contacts whose story is over."""
        return sum(self.counts[state] for state in SETTLED_LEADS)

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

    def take_changes(self) -> list[Change]:
        """What must be durable before the orders planned with it are carried out."""
        changes, self._changes = self._changes, []
        self._moved.clear()
        return changes

    def wanted(self, now: float) -> int:
        """How many due leads could be dialed right now, if there are tickets for them."""
        if not self._dialing(now) or self.agents.pick(now) is None:
            return 0
        expected, awaited = self.tracker.expected(now), self.lines.awaited(now)
        return min(self.slots.room(now, self.occupied(now), awaited, expected, partial(self._may_probe, now)), BATCH)

    def _may_probe(self, now: float) -> bool:
        """A refusal takes a call away where the day's requests are what is short."""
        return not day_is_short(self._needs(now))

    def offer(self, leads: list[Lead]) -> None:
        """Due leads from the ledger, the most urgent first; those not dialed in the next plan stay where they are."""
        self._hand = leads

    def stop(self) -> None:
        """No new calls; live ones are followed to their end."""
        self.stopping = True

    def look_again(self, now: float) -> None:
        """No new calls, but every doubt gets one scan now; what it finds is followed to its end."""
        self.stop()
        self.doubts.look_now(now)

    def out_of_quota(self) -> bool:
        """Whether the day's requests are used, as far as they may be."""
        return self.requests.left() <= (0 if self.lines else self._kept_for_looks())

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
            and self._affords_another()
        )

    def _affords_another(self) -> bool:
        """Whether one more call stays within the money, with those in flight: up, in doubt, or ended and not told."""
        if self.rules.max_cost is None:
            return True
        return self.purse.allows(len(self.lines) + len(self.doubts) + self._settling.unpaid())

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

    def _create(self, now: float) -> Place | None:
        while self._hand:
            if not self.wanted(now):
                return None
            lead = self._hand.pop(0)
            if self._may_dial(lead, now) and (order := self._intend(lead, now)) is not None:
                return order
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
        agent_id = self.agents.pick(now, lead.agent_id)
        if agent_id is None:  # the agent who is wished for takes no call now; the lead stays where it is
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

    def withdraw(self, orders: list[Order], now: float) -> None:
        """The disk is full: creates that were planned do not leave, and nothing further is begun."""
        for order in orders:
            if isinstance(order, Place):
                error = errors.NotSent("withdrawn: the disk is full", code="disk_full")
                self._not_accepted(NotAccepted(order.attempt, error), now)
        self._halt(disk_full())

    def _check_deadlines(self, now: float) -> None:
        for line in self.lines.overdue(now, self.requests.opens_at(now)):
            if line.hang_ups >= len(HANG_UP_AGAIN_S) and line.seen_since:
                self._lose(line, f"the call would not end; its last status was '{line.status}'", now)
            elif line.attempt.call_id is not None:
                self._changes.append(Note("hang_up", now, {"call_id": line.attempt.call_id}, line.attempt))
                self._hang_ups.append(HangUp(line.attempt.call_id))
        self._settling.drop_old(now)

    def wake_at(self, now: float) -> float:
        """When :meth:`plan` may have something new if no fact and no due lead comes before (UTC seconds)."""
        moments = [self.tracker.wake_at(now, self._wish(now)), self.doubts.wake_at()]
        moments += [self.trust.ask_at(), self.catch_up.wake_at()]
        moments += self._settling.next_looks_at()
        if self.backlog:
            moments += [self.network.until, self.breaker.pause.until, *self.agents.ready_at()]
            moments += [self.requests.next_day_at(now)] if self.out_of_quota() else []
            occupied = self.occupied(now)
            try_at = self.slots.next_try_at(occupied)
            moments += [] if try_at is None else [try_at]
            moments += [self._certain_at(occupied)]
            late_at = self.lines.late_at()
            moments += [] if late_at is None else [late_at]
        soonest = min((moment for moment in moments if moment > now), default=float("inf"))
        if any(moment <= now for moment in moments[:4]):
            soonest = now
        return min(max(soonest, self.requests.opens_at(now)), max(self.lines.next_deadline(), now))

    def _certain_at(self, occupied: int) -> float:
        """When a call more will have ended unnoticed almost certainly, and its slot may be taken."""
        over = occupied - self.slots.ceiling()
        if self.slots.learned is None or over < 0 or occupied >= self.slots.most:
            return float("inf")
        return self.tracker.expected_at(self.slots.takes(over + 1))

    # --- what a request is worth ------------------------------------------------------------------------------------

    def _spares_requests(self, now: float) -> bool:
        """Whether requests may go into what a campaign can do without: none that people wait for a call with."""
        return not self.backlog or not self._wish(now).short or not self._affords_another()

    def _wish(self, now: float) -> Wish:
        """What a look may cost now."""
        return wish(self._needs(now))

    def _needs(self, now: float) -> Needs:
        return Needs(
            mean_s=self.tracker.mean_s,
            slots=self.slots.ceiling(),
            spread_s=self.tracker.spread_s,
            waiting=self.backlog and not self.stopping,
            per_minute=self.rules.requests_per_minute,
            left_today=self.requests.left() - self._kept_for_looks(),
            wanted=self.due_left(),
            day_s=self._day_left_s(now),
        )

    def _day_left_s(self, now: float) -> float:
        """Seconds in which today's requests can be used: until the quota is new, or until nobody may be called."""
        ends_at = self.requests.next_day_at(now)
        return (min(ends_at, self._closes_at) if self._closes_at > now else ends_at) - now

    def _kept_for_looks(self) -> int:
        """Requests of the day that creates must leave, so that live calls can be followed to their end."""
        return 5 + len(self.lines) // 10
