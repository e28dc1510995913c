"""From the ledger to files people read: any time, during a run too, and with every row of the input accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer.ledger.reading import LedgerReader
from dialer.reports.files import make_private_dir, write_csv, write_text
from dialer.reports.page import write_page
from dialer.reports.summary import summarise, summary_json
from dialer.reports.tables import attempts, outcomes, rejected, retry_queue

PAGE: Final = "report.html"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written where, and how many rows each file has."""

    directory: Path
    rows: dict[str, int]


def write_reports(reader: LedgerReader, name: str, directory: Path, now: float) -> Written:
    """Write all reports of a campaign into ``directory``: each file whole or not at all, readable by its owner only."""
    record = reader.campaign(name)
    make_private_dir(directory)
    tables = {
        "outcomes.csv": outcomes(reader, record),
        "attempts.csv": attempts(reader, record),
        "retry_queue.csv": retry_queue(reader, record),
        "rejected.csv": rejected(reader, record),
    }
    rows = {
        file: write_csv(directory / file, table.columns, table.rows, table.phones) for file, table in tables.items()
    }
    summary = summarise(reader, record, now)
    write_text(directory / "summary.json", summary_json(summary))
    write_page(reader, record, summary, directory / PAGE)
    return Written(directory, rows)
