"""Conditions on columns: what they fit, and what is none."""

from __future__ import annotations

import pytest

from dialer.core.errors import UserError
from dialer.fetching.where import check_columns, parse


@pytest.mark.parametrize(
    ("text", "cell", "fits"),
    [
        ("disposition=completed", "completed", True),
        ("disposition=busy,completed", "completed", True),
        ("disposition!=busy,completed", "completed", False),
        ("disposition != busy", "completed", True),
        ("sentiment=", None, True),
        ("sentiment!=", None, False),
        ("sentiment=negative", None, False),
        ("duration_s>=30", 30.0, True),
        ("duration_s>30", 30.0, False),
        ("duration_s<100", 30.0, True),
        ("duration_s<=100", None, False),
        ("duration_s=30", 30.0, True),
        ("plan>9", "10", True),
        ("created_at>=2026-11-24", "2026-11-24T09:00:00+00:00", True),
        ("created_at<2026-11-24", "2026-11-24T09:00:00+00:00", False),
        ("note=a=b", "a=b", True),
        ("duration_s>=soon", 30.0, False),
    ],
)
def test_a_condition_fits_what_it_says(text: str, cell: object, fits: bool) -> None:
    assert parse(text).fits(cell) is fits


@pytest.mark.parametrize("text", ["", "state", "=reached", "duration_s>=", "=="])
def test_what_is_no_condition_is_told_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="--where"):
        parse(text)


def test_a_column_that_is_not_there_is_named_beside_those_that_are() -> None:
    with pytest.raises(UserError, match="--where mood: no such column; known here: state, sentiment"):
        check_columns([parse("state=reached"), parse("mood=good")], ["state", "sentiment"])
