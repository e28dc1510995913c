"""The clock on the contact's own wall, for counts by weekday and hour."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from dialer.core.hours import zone_of

QUARTER_S = 900
"""All zones of today are whole quarters of an hour off UTC, so all moments of one show the same hour everywhere."""


class Clock(StrEnum):
    """Whose clock told the hour."""

    OWN = "own"
    SEVERAL = "several_zones"
    """The contact may live in several zones, and they do not show the same hour."""
    NONE = "no_zone"


Hour = tuple[int, int]
"""Weekday (Monday 0) and hour (0 to 23)."""


class ContactClocks:
    """Tells weekday and hour in a contact's zone, by that zone's rules at that moment, change of the clocks included.

    Where a contact may live in several zones which do not agree, or in none that is known, the ``fallback`` decides.
    """

    def __init__(self, fallback: str | None) -> None:
        self._fallback: tzinfo = (fallback and zone_of(fallback)) or UTC
        self._told: dict[tuple[str | None, int], tuple[Hour, Clock]] = {}
        self.calls_by_clock: Counter[Clock] = Counter()

    def hour(self, zone: str | None, quarter: int, calls: int) -> Hour:
        """Weekday and hour of a quarter (UTC seconds / 900); ``calls`` are counted under whose clock it was."""
        key = zone, quarter
        found = self._told.get(key)
        if found is None:
            if len(self._told) > 100_000:
                self._told.clear()
            found = self._told[key] = self._tell(zone, quarter * QUARTER_S)
        self.calls_by_clock[found[1]] += calls
        return found[0]

    def _tell(self, zone: str | None, moment: int) -> tuple[Hour, Clock]:
        zones = [zone_of(name) for name in zone.split("&")] if zone else []
        shown = {_hour(moment, known) for known in zones if known is not None}
        if len(shown) == 1 and None not in zones:
            return shown.pop(), Clock.OWN
        return _hour(moment, self._fallback), Clock.SEVERAL if len(shown) > 1 else Clock.NONE


def _hour(moment: int, zone: tzinfo) -> Hour:
    there = datetime.fromtimestamp(moment, zone)
    return there.weekday(), there.hour
