"""Numbers as others may see them: enough for whoever knows them, too little for everybody else."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "•"
_DIGITS_SHOWN_TO: Final = 7
_LAST_SHOWN: Final = 2
_NUMBER: Final = re.compile(r"\+?\d(?:[ ()./\-]{0,3}\d){6,}")
_MOMENT: Final = re.compile(r"\d{4}-[01]\d-[0-3]\d(?:[T ][0-2]?\d(?::?\d\d){0,2})?(?:\.\d+)?(?:Z| ?[+-][01]\d:?\d\d)?")
_IS_E164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII).fullmatch


def masked(phone: str) -> str:
    """An E.164 number that can be recognised by whoever knows it: +1212•••0101."""
    return f"{phone[:-7]}•••{phone[-4:]}" if len(phone) > 9 else "•••"


def masked_digits(text: str) -> str:
    """Text whose digits are hidden, but for those before the last seven and the last two."""
    count = sum(mark.isdigit() for mark in text)
    shown: list[str] = []
    at = 0
    for mark in text:
        at += mark.isdigit()
        hides = mark.isdigit() and count - _DIGITS_SHOWN_TO < at <= count - _LAST_SHOWN
        shown.append(HIDDEN if hides else mark)
    return "".join(shown)


def masked_numbers(text: str) -> str:
    """Text in which whatever may be a phone number, in any writing, is masked."""
    return _NUMBER.sub(lambda found: masked_digits(found[0]), text)


def masked_cell(text: str) -> str:
    """A cell of a table: E.164 as :func:`masked`, other numbers in it hidden, a day or a moment (ISO 8601) left."""
    if _IS_E164(text):
        return masked(text)
    return text if _MOMENT.fullmatch(text) else masked_numbers(text)
