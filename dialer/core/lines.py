"""The open attempts that are not in doubt: creates on their way, live calls, and when a call has lasted too long."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from dialer.core.lifecycle import Attempt, AttemptState, LeadState, check_attempt_step
from dialer.core.wire import Call

SOON_S: Final = 2.0
"""An answer is expected within this; later ones are still taken, but no longer waited for."""
HANG_UP_AGAIN_S: Final = (15.0, 60.0, 120.0, 300.0)
"""After each attempt to end a call: how long until the next one, and at last until it is given up."""
GRACE_S: Final = 30.0
"""A call found live at start is looked at before it is ended."""


@dataclass(slots=True)
class Line:
    """One open attempt: its create is on its way, or its call is live."""

    attempt: Attempt
    status: str = ""
    hang_ups: int = 0
    """How often the API was told to end it, and answered."""
    hung_up_at: float = float("inf")
    seen_since: bool = False
    """A look after the last hang-up showed it live still."""
    missing_since: float | None = None


class Lines:
    """All lines of a runner."""

    def __init__(self, longest_call_s: float) -> None:
        self._longest_call_s = longest_call_s
        self._lines: dict[str, Line] = {}
        self._by_call: dict[str, Line] = {}
        self._by_lead: dict[int, Line] = {}
        self._unanswered: dict[str, float] = {}
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._lines)

    # --- creates on their way ---------------------------------------------------------------------------------------

    def intend(self, attempt: Attempt) -> None:
        """A create is about to leave."""
        assert attempt.key not in self._lines
        self._lines[attempt.key] = Line(attempt)
        self._unanswered[attempt.key] = attempt.intended_at

    def answered(self, key: str) -> Line | None:
        """A create is no longer awaited; None where it is not known to be."""
        if self._unanswered.pop(key, None) is None:
            return None
        return self._lines[key]

    def unanswered(self) -> int:
        """Creates on their way."""
        return len(self._unanswered)

    def awaited(self, now: float) -> int:
        """Creates whose answer is still to be expected soon; one that hangs does not hold up all others."""
        count = 0
        for intended_at in reversed(self._unanswered.values()):
            if now - intended_at > SOON_S:
                break
            count += 1
        return count

    def late_at(self) -> float | None:
        """When the youngest create on its way is no longer expected soon."""
        return next(reversed(self._unanswered.values())) + SOON_S if self._unanswered else None

    # --- live calls -------------------------------------------------------------------------------------------------

    def live(self) -> int:
        """Calls that are up as far as is known."""
        return len(self._lines) - len(self._unanswered)

    def of_call(self, call_id: str) -> Line | None:
        """The line of a live call."""
        return self._by_call.get(call_id)

    def of_lead(self, lead_id: int) -> Line | None:
        """The line of a lead's live call."""
        return self._by_lead.get(lead_id)

    def place(self, line: Line, call: Call, now: float) -> None:
        """The line's attempt is the call: from here on it is followed."""
        check_attempt_step(line.attempt.state, AttemptState.PLACED)
        dialing = replace(line.attempt.lead, state=LeadState.DIALING)
        line.attempt = replace(line.attempt, state=AttemptState.PLACED, call_id=call.id, placed_at=now, lead=dialing)
        self._follow(line, call.id, now + self._longest_call_s)

    def restore(self, attempt: Attempt, now: float) -> None:
        """A call of an earlier runner, which may be live."""
        assert attempt.call_id is not None
        placed_at = now if attempt.placed_at is None else attempt.placed_at
        deadline = max(placed_at + self._longest_call_s, now + GRACE_S)
        self._follow(Line(attempt, attempt.status), attempt.call_id, deadline)

    def _follow(self, line: Line, call_id: str, deadline: float) -> None:
        self._lines[line.attempt.key] = line
        self._by_call[call_id] = self._by_lead[line.attempt.lead.id] = line
        heapq.heappush(self._deadlines, (deadline, line.attempt.key))

    def drop(self, line: Line) -> None:
        """The line is free."""
        del self._lines[line.attempt.key]
        if line.attempt.call_id is not None:
            del self._by_call[line.attempt.call_id]
            del self._by_lead[line.attempt.lead.id]

    def shift(self, by_s: float) -> None:
        """This machine's clock was set."""
        self._unanswered = {key: at + by_s for key, at in self._unanswered.items()}
        self._deadlines = [(at + by_s, key) for at, key in self._deadlines]
        for line in self._lines.values():
            line.hung_up_at += by_s
            line.missing_since = None if line.missing_since is None else line.missing_since + by_s

    # --- calls that last too long -----------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When the next call has lasted too long."""
        while self._deadlines and self._deadlines[0][1] not in self._lines:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else float("inf")

    def overdue(self, now: float, opens_at: float) -> Iterator[Line]:
        """Live calls that have lasted too long, each again after a while.

        ``opens_at`` is when a request may leave: before, a call can neither be ended nor its end be seen.
        """
        while self.next_deadline() <= now:
            _, key = heapq.heappop(self._deadlines)
            line = self._lines[key]
            if opens_at > now:
                heapq.heappush(self._deadlines, (opens_at + HANG_UP_AGAIN_S[0], key))
                continue
            wait_s = HANG_UP_AGAIN_S[min(line.hang_ups, len(HANG_UP_AGAIN_S) - 1)]
            heapq.heappush(self._deadlines, (now + wait_s, key))
            yield line

    def hung_up(self, call_id: str, now: float, *, reached: bool) -> None:
        """The API was asked to end a call; only an answer counts, since an outage ends nobody's call."""
        line = self._by_call.get(call_id)
        if line is not None and reached:
            line.hang_ups += 1
            line.hung_up_at = now
            line.seen_since = False
