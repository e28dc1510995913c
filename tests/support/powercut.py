"""A disk that remembers in which order it was written and synced, and shows what a power cut would have left of it.

Every write, truncation, sync and change of a name in one directory is one operation here. What was synced is on the
disk; what was not may be there, or not, or half, in any order. ``powercut_tap`` puts a :class:`Disk` under SQLite and
under ``os``; nothing here knows of either. The ``-shm`` file is memory and is never part of the disk.

What the model takes for granted, as the journalling file systems of Linux do: names change in the order in which they
were changed, syncing a directory makes its names last, and syncing a new file makes its own name last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final

SECTOR: Final = 512
JOURNAL: Final = ".journal"
"""Text that grows at its end: it may be torn at any byte."""
_MEMORY: Final = "-shm"


class Kind(StrEnum):
    """What was done to the disk."""

    CREATE = "create"
    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    SYNC_FAILED = "sync_failed"
    """The system said so, and has forgotten what it could not write: no later sync will write it."""
    DELETE = "delete"
    RENAME = "rename"
    """``data`` is the new name."""
    SYNC_NAMES = "sync_names"
    """The directory itself was synced."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on the file ``name``; ``at`` is the offset of a write or the size after a truncation."""

    kind: Kind
    name: str = ""
    at: int = 0
    data: bytes = b""


