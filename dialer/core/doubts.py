"""Creates that were never answered, and how the list of calls settles them (RECOVERY's second decision table).

One scan serves every open doubt of an agent. A call found is bound; absence is believed only after several complete
scans, the last of them beyond the horizon; and even then the policy decides whether absence is enough.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from dialer.core.lifecycle import Attempt, LeadState
from dialer.core.messages import Look, PageSeen, Reconcile
from dialer.core.reconcile import (
    LATE_S,
    Evidence,
    Scan,
    Skew,
    SkewMeter,
    Window,
    by_number,
    echoed_attempt,
    evidence,
    window,
)
from dialer.core.retry import RetryPolicy
from dialer.core.wire import Call

RETRIES_S: Final = (30.0, 120.0, 600.0, 1800.0, 3600.0, 21_600.0, 86_400.0)
"""Waits after scans that failed, and between late sweeps for unresolved contacts."""
RETRIES_FOR_S: Final = 1800.0
"""They fit a horizon of this length; a rehearsal with a shorter one waits less."""
REPEATS: Final = 3
PATIENCE: Final = 2 * REPEATS
"""A list that never adds up holds up nobody for ever: after so many scans it may show a call, but proves no absence."""
REPEAT_S: Final = 2.0
"""An incomplete scan is repeated at once, this often and this far apart, before it counts as failed."""
GROUP_S: Final = 3600.0
"""Doubts whose windows lie this close share a scan."""
FIRST_LOOK_S: Final = 1.0
MOST_VAGUE: Final = 20
"""So many calls without a number or a time are looked at singly, in the hope that their metadata tells."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The call of an unanswered create. ``others`` may be it as well: the list shows more calls than creates."""

    attempt: Attempt
    call: Call
    others: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """Absent as far as a list can prove it. ``witnessed``: a later call of ours shows that the list is up to date."""

    attempt: Attempt
    witnessed: bool


@dataclass(slots=True)
class Doubt:
    """One unanswered create. What is measured against the API's list is kept on the API's clock, so that setting ours,
    within a run or between two, moves nothing."""

    attempt: Attempt
    next_at: float
    from_api: float
    """When the create left at the earliest, on the API's clock."""
    to_api: float
    """When its answer was no longer awaited at the latest, on the API's clock."""
    waits_from_api: float
    """When the horizon begins: as ``to_api``, or when a call that was accepted went missing."""
    occupies_until: float
    """Until when it may hold a slot, on our clock."""
    intended_at: float
    gave_up_at: float
    """On our clock."""
    fresh_from: float
    """What the list showed before this moment of our clock is not its call; no such moment for an earlier run's."""
    scans: int = 0
    """Complete scans that did not show it, far enough apart."""
    last_scan_at: float = float("-inf")
    failures: int = 0
    incomplete: int = 0
    witnessed: bool = False
    verified: dict[str, Call] = field(default_factory=dict)
    """Candidates whose details were asked for."""

    @property
    def dialing(self) -> bool:
        """Whether its contact still waits for a verdict."""
        return self.attempt.lead.state is LeadState.DIALING


