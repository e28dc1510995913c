"""A full name as first and last name: no word of anybody's name is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.intake.names import split_name


@pytest.mark.parametrize(
    ("full", "first", "last"),
    [
        ("Ada", "Ada", ""),
        ("", "", ""),
        ("Ada Abbott", "Ada", "Abbott"),
        ("Ada Byron King", "Ada", "Byron King"),
        ("  Ada \t Abbott ", "Ada", "Abbott"),
        ("Abbott, Ada", "Ada", "Abbott"),
        ("van der Berg, Jan Peter", "Jan Peter", "van der Berg"),
        ("John Smith, Jr.", "John", "Smith, Jr."),
        ("Smith, John, Jr.", "Smith,", "John, Jr."),
        (", Ada", ",", "Ada"),
        ("Jan Peter van der Berg", "Jan Peter", "van der Berg"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("María de la Cruz", "María", "de la Cruz"),
        ("João dos Santos", "João", "dos Santos"),
        ("Otto von Bismarck", "Otto", "von Bismarck"),
        ("Van Morrison", "Van", "Morrison"),
        ("Kim Le", "Kim", "Le"),
        ("Dr. Ada Abbott", "Dr. Ada", "Abbott"),
        ("J. Smith", "J.", "Smith"),
        ("王小明", "王小明", ""),
    ],
)
def test_a_full_name_is_split_with_care(full: str, first: str, last: str) -> None:
    assert split_name(full) == (first, last)


@given(st.text(st.sampled_from("ab,. 王vandeJr"), max_size=20))
def test_no_part_of_a_name_is_lost(full: str) -> None:
    first, last = split_name(full)
    kept, given_ = Counter(first + last), Counter(full)
    for mark in {*given_} - set(" ,\t\n\r\v\f"):
        assert kept[mark] == given_[mark]