class Disk:
    """Records what happens to the files of ``directory``, shows its images, and has its bad days.

    Whatever writes asks :meth:`room` first, and reports here only what the real file system has done.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.quota: int | None = None
        """Bytes all files together may have; None for no bound."""
        self.short_writes = False
        """Whether a write that does not fit is cut short, as by real disks, before the next one finds no room."""
        self.lies = False
        """Whether syncs are confirmed and not done."""
        self.failed_syncs = 0
        self._record: list[Operation] = []
        self._names: set[str] = set()
        self._bad_syncs = range(0)
        self._bad_sync_of = ""
        self._asked_syncs = 0
        self._replayed = _Replay()
        self._adopt()

    def _adopt(self) -> None:
        """What lay there before anybody watched is taken to be synced."""
        for path in sorted(self.directory.iterdir()):
            if path.is_file() and not path.name.endswith(_MEMORY):
                self._names.add(path.name)
                self._record.append(Operation(Kind.CREATE, path.name))
                self._record.append(Operation(Kind.WRITE, path.name, 0, path.read_bytes()))
                self._record.append(Operation(Kind.SYNC, path.name))
        self._record.append(Operation(Kind.SYNC_NAMES))

    # --- asked by whatever writes -----------------------------------------------------------------------------------

    def name_of(self, path: str) -> str | None:
        """The name of a file on this disk, or None for one that lies elsewhere or is memory."""
        found = Path(path)
        return found.name if found.parent == self.directory and not path.endswith(_MEMORY) else None

    def room(self, name: str, at: int, length: int) -> int:
        """How many bytes of this write fit: all, or none, or with ``short_writes`` a part."""
        if self.quota is None:
            return length
        sizes = {path.name: path.stat().st_size for path in self.directory.iterdir() if path.is_file()}
        used = sum(size for other, size in sizes.items() if not other.endswith(_MEMORY))
        ends_by = sizes.get(name, 0) + max(self.quota - used, 0)
        if at + length <= ends_by:
            return length
        return min(max(ends_by - at, 0), length) if self.short_writes else 0

    def fail_syncs(self, after: int = 0, times: int = 1 << 60, of: str = "") -> None:
        """The next ``after`` syncs succeed, and so many after them fail: for good, unless ``times`` says otherwise.

        Counts only the syncs of files whose name ends in ``of``. The directory itself is none of them.
        """
        self._asked_syncs = 0
        self._bad_syncs, self._bad_sync_of = range(after, after + times), of

    def sync_fails(self, name: str) -> bool:
        """Whether the sync of ``name`` that is about to happen fails; asked once for each."""
        if not name.endswith(self._bad_sync_of):
            return False
        fails = self._asked_syncs in self._bad_syncs
        self._asked_syncs += 1
        if fails:
            self.failed_syncs += 1
            self._record.append(Operation(Kind.SYNC_FAILED, name))
        return fails

    # --- told by whatever writes ------------------------------------------------------------------------------------

    @property
    def operations(self) -> int:
        """How many operations there were so far: the latest moment for a cut."""
        return len(self._record)

    def opened(self, name: str) -> None:
        """A file was opened, and perhaps made."""
        if name not in self._names:
            self._names.add(name)
            self._record.append(Operation(Kind.CREATE, name))

    def wrote(self, name: str, at: int, data: bytes) -> None:
        """Bytes were written at an offset."""
        self.opened(name)
        self._record.append(Operation(Kind.WRITE, name, at, data))

    def truncated(self, name: str, size: int) -> None:
        """A file was cut, or stretched, to a size."""
        self.opened(name)
        self._record.append(Operation(Kind.TRUNCATE, name, size))

    def synced(self, name: str) -> None:
        """A file was synced."""
        if not self.lies:
            self.opened(name)
            self._record.append(Operation(Kind.SYNC, name))

    def synced_names(self) -> None:
        """The directory was synced."""
        if not self.lies:
            self._record.append(Operation(Kind.SYNC_NAMES))

    def deleted(self, name: str) -> None:
        """A file is gone."""
        if name in self._names:
            self._names.remove(name)
            self._record.append(Operation(Kind.DELETE, name))

    def renamed(self, name: str, new_name: str) -> None:
        """A file has another name, and a file that had it is gone."""
        self.opened(name)
        self._names.remove(name)
        self._names.add(new_name)
        self._record.append(Operation(Kind.RENAME, name, data=new_name.encode()))

    # --- the images -------------------------------------------------------------------------------------------------

    def files(self, cut: int, chance: Random) -> dict[str, bytes]:
        """The files by name as they may lie there when the power failed after ``cut`` operations.

        Cheapest when cuts are asked in rising order: the replay goes on from the last one.
        """
        return self._replay_to(cut).image(chance)

    def image(self, cut: int, chance: Random, directory: Path) -> None:
        """Write :meth:`files` into ``directory``."""
        _lay_out(self.files(cut, chance), directory)

    def synced_image(self, cut: int, directory: Path) -> None:
        """The same in the harshest case: nothing that was not synced is there."""
        _lay_out(self._replay_to(cut).synced_image(), directory)

    def power_returns(self, cut: int, chance: Random) -> None:
        """What an image of that cut shows is what lies in the directory from now on, and the record begins anew.

        Whoever had files open there must have closed them.
        """
        found = self.files(cut, chance)
        for path in [path for path in self.directory.iterdir() if path.is_file()]:
            path.unlink()
        _lay_out(found, self.directory)
        self._record, self._names, self._replayed = [], set(), _Replay()
        self._adopt()

    def _replay_to(self, cut: int) -> _Replay:
        assert 0 <= cut <= self.operations
        if cut < self._replayed.done:
            self._replayed = _Replay()
        for operation in self._record[self._replayed.done : cut]:
            self._replayed.step(operation)
        return self._replayed

    def cuts_after_writes(self, to: str, longer_than: int) -> list[int]:
        """The moments just after a long write to a file whose name ends in ``to``, when it is not synced yet."""
        record = enumerate(self._record, 1)
        written = (
            (done, len(step.data)) for done, step in record if step.kind is Kind.WRITE and step.name.endswith(to)
        )
        return [done for done, length in written if length > longer_than]

    # --- from process to process ------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write the record to a file: one line that lists the operations, then their bytes."""
        listed = [(step.kind, step.name, step.at, len(step.data)) for step in self._record]
        path.write_bytes(json.dumps(listed).encode() + b"\n" + b"".join(step.data for step in self._record))

    @classmethod
    def load(cls, path: Path, directory: Path) -> Disk:
        """A disk of an empty ``directory`` with the record that :meth:`save` wrote."""
        disk = cls(directory)
        disk._record.clear()
        head, _, data = path.read_bytes().partition(b"\n")
        at_byte = 0
        for kind, name, at, length in json.loads(head):
            disk._record.append(Operation(Kind(kind), name, at, data[at_byte : at_byte + length]))
            at_byte += length
        return disk


