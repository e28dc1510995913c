"""The doctor: one line a check, what is wrong and what to do; and the one call by which an API is measured."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dialer.cli import main
from dialer.ledger.journal import read_journal
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.store import CallStore
from tests.support.processes import sandbox_process
from tests.support_rows import NOON, enroll, intended, opened, person, phone, put

CAMPAIGN = """
name = "checked"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "{url}"
requests_per_minute = 6000
timeout = "2s"
[retry]
busy = ["100ms"]
uncertain_horizon = "{horizon}"
uncertain_scans = 1
uncertain_scan_gap = "100ms"
on_uncertain = "{policy}"
"""
PROBED, LISTED = "+12125550110", "+12125550100"
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
def lagging(tmp_path: Path) -> Iterator[str]:
    """A sandbox whose list lags by two seconds."""
    with sandbox_process("--speed", "100", "--set", "lag=2", "--store", str(tmp_path / "network.jsonl")) as url:
        yield url


def _campaign(home: Path, url: str, horizon: str = "1s", policy: str = "hold") -> None:
    (home / "contacts.csv").write_text(f"phone\n{LISTED}\n")
    (home / "campaign.toml").write_text(CAMPAIGN.format(url=url, horizon=horizon, policy=policy))


def _calls(home: Path) -> list[str]:
    exchange = Exchange()
    CallStore(home / "network.jsonl").load(exchange, time.time())
    return [call.phone for call in exchange.calls.values()]


def _line(done: Done, subject: str) -> str:
    (found,) = [line for line in done.stdout.splitlines() if line[5:].startswith(f"{subject} ")]
    return found


def test_where_nothing_was_done_yet_nothing_is_wrong_and_nothing_is_made(
    tmp_path: Path, dialer: Callable[..., Done]
) -> None:
    done = dialer("doctor")
    assert done.returncode == 0, done.stdout
    assert _line(done, "ledger").startswith("note")
    assert list(tmp_path.iterdir()) == []


def test_a_finished_campaign_is_all_well_and_so_is_one_that_runs(tmp_path: Path, dialer: Callable[..., Done]) -> None:
    _campaign(tmp_path, "sandbox")
    (tmp_path / "campaign.toml").write_text((tmp_path / "campaign.toml").read_text() + "[sandbox]\nspeed = 200\n")
    assert dialer("run", "campaign.toml", "--quiet").returncode == 0
    done = dialer("doctor")
    assert done.returncode == 0, done.stdout
    for subject in ("disk space", "reserve", "modes", "time zones", "lock", "ledger", "journal", "same events", "rows"):
        assert _line(done, subject).startswith("ok"), done.stdout
    with opened(tmp_path / ".dialer"):
        held = dialer("doctor")
    assert held.returncode == 0, held.stdout
    assert "holds it" in _line(held, "lock")
    said = json.loads(dialer("doctor", "--json").stdout)
    assert {item["level"] for item in said} <= {"ok", "note"}


def _ledger(home: Path) -> Path:
    with opened(home / ".dialer") as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(index) for index in range(3)])
        ledger.commit(record.id, "account", [intended(lead)[0] for lead in ledger.claim(record.id, NOON, 2)])
        return ledger.path


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE attempt SET state = 'lost' WHERE id = 1", "attempt try-1-1 is lost, not intended"),
        ("UPDATE lead SET state = 'unresolved' WHERE id = 2", "contact 2 is unresolved, not dialing"),
        ("UPDATE lead SET attempts = 2, submissions = 2 WHERE id = 1", "contact 1 counts 2 attempts, not 1"),
        ("DELETE FROM attempt WHERE id = 2", "attempt try-2-1 is not in the ledger"),
        ("UPDATE lead SET phone = '+12125559999' WHERE id = 1", "contact 1 has another number"),
    ],
)
def test_rows_that_the_journal_does_not_explain_are_named(
    tmp_path: Path, dialer: Callable[..., Done], sql: str, said: str
) -> None:
    path = _ledger(tmp_path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql)
    done = dialer("doctor")
    assert done.returncode == 2
    assert said in _line(done, "rows")
    assert "--recover" in _line(done, "rows")
    assert "+1212" not in done.stdout


def test_files_that_others_can_read_and_a_reserve_that_is_gone_are_told(
    tmp_path: Path, dialer: Callable[..., Done]
) -> None:
    path = _ledger(tmp_path)
    path.with_name("ledger.db.journal").chmod(0o644)
    path.with_name("ledger.db.ballast").unlink()
    done = dialer("doctor")
    assert done.returncode == 2
    assert "chmod 600" in _line(done, "modes")
    assert _line(done, "reserve").startswith("note")


def test_a_restored_copy_is_a_note_since_the_next_run_heals_it(tmp_path: Path, dialer: Callable[..., Done]) -> None:
    path = _ledger(tmp_path)
    copy = path.read_bytes()
    with opened(tmp_path / ".dialer") as ledger:
        record = ledger.campaign("spring")
        assert record is not None
        ledger.commit(record.id, "account", [intended(lead)[0] for lead in ledger.claim(record.id, NOON, 1)])
    path.write_bytes(copy)
    done = dialer("doctor")
    assert done.returncode == 0, done.stdout
    assert "1 events older" in _line(done, "same events")


def test_key_and_clock_are_checked_where_the_campaign_has_an_address(
    tmp_path: Path, dialer: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox_process("--set", "skew=4000") as url:
        _campaign(tmp_path, url)
        done = dialer("doctor", "campaign.toml")
        assert done.returncode == 2
        assert _line(done, "key").startswith("ok")
        assert _line(done, "clock").startswith("bad")
        monkeypatch.setenv("SMARTALEX_API_KEY", "wrong-key")
        done = dialer("doctor", "campaign.toml")
        assert "does not accept the key" in _line(done, "api")
        assert "wrong-key" not in done.stdout
    assert dialer("doctor", "campaign.toml").returncode == 2  # nobody answers


# --- the probe ------------------------------------------------------------------------------------------------------


def test_a_probe_places_one_call_and_a_run_believes_what_it_measured(
    tmp_path: Path, dialer: Callable[..., Done], lagging: str
) -> None:
    _campaign(tmp_path, lagging, horizon="1s", policy="retry_absent")
    done = dialer("doctor", "campaign.toml", "--probe", PROBED, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert 1.5 < said["list_lag_s"] < 6
    assert said["shown"]
    assert (said["echo_get"], said["echo_list"]) == (True, False)
    assert said["statuses"][-1] == "completed"
    assert said["date"]
    assert said["per_page"] == 100
    assert _calls(tmp_path) == [PROBED]
    assert PROBED not in (tmp_path / ".dialer" / "ledger.db.journal").read_text()
    assert [entry.kind for entry in read_journal(tmp_path / ".dialer" / "ledger.db.journal")][-1] == "probe"

    refused = dialer("run", "campaign.toml", "--quiet")
    assert refused.returncode == 2
    assert 'on_uncertain = "retry_absent" would call people twice' in refused.stderr
    assert _calls(tmp_path) == [PROBED]

    (tmp_path / ".dialer" / "ledger.db").unlink()
    assert dialer("doctor", "--recover").returncode == 0
    assert dialer("run", "campaign.toml", "--quiet").returncode == 2  # what was measured is not forgotten

    _campaign(tmp_path, lagging, horizon="9s", policy="retry_absent")
    assert dialer("run", "campaign.toml", "--quiet").returncode == 0
    assert sorted(_calls(tmp_path)) == [LISTED, PROBED]


def test_a_probe_calls_nobody_who_may_be_on_the_phone_and_no_number_that_is_none(
    tmp_path: Path, dialer: Callable[..., Done]
) -> None:
    _ledger(tmp_path)
    _campaign(tmp_path, "http://127.0.0.1:9")
    open_call = dialer("doctor", "campaign.toml", "--probe", phone(0))
    assert open_call.returncode == 2
    assert "has an open call in campaign 'spring'" in open_call.stderr
    assert phone(0) not in open_call.stderr
    assert dialer("doctor", "campaign.toml", "--probe", "2125550100").returncode == 2
    unreachable = dialer("doctor", "campaign.toml", "--probe", PROBED)
    assert unreachable.returncode == 2
    assert "cannot reach" in unreachable.stderr


def test_a_probe_that_is_real_is_not_placed_without_a_yes(tmp_path: Path, dialer: Callable[..., Done]) -> None:
    _campaign(tmp_path, "https://127.0.0.1.invalid/v1", horizon="30m")
    text = (
        (tmp_path / "campaign.toml").read_text().replace('"100ms"\non', '"60s"\non').replace("scans = 1", "scans = 3")
    )
    (tmp_path / "campaign.toml").write_text(text)
    (tmp_path / "key").write_text("a-key-of-ours")
    (tmp_path / "key").chmod(0o600)
    done = dialer("doctor", "campaign.toml", "--probe", PROBED, "--api-key-file", "key")
    assert done.returncode == 2
    assert "say --yes" in done.stderr
