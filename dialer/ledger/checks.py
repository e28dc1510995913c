"""What can be found out about a ledger without writing to it, also while a runner writes. Prints nothing.

The strongest check folds the journal: every event is replayed into an empty ledger in memory, and the rows that come
out are compared with the real ones. The two copies were written beside each other: they tell the same story, or one of
them is wrong.
"""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from dialer.core.errors import LedgerUnusable
from dialer.core.lifecycle import DUE_LEADS, LeadState
from dialer.ledger.ballast import SIZE_BYTES, Ballast
from dialer.ledger.filesystem import is_network, type_of
from dialer.ledger.journal import Entry, JournalBroken, journal_workspace, person_of, read_journal
from dialer.ledger.lock import holder_of
from dialer.ledger.reading import LedgerReader, open_reader
from dialer.ledger.rebuild import read_story
from dialer.ledger.replay import Replay, ReplayFailed
from dialer.ledger.statements import migrations, statements
from dialer.ledger.store import RECOVER, journal_path

WAL_MENDED: Final = (3, 51, 3)
SPACE_BAD_BYTES: Final = 16 << 20
SPACE_NOTE_BYTES: Final = 200 << 20
SHOWN: Final = 3
"""So many differences are named; the others are counted."""
_LEFT_OUT: Final = frozenset({LeadState.CANCELLED, LeadState.SUPPRESSED})
"""States that a list, not an event, puts a lead into."""


