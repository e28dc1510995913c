"""``python -m benchmarks``: run all benchmarks and print one table."""

from __future__ import annotations

import argparse
import platform
import sys

from benchmarks.end_to_end import Figures, measure


def main() -> int:
    """Print what was measured, and on what."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--contacts", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=50)
    parser.add_argument("--speed", type=float, default=60.0)
    arguments = parser.parse_args()
    figures = measure(arguments.contacts, arguments.slots, arguments.speed)
    print(f"{arguments.contacts} contacts, {arguments.slots} slots, calls {arguments.speed:g} times shorter;")
    print(f"a runner and a sandbox process on {platform.machine()}, Python {platform.python_version()}\n")
    for line in rows(figures):
        print(line)
    return 0 if figures.exit_code == 0 else 1


def rows(figures: Figures) -> list[str]:
    """The table."""
    return [
        f"{'':<44}{'measured':>10}  wanted",
        f"{'slots busy until the queue first runs dry':<44}{figures.busy:>10.1%}  >= 85 %",
        f"{'requests per call':<44}{figures.requests_per_call:>10.2f}  <= 2.0",
        f"{'creates refused for want of slots':<44}{figures.refused:>10.1%}",
        f"{'peak memory of the runner':<44}{figures.memory_mb:>7.0f} MB  < 200 MB",
        f"{'processor time of the runner per call':<44}{figures.cpu_ms_per_call:>7.2f} ms",
        f"{'calls placed':<44}{figures.calls:>10}",
        f"{'seconds in all':<44}{figures.seconds:>10.1f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
