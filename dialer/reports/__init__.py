"""From the ledger to files people read: any time, during a run too, and with every row of the input accounted for.

What figures, the page and each format need is loaded when it is written: ``dialer status`` reads its counts here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dialer.core.errors import UserError
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports import csvfile
from dialer.reports.choose import Choice, Cut, Plan, plan
from dialer.reports.files import make_private_dir, write_text
from dialer.reports.tables import ALL, Table

if TYPE_CHECKING:
    from dialer.reports import contacts

PAGE: Final = "report.html"
FORMATS: Final = ("csv", "parquet", "xlsx", "jsonl")
Say = Callable[[str], None]
"""Hears what the user should know, as it comes up."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written where, and how many rows each file has."""

    directory: Path
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants written; without a word the tables as CSV and the summary."""

    formats: tuple[str, ...] = ("csv",)
    choice: Choice = field(default=Choice())
    as_contacts: tuple[str, ...] = ()
    """Dispositions and states whose contacts are wanted as a list for another campaign."""


def _silent(_: str) -> None:
    pass


def write_reports(
    reader: LedgerReader, name: str, directory: Path, now: float, wish: Wish = Wish(), say: Say = _silent
) -> Written:
    """Write the reports of a campaign into ``directory``: each file whole or not at all, readable by its owner only.

    Raises :class:`~dialer.core.errors.UserError` for a wish that cannot be fulfilled, before anything is written. Files
    that were not asked for are left alone; ``summary.json`` and ``report.html`` are always of the whole campaign.
    """
    record = reader.campaign(name)
    cuts = _check(reader, record, wish, say)
    make_private_dir(directory)
    rows: dict[str, int] = {}
    for suffix in wish.formats:
        for table, opened in ALL.items():
            path = directory / f"{table}.{suffix}"
            rows[path.name] = _write(path, cuts.cuts[table].of(opened(reader, record)), say)
    if wish.as_contacts:
        found = _write_contacts(reader, record, directory, wish, cuts, say)
        rows[found.file] = found.rows
    _write_figures(reader, record, directory, now, mask=wish.choice.mask_phones)
    return Written(directory, rows)


def _write_figures(reader: LedgerReader, record: CampaignRecord, directory: Path, now: float, *, mask: bool) -> None:
    """What is of the whole campaign, whatever was chosen of its tables."""
    from dialer.reports.page import write_page
    from dialer.reports.summary import summarise, summary_json

    summary = summarise(reader, record, now)
    write_text(directory / "summary.json", summary_json(summary))
    write_page(reader, record, summary, directory / PAGE, mask_phones=mask)


def _check(reader: LedgerReader, record: CampaignRecord, wish: Wish, say: Say) -> Plan:
    """What becomes of each table; says at once what will be otherwise than one may think."""
    for word in wish.formats:
        if word not in FORMATS:
            raise UserError(f"--format '{word}': there are {', '.join(FORMATS)}")
    if wish.as_contacts:
        from dialer.reports import contacts

        contacts.file_name(wish.as_contacts)
        if wish.choice.mask_phones:
            raise UserError("--as-contacts writes numbers to call, which --mask-phones would hide; ask for one of them")
    found = plan(wish.choice, {table: opened(reader, record).fields for table, opened in ALL.items()})
    if wish.as_contacts and wish.choice.where and not found.cuts["outcomes"].tests:
        raise UserError("--as-contacts: --where does not speak of contacts (outcomes.csv), and would leave nobody out")
    for note in found.notes:
        say(note)
    if "xlsx" in wish.formats:
        _tell_of_sheets(dict(zip(ALL, reader.one("rows_of_tables", campaign=record.id), strict=True)), wish, say)
    return found


def _tell_of_sheets(rows: Mapping[str, int], wish: Wish, say: Say) -> None:
    from dialer.reports.xlsxfile import SHEET_ROWS

    for table, count in rows.items():
        if count > SHEET_ROWS:
            some = "as far as --where leaves more" if wish.choice.where else f"of {count:,}"
            more = f"a sheet ends at {SHEET_ROWS:,} rows under its header"
            say(f"{table}.xlsx: {more}; further rows, {some}, go on in sheets '{table} 2', '{table} 3', ...")


def _write(path: Path, table: Table, say: Say) -> int:
    """Write a table in the format of the file's name. Returns the number of its rows."""
    match path.suffix:
        case ".parquet":
            from dialer.reports import parquetfile

            return parquetfile.write(path, table)
        case ".jsonl":
            from dialer.reports import jsonlfile

            return jsonlfile.write(path, table)
        case ".xlsx":
            from dialer.reports import xlsxfile

            return xlsxfile.write(path, table, say)
        case _:
            return csvfile.write(path, table)


def _write_contacts(
    reader: LedgerReader, record: CampaignRecord, directory: Path, wish: Wish, cuts: Plan, say: Say
) -> contacts.WrittenList:
    from dialer.reports import contacts

    outcomes = Cut(cuts.cuts["outcomes"].tests).of(ALL["outcomes"](reader, record))
    found = contacts.write(directory / contacts.file_name(wish.as_contacts), outcomes, record, wish.as_contacts)
    if found.still_due:
        say(f"{found.file}: {found.still_due:,} of these contacts are still due in '{record.name}' itself")
    return found
