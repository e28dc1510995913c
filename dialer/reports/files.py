"""Writing files that hold people's data: whole or not at all, for their owner's eyes, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dialer.core import cells
from dialer.core.errors import UserError


def inert(cell: object, *, phone: bool = False) -> object:
    """A cell that no spreadsheet takes for a formula (CWE-1236); an E.164 number in a ``phone`` column stays."""
    if not isinstance(cell, str):
        return cell
    return cells.inert_phone(cell) if phone else cells.inert(cell)


def make_private_dir(path: Path) -> None:
    """Make a directory for reports, readable by its owner only."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write reports to {path}: {error.strerror}; choose another place with --out") from None


@contextmanager
def whole_bytes(path: Path, option: str = "--out") -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is complete and synced. Mode 0600.

    ``option`` is the flag that names another place, for whoever must.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another place with {option}") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
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


@contextmanager
def whole_file(path: Path, option: str = "--out", encoding: str = "utf-8") -> Iterator[IO[str]]:
    """The same for text. Halves of characters, which no encoding has, become question marks."""
    with whole_bytes(path, option) as file:
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        yield text
        text.detach()


def write_csv(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    phones: Container[str] = ("phone",),
    option: str = "--out",
) -> int:
    """Write rows as CSV (UTF-8, comma, header). ``phones``: the columns of numbers. Returns the number of rows."""
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
