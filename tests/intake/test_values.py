"""Consent, priority and nested metadata, as people write them; what is unclear is not guessed."""

from __future__ import annotations

import pytest

from dialer.intake.values import consent_of, nested, priority_of


@pytest.mark.parametrize("cell", ["yes", "Y", " TRUE ", "1", "ja", "Oui", "sí", "opt-in", "2026-03-04T09:30Z"])
def test_consent_that_is_given_is_understood(cell: str) -> None:
    assert consent_of(cell) is True


@pytest.mark.parametrize("cell", ["no", "N", "FALSE", "0", "nein", "non", "revoked", "opt-out", "Unsubscribed"])
def test_consent_that_is_not_given_is_understood(cell: str) -> None:
    assert consent_of(cell) is False


@pytest.mark.parametrize("cell", ["", "maybe", "03/04/2026", "pending", "yes, but", "2026-3-4"])
def test_what_is_neither_is_unclear(cell: str) -> None:
    assert consent_of(cell) is None


@pytest.mark.parametrize(("cell", "number"), [("3", 3), ("-1", -1), (" 10 ", 10), ("2.0", 2), ("high", None)])
def test_a_priority_is_a_whole_number(cell: str, number: int | None) -> None:
    assert priority_of(cell) == number
    assert priority_of("1.5") is None
    assert priority_of("9" * 30) is None


def test_nested_metadata_is_json() -> None:
    assert nested('{"plan": {"name": "pro", "seats": [1, 2]}}') == {"plan": {"name": "pro", "seats": [1, 2]}}


@pytest.mark.parametrize(
    "cell",
    [
        "pro",
        "1",
        '"x"',
        "null",
        "{",
        '{"a": NaN}',
        "[" * 30 + "]" * 30,
        "[" * 60_000,
        '{"a": Infinity}',
        '{"a": 1e999}',
        '["\\ud800"]',
    ],
)
def test_what_is_no_json_object_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        nested(cell)
