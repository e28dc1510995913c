"""A new ledger out of what is left of a damaged or lost one: its journal, the key of its hashes, and the contact lists.

The new one is made whole in a file of its own, and only then takes the old one's place; what was damaged is kept aside.
People get the numbers they had, so that attempts find them again; who is in no list any more cannot be restored.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dialer.core.errors import LedgerDamaged, LedgerUnusable
from dialer.ledger import NewContact, RejectedRow
from dialer.ledger.enrollment import TAKEN, SqliteEnrollment, as_csv
from dialer.ledger.journal import Entry, JournalBroken, entry_of, journal_workspace, person_of
from dialer.ledger.people import Other, Verdict
from dialer.ledger.replay import Replay, ReplayFailed
from dialer.ledger.sqlite import SCHEMA_VERSION
from dialer.ledger.statements import migrations, statements
from dialer.ledger.store import DiskStore

if TYPE_CHECKING:
    from dialer.core.columns import Elsewhere

GAP: Final = 1000
"""New numbers of people begin this far above the highest known one where the end of the journal is lost."""


@dataclass(frozen=True, slots=True)
class ToldCampaign:
    """A campaign as the journal last told of it."""

    id: int
    name: str
    source: str
    file: str


@dataclass(slots=True)
class Story:
    """What a journal tells in the part that holds together."""

    path: Path
    workspace: str
    campaigns: dict[int, ToldCampaign] = field(default_factory=dict)
    leads: dict[tuple[int, str], int] = field(default_factory=dict)
    """The number of each person, by campaign and keyed hash."""
    highest_lead: int = 0
    """Behind the place where the chain breaks as well, as far as lines can be made out there."""
    highest_event: int = 0
    """Likewise."""
    events: int = 0
    """The last event before that place."""
    good_bytes: int = 0
    broken: bool = False
    lost_lines: int = 0
    """Lines behind the place where the chain breaks."""

    def entries(self) -> Iterator[Entry]:
        """The events, once more from the file."""
        with self.path.open("rb") as file:
            at = len(file.readline())
            for raw in file:
                at += len(raw)
                if at > self.good_bytes:
                    return
                yield entry_of(raw.decode(), None)[0]


@dataclass(frozen=True, slots=True)
class ContactLists:
    """The lists of one campaign as they are now."""

    rows: Iterable[NewContact | RejectedRow]
    columns: tuple[str, ...]
    understood: tuple[str, ...]
    list_digest: str
    digest: str
    """Of the campaign file."""
    in_other_campaigns: Elsewhere = "allow"


@dataclass(slots=True)
class Rebuilt:
    """What the new ledger holds, and what it could not take over."""

    contacts: int = 0
    attempts: int = 0
    open_attempts: int = 0
    strangers: int = 0
    """Attempts of people who are in no list any more."""
    lost_calls: list[str] = field(default_factory=list)
    """Their calls."""


class HeldStore(DiskStore):
    """The place of a ledger whose lock this process holds already."""

    @property
    def held(self) -> bool:
        """See :class:`dialer.ledger.store.Store`."""
        return True

    def acquire(self) -> None:
        """See :class:`dialer.ledger.store.Store`."""

    def release(self) -> None:
        """See :class:`dialer.ledger.store.Store`."""


def read_story(path: Path) -> Story:
    """Read a journal up to where its chain breaks.

    Raises :class:`LedgerUnusable` where even its first line is lost.
    """
    try:
        workspace = journal_workspace(path)
    except LedgerUnusable:
        workspace = None
    if workspace is None:
        raise LedgerUnusable(
            f"the first line of the journal {path} cannot be read: put a copy of it back, and try again"
        )
    story = Story(path, workspace)
    with path.open("rb") as file:
        story.good_bytes, chain = len(file.readline()), workspace
        for raw in file:
            if not raw.endswith(b"\n") and not story.broken:
                break  # torn by a power cut: it was never acted upon
            try:
                entry, link = entry_of(raw.decode(), None if story.broken else chain)
            except (JournalBroken, UnicodeDecodeError):
                story.broken = True
                story.lost_lines += 1
                with suppress(JournalBroken, UnicodeDecodeError):
                    _see(story, entry_of(raw.decode(), None)[0])
                continue
            _see(story, entry)
            if story.broken:
                story.lost_lines += 1
                continue
            chain = link
            story.good_bytes += len(raw)
            _hear(story, entry)
    return story


def _see(story: Story, entry: Entry) -> None:
    story.highest_event = max(story.highest_event, entry.number)
    story.highest_lead = max(story.highest_lead, entry.lead or 0)


def _hear(story: Story, entry: Entry) -> None:
    story.events = entry.number
    if entry.kind in {"campaign_added", "campaign_changed"} and entry.campaign is not None:
        said = entry.data
        if not {"name", "source"} <= said.keys():
            raise LedgerUnusable(f"the journal {story.path} is of an older dialer, which did not keep campaign files")
        story.campaigns[entry.campaign] = ToldCampaign(
            entry.campaign, str(said["name"]), str(said["source"]), str(said.get("file", ""))
        )
    if entry.campaign is None:
        return
    if entry.lead is not None and entry.person is not None:
        story.leads[entry.campaign, entry.person] = entry.lead
    if entry.kind == "void" and entry.lead is not None and "next" in entry.data:
        story.leads[entry.campaign, str(entry.data["next"])] = entry.lead
    if entry.kind == "import":  # other numbers of people who were called already
        story.leads |= {(entry.campaign, person): lead for person, lead in entry.data.get("same", {}).items()}


class Builder:
    """Builds the new ledger in ``target``, in one transaction."""

    def __init__(self, target: Path, story: Story, salt: str, now: float) -> None:
        self._target = target
        self._story = story
        self._salt = salt
        self._now = now
        self._left = dict(story.leads)
        self._taken: set[int] = set()
        self._next = story.highest_lead + (GAP if story.broken else 0)
        self.result = Rebuilt()

    def build(self, lists: Mapping[int, ContactLists]) -> Rebuilt:
        """Write it, durably. ``lists`` are those of each campaign.

        Raises :class:`LedgerDamaged` where the events do not fit.
        """
        before = os.umask(0o077)
        try:
            self._target.unlink(missing_ok=True)
            with closing(sqlite3.connect(self._target, isolation_level=None)) as self._db:
                self._build(lists)
        except (ReplayFailed, sqlite3.Error, KeyError) as error:
            self._target.unlink(missing_ok=True)
            raise LedgerDamaged(f"the journal {self._story.path} cannot be replayed: {error}") from None
        except BaseException:
            self._target.unlink(missing_ok=True)
            raise
        finally:
            os.umask(before)
        _sync(self._target)
        return self.result

    def _build(self, lists: Mapping[int, ContactLists]) -> None:
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN IMMEDIATE")
        for _, script in migrations():
            for statement in _split(script):
                self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        for key, value in {"workspace": self._story.workspace, "salt": self._salt}.items():
            self._execute("keep_meta", {"key": key, "value": value})
        replay = Replay(self._execute, self._phone_of)
        for entry in self._story.entries():
            replay.one(entry)
            self._besides(entry, lists, replay)
        for ident, found in lists.items():
            self._execute("set_digest", {"campaign": ident, "digest": found.digest})
            if found.in_other_campaigns != "allow":
                self._keep_apart(ident, called=found.in_other_campaigns == "reject_called")
        self._count(replay)
        self._db.execute("COMMIT")

    def _besides(self, entry: Entry, lists: Mapping[int, ContactLists], replay: Replay) -> None:
        """What a replay alone does not do: bring the people in, and what else the journal kept."""
        if entry.kind == "campaign_added" and entry.campaign is not None:
            self._enroll(entry.campaign, lists[entry.campaign])
        elif entry.kind == "account_renamed":
            self._execute("move_attempts", entry.data)
        elif entry.kind == "probe":
            account, data = entry.data["account"], json.dumps(entry.data["measured"])
            self._execute("learn", {"account": account, "topic": "probe", "at": entry.at, "data": data})
        elif entry.attempt in replay.strangers and entry.kind in {"placed", "found"}:
            self.result.lost_calls.append(str(entry.data.get("call")))

    def _enroll(self, campaign: int, found: ContactLists) -> None:
        enrollment = SqliteEnrollment(self._db, campaign, self._now, found.list_digest, ids=self._ids(campaign))
        for row in found.rows:
            if isinstance(row, NewContact):
                enrollment.add(row)
            else:
                enrollment.reject(row)
        enrollment.finish(found.columns, found.understood)

    def _keep_apart(self, campaign: int, *, called: bool) -> None:
        """Whoever was never tried and is an older campaign's was kept back before; the next run takes them up again."""
        intake = self._db.execute("SELECT intake FROM campaign WHERE id = ?", (campaign,)).fetchone()[0]
        values = {"campaign": campaign, "called": called}
        for lead, phone, file, row, cells, name, is_open in self._db.execute(
            statements()["had_twice"], values
        ).fetchall():
            told = {"reason": Verdict.ELSEWHERE.value, "detail": Other(name, bool(is_open)).why(phone)}
            raw = as_csv(json.loads(cells))
            where = {"campaign": campaign, "intake": intake, "file": file, "row_number": row}
            self._execute("reject", {**where, **told, "raw": raw})
            self._execute("forget_lead", {"lead": lead})
            self._execute("forget_contact", {"lead": lead})
            self._execute("read_again", {"campaign": campaign})

    def _ids(self, campaign: int) -> Callable[[str], int]:
        def ident(phone: str) -> int:
            known = self._left.pop((campaign, person_of(phone, self._salt)), None)
            if known in self._taken:
                return TAKEN
            if known is not None:
                self._taken.add(known)
                return known
            self._next += 1
            return self._next

        return ident

    def _phone_of(self, lead: int, person: str | None) -> str | None:
        row = self._db.execute(statements()["lead_phone"], {"lead": lead}).fetchone()
        if row is None or person is None:
            return None
        for (phone,) in self._db.execute(statements()["lead_numbers"], {"lead": lead}):
            if person == person_of(phone, self._salt):
                return str(phone)
        return str(row[0]) if self._story.leads.get((row[1], person)) == lead else None

    def _execute(self, name: str, values: Mapping[str, Any]) -> int:
        return self._db.execute(statements()[name], values).rowcount

    def _count(self, replay: Replay) -> None:
        result = self.result
        result.strangers = len(replay.strangers)
        (result.contacts,) = self._db.execute("SELECT count(*) FROM contact").fetchone()
        (result.attempts,) = self._db.execute("SELECT count(*) FROM attempt").fetchone()
        (result.open_attempts,) = self._db.execute(
            "SELECT count(*) FROM attempt WHERE state IN ('intended', 'placed', 'uncertain')"
        ).fetchone()


