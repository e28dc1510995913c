"""``python -m benchmarks``: measure everything and print one table, ours beside a peer or a limit of the same run."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import days, real_time, reporting
from benchmarks.table import Row, written

RESULTS = Path(__file__).with_name("RESULTS.md")
_MARKS = ("<!-- measured -->", "<!-- /measured -->")
PARTS: dict[str, Callable[..., list[Row]]] = {
    "days": days.rows,
    "http": real_time.http,
    "slots": real_time.many_slots,
    "instant": real_time.instant,
    "ledger": real_time.ledger,
    "import": real_time.imports,
    "reports": reporting.rows,
}


def main() -> int:
    """Print the table; with ``--write``, put it into RESULTS.md as well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part; may be said again")
    parser.add_argument("--quick", action="store_true", help="a smaller run, of less than two minutes")
    parser.add_argument("--write", action="store_true", help=f"put the table into {RESULTS.name}")
    said = parser.parse_args()
    begun, rows = time.monotonic(), []
    for name in said.only or PARTS:
        rows += PARTS[name](quick=said.quick)
        print(f"{name}: {time.monotonic() - begun:.0f} s so far", file=sys.stderr, flush=True)
    took = f"Measured in {(time.monotonic() - begun) / 60:.0f} min on {machine()}."
    print(f"\n{written(rows)}\n\n{took}")
    if said.write:
        write(RESULTS, rows, took)
    return 0


def machine() -> str:
    """What this was run on, without names."""
    month = datetime.now(UTC).strftime("%B %Y")
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{os.cpu_count()} cores of {platform.machine()}, {platform.system()}, {versions}, {month}"


def write(results: Path, rows: Sequence[Row], took: str) -> None:
    """Replace the measured part of ``results``; what was written by hand around it stays."""
    before, _, rest = results.read_text("utf-8").partition(_MARKS[0])
    _, _, after = rest.partition(_MARKS[1])
    results.write_text(f"{before}{_MARKS[0]}\n{took}\n\n{written(rows)}\n{_MARKS[1]}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
