"""A table as CSV: UTF-8, comma, a header, and cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from dialer.core.cells import RISKY, inert, inert_phone
from dialer.reports.columns import Column, Kind
from dialer.reports.files import whole_file
from dialer.reports.tables import Table
from dialer.reports.values import as_text

_NUMBERS: Final = re.compile(r"(?:\+[1-9]\d{6,14}(?:\n|$))*", re.ASCII)


def write(path: Path, table: Table) -> int:
    """Write a table. Returns the number of its rows."""
    count = 0
    with whole_file(path) as file:
        lines = io.StringIO(newline="")  # a write a batch: the file's own buffer takes longer over a write a row
        writer = csv.writer(lines, lineterminator="\r\n")  # with "\n" a bare carriage return would go unquoted
        writer.writerow(list(map(inert, table.columns)))
        for batch in table.batches:
            count += len(batch[0])
            columns = [column(field, cells) for field, cells in zip(table.fields, batch, strict=True)]
            writer.writerows(zip(*columns, strict=True))
            file.write(lines.getvalue())
            lines.seek(0)
            lines.truncate()
        file.write(lines.getvalue())
    return count


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
    text = "\n".join(cells)
    return text.count("\n") == len(cells) - 1 and _NUMBERS.fullmatch(text) is not None


def _each(cells: Sequence[str | None], harmless: Callable[[str], str]) -> Sequence[str | None]:
    """Cells made harmless. Where none of them holds a mark that formulas begin with, none is asked."""
    text = " ".join(filter(None, cells))
    if not any(mark in text for mark in RISKY):
        return cells
    return [cell if not cell or cell[0].isalnum() else harmless(cell) for cell in cells]
