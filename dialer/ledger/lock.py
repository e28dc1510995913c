"""One writer: an operating system's lock that dies with its holder, so that no stale file can ever lock anybody out.

A runner holds it as long as it runs. Whoever only books requests (``brief``) holds it for an instant, and says so in
the file: a run that starts in that instant waits for it and is not refused.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from dialer.core.errors import LedgerHeld, LedgerUnusable

BRIEF: Final = "fetch"
"""What the file says beside the process where the lock is held for an instant only."""
BRIEF_WAIT_S = 30.0
"""After a kill it may take seconds to go through a long log. No wait is in vain: the lock ends with its holder."""
GRACE_S: Final = 0.1
"""So long anybody is waited for: whoever took the lock just now has maybe not said yet who it is, and whoever looks who
holds it (`dialer doctor`) holds it while looking."""
_AGAIN_S: Final = 0.01


class WriterLock:
    """Holds ``<ledger>.lock`` from :meth:`acquire` until :meth:`release` or the end of the process."""

    def __init__(self, ledger: Path, *, brief: bool = False) -> None:
        self.path = _lock_path(ledger)
        self._brief = brief
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise :class:`LedgerHeld`: almost at once, where it is not held for an instant only."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerUnusable(f"cannot write beside the ledger: {self.path}: {error.strerror}") from None
        try:
            self._wait_for(file)
        except BaseException:
            os.close(file)
            raise
        self._file = file
        said = f"{os.getpid()} {BRIEF}\n" if self._brief else f"{os.getpid()}\n"
        with suppress(OSError):  # on a full disk nobody can read who holds it; it is held all the same
            os.pwrite(file, said.encode(), 0)  # the old word is never blanked: a blank file says nothing of its holder
            os.ftruncate(file, len(said))

    def _wait_for(self, file: int) -> None:
        began = time.monotonic()
        while not _taken(file):
            holder = _word(file)
            if time.monotonic() - began >= (BRIEF_WAIT_S if is_brief(holder) else GRACE_S):
                who = f" (process {holder})" if holder else ""
                ledger = self.path.with_suffix("")
                raise LedgerHeld(f"another runner holds the ledger {ledger}{who}; wait for it or stop it")
            time.sleep(_AGAIN_S)

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


def holder_of(ledger: Path) -> str | None:
    """Who holds the ledger, as its lock says it ("" where it does not say), or None."""
    try:
        file = os.open(_lock_path(ledger), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # let go with the file, an instant later
    except OSError:
        return _word(file)
    finally:
        os.close(file)
    return None


def runner_of(ledger: Path) -> str | None:
    """The process that holds the ledger for long, or None."""
    holder = holder_of(ledger)
    return None if holder is None or is_brief(holder) else holder


def is_brief(holder: str) -> bool:
    """Whether a lock's word says that it is held for an instant only."""
    return holder.endswith(f" {BRIEF}")


def _lock_path(ledger: Path) -> Path:
    return ledger.with_name(ledger.name + ".lock")


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _word(file: int) -> str:
    return os.pread(file, 64, 0).decode(errors="replace").partition("\n")[0].strip()
