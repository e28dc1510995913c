"""An event loop whose clock jumps to the next timer: days pass in milliseconds, in the order in which they would.

Nothing here may wait for a thread, a socket or a process: with no timer and nothing ready the loop is deadlocked, and
says so.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import anyio

_Result = TypeVar("_Result")
_MOST_TURNS = ContextVar("most_turns", default=300_000)
_TURN_S = 1e-7
"""Every turn takes a moment: float residue would otherwise re-arm a timer at the same instant for ever."""


class Deadlock(RuntimeError):
    """Nothing is ready and no timer runs: the program would wait for ever."""


class Spinning(RuntimeError):
    """The program turns and turns and does not come on."""


@contextmanager
def most_turns(count: int) -> Iterator[None]:
    """Loops made in here may turn ``count`` times: benchmarks play whole days of thousands of calls."""
    token = _MOST_TURNS.set(count)
    try:
        yield
    finally:
        _MOST_TURNS.reset(token)


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.most_turns = _MOST_TURNS.get()
        self.now = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += _TURN_S
        self.turns += 1
        if self.turns > self.most_turns:
            raise Spinning(f"{self.most_turns} turns of the loop, and only {self.now:.3f} s have passed")
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Deadlock("nothing is ready and no timer runs")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


class VirtualClock:
    """The clocks of :mod:`dialer.runner.clock` in virtual time. ``start`` is the wall's time at the loop's zero."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.set_back_s = 0.0

    def wall(self) -> float:
        return self.start + asyncio.get_running_loop().time() - self.set_back_s

    def boot(self) -> float:
        return asyncio.get_running_loop().time()


def run_virtually(main: Callable[..., Awaitable[_Result]], *args: Any) -> _Result:  # whatever main takes
    """Run ``main`` in virtual time."""
    return anyio.run(main, *args, backend_options={"loop_factory": VirtualLoop})