@dataclass(slots=True)
class _File:
    """A file's bytes as of its last sync, and what was done to it since."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.pending:
            _apply(operation, self.synced)
        self.pending.clear()

    def forget(self) -> None:
        """What was written is not written, and nobody will try again. Sizes are kept elsewhere, and are."""
        self.pending = [operation for operation in self.pending if operation.kind is Kind.TRUNCATE]


_NameChange = tuple[tuple[str, _File | None], ...]
"""Names and the files they stand for afterwards, or None: they change together."""


class _Replay:
    """What lies where after the first ``done`` operations."""

    def __init__(self) -> None:
        self.done = 0
        self._name_changes: list[_NameChange] = []
        """Those that no sync has made last."""
        self._lasting: dict[str, _File] = {}
        self._seen: dict[str, _File] = {}
        self._steps: dict[Kind, Callable[[Operation], None]] = {
            Kind.CREATE: self._create,
            Kind.WRITE: self._change,
            Kind.TRUNCATE: self._change,
            Kind.SYNC: self._sync,
            Kind.SYNC_FAILED: lambda operation: self._seen[operation.name].forget(),
            Kind.DELETE: lambda operation: self._rename((operation.name, None)),
            Kind.RENAME: self._move,
            Kind.SYNC_NAMES: lambda _: self._keep_names(),
        }

    def step(self, operation: Operation) -> None:
        """One more operation happens."""
        self._steps[operation.kind](operation)
        self.done += 1

    def image(self, chance: Random) -> dict[str, bytes]:
        """The files if any part survives of what was not synced."""
        surviving = chance.randint(0, len(self._name_changes))
        return {name: _survived(name, file, chance) for name, file in self._names(surviving).items()}

    def synced_image(self) -> dict[str, bytes]:
        """The files if nothing of it survives."""
        return {name: bytes(file.synced) for name, file in self._names(0).items()}

    def _names(self, surviving: int) -> dict[str, _File]:
        """The files by name if so many of the changes of names that were not synced are there."""
        found = dict(self._lasting)
        for change in self._name_changes[:surviving]:
            _change_names(found, change)
        return found

    def _create(self, operation: Operation) -> None:
        self._rename((operation.name, _File()))

    def _change(self, operation: Operation) -> None:
        self._seen[operation.name].pending.append(operation)

    def _sync(self, operation: Operation) -> None:
        file = self._seen[operation.name]
        file.sync()
        if any((operation.name, file) in change for change in self._name_changes):
            self._keep_names(of=operation.name)

    def _move(self, operation: Operation) -> None:
        self._rename((operation.name, None), (operation.data.decode(), self._seen[operation.name]))

    def _rename(self, *change: tuple[str, _File | None]) -> None:
        _change_names(self._seen, change)
        self._name_changes.append(change)

    def _keep_names(self, of: str | None = None) -> None:
        """All changes last, or those of one name."""
        kept = [change for change in self._name_changes if of is None or of in dict(change)]
        self._name_changes = [change for change in self._name_changes if change not in kept]
        for change in kept:
            _change_names(self._lasting, change)


def _change_names(names: dict[str, _File], change: Sequence[tuple[str, _File | None]]) -> None:
    for name, file in change:
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _apply(operation: Operation, content: bytearray) -> None:
    if operation.kind is Kind.TRUNCATE:
        del content[operation.at :]
        _stretch(content, operation.at)
        return
    _stretch(content, operation.at)
    content[operation.at : operation.at + len(operation.data)] = operation.data


def _stretch(content: bytearray, size: int) -> None:
    """What was never written reads as zeros."""
    content.extend(bytes(max(size - len(content), 0)))


def _survived(name: str, file: _File, chance: Random) -> bytes:
    """The file with any part of what was not synced, each operation perhaps torn, in any order."""
    content = bytearray(file.synced)
    share = chance.choice((0.0, 0.3, 0.7, 0.95, 1.0))
    kept = [operation for operation in file.pending if chance.random() < share]
    chance.shuffle(kept)
    for operation in kept:
        torn = chance.random() < 0.3 and operation.kind is Kind.WRITE
        _apply(_torn(operation, chance, anywhere=name.endswith(JOURNAL)) if torn else operation, content)
    return bytes(content)


def _torn(write: Operation, chance: Random, *, anywhere: bool) -> Operation:
    """The head of a write, or more rarely its tail without the head: the sectors of a file have no order.

    A file that grows may end at any byte (``anywhere``); else the tear is between two sectors.
    """
    without_head = chance.random() < 0.25
    grain = 1 if anywhere and not without_head else SECTOR
    tears = range((write.at // grain + 1) * grain, write.at + len(write.data), grain)
    if not tears:
        return write
    kept = chance.choice(tears) - write.at
    if without_head:
        return Operation(write.kind, write.name, write.at + kept, write.data[kept:])
    return Operation(write.kind, write.name, write.at, write.data[:kept])


def _lay_out(files: dict[str, bytes], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
