"""Booking requests against the day's quota for something else than dialing: in an instant, between runs.

A whole :class:`~dialer.ledger.sqlite.SqliteLedger` is checked when it is opened, which takes a big one seconds.
Requests are counted in a row beside everything else, without an event of the journal: lock, one statement, and away.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer.core.errors import LedgerUnusable
from dialer.core.pacing import DAY_S
from dialer.ledger.sqlite import SCHEMA_VERSION, plain_errors
from dialer.ledger.statements import statements
from dialer.ledger.store import DiskStore

_MOST_DUE: Final = 1_000_000
"""Counting ends here: no plan has so many requests a day."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day (UTC) in a ledger: requests ``spent`` by the account, and calls that are ``due`` before it ends."""

    spent: int
    due: int


def book(ledger: Path, account: str, now: float, campaigns: Sequence[int], wanted: Callable[[Day], int]) -> int:
    """Book what ``wanted`` says, once it has seen the day, and return it; durable before the first request leaves.

    ``campaigns`` are those whose due calls count. Raises :class:`~dialer.core.errors.LedgerHeld` while a runner holds
    the ledger.
    """
    day = int(now // DAY_S)
    until = (day + 1) * DAY_S
    with _held(ledger) as db:
        spent = db.execute(statements()["spent"], {"account": account, "day": day}).fetchone()[0]
        values = {"campaigns": json.dumps(list(campaigns)), "until": until, "most": _MOST_DUE}
        due = db.execute(statements()["due_before"], values).fetchone()[0]
        count = wanted(Day(spent, due))
        if count > 0:
            db.execute(statements()["spend"], {"account": account, "day": day, "requests": count})
    return max(count, 0)


def give_back(ledger: Path, account: str, now: float, count: int) -> None:
    """Requests that were booked on the day of ``now`` and not made. Raises as :func:`book` does."""
    with _held(ledger) as db:
        values = {"account": account, "day": int(now // DAY_S), "requests": count}
        db.execute(statements()["unspend"], values)


@contextmanager
def _held(ledger: Path) -> Iterator[sqlite3.Connection]:
    """One transaction under the lock."""
    store = DiskStore(ledger, brief=True)
    store.acquire()
    try:
        with plain_errors(ledger):
            db = store.connect()
            try:
                if db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                    raise LedgerUnusable(f"the ledger {ledger} is of another version of the dialer; use that one")
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            finally:
                db.close()
    finally:
        store.release()
