"""The pretend world of one seed: a network that loses answers, a list that lags, clocks that jump, a disk in memory."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import anyio

from dialer.client.headers import AnswerNote
from dialer.core import errors
from dialer.core.errors import ApiError, LedgerHeld, NoAnswer, NotSent
from dialer.core.wire import Call, CallPage, NewCall, read_call, read_page
from dialer.ledger.journal import MemoryJournal
from dialer.rehearsal.answers import SandboxRules, call_json, created_json
from dialer.rehearsal.exchange import Exchange, Filter, PretendCall
from tests.support.virtual import VirtualClock


class Crash(BaseException):
    """The process is gone, in the middle of whatever it did. Nothing catches it."""


@dataclass
class Fuse:
    """Counts steps and crashes the process at one of them. ``left`` None: never."""

    left: int | None = None
    burnt: bool = False

    def step(self) -> None:
        """One more thing happens."""
        if self.left is None:
            return
        self.left -= 1
        if self.left <= 0:
            self.left = None
            self.burnt = True
            raise Crash


class Kept(sqlite3.Connection):
    """A database in memory that outlives the process that had it open, as a disk does: closing it rolls back."""

    def close(self) -> None:
        if self.in_transaction:
            self.rollback()


class FragileJournal(MemoryJournal):
    """A journal in memory; the process may die between the commit and the line that tells of it."""

    fuse: Fuse | None = None

    def append(self, entries: Any) -> None:
        if self.fuse is not None:
            self.fuse.step()
        super().append(entries)


@dataclass
class MemoryStore:
    """Where a ledger lies that lives in memory. Implements :class:`dialer.ledger.store.Store`."""

    template: bytes | None = None
    path: Path = Path("memory")
    holder: object | None = None
    kept_salt: str = "0123456789abcdef"

    def __post_init__(self) -> None:
        self.db = self._opened(self.template)
        self.kept_journal = FragileJournal([])

    @staticmethod
    def _opened(content: bytes | None) -> Kept:
        db = sqlite3.connect(":memory:", isolation_level=None, factory=Kept, cached_statements=256)
        if content is not None:
            db.deserialize(content)
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def put_back(self, content: bytes) -> None:
        """An old copy takes the place of the database."""
        self.destroy()
        self.db = self._opened(content)

    def session(self, fuse: Fuse) -> StoreSession:
        """The store as one process sees it."""
        return StoreSession(self, fuse)

    def destroy(self) -> None:
        sqlite3.Connection.close(self.db)


@dataclass
class StoreSession:
    """One process's hold of a :class:`MemoryStore`."""

    store: MemoryStore
    fuse: Fuse

    @property
    def path(self) -> Path:
        return self.store.path

    @path.setter
    def path(self, _: Path) -> None:
        raise AttributeError

    @property
    def held(self) -> bool:
        return self.store.holder is self

    def acquire(self) -> None:
        if self.store.holder is not None:
            raise LedgerHeld("held")
        self.store.holder = self

    def connect(self) -> sqlite3.Connection:
        return self.store.db

    def salt(self, known: str | None) -> str:
        return known or self.store.kept_salt

    def journal(self, workspace: str) -> FragileJournal:
        assert workspace
        self.store.kept_journal.fuse = self.fuse
        return self.store.kept_journal

    def jettison(self) -> bool:
        return False

    def release(self) -> None:
        if self.store.holder is self:
            self.store.holder = None


@dataclass(frozen=True)
class Weather:
    """How bad the day is. Chances are of single requests, times are seconds."""

    lost: float = 0.0
    """Creates that end without a usable answer, in one way or another."""
    unsent: float = 0.0
    refused: float = 0.0
    wrong_id: float = 0.0
    looks_fail: float = 0.0
    lists_fail: float = 0.0
    latency_s: float = 0.2
    late_s: float = 30.0
    dates: bool = True
    timeout_s: float = 10.0


class PretendClock(VirtualClock):
    """A virtual clock that also tells the time between two processes, when no loop runs."""

    def wall(self) -> float:
        try:
            return super().wall()
        except RuntimeError:
            return self.start - self.set_back_s


@dataclass
class World:
    """The network of one seed. ``truth()`` is the real time; the API's clock and the machine's are off by theirs."""

    chance: Random
    rules: SandboxRules
    clock: VirtualClock
    weather: Weather
    api_off_s: float = 0.0
    machine_off_s: float = 0.0
    _pending: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.rules)

    def truth(self) -> float:
        return self.clock.wall() + self.clock.set_back_s

    def api_now(self) -> float:
        now = self.truth() + self.api_off_s
        while self._pending and self._pending[0][0] <= now:
            at, _, act = heapq.heappop(self._pending)
            act(at)
        return now

    def later(self, delay_s: float, act: Callable[[float], None]) -> None:
        """Something the API does in its own time, whoever waits for it; ``act`` is given that time."""
        self._count += 1
        heapq.heappush(self._pending, (self.api_now() + delay_s, self._count, act))

    def place(self, call: NewCall, at: float) -> PretendCall:
        return self.exchange.create(call.agent_id, call.phone_number, call.contact, call.metadata, at)


