"""Contacts of whom nothing tells: shown with the evidence, looked for again, and decided by a person."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dialer.cli import main
from dialer.core.messages import Change, MarkDoubted, MarkLost, MarkUncertain, MarkUnresolved
from dialer.ledger.journal import read_journal
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.store import CallStore
from tests.support.laws import check_ledger, check_network
from tests.support.processes import finish, sandbox_process, start_run
from tests.support_rows import NOON, enroll, intended, opened, person, phone, placed, put

SILENT, STORM, FINE = "+12125550111", "+12125550112", "+12125550100"
LAG_S = 6.0
CAMPAIGN = """
name = "spring"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "{url}"
requests_per_minute = 6000
timeout = "1s"
[retry]
uncertain_horizon = "1s"
uncertain_scans = 2
uncertain_scan_gap = "200ms"
"""
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def dialer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The program, in this process and in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    for name in ("SMARTALEX_API_KEY", "DIALER_LEDGER"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Done:
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return subprocess.CompletedProcess([*map(str, arguments)], code, shown.out, shown.err)

    return run


@pytest.fixture
def late(tmp_path: Path) -> Iterator[str]:
    """A sandbox whose list lags."""
    with sandbox_process("--speed", "100", "--set", f"lag={LAG_S}", "--store", str(tmp_path / "network.jsonl")) as url:
        yield url


def _home(home: Path, url: str, *phones: str) -> None:
    (home / "contacts.csv").write_text("phone\n" + "\n".join(phones) + "\n")
    (home / "campaign.toml").write_text(CAMPAIGN.format(url=url))


def _network(home: Path) -> Exchange:
    exchange = Exchange()
    CallStore(home / "network.jsonl").load(exchange, time.time())
    return exchange


def _rows(home: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / ".dialer" / "ledger.db")) as db:
        return db.execute(sql, values).fetchall()


def test_a_call_that_shows_late_is_found_by_a_look_and_followed_to_its_end(
    tmp_path: Path, late: str, dialer: Callable[..., Done]
) -> None:
    _home(tmp_path, late, SILENT, STORM, FINE)
    code, said = finish(start_run(tmp_path))
    assert code == 4, said

    shown = dialer("resolve", "spring")
    assert shown.returncode == 4, shown.stderr
    assert SILENT in shown.stdout
    assert "never named a call for it" in shown.stdout
    assert "read to its end" in shown.stdout
    assert "--look" in shown.stdout
    assert FINE not in shown.stdout

    made_at = _rows(tmp_path, "SELECT intended_at FROM attempt WHERE phone = ?", SILENT)[0][0]
    time.sleep(max(made_at + LAG_S + 1.5 - time.time(), 0.0))
    looked = dialer("resolve", "spring", "--look", "--quiet")
    assert looked.returncode == 4, looked.stderr
    lines = {line.split()[0]: line for line in looked.stdout.splitlines()}
    assert "found: call call_" in lines[SILENT]
    assert "completed" in lines[SILENT]
    assert "not found: the whole list was read" in lines[STORM]

    marked = dialer("resolve", "spring", "--not-placed", STORM)
    assert marked.returncode == 0, marked.stderr
    assert f"{STORM}  marked as not placed: the contact is queued again" in marked.stdout
    code, said = finish(start_run(tmp_path))
    assert code == 0, said
    calls = _network(tmp_path).calls
    check_network(calls.values(), 1)
    assert sorted(call.phone for call in calls.values()) == sorted((SILENT, STORM, FINE))
    check_ledger(tmp_path / ".dialer" / "ledger.db", calls, finished=True)


# --- without a network ----------------------------------------------------------------------------------------------


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """Four contacts: never answered, accepted once and gone, one whose call would not end, and one in doubt."""
    home = tmp_path / ".dialer"
    with opened(home) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(index) for index in range(5)])
        changes: list[Change] = []
        for index, lead in enumerate(ledger.claim(record.id, NOON, 4)):
            intend, attempt = intended(lead)
            uncertain = MarkUncertain(attempt, NOON + 30, "no answer\x1b[31m within 30 s", NOON + 30)
            gone: list[Change] = [placed(attempt), MarkDoubted(attempt, "the API does not know the call", NOON + 60)]
            unresolved = MarkUnresolved(attempt, "the list does not show the call", NOON + 1860)
            lost: list[Change] = [placed(attempt), MarkLost(attempt, "the call would not end", NOON + 8000)]
            story: list[list[Change]] = [[uncertain, unresolved], [*gone, unresolved], lost, [uncertain]]
            changes += [intend, *story[index]]
        ledger.commit(record.id, "account", changes)
    return tmp_path


def _states(home: Path) -> list[str]:
    return [state for (state,) in _rows(home, "SELECT state FROM lead ORDER BY id")]


def test_without_a_flag_nothing_is_written_and_every_contact_is_shown_with_its_evidence(
    doubtful: Path, dialer: Callable[..., Done]
) -> None:
    before = _rows(doubtful, "SELECT * FROM event")
    shown = dialer("resolve", "spring")
    assert shown.returncode == 4
    assert [line.split()[0] for line in shown.stdout.splitlines() if line.startswith("+")] == [
        phone(index) for index in range(4)
    ]
    assert "no answer?[31m within 30 s" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "named it call-try-2-1" in shown.stdout
    assert "in doubt" in next(line for line in shown.stdout.splitlines() if phone(3) in line)
    assert shown.stdout.splitlines()[-1].startswith("spring: 3 contacts are unresolved")
    assert _rows(doubtful, "SELECT * FROM event") == before


@pytest.mark.usefixtures("doubtful")
def test_as_json_every_contact_says_the_same(dialer: Callable[..., Done]) -> None:
    said = json.loads(dialer("resolve", "spring", "--json").stdout)
    assert said["unresolved"] == 3
    assert [item["phone"] for item in said["contacts"]] == [phone(index) for index in range(4)]
    assert [item["accepted"] for item in said["contacts"]] == [False, True, True, False]


def test_not_placed_is_believed_only_of_a_create_that_was_never_accepted(
    doubtful: Path, dialer: Callable[..., Done]
) -> None:
    done = dialer("resolve", "spring", "--not-placed", "--older-than", "1h")
    assert done.returncode == 4
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "marked as not placed" in lines[phone(0)]
    assert "left as it is" in lines[phone(1)]
    assert "left as it is" in lines[phone(2)]
    assert _states(doubtful) == ["queued", "unresolved", "unresolved", "dialing", "queued"]
    assert _rows(doubtful, "SELECT disposition, attempts FROM lead WHERE id = 1") == [(None, 0)]
    assert dialer("resolve", "spring", "--not-placed", phone(0)).returncode == 2  # it is not unresolved any more


def test_placed_closes_a_contact_whatever_its_attempt_and_the_journal_says_who_said_so(
    doubtful: Path, dialer: Callable[..., Done]
) -> None:
    done = dialer("resolve", "spring", phone(0), "--placed", phone(1), phone(2))
    assert done.returncode == 0, done.stderr
    assert _states(doubtful) == ["exhausted", "exhausted", "exhausted", "dialing", "queued"]
    assert _rows(doubtful, "SELECT state FROM attempt ORDER BY id") == [("lost",)] * 3 + [("uncertain",)]
    settled = [entry for entry in read_journal(doubtful / ".dialer" / "ledger.db.journal") if entry.kind == "settled"]
    assert len(settled) == 3
    for entry in settled:
        assert entry.data["reason"].startswith("marked as placed by ")
        assert not any(phone(index) in json.dumps(entry.data) for index in range(5))


def test_a_mark_says_whom_it_means(doubtful: Path, dialer: Callable[..., Done]) -> None:
    for arguments, said in [
        (("--placed",), "Name their numbers"),
        (("--placed", "--older-than", "soon"), "a duration is text like"),
        (("--placed", phone(4)), "is no unresolved contact"),
        (("--placed", phone(0), "other"), "name one campaign"),
    ]:
        done = dialer("resolve", "spring", *arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert phone(4) not in done.stderr
    assert _states(doubtful) == ["unresolved", "unresolved", "unresolved", "dialing", "queued"]


def test_while_a_runner_holds_the_ledger_it_can_be_shown_but_not_marked(
    doubtful: Path, dialer: Callable[..., Done]
) -> None:
    with opened(doubtful / ".dialer"):
        assert dialer("resolve", "spring").returncode == 4
        assert dialer("resolve", "spring", "--placed", phone(0)).returncode == 5
        assert dialer("resolve", "spring", "--look").returncode == 5


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path, dialer: Callable[..., Done]) -> None:
    assert dialer("resolve", "spring", "--look").returncode == 2
    assert not (tmp_path / ".dialer").exists()
