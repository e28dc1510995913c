"""The ledger on SQLite: write-ahead log, every commit synced (FULL), one read-write connection under an OS lock."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dialer.core.errors import DialerError, LedgerUnusable
from dialer.core.lifecycle import Attempt, AttemptState, Disposition, Lead, LeadState
from dialer.core.messages import Change, Restored
from dialer.core.pacing import DAY_S
from dialer.ledger import CampaignRecord, Enrollment, LedgerConflict
from dialer.ledger.changes import SHADOWED, IllegalChange, Writer, write
from dialer.ledger.enrollment import SqliteEnrollment
from dialer.ledger.lock import WriterLock
from dialer.ledger.statements import migrations, statements

SCHEMA_VERSION: Final = max(version for version, _ in migrations())


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """SQLite's complaints as one line that says which file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        said = str(error)
        if isinstance(error, sqlite3.IntegrityError):
            raise LedgerConflict(said) from error
        remedy = "free some space and run again" if "full" in said else "make it readable and writable, and run again"
        if isinstance(error, sqlite3.DatabaseError) and ("not a database" in said or "malformed" in said):
            remedy = "it is damaged or no ledger: restore a copy, or name another one with --ledger"
        raise LedgerUnusable(f"the ledger {path} cannot be used: {said}; {remedy}") from error


