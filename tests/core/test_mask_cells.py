"""Numbers in files as others may see them."""

from __future__ import annotations

import pytest

from dialer.core.masks import masked, masked_cell


@pytest.mark.parametrize(
    ("phone", "shown"), [("+12125550101", "+1212•••0101"), ("+442079460018", "+44207•••0018"), ("+1234567", "•••")]
)
def test_a_number_is_known_to_whoever_knows_it(phone: str, shown: str) -> None:
    assert masked(phone) == shown


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("+12125550101", "+1212•••0101"),
        ("(212) 555-0101", "(212) •••-••01"),
        ("Ada, home 2125550101", "Ada, home 212•••••01"),
        ("2026-12-01 09:30", "2026-12-01 09:30"),
        ("2026-12-01T09:30:00+02:00", "2026-12-01T09:30:00+02:00"),
        ("row 1,234", "row 1,234"),
        ("", ""),
    ],
)
def test_a_cell_hides_numbers_in_any_writing_and_leaves_days(cell: str, shown: str) -> None:
    assert masked_cell(cell) == shown
