"""The minute's request limit. Asked before planning, taken after: the most urgent order goes, not the first in line."""

from __future__ import annotations

from typing import Final

from aiolimiter import AsyncLimiter

_MARGIN: Final = 1.01
"""Requests are spread a hundredth wider than allowed: the network may press them together again."""
_BURSTS_A_MINUTE: Final = 600


class Gate:
    """Lets ``per_minute`` requests through a minute, evenly: a bucket that starts full would let twice as many.

    For plans so large that requests come closer than a tenth of a second, a tenth of a second's worth may go at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._burst = max(1, per_minute // _BURSTS_A_MINUTE)
        self.spacing_s = 60.0 / per_minute * _MARGIN
        self._limiter = AsyncLimiter(self._burst, self._burst * self.spacing_s)

    def free(self) -> int:
        """How many requests may leave right now."""
        count = self._burst
        while count and not self._limiter.has_capacity(count):
            count -= 1
        return count

    async def take(self, count: int) -> None:
        """Count requests that leave now; never waits if they were :meth:`free`."""
        if count:
            await self._limiter.acquire(count)
