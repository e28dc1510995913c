"""A megabyte held in reserve: thrown overboard when the disk is full, so that the last outcomes still find room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from dialer.core.errors import LedgerUnusable

SIZE_BYTES: Final = 1 << 20


class Ballast:
    """``<ledger>.ballast``, as long as the disk has room."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".ballast")

    def load(self) -> None:
        """Take it on board. Raises :class:`~dialer.core.errors.LedgerUnusable` where the disk is full already."""
        try:
            if self.path.is_file() and self.path.stat().st_size == SIZE_BYTES:
                return
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                left = SIZE_BYTES
                while left:
                    left -= os.write(file, bytes(min(left, 1 << 16)))
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            self.jettison()
            raise LedgerUnusable(
                f"no room for the ledger's reserve {self.path}: {error.strerror}; free some space and run again"
            ) from None

    def jettison(self) -> bool:
        """Throw it overboard. Returns whether there was any."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
