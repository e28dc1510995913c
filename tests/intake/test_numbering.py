"""The compiled numbering plans say what phonenumbers says: of every number, its kind, its zones, and what is dialed."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from phonenumbers import timezone

from dialer.core.columns import LINE_TYPES, Columns
from dialer.intake.numbering import KINDS, UNKNOWN, plan_of, short_lengths, split
from dialer.intake.phones import Numbers, country_code, region_of, zones_of
from tests.support.numbers import REGIONS, dialed_by_the_library, written


def _numbers(region: str) -> Numbers:
    return Numbers(Columns(region=region))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_dialed_is_what_phonenumbers_makes_of_it_in_every_region_and_writing(seed: int) -> None:
    readers = {region: _numbers(region) for region in REGIONS}
    taken = 0
    for cell, region in written(random.Random(seed), 1_000):
        found = readers[region].read(cell)
        dialed = found if isinstance(found, str) else None
        assert dialed == dialed_by_the_library(cell, region), (cell, region, found)
        taken += dialed is not None
    assert taken > 300


def test_kinds_and_zones_are_those_of_phonenumbers() -> None:
    for cell, region in written(random.Random(9), 1_000):
        try:
            number = phonenumbers.parse(cell, region)
        except phonenumbers.NumberParseException:
            continue
        national = phonenumbers.national_significant_number(number)
        plan = plan_of(str(number.country_code))
        assert plan is not None
        assert plan.kind(national) == phonenumbers.number_type(number)
        zones = [zone for zone in timezone.time_zones_for_number(number) if zone != timezone.UNKNOWN_TIMEZONE]
        assert zones_of(f"+{number.country_code}{national}") == ("&".join(sorted(zones)) or None)


def test_every_country_code_has_a_plan_and_no_two_begin_alike() -> None:
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        found = split(f"{code}2345678")
        assert found is not None
        assert (found[0].code, found[1]) == (str(code), "2345678")
    assert split("0123456789") is None
    assert split("9991234567") is None


def test_kinds_of_line_are_called_as_the_campaign_file_calls_them() -> None:
    assert set(KINDS) == set(LINE_TYPES)
    assert UNKNOWN not in KINDS.values()


def test_short_numbers_have_short_lengths() -> None:
    assert {3, 4, 5} <= short_lengths(27)
    assert 9 not in short_lengths(27)
    assert 10 not in short_lengths(1)


def test_countries_are_told_apart_as_phonenumbers_does() -> None:
    asked = 0
    for cell, region in written(random.Random(7), 1_000):
        phone = _numbers(region).read(cell)
        if isinstance(phone, str):
            number = phonenumbers.parse(phone)
            assert region_of(phone) == phonenumbers.region_code_for_number(number), phone
            assert country_code(phone) == str(number.country_code)
            asked += 1
    assert asked > 300
    assert (region_of("+12125550100"), region_of("+14165550100"), region_of("+999")) == ("US", "CA", "")
