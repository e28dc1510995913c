"""The one loop: plan, commit, act, absorb. Nothing is done that is not yet written.

Starting and resuming are the same thing: the ledger says what was intended, the list of calls says what became of it,
and the switchboard goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import anyio
from anyio.abc import TaskGroup

from dialer.client import CallsClient
from dialer.client.headers import AnswerNote
from dialer.core.campaign import Campaign
from dialer.core.errors import RATE_LIMITED, ExitCode, LedgerHeld
from dialer.core.lifecycle import LeadState
from dialer.core.messages import (
    Accepted,
    AllowanceTold,
    Change,
    ClockSet,
    Fact,
    HoldWished,
    Learn,
    MarkDoubted,
    MarkPlaced,
    MarkUncertain,
    MarkVoid,
    NotAccepted,
    Note,
    Order,
    PageSeen,
    Place,
    Postpone,
    PostponeLead,
    RequestFailed,
    ServerClock,
    Spend,
    Stranger,
    Walk,
)
from dialer.core.reconcile import SEND_WITHIN_S
from dialer.core.switchboard import BATCH, Switchboard
from dialer.ledger import CampaignRecord, Ledger
from dialer.runner.act import carry_out
from dialer.runner.clock import Clock
from dialer.runner.gate import Gate
from dialer.runner.watch import Snapshot, Unwatched, Watch

PROGRESS_EVERY_S: Final = 0.2
LONGEST_NAP_S: Final = 60.0
"""The loop looks around at least this often: a machine that slept, or a clock that was set, is noticed."""
NOTEWORTHY_S: Final = 2.0
CLOCK_SET_S: Final = 5.0
KNOWN_CALLS: Final = 20_000
_MOVES_NOBODY: Final = (Spend, Note, Learn, Walk, MarkPlaced, MarkUncertain)
"""After these, the same contacts are due as before."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: its exit code, and one line for the user where there is something to say."""

    exit_code: ExitCode
    reason: str
    snapshot: Snapshot


