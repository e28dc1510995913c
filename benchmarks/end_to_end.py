"""One campaign over real HTTP against a sandbox process: how busy the slots were, and what it took.

The limit in the same run is the network itself: a slot that is busy all the time is 100 %, and one request a call is
the least a call can take. Both are read off the sandbox's own record, not off what the runner believes.
"""

from __future__ import annotations

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dialer.rehearsal.exchange import Exchange, PretendCall
from dialer.rehearsal.store import CallStore

_CAMPAIGN = """
name = "bench"
contacts = "contacts.csv"
agents = ["agent_a"]
[api]
base_url = "{url}"
requests_per_minute = 60000
requests_per_day = 1000000
[pacing]
max_concurrent = {most}
[retry]
busy = ["5s"]
no_answer = ["5s"]
[hours]
weekdays = "00:00-24:00"
saturday = "00:00-24:00"
sunday = "00:00-24:00"
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took. ``busy`` and ``refused`` are shares."""

    exit_code: int
    busy: float
    requests_per_call: float
    refused: float
    memory_mb: float
    cpu_ms_per_call: float
    calls: int
    seconds: float


def measure(contacts: int, slots: int, speed: float) -> Figures:
    """Run one campaign and read the figures off the network's record and the ledger."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        _write_list(home / "contacts.csv", contacts)
        store = home / "network.jsonl"
        sandbox = _start_sandbox(slots, speed, store)
        try:
            assert sandbox.stdout is not None
            url = sandbox.stdout.readline().strip()
            (home / "campaign.toml").write_text(_CAMPAIGN.format(url=url, most=slots * 2))
            started = time.monotonic()
            runner = subprocess.Popen(
                [sys.executable, "-m", "dialer", "run", "campaign.toml", "--quiet"],
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _, status, used = os.wait4(runner.pid, 0)
            runner.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - started
        finally:
            sandbox.send_signal(signal.SIGKILL)
            sandbox.wait()
            if sandbox.stdout is not None:
                sandbox.stdout.close()
        exchange = Exchange()
        CallStore(store).load(exchange, time.time())
        calls = list(exchange.calls.values())
        requests, refused, creates = _ledger_figures(home / ".dialer" / "ledger.db")
        return Figures(
            exit_code=runner.returncode,
            busy=slots_busy(calls, slots),
            requests_per_call=requests / len(calls),
            refused=refused / creates,
            memory_mb=used.ru_maxrss / 1024,
            cpu_ms_per_call=1000 * (used.ru_utime + used.ru_stime) / len(calls),
            calls=len(calls),
            seconds=seconds,
        )


def slots_busy(calls: list[PretendCall], slots: int) -> float:
    """The share of slot time in use from the first call until the last contact was called for the first time."""
    first = min(call.created_at for call in calls)
    dry = max(call.created_at for call in calls if call.nth == 0)
    steps = [(call.created_at, 1) for call in calls] + [(call.ends_at(), -1) for call in calls] + [(dry, 0)]
    live, used = 0, 0.0
    for (moment, change), (then, _) in pairwise(sorted(steps)):
        live += change
        used += live * max(min(then, dry) - min(moment, dry), 0.0)
    return used / (slots * (dry - first))


def _write_list(path: Path, contacts: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["phone", "note"])
        for index in range(contacts):
            writer.writerow([f"+1{212 + index // 7_000_000}{2_300_000 + index % 7_000_000}", f"row {index}"])


def _start_sandbox(slots: int, speed: float, store: Path) -> subprocess.Popen[str]:
    flags = ["--port", "0", "--slots", str(slots), "--speed", str(speed), "--store", str(store), "--seed", "11"]
    command = [sys.executable, "-m", "dialer", "sandbox", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _ledger_figures(path: Path) -> tuple[int, int, int]:
    db = sqlite3.connect(path)
    try:
        requests = db.execute("SELECT sum(requests) FROM spent").fetchone()[0]
        refused = db.execute("SELECT count(*) FROM attempt WHERE code = 'no_available_slots'").fetchone()[0]
        return requests, refused, db.execute("SELECT count(*) FROM attempt").fetchone()[0]
    finally:
        db.close()