class SqliteLedger:
    """One workspace's ledger, opened for writing. Implements :class:`dialer.ledger.Ledger`."""

    def __init__(self, path: Path) -> None:
        """Open or create the ledger at ``path`` and hold its lock.

        Raises :class:`~dialer.core.errors.LedgerHeld` while another process does, and
        :class:`~dialer.core.errors.LedgerUnusable` where the file or its disk cannot be used.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerUnusable(f"cannot make {path.parent} for the ledger: {error.strerror}") from None
        self._lock = WriterLock(path)
        self._lock.acquire()
        try:
            with plain_errors(path):
                self._db = self._open(path)
                self._migrate()
                self.workspace = self._workspace()
        except (DialerError, LedgerConflict):
            self._lock.release()
            raise

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        before = os.umask(0o077)
        try:
            db = sqlite3.connect(path, isolation_level=None, cached_statements=256)
            db.execute("PRAGMA journal_mode = WAL")
        finally:
            os.umask(before)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA busy_timeout = 5000")
        return db

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise LedgerUnusable(f"{self.path} is another program's database; name another ledger with --ledger")
        if version > SCHEMA_VERSION:
            raise LedgerUnusable(
                f"the ledger {self.path} was written by a newer dialer (schema {version}, known here "
                f"{SCHEMA_VERSION}); use that one"
            )
        for number, script in migrations():
            if number > version:
                self._db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")

    def _workspace(self) -> str:
        word = secrets.token_hex(4)
        self._db.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('workspace', ?)", (f"{word}-",))
        return str(self._db.execute("SELECT value FROM meta WHERE key = 'workspace'").fetchone()[0])

    @property
    def held(self) -> bool:
        """Whether this process still holds the lock."""
        return self._lock.held

    def close(self) -> None:
        """Close the file and let the next runner in."""
        self._db.close()
        self._lock.release()

    # --- reading ----------------------------------------------------------------------------------------------------

    def _rows(self, name: str, /, **values: object) -> list[tuple[Any, ...]]:
        with plain_errors(self.path):
            return self._db.execute(statements()[name], values).fetchall()

    def campaign(self, name: str) -> CampaignRecord | None:
        """See :meth:`dialer.ledger.Ledger.campaign`."""
        rows = self._rows("campaign_by_name", name=name)
        return campaign_record(name, rows[0]) if rows else None

    def campaign_names(self) -> list[str]:
        """See :meth:`dialer.ledger.Ledger.campaign_names`."""
        return [name for (name,) in self._rows("campaigns")]

    def claim(self, campaign_id: int, now: float, limit: int, only: str | None = None) -> list[Lead]:
        """See :meth:`dialer.ledger.Ledger.claim`."""
        values = {"campaign": campaign_id, "now": now, "only": only}
        rows = self._rows("claim_waiting", **values, limit=limit)
        if len(rows) < limit:
            rows += self._rows("claim_queued", **values, limit=limit - len(rows))
        understood = self._understood(campaign_id) if rows else frozenset()
        return [_lead(row, understood) for row in rows]

    def _understood(self, campaign_id: int) -> frozenset[str]:
        row = self._db.execute("SELECT understood FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
        return frozenset(json.loads(row[0]))

    def next_due(self, campaign_id: int, only: str | None = None) -> float | None:
        """See :meth:`dialer.ledger.Ledger.next_due`."""
        due: float | None = self._rows("next_due", campaign=campaign_id, only=only)[0][0]
        return due

    def knows(self, campaign_id: int, phone: str) -> bool:
        """See :meth:`dialer.ledger.Ledger.knows`."""
        return bool(self._rows("known_contact", campaign=campaign_id, phone=phone))

    def bound(self, call_ids: Iterable[str]) -> frozenset[str]:
        """See :meth:`dialer.ledger.Ledger.bound`."""
        wanted = json.dumps(list(call_ids))
        with plain_errors(self.path):
            rows = self._db.execute(
                "SELECT call_id FROM attempt WHERE call_id IN (SELECT value FROM json_each(?))", (wanted,)
            )
            return frozenset(call_id for (call_id,) in rows)

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with plain_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _execute(self, name: str, values: Mapping[str, Any]) -> int:
        return self._db.execute(statements()[name], values).rowcount

    def commit(self, campaign_id: int, account: str, changes: Sequence[Change]) -> None:
        """See :meth:`dialer.ledger.Ledger.commit`."""
        if not changes:
            return
        writer = Writer(self._execute, campaign_id, account)
        with self._transaction():
            for change in changes:
                try:
                    write(change, writer)
                except IllegalChange as error:
                    raise LedgerConflict(str(error)) from None

    def put_campaign(self, name: str, file: str, source: str, digest: str, now: float) -> CampaignRecord:
        """See :meth:`dialer.ledger.Ledger.put_campaign`."""
        known = self.campaign(name)
        if known is None or known.digest != digest or known.source != source or known.file != file:
            values = {"name": name, "file": file, "source": source, "digest": digest, "at": now}
            with self._transaction():
                if known is None:
                    self._execute("add_campaign", values)
                else:
                    self._execute("change_campaign", {**values, "campaign": known.id})
                row = self._db.execute("SELECT id FROM campaign WHERE name = ?", (name,)).fetchone()
                journal = Writer(self._execute, row[0], "")
                journal.event(now, "campaign_changed" if known else "campaign_added", {"name": name, "source": source})
        found = self.campaign(name)
        assert found is not None
        return found

    @contextmanager
    def enroll(
        self, campaign_id: int, columns: Sequence[str], understood: Sequence[str], list_digest: str, now: float
    ) -> Iterator[Enrollment]:
        """See :meth:`dialer.ledger.Ledger.enroll`."""
        with self._transaction():
            enrollment = SqliteEnrollment(self._db, campaign_id, now)
            yield enrollment
            enrollment.finish(columns, understood, list_digest)

    def restore(self, campaign_id: int, account: str, now: float, grace_s: float) -> Restored:
        """See :meth:`dialer.ledger.Ledger.restore`."""
        self._doubt_stale_intents(now, grace_s)
        money = self._rows("money", campaign=campaign_id)[0]
        return Restored(
            open_attempts=tuple(_attempt(row) for row in self._rows("open_attempts", campaign=campaign_id)),
            counts={LeadState(state): count for state, count in self._rows("counts", campaign=campaign_id)},
            requests_today=self._rows("spent", account=account, day=int(now // DAY_S))[0][0],
            cost=money[0],
            costed_calls=money[1],
        )

    def _doubt_stale_intents(self, now: float, grace_s: float) -> None:
        with self._transaction():
            for key, campaign_id, lead_id in self._db.execute(
                statements()["stale_intents"], {"grace": grace_s}
            ).fetchall():
                values = {"at": now, "kind": "uncertain", "campaign": campaign_id, "lead": lead_id, "attempt": key}
                self._execute("event", {**values, "data": json.dumps({"reason": "found intended at start"})})


def campaign_record(name: str, row: tuple[Any, ...]) -> CampaignRecord:
    """The record in a row of ``campaign_by_name``."""
    ident, digest, list_digest, intake, columns, understood, file, source = row
    return CampaignRecord(
        ident,
        name,
        digest,
        list_digest,
        intake,
        tuple(json.loads(columns)),
        tuple(json.loads(understood)),
        file,
        source,
    )


def _lead(row: tuple[Any, ...], understood: frozenset[str]) -> Lead:
    ident, phone, state, due_at, attempts, submissions, disposition, zone, first, last, cells, blocked = row
    return Lead(
        id=ident,
        phone=phone,
        state=LeadState(state),
        due_at=due_at,
        attempts=attempts,
        submissions=submissions,
        disposition=Disposition(disposition) if disposition else None,
        zone=zone,
        first_name=first,
        last_name=last,
        extra={header: cell for header, cell in json.loads(cells).items() if cell and header not in understood},
        blocked=bool(blocked),
    )


def _attempt(row: tuple[Any, ...]) -> Attempt:
    key, agent, state, intended_at, gave_up_at, call_id, placed_at, status, *rest = row
    lead_id, phone, lead_state, due_at, attempts, number, disposition, zone, code = rest
    lead = Lead(
        id=lead_id,
        phone=phone,
        state=LeadState(lead_state),
        due_at=due_at,
        attempts=attempts,
        submissions=number,
        disposition=Disposition(disposition) if disposition else None,
        zone=zone,
    )
    told = (intended_at, gave_up_at, call_id, placed_at, status, code == SHADOWED)
    return Attempt(key, lead, agent, AttemptState(state), *told)
