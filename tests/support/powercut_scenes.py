"""What happens on a tapped disk, each scene in a process of its own.

:func:`play` starts one from a test; it ends by printing what it saw as JSON.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx

from dialer.core.errors import LedgerUnusable
from dialer.core.lifecycle import Attempt, AttemptState, Disposition, LeadState, state_after_void
from dialer.core.messages import Change, MarkLost, MarkUncertain, MarkVoid, Note, Spend
from dialer.ledger import CampaignRecord, RejectedRow
from dialer.ledger.sqlite import SqliteLedger
from tests.support.house import House, campaign, number
from tests.support.powercut import Disk
from tests.support.powercut_tap import tap
from tests.support_rows import ACCOUNT, NOON, ended, enroll, intended, opened, person, placed, put

LEDGER: Final = "ledger.db"
RECORD: Final = "record"
_ROOT: Final = Path(__file__).parents[2]
_A, _L = AttemptState, LeadState


def play(scene: str, home: Path, *arguments: object) -> Any:
    """Run a scene in a process of its own and return what it printed. Its disk is ``home / "disk"``."""
    (home / "disk").mkdir(parents=True)
    command = [sys.executable, "-m", __name__, scene, str(home), *map(str, arguments)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def told(path: Path) -> str:
    """All that a ledger says of people and calls, in one word."""
    tables = ("campaign", "contact", "rejected", "lead", "attempt", "spent")
    with closing(sqlite3.connect(path)) as db:
        rows = [db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]  # noqa: S608  # ours
        rows.append(db.execute("SELECT attempt, kind, at FROM event WHERE attempt IS NOT NULL ORDER BY id").fetchall())
    return hashlib.sha256(repr(rows).encode()).hexdigest()


# --- many turns ----------------------------------------------------------------------------------------------------


class _Turns:
    """A few hundred commits of everything that can become of a call, and after each what the ledger tells."""

    def __init__(self, disk: Disk, synchronous: str, seed: int) -> None:
        self._disk = disk
        self._synchronous = synchronous
        self._chance = Random(seed)
        self._path = disk.directory / LEDGER
        self._open: dict[str, tuple[Attempt, AttemptState]] = {}
        self._now = NOON
        self.steps: list[tuple[int, int, str]] = []
        """Operations before and after each transaction, and what the ledger told then."""

    def play(self, turns: int) -> None:
        with self._opened() as ledger:
            with self._step():
                record = put(ledger)
            with self._step():
                bad = RejectedRow("list.csv", 99, "phone_missing", "empty", ",")
                enroll(ledger, record, [*(person(index, note="x" * 300) for index in range(40)), bad])
            self._turn_often(ledger, record, turns // 2)
        with self._opened() as ledger:
            with self._step():
                self._resume(ledger, record)
            with self._step():
                enroll(ledger, record, [person(index, note="y" * 300) for index in range(70)], at=NOON + 1, digest="2")
            self._turn_often(ledger, record, turns - turns // 2)

    @contextmanager
    def _step(self) -> Iterator[None]:
        before = self._disk.operations
        yield
        self.steps.append((before, self._disk.operations, told(self._path)))

    @contextmanager
    def _opened(self) -> Iterator[SqliteLedger]:
        with self._step():
            ledger = SqliteLedger(self._path)
            # ours, reached into on purpose: the control weakens it, and checkpoints come often on a small ledger
            ledger._db.execute(f"PRAGMA synchronous = {self._synchronous}")
            ledger._db.execute("PRAGMA wal_autocheckpoint = 150")
        try:
            yield ledger
        finally:
            ledger.close()

    def _resume(self, ledger: SqliteLedger, record: CampaignRecord) -> None:
        restored = ledger.restore(record.id, ACCOUNT, self._now, 40)
        self._open = {attempt.key: (attempt, attempt.state) for attempt in restored.open_attempts}

    def _turn_often(self, ledger: SqliteLedger, record: CampaignRecord, turns: int) -> None:
        for _ in range(turns):
            self._now += 1
            changes = self._turn(ledger, record)
            with self._step():
                ledger.commit(record.id, ACCOUNT, changes)

    def _turn(self, ledger: SqliteLedger, record: CampaignRecord) -> list[Change]:
        changes: list[Change] = [Spend(1, self._now)]
        going_on = self._chance.sample(sorted(self._open), min(len(self._open), 2))
        changes += [self._goes_on(*self._open[key]) for key in going_on]
        for lead in ledger.claim(record.id, self._now, self._chance.randint(0, 2)):
            intend, attempt = intended(lead, at=self._now)
            self._open[attempt.key] = (attempt, _A.INTENDED)
            changes.append(intend)
        if self._chance.random() < 0.1:
            changes.append(Note("scan", self._now, {"why": "z" * self._chance.randint(0, 9_000)}))
        return changes

    def _goes_on(self, attempt: Attempt, state: AttemptState) -> Change:
        """The next thing that becomes of an attempt."""
        after = self._chance.choice(
            {
                _A.INTENDED: (_A.PLACED, _A.PLACED, _A.VOID, _A.UNCERTAIN),
                _A.UNCERTAIN: (_A.PLACED, _A.VOID, _A.LOST),
                _A.PLACED: (_A.ENDED,),
            }[state]
        )
        del self._open[attempt.key]
        if after in {_A.PLACED, _A.UNCERTAIN}:
            self._open[attempt.key] = (attempt, after)
        return self._change_to(after, attempt, found=state is _A.UNCERTAIN)

    def _change_to(self, after: AttemptState, attempt: Attempt, *, found: bool) -> Change:
        if after is _A.PLACED:
            return placed(attempt, at=self._now, found=found)
        if after is _A.UNCERTAIN:
            return MarkUncertain(attempt, self._now, "no answer", self._now)
        if after is _A.LOST:
            return MarkLost(attempt, "nobody knows", self._now)
        if after is _A.VOID:
            goes_to = state_after_void(attempt.lead.attempts)
            return MarkVoid(attempt, goes_to, self._now + 1, "no_available_slots", "all lines are busy", self._now)
        if self._chance.random() < 0.2:
            return ended(attempt, Disposition.COMPLETED, _L.REACHED, at=self._now, cost=0.1)
        return ended(attempt, Disposition.BUSY, _L.WAITING, self._now + 1, self._now)


def turns(home: Path, count: str, synchronous: str) -> object:
    """``count`` turns; saves the disk's record and tells of every transaction."""
    disk = Disk(home / "disk")
    tap(disk)
    scene = _Turns(disk, synchronous, seed=1)
    scene.play(int(count))
    disk.save(home / RECORD)
    return scene.steps


