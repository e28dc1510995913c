"""The minute's limit: a few requests may be saved up, and no minute ever sees more than the plan allows."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest

from dialer.runner.gate import EVENLY_FOR_S, MINUTE_S, Gate
from tests.support.virtual import run_virtually


async def _greedy(gate: Gate, seconds: float, rest_s: float = 0.0) -> list[float]:
    """When requests leave if somebody takes all there are to be had, after a rest."""
    await anyio.sleep(rest_s)
    left: list[float] = []
    until = anyio.current_time() + seconds
    while anyio.current_time() < until:
        count = gate.free()
        await gate.take(count)
        left += [anyio.current_time()] * count
        await anyio.sleep(0.0 if count else gate.look_again_s)
    return left


def _most_in_a_minute(left: list[float]) -> int:
    first, most = 0, 0
    for index, moment in enumerate(left):
        while left[first] <= moment - MINUTE_S:
            first += 1
        most = max(most, index - first + 1)
    return most


@pytest.mark.parametrize("per_minute", [1, 7, 60, 600])
@pytest.mark.parametrize("rest_s", [0.0, 90.0])
def test_no_sixty_seconds_see_more_requests_than_the_plan_allows(per_minute: int, rest_s: float) -> None:
    left = run_virtually(_greedy, Gate(per_minute), 200.0, rest_s)
    assert _most_in_a_minute(left) <= per_minute


@pytest.mark.parametrize("per_minute", [60, 300, 600])
def test_who_takes_all_there_is_gets_almost_all_of_the_plan(per_minute: int) -> None:
    left = run_virtually(_greedy, Gate(per_minute), 303.0)
    assert len(left) >= 0.97 * 5 * per_minute


@pytest.mark.parametrize(("per_minute", "at_once"), [(10, 1), (60, 4), (300, 10), (600, 10), (60_000, 100)])
def test_a_few_requests_are_saved_up_and_leave_together(per_minute: int, at_once: int) -> None:
    async def main() -> tuple[int, int]:
        gate = Gate(per_minute)
        fresh = gate.free()
        await gate.take(fresh)
        assert gate.free() < fresh
        await anyio.sleep(MINUTE_S)
        return fresh, gate.free()

    assert run_virtually(main) == (at_once, at_once)


def _evenly(left: list[float]) -> bool:
    return len(left) > 1 and all(later - earlier >= 1.0 for earlier, later in pairwise(left))


def test_after_a_request_that_came_too_soon_they_are_spread_evenly_for_a_while() -> None:
    async def main() -> tuple[list[float], list[float], list[float]]:
        gate = Gate(60)
        gate.limited()
        at_first = await _greedy(gate, 100.0, 30.0)
        then = await _greedy(gate, 10.0, EVENLY_FOR_S)
        gate.limited()
        return at_first, then, await _greedy(gate, 10.0, 1.5 * EVENLY_FOR_S)

    at_first, then, again = run_virtually(main)
    assert (_evenly(at_first), _evenly(then), _evenly(again)) == (True, False, True)


def test_what_is_in_no_hurry_saves_nothing_up() -> None:
    assert _evenly(run_virtually(_greedy, Gate(60, evenly=True), 30.0, 30.0))


def test_who_asks_for_more_than_is_free_waits_for_it() -> None:
    async def main() -> list[float]:
        gate, left = Gate(60), []
        for _ in range(70):
            await gate.take(1)
            left.append(anyio.current_time())
        return left

    left = run_virtually(main)
    assert _most_in_a_minute(left) == 60
    assert left[-1] < 72.0
