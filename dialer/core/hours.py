"""When a person may be called, in that person's own clock. The only room that knows time zones.

Windows are computed as UTC intervals day by day, so a day with 23 or 25 hours is right by construction; wall clocks of
one zone are never subtracted from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Window = tuple[time, time]
ALWAYS = "always"
_DAYS_AHEAD = 15
"""How far an opening is searched: a week always holds one if there is one, and holidays may double that later."""


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None where there is no such zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether calls are allowed now, and until when (UTC seconds) that answer holds."""

    is_open: bool
    until: float


@dataclass(frozen=True, slots=True)
class CallingHours:
    """``week[i]`` is the window of weekday ``i`` (Monday 0) or None where closed; no week means always.

    ``timezone`` is "contact" or the IANA name that holds for everybody.
    """

    week: tuple[Window | None, ...] | None = None
    timezone: str = "contact"
    _cache: dict[str | None, tuple[float, Opening]] = field(default_factory=dict, compare=False, repr=False)

    def clock_of(self, zone: str | None) -> str | None:
        """The zone whose clock decides for a contact of ``zone``."""
        return zone if self.timezone == "contact" else self.timezone

    def opening(self, zone: str | None, now: float) -> Opening:
        """Whether someone in ``zone`` may be called at ``now``, and until when that holds.

        ``zone`` may join several names with "&" where a number does not tell which: then all of them must be open.
        Without a known zone the answer is closed: nobody can say what time it is there.
        """
        if self.week is None:
            return Opening(True, float("inf"))
        clock = self.clock_of(zone)
        since, found = self._cache.get(clock, (now, None))
        if found is None or not since <= now < found.until:  # too old, or the machine's clock went back
            found = self._work_out(clock, now)
            self._cache[clock] = (now, found)
        return found

    def _work_out(self, clocks: str | None, now: float) -> Opening:
        zones = [zone_of(name) for name in clocks.split("&")] if clocks else []
        if not zones or self.week is None:
            return Opening(False, float("inf"))
        moment = now
        for _ in range(_DAYS_AHEAD):
            openings = [_one_clock(zone, self.week, moment) for zone in zones]
            if all(opening.is_open for opening in openings):
                if moment > now:
                    return Opening(False, moment)
                return Opening(True, min(opening.until for opening in openings))
            moment = max(opening.until for opening in openings if not opening.is_open)
            if moment == float("inf"):
                break
        return Opening(False, float("inf"))


def _one_clock(zone: ZoneInfo | None, week: Sequence[Window | None], now: float) -> Opening:
    if zone is None:
        return Opening(False, float("inf"))
    today = datetime.fromtimestamp(now, zone).date()
    for day in range(-1, _DAYS_AHEAD):
        for opens, closes in _spans(today + timedelta(days=day), week, zone):
            if closes > now:
                return Opening(True, closes) if opens <= now else Opening(False, opens)
    return Opening(False, float("inf"))


def _spans(day: date, week: Sequence[Window | None], zone: ZoneInfo) -> list[tuple[float, float]]:
    """The UTC spans of a day in which its clock shows an allowed time: one, or two where the clock is set back."""
    window = week[day.weekday()]
    if window is None:
        return []
    opens, closes = (_instant(day, wall, zone) for wall in window)
    if _steady(opens, closes, zone):
        return [(opens, closes)]
    return _spans_by_minute(day, window, zone)


def _steady(opens: float, closes: float, zone: ZoneInfo) -> bool:
    """Whether the clock is not set between two instants, nor within three hours around them."""
    around = (opens - 10_800, opens, closes, closes + 10_800)
    return len({datetime.fromtimestamp(moment, zone).utcoffset() for moment in around}) == 1


@lru_cache(maxsize=256)
def _spans_by_minute(day: date, window: Window, zone: ZoneInfo) -> list[tuple[float, float]]:
    begin = datetime.combine(day, time.min, UTC).timestamp() - 86_400
    spans: list[tuple[float, float]] = []
    for minute in range(3 * 24 * 60):
        moment = begin + 60 * minute
        local = datetime.fromtimestamp(moment, zone)
        if local.date() != day or not window[0] <= local.time() < window[1]:
            continue
        if spans and spans[-1][1] == moment:
            spans[-1] = (spans[-1][0], moment + 60)
        else:
            spans.append((moment, moment + 60))
    return spans


def _instant(day: date, wall: time, zone: ZoneInfo) -> float:
    moment = datetime.combine(day, wall)
    if wall == time.max:  # "24:00"
        moment = datetime.combine(day + timedelta(days=1), time.min)
    return moment.replace(tzinfo=zone).astimezone(UTC).timestamp()
