"""Numbers as people write them: one E.164 number, or the reason why there is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.core.columns import LINE_TYPES, Columns
from dialer.core.hours import zone_of
from dialer.intake.phones import Numbers, Unusable, to_e164, zones_of

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


@pytest.mark.parametrize(
    ("cell", "region", "expected", "notes"),
    [
        ("+12125550100", "US", NEW_YORK, set()),
        ("(212) 555-0100", "US", NEW_YORK, {"assumed_national"}),
        ("212.555.0100", "US", NEW_YORK, {"assumed_national"}),
        ("821234567", "ZA", CAPE, {"assumed_national"}),
        ("27821234567", "ZA", CAPE, {"plus_missing"}),
        ("27821234567.0", "ZA", CAPE, {"plus_missing", "float_text"}),
        ("0027 82 123 4567", "ZA", CAPE, set()),
        ("O82 123 4567", "ZA", CAPE, {"letter_o", "assumed_national"}),
        ("+27 82 1O3 4567", None, "+27821034567", {"letter_o"}),
        ("+1 212 555 O100", None, NEW_YORK, {"letter_o"}),
        ("Mobile - +1 212 555 0100", None, NEW_YORK, {"label_removed"}),
        ("\u202a+1 212 555 0100\u202c", None, NEW_YORK, {"odd_characters"}),
        ("+1–212–555–0100", None, NEW_YORK, {"odd_characters"}),
        ("Handy: +1 212 555 0100", None, NEW_YORK, {"label_removed"}),
        ("Tél. +1 212 555 0100 (bureau)", None, NEW_YORK, {"label_removed"}),
        ("m: +1 212 555 0100", None, NEW_YORK, {"label_removed"}),
        ("+1 212 555 0100, +1 212 555 0101", None, NEW_YORK, {"several_in_cell"}),
        ("12; +1 212 555 0100", None, NEW_YORK, {"second_in_cell"}),
        ("082 123 4567/8", "ZA", CAPE, {"several_in_cell", "assumed_national"}),
        ("0221/9876543", "DE", "+492219876543", {"assumed_national"}),
        ("+49 221 / 9876543", None, "+492219876543", set()),
        ("212/555-0100", "US", NEW_YORK, {"assumed_national"}),
    ],
)
def test_what_is_read_with_good_will_is_counted_by_its_kind(
    cell: str, region: str | None, expected: str, notes: set[str]
) -> None:
    numbers = Numbers(Columns(region=region))
    assert numbers.read(cell) == expected
    assert numbers.notes == dict.fromkeys(notes, 1)


@pytest.mark.parametrize(
    ("cell", "region"),
    [
        ("030 / 1234567 / 22", "DE"),
        ("0221, 123456", "DE"),
        ("+49 30 1234, 5678", "DE"),
        ("030 12345 / 67", "DE"),
        ("Ada or 123456", "DE"),
        ("082 123 4567 ext 5 / 8", "ZA"),
        ("+44 7911 123456 (ask for 2)", "GB"),
        ("+1 212 555 0100 24/7", "US"),
        ("27821234567.0", "US"),
        ("27821234567.5", "ZA"),
        ("-2125550100", "US"),
        ("*67 212 555 0100", "US"),
        ("+1 212 555 0100 +1 212 555 0101", None),
        ("2125550100 2125550101", "US"),
        ("SO82 123 4567", "ZA"),
        ("1-800-FLOWERS", "US"),
        ("+1212555O1", None),
        ("+1 212 555 010O", None),
        ("00447911123456", "US"),
    ],
)
def test_what_could_be_a_strangers_number_is_not_called(cell: str, region: str | None) -> None:
    assert isinstance(to_e164(cell, region), Unusable)


def test_a_plus_that_was_lost_is_suggested_and_never_put_in_its_place() -> None:
    found = to_e164("27821234567", "US")
    assert isinstance(found, Unusable)
    assert "is +27821234567 meant?" in found.detail


@pytest.mark.parametrize(
    ("cell", "said", "expected"),
    [
        ("1-212-555-KLMN", {"region": "US", "vanity": True}, "+12125555566"),
        ("+1 900 234 5678", {"line_types": ["premium_rate"]}, "+19002345678"),
        ("+1 212 555 0100", {"line_types": ["premium_rate"]}, "phone_kind"),
        ("+27 82 123 4567", {"line_types": ["fixed_line"]}, "phone_kind"),
        ("+1 212 555 0100 x9", {"extensions": "strip"}, NEW_YORK),
        ("+1 212 555 0100,,,,1234#", {"extensions": "strip"}, NEW_YORK),
        ("+1 000 000 0000", {"allow_possible": True}, "+10000000000"),
        ("+27 10111", {"allow_possible": True}, "phone_invalid"),
        ("911", {"allow_possible": True, "region": "US"}, "phone_invalid"),
        ("112", {"allow_possible": True, "region": "DE"}, "phone_invalid"),
        ("+1 212 555", {"allow_possible": True}, "phone_invalid"),
        ("+882 16 12345678", {"line_types": list(LINE_TYPES), "allow_possible": True}, "phone_kind"),
        ("+49 2219 8765 4321 234", {"allow_possible": True}, "phone_invalid"),
    ],
)
def test_a_campaign_may_set_what_is_called(cell: str, said: dict[str, object], expected: str) -> None:
    found = Numbers(Columns.model_validate(said)).read(cell)
    assert (found if isinstance(found, str) else found.reason) == expected


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
