"""What happens on a tapped disk, each scene in a process of its own.

:func:`play` starts one from a test; it ends by printing what it saw as JSON.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
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
from tests.support.laws import check_ledger, check_network
from tests.support.powercut import Disk
from tests.support.powercut_tap import tap
from tests.support.processes import Process, environment, finish
from tests.support_rows import ACCOUNT, NOON, ended, enroll, intended, opened, person, placed, put

LEDGER: Final = "ledger.db"
RECORD: Final = "record"
AS_IT_IS: Final = "as it is"
"""The ledger syncs as it does for everybody."""
_MOST_RUNNERS: Final = 200
_PEOPLE: Final = 30
_A, _L = AttemptState, LeadState


def play(scene: str, home: Path, *arguments: object) -> Any:
    """Run a scene in a process of its own and return what it printed. Its disk is ``home / "disk"``."""
    (home / "disk").mkdir(parents=True)
    process = Process(_played, scene, home, [str(argument) for argument in arguments], env=environment())
    assert finish(process) == (0, "")
    return json.loads(process.stdout)


def _played(scene: str, home: Path, arguments: list[str]) -> int:
    print(json.dumps(_SCENES[scene](home, *arguments)))
    return 0


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
        self._found: list[tuple[int, str]] = []

    def play(self, turns: int) -> None:
        """Half of them, another list, the other half by another runner."""
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

    def play_with_bad_syncs(self, turns: int) -> int:
        """Until so many commits were confirmed, while syncs fail for a moment now and then. Returns how many failed."""
        with self._opened() as ledger:
            with self._step():
                record = put(ledger)
            with self._step():
                enroll(ledger, record, [person(index, note="x" * 300) for index in range(40)])
        for _ in range(_MOST_RUNNERS):
            self._disk.fail_syncs(after=self._chance.randint(0, 40), times=self._chance.randint(1, 4))
            try:
                with self._opened(confirmed=False) as ledger:
                    with self._step():
                        self._resume(ledger, record)
                    self._turn_often(ledger, record, turns - len(self.steps))
            except LedgerUnusable:
                continue
            break
        return self._disk.failed_syncs

    @contextmanager
    def _step(self) -> Iterator[None]:
        before = self._disk.operations
        try:
            yield
        except LedgerUnusable:
            self._found.append((before, self._told_after_a_crash()))
            raise
        self._confirm()
        self.steps.append((before, self._disk.operations, told(self._path)))

    def _told_after_a_crash(self) -> str:
        """What would be found if this process were killed now: perhaps the transaction that has just failed."""
        with tempfile.TemporaryDirectory() as scratch:
            for end in ("", "-wal"):
                shutil.copy(f"{self._path}{end}", scratch)
            return told(Path(scratch) / LEDGER)

    def _confirm(self) -> None:
        """What a runner merely found at its start is promised as soon as it has committed upon it."""
        self.steps += [(before, self._disk.operations, state) for before, state in self._found]
        self._found.clear()

    @contextmanager
    def _opened(self, *, confirmed: bool = True) -> Iterator[SqliteLedger]:
        # What is found may have been written, unconfirmed, at any time since the last confirmed commit.
        before = self.steps[-1][1] if self.steps else 0
        ledger = SqliteLedger(self._path)
        try:
            # ours, reached into on purpose: a control weakens it, and checkpoints come often on a small ledger
            db: Any = ledger._db
            if self._synchronous != AS_IT_IS:
                db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA wal_autocheckpoint = 150")
            self._found.append((before, told(self._path)))
            if confirmed:
                self._confirm()
            yield ledger
        finally:
            ledger.close()

    def _resume(self, ledger: SqliteLedger, record: CampaignRecord) -> None:
        self._now += 1
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
    """Lets every request through, and hands it to ``look`` first."""

    def __init__(self, inner: httpx.AsyncBaseTransport, look: Callable[[httpx.Request], None]) -> None:
        self._inner = inner
        self._look = look

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._look(request)
        return await self._inner.handle_async_request(request)


def _is_create(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith("/calls")


def _house(disk: Disk, look: Callable[[httpx.Request], None]) -> House:
    """A campaign, enrolled, each of whose requests is looked at before it leaves."""
    house = House(disk.directory, campaign(), wrap=lambda inner: _Watched(inner, look))
    house.enroll(number(index) for index in range(_PEOPLE))
    return house


def creates(home: Path, disk_is: str) -> object:
    """A campaign from start to end. For each create: the state of its attempt on a disk whose power fails right now."""
    disk = Disk(home / "disk")
    tap(disk)
    seen: list[str | None] = []

    def look(request: httpx.Request) -> None:
        if not _is_create(request):
            return
        image = home / f"image-{len(seen)}"
        disk.synced_image(disk.operations, image)
        seen.append(_open_attempt(image / LEDGER, json.loads(request.content)["phone_number"]))
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


# --- a campaign whose power fails again and again --------------------------------------------------------------------


class _PowerFailed(BaseException):
    """Nothing in the program may take this for a mishap of the network."""


def outages(home: Path, most: str, disk_is: str, seed: str) -> object:
    """One campaign, its power cut again and again, each time resumed from what lay on the disk; then run to its end.

    Only the disk loses anything: the network goes on, and knows who was called. Where the ledger itself refuses to go
    on, that is all there is to tell.
    """
    try:
        return _run_through_outages(home, int(most), disk_is, Random(int(seed)))
    except LedgerUnusable as error:
        return {"refused": str(error)}


def _run_through_outages(home: Path, most: int, disk_is: str, chance: Random) -> object:
    disk = Disk(home / "disk")
    tap(disk)
    cut = 1 << 60

    def fail_if_it_is_time(_: object) -> None:
        if disk.operations >= cut:
            raise _PowerFailed

    house = _house(disk, fail_if_it_is_time)
    disk.lies = disk_is == "lying"
    cuts = 0
    for _ in range(most):
        cut = disk.operations + chance.randint(1, 250)
        if not _power_failed(house):
            break
        cuts += 1
        disk.power_returns(cut, chance)
    cut = 1 << 60
    house.run()
    return {"outages": cuts, "broken": _broken_laws(house), "states": house.states()}


def _power_failed(house: House) -> bool:
    """Run until the power fails (True), or to the end."""
    try:
        house.run()
    except BaseException as error:
        if not any(isinstance(cause, _PowerFailed) for cause in _causes(error)):
            raise
        return True
    return False


def _broken_laws(house: House) -> str:
    """What the network's own record says against us, or nothing."""
    try:
        check_network(house.exchange.calls.values(), 3)
        check_ledger(house.ledger_path, house.exchange.calls, finished=True)
        assert sum(house.states().values()) == _PEOPLE
    except AssertionError as error:
        return str(error)
    return ""


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

    def look(request: httpx.Request) -> None:
        if _is_create(request):
            left.append(disk.failed_syncs > 0)

    house = _house(disk, look)
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


