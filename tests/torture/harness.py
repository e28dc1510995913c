"""Runs one campaign through many kills and counts what became of it, by the network's own record.

The runners are real processes over real HTTP, killed with SIGKILL.
"""

from __future__ import annotations

import csv
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from random import Random

from dialer.core.errors import ExitCode
from dialer.rehearsal.exchange import Exchange, PretendCall
from dialer.rehearsal.store import CallStore
from tests.support.processes import Process, finish, sandbox_process, start_run

FAULTS = {
    "reset_before": 0.02,
    "reset_after": 0.03,
    "accept_then_close": 0.01,
    "timeout_before": 0.01,
    "timeout_after": 0.01,
    "late_201": 0.02,
    "placed_late": 0.01,
    "truncated_json": 0.02,
    "html_200": 0.02,
    "no_id": 0.01,
    "other_id": 0.01,
    "error_500_after": 0.02,
    "error_500_before": 0.02,
    "error_503_before": 0.02,
}
"""A fifth and a little more of all creates."""
MAX_ATTEMPTS = 3
LAG_S = 0.3
CAMPAIGN = """
name = "torture"
contacts = "contacts.csv"
agents = ["agent_a", {{ id = "agent_b", weight = 2 }}]
hours = "always"
[api]
base_url = "{url}"
requests_per_minute = 60000
requests_per_day = 10000000
timeout = "1s"
[pacing]
max_concurrent = 20
[retry]
max_attempts = {attempts}
busy = ["500ms"]
no_answer = ["700ms", "900ms"]
on_uncertain = "{policy}"
uncertain_horizon = "{horizon}s"
uncertain_scans = 2
uncertain_scan_gap = "300ms"
"""


@dataclass
class Count:
    """What became of a campaign. All but the first two and ``unresolved`` must be nought."""

    kills: int = 0
    calls_placed: int = 0
    called_twice: int = 0
    lost: int = 0
    bound_wrongly: int = 0
    unresolved: int = 0
    of_which_placed: int = 0
    seconds: float = 0.0
    found: list[str] = field(default_factory=list)
    """The first few of what must not be, in words."""

    @property
    def good(self) -> bool:
        """Whether the promise held."""
        return not (self.called_twice or self.lost or self.bound_wrongly or self.of_which_placed)


