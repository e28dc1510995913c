"""Creates that were never answered, and how the list of calls settles them (RECOVERY's second decision table).

One scan serves every open doubt of an agent. A call found is bound; absence is believed only after several complete
scans, the last of them beyond the horizon; and even then the policy decides whether absence is enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from dialer.core.lifecycle import Attempt, LeadState
from dialer.core.messages import Look, PageSeen, Reconcile
from dialer.core.reconcile import (
    LATE_S,
    Evidence,
    Scan,
    SkewMeter,
    by_number,
    echoed_attempt,
    evidence,
    window,
)
from dialer.core.retry import RetryPolicy
from dialer.core.wire import Call

RETRIES_S: Final = (30.0, 120.0, 600.0, 1800.0, 3600.0, 21_600.0, 86_400.0)
"""Waits after scans that failed, and between late sweeps for unresolved contacts."""
REPEATS: Final = 3
REPEAT_S: Final = 2.0
"""An incomplete scan is repeated at once, this often and this far apart, before it counts as failed."""
GROUP_S: Final = 3600.0
"""Doubts whose windows lie this close share a scan."""
FIRST_LOOK_S: Final = 1.0


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
    """One unanswered create."""

    attempt: Attempt
    next_at: float
    scans: int = 0
    """Complete scans that did not show it, far enough apart."""
    last_scan_at: float = float("-inf")
    failures: int = 0
    incomplete: int = 0
    witnessed: bool = False
    judged: bool = False
    """A complete scan has been read for it since this runner started."""
    verified: dict[str, Call] = field(default_factory=dict)
    """Candidates whose details were asked for."""

    shift_s: float = 0.0
    """How far the clock was set since: moments of the attempt are moved by this to be compared with the present."""

    @property
    def intended_at(self) -> float:
        """When the create was intended, on the clock as it is now."""
        return self.attempt.intended_at + self.shift_s

    @property
    def gave_up_at(self) -> float:
        """When the answer was no longer awaited, on the clock as it is now."""
        gave_up_at = self.attempt.gave_up_at
        return self.intended_at if gave_up_at is None else gave_up_at + self.shift_s


class Doubts:
    """All open doubts of one runner."""

    def __init__(self, policy: RetryPolicy, meter: SkewMeter, restored: Iterable[Attempt], now: float) -> None:
        self._policy = policy
        self._meter = meter
        self._open = {attempt.key: Doubt(attempt, now) for attempt in restored}
        self._restored = list(self._open.values())
        self._scan: Scan | None = None
        self._group: list[Doubt] = []
        self._finished: Scan | None = None
        self._page_failures = 0
        self._unknown_agents: set[str] = set()
        self._asking = False
        self._scan_ids = 0
        self._looks: deque[str] = deque()
        self._awaited: dict[str, Doubt] = {}
        self._echoes = False

    def __len__(self) -> int:
        return len(self._open)

    @property
    def recovering(self) -> bool:
        """Whether doubts of an earlier run still wait for their first complete scan: nothing is dialed before."""
        self._restored = [
            doubt
            for doubt in self._restored
            if not doubt.judged
            and doubt.attempt.key in self._open
            and doubt.attempt.lead.state is LeadState.DIALING  # an unresolved one holds up its own number only
        ]
        return bool(self._restored)

    def unsettled(self) -> int:
        """Doubts whose contact still waits for a verdict; unresolved ones do not hold up the end of a run."""
        return sum(1 for doubt in self._open.values() if doubt.attempt.lead.state is LeadState.DIALING)

    def occupying(self, now: float) -> int:
        """Doubts that may hold a slot right now."""
        return sum(1 for doubt in self._open.values() if now < doubt.gave_up_at + LATE_S)

    def add(self, attempt: Attempt, now: float) -> None:
        """A create was not answered."""
        self._open[attempt.key] = Doubt(attempt, now + FIRST_LOOK_S)

    def drop(self, attempt: Attempt) -> None:
        """The doubt is settled."""
        self._open.pop(attempt.key, None)

    def park(self, attempt: Attempt, now: float) -> None:
        """The contact is unresolved now: keep looking, but seldom."""
        doubt = self._open.get(attempt.key)
        if doubt is not None:
            doubt.attempt = attempt
            self._later(doubt, now)

    def shift(self, by_s: float) -> None:
        """This machine's clock was set; what the API's clock shows did not move."""
        self._meter.forget()
        for doubt in self._open.values():
            doubt.shift_s += by_s
            doubt.next_at += by_s
            doubt.last_scan_at += by_s

    def learn(self, call: Call) -> None:
        """A call of ours: does the API give metadata back?"""
        self._echoes = self._echoes or echoed_attempt(call) is not None

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
        return min((doubt.next_at for doubt in self._open.values()), default=float("inf"))

    def next_due(self) -> float:
        """When the next scan is planned."""
        return min((doubt.next_at for doubt in self._open.values()), default=float("inf"))

    def _begin(self, now: float) -> None:
        first = min(self._open.values(), key=lambda doubt: doubt.next_at, default=None)
        if first is None or first.next_at > now:
            return
        skew = self._meter.skew
        self._group = [
            doubt
            for doubt in self._open.values()
            if doubt.attempt.agent_id == first.attempt.agent_id
            and abs(doubt.intended_at - first.intended_at) <= GROUP_S
        ]
        windows = [window(doubt.intended_at, doubt.gave_up_at, skew) for doubt in self._group]
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
            doubt.next_at = now  # all candidates are known now: let the next scan judge
        return None

    def _judge(self, doubt: Doubt, scan: Scan, calls: dict[str, list[Call]], now: float) -> Bound | Absent | None:
        attempt = doubt.attempt
        when = window(doubt.intended_at, doubt.gave_up_at, self._meter.skew)
        found = evidence(attempt.lead.phone, attempt.agent_id, when, calls, scan.bound)
        known = [doubt.verified.get(call.id, call) for call in found.candidates]
        exact = [call for call in known if echoed_attempt(call) == attempt.key]
        if exact:
            return Bound(attempt, exact[0])
        if not scan.complete:
            doubt.incomplete += 1
            if doubt.incomplete % REPEATS:
                doubt.next_at = now + REPEAT_S
            else:
                self._later(doubt, now)
            return None
        doubt.judged = True
        if self._echoes:  # what is not labelled yet may be labelled when it has ended
            doubt.verified = {call_id: call for call_id, call in doubt.verified.items() if call.ended}
        candidates = self._not_foreign(doubt, known)
        unseen = [call for call in candidates if call.id not in doubt.verified]
        if unseen:
            for call in unseen:
                self._awaited[call.id] = doubt
                self._looks.append(call.id)
            doubt.next_at = now + RETRIES_S[0]
            return None
        if candidates:
            return Bound(attempt, candidates[0], tuple(candidates[1:]))
        return self._absent(doubt, scan, found, now)

    def _not_foreign(self, doubt: Doubt, calls: list[Call]) -> list[Call]:
        """Without the calls whose metadata shows that they are not this attempt's."""
        return [
            call for call in calls if echoed_attempt(call) is None and not (self._echoes and call.id in doubt.verified)
        ]

    def _absent(self, doubt: Doubt, scan: Scan, found: Evidence, now: float) -> Absent | None:
        policy = self._policy
        late_enough = scan.started_at >= doubt.gave_up_at + policy.horizon_s
        if not found.undated and now - doubt.last_scan_at >= policy.scan_gap_s:
            doubt.scans += 1
            doubt.last_scan_at = now
        doubt.witnessed = doubt.witnessed or self._witness(doubt, scan)
        if doubt.attempt.lead.state is not LeadState.DIALING:
            self._later(doubt, now)
            return None
        doubt.failures = 0
        if late_enough and (doubt.scans >= policy.scans or found.undated):
            return Absent(doubt.attempt, doubt.witnessed and not found.undated)
        doubt.next_at = now + policy.scan_gap_s
        if doubt.scans >= policy.scans - 1:
            doubt.next_at = max(doubt.next_at, doubt.gave_up_at + policy.horizon_s)
        return None

    def _witness(self, doubt: Doubt, scan: Scan) -> bool:
        after = doubt.gave_up_at + self._meter.skew.high_s
        return any(
            call.id in scan.bound and call.created_at is not None and call.created_at.timestamp() > after
            for call in scan.calls.values()
        )

    def _later(self, doubt: Doubt, now: float) -> None:
        doubt.next_at = now + RETRIES_S[min(doubt.failures, len(RETRIES_S) - 1)]
        doubt.failures += 1
