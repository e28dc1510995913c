"""The journal beside the ledger: a copy of every event, from which a lost or damaged ledger is rebuilt.

One line of JSON an event, appended and synced before anything is done that depends on it. Each line carries the hash of
the line before, so that a gap or a changed line is found. It holds no number and no name: a person is a keyed hash, and
the key lies in a file of its own (``<ledger>.salt``), because so few numbers exist that a plain hash hides nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Protocol

from dialer.core.errors import LedgerUnusable

VERSION: Final = 1
_BLOCK: Final = 1 << 20
"""As much of the end is checked at the start: more than one append is ever long."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: ``number`` is its id in the ledger, ``person`` the keyed hash of the number it is about."""

    number: int
    at: float
    kind: str
    campaign: int | None
    lead: int | None
    person: str | None
    attempt: str | None
    data: dict[str, Any]


class JournalBroken(ValueError):
    """A line does not follow from the one before."""


class Journal(Protocol):
    """Where the copies go. :class:`JournalFile` is the real one."""

    last: int
    """The number of the last event that is kept."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep further events, durably. Raises :class:`OSError` where the disk does not take them: then none is."""

    def read(self) -> Iterator[Entry]:
        """All events. Raises :class:`JournalBroken` where the chain ends too soon."""

    def close(self) -> None:
        """Let the file go."""


def person_of(phone: str, salt: str) -> str:
    """The keyed hash that stands for a number in the journal."""
    return blake2b(phone.encode(), digest_size=10, key=salt.encode()).hexdigest()


def line_of(entry: Entry, chain: str) -> tuple[str, str]:
    """The line for an entry that follows ``chain``, and the chain that the next one follows."""
    body = {
        "n": entry.number,
        "at": entry.at,
        "kind": entry.kind,
        "campaign": entry.campaign,
        "lead": entry.lead,
        "person": entry.person,
        "attempt": entry.attempt,
        "data": entry.data,
    }
    text = json.dumps({key: value for key, value in body.items() if value is not None}, default=str)
    link = _link(chain, text)
    return f'{text[:-1]}, "chain": "{link}"}}\n', link


def _link(chain: str, text: str) -> str:
    return blake2b(f"{chain}{text}".encode(), digest_size=8).hexdigest()


def entry_of(line: str, chain: str | None) -> tuple[Entry, str]:
    """The entry in a line and its link; ``chain`` None skips the check against the line before."""
    text, mark, rest = line.rstrip("\n").rpartition(', "chain": "')
    link = rest.removesuffix('"}')
    if not mark or (chain is not None and _link(chain, text + "}") != link):
        raise JournalBroken("a line of the journal does not follow from the one before")
    try:
        found = json.loads(text + "}")
        return (
            Entry(
                number=found["n"],
                at=found["at"],
                kind=found["kind"],
                campaign=found.get("campaign"),
                lead=found.get("lead"),
                person=found.get("person"),
                attempt=found.get("attempt"),
                data=found.get("data", {}),
            ),
            link,
        )
    except (ValueError, KeyError, TypeError):
        raise JournalBroken("a line of the journal cannot be read") from None