# --- a campaign, looked at whenever a create leaves ------------------------------------------------------------------


class _Watched(httpx.AsyncBaseTransport):
    """Lets every request through, and first hands each create to ``look``."""

    def __init__(self, inner: httpx.AsyncBaseTransport, look: Callable[[dict[str, Any]], None]) -> None:
        self._inner = inner
        self._look = look

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/calls"):
            self._look(json.loads(request.content))
        return await self._inner.handle_async_request(request)


def _house(disk: Disk, look: Callable[[dict[str, Any]], None]) -> House:
    """A campaign of thirty people who are often busy, enrolled."""
    house = House(disk.directory, campaign(), wrap=lambda inner: _Watched(inner, look))
    house.enroll(number(index) for index in range(30))
    return house


def creates(home: Path, disk_is: str) -> object:
    """A campaign from start to end. For each create: the state of its attempt on a disk whose power fails right now."""
    disk = Disk(home / "disk")
    tap(disk)
    seen: list[str | None] = []

    def look(asked: dict[str, Any]) -> None:
        image = home / f"image-{len(seen)}"
        disk.synced_image(disk.operations, image)
        seen.append(_open_attempt(image / LEDGER, asked["phone_number"]))
        shutil.rmtree(image)

    house = _house(disk, look)
    disk.lies = disk_is == "lying"
    result = house.run()
    return {"exit_code": result.exit_code, "calls": len(house.exchange.calls), "seen": seen}


def _open_attempt(ledger: Path, phone: str) -> str | None:
    """The state of the attempt that is open at a number, or None where there is none."""
    sql = "SELECT state FROM attempt WHERE phone = ? AND state IN ('intended', 'placed', 'uncertain')"
    with closing(sqlite3.connect(ledger)) as db:
        row: tuple[str] | None = db.execute(sql, (phone,)).fetchone()
    return row[0] if row else None


# --- a disk that cannot sync any more --------------------------------------------------------------------------------


def bad_sync_of_a_commit(home: Path) -> object:
    """One commit whose sync fails; what was said, and what is there afterwards when the disk is well again."""
    disk = Disk(home / "disk")
    tap(disk)
    with opened(disk.directory) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(0)])
        intend, _ = intended(ledger.claim(record.id, NOON, 1)[0])
        disk.fail_syncs()
        try:
            ledger.commit(record.id, ACCOUNT, [intend])
        except LedgerUnusable as error:
            return {"said": str(error), "disk": disk.failed_syncs}
    return None


def bad_sync_of_a_run(home: Path, good: str) -> object:
    """A campaign whose disk fails after so many syncs: how it ended, and the creates that left before and after."""
    disk = Disk(home / "disk")
    tap(disk)
    left: list[bool] = []
    house = _house(disk, lambda _: left.append(disk.failed_syncs > 0))
    disk.fail_syncs(after=int(good))
    ended_by: list[str] = []
    try:
        house.run()
    except BaseException as error:  # noqa: BLE001  # whatever it is, the test wants to know
        ended_by = [type(cause).__name__ for cause in _causes(error)]
    return {"ended_by": ended_by, "before": left.count(False), "after": left.count(True)}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, whatever groups they lie in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


_SCENES: Final[dict[str, Callable[..., object]]] = {
    scene.__name__: scene for scene in (turns, creates, bad_sync_of_a_commit, bad_sync_of_a_run)
}

if __name__ == "__main__":
    print(json.dumps(_SCENES[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])))
