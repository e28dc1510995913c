"""Real processes: the sandbox as a server of its own, and runners that can be killed.

They are forked from one process that has the program loaded already (``loaded``): importing it takes longer than most
of what tests do with it. From then on they are processes like any other, with an id, streams and signals of their own.
:data:`DIALER` is the command itself, for tests of how the program starts.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Final

from dialer.cli import main

DIALER: Final = (sys.executable, "-m", "dialer")
_LOADED: Final = multiprocessing.get_context("forkserver")
_LOADED.set_forkserver_preload(["tests.support.loaded"])
_ROOT: Final = Path(__file__).parents[2]


@cache
def _streams() -> tempfile.TemporaryDirectory[str]:
    """Where the processes say what they say; nobody has to read it for them to go on.

    Made by the process that starts others, and not by those: one that is killed takes nothing away.
    """
    return tempfile.TemporaryDirectory(prefix="streams-", ignore_cleanup_errors=True)


def environment(**more: str) -> dict[str, str]:
    """The environment of this process without anything the dialer listens to."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DIALER_", "SMARTALEX_"))}
    return {**kept, **more}


class Process:
    """A function in a process of its own, which begins at once. As much of ``subprocess.Popen`` as tests need.

    It has nothing to read on standard input. What the function returns is the exit code.
    """

    def __init__(
        self, play: Callable[..., int], *arguments: object, home: Path | None = None, env: Mapping[str, str]
    ) -> None:
        streams = Path(tempfile.mkdtemp(dir=_streams().name))
        self._said, self._complained = streams / "out", streams / "err"
        self._said.touch()
        self._complained.touch()
        begins = (home or Path.cwd(), dict(env), self._said, self._complained, play, [*arguments])
        self._process = _LOADED.Process(target=_begin, args=begins, daemon=True)
        with chdir(_ROOT):  # where the first process looks for what it loads
            forkserver.ensure_running()
        self._process.start()
        assert self._process.pid is not None
        self.pid: Final = self._process.pid

    @property
    def returncode(self) -> int:
        """The exit code, or the number of a signal with its sign turned. It must have ended."""
        code = self._process.exitcode
        assert code is not None
        return code

    @property
    def stdout(self) -> str:
        """What it has said so far."""
        return self._said.read_text("utf-8")

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for it; all it said on its two streams. Raises ``TimeoutExpired`` where it goes on."""
        self._process.join(timeout)
        if self.poll() is None:
            raise TimeoutExpired([self._process.name], timeout or 0.0)
        return self.stdout, self._complained.read_text("utf-8")


def _begin(
    home: Path, env: Mapping[str, str], said: Path, complained: Path, play: Callable[..., int], arguments: list[object]
) -> None:
    for number, path in ((1, said), (2, complained)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(home)
    sys.exit(play(*arguments))


def start_dialer(home: Path | None, *arguments: object, env: Mapping[str, str] | None = None) -> Process:
    """Start the program in ``home``."""
    said = [str(argument) for argument in arguments]
    return Process(main, said, home=home, env=environment() if env is None else env)


def dialer(
    home: Path, *arguments: object, env: Mapping[str, str] | None = None, timeout_s: float = 60.0
) -> CompletedProcess[str]:
    """The program in ``home``, to its end."""
    process = start_dialer(home, *arguments, env=env)
    code, complained = finish(process, timeout_s)
    return CompletedProcess([*map(str, arguments)], code, process.stdout, complained)


@contextmanager
def sandbox_process(*flags: str) -> Iterator[str]:
    """A sandbox in a process of its own; yields its base URL."""
    process = start_dialer(None, "sandbox", "--port", "0", *flags)
    try:
        deadline = time.monotonic() + 30
        while not (said := process.stdout).endswith("\n"):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.005)
        yield said.strip()
    finally:
        process.kill()
        process.communicate(10)


def start_run(home: Path, *flags: str) -> Process:
    """Start ``dialer run campaign.toml`` in ``home``."""
    return start_dialer(home, "run", "campaign.toml", "--quiet", *flags)


def finish(process: Process, timeout_s: float = 60.0) -> tuple[int, str]:
    """Wait for a process; its exit code and what it said on standard error."""
    try:
        _, said = process.communicate(timeout=timeout_s)
    except TimeoutExpired:
        process.kill()
        _, said = process.communicate()
        raise AssertionError(f"still running after {timeout_s} s; it said: {said}") from None
    return process.returncode, said