class PretendClient:
    """The client of one process: same methods, same errors, no HTTP."""

    def __init__(self, world: World, fuse: Fuse, may_leave: Callable[[str], None]) -> None:
        self.on_note: Callable[[AnswerNote], None] | None = None
        self._world = world
        self._fuse = fuse
        self._may_leave = may_leave

    async def _travel(self) -> float:
        """Half a round trip; the process may die on the way. Returns when it was asked, by the machine's clock."""
        self._fuse.step()
        asked_at = self._world.clock.wall()
        await anyio.sleep(self._world.weather.latency_s * self._world.chance.random())
        return asked_at

    def _heard(self, asked_at: float) -> None:
        self._fuse.step()
        now = self._world.clock.wall()
        if self.on_note is not None and self._world.weather.dates:
            date = float(int(self._world.api_now()))
            self.on_note(AnswerNote(date - now, date + 1.0 - asked_at))

    async def create_call(
        self, call: NewCall, *, attempt: str | None = None, may_send: Callable[[], bool] = lambda: True
    ) -> Call:
        world, weather = self._world, self._world.weather
        assert attempt is not None
        asked_at = await self._travel()  # connecting takes its time
        if not may_send():
            raise NotSent("too late", code="stale")
        self._may_leave(attempt)
        draw = world.chance.random()
        if draw < weather.unsent:
            raise NotSent("refused by the network")
        if draw < weather.unsent + weather.lost:
            await self._lose(call)
        if draw > 1.0 - weather.refused:
            raise errors.refusal(errors.RATE_LIMITED, 429, "too many", 2.0)
        placed = world.place(call, world.api_now())
        await anyio.sleep(weather.latency_s * world.chance.random())
        self._heard(asked_at)
        answer = created_json(world.rules, placed, placed.created_at)
        if world.chance.random() < weather.wrong_id:
            answer["data"]["id"] = world.chance.choice(list(world.exchange.calls))
        return read_call(answer)

    async def _lose(self, call: NewCall) -> None:
        """No usable answer: before it was placed, after, or long before it will be."""
        world, weather = self._world, self._world.weather
        kind = world.chance.randrange(5)
        if kind == 0:
            await anyio.sleep(weather.timeout_s)
        elif kind == 1:
            world.place(call, world.api_now())
            await anyio.sleep(weather.timeout_s)
        elif kind == 2:
            late_s = world.chance.uniform(0, weather.late_s)
            world.later(late_s, lambda at: _try_to(lambda: world.place(call, at)))
            await anyio.sleep(min(late_s, weather.timeout_s))
        elif kind == 3:
            world.place(call, world.api_now())
        self._fuse.step()
        raise NoAnswer("no usable answer", http_status=world.chance.choice([None, 500, 201]))

    async def get_call(self, call_id: str) -> Call:
        world = self._world
        asked_at = await self._travel()
        if world.chance.random() < world.weather.looks_fail:
            raise NoAnswer("reset")
        call = world.exchange.get(call_id)
        self._heard(asked_at)
        return read_call({"data": self._json(call, details=True)})

    async def end_call(self, call_id: str) -> Call:
        asked_at = await self._travel()
        call = self._world.exchange.end(call_id, self._world.api_now())
        self._heard(asked_at)
        return read_call({"data": self._json(call, details=True)})

    async def list_calls(
        self,
        *,
        page: int = 1,
        per_page: int = 100,
        agent_id: str | None = None,
        direction: str | None = None,
        from_date: datetime | None = None,
        to_date: datetime | None = None,
    ) -> CallPage:
        world = self._world
        assert direction in {None, "outbound"}
        asked_at = await self._travel()
        if world.chance.random() < world.weather.lists_fail:
            raise NoAnswer("bad gateway", http_status=502)
        chosen = Filter(agent_id=agent_id, from_at=_moment(from_date), to_at=_moment(to_date))
        calls, total = world.exchange.select(chosen, world.api_now(), page, per_page)
        shown = [self._json(call, details=False) for call in calls]
        self._heard(asked_at)
        return read_page({"data": shown, "meta": {"total": total, "page": page, "per_page": per_page}}, page=page)

    def _json(self, call: PretendCall, *, details: bool) -> dict[str, Any]:
        world = self._world
        return call_json(world.exchange, world.rules, call, world.api_now(), details=details, recording_url="")


def _moment(value: datetime | None) -> float | None:
    return None if value is None else value.astimezone(UTC).timestamp()


def _try_to(act: Callable[[], object]) -> None:
    """What the API does later it may also refuse later; nobody hears of it."""
    try:
        act()
    except ApiError:
        return


def fuses(chance: Random, crashes: int, reach: int) -> Iterator[Fuse]:
    """One fuse for each process of a seed: so many crash, the last one does not."""
    for _ in range(crashes):
        yield Fuse(1 + int(reach * chance.random() ** 2))
    yield Fuse()