def bad_syncs(home: Path, count: str) -> object:
    """``count`` turns on a disk that cannot sync for a moment now and then; like :func:`turns`."""
    disk = Disk(home / "disk")
    tap(disk)
    scene = _Turns(disk, AS_IT_IS, seed=2)
    failed = scene.play_with_bad_syncs(int(count))
    disk.save(home / RECORD)
    return {"failed": failed, "steps": scene.steps}


# --- a disk that is full ---------------------------------------------------------------------------------------------


def little_room(home: Path) -> object:
    """What SQLite and ``os`` are told by a disk that has room for a few bytes more."""
    disk = Disk(home / "disk")
    tap(disk)
    with closing(sqlite3.connect(disk.directory / LEDGER)) as db:
        db.execute("CREATE TABLE t (a)")
        size = (disk.directory / LEDGER).stat().st_size
        file = os.open(disk.directory / "x.journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        saw: dict[str, object] = {"fits": os.write(file, bytes(10))}
        disk.quota = size + 15
        saw["does not"] = _error_of(lambda: os.write(file, bytes(10)))
        disk.short_writes = True
        saw["in part"] = os.write(file, bytes(10))
        saw["not at all"] = _error_of(lambda: os.write(file, bytes(10)))
        saw["sqlite"] = _error_of(lambda: db.execute("INSERT INTO t VALUES (zeroblob(9000))"))
        disk.quota = None
        db.execute("INSERT INTO t VALUES (zeroblob(9000))")
        db.commit()
    os.close(file)
    saw["journal"] = (disk.directory / "x.journal").stat().st_size
    return saw


def full_disk(home: Path, room: str) -> object:
    """A campaign on a disk that fills up in the middle: how it ended, what it knew, and how it went on with room."""
    disk = Disk(home / "disk")
    tap(disk)
    house = _house(disk, lambda _: None)
    disk.quota = _used(disk) + int(room)
    result = house.run()
    knew = {call_id for (call_id,) in house.rows("SELECT call_id FROM attempt WHERE call_id IS NOT NULL")}
    disk.quota = _used(disk) + 500_000  # less than the reserve
    saw = {
        "exit_code": result.exit_code,
        "reason": result.reason,
        "placed": len(house.exchange.calls),
        "unknown": len(house.exchange.calls.keys() - knew),
        "doubtful": house.rows("SELECT count(*) FROM attempt WHERE state IN ('intended', 'uncertain')")[0][0],
        "reserve": (disk.directory / f"{LEDGER}.ballast").exists(),
        "next": _error_of_run(house),
    }
    disk.quota = None
    return {**saw, "with room": house.run().exit_code, "broken": _broken_laws(house)}


def _used(disk: Disk) -> int:
    return sum(path.stat().st_size for path in disk.directory.iterdir())


def _error_of_run(house: House) -> str:
    """What a run says that cannot even begin."""
    try:
        house.run()
    except LedgerUnusable as error:
        return str(error)
    return ""


def _error_of(act: Callable[[], object]) -> object:
    """The number or the name of the error that comes of it."""
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except sqlite3.Error as error:
        return error.sqlite_errorname
    return None


_SCENES: Final[dict[str, Callable[..., object]]] = {
    scene.__name__: scene
    for scene in (turns, bad_syncs, creates, outages, bad_sync_of_a_commit, bad_sync_of_a_run, little_room, full_disk)
}
