"""What has changed between two versions of a campaign file, in words, and whether that makes it only tighter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dialer.core.campaign import Campaign
from dialer.core.hours import CallingHours

_LESS_IS_TIGHTER: Final = frozenset(
    {
        "pacing.max_concurrent",
        "api.requests_per_minute",
        "api.requests_per_day",
        "limits.max_cost",
        "retry.max_attempts",
    }
)
_NAMES: Final = (
    "first_name",
    "last_name",
    "full_name",
    "priority",
    "key",
    "metadata",
    "encoding",
    "delimiter",
    "sheet",
)
_HARMLESS: Final = (
    "contacts",
    *(f"columns.{name}" for name in _NAMES),
    "sandbox",
    "api.timeout",
    "pacing.longest_call",
)
"""Lists are merged by their own rules; these others place no call that would not be placed anyway. Which numbers a list
is taken to hold, and of which kinds, is another matter."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One key that says something else now. ``asks``: a person should confirm it before calls are placed by it."""

    key: str
    before: object
    after: object
    asks: bool

    def __str__(self) -> str:
        return f"{self.key}: {_said(self.before)} -> {_said(self.after)}"


def revisions(before: Campaign, after: Campaign) -> list[Revision]:
    """Every key that differs, in the order of the file."""
    old, new = dict(_flat(before.model_dump(mode="json"))), dict(_flat(after.model_dump(mode="json")))
    found: list[Revision] = []
    for key in dict.fromkeys([*new, *old]):
        if old.get(key) != new.get(key):
            asks = not _tighter(key, old.get(key), new.get(key)) and not key.startswith(_HARMLESS)
            found.append(Revision(key, old.get(key), new.get(key), asks))
    if within(after.rules().hours, before.rules().hours):
        found = [Revision(item.key, item.before, item.after, False) if _is_hours(item) else item for item in found]
    return found


def within(narrow: CallingHours, wide: CallingHours) -> bool:
    """Whether every moment that ``narrow`` allows is one that ``wide`` allows, by the same clocks."""
    if wide.week is None:
        return True
    if narrow.week is None or narrow.timezone != wide.timezone:
        return False
    return all(
        inner is None or (outer is not None and outer[0] <= inner[0] and inner[1] <= outer[1])
        for inner, outer in zip(narrow.week, wide.week, strict=True)
    )


def _is_hours(item: Revision) -> bool:
    return item.key == "hours" or item.key.startswith("hours.")


def _tighter(key: str, before: object, after: object) -> bool:
    if key not in _LESS_IS_TIGHTER or not isinstance(after, int | float):
        return False
    return before is None or (isinstance(before, int | float) and after < before)


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, dict) and key != "sandbox":
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _said(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_said(item.get("id", item) if isinstance(item, dict) else item) for item in value) + "]"
    if value is None:
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)
