"""Where a SQLite ledger lies: its file, its lock, its journal, its reserve. Tests put it into memory."""

from __future__ import annotations

import os
import secrets
import sqlite3
from pathlib import Path
from typing import Final, Protocol

from dialer.core.errors import LedgerDamaged, LedgerUnusable
from dialer.ledger.ballast import Ballast
from dialer.ledger.filesystem import is_network, type_of
from dialer.ledger.journal import Journal, JournalFile, journal_workspace
from dialer.ledger.lock import WriterLock

RECOVER: Final = "`dialer doctor --recover` rebuilds it from its journal and the lists"
_SALT_BYTES: Final = 16


def journal_path(ledger: Path) -> Path:
    """The journal of a ledger."""
    return ledger.with_name(ledger.name + ".journal")


def salt_path(ledger: Path) -> Path:
    """The key of the hashes in that journal."""
    return ledger.with_name(ledger.name + ".salt")


class Store(Protocol):
    """What a ledger needs of the place where it lies."""

    path: Path

    @property
    def held(self) -> bool:
        """Whether the lock is still this process's."""

    def acquire(self) -> None:
        """Take the lock or raise :class:`~dialer.core.errors.LedgerHeld`; see that the place can hold a ledger."""

    def connect(self) -> sqlite3.Connection:
        """The one read-write connection, in autocommit mode."""

    def salt(self, known: str | None) -> str:
        """The key of the journal's hashes: the one ``known`` to the ledger, or the one that was kept, or a new one."""

    def journal(self, workspace: str) -> Journal:
        """The journal of this ledger, begun for ``workspace`` where there is none."""

    def jettison(self) -> bool:
        """Free the reserve. Returns whether that freed anything."""

    def release(self) -> None:
        """Let the next runner in."""


class DiskStore:
    """A ledger in a file. Implements :class:`Store`."""

    def __init__(self, path: Path, *, brief: bool = False) -> None:
        """``brief``: the lock will be held for an instant only."""
        self.path = path
        self._lock = WriterLock(path, brief=brief)
        self._ballast = Ballast(path)

    @property
    def held(self) -> bool:
        """See :class:`Store`."""
        return self._lock.held

    def acquire(self) -> None:
        """See :class:`Store`."""
        kind = type_of(self.path)
        if is_network(kind):
            raise LedgerUnusable(
                f"the ledger {self.path} would lie on a network file system ({kind}), whose locks and syncs cannot be "
                "trusted; name a place on a local disk with --ledger"
            )
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerUnusable(f"cannot make {self.path.parent} for the ledger: {error.strerror}") from None
        self._lock.acquire()
        try:
            self._check_presence()
            self._ballast.load()
        except BaseException:
            self._lock.release()
            raise

    def _check_presence(self) -> None:
        if self.path.exists() and self.path.stat().st_size:
            return
        if journal_workspace(journal_path(self.path)) is not None:
            raise LedgerDamaged(
                f"the ledger {self.path} is gone, but its journal is there; {RECOVER}. To begin afresh, and call "
                f"everybody again, move {journal_path(self.path)} away"
            )

    def connect(self) -> sqlite3.Connection:
        """See :class:`Store`."""
        _write_again(self.path.with_name(self.path.name + "-wal"))
        before = os.umask(0o077)
        try:
            db = sqlite3.connect(self.path, isolation_level=None, cached_statements=256)
            db.execute("PRAGMA journal_mode = WAL")
        finally:
            os.umask(before)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA busy_timeout = 5000")
        return db

    def salt(self, known: str | None) -> str:
        """See :class:`Store`."""
        path = salt_path(self.path)
        kept = read_salt(self.path)
        salt = known or kept or secrets.token_hex(_SALT_BYTES)
        if salt != kept:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.write(file, salt.encode())
                os.fsync(file)
            finally:
                os.close(file)
        return salt

    def journal(self, workspace: str) -> Journal:
        """See :class:`Store`."""
        journal = JournalFile(journal_path(self.path))
        if journal.empty:
            journal.begin(workspace)
        elif journal.workspace != workspace:
            journal.close()
            raise LedgerDamaged(
                f"{journal.path} is the journal of another ledger than {self.path}; put the right one beside it, "
                f"or, if the ledger's log was lost, {RECOVER}"
            )
        return journal

    def jettison(self) -> bool:
        """See :class:`Store`."""
        return self._ballast.jettison()

    def release(self) -> None:
        """See :class:`Store`."""
        self._lock.release()


def _write_again(path: Path) -> None:
    """Write what a file seems to hold once more, and sync it.

    After a sync that failed, what was written still shows, but is not on the disk and never will be: whoever builds on
    it loses it with the next power cut.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LedgerUnusable(f"the ledger's log {path} cannot be used: {error.strerror}") from None
    try:
        at = 0
        while block := os.pread(file, 1 << 20, at):
            at += os.pwrite(file, block, at)
        os.fdatasync(file)
    except OSError as error:
        raise LedgerUnusable(f"the ledger's log {path} cannot be written: {error.strerror}") from None
    finally:
        os.close(file)


def read_salt(ledger: Path) -> str | None:
    """The kept key of the journal's hashes, if it is there."""
    try:
        return salt_path(ledger).read_text("ascii").strip() or None
    except (OSError, ValueError):
        return None
