"""Cells that begin like formulas: written so that nothing runs them, read so that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.core.cells import as_meant, inert, inert_phone

FORMULA_LIKE = st.text("='+-@\t|%＝\u200b\ufeff 1a", max_size=8).map(str.strip)


@given(FORMULA_LIKE | st.text(max_size=8).map(str.strip))
def test_a_cell_of_a_list_that_was_made_harmless_is_read_as_it_was(cell: str) -> None:
    assert as_meant(inert(cell)) == cell
    assert as_meant(inert_phone(cell)) == cell


@pytest.mark.parametrize("cell", ["'tis", "O'Hara", "'", "''", "'quoted'", "'0821234567"])
def test_an_apostrophe_before_anything_else_is_one(cell: str) -> None:
    assert as_meant(cell) == cell == inert(cell)


def test_a_cell_that_has_the_mark_already_gets_one_more() -> None:
    assert inert("'=1+1") == "''=1+1"
    assert as_meant("'=1+1") == "=1+1"