class Doubts:
    """All open doubts of one runner. Nothing that is asked in every turn grows with their number."""

    def __init__(
        self,
        policy: RetryPolicy,
        meter: SkewMeter,
        restored: Iterable[Attempt],
        now: float,
        seen_before: Callable[[str, float], bool] = lambda _call, _at: False,
    ) -> None:
        """``seen_before`` tells whether the list showed a call before a moment of our clock."""
        self._policy = policy
        self._meter = meter
        self._seen_before = seen_before
        self._late_s = min(LATE_S, policy.horizon_s)
        scale = min(1.0, policy.horizon_s / RETRIES_FOR_S)
        self._retries_s = tuple(max(1.0, wait_s * scale) for wait_s in RETRIES_S)
        self._open: dict[str, Doubt] = {}
        self._unsettled: set[str] = set()
        self._unjudged: set[str] = set()
        self._wanted: set[str] = set()
        self._schedule: list[tuple[float, str]] = []
        self._occupying: list[tuple[float, str]] = []
        self._scan: Scan | None = None
        self._group: list[Doubt] = []
        self._finished: Scan | None = None
        self._page_failures = 0
        self._unknown_agents: set[str] = set()
        self._asking = False
        self._scan_ids = 0
        self._looks: deque[str] = deque()
        self._awaited: dict[str, Doubt] = {}
        self.echoes: bool | None = None
        """Whether the API gives our metadata back; None while nobody knows."""
        self._began_at = float("inf")
        for attempt in restored:
            self._put(attempt, now, now)
            if attempt.lead.state is LeadState.DIALING:
                self._unjudged.add(attempt.key)
        self._began_at = float("-inf")  # whatever comes from now on is this run's

    def __len__(self) -> int:
        return len(self._open)

    @property
    def recovering(self) -> bool:
        """Whether doubts of an earlier run still wait for their first complete scan: nothing is dialed before.

        An unresolved one holds up its own number only.
        """
        return bool(self._unjudged)

    def unsettled(self) -> int:
        """Doubts whose contact still waits for a verdict; unresolved ones do not hold up the end of a run."""
        return len(self._unsettled)

    def occupying(self, now: float) -> int:
        """Doubts that may hold a slot right now."""
        while self._occupying and (self._occupying[0][0] <= now or self._occupying[0][1] not in self._open):
            heapq.heappop(self._occupying)
        return len(self._occupying)

    def add(self, attempt: Attempt, now: float) -> None:
        """A create was not answered, or the call it was answered with is not to be found."""
        self._put(attempt, now + FIRST_LOOK_S, now)

    def _put(self, attempt: Attempt, next_at: float, now: float) -> None:
        gave_up_at = attempt.intended_at if attempt.gave_up_at is None else attempt.gave_up_at
        skew = self._meter.skew  # of now: all that is known where nothing was known then
        if attempt.skew_low_s is not None and attempt.skew_high_s is not None:
            skew = Skew(attempt.skew_low_s, attempt.skew_high_s)
        to_api = gave_up_at + skew.high_s
        waits_from = max(to_api, now + self._meter.skew.low_s) if attempt.was_accepted else to_api
        doubt = self._open[attempt.key] = Doubt(
            attempt,
            next_at,
            from_api=attempt.intended_at + skew.low_s,
            to_api=to_api,
            waits_from_api=waits_from,
            occupies_until=min(gave_up_at, now) + self._late_s,
            intended_at=attempt.intended_at,
            gave_up_at=gave_up_at,
            fresh_from=attempt.intended_at if attempt.intended_at >= self._began_at else float("-inf"),
        )
        if doubt.dialing:
            self._unsettled.add(attempt.key)
        heapq.heappush(self._schedule, (next_at, attempt.key))
        heapq.heappush(self._occupying, (doubt.occupies_until, attempt.key))

    def drop(self, attempt: Attempt) -> None:
        """The doubt is settled."""
        self._open.pop(attempt.key, None)
        self._unsettled.discard(attempt.key)
        self._unjudged.discard(attempt.key)
        self._wanted.discard(attempt.key)

    def look_now(self, now: float) -> None:
        """Somebody wants to know: every open doubt, unresolved ones too, gets a scan now."""
        for doubt in self._open.values():
            self._wanted.add(doubt.attempt.key)
            self._at(doubt, now)

    def looking(self) -> bool:
        """Whether doubts that :meth:`look_now` planned still wait for a scan that judges them, or fails."""
        return bool(self._wanted)

    def park(self, attempt: Attempt, now: float) -> None:
        """The contact is unresolved now: keep looking, but seldom."""
        doubt = self._open.get(attempt.key)
        if doubt is not None:
            doubt.attempt = attempt
            self._unsettled.discard(attempt.key)
            self._unjudged.discard(attempt.key)
            self._later(doubt, now)

    def shift(self, by_s: float) -> None:
        """This machine's clock was set; what the API's clock shows did not move."""
        known = self._meter.known is not None
        self._meter.forget()
        for doubt in self._open.values():
            doubt.next_at += by_s
            doubt.last_scan_at += by_s
            doubt.occupies_until += by_s
            doubt.intended_at += by_s
            doubt.gave_up_at += by_s
            doubt.fresh_from += by_s
            if not known and doubt.attempt.skew_low_s is None:  # drawn by our own clock, for want of another
                doubt.from_api += by_s
                doubt.to_api += by_s
                doubt.waits_from_api += by_s
        self._schedule = [(doubt.next_at, key) for key, doubt in self._open.items()]
        self._occupying = [(doubt.occupies_until, key) for key, doubt in self._open.items()]
        heapq.heapify(self._schedule)
        heapq.heapify(self._occupying)

    def learn(self, call: Call, *, ours: bool) -> None:
        """The details of a call: does the API give metadata back? ``ours``: we gave it some."""
        if echoed_attempt(call) is not None:
            self.echoes = True
        elif ours and self.echoes is None and call.ended:  # what is not shown of a live call may be shown later
            self.echoes = False

    # --- asking -----------------------------------------------------------------------------------------------------

    def next_order(self, now: float) -> Reconcile | Look | None:
        """The next request that settles something."""
        if self._looks:
            return Look(self._looks.popleft())
        if self._asking:
            return None
        if self._scan is None:
            self._begin(now)
        if self._scan is None:
            return None
        self._asking = True
        scan = self._scan
        agent_id = None if scan.agent_id in self._unknown_agents else scan.agent_id
        return Reconcile(scan.id, agent_id, scan.from_at, scan.to_at, scan.page)

    def wake_at(self) -> float:
        """When :meth:`next_order` may have something, if no fact comes before."""
        if self._looks or (self._scan is not None and not self._asking):
            return float("-inf")
        if self._asking:
            return float("inf")
        return self.next_due()

    def next_due(self) -> float:
        """When the next scan is planned."""
        schedule = self._schedule
        while schedule:
            moment, key = schedule[0]
            doubt = self._open.get(key)
            if doubt is not None and doubt.next_at == moment:
                return moment
            heapq.heappop(schedule)
        return float("inf")

    def _at(self, doubt: Doubt, moment: float) -> None:
        """Plan the next scan for a doubt."""
        doubt.next_at = moment
        heapq.heappush(self._schedule, (moment, doubt.attempt.key))

    def _begin(self, now: float) -> None:
        if self.next_due() > now:
            return
        first = self._open[self._schedule[0][1]]
        skew = self._meter.skew
        self._group = [
            doubt
            for doubt in self._open.values()
            if doubt.attempt.agent_id == first.attempt.agent_id
            and abs(doubt.from_api - first.from_api) <= GROUP_S
            and (doubt.dialing or doubt.next_at <= now or not first.dialing)
        ]
        windows = [self._window(doubt) for doubt in self._group]
        low, high = min(item.low for item in windows), max(item.high for item in windows)
        self._scan_ids += 1
        self._page_failures = 0
        self._scan = Scan(
            id=self._scan_ids,
            agent_id=first.attempt.agent_id,
            from_at=low - 86_400.0,
            to_at=min(now + skew.high_s, high) + 86_400.0,
            relevant_from=low,
            started_at=now,
        )

    def _span(self, doubt: Doubt) -> tuple[float, float]:
        """When the create can have left, on whichever of the API's clocks writes the list."""
        made = self._meter.made
        if made is None:
            return doubt.from_api, doubt.to_api
        low, high = doubt.intended_at + made.low_s, doubt.gave_up_at + made.high_s
        return min(doubt.from_api, low), max(doubt.to_api, high)

    def _window(self, doubt: Doubt) -> Window:
        return window(*self._span(doubt), self._late_s)

    # --- absorbing --------------------------------------------------------------------------------------------------

    def failed(self, order: Reconcile, now: float, *, soon: bool) -> None:
        """A page of a scan did not come: ask again, and after a few times begin anew, later."""
        self._asking = False
        if self._scan is None or self._scan.id != order.scan or soon:
            return  # where only the limit was in the way, the same page is asked for again
        self._page_failures += 1
        if self._page_failures < REPEATS:
            return
        for doubt in self._group:
            self._later(doubt, now)
        self._scan, self._group = None, []

    def agent_unknown(self, agent_id: str) -> None:
        """The API does not know an agent (any more): its calls are looked for without that filter."""
        self._unknown_agents.add(agent_id)

    def look_failed(self, call_id: str, now: float) -> None:
        """A candidate's details did not come: the next scan asks again."""
        doubt = self._awaited.pop(call_id, None)
        if doubt is not None:
            self._later(doubt, now)

    def absorb_page(self, fact: PageSeen, now: float) -> list[Bound | Absent]:
        """A page of the running scan; at its end, what it proves."""
        self._asking = False
        scan = self._scan
        if scan is None or fact.scan != scan.id:
            return []
        self._page_failures = 0
        scan.absorb(fact.page, fact.bound)
        if not scan.done:
            return []
        group, self._group, self._scan, self._finished = self._group, [], None, scan
        calls = by_number(scan.calls.values())
        verdicts: list[Bound | Absent] = []
        for doubt in group:
            if doubt.attempt.key in self._open:
                found = self._judge(doubt, scan, calls, now)
                verdicts += [found] if found else []
        return verdicts

    def take_finished(self) -> Scan | None:
        """The scan that has just come to its end, once: for the journal."""
        scan, self._finished = self._finished, None
        return scan

    def absorb_look(self, call: Call, now: float) -> Bound | None:
        """The details of a candidate, asked for to see whether its metadata names the attempt."""
        doubt = self._awaited.pop(call.id, None)
        if doubt is None or doubt.attempt.key not in self._open:
            return None
        doubt.verified[call.id] = call
        if echoed_attempt(call) == doubt.attempt.key:
            return Bound(doubt.attempt, call)
        if not any(waiting is doubt for waiting in self._awaited.values()):
            self._at(doubt, now)  # all candidates are known now: let the next scan judge
        return None

    def _judge(self, doubt: Doubt, scan: Scan, calls: dict[str, list[Call]], now: float) -> Bound | Absent | None:
        attempt = doubt.attempt
        found = evidence(attempt.lead.phone, attempt.agent_id, self._window(doubt), calls, scan.bound)
        fresh = [call for call in found.candidates if not self._seen_before(call.id, doubt.fresh_from)]
        known = [doubt.verified.get(call.id, call) for call in fresh]
        vague = [doubt.verified.get(call.id, call) for call in found.vague[:MOST_VAGUE]]
        exact = [call for call in (*known, *vague) if echoed_attempt(call) == attempt.key]
        if exact:
            return Bound(attempt, exact[0])
        if not scan.complete:
            doubt.incomplete += 1
            if doubt.incomplete % REPEATS:
                self._at(doubt, now + REPEAT_S)
                return None
            if doubt.incomplete < PATIENCE:
                self._later(doubt, now)
                return None
        self._unjudged.discard(attempt.key)
        if self.echoes:  # what is not labelled yet may be labelled when it has ended
            doubt.verified = {call_id: call for call_id, call in doubt.verified.items() if call.ended}
        candidates = self._not_foreign(doubt, known)
        asked_for = [] if self.echoes is False else [*candidates, *vague]
        unseen = [call for call in asked_for if call.id not in doubt.verified and echoed_attempt(call) is None]
        if unseen:
            for call in unseen:
                self._awaited[call.id] = doubt
                self._looks.append(call.id)
            self._at(doubt, now + self._retries_s[0])
            return None
        if candidates:
            return Bound(attempt, candidates[0], tuple(candidates[1:]))
        return self._absent(doubt, scan, found, now)

    def _not_foreign(self, doubt: Doubt, calls: list[Call]) -> list[Call]:
        """Without the calls whose metadata shows that they are not this attempt's."""
        return [
            call for call in calls if echoed_attempt(call) is None and not (self.echoes and call.id in doubt.verified)
        ]

    def _absent(self, doubt: Doubt, scan: Scan, found: Evidence, now: float) -> Absent | None:
        policy = self._policy
        self._wanted.discard(doubt.attempt.key)
        began_api = scan.started_at + self._meter.skew.low_s
        late_enough = began_api >= doubt.waits_from_api + policy.horizon_s
        if scan.complete and not found.undated and now - doubt.last_scan_at >= policy.scan_gap_s:
            doubt.scans += 1
            doubt.last_scan_at = now
        doubt.witnessed = doubt.witnessed or self._witness(doubt, scan)
        if not doubt.dialing:
            self._later(doubt, now)
            return None
        doubt.failures = 0
        proves = scan.complete and not found.undated
        if late_enough and (doubt.scans >= policy.scans or not proves):
            return Absent(doubt.attempt, doubt.witnessed and proves)
        next_at = now + policy.scan_gap_s
        if doubt.scans >= policy.scans - 1:
            horizon_at = doubt.waits_from_api + policy.horizon_s - self._meter.skew.low_s
            next_at = max(next_at, horizon_at + 0.001)
        self._at(doubt, next_at)
        return None

    def _witness(self, doubt: Doubt, scan: Scan) -> bool:
        after = self._span(doubt)[1]
        return any(
            call.id in scan.bound and call.created_at is not None and call.created_at.timestamp() > after
            for call in scan.calls.values()
        )

    def _later(self, doubt: Doubt, now: float) -> None:
        self._wanted.discard(doubt.attempt.key)
        wait_s = self._retries_s[min(doubt.failures, len(self._retries_s) - 1)]
        doubt.failures += 1
        self._at(doubt, now + wait_s)
