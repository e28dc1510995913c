"""A table as CSV: UTF-8, comma, a header, and cells that no spreadsheet runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from dialer.core.cells import RISKY, inert, inert_phone
from dialer.reports.columns import Column, Kind
from dialer.reports.files import whole_file
from dialer.reports.tables import Table
from dialer.reports.values import as_text

_BETWEEN_CELLS: Final = ',"\r\n'
_needs_quotes: Final = re.compile(f"[{_BETWEEN_CELLS}]").search
_NUMBERS: Final = re.compile(r"(?:\+[1-9]\d{6,14}+\n)*+", re.ASCII)


def write(path: Path, table: Table) -> int:
    """Write a table. Returns the number of its rows."""
    count = 0
    with whole_file(path) as file:
        file.write(lines([[inert(name)] for name in table.columns]))
        for batch in table.batches:
            count += len(batch[0])
            file.write(lines([column(field, cells) for field, cells in zip(table.fields, batch, strict=True)]))
    return count


def lines(columns: Sequence[Sequence[Any]]) -> str:
    """Rows, given as columns, just as the csv module writes them, which looks at each mark of each cell for it."""
    texts = list(map(_quoted, columns))
    if len(texts) == 1:  # a row that is nothing but an empty cell must not look like an empty line
        texts = [[text or '""' for text in texts[0]]]
    return "\r\n".join([*map(",".join, zip(*texts, strict=True)), ""])


def _quoted(cells: Sequence[Any]) -> Sequence[str]:
    """Cells as text; in quotes where they hold a mark that means something between cells. All are asked at once."""
    if not set(map(type, cells)) <= {str}:
        cells = ["" if cell is None else str(cell) for cell in cells]
    text = " ".join(cells)
    if not any(mark in text for mark in _BETWEEN_CELLS):
        return cells
    return [_in_quotes(each) if _needs_quotes(each) else each for each in cells]


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def column(field: Column, cells: Sequence[Any]) -> Sequence[Any]:
    """A column's cells as they go into the file."""
    shown = as_text(field, cells)
    match field.kind:
        case Kind.COUNT | Kind.AMOUNT | Kind.MOMENT | Kind.WORD:
            return shown  # ours, and none begins like a formula
        case Kind.PHONE | Kind.GIVEN_PHONE:
            return shown if _all_numbers(shown) else _each(shown, inert_phone)
        case _:
            return _each(shown, inert)


def _all_numbers(cells: Sequence[str]) -> bool:
    """Whether every cell is E.164: asked of all of them at once."""
    text = "\n".join([*cells, ""])
    return text.count("\n") == len(cells) and _NUMBERS.fullmatch(text) is not None


def _each(cells: Sequence[str | None], harmless: Callable[[str], str]) -> Sequence[str | None]:
    """Cells made harmless. Where none of them holds a mark that formulas begin with, none is asked."""
    text = " ".join(filter(None, cells))
    if not any(mark in text for mark in RISKY):
        return cells
    return [cell if not cell or cell[0].isalnum() else harmless(cell) for cell in cells]
