"""The minute's request limit. Asked before planning, taken after: the most urgent order goes, not the first in line."""

from __future__ import annotations

from collections import deque
from typing import Final

import anyio
from aiolimiter import AsyncLimiter

MINUTE_S: Final = 60.0
_MARGIN: Final = 1.01
"""Requests are spread a hundredth wider than allowed: the network may press them together again."""
_WINDOW_S: Final = MINUTE_S * _MARGIN
_RESIDUE_S: Final = 1e-4
"""So much later than reckoned, whatever floats make of it, a request is free."""
EVENLY_FOR_S: Final = 600.0
"""How long fewer are saved up after a request that came too soon; twice as long each further time."""
_SAVED_MOST: Final = 10
_SAVED_SHARE: Final = 1 / 15
"""Of a minute's requests so many may be saved up, to leave at once: when a page shows three free slots, three creates
leave together, and the third does not wait for two requests' worth of time."""
_AT_ONCE_A_SECOND: Final = 1 / 600
"""Of large plans a tenth of a second's worth may always leave at once."""


class Gate:
    """Lets ``per_minute`` requests through in any minute.

    A few may be saved up and leave together; yet in no sixty seconds more than ``per_minute`` leave, wherever the
    other side begins to count. Where it seems to want them spread, fewer are saved up for a while (:meth:`limited`);
    where nothing is in a hurry (``evenly``), none.
    """

    def __init__(self, per_minute: int, *, evenly: bool = False) -> None:
        self._per_minute = per_minute
        self._even = max(1, int(per_minute * _AT_ONCE_A_SECOND))
        self._most = self._even if evenly else max(self._even, min(int(per_minute * _SAVED_SHARE), _SAVED_MOST))
        self._spacing_s = MINUTE_S / per_minute * _MARGIN
        self._left_at: deque[float] = deque()
        """When each request of the last minute left."""
        self._fewer_for_s = EVENLY_FOR_S
        self._fewer_until = float("-inf")
        self._let_at_once(self._most)

    def _let_at_once(self, count: int) -> None:
        self._at_once = count
        self._limiter = AsyncLimiter(count, count * self._spacing_s)
        self._all_saved_at = float("-inf")
        """When as many are saved up again as may be: what the limiter counts, and does not tell."""

    def free(self) -> int:
        """How many requests may leave right now."""
        if self._at_once < self._most and anyio.current_time() >= self._fewer_until:
            self._let_at_once(self._most)
        count = min(self._at_once, self._per_minute - self._of_last_minute())
        while count > 0 and not self._limiter.has_capacity(count):
            count -= 1
        return max(count, 0)

    def next_in_s(self) -> float:
        """How soon one will be :meth:`free`, if none is."""
        now = anyio.current_time()
        at = self._all_saved_at - (self._at_once - 1) * self._spacing_s
        if self._of_last_minute() >= self._per_minute:
            at = max(at, self._left_at[-self._per_minute] + _WINDOW_S)
        return max(at - now, 0.0) + _RESIDUE_S

    async def take(self, count: int) -> None:
        """Count requests that leave now; waits only if they were not :meth:`free`."""
        if not count:
            return
        too_many = self._of_last_minute() + count - self._per_minute
        if too_many > 0:
            await anyio.sleep_until(self._left_at[too_many - 1] + _WINDOW_S)
        await self._limiter.acquire(count)
        self._all_saved_at = max(self._all_saved_at, anyio.current_time()) + count * self._spacing_s
        self.left(count)

    def left(self, count: int) -> None:
        """So many requests have left: those that were taken, or before this gate was there."""
        self._left_at.extend([anyio.current_time()] * count)

    def limited(self) -> None:
        """The other side refused a request for coming too soon: fewer are saved up for a while, longer each time."""
        if self._at_once > self._even:
            self._fewer_until = anyio.current_time() + self._fewer_for_s
            self._fewer_for_s *= 2
            self._let_at_once(max(self._at_once // 2, self._even))

    def _of_last_minute(self) -> int:
        over = anyio.current_time() - _WINDOW_S
        while self._left_at and self._left_at[0] <= over:
            self._left_at.popleft()
        return len(self._left_at)
