"""The minute's request limit. Asked before planning, taken after: the most urgent order goes, not the first in line."""

from __future__ import annotations

from collections import deque
from typing import Final

import anyio

MINUTE_S: Final = 60.0
_MARGIN: Final = 1.01
"""Requests are spread a hundredth wider than allowed: the network may press them together again."""
_WINDOW_S: Final = MINUTE_S * _MARGIN
_RESIDUE: Final = 1e-6
"""Of a request: what is missing by so little is there, whatever floats make of it."""
EVENLY_FOR_S: Final = 600.0
_SAVED_MOST: Final = 10
_SAVED_SHARE: Final = 1 / 15
"""Of a minute's requests so many may be saved up, to leave at once: when a page shows three free slots, three creates
leave together, and the third does not wait for two requests' worth of time."""
_AT_ONCE_A_SECOND: Final = 1 / 600
"""Of large plans a tenth of a second's worth may always leave at once."""


class Gate:
    """Lets ``per_minute`` requests through in any minute.

    A few may be saved up and leave together; yet in no sixty seconds more than ``per_minute`` leave, wherever the
    other side begins to count. Where it seems to want them spread evenly, they are, for a while (:meth:`limited`), and
    always ``evenly`` where nothing is in a hurry.
    """

    def __init__(self, per_minute: int, *, evenly: bool = False) -> None:
        self._per_minute = per_minute
        self._even = max(1, int(per_minute * _AT_ONCE_A_SECOND))
        self._most = self._even if evenly else max(self._even, min(int(per_minute * _SAVED_SHARE), _SAVED_MOST))
        self.spacing_s = MINUTE_S / per_minute * _MARGIN
        self._left_at: deque[float] = deque()
        """When each request of the last minute left."""
        self._evenly_for_s = EVENLY_FOR_S
        self._evenly_until = float("-inf")
        self._at_once = self._most
        self._full_at = float("-inf")
        """When as many are saved up again as may be."""

    @property
    def look_again_s(self) -> float:
        """How soon to ask again when nothing was :meth:`free`: then one is."""
        return max(self._next_at(1) - anyio.current_time(), 0.001)

    def free(self) -> int:
        """How many requests may leave right now."""
        now = anyio.current_time()
        if self._at_once < self._most and now >= self._evenly_until:
            self._at_once = self._most
        saved = self._at_once - max(self._full_at - now, 0.0) / self.spacing_s
        return max(min(int(saved + _RESIDUE), self._per_minute - self._of_last_minute()), 0)

    async def take(self, count: int) -> None:
        """Count requests that leave now; waits only if they were not :meth:`free`."""
        if not count:
            return
        await anyio.sleep_until(self._next_at(count))
        self.left(count)

    def left(self, count: int) -> None:
        """So many requests have left: those taken, or before this gate was there."""
        now = anyio.current_time()
        self._full_at = max(self._full_at, now) + count * self.spacing_s
        self._left_at.extend([now] * count)

    def _next_at(self, count: int) -> float:
        """When so many may leave together."""
        saved_at = self._full_at - (self._at_once - count) * self.spacing_s
        too_many = self._of_last_minute() + count - self._per_minute
        return saved_at if too_many <= 0 else max(saved_at, self._left_at[too_many - 1] + _WINDOW_S)

    def limited(self) -> None:
        """The other side refused a request for coming too soon: none is saved up for a while, longer each time."""
        if self._at_once > self._even:
            self._evenly_until = anyio.current_time() + self._evenly_for_s
            self._evenly_for_s *= 2
            self._at_once = self._even

    def _of_last_minute(self) -> int:
        over = anyio.current_time() - _WINDOW_S
        while self._left_at and self._left_at[0] <= over:
            self._left_at.popleft()
        return len(self._left_at)
