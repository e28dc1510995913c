"""A CSV file as rows with their numbers, or one sentence that says what is wrong with it and in which line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from dialer.core.errors import ContactsError

DELIMITERS: Final = ",;\t|"
_CELL_MOST: Final = 131_072


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list. ``number`` counts as a spreadsheet does: the header is row 1."""

    number: int
    cells: tuple[str, ...]
    delimiter: str = ","

    @property
    def raw(self) -> str:
        """The row as CSV text."""
        return as_csv(self.cells, self.delimiter)


def as_csv(cells: Iterable[str], delimiter: str) -> str:
    """Cells as one line of CSV text."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow(cells)
    return line.getvalue().removesuffix("\r\n")


class CsvFile:
    """A list on disk. ``headers`` are unique; reading the rows again starts anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                first = next((line for line in iter(partial(file.readline, _CELL_MOST), "") if line.strip()), "")
        except FileNotFoundError:
            raise ContactsError(f"{path}: there is no such contact list") from None
        except IsADirectoryError:
            raise ContactsError(f"{path}: a contact list is meant, this is a directory") from None
        except UnicodeDecodeError:
            raise ContactsError(f"{path}: not UTF-8 text; save the list as 'CSV UTF-8'") from None
        except OSError as error:
            raise ContactsError(f"{path}: {error.strerror}") from None
        except ValueError:
            raise ContactsError(f"{str(path)!r} cannot be the name of a file") from None
        bare = re.sub(r'"[^"]*"', "", first)
        self._delimiter = max(DELIMITERS, key=bare.count) if any(mark in bare for mark in DELIMITERS) else ","
        header = next(self._read(), None)
        if header is None or not any(cell.strip() for cell in header.cells):
            raise ContactsError(f"{path}: the list is empty; a header and at least one row are needed")
        self._header = header.cells
        self.headers = _unique(self._header)

    def rows(self) -> Iterator[Row]:
        """All rows after the header; lines without any character are no rows."""
        rows = self._read()
        next(rows)
        yield from rows

    def is_header(self, row: Row) -> bool:
        """Whether a row repeats the header."""
        return row.cells == self._header

    def _read(self) -> Iterator[Row]:
        csv.field_size_limit(_CELL_MOST)
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self._delimiter, strict=True)
            number = 0
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    line = reader.line_num
                    raise ContactsError(f"{self.path}: line {line}: {error}; is a quotation mark left open?") from None
                except UnicodeDecodeError:
                    line = reader.line_num + 1
                    raise ContactsError(
                        f"{self.path}: near line {line}: not UTF-8 text; save the list as 'CSV UTF-8'"
                    ) from None
                number += 1
                if not cells:
                    continue
                yield Row(number, tuple(cells), self._delimiter)


def _unique(header: tuple[str, ...]) -> tuple[str, ...]:
    names: list[str] = []
    for index, cell in enumerate(header, 1):
        name = wanted = cell.strip() or f"column {index}"
        nth = 2
        while name in names:
            name = f"{wanted} ({nth})"
            nth += 1
        names.append(name)
    return tuple(names)
