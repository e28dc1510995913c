"""Bytes of a list as text, in the encoding that they prove to have, that the campaign names, or that is the likeliest.

The order: a byte-order mark; UTF-16 by its NULs; UTF-8 if all of it is; what ``[columns] encoding`` says; Windows-1252,
loudly. Nothing is guessed by statistics: guesses of that kind are wrong for two lists in nine.
"""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TextIO

from dialer.core.errors import ContactsError
from dialer.intake.sources import Source

FALLBACK: Final = "cp1252"
_CHUNK: Final = 1 << 20
_HEAD: Final = 1 << 16
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEVEN_BIT: Final = ("iso2022", "hz", "utf-7")
"""Written in ASCII's bytes, so that they would pass for UTF-8."""
_SAMPLE: Final = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """How a list is read. ``digest`` is the SHA-256 of its bytes, ``size`` their number."""

    encoding: str
    digest: str
    size: int
    holds_nul: bool
    """Whether there is a NUL character anywhere in the text."""
    sample: str = ""
    """Where the encoding is only the likeliest: the first line that tells whether it is the right one."""


def survey(source: Source, declared: str | None) -> Reading:
    """Read all of a list once and find its encoding.

    Raises :class:`~dialer.core.errors.ContactsError` where it can be read in none, with the line that cannot.
    """
    with source.open() as file:
        first = _by_mark(file.read(_HEAD))
    if first is None and declared and codecs.lookup(declared).name.startswith(_SEVEN_BIT):
        first = declared
    digest, size, fault, holds_nul = _try(source, first or "utf-8")
    encoding, sample = first or "utf-8", ""
    if fault is not None:
        if first is not None:
            raise ContactsError(
                f"{source.shown}: line {fault}: not {first} text, which its beginning is; export it again"
            )
        encoding = declared or FALLBACK
        *_, second_fault, holds_nul = _try(source, encoding)
        if second_fault is not None:
            said = f"neither UTF-8 nor {encoding}" if declared else "not UTF-8 text, and not Windows-1252"
            raise ContactsError(
                f'{source.shown}: line {second_fault}: {said}; save the list as "CSV UTF-8", or name its encoding: '
                '[columns] encoding = "..."'
            )
        sample = "" if declared else _sample(source, encoding)
    return Reading(encoding, digest, size, holds_nul, sample)


def _by_mark(head: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    low, high = head[0::2].count(0), head[1::2].count(0)
    if max(low, high) * 4 < len(head) // 2 or min(low, high) * 8 > max(low, high) or len(head) < 2:
        return None
    return "utf-16-le" if high > low else "utf-16-be"


def _try(source: Source, encoding: str) -> tuple[str, int, int | None, bool]:
    """Digest, size, the line that is not in ``encoding`` if any, and whether the text holds NULs."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    digest, size, line, fault, holds_nul = sha256(), 0, 1, None, False
    with source.open() as file:
        while True:
            chunk = file.read(_CHUNK)
            digest.update(chunk)
            size += len(chunk)
            if fault is None:
                try:
                    text = decoder.decode(chunk, not chunk)
                except (UnicodeError, ValueError) as error:
                    start = error.start if isinstance(error, UnicodeDecodeError) else 0
                    fault = line + _lines_before(chunk, start, encoding)
                else:
                    line += text.count("\n") or text.count("\r")
                    holds_nul = holds_nul or "\0" in text
            if not chunk:
                return digest.hexdigest(), size, fault, holds_nul


def _lines_before(chunk: bytes, start: int, encoding: str) -> int:
    text = chunk[:start].decode(encoding, "ignore")
    return text.count("\n") or text.count("\r")


def _sample(source: Source, encoding: str) -> str:
    with text_of(source, encoding) as text:
        line = next((line for line in text if not line.isascii()), "")
    shown = "".join(mark if mark.isprintable() else " " for mark in line.strip())
    return shown if len(shown) <= _SAMPLE else shown[:_SAMPLE] + "..."


def text_of(source: Source, encoding: str) -> TextIO:
    """The text from its beginning, with its line ends as they are."""
    return io.TextIOWrapper(source.open(), encoding, newline="")
