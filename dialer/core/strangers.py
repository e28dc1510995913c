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

from dialer.core.lifecycle import Lead
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
    """The strangers of one runner. ``since_api`` is when the campaign began, on the API's clock."""

    def __init__(self, campaign: str, agents: frozenset[str], workspace: str, meter: SkewMeter) -> None:
        self._campaign = campaign
        self._agents = agents
        self._workspace = workspace
        self._meter = meter
        self._first_seen: dict[str, float] = {}
        self._candidates: dict[str, Candidate] = {}
        self._looks: deque[str] = deque()
        self._left_alone: set[str] = set()

    def __len__(self) -> int:
        return len(self._candidates)

    def seen_before(self, call_id: str, moment: float) -> bool:
        """Whether a page had shown this call before ``moment`` (our clock): then no create of later made it."""
        return self._first_seen.get(call_id, float("inf")) < moment

    def is_candidate(self, lead_id: int) -> bool:
        """Whether a call to this lead is being looked into: it is not dialed until that is known."""
        return any(item.lead.id == lead_id for item in self._candidates.values()) if self._candidates else False

    def meet(self, seen: Seen, asked_at: float, began_at: float | None) -> bool:
        """A page shows a stranger. Returns whether it may be this campaign's and its lead is to be looked into."""
        call = seen.call
        if len(self._first_seen) < _KEPT:
            self._first_seen.setdefault(call.id, asked_at)
        if call.id in self._candidates or call.id in self._left_alone:
            return False
        if not self._relevant(call, began_at):
            return False
        self._candidates[call.id] = Candidate(call, seen.lead)
        self._looks.append(call.id)
        return True

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

    def leave_alone(self, call_id: str) -> None:
        """It is none of ours."""
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
