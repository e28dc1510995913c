"""What a list says of people as a screen may show it: enough to see that it was understood, too little to tell who."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from dialer.commands.common import plain
from dialer.core.masks import HIDDEN, masked_digits, masked_numbers
from dialer.intake.phones import country_code

_OPEN: Final = frozenset({"timezone", "state", "consent", "priority", "agent"})
"""Roles whose cells say little of a person, and much of how they were read."""


def masked_phone(phone: str) -> str:
    """An E.164 number for whoever knows it: +1 212 ••• ••01."""
    code = country_code(phone)
    rest = phone[1 + len(code) :]
    return f"+{code} " + masked_digits(" ".join(part for part in (rest[:-7], rest[-7:-4], rest[-4:]) if part))


def without_numbers(text: str) -> str:
    """A sentence in which whatever may be a phone number is masked."""
    return plain(masked_numbers(text))


def initials(name: str) -> str:
    """ "Ada Abbott" as "A. A."."""
    return " ".join(f"{word[0].upper()}." for word in re.findall(r"\w+", plain(name)))


def shape(cell: str) -> str:
    """The first letter of each word, and dots for the others: "New York" as "N•• Y•••"."""
    return re.sub(r"(?<=\w)\w", HIDDEN, plain(cell))


def sample(cell: str, role: str) -> str:
    """A cell of a column with this role."""
    if role == "phone":
        return re.sub(r"(?<=[^\W\d_])[^\W\d_]", HIDDEN, masked_digits(plain(cell)))  # names stand there, too
    if role in {"first_name", "last_name", "full_name"}:
        return initials(cell)
    return plain(cell) if role in _OPEN else shape(cell)


def cut(text: str, most: int) -> str:
    """Text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def first_few(items: Iterable[str], most: int, word: str = "") -> str:
    """Items with commas, or another ``word``, between them; and how many more there are."""
    listed = list(items)
    more = len(listed) - most
    return (f" {word} " if word else ", ").join(listed[:most]) + (f" and {more:,} more" if more > 0 else "")
