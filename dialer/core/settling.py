"""Calls that have ended and whose details may still arrive, or whose outcome the API may still correct."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from dialer.core.lifecycle import Attempt, Lead, LeadState
from dialer.core.messages import Amend, Look, Note
from dialer.core.wire import Call, CallStatus

LOOKS_AFTER_S: Final = (5.0, 30.0, 120.0, 600.0)
"""When a call that ended without telling its cost or length is looked at again."""
AWAITED_LOOKS: Final = 3
"""So many of these looks hold up the end of a run; the last one comes only to a run that goes on."""
CORRECTED_WITHIN_S: Final = 60.0
"""How long the API may correct a final status."""
ENOUGH: Final = 8
"""After so many calls that told no more at any look, the API seems not to tell: one at a time is still asked about."""
_LONGER: Final = 1.2
_FADES: Final = 0.9
KEPT_S: Final = 660.0
_DETAILS: Final = ("cost", "duration_s", "sentiment")


@dataclass(slots=True)
class Settling:
    """One ended call."""

    attempt: Attempt
    call: Call
    ended_at: float
    asked_at: float
    """When it was looked at last; before the first look, when it ended."""
    looks: int = 0
    told_late: bool = False

    def next_look_at(self, usual_s: float) -> float:
        """When its details are asked for again; not before they usually come by themselves, with a page.

        Looks that came later than planned, since requests were short, do not follow each other at once.
        """
        before_s = LOOKS_AFTER_S[self.looks - 1] if self.looks else 0.0
        return max(self.asked_at + LOOKS_AFTER_S[self.looks] - before_s, self.ended_at + usual_s)


class SettlingCalls:
    """The calls that ended lately, the oldest first."""

    def __init__(self) -> None:
        self._calls: dict[str, Settling] = {}
        self._thin: dict[str, Settling] = {}
        self._of_lead: dict[int, Settling] = {}
        self._fruitless = 0
        """Calls in a row that told no more at any look."""
        self._usual_s = 0.0
        """How long after an end its details came, of late."""

    def add(self, attempt: Attempt, call: Call, now: float) -> None:
        """A call has ended; ``attempt`` holds its lead as it is from now on."""
        item = self._calls[call.id] = self._of_lead[attempt.lead.id] = Settling(attempt, call, now, now)
        if is_thin(call) and (self._fruitless < ENOUGH or not self._thin):
            self._thin[call.id] = item

    def dialed_again(self, lead_id: int) -> None:
        """The lead is in the next attempt already: what the last call still tells does not move it any more."""
        item = self._of_lead.pop(lead_id, None)
        if item is not None:
            item.attempt = replace(item.attempt, lead=replace(item.attempt.lead, state=LeadState.DIALING))

    def lead_of(self, lead_id: int) -> Lead | None:
        """The lead as its last call left it, if that ended lately and it was not dialed since."""
        attempt = self.attempt_of(lead_id)
        return None if attempt is None else attempt.lead

    def attempt_of(self, lead_id: int) -> Attempt | None:
        """The lead's last attempt, under the same conditions."""
        item = self._of_lead.get(lead_id)
        return None if item is None else item.attempt

    def awaited(self) -> bool:
        """Whether details of a call are still waited for."""
        return any(item.looks < AWAITED_LOOKS for item in self._thin.values())

    def unpaid(self) -> int:
        """Calls that connected and may still tell what they cost; after a few looks in vain they hold up nobody."""
        return sum(item.call.cost is None and item.looks < AWAITED_LOOKS for item in self._thin.values())

    def next_looks_at(self) -> list[float]:
        """When details are asked for again."""
        return [item.next_look_at(self._usual_s) for item in self._thin.values()]

    def next_look(self, now: float) -> Look | None:
        """A look at a call that ended without telling its details, if one is due."""
        for call_id, item in self._thin.items():
            if now >= item.next_look_at(self._usual_s):
                item.looks += 1
                item.asked_at = now
                if item.looks >= len(LOOKS_AFTER_S):
                    del self._thin[call_id]
                    self._fruitless += 1
                return Look(call_id)
        return None

    def see(self, call: Call, now: float) -> tuple[Amend | Note | None, float | None]:
        """A look or a page shows an ended call again: what to remember of it, and the cost if that is news."""
        item = self._calls.get(call.id)
        if item is None or call is item.call or not call.ended:
            return None, None
        corrected = call.status != item.call.status
        if corrected and now - item.ended_at > CORRECTED_WITHIN_S:
            call = call.model_copy(update={"status": item.call.status})  # sealed: what comes later is an anomaly
            if not item.told_late:
                item.told_late = True
                return Note("status_changed_late", now, {"sealed": item.call.status}, item.attempt), None
            corrected = False
        richer = any(getattr(item.call, name) is None and getattr(call, name) is not None for name in _DETAILS)
        if not corrected and not richer:
            return None, None
        news = call.cost if item.call.cost is None else None
        state = self._moves(item, call) if corrected else None
        item.call = call
        if not is_thin(call):
            self._came(call.id, now - item.ended_at)
        return Amend(item.attempt, call, now, state), news

    def _came(self, call_id: str, after_s: float) -> None:
        if self._thin.pop(call_id, None) is not None:
            self._fruitless = 0
            self._usual_s = min(max(_LONGER * after_s, _FADES * self._usual_s), LOOKS_AFTER_S[-1])

    @staticmethod
    def _moves(item: Settling, call: Call) -> LeadState | None:
        """Where a correction takes the lead: only from the retry queue, and only to ``reached``."""
        lead = item.attempt.lead
        if lead.state is not LeadState.WAITING or call.status != CallStatus.COMPLETED:
            return None
        item.attempt = replace(item.attempt, lead=replace(lead, state=LeadState.REACHED))
        return LeadState.REACHED

    def shift(self, by_s: float) -> None:
        """This machine's clock was set."""
        for item in self._calls.values():
            item.ended_at += by_s
            item.asked_at += by_s

    def drop_old(self, now: float) -> None:
        """Forget what nothing will be heard of any more."""
        while self._calls:
            call_id, item = next(iter(self._calls.items()))
            if now - item.ended_at <= KEPT_S:
                return
            del self._calls[call_id]
            self._thin.pop(call_id, None)
            if self._of_lead.get(item.attempt.lead.id) is item:
                del self._of_lead[item.attempt.lead.id]


def is_thin(call: Call) -> bool:
    """Whether a call that connected has not told yet how long it was or what it cost."""
    connected = call.status in {CallStatus.COMPLETED, CallStatus.VOICEMAIL}
    return connected and (call.cost is None or call.duration_s is None)
