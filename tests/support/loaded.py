"""What the processes of tests are forked from: the program, with all that it reads and compiles when it is first used.

Importing this is the work. Nothing may stay open here, and no thread may run.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

import dialer.commands.calls
import dialer.commands.demo
import dialer.commands.fetch
import dialer.commands.status  # noqa: F401  # loaded, and used by whoever is forked
from dialer.ledger.reading import open_reader
from dialer.reports import write_reports
from tests.support.people import eight_people
from tests.support_rows import NOON


def _once() -> None:
    """A list is read, a report is written, an event loop runs."""
    with TemporaryDirectory() as place, open_reader(eight_people(Path(place))) as reader:
        write_reports(reader, "spring", Path(place) / "reports", NOON)
    anyio.run(anyio.sleep, 0)


_once()
