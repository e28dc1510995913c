"""One writer: an operating system's lock that dies with its holder, so that no stale file can ever lock anybody out."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from dialer.core.errors import LedgerHeld, LedgerUnusable


class WriterLock:
    """Holds ``<ledger>.lock`` from :meth:`acquire` until :meth:`release` or the end of the process."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or raise :class:`LedgerHeld`."""
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerUnusable(f"cannot write beside the ledger: {self.path}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 64, 0).decode(errors="replace").strip()
            os.close(self._file)
            self._file = None
            who = f" (process {holder})" if holder else ""
            ledger = self.path.with_suffix("")
            raise LedgerHeld(f"another runner holds the ledger {ledger}{who}; wait for it or stop it") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    @property
    def held(self) -> bool:
        """Whether this process still holds the lock on the file that lies at the path."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), self.path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let the next runner in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
