"""One fetch at a time asks for anything at one ledger: the minute's pace is kept by a process, and two would double it.

The turn is an operating system's lock on ``<ledger>.fetch``, which dies with its holder. Runs take no notice of it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio

from dialer.core.errors import LedgerHeld, LedgerUnusable
from dialer.fetching.budget import Notices

SUFFIX: Final = ".fetch"
LOOK_EVERY_S: Final = 1.0
"""How soon it is noticed that the other fetch has ended."""


@asynccontextmanager
async def turn(ledger: Path, teller: Notices, *, wait: bool) -> AsyncIterator[None]:
    """Be the only fetch at ``ledger``. While another one is: wait and say so, or raise
    :class:`~dialer.core.errors.LedgerHeld` where nobody waits."""
    path = ledger.with_name(ledger.name + SUFFIX)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LedgerUnusable(f"cannot write beside the ledger: {path}: {error.strerror}") from None
    try:
        said = f"another fetch is asking for calls of the ledger {ledger}, and they share the minute's requests"
        while not _taken(file):
            if not wait:
                raise LedgerHeld(f"{said}: fetch again when it has ended")
            if said:
                teller.notice(f"Waiting: {said}. (--no-wait does not wait.)")
                said = ""
            await anyio.sleep(LOOK_EVERY_S)
        yield
    finally:
        os.close(file)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