def torture(home: Path, *, policy: str, kills: int, seed: int, horizon_s: float = 2.5, lag_s: float = LAG_S) -> Count:
    """One campaign, killed so many times and then run to its end."""
    started = time.monotonic()
    contacts = max(60, kills + kills // 5)
    rows = [f"+1212{550_0000 + index},row {index}" for index in range(contacts)]
    (home / "contacts.csv").write_text("phone,note\n" + "\n".join(rows) + "\n")
    store = home / "network.jsonl"
    flags = ["--speed", "40", "--slots", "12", "--seed", str(seed), "--store", str(store)]
    for setting in ("echo=none", f"lag={lag_s}", "late_answer=1.5", "late_placing=0.8"):
        flags += ["--set", setting]
    for name, chance in FAULTS.items():
        flags += ["--fault", f"{name}={chance}"]
    count = Count()
    with sandbox_process(*flags) as url:
        text = CAMPAIGN.format(url=url, policy=policy, attempts=MAX_ATTEMPTS, horizon=horizon_s)
        (home / "campaign.toml").write_text(text)
        _kill_again_and_again(home, kills, Random(seed), count)
        _run_to_the_end(home)
    exchange = Exchange()
    CallStore(store).load(exchange, time.time())
    judge(home / ".dialer" / "ledger.db", list(exchange.calls.values()), contacts, count)
    count.seconds = time.monotonic() - started
    return count


def _kill_again_and_again(home: Path, kills: int, chance: Random, count: Count) -> None:
    while count.kills < kills:
        runner = start_run(home)
        _until_it_holds_the_ledger(home, runner)
        time.sleep(chance.uniform(0.0, 0.6))
        if runner.poll() is None:
            count.kills += 1
            runner.kill()
        finish(runner)


def _until_it_holds_the_ledger(home: Path, runner: Process) -> None:
    """Before that there is nothing worth killing."""
    lock = home / ".dialer" / "ledger.db.lock"
    for _ in range(4000):
        if lock.exists() and lock.read_text().strip() == str(runner.pid):
            return
        time.sleep(0.002)
    runner.kill()
    raise AssertionError(f"the runner did not start: {finish(runner)[1][-500:]}")


def _run_to_the_end(home: Path, patience_s: float = 400.0) -> None:
    code, said = finish(start_run(home), patience_s)
    assert code in {ExitCode.DONE, ExitCode.UNRESOLVED}, (code, said[-1000:])


# --- the judgement ------------------------------------------------------------------------------------------------


def judge(ledger: Path, calls: Sequence[PretendCall], contacts: int, count: Count) -> None:
    """Count what became of everybody, by the network's own record."""
    count.calls_placed = len(calls)
    _twice(calls, count)
    db = sqlite3.connect(ledger)
    try:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        _lost(db, ledger, calls, contacts, count)
        _bound(db, calls, count)
        _unresolved(db, calls, count)
    finally:
        db.close()


def _twice(calls: Sequence[PretendCall], count: Count) -> None:
    by_phone: dict[str, list[PretendCall]] = {}
    for call in calls:
        by_phone.setdefault(call.phone, []).append(call)
    for phone, made in by_phone.items():
        made.sort(key=lambda call: call.created_at)
        again = len(made) > MAX_ATTEMPTS
        for earlier, later in pairwise(made):
            live = earlier.ends_at() > later.created_at
            again = again or live or earlier.status(later.created_at) == "completed"
        if again:
            count.called_twice += 1
            _tell(count, f"{phone} was called twice")


def _lost(db: sqlite3.Connection, ledger: Path, calls: Sequence[PretendCall], contacts: int, count: Count) -> None:
    settled = db.execute("SELECT count(*) FROM lead WHERE state NOT IN ('queued', 'waiting', 'dialing')").fetchone()[0]
    count.lost += contacts - settled
    with (ledger.parent.parent / "reports" / "torture" / "outcomes.csv").open(newline="") as file:
        count.lost += contacts - sum(1 for _ in csv.DictReader(file))
    bound = {call_id for (call_id,) in db.execute("SELECT call_id FROM attempt WHERE call_id IS NOT NULL")}
    for call in calls:
        if call.id not in bound:
            count.lost += 1
            _tell(count, f"nobody knows of {call.id}")


def _bound(db: sqlite3.Connection, calls: Sequence[PretendCall], count: Count) -> None:
    by_id = {call.id: call for call in calls}
    for key, phone, call_id in db.execute("SELECT key, phone, call_id FROM attempt WHERE call_id IS NOT NULL"):
        call = by_id[call_id]
        if call.phone != phone or (call.metadata or {}).get("dialer_attempt") != key:
            count.bound_wrongly += 1
            _tell(count, f"{call_id} is bound to {key}")


def _unresolved(db: sqlite3.Connection, calls: Sequence[PretendCall], count: Count) -> None:
    placed = {(call.metadata or {}).get("dialer_attempt") for call in calls}
    for (key,) in db.execute(
        "SELECT attempt.key FROM attempt JOIN lead ON lead.id = attempt.lead_id "
        "WHERE lead.state = 'unresolved' AND attempt.number = lead.submissions"
    ):
        count.unresolved += 1
        if key in placed:
            count.of_which_placed += 1
            _tell(count, f"{key} is unresolved and was placed")


def _tell(count: Count, said: str) -> None:
    if len(count.found) < 10:
        count.found.append(said)


def table(counts: dict[str, Count]) -> str:
    """The counts side by side, one line a figure."""
    names = [item.name for item in fields(Count) if item.name != "found"]
    lines = [f"{'':<20}" + "".join(f"{policy:>16}" for policy in counts)]
    for name in names:
        values = (getattr(count, name) for count in counts.values())
        shown = (f"{value:.1f}" if isinstance(value, float) else str(value) for value in values)
        lines.append(f"{name.replace('_', ' '):<20}" + "".join(f"{value:>16}" for value in shown))
    return "\n".join(lines)
