"""``dialer report``: write the reports; any time, during a run too."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dialer.commands.common import Options, ledger_path
from dialer.core.errors import ExitCode
from dialer.ledger.reading import open_reader
from dialer.reports import PAGE, write_reports
from dialer.reports.summary import schema_json


def report(name: str, out: Path | None, options: Options) -> int:
    """Write all reports of a campaign and say where they lie."""
    with open_reader(ledger_path(options)) as reader:
        written = write_reports(reader, name, out or Path("reports") / name, time.time())
    for file, rows in written.rows.items():
        sys.stdout.write(f"{written.directory / file}  {rows} rows\n")
    for file in ("summary.json", PAGE):
        sys.stdout.write(f"{written.directory / file}\n")
    return ExitCode.DONE


def print_schema() -> int:
    """Print the JSON schema of ``summary.json``."""
    sys.stdout.write(schema_json())
    return ExitCode.DONE
