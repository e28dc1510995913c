"""The laws that hold whatever happens, checked from the network's own record of who was called."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from dialer.rehearsal.exchange import PretendCall


def check_network(calls: Iterable[PretendCall], max_attempts: int) -> None:
    """Nobody is called while an earlier call is live, nor after one was completed, nor more often than allowed."""
    by_phone: dict[str, list[PretendCall]] = {}
    for call in calls:
        by_phone.setdefault(call.phone, []).append(call)
    for phone, made in by_phone.items():
        made.sort(key=lambda call: call.created_at)
        assert len(made) <= max_attempts, f"{phone} was called {len(made)} times"
        for earlier, later in pairwise(made):
            assert earlier.ends_at() <= later.created_at, f"{phone} was called while a call to it was live"
            status = earlier.status(later.created_at)
            assert status != "completed", f"{phone} was called after a completed call"


def check_ledger(path: Path, calls: dict[str, PretendCall], *, finished: bool) -> None:
    """What the ledger says agrees with the network's record, and every contact is in exactly one place."""
    db = sqlite3.connect(path)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        contacts = db.execute("SELECT count(*) FROM contact").fetchone()[0]
        assert contacts == db.execute("SELECT count(*) FROM lead").fetchone()[0]
        charged = db.execute(
            "SELECT lead.id, lead.attempts, count(attempt.id) FROM lead LEFT JOIN attempt "
            "ON attempt.lead_id = lead.id AND attempt.state <> 'void' GROUP BY lead.id"
        ).fetchall()
        for lead, attempts, rows in charged:
            assert attempts == rows, f"lead {lead}: {attempts} charged, {rows} attempts"
        bound = dict(db.execute("SELECT call_id, phone FROM attempt WHERE call_id IS NOT NULL"))
        for call_id, phone in bound.items():
            assert calls[call_id].phone == phone, f"{call_id} is bound to the wrong number"
        void = {call_id for call_id in calls if call_id not in bound}
        assert not finished or not void, f"calls nobody knows of: {void}"
        for call_id, disposition in db.execute("SELECT call_id, disposition FROM attempt WHERE state = 'ended'"):
            assert calls[call_id].status(float("inf")) == disposition, call_id
        if finished:
            left = db.execute("SELECT count(*) FROM lead WHERE state IN ('queued', 'waiting', 'dialing')").fetchone()[0]
            assert left == 0
    finally:
        db.close()