class JournalFile:
    """The journal in ``<ledger>.journal``. Its first line names the workspace it belongs to."""

    def __init__(self, path: Path) -> None:
        """Open it and find its end; the rest of a line that a power cut tore is cut off."""
        self.path = path
        self.workspace: str | None = None
        self.last = 0
        self.torn = 0
        """The highest event that can be made out behind the place where the chain breaks; 0 where it does not."""
        self._chain = ""
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise LedgerUnusable(f"cannot open the ledger's journal {path}: {error.strerror}") from None
        try:
            self._size = self._find_end()
        except BaseException:
            os.close(self._file)
            raise

    @property
    def empty(self) -> bool:
        """Whether it has no first line yet."""
        return self.workspace is None

    def begin(self, workspace: str) -> None:
        """Write the first line."""
        header = json.dumps({"journal": VERSION, "workspace": workspace}) + "\n"
        self.workspace, self._chain = workspace, workspace
        self._write(header.encode())

    def append(self, entries: Sequence[Entry]) -> None:
        """See :class:`Journal`."""
        lines: list[str] = []
        chain = self._chain
        for entry in entries:
            line, chain = line_of(entry, chain)
            lines.append(line)
        if lines:
            self._write("".join(lines).encode())
            self.last, self._chain = entries[-1].number, chain

    def _write(self, data: bytes) -> None:
        try:
            os.ftruncate(self._file, self._size)  # what a power cut tore goes only when there is more to write
            written = 0
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._size + written)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def read(self) -> Iterator[Entry]:
        """See :class:`Journal`."""
        yield from read_journal(self.path)

    def close(self) -> None:
        """See :class:`Journal`."""
        os.close(self._file)

    def _find_end(self) -> int:
        """How much of the file holds together: a power cut may leave any part of the last append, in any order."""
        size = os.fstat(self._file).st_size
        head = os.pread(self._file, _BLOCK, 0)
        if b"\n" not in head:
            return 0
        self.workspace = self._chain = _workspace_of(head, self.path)
        tail = self._tail(size)
        first, *lines = tail.splitlines(keepends=True)  # the first one is the header, or not whole
        good, chain = size - len(tail) + len(first), self._chain if len(tail) == size else None
        for place, line in enumerate(lines):
            try:
                if not line.endswith(b"\n"):
                    break
                entry, chain = entry_of(line.decode(), chain)
            except (JournalBroken, UnicodeDecodeError):
                self.torn = max((_number_in(rest) for rest in lines[place + 1 :]), default=0)
                break
            self.last, self._chain = entry.number, chain
            good += len(line)
        return good

    def _tail(self, size: int) -> bytes:
        """The end of the file, with at least one whole line after the first."""
        block = _BLOCK
        while True:
            start = max(size - block, 0)
            tail = os.pread(self._file, size - start, start)
            if start == 0 or tail.count(b"\n") > 1:
                return tail
            block *= 4


def _number_in(line: bytes) -> int:
    try:
        return entry_of(line.decode(), None)[0].number
    except (JournalBroken, UnicodeDecodeError):
        return 0


def _workspace_of(head: bytes, path: Path) -> str:
    try:
        found = json.loads(head.split(b"\n", 1)[0])
        assert found["journal"] == VERSION
        return str(found["workspace"])
    except (ValueError, KeyError, TypeError, AssertionError):
        raise _damaged(path) from None


def _damaged(path: Path) -> LedgerUnusable:
    return LedgerUnusable(f"the ledger's journal {path} is damaged; look at it with: dialer doctor")


def read_journal(path: Path) -> Iterator[Entry]:
    """All events of a journal file, each checked against the one before. A torn last line is passed over."""
    with path.open("rb") as file:
        header = file.readline()
        if not header.endswith(b"\n"):
            return
        chain = _workspace_of(header, path)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            try:
                entry, chain = entry_of(raw.decode(), chain)
            except UnicodeDecodeError:
                raise JournalBroken("a line of the journal is no text") from None
            yield entry


def journal_workspace(path: Path) -> str | None:
    """The workspace that a journal file belongs to; None where there is none, or nothing in it."""
    try:
        with path.open("rb") as file:
            header = file.readline()
    except OSError:
        return None
    return _workspace_of(header, path) if header.endswith(b"\n") else None


@dataclass(slots=True)
class MemoryJournal:
    """A journal for a ledger that lives in memory."""

    entries: list[Entry]
    last: int = 0

    def append(self, entries: Sequence[Entry]) -> None:
        """See :class:`Journal`."""
        self.entries.extend(entries)
        self.last = self.entries[-1].number if self.entries else 0

    def read(self) -> Iterator[Entry]:
        """See :class:`Journal`."""
        yield from self.entries

    def close(self) -> None:
        """See :class:`Journal`."""


class Pending:
    """Events of the transaction that is under way: numbered as the ledger will number them, kept once it is durable."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.entries: list[Entry] = []

    def add(
        self,
        at: float,
        kind: str,
        data: dict[str, Any],
        *,
        campaign: int | None,
        lead: int | None = None,
        person: str | None = None,
        attempt: str | None = None,
    ) -> Entry:
        """The next event."""
        number = self.last + len(self.entries) + 1
        entry = Entry(number, at, kind, campaign, lead, person, attempt, data)
        self.entries.append(entry)
        return entry

    def take(self) -> list[Entry]:
        """The transaction is durable: what goes to the journal."""
        entries, self.entries = self.entries, []
        self.last += len(entries)
        return entries

    def drop(self) -> None:
        """The transaction was rolled back."""
        self.entries = []


def chunked(entries: Iterable[Entry], size: int = 1000) -> Iterator[list[Entry]]:
    """Entries in handfuls, so that a journal of millions is copied in little memory."""
    handful: list[Entry] = []
    for entry in entries:
        handful.append(entry)
        if len(handful) == size:
            yield handful
            handful = []
    if handful:
        yield handful
