"""Numbers, times and text as the page shows them. Text of lists and of the API loses what steers a screen."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

SAID_OF_STATES: Final = {
    "reached": "reached",
    "dialing": "on the line now",
    "waiting": "waiting for the next attempt",
    "queued": "not called yet",
    "exhausted": "tried without reaching them",
    "rejected": "refused by the API",
    "unresolved": "unresolved",
    "suppressed": "must not be called",
    "cancelled": "gone from the list",
}
SAID_OF_OUTCOMES: Final = {
    "completed": "answered",
    "voicemail": "voicemail",
    "no_answer": "no answer",
    "busy": "busy",
    "failed": "failed",
    "invalid": "number refused",
    "unknown": "not known",
}
"""In the order in which charts stack them."""
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_JOINS: Final = frozenset("\u200c\u200d")
"""They join or part letters (Persian, emoji) and turn nothing around."""
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


def shown(text: str | None) -> str:
    """Text in one line, without controls, escapes and marks that turn the direction of writing (they become U+FFFD)."""
    if not text or text.isprintable():
        return text or ""
    return "".join(_shown(mark) for mark in text)


def _shown(mark: str) -> str:
    if mark.isprintable() or mark in _JOINS:
        return mark
    return " " if mark.isspace() else "\N{REPLACEMENT CHARACTER}"


def whole(number: float) -> str:
    """ "12,345"."""
    return f"{number:,.0f}"


def decimal(number: float) -> str:
    """A quantity with as many digits as tell: "0.096", "1.28", "1,234.5"."""
    size = abs(number)
    digits = 0 if number == int(number) else 1 if size >= 100 else 2 if size >= 1 else 4
    return f"{number:,.{digits}f}"


def percent(share: float) -> str:
    """ "34.2%"."""
    return f"{share * 100:.1f}%"


def plural(count: float, word: str, many: str = "") -> str:
    """ "1 contact", "2 contacts", "2 people"."""
    return f"{whole(count)} {word if count == 1 else many or word + 's'}"


def moment(at: float | None) -> str:
    """UTC seconds as "2026-02-25 12:00", in UTC; nothing where there is none."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def moment_iso(text: str | None) -> str:
    """The same of ISO 8601."""
    return "" if not text else moment(datetime.fromisoformat(text).timestamp())


def moments_in(text: str) -> str:
    """A sentence whose moments of ISO 8601 are written like all others of the page."""
    return _MOMENT.sub(lambda found: f"{moment_iso(found[0])} UTC", text)


def length(seconds: float) -> str:
    """A length of time: "45 s", "3 min 20 s", "4 h 05 min"."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600:,} h {total % 3600 // 60:02d} min"


def outcome(code: str | None) -> str:
    """A disposition in words."""
    return SAID_OF_OUTCOMES.get(code or "", (code or "").replace("_", " "))


def listed(parts: list[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
