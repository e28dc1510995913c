"""Writing what is in a ledger of a million contacts: outcomes in two formats, beside the library of each alone.

Each is written by a process of its own, whose peak memory is its own. Beside it, in the same run: the csv module and
pyarrow write the very rows that came out, which they have in memory already.
"""

from __future__ import annotations

import csv
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.big_ledger import LEAD_SQL, MILLION, ROW_SQL
from benchmarks.table import Row, at_most, megabytes, seconds
from dialer.ledger.reading import open_reader
from dialer.ledger.sqlite import SqliteLedger
from dialer.reports import csvfile, parquetfile
from dialer.reports.tables import outcomes

NAME = "bench"
WRITERS = {"csv": csvfile.write, "parquet": parquetfile.write}
_CALLED_SQL = """
INSERT INTO attempt (key, campaign_id, lead_id, number, phone, agent_id, state, intended_at, placed_at, ended_at,
                     call_id, status, disposition, duration_s, sentiment, cost)
SELECT 'bench-' || id, campaign_id, id, 1, phone, 'agent_' || (id % 3), 'ended', 1772020800.25 + id * 0.3,
       1772020801.5 + id * 0.3, 1772020860.0 + id * 0.3, 'call_' || id, 'completed', 'completed', 20 + id % 90,
       'positive', 0.05 + (id % 7) * 0.01
FROM lead WHERE id % :every = 0
"""
_REACHED_SQL = """
UPDATE lead SET state = 'reached', disposition = 'completed', due_at = NULL, attempts = 1, submissions = 1
WHERE id % :every = 0
"""


@dataclass(frozen=True, slots=True)
class Writing:
    """How one file was written, and how fast the library alone writes the same rows."""

    seconds: float
    memory_mb: float
    alone_s: float


def make_ledger(path: Path, contacts: int, every: int = 2) -> None:
    """A ledger in which every second contact was reached and the others are queued."""
    ledger = SqliteLedger(path)
    try:
        record = ledger.put_campaign(NAME, "campaign.toml", f'name = "{NAME}"', "digest", 0.0)
        with ledger.enroll(record.id, ("phone", "first_name", "note"), ("phone", "first_name"), "list", 0.0):
            pass  # the rows follow
    finally:
        ledger.close()
    db = sqlite3.connect(path)
    with db:
        db.execute(ROW_SQL, {"campaign": record.id, "count": contacts})
        db.execute(LEAD_SQL, {"campaign": record.id, "now": 0.0})
        db.execute(_CALLED_SQL, {"every": every})
        db.execute(_REACHED_SQL, {"every": every})
    db.close()


def measure(contacts: int = MILLION) -> dict[str, Writing]:
    """Write the outcomes in each format."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        make_ledger(home / "ledger.db", contacts)
        return {suffix: _measured(home, suffix) for suffix in WRITERS}


def _measured(home: Path, suffix: str) -> Writing:
    command = [sys.executable, "-m", "benchmarks.reporting", str(home / "ledger.db"), suffix]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    said = json.loads(done.stdout)
    alone = {"csv": _csv_alone, "parquet": _parquet_alone}[suffix]
    return Writing(said["seconds"], said["memory_mb"], alone(home / f"outcomes.{suffix}"))


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _csv_alone(path: Path) -> float:
    """The processor time in which the csv module writes these rows."""
    with path.open(newline="", encoding="utf-8") as read:
        rows = list(csv.reader(read))
    with path.with_suffix(".alone").open("w", newline="", encoding="utf-8") as write:
        return _timed(lambda: csv.writer(write).writerows(rows))


def _parquet_alone(path: Path) -> float:
    """The processor time in which pyarrow writes this table."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return _timed(lambda: pq.write_table(table, path.with_suffix(".alone"), compression="zstd", compression_level=1))


def rows(*, quick: bool = False) -> list[Row]:
    """The rows of the table: processor time, since the machine is never quiet."""
    contacts = MILLION // 10 if quick else MILLION
    found, of = measure(contacts), f"{contacts:,} contacts"
    wanted, text = (at_most(10.0, "10 s"),), found["csv"]
    return [
        Row(f"outcomes as CSV, {of}", text.seconds, seconds, text.alone_s, "csv alone", wanted),
        Row("peak memory of that", text.memory_mb, megabytes, wanted=(at_most(200, "200 MB"),)),
        Row(
            f"outcomes as Parquet, {of}",
            found["parquet"].seconds,
            seconds,
            found["parquet"].alone_s,
            "pyarrow alone",
            wanted,
        ),
    ]


def main() -> None:
    """Write the outcomes of a ledger beside it, and print what that took."""
    ledger, suffix = Path(sys.argv[1]), sys.argv[2]
    begun = time.process_time()
    with open_reader(ledger) as reader:
        WRITERS[suffix](ledger.with_name(f"outcomes.{suffix}"), outcomes(reader, reader.campaign(NAME)))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.process_time() - begun, "memory_mb": peak_mb}))


if __name__ == "__main__":
    main()
