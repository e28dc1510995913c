"""Writing files that hold people's data: whole or not at all, for their owner's eyes, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from dialer.core.errors import UserError

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "|", "%", "＝", "＋", "－", "＠")  # meant
_E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)


_UNSEEN: Final = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2060\ufeff]*")


def inert(cell: object, *, phone: bool = False) -> object:
    """A cell that no spreadsheet takes for a formula (CWE-1236); an E.164 number in a ``phone`` column stays."""
    if not isinstance(cell, str) or (phone and _E164.fullmatch(cell)):
        return cell
    start = _UNSEEN.match(cell)
    assert start is not None
    return "'" + cell if cell.startswith(_RISKY) or cell.startswith(_RISKY, start.end()) else cell


def make_private_dir(path: Path) -> None:
    """Make a directory for reports, readable by its owner only."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write reports to {path}: {error.strerror}; choose another place with --out") from None


@contextmanager
def whole_file(path: Path, option: str = "--out") -> Iterator[IO[str]]:
    """A text file that appears under its name only when it is complete and synced. Mode 0600.

    ``option`` is the flag that names another place, for whoever must.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another place with {option}") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror}; choose another place with {option}") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_csv(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    phones: Container[str] = ("phone",),
    option: str = "--out",
) -> int:
    """Write a table as CSV (UTF-8, comma, header). ``phones``: its columns of numbers. Returns the number of rows."""
    count = 0
    spared = [column in phones for column in columns]
    with whole_file(path, option) as file:
        writer = csv.writer(file, lineterminator="\r\n")  # with "\n" a bare carriage return would go unquoted
        writer.writerow([inert(column) for column in columns])
        for row in rows:
            writer.writerow([inert(cell, phone=phone) for cell, phone in zip(row, spared, strict=True)])
            count += 1
    return count


def write_text(path: Path, text: str, option: str = "--out") -> None:
    """Write a text file."""
    with whole_file(path, option) as file:
        file.write(text)