def _split(script: str) -> Iterator[str]:
    """The statements of a migration, so that they can run within a transaction."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


# --- taking the old one's place -------------------------------------------------------------------------------------


def swap(ledger: Path, built: Path, story: Story, stamp: str) -> list[Path]:
    """Put the new ledger into place. Returns where the damaged files are kept.

    In an order in which a power cut leaves either the old state or one that can be recovered again.
    """
    kept = [set_journal_right(story, stamp)] if story.broken else []
    for ending in ("-wal", "-shm", ""):
        old = ledger.with_name(ledger.name + ending)
        if old.exists():
            aside = ledger.with_name(f"{ledger.name}.damaged-{stamp}{ending}")
            old.replace(aside)
            kept.append(aside)
    built.replace(ledger)
    _sync(ledger.parent)
    return kept


def set_journal_right(story: Story, stamp: str) -> Path:
    """The part of a journal that holds together takes its place. Returns where the whole of it is kept."""
    aside = story.path.with_name(f"{story.path.name}.damaged-{stamp}")
    fresh = story.path.with_name(f"{story.path.name}.new")
    before = os.umask(0o077)
    try:
        shutil.copyfile(story.path, aside)
        _sync(aside)
        with story.path.open("rb") as old, fresh.open("wb") as new:
            left = story.good_bytes
            while left and (block := old.read(min(left, 1 << 20))):
                new.write(block)
                left -= len(block)
    finally:
        os.umask(before)
    _sync(fresh)
    fresh.replace(story.path)
    _sync(story.path.parent)
    return aside


def salt_in(ledger: Path) -> str | None:
    """The key of the journal's hashes in a damaged ledger, if that much can be read."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True)) as db:
        row = db.execute(statements()["meta"], {"key": "salt"}).fetchone()
        return str(row[0]) if row else None
    return None


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
