"""The two clocks of a runner: the wall, which people and the API go by, and the one that also counts while asleep."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is. Waiting is anyio's business, so a loop with a virtual clock moves both together."""

    def wall(self) -> float:
        """UTC seconds."""

    def boot(self) -> float:
        """Seconds of some beginning, never set back, counting on while the machine is suspended."""


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        """UTC seconds."""
        return time.time()

    def boot(self) -> float:
        """Seconds since the machine started, suspended times included."""
        kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime(kind)
