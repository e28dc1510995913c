"""``python -m tests.simulation``: play seeds, one or many. ``--seed N`` replays one and tells what it is."""

from __future__ import annotations

import argparse
import gc
import sys
import time

from tests.simulation.campaign import case_of, play


def main() -> int:
    """Play them."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seeds", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.seed is not None:
        print(case_of(arguments.seed))
        play(arguments.seed)
        return 0
    gc.disable()
    started, failed, calls, kills = time.monotonic(), 0, 0, 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        try:
            simulation = play(seed)
        except Exception as error:  # noqa: BLE001  # whatever it is, the seed is told and the next one played
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")
            continue
        calls += len(simulation.world.exchange.calls)
        kills += simulation.kills
    spent = time.monotonic() - started
    print(f"{arguments.seeds} seeds, {failed} failed, {kills} crashes, {calls} calls, {spent:.1f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
