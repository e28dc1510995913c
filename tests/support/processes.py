"""Real processes: the sandbox as a server of its own, and runners that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIALER = (sys.executable, "-m", "dialer")


def environment(**more: str) -> dict[str, str]:
    """The environment of this process without anything the dialer listens to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DIALER_", "SMARTALEX_"))}
    return {**kept, **more}


@contextmanager
def sandbox_process(*flags: str) -> Iterator[str]:
    """A sandbox in a process of its own; yields its base URL."""
    command = [*DIALER, "sandbox", "--port", "0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(), text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()


def start_run(home: Path, *flags: str) -> subprocess.Popen[str]:
    """Start ``dialer run campaign.toml`` in ``home``."""
    return subprocess.Popen(
        [*DIALER, "run", "campaign.toml", "--quiet", *flags],
        cwd=home,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout_s: float = 60.0) -> tuple[int, str]:
    """Wait for a process; its exit code and what it said on standard error."""
    try:
        _, said = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
        raise AssertionError(f"still running after {timeout_s} s; it said: {said}") from None
    return process.returncode, said
