"""A sheet of an Excel workbook as rows of text: what a person sees in its cells, and never a digit less."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from dialer.core.errors import ContactsError
from dialer.intake.csvfile import as_csv, cut
from dialer.intake.sources import Source
from dialer.intake.tables import Note, Row, unique, without_tail

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_EXACT: Final = 10**15
"""Excel keeps fifteen digits: of a longer number the last ones are invented."""


class XlsxFile:
    """One sheet of a workbook. Implements :class:`dialer.intake.tables.Table`."""

    holds_nul = False

    def __init__(self, source: Source, sheet: str | None = None) -> None:
        """Read the header of ``sheet``, or of the first sheet that is not hidden."""
        self.name, self.shown = source.name, source.shown
        self._source = source
        self.position = self.blank = 0
        self.digest = sha256(self._bytes()).hexdigest()
        found = self._sheet(sheet)
        self._sheet_name = found.name
        self.read_as = f"a workbook, sheet '{found.name}'"
        self.size = max(1, found.total_height)
        self._header = next((row.cells for row in self._read(found)), [])
        if not any(cell.strip() for cell in self._header):
            raise ContactsError(
                f"{self.shown}: the sheet '{self._sheet_name}' is empty; a header and at least one row are needed, or "
                "name another sheet: [columns] sheet = ..."
            )
        self.headers = unique(self._header)
        self.notes: tuple[Note, ...] = (Note(self.name, "sheet", f"{self.shown}: sheet '{self._sheet_name}' is read"),)

    def _bytes(self) -> bytes:
        with self._source.open() as file:
            return file.read()

    def _sheet(self, wanted: str | None) -> CalamineSheet:
        try:
            workbook = CalamineWorkbook.from_filelike(io.BytesIO(self._bytes()))
            return workbook.get_sheet_by_name(self._choose(workbook, wanted))
        except (CalamineError, ValueError, OSError) as error:
            raise self._damaged(error) from None
        except BaseException as error:  # the library's panics are no Exceptions, and mean no more than its errors
            if type(error).__name__ == "PanicException":
                raise self._damaged(error) from None
            raise

    def _choose(self, workbook: CalamineWorkbook, wanted: str | None) -> str:
        sheets = [item for item in workbook.sheets_metadata if item.typ == SheetTypeEnum.WorkSheet]
        names = [item.name for item in sheets if item.visible == SheetVisibleEnum.Visible]
        if wanted is not None:
            if wanted not in {item.name for item in sheets}:
                raise ContactsError(f"{self.shown}: there is no sheet '{wanted}'; the sheets are: {', '.join(names)}")
            return wanted
        if not names:
            raise ContactsError(f"{self.shown}: no sheet is visible; name one: [columns] sheet = ...")
        return names[0]

    def _damaged(self, error: BaseException) -> ContactsError:
        why = " ".join(str(error).split())[:100]
        return ContactsError(f"{self.shown}: a damaged workbook ({why}); open it in Excel and save it again")

    def rows(self) -> Iterator[Row]:
        """See :class:`dialer.intake.tables.Table`."""
        rows = self._read(self._sheet(self._sheet_name))
        next(rows, None)
        return rows

    def raw(self, cells: Sequence[str]) -> str:
        """See :class:`dialer.intake.tables.Table`."""
        return as_csv(cells, ",")

    def cut(self, line: str) -> list[str]:
        """See :class:`dialer.intake.tables.Table`."""
        return cut(line, ",")

    def is_header(self, cells: Sequence[str]) -> bool:
        """Whether a row repeats the header."""
        return without_tail(cells) == without_tail(self._header)

    def _read(self, sheet: CalamineSheet) -> Iterator[Row]:
        self.position = self.blank = 0
        for number, values in enumerate(sheet.iter_rows(), 1):
            self.position += 1
            cells = without_tail(list(map(text_of, values)))
            if cells:
                yield Row(number, cells)
            else:
                self.blank += 1


def text_of(value: object) -> str:
    """What a cell says, as text: numbers with all their digits, dates as ISO 8601."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and math.isfinite(value):
        if value == int(value) and abs(value) < _EXACT:
            return str(int(value))
        return repr(value) if abs(value) < _EXACT else f"{value:E}"  # told as a number that has lost its digits
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time.min else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)
