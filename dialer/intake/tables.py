"""What every list is, whatever file it came from: headers, rows with their numbers, and notes on how it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from dialer.core.cells import as_meant


class Row(NamedTuple):
    """One row of a list. ``number`` counts as a spreadsheet does: the header is row 1."""

    number: int
    cells: list[str]
    lines: int = 1
    """Lines of text that it spans; more than one where a quoted cell holds line ends."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a list that its owner should know: a word for tables, and a sentence."""

    file: str
    code: str
    text: str


class Table(Protocol):
    """A list whose header is read. Reading the rows again starts anew."""

    name: str
    """How reports call it."""
    shown: str
    """How messages call it: where it lies."""
    read_as: str
    """How it is read, for people: its encoding and delimiter, or its sheet."""
    headers: tuple[str, ...]
    """Each once, none empty."""
    notes: tuple[Note, ...]
    digest: str
    """A fingerprint (SHA-256, hexadecimal) of what is in it."""
    size: int
    """Bytes, unpacked."""
    position: int
    """Bytes that the current reading of the rows has come through."""
    holds_nul: bool
    """Whether NUL characters stand anywhere in it."""
    blank: int
    """Rows without any cell that the last reading passed over."""

    def rows(self) -> Iterator[Row]:
        """All rows after the header; those without any content at all are no rows.

        Raises :class:`~dialer.core.errors.ContactsError` with the line where the file is broken.
        """

    def raw(self, cells: Sequence[str]) -> str:
        """Cells as the line of CSV text that they were, or might have been."""

    def cut(self, line: str) -> list[str]:
        """The cells of a line of CSV text; none where it is no such line."""

    def is_header(self, cells: Sequence[str]) -> bool:
        """Whether a row repeats the header."""


def unique(header: Sequence[str]) -> tuple[str, ...]:
    """Header cells as names: trimmed, none empty, none twice."""
    names: dict[str, None] = {}
    for index, cell in enumerate(header, 1):
        name = wanted = " ".join(as_meant(cell.strip()).split()) or f"column {index}"
        nth = 2
        while name in names:
            name = f"{wanted} ({nth})"
            nth += 1
        names[name] = None
    return tuple(names)


def without_tail(cells: Sequence[str]) -> list[str]:
    """Cells without the empty ones at the end."""
    kept = list(cells)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept
