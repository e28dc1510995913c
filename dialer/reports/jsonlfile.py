"""A table as JSON lines: an object a row, types kept, nested cells as nested JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dialer.reports.columns import Column, Kind
from dialer.reports.files import whole_file
from dialer.reports.tables import Table
from dialer.reports.values import isos, wholes

_STEERING: Final = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What steers a terminal or the direction of writing, ends a line for some readers, or is half a character."""


def write(path: Path, table: Table) -> int:
    """Write a table. Returns the number of its rows."""
    count = 0
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    names = table.columns
    with whole_file(path) as file:
        for batch in table.batches:
            count += len(batch[0])
            columns = [_column(field, cells) for field, cells in zip(table.fields, batch, strict=True)]
            lines = "\n".join([encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)])
            file.write(_harmless(lines) + "\n")
    return count


def _column(field: Column, cells: Sequence[Any]) -> Sequence[Any]:
    if field.kind is Kind.MOMENT:
        return isos(cells)
    if field.kind is Kind.AMOUNT:
        return wholes([cell if cell is None or math.isfinite(cell) else None for cell in cells])
    return cells


def _harmless(lines: str) -> str:
    """JSON whose text steers nothing: such marks stand in strings only, where JSON has a way to spell them."""
    return lines if lines.isascii() and "\x7f" not in lines else _STEERING.sub(_spelled, lines)


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
