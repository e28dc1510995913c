"""Numbers as people write them: one E.164 number, or the reason why there is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.core.hours import zone_of
from dialer.intake.phones import Unusable, to_e164, zones_of

NEW_YORK = "+12125550100"
CAPE = "+27821234567"


@pytest.mark.parametrize(
    "cell",
    [
        "+12125550100",
        "+1 (212) 555-0100",
        "+1.212.555.0100",
        "  +1 212 555 0100  ",
        '="+12125550100"',
        "'+12125550100",
        "\u202a+1 212 555 0100\u202c",
        "\u200b+1\u00a0212\u00a0555\u00a00100\ufeff",
        "＋１２１２５５５０１００",
        "+12125550100.0",
        "tel:+1-212-555-0100",
        "Mobile: +1 212 555 0100",
        "+1 212 555 0100 (office)",
    ],
)
def test_a_number_with_its_country_code_is_understood_however_it_is_written(cell: str) -> None:
    assert to_e164(cell, None) == NEW_YORK
    assert to_e164(cell, "ZA") == NEW_YORK


@pytest.mark.parametrize(
    ("cell", "region", "expected"),
    [
        ("(212) 555-0100", "US", NEW_YORK),
        ("1-212-555-0100", "US", NEW_YORK),
        ("12125550100.0", "US", NEW_YORK),
        ("٢١٢٥٥٥٠١٠٠", "US", NEW_YORK),
        ("082 123 4567", "ZA", CAPE),
        ("821234567", "ZA", CAPE),
        ("27821234567", "ZA", CAPE),
        ("0027 82 123 4567", "ZA", CAPE),
        ("011 27 82 123 4567", "US", CAPE),
        ("+27 (0)82 123 4567", None, CAPE),
        ("+33 (0) 6 12 34 56 78", None, "+33612345678"),
    ],
)
def test_a_region_reads_numbers_as_they_are_dialed_there(cell: str, region: str | None, expected: str) -> None:
    assert to_e164(cell, region) == expected


@pytest.mark.parametrize("cell", ["212-555-0100", "0821234567", "27821234567", "0027821234567", "12125550100"])
def test_a_number_without_a_country_code_is_never_guessed(cell: str) -> None:
    found = to_e164(cell, None)
    assert isinstance(found, Unusable)
    assert found.reason == "phone_no_country"
    assert "region" in found.detail


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("+12125550100 / +12125550101", "+12125550100"),
        ("+12125550100 or +12125550101", "+12125550100"),
        ("+12125550100\n+12125550101", "+12125550100"),
        ("none; +12125550101", "+12125550101"),
        ("| +12125550101", "+12125550101"),
    ],
)
def test_of_several_numbers_in_a_cell_the_first_usable_one_is_taken(cell: str, expected: str) -> None:
    assert to_e164(cell, None) == expected


@pytest.mark.parametrize(
    ("cell", "region", "reason"),
    [
        ("", None, "phone_missing"),
        (" \u00a0\u200b ", None, "phone_missing"),
        ("1.5E+10", "US", "phone_scientific"),
        ("2,78212E+10", "ZA", "phone_scientific"),
        ("2.12555010E+09", "US", "phone_scientific"),
        ("+1 212 555 0100 x123", None, "phone_extension"),
        ("+1 212 555 0100,,,,1234#", None, "phone_extension"),
        ("1-800-FLOWERS", "US", "phone_letters"),
        ("Ada Abbott", "US", "phone_invalid"),
        ("/", None, "phone_invalid"),
        ("911", "US", "phone_invalid"),
        ("+27 10111", None, "phone_invalid"),
        ("+1212555", None, "phone_invalid"),
        ("+999123456789", None, "phone_invalid"),
        ("+1 000 000 0000", None, "phone_possible_only"),
        ("+1 900 234 5678", None, "phone_kind"),
        ("+1 800 555 0100", None, "phone_kind"),
        ("+44 70 1234 5678", None, "phone_kind"),
    ],
)
def test_a_cell_that_cannot_be_dialed_says_why(cell: str, region: str | None, reason: str) -> None:
    found = to_e164(cell, region)
    assert isinstance(found, Unusable)
    assert found.reason == reason
    assert found.detail
    assert "\n" not in found.detail


def test_an_extension_after_a_semicolon_is_an_extension_too() -> None:
    found = to_e164("tel:+1-212-555-0100;ext=123", None)
    assert isinstance(found, Unusable)
    assert found.reason == "phone_extension"


def test_a_satellite_phone_is_not_called() -> None:
    found = to_e164("+882 16 12345678", None)
    assert isinstance(found, Unusable)
    assert found.reason == "phone_kind"


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=24) | st.text(alphabet="0123456789+-() xeE.,;/", max_size=24), st.sampled_from([None, "US", "ZA"])
)
def test_whatever_stands_in_a_cell_is_a_stable_number_or_a_reason(cell: str, region: str | None) -> None:
    found = to_e164(cell, region)
    if isinstance(found, Unusable):
        assert found.reason.startswith("phone_")
    else:
        assert found[0] == "+"
        assert found[1:].isascii()
        assert found[1:].isdigit()
        assert to_e164(found, None) == found


def test_a_number_tells_the_zones_it_may_lie_in() -> None:
    assert zones_of(NEW_YORK) == "America/New_York"
    assert zones_of(CAPE) == "Africa/Johannesburg"
    many = zones_of("+61412345678")
    assert many is not None
    assert many.split("&") == sorted(many.split("&"))
    assert all(zone_of(name) for name in many.split("&"))


def test_a_number_that_tells_nothing_has_no_zone() -> None:
    assert zones_of("+8821612345678") is None
