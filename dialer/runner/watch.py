"""What a runner shows while it works. How it looks is the command's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a campaign stands. Times are UTC seconds, money is the API's cost units."""

    at: float
    contacts: int
    done: int
    live: int
    slots: int
    placed: int
    """Calls placed since this runner started."""
    waiting: int
    queued: int
    in_doubt: int
    next_due_at: float | None
    spent: float
    requests: int
    creates: int
    refused_for_slots: int
    started_at: float
    stopping: bool
    idle_until: float | None
    """When the runner will find something to do, if it has nothing to do now."""


class Watch(Protocol):
    """Somebody who looks on."""

    def progress(self, snapshot: Snapshot) -> None:
        """Called a few times a second at most."""

    def notice(self, text: str) -> None:
        """Something worth a line."""

    def idle(self, until: float) -> None:
        """There is nothing to do until then (UTC seconds), and the runner waits."""

    def in_doubt(self, reason: str, until: float) -> None:
        """A create was not answered, the first of this run: it is searched for in the list until then (UTC seconds)."""


class Unwatched:
    """Nobody looks on."""

    def progress(self, snapshot: Snapshot) -> None:
        """See :class:`Watch`."""

    def notice(self, text: str) -> None:
        """See :class:`Watch`."""

    def idle(self, until: float) -> None:
        """See :class:`Watch`."""

    def in_doubt(self, reason: str, until: float) -> None:
        """See :class:`Watch`."""
