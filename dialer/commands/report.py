"""``dialer report``: write the reports; any time, during a run too."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dialer.commands.common import Options, ledger_path, plain
from dialer.core.errors import ExitCode, UserError
from dialer.ledger.reading import open_reader
from dialer.reports import PAGE, Wish, write_reports
from dialer.reports.choose import Choice
from dialer.reports.summary import schema_json


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The flags, as they were said: lists with commas in them."""

    out: Path | None = None
    formats: tuple[str, ...] = ()
    columns: str | None = None
    where: tuple[str, ...] = ()
    mask_phones: bool = False
    as_contacts: tuple[str, ...] = ()


def report(name: str, flags: ReportOptions, options: Options) -> int:
    """Write the reports of a campaign and say where they lie."""
    wish = _wish(flags)
    with open_reader(ledger_path(options)) as reader:
        written = write_reports(reader, name, flags.out or Path("reports") / name, time.time(), wish, _say)
    for file, rows in written.rows.items():
        sys.stdout.write(f"{written.directory / file}  {rows} rows\n")
    for file in ("summary.json", PAGE):
        sys.stdout.write(f"{written.directory / file}\n")
    return ExitCode.DONE


def print_schema() -> int:
    """Print the JSON schema of ``summary.json``."""
    sys.stdout.write(schema_json())
    return ExitCode.DONE


def _wish(flags: ReportOptions) -> Wish:
    """What the flags ask for."""
    columns = () if flags.columns is None else _words("--columns", [flags.columns])
    choice = Choice(flags.where, columns, flags.mask_phones)
    formats = _words("--format", flags.formats) or Wish().formats
    return Wish(formats, choice, _words("--as-contacts", flags.as_contacts))


def _words(flag: str, said: Iterable[str]) -> tuple[str, ...]:
    """What stands between commas, each once; quotation marks are for names with commas in them."""
    try:
        found = [word.strip() for row in csv.reader(said, skipinitialspace=True, strict=True) for word in row]
    except csv.Error as error:
        raise UserError(f"{flag}: {error}; names with commas in them stand in quotation marks") from None
    if not all(found) or (not found and any(True for _ in said)):
        raise UserError(f"{flag}: a name is missing")
    return tuple(found if flag == "--columns" else dict.fromkeys(found))


def _say(note: str) -> None:
    sys.stderr.write(f"dialer: {plain(note)}\n")
