"""Stopping a real run: once, twice, by SIGTERM, and going on afterwards."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from dialer.core.errors import ExitCode
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.store import CallStore
from tests.support.laws import check_network
from tests.support.processes import Process, dialer, finish, start_run

CAMPAIGN = """
name = "stopped"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "sandbox"
requests_per_minute = 6000
[pacing]
max_concurrent = 5
[retry]
busy = ["100ms"]
no_answer = ["100ms"]
[sandbox]
speed = {speed}
"""


def _home(path: Path, speed: float) -> Path:
    (path / "contacts.csv").write_text("phone\n" + "".join(f"+1212556{index:04d}\n" for index in range(20)))
    (path / "campaign.toml").write_text(CAMPAIGN.format(speed=speed))
    return path


def _wait_for_calls(home: Path, runner: Process) -> None:
    deadline = time.monotonic() + 20
    store = home / ".dialer" / "sandbox.jsonl"
    while time.monotonic() < deadline and runner.poll() is None:
        if store.exists() and store.read_text().count("\n") >= 5:
            return
        time.sleep(0.01)
    raise AssertionError(f"no calls were placed: {runner.poll()}")


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_asked_once_a_run_follows_its_live_calls_to_their_end_and_says_how_to_go_on(
    tmp_path: Path, asked: signal.Signals
) -> None:
    home = _home(tmp_path, speed=60)
    runner = start_run(home)
    _wait_for_calls(home, runner)
    runner.send_signal(asked)
    code, said = finish(runner)
    assert code == ExitCode.WORK_LEFT
    assert "Go on with: dialer resume stopped" in said
    shown = dialer(home, "status", "--json")
    assert '"dialing": 0' in shown.stdout
    assert finish(start_run(home))[0] == ExitCode.DONE
    exchange = Exchange()
    CallStore(home / ".dialer" / "sandbox.jsonl").load(exchange, time.time())
    check_network(exchange.calls.values(), 3)


def test_asked_twice_a_run_leaves_at_once_and_its_live_calls_are_found_again(tmp_path: Path) -> None:
    home = _home(tmp_path, speed=1)
    runner = start_run(home)
    _wait_for_calls(home, runner)
    runner.send_signal(signal.SIGINT)
    time.sleep(0.8)  # closer together they are one press of Ctrl-C
    started = time.monotonic()
    runner.send_signal(signal.SIGINT)
    code, said = finish(runner)
    assert code == ExitCode.WORK_LEFT
    assert time.monotonic() - started < 5
    assert "Go on with: dialer resume stopped" in said
    assert "Traceback" not in said


def test_a_report_can_be_written_while_the_run_goes_on(tmp_path: Path) -> None:
    home = _home(tmp_path, speed=10)
    runner = start_run(home)
    try:
        _wait_for_calls(home, runner)
        done = dialer(home, "report", "stopped", "--out", "early")
        assert done.returncode == 0, done.stderr
        assert (home / "early" / "outcomes.csv").read_text().count("\n") == 21
        again = finish(start_run(home))
        assert again[0] == ExitCode.HELD
    finally:
        runner.kill()
        finish(runner)
