"""Real processes: servers to run against, and runs whose processor time and memory are read off from outside."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_POLL_S = 0.005
_OURS = ("DIALER_", "SMARTALEX_")


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a process stood at one moment: seconds since its start, processor time, peak memory so far."""

    seconds: float
    cpu_s: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took in all, and its two turning points: the first call on the network, the first report begun."""

    exit_code: int
    end: Moment
    said: str
    complaints: str
    """The end of what it wrote to standard error."""
    first_call: Moment | None = None
    reports: Moment | None = None


def environment() -> dict[str, str]:
    """The environment of this process without anything that a dialer listens to."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


@contextmanager
def server(*command: str) -> Iterator[str]:
    """A server of ours (``-m MODULE ...``) that prints its base URL first; yields that."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, env=environment(), text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http"), url
        yield url
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


@contextmanager
def sandbox(slots: int, speed: float, store: Path, *settings: str) -> Iterator[str]:
    """A sandbox on a port of its own, which keeps its calls in ``store``; ``settings`` are ``key=value``."""
    flags = ["--port", "0", "--slots", str(slots), "--speed", str(speed), "--store", str(store), "--seed", "11"]
    flags += [word for item in settings for word in ("--set", item)]
    with server("-m", "dialer", "sandbox", *flags) as url:
        yield url


def many_files() -> None:
    """As many sockets as the machine lets us have, us and the processes we start: 1,000 slots may need them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def peer(module: str, *arguments: object, store: Path | None = None) -> tuple[dict[str, float], Usage]:
    """Run a peer to its end; the figures that it prints, and what it took."""
    usage = run(["-m", module, *map(str, arguments)], ROOT, store=store)
    assert usage.exit_code == 0, usage.complaints
    found: dict[str, float] = json.loads(usage.said)
    return found, usage


def run(command: Sequence[str], home: Path, *, store: Path | None = None, reports: Path | None = None) -> Usage:
    """Run a Python program in ``home`` to its end, and note the moments when ``store`` and ``reports`` fill.

    ``store`` is the file of the network's calls, ``reports`` the directory of the run's reports; reports that were
    there before are taken away.
    """
    for old in reports.iterdir() if reports is not None and reports.is_dir() else ():
        old.unlink()
    with tempfile.TemporaryFile("w+") as errors:
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *command], cwd=home, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        first_call, reporting, peak_mb = _watch(process.pid, begun, store, reports)
        end, exit_code, said = _ended(process, begun, peak_mb)
        errors.seek(0)
        return Usage(exit_code, end, said, errors.read()[-2000:], first_call, reporting)


def _watch(
    pid: int, begun: float, store: Path | None, reports: Path | None
) -> tuple[Moment | None, Moment | None, float]:
    """The two turning points, and the peak memory of a process that then has ended."""
    size, peak_mb = store.stat().st_size if store is not None and store.exists() else 0, 0.0
    first_call = reporting = None
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(_POLL_S)
        now = _moment(pid, begun)
        if now is None:
            continue
        peak_mb = now.memory_mb
        if first_call is None and store is not None and store.exists() and store.stat().st_size > size:
            first_call = now
        if reporting is None and reports is not None and reports.is_dir() and any(reports.iterdir()):
            reporting = now
    return first_call, reporting, peak_mb


def _ended(process: subprocess.Popen[str], begun: float, peak_mb: float) -> tuple[Moment, int, str]:
    _, status, used = os.wait4(process.pid, 0)  # its ru_maxrss would count what we had when it was forked
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stdout is not None
    said = process.stdout.read()
    process.stdout.close()
    return Moment(time.monotonic() - begun, used.ru_utime + used.ru_stime, peak_mb), process.returncode, said


def _moment(pid: int, begun: float) -> Moment | None:
    """Where a living process stands, to a hundredth of a second of processor time; None if it has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    peak = [line for line in lines if line.startswith("VmHWM:")]
    if not peak:
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Moment(time.monotonic() - begun, ticks / os.sysconf("SC_CLK_TCK"), int(peak[0].split()[1]) / 1024)