class Level(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it was about, what was found, and what to do where that is bad."""

    level: Level
    subject: str
    found: str
    remedy: str = ""


def ok(subject: str, found: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, found)


def note(subject: str, found: str) -> Finding:
    """Worth knowing, nothing to mend."""
    return Finding(Level.NOTE, subject, found)


def bad(subject: str, found: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(Level.BAD, subject, found, remedy)


# --- the machine ----------------------------------------------------------------------------------------------------


def sqlite_version() -> Finding:
    """Which SQLite writes the ledger."""
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= WAL_MENDED:
        return ok("sqlite", version)
    return note(
        "sqlite",
        f"{version}: before 3.51.3 two connections that write and checkpoint at once can harm a write-ahead log; "
        "with one writer and read-only readers that cannot happen here",
    )


def disk_space(ledger: Path) -> Finding:
    """How much room the ledger's disk has."""
    free = shutil.disk_usage(_existing(ledger)).free
    found = f"{free / (1 << 20):,.0f} MB free"
    if free < SPACE_BAD_BYTES:
        return bad("disk space", found, f"free some space where {ledger} lies")
    return (
        note("disk space", f"{found}: little for a long campaign")
        if free < SPACE_NOTE_BYTES
        else ok("disk space", found)
    )


def ballast(ledger: Path) -> Finding:
    """Whether the reserve for the last outcomes is there."""
    path = Ballast(ledger).path
    if path.is_file() and path.stat().st_size == SIZE_BYTES:
        return ok("reserve", f"{path.name} is there")
    return note("reserve", f"{path.name} is not there (a full disk used it up?); the next run makes it anew")


def file_system(ledger: Path) -> Finding:
    """What kind of file system the ledger lies on."""
    kind = type_of(ledger)
    if is_network(kind):
        return bad(
            "file system",
            f"{kind}, a network one: its locks and syncs cannot be trusted",
            "name a local place: --ledger",
        )
    return ok("file system", kind) if kind else note("file system", "its type cannot be told")


def modes(ledger: Path) -> Finding:
    """Whether anybody but their owner can read the ledger's files."""
    beside = [path for path in _files_of(ledger) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if beside:
        names = ", ".join(path.name for path in beside)
        return bad("modes", f"others can read {names}", f"chmod 600 {' '.join(map(str, beside))}")
    if ledger.parent.is_dir() and stat.S_IMODE(ledger.parent.stat().st_mode) & 0o077:
        return note("modes", f"the files are their owner's alone, but others can list {ledger.parent}: chmod 700 it")
    return ok("modes", "the files are their owner's alone")


def _files_of(ledger: Path) -> list[Path]:
    if not ledger.parent.is_dir():
        return []
    return sorted(path for path in ledger.parent.iterdir() if path.name.startswith(ledger.name) and path.is_file())


def _existing(path: Path) -> Path:
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return place


def lock(ledger: Path) -> Finding:
    """Who holds the ledger."""
    holder = holder_of(ledger)
    return ok("lock", "nobody holds the ledger") if holder is None else ok("lock", f"process {holder or '?'} holds it")


def last_event(path: Path) -> int:
    """The last event of a ledger; 0 in a blank one, as it is made where a file was lost."""
    with open_reader(path) as reader:
        return int(reader.one("last_event")[0])


def is_anothers(path: Path) -> bool:
    """Whether the journal beside a ledger belongs to another one."""
    with open_reader(path) as reader:
        ours = next(reader.rows("meta", key="workspace"), (None,))[0]
    try:
        return journal_workspace(journal_path(path)) not in {ours, None}
    except LedgerUnusable:
        return False  # damaged in its first line


# --- the ledger -----------------------------------------------------------------------------------------------------


def ledger(path: Path, *, held: bool | None = None) -> list[Finding]:
    """All checks of what the ledger and its journal hold. ``held``: whether a runner writes; None asks the lock."""
    held = holder_of(path) is not None if held is None else held
    if not path.is_file() or not path.stat().st_size:
        if journal_path(path).exists():
            return [bad("ledger", f"{path} is gone, but its journal is there", f"{RECOVER}")]
        return [note("ledger", f"there is none at {path} yet")]
    try:
        with open_reader(path) as reader:
            found = integrity(reader)
            return [found] if found.level is Level.BAD else [found, *journal(path, reader, held=held)]
    except LedgerUnusable as error:
        return [bad("ledger", str(error), RECOVER)]


def integrity(reader: LedgerReader) -> Finding:
    """SQLite's own check of every page, index and constraint."""
    (said,) = next(reader.rows("integrity"))
    if said != "ok":
        return bad("ledger", f"damaged: {said.splitlines()[-1]}", RECOVER)
    (events,) = reader.one("last_event")
    return ok("ledger", f"sound; {events:,} events")


def journal(path: Path, reader: LedgerReader, *, held: bool) -> list[Finding]:
    """The journal's chain, whether it holds the same events as the ledger, and whether they explain the rows."""
    beside = journal_path(path)
    (last,) = reader.one("last_event")
    if not beside.exists():
        return [note("journal", f"{beside.name} is not there; the next run writes it from the ledger")]
    salt = next(reader.rows("meta", key="salt"), (None,))[0]
    workspace = next(reader.rows("meta", key="workspace"), (None,))[0]
    try:
        if journal_workspace(beside) not in {workspace, None}:
            return [bad("journal", f"{beside.name} is another ledger's", "put the right one beside the ledger")]
        fold = Fold(reader, salt or "")
        walk = Walk(beside, reader, last)
        for entry in walk:
            fold.add(entry)
    except LedgerUnusable as error:
        return [bad("journal", str(error), RECOVER)]
    findings = walk.findings(held=held)
    if walk.whole:
        findings.append(fold.finding())
    return findings


@dataclass(slots=True)
class Walk:
    """One walk along a journal, event by event beside the ledger's own table, up to the ledger's ``last``."""

    path: Path
    reader: LedgerReader
    last: int
    read: int = 0
    further: int = 0
    """Events beyond the ledger's last one."""
    different: list[int] = field(default_factory=list)
    broken: bool = False
    torn: int = 0
    """The highest event that can be made out behind the place where the chain breaks."""

    def __iter__(self) -> Iterator[Entry]:
        heads = self.reader.rows("event_heads")
        try:
            for entry in read_journal(self.path):
                if entry.number > self.last:
                    self.further += 1
                    continue
                self.read += 1
                if next(heads, None) != (entry.number, entry.at, entry.kind, entry.attempt):
                    self.different.append(entry.number)
                yield entry
        except JournalBroken:
            self.broken = True
            self.torn = read_story(self.path).highest_event

    @property
    def whole(self) -> bool:
        """Whether everything the ledger holds stood in the journal as well."""
        return self.read == self.last and not self.different

    def findings(self, *, held: bool) -> list[Finding]:
        """What the walk showed. ``held``: a runner writes, so the two may be an instant apart."""
        return [self._chain(held=held), self._same(held=held)]

    def _chain(self, *, held: bool) -> Finding:
        name = self.path.name
        if not self.broken:
            return ok("journal", f"its chain holds to the end; {self.read + self.further:,} events")
        if self.read >= self.last and self.torn <= self.last:
            return note("journal", f"the last lines of {name} are torn (a power cut?); the next run cuts them off")
        if held:
            return note("journal", "it is being written just now; ask again")
        return bad(
            "journal",
            f"{name} breaks after event {self.read + self.further:,} of {max(self.last, self.torn):,}",
            _REWRITE,
        )

    def _same(self, *, held: bool) -> Finding:
        if self.different:
            return bad("same events", f"ledger and journal tell event {self.different[0]:,} differently", RECOVER)
        missing = self.last - self.read
        if missing and (self.broken or held):
            return note("same events", f"the same up to event {self.read:,}; {missing:,} more in the ledger")
        if missing:
            return note("same events", f"{missing:,} events are in the ledger only; the next run copies them")
        if self.further and not held:
            return note("same events", f"the ledger is {self.further:,} events older; the next run takes them over")
        return ok("same events", "journal and ledger hold the same")


_REWRITE: Final = "`dialer doctor --recover` writes it anew"


class Fold:
    """The journal replayed into a ledger in memory that holds only the leads it speaks of."""

    def __init__(self, reader: LedgerReader, salt: str) -> None:
        self._reader = reader
        self._salt = salt
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        for _, script in migrations():
            self._db.executescript(script)
        self._known: dict[int, str] = {}
        self._same = {(campaign, person): lead for campaign, person, lead in reader.rows("same_people")}
        self._replay = Replay(self._execute, self._phone_of)
        self._failed = ""

    def _execute(self, name: str, values: Mapping[str, Any]) -> int:
        return self._db.execute(statements()[name], values).rowcount

    def _phone_of(self, lead: int, person: str | None) -> str | None:
        if lead in self._known:
            phone = self._known[lead]
            if person != person_of(phone, self._salt):
                return self._numbers(lead).get(person or "", phone)
            return phone
        row = next(self._reader.rows("lead_phone", lead=lead), None)
        if row is None:
            return None
        phone, campaign, fits = row
        now = person_of(phone, self._salt)
        numbers = self._numbers(lead)
        told = person in numbers or self._same.get((campaign, now)) == lead  # rebuilt: known by a later number
        if not (told and fits):
            raise ReplayFailed(f"contact {lead} has another number than the one that was called")
        phone = self._known[lead] = numbers.get(person or "", str(phone))
        row = (lead, campaign, phone, None, "", 0, None, None, "{}", 1)
        self._db.execute(statements()["enroll_contact"], row)
        self._db.execute(statements()["enroll_lead"], (lead, campaign, phone, None, 0.0))
        return self._known[lead]

    def _numbers(self, lead: int) -> dict[str, str]:
        return {person_of(phone, self._salt): phone for (phone,) in self._reader.rows("lead_numbers", lead=lead)}

    def add(self, entry: Entry) -> None:
        """Replay one event."""
        if self._failed:
            return
        try:
            self._replay.one(entry)
        except (ReplayFailed, sqlite3.Error, KeyError, ValueError) as error:
            self._failed = f"event {entry.number:,} ({entry.kind}) does not follow from those before: {error}"

    def finding(self) -> Finding:
        """Whether the rows are what the events make of them."""
        with closing(self._db):
            if self._failed:
                return bad("rows", self._failed, RECOVER)
            wrong = [*self._attempts(), *self._leads()]
            left_out = len(self._replay.strangers)
        if wrong:
            more = f" and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
            return bad("rows", f"not what the journal makes of them: {'; '.join(wrong[:SHOWN])}{more}", RECOVER)
        if left_out:
            return note(
                "rows", f"what the journal says, but for {left_out:,} attempts of people who are in no list now"
            )
        return ok("rows", "attempts and contacts are what the journal makes of them")

    def _attempts(self) -> Iterator[str]:
        ours = {row[0]: row[1:] for row in self._db.execute(statements()["attempt_heads"])}
        for key, *real in self._reader.rows("attempt_heads"):
            folded = ours.pop(key, None)
            if folded is None:
                yield f"attempt {key} is not in the journal"
            elif folded != tuple(real):
                yield (
                    f"attempt {key} is {real[0]}, not {folded[0]}" if folded[0] != real[0] else f"attempt {key} differs"
                )
        yield from (f"attempt {key} is not in the ledger" for key in ours)

    def _leads(self) -> Iterator[str]:
        ours = {row[0]: row[1:] for row in self._db.execute(statements()["lead_heads"])}
        for lead, state, *counts in self._reader.rows("lead_heads"):
            folded = ours.pop(lead, None)
            if folded is None:
                yield f"contact {lead} was never called by the journal"
            elif list(folded[1:]) != counts:
                yield f"contact {lead} counts {counts[0]} attempts, not {folded[1]}"
            elif not _agree(LeadState(state), LeadState(folded[0])):
                yield f"contact {lead} is {state}, not {folded[0]}"
        yield from (f"contact {lead} is as never called" for lead in ours)


def _agree(real: LeadState, folded: LeadState) -> bool:
    if real in DUE_LEADS | _LEFT_OUT:
        return folded in DUE_LEADS or (real in _LEFT_OUT and folded is LeadState.UNRESOLVED)
    return real is folded
