"""Ledgers that are damaged or gone: refused, rebuilt from the journal and the lists, and run to their end.

A real run in a process of its own is killed in the middle, and each test harms what it left in another way. The
truth is the sandbox's own record of its calls.
"""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dialer.cli import main
from dialer.ledger.journal import read_journal
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.store import CallStore
from tests.support.laws import check_ledger, check_network
from tests.support.processes import finish, start_run

CONTACTS = 30
CAMPAIGN = """
name = "harmed"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "sandbox"
requests_per_minute = 12000
timeout = "2s"
[pacing]
max_concurrent = 6
[retry]
busy = ["300ms"]
no_answer = ["300ms"]
uncertain_horizon = "1s"
uncertain_scans = 2
uncertain_scan_gap = "200ms"
[sandbox]
speed = 100
"""
Done = subprocess.CompletedProcess[str]
Harm = Callable[[Path], None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a run was killed in its middle: calls are up, creates are on their way."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "contacts.csv").write_text("phone\n" + "".join(f"+1212556{index:04d}\n" for index in range(CONTACTS)))
    (home / "campaign.toml").write_text(CAMPAIGN)
    runner = start_run(home)
    try:
        store = home / ".dialer" / "sandbox.jsonl"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (store.exists() and store.read_text().count("\n") >= 18):
            assert runner.poll() is None
            time.sleep(0.005)
    finally:
        runner.kill()
        finish(runner)
    monkeypatch.chdir(home)
    for name in ("SMARTALEX_API_KEY", "DIALER_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def dialer(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The program, in this process."""

    def run(*arguments: object) -> Done:
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return subprocess.CompletedProcess([*map(str, arguments)], code, shown.out, shown.err)

    return run


def _ledger(home: Path, ending: str = "") -> Path:
    return home / ".dialer" / f"ledger.db{ending}"


def _whole(home: Path) -> Path:
    """The ledger with its log written back, so that what is harmed in it matters."""
    path = _ledger(home)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _cut(size: Callable[[int], int]) -> Harm:
    def harm(home: Path) -> None:
        path = _whole(home)
        with path.open("r+b") as file:
            file.truncate(size(path.stat().st_size))

    return harm


def _flip(offset: int, bits: int = 0xFF) -> Harm:
    def harm(home: Path) -> None:
        with _whole(home).open("r+b") as file:
            file.seek(offset)
            (was,) = file.read(1)
            file.seek(offset)
            file.write(bytes([was ^ bits]))

    return harm


def _gone(home: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        _ledger(home, ending).unlink(missing_ok=True)


HARMS: dict[str, Harm] = {
    "its name is flipped": _flip(3),
    "its schema is flipped": _flip(100),
    "a root is flipped": _flip(4096),
    "another root is flipped": _flip(3 * 4096, 0x0F),
    "a count of cells is flipped": _flip(5 * 4096 + 4),
    "half of it is gone": _cut(lambda size: size // 2 // 4096 * 4096),
    "a page is torn": _cut(lambda size: size - 5000),
    "only its head is left": _cut(lambda _: 4096),
    "a hundred bytes are left": _cut(lambda _: 100),
    "it is empty": _cut(lambda _: 0),
    "it is gone": _gone,
    "its log is gone": lambda home: _ledger(home, "-wal").unlink(),
}


def _exchange(home: Path) -> Exchange:
    exchange = Exchange()
    CallStore(home / ".dialer" / "sandbox.jsonl").load(exchange, time.time())
    return exchange


def _to_the_end(home: Path, dialer: Callable[..., Done]) -> None:
    done = dialer("run", "campaign.toml", "--quiet")
    assert done.returncode in {0, 4}, done.stderr
    calls = _exchange(home).calls
    check_network(calls.values(), 3)
    check_ledger(_ledger(home), calls, finished=True)
    assert len({call.phone for call in calls.values()}) >= CONTACTS - 1  # one may have been in doubt, and was held


def _all_well(done: Done) -> bool:
    return done.returncode == 0 and not any(line.startswith("bad") for line in done.stdout.splitlines())


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_a_harmed_ledger_is_refused_and_rebuilt_and_calls_nobody_twice(
    home: Path, dialer: Callable[..., Done], harm: Harm
) -> None:
    harm(home)
    calls = set(_exchange(home).calls)
    for command in (["run", "campaign.toml"], ["resume"], ["resolve", "harmed", "--look"]):
        refused = dialer(*command)
        assert refused.returncode == 2, (command, refused.stderr)
        assert "dialer doctor --recover" in refused.stderr, command
        assert len(refused.stderr.splitlines()) == 1, command
    assert dialer("doctor").returncode == 2
    assert set(_exchange(home).calls) == calls

    recovered = dialer("doctor", "--recover")
    assert recovered.returncode == 0, recovered.stderr
    assert "is rebuilt from" in recovered.stdout
    checked = dialer("doctor")
    assert _all_well(checked), checked.stdout
    assert not any(f"+1212556{index:04d}" in recovered.stdout + checked.stdout for index in range(CONTACTS))
    _to_the_end(home, dialer)
    assert _all_well(dialer("doctor"))


def _tables(home: Path) -> list[list[tuple[object, ...]]]:
    with closing(sqlite3.connect(_ledger(home))) as db:
        names = ("event", "attempt", "lead", "contact", "campaign")
        return [db.execute(f"SELECT * FROM {name}").fetchall() for name in names]  # noqa: S608  # names of our own


def test_a_sound_ledger_is_left_alone(home: Path, dialer: Callable[..., Done]) -> None:
    before = _tables(home)
    done = dialer("doctor", "--recover")
    assert done.returncode == 0
    assert "is sound: nothing was changed" in done.stdout
    assert _tables(home) == before
    assert not list(home.glob(".dialer/*damaged*"))
    _to_the_end(home, dialer)


def _lasting(home: Path) -> dict[str, bytes]:
    """The files beside the ledger, but for those that every look at it makes anew."""
    passing = {"ledger.db-wal", "ledger.db-shm", "ledger.db.lock"}
    files = [path for path in (home / ".dialer").iterdir() if path.is_file() and path.name not in passing]
    return {path.name: path.read_bytes() for path in files}


def test_without_a_list_nothing_is_changed_and_the_list_is_named(home: Path, dialer: Callable[..., Done]) -> None:
    HARMS["half of it is gone"](home)
    (home / "contacts.csv").rename(home / "elsewhere.csv")
    before = _lasting(home)
    done = dialer("doctor", "--recover")
    assert done.returncode == 2
    assert "contacts.csv" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert _lasting(home) == before
    (home / "elsewhere.csv").rename(home / "contacts.csv")
    assert dialer("doctor", "--recover").returncode == 0
    _to_the_end(home, dialer)


def _break_line(home: Path, number: int) -> None:
    path = _ledger(home, ".journal")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b'"kind": "', b'"kind": "un', 1)
    path.write_bytes(b"".join(lines))


def test_a_broken_journal_beside_a_sound_ledger_is_written_anew(home: Path, dialer: Callable[..., Done]) -> None:
    _whole(home)
    _break_line(home, 10)
    checked = dialer("doctor")
    assert checked.returncode == 2
    (line,) = [line for line in checked.stdout.splitlines() if line.startswith("bad")]
    assert "breaks after event 9" in line
    assert "--recover" in line
    done = dialer("doctor", "--recover")
    assert done.returncode == 0, done.stderr
    assert "written anew" in done.stdout
    assert _all_well(dialer("doctor"))
    assert len(list(read_journal(_ledger(home, ".journal")))) > 10
    _to_the_end(home, dialer)


def test_what_a_broken_journal_lost_is_found_in_the_list_of_calls(home: Path, dialer: Callable[..., Done]) -> None:
    _gone(home)
    lines = _ledger(home, ".journal").read_bytes().count(b"\n")
    _break_line(home, lines // 2)
    done = dialer("doctor", "--recover")
    assert done.returncode == 0, done.stderr
    assert f"the journal breaks after event {lines // 2 - 1}:" in done.stdout
    assert len(list(home.glob(".dialer/ledger.db.journal.damaged-*"))) == 1
    assert _all_well(dialer("doctor"))
    _to_the_end(home, dialer)


def test_people_who_are_in_no_list_any_more_are_counted_and_their_calls_named(
    home: Path, dialer: Callable[..., Done]
) -> None:
    _gone(home)
    first = next(iter(_exchange(home).calls.values()))
    rows = (home / "contacts.csv").read_text().splitlines()
    (home / "contacts.csv").write_text("\n".join(row for row in rows if row != first.phone) + "\n")
    done = dialer("doctor", "--recover")
    assert done.returncode == 0, done.stderr
    assert "could not be restored" in done.stdout
    assert first.id in done.stdout
    assert _all_well(dialer("doctor"))


def test_without_the_key_of_its_hashes_a_lost_ledger_cannot_be_rebuilt(home: Path, dialer: Callable[..., Done]) -> None:
    _gone(home)
    _ledger(home, ".salt").unlink()
    done = dialer("doctor", "--recover")
    assert done.returncode == 2
    assert "ledger.db.salt is gone" in done.stderr
    assert not _ledger(home).exists()


def test_a_place_where_nothing_ever_was_is_not_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialer: Callable[..., Done]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = dialer("doctor", "--recover")
    assert done.returncode == 2
    assert "nothing was ever kept there" in done.stderr
    assert not (tmp_path / ".dialer").exists()
