"""What stands in the cells beside numbers and names: consent, priority, nested metadata."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Never

_DATE: Final = re.compile(r"\d{4}-[01]\d-[0-3]\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_WHOLE: Final = re.compile(r"[+-]?\d{1,9}(?:\.0+)?")
_DEEPEST: Final = 20
PRIORITY_MOST: Final = 1000
"""Beyond it all are equally urgent: each priority is a queue of its own, and a queue costs a look."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_YES: Final = _set(
    "yes y true t 1 x ok given granted opt-in optin opted-in in consented written oral verbal express "
    "ja oui si sí sim tak 是 はい ✓ ✔ wahr vrai vero verdadero verdadeiro waar prawda"
)
_NO: Final = _set(
    "no n false f 0 none never denied refused revoked withdrawn opt-out optout opted-out out unsubscribed "
    "nein non não nao nee nie 否 いいえ ✗ falsch faux falso onwaar fałsz"
)


def consent_of(cell: str) -> bool | None:
    """Whether a cell says that the person may be called; a day (ISO 8601) is the day they said so. None: unclear."""
    word = cell.strip().casefold()
    if word in _YES or _DATE.fullmatch(cell.strip()):
        return True
    return False if word in _NO else None


def priority_of(cell: str) -> int | None:
    """A whole number, the higher the sooner, at most a thousand either way; None where the cell is no such number."""
    text = cell.strip()
    found = int(text.split(".", maxsplit=1)[0]) if _WHOLE.fullmatch(text) else None
    return None if found is None else max(-PRIORITY_MOST, min(found, PRIORITY_MOST))


def nested(cell: str) -> Any:
    """The JSON object or array in a cell. Raises :class:`ValueError` where it is none, or nested beyond all measure."""
    try:
        found = json.loads(cell, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict | list):
        raise ValueError("a JSON object like {...} is meant")  # noqa: TRY004 - a fault of the list, not of the program
    if _depth(found) > _DEEPEST:
        raise ValueError("nested too deep")
    json.dumps(
        found, ensure_ascii=False, allow_nan=False
    ).encode()  # halves of characters and numbers beyond all bounds
    return found


def _no_number(word: str) -> Never:
    raise ValueError(f"{word} is no JSON")


def _depth(value: Any, at: int = 1) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if at > _DEEPEST:
        return at
    return max((_depth(item, at + 1) for item in inner), default=at)
