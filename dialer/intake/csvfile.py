"""A CSV list as rows with their numbers, or one sentence that says what is wrong with it and in which line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TextIO

from dialer.core.errors import ContactsError
from dialer.intake.decode import survey, text_of
from dialer.intake.sources import Source
from dialer.intake.tables import Note, Row, unique, without_tail

DELIMITERS: Final = ",;\t|"
CELL_MOST: Final = 131_072
_SNIFFED: Final = 1 << 16
_SEPARATOR_LINE: Final = "sep="
_DELIMITER_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def as_csv(cells: Iterable[str], delimiter: str) -> str:
    """Cells as one line of CSV text."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow(cells)
    return line.getvalue().removesuffix("\r\n")


def cut(line: str, delimiter: str) -> list[str]:
    """The cells of one line of CSV text; none where it is no such line."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
    except csv.Error:
        return []


class CsvFile:
    """A list as CSV text. Implements :class:`dialer.intake.tables.Table`."""

    def __init__(self, source: Source, encoding: str | None = None, delimiter: str | None = None) -> None:
        """Find out how the list is written. What is declared outranks what is found, but never what is proven."""
        self.name, self.shown = source.name, source.shown
        self._source = source
        reading = survey(source, encoding)
        self.digest, self.size, self.holds_nul = reading.digest, reading.size, reading.holds_nul
        self._encoding = reading.encoding
        self.position = self.blank = 0
        with text_of(source, self._encoding) as text:
            sample = text.read(_SNIFFED)
        self._skipped, said = _separator_line(sample)
        whole = len(sample) < _SNIFFED
        self.delimiter = delimiter or said or _delimiter(_records(sample, self._skipped), whole=whole)
        self.read_as = f"{self._encoding}, {_DELIMITER_NAMES.get(self.delimiter, self.delimiter)} between cells"
        self._header = next((row.cells for row in self._read()), [])
        if not any(cell.strip() for cell in self._header):
            raise ContactsError(f"{self.shown}: the list is empty; a header and at least one row are needed")
        self.headers = unique(self._header)
        self.notes = tuple(self._notes(reading.sample))

    def _notes(self, sample: str) -> Iterator[Note]:
        if sample:
            yield Note(
                self.name,
                "read_as_cp1252",
                f"{self.shown} is not UTF-8 and is read as Windows-1252; does this line read right: {sample!r}? "
                'If not, name its encoding: [columns] encoding = "..."',
            )
        elif not self._encoding.startswith("utf-8"):
            yield Note(self.name, "encoding", f"{self.shown} is read as {self._encoding}")

    def rows(self) -> Iterator[Row]:
        """See :class:`dialer.intake.tables.Table`."""
        return islice(self._read(), 1, None)

    def raw(self, cells: Sequence[str]) -> str:
        """See :class:`dialer.intake.tables.Table`."""
        return as_csv(cells, self.delimiter)

    def cut(self, line: str) -> list[str]:
        """See :class:`dialer.intake.tables.Table`."""
        return cut(line, self.delimiter)

    def is_header(self, cells: Sequence[str]) -> bool:
        """Whether a row repeats the header."""
        return cells[0] == self._header[0] and without_tail(cells) == without_tail(self._header)

    def _read(self) -> Iterator[Row]:
        csv.field_size_limit(CELL_MOST)
        self.blank = number = done = 0
        with text_of(self._source, self._encoding) as text:
            lines = islice(_told(text, self), self._skipped, None)
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True, skipinitialspace=True)
            try:
                for cells in reader:
                    number += 1
                    line = reader.line_num
                    if cells:
                        yield Row(number, cells, line - done)
                    else:
                        self.blank += 1
                    done = line
            except csv.Error as error:
                raise ContactsError(self._fault(str(error), done + self._skipped, reader.line_num)) from None
            except UnicodeError:
                raise ContactsError(f"{self.shown}: near line {done}: it was changed while it was read") from None

    def _fault(self, said: str, done: int, broken: int) -> str:
        """What to say of text that is no CSV: the row after line ``done`` breaks in line ``broken`` (of the reader)."""
        broken += self._skipped
        opened = self._open_quote(done, broken)
        if "field larger" in said:
            where = f"line {opened or done + 1}"
            return (
                f"{self.shown}: {where}: a cell is longer than {CELL_MOST:,} characters; is a quotation mark left open?"
            )
        if "unexpected end" in said:
            return (
                f"{self.shown}: line {opened or done + 1}: a quotation mark is opened here and never closed; close it, "
                "or double it where one is meant"
            )
        where = f"line {broken}" if opened in {None, broken} else f"line {opened} to {broken}"
        return (
            f"{self.shown}: {where}: text stands behind a closing quotation mark ({said}); double quotation marks "
            "within a cell, or close the one that is left open"
        )

    def _open_quote(self, done: int, broken: int) -> int | None:
        """The line of the last quotation mark that opened a cell behind line ``done``."""
        opened, inside, fresh = None, False, True
        with text_of(self._source, self._encoding) as text:
            for number, line in enumerate(islice(text, done, broken), done + 1):
                for mark in line:
                    if mark == '"' and (inside or fresh):
                        inside = not inside
                        opened = number if inside and fresh else opened
                        fresh = False
                    else:
                        fresh = not inside and (mark in self.delimiter + "\r\n" or (fresh and mark == " "))
        return opened


def _told(text: TextIO, table: CsvFile) -> Iterator[str]:
    """Lines, and how far they have come in the file; looked up now and then, since that is dear."""
    for number, line in enumerate(text):
        if not number % 4096:
            table.position = _position(text)
        yield line
    table.position = table.size


def _position(text: TextIO) -> int:
    return text.buffer.raw.seen  # type: ignore[attr-defined,no-any-return]


def _separator_line(sample: str) -> tuple[int, str | None]:
    """Whether the first line is Excel's ``sep=;`` (then 1), and the delimiter that it names."""
    first = sample.split("\n", 1)[0].split("\r", 1)[0].strip('"')
    if first[:4].lower() == _SEPARATOR_LINE and len(first) == 5 and not (first[4].isalnum() or first[4] in '"\0+ '):
        return 1, first[4]
    return 0, None


def _records(sample: str, skipped: int) -> str:
    return sample if not skipped else sample.partition("\n")[2] or sample.partition("\r")[2]


def _delimiter(sample: str, *, whole: bool) -> str:
    """The mark that cuts the most rows into as many cells as the first; a comma where none does."""
    best, best_score = ",", (0.0, 0)
    for mark in DELIMITERS:
        widths = _widths(sample, mark, whole=whole)
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if score > best_score:
            best, best_score = mark, score
    return best


def _widths(sample: str, mark: str, *, whole: bool) -> list[int]:
    widths: list[int] = []
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=mark, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                widths.append(len(cells))  # noqa: PERF401 - what was found stays where the sample breaks
    except csv.Error:
        pass
    return widths if whole or len(widths) < 2 else widths[:-1]
