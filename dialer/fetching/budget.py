"""Requests for fetching: as many as the plan leaves once dialing has had its own, and none while a runner dials.

Requests are booked in the ledger a few at a time, before they are made. While a runner holds the ledger nothing leaves;
whoever starts one finds the ledger free but for instants. What contacts due today will need of the day's requests is
left to them.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import anyio

from dialer.client.headers import AnswerNote
from dialer.core.campaign import SANDBOX, Api
from dialer.core.errors import LedgerHeld
from dialer.core.pacing import DAY_S, Requests
from dialer.ledger.booking import Day, book, give_back
from dialer.ledger.lock import runner_of
from dialer.ledger.reading import LedgerReader
from dialer.runner.clock import Clock
from dialer.runner.gate import Gate

REQUESTS_A_CALL: Final = 1.7
"""What a call that is due needs, with the looks that follow it."""
BOOKED_FOR_S: Final = 6.0
"""Requests of so many seconds are booked at once: what a run that starts may find taken."""
LONGEST_NAP_S: Final = 5.0
"""While waiting, a runner that comes is noticed within this."""


class DialingFirst(Exception):
    """A runner holds the ledger."""


class NothingLeft(Exception):
    """The day's requests are used up, or needed for calls."""


class Notices(Protocol):
    """Who hears what is worth saying."""

    def notice(self, text: str) -> None:
        """One line."""


@dataclass(slots=True)
class Budget:
    """The requests of one account, at one ledger. ``campaigns``: those whose due calls come first; none: all may go."""

    ledger: Path
    account: str
    api: Api
    campaigns: Sequence[int]
    clock: Clock
    teller: Notices
    wait: bool = True
    tell_time: Callable[[float, float], str] = lambda moment, _: f"{moment:.0f}"
    requests: Requests = field(init=False)
    _gate: Gate = field(init=False)
    _queue: anyio.Lock = field(init=False)
    _booked: int = 0
    _booked_at: float = 0.0
    _day: Day = Day(0, 0)

    def __post_init__(self) -> None:
        self.requests = Requests(self.api.requests_per_day)
        self._gate = Gate(self.api.requests_per_minute, evenly=True)
        self._queue = anyio.Lock()

    async def ticket(self) -> None:
        """Wait until one request may leave. Raises :class:`DialingFirst` as soon as a runner is there, and
        :class:`NothingLeft` where nothing is left today and nobody waits for tomorrow."""
        async with self._queue:
            while not await self._ready():
                pass

    async def _ready(self) -> bool:
        """One step towards the next request; whether it may leave now."""
        if runner_of(self.ledger) is not None:
            raise DialingFirst
        now = self.clock.wall()
        self.requests.turn(now)
        if not self._booked or int(self._booked_at // DAY_S) != int(now // DAY_S):
            self._book(now)
        if not self._booked:
            await self._wait_for_tomorrow(now)
            return False
        opens_at = self.requests.opens_at(now)
        if opens_at > now:
            await anyio.sleep(min(opens_at - now, LONGEST_NAP_S))
            return False
        if not self._gate.free():
            await anyio.sleep(min(self._gate.next_in_s(), LONGEST_NAP_S))
            return False
        await self._gate.take(1)
        self._booked -= 1
        self.requests.spend(1, now)
        return True

    def _book(self, now: float) -> None:
        def wanted(day: Day) -> int:
            self._day = day
            left = self.api.requests_per_day - day.spent - math.ceil(day.due * REQUESTS_A_CALL)
            return min(left, max(1, int(self.api.requests_per_minute * BOOKED_FOR_S / 60.0)))

        try:
            self._booked = book(self.ledger, self.account, now, self.campaigns, wanted)
        except LedgerHeld:
            raise DialingFirst from None
        self._booked_at = now
        self.requests.spent = min(self._day.spent, self.api.requests_per_day - self._booked)

    async def _wait_for_tomorrow(self, now: float) -> None:
        if not self.wait:
            raise NothingLeft(self._why())
        until = Requests.next_day_at(now)
        self.teller.notice(f"{self._why()}; waiting until {self.tell_time(until, now)}. (--no-wait does not wait.)")
        while (now := self.clock.wall()) < until:
            if runner_of(self.ledger) is not None:
                raise DialingFirst
            await anyio.sleep(min(until - now, LONGEST_NAP_S))

    def _why(self) -> str:
        day = self._day
        said = f"{day.spent:,} of the day's {self.api.requests_per_day:,} requests are spent"
        if day.due and day.spent < self.api.requests_per_day:
            said += f", and the {day.due:,} calls due today need the others (--before-dialing takes them all the same)"
        return said

    def heard(self, note: AnswerNote) -> None:
        """What the headers of an answer say of limits."""
        now = self.clock.wall()
        if note.hold_s is not None:
            self.requests.hush.until = max(self.requests.hush.until, now + note.hold_s)
        if note.allowance is not None:
            self.requests.told(now, note.allowance.left, now + note.allowance.reset_s)

    def limited(self, retry_after_s: float | None) -> None:
        """The API said 429."""
        self.requests.limited(self.clock.wall(), retry_after_s)

    def close(self) -> None:
        """Give back what was booked and not used; where a runner came meanwhile, it stays booked."""
        booked, self._booked = self._booked, 0
        if booked:
            with suppress(LedgerHeld):
                give_back(self.ledger, self.account, self._booked_at, booked)


def rivals(reader: LedgerReader, base_url: str) -> list[int]:
    """The campaigns of a ledger that call through this address: their calls and our requests share a quota."""
    return [ident for ident, source in reader.rows("campaign_sources") if _address(source) in {None, base_url}]


def _address(source: str) -> str | None:
    try:
        return str(tomllib.loads(source).get("api", {}).get("base_url", SANDBOX)).rstrip("/")
    except (ValueError, AttributeError):
        return None
