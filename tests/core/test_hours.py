"""When a person may be called. The oracle here asks each minute what the person's clock shows, and nothing else."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from dialer.core.hours import CallingHours, Opening, Window, zone_of

NEW_YORK, LONDON, LORD_HOWE = "America/New_York", "Europe/London", "Australia/Lord_Howe"
DAY = (time(9), time(20))
WORKDAYS: tuple[Window | None, ...] = (DAY,) * 5 + ((time(9), time(13)), None)
EVERY_DAY: tuple[Window | None, ...] = (DAY,) * 7


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def daily(opens: time, closes: time) -> CallingHours:
    return CallingHours(((opens, closes),) * 7)


def clock_allows(week: tuple[Window | None, ...], zones: str, now: float) -> bool:
    """The oracle: does every one of these clocks show an allowed time?"""
    for name in zones.split("&"):
        local = datetime.fromtimestamp(now, ZoneInfo(name))
        window = week[local.weekday()]
        if window is None or not window[0] <= local.time() < window[1]:
            return False
    return True


def test_without_hours_everybody_may_be_called_always_even_where_no_clock_is_known() -> None:
    for zone in (NEW_YORK, "No/Where", None):
        assert CallingHours().opening(zone, 0.0) == Opening(True, math.inf)


def test_a_person_is_called_from_nine_sharp_until_twenty_sharp() -> None:
    hours = CallingHours(WORKDAYS)
    assert hours.opening(NEW_YORK, at("2026-11-23T13:59:59")) == Opening(False, at("2026-11-23T14:00"))
    assert hours.opening(NEW_YORK, at("2026-11-23T14:00")) == Opening(True, at("2026-11-24T01:00"))
    assert hours.opening(NEW_YORK, at("2026-11-24T00:59:59")) == Opening(True, at("2026-11-24T01:00"))
    assert hours.opening(NEW_YORK, at("2026-11-24T01:00")) == Opening(False, at("2026-11-24T14:00"))


def test_after_saturday_noon_people_are_left_alone_until_monday() -> None:
    hours = CallingHours(WORKDAYS)
    assert hours.opening(LONDON, at("2026-11-28T12:59")) == Opening(True, at("2026-11-28T13:00"))
    assert hours.opening(LONDON, at("2026-11-28T13:00")) == Opening(False, at("2026-11-30T09:00"))
    assert hours.opening(LONDON, at("2026-11-29T12:00")) == Opening(False, at("2026-11-30T09:00"))


def test_a_week_with_one_open_hour_is_found_from_any_day_of_it() -> None:
    week: tuple[Window | None, ...] = (None, None, (time(9), time(10)), None, None, None, None)
    hours = CallingHours(week)
    assert hours.opening(LONDON, at("2026-11-25T10:00")) == Opening(False, at("2026-12-02T09:00"))
    assert hours.opening(LONDON, at("2026-11-26T00:00")) == Opening(False, at("2026-12-02T09:00"))


def test_a_week_that_is_closed_every_day_never_opens() -> None:
    assert CallingHours((None,) * 7).opening(LONDON, at("2026-11-23T12:00")) == Opening(False, math.inf)


def test_a_window_until_24_00_lasts_to_the_very_end_of_the_day() -> None:
    hours = daily(time(9), time.max)
    assert hours.opening(NEW_YORK, at("2026-11-24T04:59:59.999999")) == Opening(True, at("2026-11-24T05:00"))
    assert hours.opening(NEW_YORK, at("2026-11-24T05:00")) == Opening(False, at("2026-11-24T14:00"))


@pytest.mark.parametrize("zone", [NEW_YORK, LONDON, LORD_HOWE])
def test_a_window_from_midnight_to_midnight_has_no_crack_on_any_day_of_the_year(zone: str) -> None:
    hours = daily(time(0), time.max)
    now, end = at("2026-01-01T00:00"), at("2027-01-01T00:00")
    while now < end:
        found = hours.opening(zone, now)
        assert found.is_open, datetime.fromtimestamp(now, UTC)
        assert found.until > now
        now = found.until


def test_one_zone_for_all_overrules_every_contacts_own() -> None:
    hours = CallingHours(EVERY_DAY, LONDON)
    for zone in (NEW_YORK, None, "No/Where"):
        assert hours.clock_of(zone) == LONDON
        assert hours.opening(zone, at("2026-11-23T09:00")).is_open
    assert CallingHours(EVERY_DAY).clock_of(NEW_YORK) == NEW_YORK


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes"),
    [
        (NEW_YORK, "2026-03-07", "2026-03-07T14:00", "2026-03-08T01:00"),  # the day before the gap
        (NEW_YORK, "2026-03-08", "2026-03-08T13:00", "2026-03-09T00:00"),  # 23 hours
        (NEW_YORK, "2026-11-01", "2026-11-01T14:00", "2026-11-02T01:00"),  # 25 hours
        (LONDON, "2026-03-29", "2026-03-29T08:00", "2026-03-29T19:00"),
        (LONDON, "2026-10-25", "2026-10-25T09:00", "2026-10-25T20:00"),
        (LORD_HOWE, "2026-04-04", "2026-04-03T22:00", "2026-04-04T09:00"),  # half an hour, and southern
        (LORD_HOWE, "2026-04-05", "2026-04-04T22:30", "2026-04-05T09:30"),
        (LORD_HOWE, "2026-10-04", "2026-10-03T22:00", "2026-10-04T09:00"),
    ],
)
def test_on_the_day_the_clocks_change_people_are_called_by_the_clock_on_their_wall(
    zone: str, day: str, opens: str, closes: str
) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()
    assert CallingHours(EVERY_DAY).opening(zone, midnight) == Opening(False, at(opens))
    assert CallingHours(EVERY_DAY).opening(zone, at(opens)) == Opening(True, at(closes))
    assert CallingHours(EVERY_DAY).opening(zone, at(closes) - 1) == Opening(True, at(closes))
    assert not CallingHours(EVERY_DAY).opening(zone, at(closes)).is_open


CHANGES = [
    (NEW_YORK, "2026-03-08T00:00"),
    (NEW_YORK, "2026-11-01T00:00"),
    (LONDON, "2026-03-29T00:00"),
    (LONDON, "2026-10-25T00:00"),
    (LORD_HOWE, "2026-04-04T12:00"),
    (LORD_HOWE, "2026-10-03T12:00"),
    ("America/Havana", "2026-03-08T00:00"),
    ("America/Havana", "2026-11-01T00:00"),
]


@pytest.mark.parametrize(("zone", "begin"), CHANGES)
@pytest.mark.parametrize("window", [(time(1, 30), time(5)), (time(0), time(1, 30)), (time(0), time(2, 30))])
def test_no_phone_rings_at_a_forbidden_hour_in_the_night_the_clocks_change(
    zone: str, begin: str, window: Window
) -> None:
    week = (window,) * 7
    rang = []
    for minute in range(24 * 60):
        now = at(begin) + minute * 60
        if CallingHours(week).opening(zone, now).is_open and not clock_allows(week, zone, now):
            rang.append(datetime.fromtimestamp(now, ZoneInfo(zone)).isoformat())
    assert not rang


def random_week(chance: random.Random) -> tuple[Window | None, ...]:
    week: list[Window | None] = []
    for _ in range(7):
        opens = chance.randrange(5 * 4, 14 * 4)
        closes = chance.randrange(opens + 1, 24 * 4 + 1)
        end = time.max if closes == 24 * 4 else time(closes // 4, closes % 4 * 15)
        week.append(None if chance.random() < 0.25 else (time(opens // 4, opens % 4 * 15), end))
    return tuple(week)


@pytest.mark.parametrize(
    "zones",
    [
        NEW_YORK,
        LONDON,
        LORD_HOWE,
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Pacific/Marquesas",
        "America/St_Johns",
        "Africa/Casablanca",
        "America/New_York&America/Los_Angeles",
        "America/Chicago&America/New_York&Pacific/Honolulu",
        "Europe/Lisbon&Atlantic/Azores",
        "Asia/Vladivostok&Europe/Kaliningrad&Asia/Omsk",
    ],
)
@pytest.mark.parametrize("begin", ["2026-03-05T00:07", "2026-10-29T00:07"])
def test_minute_by_minute_the_answer_is_what_every_persons_clock_says(zones: str, begin: str) -> None:
    chance = random.Random(f"{zones} {begin}")
    week = random_week(chance)
    hours = CallingHours(week)
    found = Opening(False, -math.inf)
    for minute in range(0, 9 * 24 * 60, 4):
        now = at(begin) + minute * 60
        if now >= found.until:
            found = hours.opening(zones, now)
        assert found.is_open == clock_allows(week, zones, now), datetime.fromtimestamp(now, UTC)
        if minute % 61 == 0:
            fresh = CallingHours(week).opening(zones, now)
            assert fresh.is_open == found.is_open
            assert fresh.until == found.until


def test_a_number_that_may_lie_in_two_zones_is_called_only_while_both_are_open() -> None:
    hours = CallingHours(EVERY_DAY)
    both = "America/Los_Angeles&America/New_York"
    assert hours.opening(both, at("2026-11-23T15:00")) == Opening(False, at("2026-11-23T17:00"))
    assert hours.opening(both, at("2026-11-23T17:00")) == Opening(True, at("2026-11-24T01:00"))
    assert hours.opening(both, at("2026-11-24T02:00")) == Opening(False, at("2026-11-24T17:00"))


def test_zones_whose_days_never_meet_leave_the_number_alone_for_ever() -> None:
    never = CallingHours(((time(9), time(12)),) * 7).opening("Asia/Tokyo&America/New_York", at("2026-11-23T00:00"))
    assert never == Opening(False, math.inf)


def test_zones_that_meet_on_saturdays_only_are_found_from_sunday() -> None:
    week: tuple[Window | None, ...] = (*((time(9), time(11)),) * 5, (time(9), time(21)), None)
    zones = "America/Los_Angeles&America/New_York&America/Chicago&America/Denver"
    assert CallingHours(week).opening(zones, at("2026-11-29T12:00")) == Opening(False, at("2026-12-05T17:00"))


@pytest.mark.parametrize("zone", ["No/Where", "America", "", "../etc/passwd", "America/New_York&", "Utopia&UTC", None])
def test_where_no_clock_is_known_nobody_is_called_ever(zone: str | None) -> None:
    assert CallingHours(EVERY_DAY).opening(zone, at("2026-11-23T12:00")) == Opening(False, math.inf)


def test_a_zone_is_known_by_its_iana_name_only() -> None:
    assert zone_of(NEW_YORK) == ZoneInfo(NEW_YORK)
    assert zone_of("New York") is None


def test_a_clock_that_was_set_back_is_believed() -> None:
    hours = CallingHours(EVERY_DAY)
    assert hours.opening(LONDON, at("2026-11-23T12:00")).is_open
    assert hours.opening(LONDON, at("2026-11-23T08:00")) == Opening(False, at("2026-11-23T09:00"))
    assert hours.opening(LONDON, at("2026-11-22T12:00")) == Opening(True, at("2026-11-22T20:00"))


def test_what_is_remembered_is_what_would_be_worked_out_anew() -> None:
    chance = random.Random(8)
    hours = CallingHours(WORKDAYS)
    zones = [NEW_YORK, LONDON, "Asia/Tokyo&Australia/Sydney", "No/Where", None]
    now = at("2026-10-20T00:00")
    for _ in range(1500):
        now += chance.choice([60, 600, 3600, 40_000, -3600, -100_000])
        zone = chance.choice(zones)
        assert hours.opening(zone, now) == CallingHours(WORKDAYS).opening(zone, now)


def test_two_campaigns_never_share_what_they_remember() -> None:
    early, late = daily(time(6), time(8)), daily(time(18), time(20))
    assert early.opening(LONDON, at("2026-11-23T07:00")).is_open
    assert not late.opening(LONDON, at("2026-11-23T07:00")).is_open
    assert early != late
    assert daily(time(6), time(8)) == early
