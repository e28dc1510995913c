"""Killed at random instants, then run again: nobody is called twice, nobody is forgotten.

A real sandbox process, real runner processes, real SIGKILL. The truth is the sandbox's own record of its calls.
"""

from __future__ import annotations

import csv
import random
import sqlite3
import time
from pathlib import Path

from dialer.core.errors import ExitCode
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.store import CallStore
from tests.support.laws import check_ledger, check_network
from tests.support.processes import finish, sandbox_process, start_run

CONTACTS = 300
KILLS = 20
CAMPAIGN = """
name = "killed"
contacts = "contacts.csv"
agents = ["agent_a", {{ id = "agent_b", weight = 2 }}]
[api]
base_url = "{url}"
requests_per_minute = 60000
timeout = "2s"
[pacing]
max_concurrent = 40
[retry]
max_attempts = 3
busy = ["200ms"]
no_answer = ["300ms", "500ms"]
uncertain_horizon = "1s"
uncertain_scans = 2
uncertain_scan_gap = "500ms"
[hours]
weekdays = "00:00-24:00"
saturday = "00:00-24:00"
sunday = "00:00-24:00"
"""


def test_a_campaign_killed_twenty_times_calls_nobody_twice_and_forgets_nobody(tmp_path: Path) -> None:
    rows = [f"+1212556{index:04d},row {index}" for index in range(CONTACTS)] + [
        "not a number,row x",
        "+12125560000,again",
    ]
    (tmp_path / "contacts.csv").write_text("phone,note\n" + "\n".join(rows) + "\n")
    store = tmp_path / "network.jsonl"
    chance = random.Random(20)
    kills = 0
    network = ["--speed", "60", "--slots", "25", "--seed", "3", "--store", str(store), "--set", "echo=none"]
    with sandbox_process(*network) as url:
        (tmp_path / "campaign.toml").write_text(CAMPAIGN.format(url=url))
        while kills < KILLS:
            runner = start_run(tmp_path)
            _wait_for_first_turn(tmp_path, runner.pid)
            time.sleep(chance.uniform(0.02, 0.35))
            if runner.poll() is None:
                kills += 1
            runner.kill()
            finish(runner)
        code, said = finish(start_run(tmp_path))
    assert code in {ExitCode.DONE, ExitCode.UNRESOLVED}, said

    exchange = Exchange()
    CallStore(store).load(exchange, time.time())
    check_network(exchange.calls.values(), max_attempts=3)
    check_ledger(tmp_path / ".dialer" / "ledger.db", exchange.calls, finished=True)
    _check_reports(tmp_path / "reports" / "killed", len(rows), exchange)


def _wait_for_first_turn(home: Path, pid: int) -> None:
    """Until this runner holds the ledger: before that there is nothing worth killing."""
    deadline = time.monotonic() + 20
    lock = home / ".dialer" / "ledger.db.lock"
    while time.monotonic() < deadline:
        if lock.exists() and lock.read_text().strip() == str(pid):
            return
        time.sleep(0.005)
    raise AssertionError("the runner did not start")


def _check_reports(reports: Path, rows: int, exchange: Exchange) -> None:
    with (reports / "outcomes.csv").open(newline="") as file:
        outcomes = list(csv.DictReader(file))
    with (reports / "rejected.csv").open(newline="") as file:
        rejected = list(csv.DictReader(file))
    assert len(outcomes) + len(rejected) == rows
    assert len({row["input_phone"] for row in outcomes}) == CONTACTS
    assert sorted(row["reason"] for row in rejected) == ["duplicate", "phone_invalid"]
    for row in outcomes:
        if row["state"] == "unresolved":  # only what nothing can tell: the create that truly never left
            made = [call for call in exchange.calls.values() if call.phone == row["phone"]]
            assert len(made) == int(row["attempts"]) - 1
            continue
        assert exchange.calls[row["call_id"]].status(float("inf")) == row["disposition"]
        made = [call for call in exchange.calls.values() if call.phone == row["phone"]]
        assert len(made) == int(row["attempts"])


def test_the_journal_tells_the_same_story_as_the_rows(tmp_path: Path) -> None:
    (tmp_path / "contacts.csv").write_text("phone\n+12125550101\n+12125550100\n")
    with sandbox_process("--speed", "60") as url:
        (tmp_path / "campaign.toml").write_text(CAMPAIGN.format(url=url))
        code, said = finish(start_run(tmp_path))
    assert code == 0, said
    db = sqlite3.connect(tmp_path / ".dialer" / "ledger.db")
    try:
        for key, state in db.execute("SELECT key, state FROM attempt"):
            kinds = [kind for (kind,) in db.execute("SELECT kind FROM event WHERE attempt = ? ORDER BY id", (key,))]
            assert kinds[0] == "intended"
            assert state in {"ended", "void"}
            assert state in kinds
    finally:
        db.close()
