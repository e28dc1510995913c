"""What happens to the machine, row by row: runners frozen, many at once, out of files, unread; keys that could leak."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from dialer.core.errors import ExitCode
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.store import CallStore
from tests.support.laws import check_ledger, check_network
from tests.support.processes import DIALER, dialer, environment, finish, sandbox_process, start_run

CAMPAIGN = """
name = "harmed"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "{url}"
requests_per_minute = 60000
timeout = "2s"
[pacing]
max_concurrent = 10
[retry]
busy = ["200ms"]
no_answer = ["300ms"]
uncertain_horizon = "1s"
uncertain_scans = 2
uncertain_scan_gap = "200ms"
"""
NETWORK = ("--speed", "60", "--slots", "10", "--set", "echo=none")


def _home(path: Path, url: str, contacts: int = 40) -> Path:
    (path / "contacts.csv").write_text("phone\n" + "".join(f"+1212556{index:04d}\n" for index in range(contacts)))
    (path / "campaign.toml").write_text(CAMPAIGN.format(url=url))
    return path


def _check(home: Path, store: Path, *, finished: bool = True) -> None:
    exchange = Exchange()
    CallStore(store).load(exchange, time.time())
    check_network(exchange.calls.values(), 3)
    check_ledger(home / ".dialer" / "ledger.db", exchange.calls, finished=finished)


def _wait_for_calls(store: Path, count: int) -> None:
    deadline = time.monotonic() + 20
    while not store.exists() or store.read_text().count("\n") < count:
        assert time.monotonic() < deadline, "no calls were placed"
        time.sleep(0.01)


def test_of_twenty_runners_started_at_once_one_runs_and_nineteen_say_that_it_does(tmp_path: Path) -> None:
    store = tmp_path / "network.jsonl"
    with sandbox_process(*NETWORK, "--store", str(store)) as url:
        home = _home(tmp_path, url, contacts=60)
        ended = sorted(finish(runner) for runner in [start_run(home) for _ in range(20)])
    assert [code for code, _ in ended] == [ExitCode.DONE, *[ExitCode.HELD] * 19], ended
    _check(home, store)


def test_a_runner_that_was_frozen_in_mid_call_sends_nothing_stale_and_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "network.jsonl"
    with sandbox_process(*NETWORK, "--store", str(store)) as url:
        home = _home(tmp_path, url)
        runner = start_run(home)
        for calls in (3, 8, 15):
            _wait_for_calls(store, calls)
            runner.send_signal(signal.SIGSTOP)
            time.sleep(0.7)
            runner.send_signal(signal.SIGCONT)
        code, said = finish(runner)
    assert code in {ExitCode.DONE, ExitCode.UNRESOLVED}, said
    _check(home, store)


def test_a_runner_whose_ledger_was_taken_over_while_it_was_frozen_writes_nothing_more(tmp_path: Path) -> None:
    store = tmp_path / "network.jsonl"
    with sandbox_process(*NETWORK, "--store", str(store)) as url:
        home = _home(tmp_path, url)
        frozen = start_run(home)
        _wait_for_calls(store, 4)
        frozen.send_signal(signal.SIGSTOP)
        (home / ".dialer" / "ledger.db.lock").unlink()  # somebody forces the lock
        code, said = finish(start_run(home))
        in_mid_write = code == ExitCode.HELD  # frozen just there, it keeps everybody out until it goes on
        assert in_mid_write or code in {ExitCode.DONE, ExitCode.UNRESOLVED}, said
        frozen.send_signal(signal.SIGCONT)
        code, said = finish(frozen)
        assert code == ExitCode.HELD, said
        if in_mid_write:
            finish(start_run(home))
    _check(home, store)


def test_a_runner_that_may_open_only_few_files_loses_nobody(tmp_path: Path) -> None:
    store = tmp_path / "network.jsonl"
    with sandbox_process(*NETWORK, "--store", str(store)) as url:
        home = _home(tmp_path, url)
        runner = subprocess.Popen(
            [*DIALER, "run", "campaign.toml", "--quiet"],
            cwd=home,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (17, 17)),  # noqa: PLW1509  # one thread here
        )
        _, said = runner.communicate(timeout=60)
        code = runner.returncode
        if code not in {ExitCode.DONE, ExitCode.UNRESOLVED}:
            assert said.count("\n") <= 3, said
            code, said = finish(start_run(home))
    assert code in {ExitCode.DONE, ExitCode.UNRESOLVED}, said
    _check(home, store)


def test_nobody_needs_to_read_what_a_run_says(tmp_path: Path) -> None:
    store = tmp_path / "network.jsonl"
    with sandbox_process(*NETWORK, "--store", str(store), "--fault", "error_500_after=@2") as url:
        home = _home(tmp_path, url)
        command = [*DIALER, "run", "campaign.toml"]
        runner = subprocess.Popen(
            command, cwd=home, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert runner.stdout is not None
        assert runner.stderr is not None
        runner.stdout.close()
        runner.stderr.close()
        assert runner.wait(60) in {ExitCode.DONE, ExitCode.UNRESOLVED}
    _check(home, store)


# --- what must not leak -------------------------------------------------------------------------------------------

KEY = "canary-key-7f3a9c"
PHONE = "+12125557391"


def test_key_and_number_appear_nowhere_but_where_they_belong(tmp_path: Path) -> None:
    with sandbox_process(*NETWORK, "--fault", "error_echo=@1-2", "--fault", "error_500_before=@3") as url:
        home = _home(tmp_path, url, contacts=3)
        with (home / "contacts.csv").open("a") as file:
            file.write(f"{PHONE}\n")
        (home / "contacts.csv").write_text(f"phone\n{PHONE}\n+12125560001\n+12125560002\n{PHONE}\nno number\n")
        runner = subprocess.Popen(
            [*DIALER, "run", "campaign.toml"],
            cwd=home,
            env=environment(SMARTALEX_API_KEY=KEY),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        shown = Path(f"/proc/{runner.pid}/cmdline").read_bytes().decode()
        out, _ = runner.communicate(timeout=60)
    said = [out, shown, *_said_by(home, "status"), *_said_by(home, "why"), *_said_by(home, "check", "campaign.toml")]
    for text in said:
        assert KEY not in text
        assert PHONE[1:] not in text
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content, path
            assert (
                b"2125557391" not in content
                or path.name in {"contacts.csv", "ledger.db", "outcomes.csv"}
                or (path.suffix == ".csv" and path.parent.name == "harmed")
            ), path
    db = sqlite3.connect(home / ".dialer" / "ledger.db")
    try:
        texts = db.execute(
            "SELECT data FROM event UNION ALL SELECT reason FROM attempt UNION ALL SELECT reason FROM lead"
        )
        assert not [text for (text,) in texts if PHONE[1:] in text]
        assert db.execute("SELECT count(*) FROM attempt WHERE reason LIKE '%***%'").fetchone()[0] > 0, "it was echoed"
    finally:
        db.close()


def _said_by(home: Path, *command: str) -> list[str]:
    done = dialer(home, *command)
    return [done.stdout, done.stderr]