class Runner:
    """Runs one campaign until nothing is left to do, or until it is stopped."""

    def __init__(
        self,
        campaign: Campaign,
        record: CampaignRecord,
        ledger: Ledger,
        client: CallsClient,
        *,
        account: str,
        clock: Clock,
        watch: Watch | None = None,
        wait: bool = True,
        limit: int | None = None,
        only: str | None = None,
        look_only: bool = False,
    ) -> None:
        """``wait=False`` ends the run where it would wait; ``limit`` and ``only`` bound what it places.

        ``look_only`` places nothing: every open doubt gets one scan, and what is live is followed to its end.
        """
        self._campaign = campaign
        self._record = record
        self._ledger = ledger
        self._client = client
        self._account = account
        self._clock = clock
        self._watch = watch or Unwatched()
        self._wait = wait
        self._limit = limit
        self._only = only
        self._gate = Gate(campaign.api.requests_per_minute)
        now = clock.wall()
        restored = ledger.restore(record.id, account, now, SEND_WITHIN_S + campaign.api.timeout)
        self.board = Switchboard(campaign.rules(), restored, now, workspace=ledger.workspace)
        if look_only:
            self.board.look_again(now)
        self._started_at = now
        self._clocks = (now, clock.boot())
        self._inbox: list[Fact] = []
        self._known: dict[str, None] = {}
        self._woken = anyio.Event()
        self._scope = anyio.CancelScope()
        self._soonest = ledger.next_due(record.id, only)
        """When the next contact is or was due, as of the last commit. Nobody else writes to this ledger."""
        self._next_due: float | None = None
        self._asked_to_stop = False
        self._again = False
        self._told_doubt = False
        self._told_at = float("-inf")
        self._told_idle: float | None = None
        client.on_note = self._heard

    def stop(self) -> None:
        """No new calls: the live ones are followed to their end. The second time: leave at once."""
        if self._asked_to_stop:
            self._scope.cancel()
            return
        self._asked_to_stop = True
        self.board.stop()
        self._watch.notice(
            f"Stopping: no new calls, {self.board.live} live ones are followed to their end. Again to leave at once."
        )
        self._woken.set()

    async def run(self) -> RunResult:
        """The loop. Raises :class:`~dialer.core.errors.LedgerUnusable` if the ledger cannot be written any more."""
        with self._scope:
            async with anyio.create_task_group() as tasks:
                while not await self._turn(tasks):
                    await self._rest()
                tasks.cancel_scope.cancel()
        return self._result()

    # --- one turn ---------------------------------------------------------------------------------------------------

    async def _turn(self, tasks: TaskGroup) -> bool:
        """Absorb, plan, commit, act. Returns whether the run is over."""
        now = self._clock.wall()
        if not self._ledger.held:
            raise LedgerHeld("the ledger's lock was taken away; no call is placed without it. Run again to go on")
        self._woken = anyio.Event()
        facts, self._inbox = [*self._clock_facts(), *self._inbox], []
        for fact in facts:
            self.board.absorb(self._checked(fact), now)
        tickets = self._gate.free()
        self._offer(now, tickets)
        orders = self.board.plan(now, tickets)
        changes = self.board.take_changes()
        self._ledger.commit(self._record.id, self._account, changes)
        if self._ledger.full:
            self.board.withdraw(orders, now)
            orders = [order for order in orders if not isinstance(order, Place)]
            changes += self._withdrawn()
        for change in changes:
            if isinstance(change, MarkDoubted) and change.attempt.call_id is not None:
                self._known.pop(change.attempt.call_id, None)
        moved = any(
            isinstance(change, Postpone | PostponeLead)
            or (isinstance(change, MarkVoid) and change.goes_on_to is not None)
            for change in changes
        )
        self._again = moved or self.board.passed_over  # others may be due
        self._tell_doubts(changes)
        self._look_ahead(now, changes)
        await self._gate.take(len(orders))
        committed_at = self._clock.boot()
        for order in orders:
            tasks.start_soon(self._act, order, committed_at)
        self._tell(now)
        return not orders and not self._inbox and (self.board.finished(now) or self._nothing_now(now))

    def _withdrawn(self) -> list[Change]:
        changes = self.board.take_changes()
        self._ledger.commit(self._record.id, self._account, changes)
        return changes

    def _clock_facts(self) -> list[Fact]:
        """Whether the wall clock was set since the last turn; a machine that slept is no such case."""
        wall, boot = self._clock.wall(), self._clock.boot()
        (wall_before, boot_before), self._clocks = self._clocks, (wall, boot)
        by_s = (wall - wall_before) - (boot - boot_before)
        if abs(by_s) <= CLOCK_SET_S:
            return []
        self._watch.notice(f"This machine's clock was set by {by_s:+.0f} s; check it: calling hours go by it.")
        return [ClockSet(by_s)]

    def _checked(self, fact: Fact) -> Fact:
        """Facts that name calls, with what the ledger knows of those calls."""
        if isinstance(fact, Accepted):
            return replace(fact, known=bool(self._ledger.bound([fact.call.id])))
        if isinstance(fact, PageSeen):
            bound = self._bound(fact)
            return replace(fact, bound=bound, strangers=self._strangers(fact, bound))
        return fact

    def _bound(self, fact: PageSeen) -> frozenset[str]:
        """The calls of a page that attempts hold; what is held stays so until it is let go: only news are asked for."""
        ids = [call.id for call in fact.page.calls]
        known = frozenset(ids) & self._known.keys()
        news = [call_id for call_id in ids if call_id not in known]
        if not news:
            return known
        found = self._ledger.bound(news)
        self._known.update(dict.fromkeys(found))
        while len(self._known) > KNOWN_CALLS:
            del self._known[next(iter(self._known))]
        return known | found

    def _strangers(self, fact: PageSeen, bound: frozenset[str]) -> tuple[Stranger, ...]:
        """Calls to our contacts that no attempt holds."""
        calls = [call for call in fact.page.calls if call.id not in bound and call.phone_number]
        if not calls:
            return ()
        leads = self._ledger.leads_of(self._record.id, {call.phone_number or "" for call in calls})
        return tuple(Stranger(call, leads[call.phone_number]) for call in calls if call.phone_number in leads)

    def _offer(self, now: float, tickets: int) -> None:
        wanted = min(self.board.wanted(now), tickets, self._limit_left())
        if not wanted or not self._due(now):
            return
        leads = self._ledger.claim(self._record.id, now, wanted, self._only, self.board.agents.held(now))
        self.board.offer(leads)

    def _tell_doubts(self, changes: list[Change]) -> None:
        doubts = [change for change in changes if isinstance(change, MarkUncertain)]
        if doubts and not self._told_doubt:
            self._told_doubt = True
            self._watch.in_doubt(doubts[0].reason, doubts[0].gave_up_at + self._campaign.retry.uncertain_horizon)

    def _due(self, now: float) -> bool:
        return self._soonest is not None and self._soonest <= now

    def _look_ahead(self, now: float, changes: Sequence[Change]) -> None:
        """Whether contacts are due, and if none is, when the next one will be: asked when everything is written, and
        only where something was written that may have moved one."""
        if not all(isinstance(change, _MOVES_NOBODY) for change in changes):
            self._soonest = self._ledger.next_due(self._record.id, self._only)
        self.board.backlog = self._due(now)
        self._next_due = None if self.board.backlog else self._soonest
        if self._only is not None and self._next_due is None and not self.board.backlog and not self.board.live:
            self.board.stop()

    def _limit_left(self) -> int:
        if self._limit is None:
            return BATCH
        left = self._limit - self.board.tally.charged
        if left <= 0:
            self.board.stop()
        return max(left, 0)

    async def _act(self, order: Order, committed_at: float) -> None:
        def may_send() -> bool:
            slept = self._clock.boot() - committed_at
            stale = isinstance(order, Place) and self._clock.wall() - order.intended_at > SEND_WITHIN_S
            return slept <= SEND_WITHIN_S and not stale and self._ledger.held

        fact = await carry_out(order, self._client, self._clock.wall, may_send)
        if isinstance(fact, NotAccepted | RequestFailed) and fact.error.code == RATE_LIMITED:
            self._gate.limited()
        self._inbox.append(fact)  # not in one line: the loop may have exchanged the inbox while we waited
        self._woken.set()

    def hear(self, note: AnswerNote) -> None:
        """What the headers of an answer said that came before this runner was there: that request counts as well."""
        self._gate.left(1)
        self._heard(note)

    def _heard(self, note: AnswerNote) -> None:
        if note.skew_low_s is not None and note.skew_high_s is not None:
            self._inbox.append(ServerClock(note.skew_low_s, note.skew_high_s))
        if note.hold_s is not None:
            self._inbox.append(HoldWished(self._clock.wall() + note.hold_s))
        if note.allowance is not None:
            reset_at = self._clock.wall() + note.allowance.reset_s
            self._inbox.append(AllowanceTold(note.allowance.left, reset_at))

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """Wait for an answer, for the next moment that matters, or for the next request to be allowed."""
        now = self._clock.wall()
        if self._inbox or (self._again and self.board.backlog):
            return
        nap_s = self._gate.next_in_s()
        if self._gate.free():
            nap_s = min(max(self._wake_at(now) - now, 0.001), LONGEST_NAP_S)
        with anyio.move_on_after(nap_s):
            await self._woken.wait()

    def _wake_at(self, now: float) -> float:
        wake_at = self.board.wake_at(now)
        if self._next_due is not None and not self.board.stopping and self.board.halt is None:
            opens_at = self.board.requests.opens_at(now)
            wake_at = min(wake_at, max(self._next_due, opens_at))
        return wake_at

    def _idle_until(self, now: float) -> float | None:
        """When there will be something to do, if nothing is live and nothing is due, or the day's requests are used."""
        if self.board.out_of_quota():
            return self.board.requests.next_day_at(now)
        if self.board.live or self.board.backlog or self.board.recovering or self._inbox:
            return None
        moments = [self.board.doubts.next_due()] if self.board.doubts.unsettled() else []
        if self._next_due is not None:
            moments.append(self._next_due)
        soonest = max(min(moments, default=float("inf")), self.board.requests.opens_at(now))
        return soonest if now + NOTEWORTHY_S < soonest < float("inf") else None

    def _nothing_now(self, now: float) -> bool:
        if self.board.doubts.looking() and not self.board.out_of_quota():
            return False
        return not self._wait and self._idle_until(now) is not None

    # --- telling ----------------------------------------------------------------------------------------------------

    def _tell(self, now: float) -> None:
        if now - self._told_at < PROGRESS_EVERY_S and now >= self._told_at:
            return
        self._told_at = now
        snapshot = self.snapshot(now)
        self._watch.progress(snapshot)
        if snapshot.idle_until is not None and snapshot.idle_until != self._told_idle and self._wait:
            self._told_idle = snapshot.idle_until
            self._watch.idle(snapshot.idle_until)

    def snapshot(self, now: float) -> Snapshot:
        """Where the campaign stands."""
        board = self.board
        return Snapshot(
            at=now,
            contacts=sum(board.counts.values()),
            done=board.settled(),
            live=board.live,
            slots=board.slots.ceiling(),
            placed=board.tally.placed,
            waiting=board.counts[LeadState.WAITING],
            queued=board.counts[LeadState.QUEUED],
            in_doubt=board.doubts.unsettled(),
            next_due_at=self._next_due,
            spent=board.purse.spent,
            requests=board.tally.requests,
            creates=board.tally.creates,
            refused_for_slots=board.tally.refused_for_slots,
            started_at=self._started_at,
            stopping=board.stopping,
            idle_until=self._idle_until(now),
        )

    def _result(self) -> RunResult:
        board = self.board
        snapshot = self.snapshot(self._clock.wall())
        if board.halt is not None:
            return RunResult(board.halt.exit_code, board.halt.reason, snapshot)
        left = board.due_left() + board.live + board.doubts.unsettled()
        if left:
            return RunResult(ExitCode.WORK_LEFT, "", snapshot)
        unresolved = board.counts[LeadState.UNRESOLVED]
        return RunResult(ExitCode.UNRESOLVED if unresolved else ExitCode.DONE, "", snapshot)
