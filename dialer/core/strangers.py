"""Calls in the list to our own contacts that no attempt holds: another host, a restored ledger, or a late placement.

A person who was called is not called again only because this ledger does not know of it. So a stranger that may belong
to this campaign is taken in as an attempt like any other. What the API's metadata names as another campaign's, or as
nobody's of ours where it names ours, is left alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from dialer.core.lifecycle import DUE_LEADS, Lead, LeadState
from dialer.core.messages import Look
from dialer.core.messages import Stranger as Seen
from dialer.core.reconcile import ATTEMPT_KEY, CAMPAIGN_KEY, SLACK_S, SkewMeter
from dialer.core.wire import Call

FRESH_S: Final = 600.0
"""A stranger younger than this was made by somebody who may be dialing this very list right now."""
LOOKS: Final = 3
_KEPT: Final = 20_000


class Kind(Enum):
    """Whose a stranger is."""

    OURS = "ours"
    UNTOLD = "nobody tells"
    OTHERS = "others'"


@dataclass(slots=True)
class Candidate:
    """A stranger whose details are being asked for."""

    call: Call
    lead: Lead
    looks: int = 0


class Strangers:
    """The strangers of one runner."""

    def __init__(self, campaign: str, agents: frozenset[str], workspace: str, meter: SkewMeter) -> None:
        self._campaign = campaign
        self._agents = agents
        self._workspace = workspace
        self._meter = meter
        self._first_seen: dict[str, float] = {}
        self._candidates: dict[str, Candidate] = {}
        self._looks: deque[str] = deque()
        self._left_alone: set[str] = set()
        self._behind: dict[int, list[Call]] = {}
        """Strangers of a lead that is in a call, or is being looked into: one after the other, when that is over."""
        self._known: dict[str, None] = {}
        """Calls that this runner has bound to attempts, the latest."""

    def __len__(self) -> int:
        return len(self._candidates)

    def seen_before(self, call_id: str, moment: float) -> bool:
        """Whether a page had shown this call before ``moment`` (our clock): then no create of later made it."""
        return self._first_seen.get(call_id, float("inf")) < moment

    def is_candidate(self, lead_id: int) -> bool:
        """Whether a call to this lead is being looked into: it is not dialed until that is known."""
        return any(item.lead.id == lead_id for item in self._candidates.values())

    def bound(self, call_id: str) -> None:
        """The call is an attempt's: no stranger, even where a page that was asked for earlier shows it as one."""
        self._known[call_id] = None
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]

    def unbound(self, call_id: str) -> None:
        """It is not that attempt's call after all."""
        self._known.pop(call_id, None)

    def meet(self, seen: Seen, now: float, began_at: float | None) -> None:
        """A page shows a stranger: it is looked into, or waits until its lead's call is over."""
        call, lead = seen.call, seen.lead
        if call.id in self._known or call.id in self._left_alone or call.id in self._candidates:
            return
        if len(self._first_seen) < _KEPT:
            self._first_seen.setdefault(call.id, now)
        if not self._relevant(call, began_at):
            return
        if lead.state in DUE_LEADS and not self.is_candidate(lead.id) and lead.id not in self._behind:
            self._look_into(call, lead)
        elif lead.state in DUE_LEADS or lead.state is LeadState.DIALING:
            self._queue(call, lead.id)

    def _look_into(self, call: Call, lead: Lead) -> None:
        self._candidates[call.id] = Candidate(call, lead)
        self._looks.append(call.id)

    def _queue(self, call: Call, lead_id: int) -> None:
        waiting = self._behind.setdefault(lead_id, [])
        if all(other.id != call.id for other in waiting):
            waiting.append(call)
            waiting.sort(key=_created)

    def next_of(self, lead: Lead) -> list[Call]:
        """A stranger of this lead is dealt with, and ``lead`` is how it stands now: look into the next one.

        Returns those that can only be noted, because the lead is not due any more.
        """
        waiting = [call for call in self._behind.pop(lead.id, []) if call.id not in self._known]
        if lead.state not in DUE_LEADS:
            self._left_alone.update(call.id for call in waiting)
            return waiting
        if waiting:
            first, *rest = waiting
            self._look_into(first, lead)
            if rest:
                self._behind[lead.id] = rest
        return []

    def _relevant(self, call: Call, began_at: float | None) -> bool:
        if call.direction not in {None, "outbound"} or call.agent_id not in self._agents:
            return False
        if call.created_at is None or began_at is None:
            return False
        return call.created_at.timestamp() >= began_at + self._meter.skew.low_s - SLACK_S

    def next_look(self) -> Look | None:
        """The next stranger to look at."""
        while self._looks:
            call_id = self._looks.popleft()
            if call_id in self._candidates:
                self._candidates[call_id].looks += 1
                return Look(call_id)
        return None

    def look_failed(self, call_id: str) -> None:
        """The look brought nothing: again, or judge by what the list showed."""
        item = self._candidates.get(call_id)
        if item is not None:
            self._looks.append(call_id)

    def given_up(self, call_id: str) -> Candidate | None:
        """A stranger that was looked at often enough without an answer: it is judged by what the list showed."""
        item = self._candidates.get(call_id)
        if item is None or item.looks < LOOKS:
            return None
        return self._candidates.pop(call_id)

    def take(self, call: Call) -> Candidate | None:
        """The details of a candidate have come."""
        item = self._candidates.pop(call.id, None)
        if item is not None:
            item.call = call
        return item

    def waits(self, call_id: str, lead_id: int) -> bool:
        """Whether a stranger waits until its lead's call is over."""
        return any(call.id == call_id for call in self._behind.get(lead_id, ()))

    def hold(self, lead_id: int) -> None:
        """Its stranger was taken in and is followed: what else the list shows of it waits."""
        self._behind.setdefault(lead_id, [])

    def forget(self, lead_id: int) -> None:
        """The lead is settled otherwise: nothing more is looked into for it."""
        self._behind.pop(lead_id, None)
        for call_id in [call_id for call_id, item in self._candidates.items() if item.lead.id == lead_id]:
            del self._candidates[call_id]
            self._left_alone.add(call_id)

    def leave_alone(self, call_id: str) -> None:
        """It is none of ours, or accounted for otherwise."""
        self._left_alone.add(call_id)

    def kind(self, call: Call, *, echoes: bool) -> Kind:
        """Whose the call is, as its metadata tells. ``echoes``: this API gives our metadata back."""
        said = call.metadata or {}
        attempt, campaign = said.get(ATTEMPT_KEY), said.get(CAMPAIGN_KEY)
        if campaign == self._campaign or (isinstance(attempt, str) and attempt.startswith(self._workspace)):
            return Kind.OURS if campaign in {None, self._campaign} else Kind.OTHERS
        if campaign is not None or attempt is not None or said or echoes:
            return Kind.OTHERS
        return Kind.UNTOLD

    def fresh(self, call: Call, now: float) -> bool:
        """Whether the call was made just now."""
        return call.created_at is not None and call.created_at.timestamp() > now + self._meter.skew.low_s - FRESH_S

    def shift(self, by_s: float) -> None:
        """This machine's clock was set."""
        self._first_seen = {call_id: at + by_s for call_id, at in self._first_seen.items()}


def _created(call: Call) -> float:
    return call.created_at.timestamp() if call.created_at else 0.0
