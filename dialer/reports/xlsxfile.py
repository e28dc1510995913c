"""A table as a workbook, in constant memory: text as text, real dates (UTC), numbers that can be summed.

Text never becomes a formula or a link: not when the file is opened, nor, by its quote prefix, when somebody edits it.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileSizeError
from xlsxwriter.worksheet import Worksheet

from dialer.core.cells import inert
from dialer.core.errors import UserError
from dialer.reports.columns import Column, Kind
from dialer.reports.files import whole_bytes
from dialer.reports.tables import Table
from dialer.reports.values import as_text

SHEET_ROWS: Final = 1_048_575
"""Rows that a sheet holds under its header."""
CELL_MOST: Final = 32_767
"""UTF-16 units that a cell holds."""
_EPOCH: Final = 25_569
"""1970-01-01 in a workbook's days."""
_DAY_S: Final = 86_400
_COLUMNS_MOST: Final = 16_384
_WIDTHS: Final = {Kind.MOMENT: 19, Kind.PHONE: 16, Kind.GIVEN_PHONE: 18, Kind.RAW: 50, Kind.SAID: 30, Kind.COUNT: 11}
_ABOUT: Final = "About"
_SAYS: Final = "Times are UTC. Numbers to call are text. Cells are cut after 32,767 characters; the CSV has them whole."


class _Sheet(Worksheet):  # type: ignore[misc]  # the library has no types
    """A sheet in which a cell's text is never taken for markup, which the library does with `<r>...</r>`."""

    @staticmethod
    def _escape_control_characters(data: Any) -> Any:
        escaped = Worksheet._escape_control_characters(data)
        return f"_x003C_{escaped[1:]}" if isinstance(escaped, str) and escaped.startswith("<r>") else escaped


def write(path: Path, table: Table, note: Callable[[str], None], sheet_rows: int = SHEET_ROWS) -> int:
    """Write a table; ``note`` hears what a workbook could not hold. Returns the number of its rows."""
    if len(table.fields) > _COLUMNS_MOST:
        raise UserError(f"{path.name}: a sheet has {_COLUMNS_MOST:,} columns at most; choose some with --columns")
    try:
        with (
            whole_bytes(path) as file,
            tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as parts,
        ):
            book = Workbook(
                file,
                {"constant_memory": True, "tmpdir": parts, "strings_to_formulas": False, "strings_to_urls": False},
            )
            filled = _Filling(book, table, sheet_rows)
            count = filled.fill()
            _about(book, table.fields)
            book.close()
    except FileSizeError:
        raise UserError(
            f"{path.name} would be larger than a workbook may be; choose --columns or --where, or --format parquet"
        ) from None
    if filled.cut:
        note(
            f"{path.name}: {filled.cut:,} cells are longer than {CELL_MOST:,} characters and are cut; the CSV is whole"
        )
    return count


class _Filling:
    """Fills the sheets of a workbook with the rows of a table, one after the other."""

    def __init__(self, book: Workbook, table: Table, sheet_rows: int) -> None:
        self.cut = 0
        self._book, self._table, self._sheet_rows = book, table, sheet_rows
        self._bold = book.add_format({"bold": True})
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._quoted = book.add_format({"quote_prefix": True})

    def fill(self) -> int:
        """Write all rows. Returns their number."""
        count, at, sheet = 0, 0, self._sheet(1)
        puts = [self._put(field) for field in self._table.fields]
        for row in self._rows():
            if at == self._sheet_rows:
                at, sheet = 0, self._sheet(count // self._sheet_rows + 1)
            at += 1
            count += 1
            for column, (put, cell) in enumerate(zip(puts, row, strict=True)):
                if cell is not None:
                    put(sheet, at, column, cell)
        return count

    def _sheet(self, number: int) -> _Sheet:
        name = self._table.name if number == 1 else f"{self._table.name} {number}"
        sheet: _Sheet = self._book.add_worksheet(name, _Sheet)
        sheet.freeze_panes(1, 0)
        sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # no green corners at numbers to call
        for column, field in enumerate(self._table.fields):
            sheet.set_column(column, column, _WIDTHS.get(field.kind, min(40, max(12, len(field.name) + 2))))
        for column, field in enumerate(self._table.fields):
            sheet.write_string(0, column, self._fitting(field.name), self._bold)
        return sheet

    def _rows(self) -> Iterator[Sequence[Any]]:
        for batch in self._table.batches:
            columns = [
                cells if field.kind is Kind.MOMENT else as_text(field, cells)
                for field, cells in zip(self._table.fields, batch, strict=True)
            ]
            yield from zip(*columns, strict=True)

    def _put(self, field: Column) -> Callable[[_Sheet, int, int, Any], object]:
        """What writes a cell of a column."""
        match field.kind:
            case Kind.COUNT | Kind.AMOUNT:
                return _number
            case Kind.MOMENT:
                return self._moment_cell
            case _:
                return self._text

    def _moment_cell(self, sheet: _Sheet, row: int, column: int, moment: float) -> None:
        sheet.write_number(row, column, int(moment) / _DAY_S + _EPOCH, self._moment)

    def _text(self, sheet: _Sheet, row: int, column: int, text: str) -> None:
        if text:
            text = self._fitting(text)
            plain = text[0].isalnum() or inert(text) == text
            sheet.write_string(row, column, text, None if plain else self._quoted)

    def _fitting(self, text: str) -> str:
        """Text that a cell can hold; half characters become question marks."""
        if len(text) * 2 > CELL_MOST and len(units := text.encode("utf-16-le", "replace")) > 2 * CELL_MOST:
            self.cut += 1
            return units[: 2 * CELL_MOST].decode("utf-16-le", "ignore")
        return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _number(sheet: _Sheet, row: int, column: int, number: float) -> None:
    if math.isfinite(number):
        sheet.write_number(row, column, number)


def _about(book: Workbook, fields: Sequence[Column]) -> None:
    """A last sheet that says what the columns are."""
    sheet = book.add_worksheet(_ABOUT, _Sheet)
    sheet.set_column(0, 1, 24)
    sheet.set_column(2, 2, 80)
    sheet.write_string(0, 0, _SAYS)
    for row, field in enumerate(fields, 2):
        for column, text in enumerate((field.name, field.kind.value, field.meaning)):
            sheet.write_string(row, column, text.encode("utf-8", "replace").decode()[:CELL_MOST])
