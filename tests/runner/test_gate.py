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
        await anyio.sleep(0.0 if count else gate.next_in_s())
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


def test_after_requests_that_came_too_soon_ever_fewer_are_saved_up_for_a_while() -> None:
    async def main() -> tuple[list[int], list[float], int]:
        gate, saved = Gate(60), []
        for _ in range(3):
            await anyio.sleep(10.0)
            saved.append(gate.free())
            gate.limited()
        evenly = await _greedy(gate, 100.0, 30.0)
        await anyio.sleep(2 * EVENLY_FOR_S)
        return saved, evenly, gate.free()

    saved, evenly, later = run_virtually(main)
    assert saved == [4, 2, 1]
    assert _evenly(evenly)
    assert len(evenly) == 100, "and none is lost: it leaves to the moment"
    assert later == 4


def test_when_the_next_one_is_free_is_told_to_the_moment() -> None:
    async def main() -> list[tuple[float, int]]:
        gate, found = Gate(60), []
        for _ in range(130):
            while not gate.free():
                wait_s = gate.next_in_s()
                await anyio.sleep(wait_s - 2e-4)
                assert not gate.free()
                await anyio.sleep(2e-4)
                found.append((wait_s, gate.free()))
            await gate.take(gate.free())
        return found

    found = run_virtually(main)
    assert len(found) > 100
    assert all(wait_s > 0.0 and free >= 1 for wait_s, free in found)
    assert max(wait_s for wait_s, _ in found) > 3.0, "the minute was full, and nobody asked before it had passed"


def test_a_request_that_left_before_the_gate_was_there_is_one_of_the_minute() -> None:
    async def main() -> list[float]:
        gate = Gate(60)
        gate.left(1)
        return await _greedy(gate, 60.0)

    assert len(run_virtually(main)) <= 59


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
