"""The reader's side of a SQLite ledger: any time, also while a runner writes. Never takes the lock, and never writes.

But for one thing: a ledger of an older dialer is brought up to date first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dialer.core.errors import LedgerDamaged, LedgerHeld, LedgerUnusable, UserError
from dialer.ledger import CampaignRecord
from dialer.ledger.journal import journal_workspace
from dialer.ledger.sqlite import SCHEMA_VERSION, SqliteLedger, campaign_record, plain_errors
from dialer.ledger.statements import statements
from dialer.ledger.store import RECOVER, DiskStore, journal_path

Row = tuple[Any, ...]


class LedgerReader:
    """Reads one consistent state of the ledger: everything read between opening and closing adds up."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def rows(self, name: str, /, **values: object) -> Iterator[Row]:
        """The rows of a named statement, one after the other."""
        with plain_errors(self._path):
            yield from self._db.execute(statements()[name], values)

    def batches(self, name: str, /, size: int = 2_000, **values: object) -> Iterator[list[Row]]:
        """The rows of a named statement, so many at a time."""
        with plain_errors(self._path):
            cursor = self._db.execute(statements()[name], values)
            while found := cursor.fetchmany(size):
                yield found

    def one(self, name: str, /, **values: object) -> Row:
        """The first row of a named statement."""
        return next(self.rows(name, **values))

    def version(self) -> int:
        """The version of the ledger's schema."""
        with plain_errors(self._path):
            return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def campaign_names(self) -> list[str]:
        """All campaigns, the oldest first."""
        return [name for (name,) in self.rows("campaigns")]

    def campaign(self, name: str | None) -> CampaignRecord:
        """The campaign of this name, or the only one. Raises :class:`~dialer.core.errors.UserError` otherwise."""
        names = self.campaign_names()
        chosen = choose(names, name, self._path)
        return campaign_record(chosen, self.one("campaign_by_name", name=chosen))


def choose(names: list[str], name: str | None, path: Path) -> str:
    """The campaign that is meant by ``name``, or the only one where none is named."""
    known = ", ".join(names) or "none"
    if name is not None and name not in names:
        raise UserError(f"the ledger {path} knows no campaign '{name}' (known: {known})")
    if name is None and len(names) != 1:
        raise UserError(f"which campaign? The ledger {path} knows: {known}")
    return name if name is not None else names[0]


@contextmanager
def open_reader(path: Path) -> Iterator[LedgerReader]:
    """One consistent look at the ledger at ``path``."""
    if not path.is_file() or not path.stat().st_size:
        if journal_workspace(journal_path(path)) is not None:
            raise _gone(path)
        raise LedgerUnusable(f"there is no ledger at {path}; run a campaign first, or name one with --ledger")
    with plain_errors(path):
        db = _connect(path)
        if 0 < db.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
            db.close()
            _bring_up_to_date(path)
            db = _connect(path)
    try:
        with plain_errors(path):
            db.execute("BEGIN")
            _check_not_lost(db, path)
            yield LedgerReader(db, path)
    finally:
        db.close()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _bring_up_to_date(path: Path) -> None:
    """An older dialer made this ledger: whoever opens it for writing changes it, and nobody can read it before."""
    try:
        SqliteLedger(DiskStore(path, brief=True)).close()
    except LedgerHeld:
        raise LedgerUnusable(
            f"the ledger {path} is of an older dialer and in use; wait for whoever runs it, or stop that"
        ) from None


def _gone(path: Path) -> LedgerDamaged:
    return LedgerDamaged(f"the ledger {path} is gone, but its journal is there; {RECOVER}")


def _check_not_lost(db: sqlite3.Connection, path: Path) -> None:
    """A ledger that never saw an event, beside the journal of another, stands where one was lost."""
    if db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'event'").fetchone()[0]:
        if db.execute(statements()["last_event"]).fetchone()[0]:
            return
        ours = db.execute(statements()["meta"], {"key": "workspace"}).fetchone()
    else:
        ours = None
    if journal_workspace(journal_path(path)) not in {None, ours and ours[0]}:
        raise _gone(path)
