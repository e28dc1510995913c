"""Screens show enough of a person to see that a list was understood, and too little to tell who."""

from __future__ import annotations

import pytest

from dialer.commands.masks import cut, first_few, initials, masked_phone, sample, shape, without_numbers
from dialer.core.masks import masked_digits


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("+12125550101", "+1 212 ••• ••01"),
        ("+27821234567", "+27 82 ••• ••67"),
        ("+442079460018", "+44 207 ••• ••18"),
        ("+3725551234", "+372 ••• ••34"),
        ("+4312345", "+43 • ••45"),
    ],
)
def test_a_number_shows_its_country_its_area_and_two_digits(phone: str, shown: str) -> None:
    assert masked_phone(phone) == shown


def test_a_cell_keeps_its_writing_and_hides_its_digits() -> None:
    assert masked_digits("(212) 555-0100") == "(212) •••-••00"
    assert masked_digits("12345") == "•••45"


def test_a_sentence_hides_what_may_be_a_number_and_nothing_else() -> None:
    assert without_numbers("the number +12125550101 is already in row 1,234") == (
        "the number +1212•••••01 is already in row 1,234"
    )
    assert without_numbers("'(212) 555-0100' is\nno number") == "'(212) •••-••00' is?no number"


@pytest.mark.parametrize(
    ("role", "cell", "shown"),
    [
        ("phone", "+1 212 555 0101", "+1 212 ••• ••01"),
        ("phone", "Ada 212 555 0101", "A•• 212 ••• ••01"),
        ("full_name", "Abbott, Ada", "A. A."),
        ("first_name", "zoë", "Z."),
        ("timezone", "Europe/Paris", "Europe/Paris"),
        ("metadata", "12 Main Street", "1• M••• S•••••"),
        ("key", "c-1001", "c-1•••"),
    ],
)
def test_a_sample_shows_what_its_role_needs(role: str, cell: str, shown: str) -> None:
    assert sample(cell, role) == shown


def test_what_steers_a_terminal_is_shown_as_a_question_mark() -> None:
    assert shape("a\x1b[2Jb") == "a?[2••"
    assert initials("\x1bAda") == "A."


def test_what_is_too_long_says_so() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"
    assert first_few(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_few(["a", "b"], 2) == "a, b"
