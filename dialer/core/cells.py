"""Cells of lists and tables that programs for spreadsheets would take for formulas, and how they are written and read.

Writing and reading agree: :func:`as_meant` gives back every cell that :func:`inert` has made harmless, and leaves every
cell alone that needed no care.
"""

from __future__ import annotations

import re
from typing import Final

MARK: Final = "'"
"""What spreadsheets put before a cell to say that it is text."""
RISKY: Final = "=+-@\t\r\n\0|%＝＋－＠"  # the full-width signs are meant
"""Marks that formulas begin with, or that lead to them."""
_UNSEEN: Final = r"\s\u200b-\u200f\u202a-\u202e\u2060\ufeff"
_TAKEN_FOR_A_FORMULA: Final = re.compile(f"'*[{_UNSEEN}]*[{re.escape(RISKY)}]")
_IS_E164: Final = re.compile(r"\+[1-9](?:\d{6,14}|\d{0,10}•••\d{4})", re.ASCII).fullmatch
"""Whole, or as :func:`dialer.core.masks.masked` shows it: neither is anything but a number."""


def inert(text: str) -> str:
    """Text that no spreadsheet takes for a formula (CWE-1236): with a ``'`` before it where it might.

    A cell that has such marks already gets one more, so that it can be told from the one without.
    """
    return MARK + text if _TAKEN_FOR_A_FORMULA.match(text) else text


def inert_phone(text: str) -> str:
    """The same in a column of numbers to call, in which E.164 keeps its plus."""
    return text if _IS_E164(text) else inert(text)


def as_meant(cell: str) -> str:
    """A cell without the mark that says that it is text; the cell itself where it needed none."""
    return cell[1:].strip() if cell[:1] == MARK and _TAKEN_FOR_A_FORMULA.match(cell, 1) else cell
