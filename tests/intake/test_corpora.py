"""Lists that other projects collected because they are hard to read: each is read right, or refused in one line.

They hold no phone numbers, so what is compared are headers and rows.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.core.columns import Columns
from dialer.core.errors import ContactsError
from dialer.intake import Intake, open_table
from dialer.intake.sources import find
from dialer.ledger import NewContact
from tests.fuzz.__main__ import corpora
from tests.support.lists import campaign_of, some_list, try_list
from tests.support_rows import NOON, opened, put

CORPORA = Path(__file__).parent / "corpora"
EXPECTED: dict[str, Any] = json.loads((CORPORA / "expected.json").read_text("utf-8"))
SPECTRUM = sorted((CORPORA / "csv-spectrum").glob("*.csv"))


def _tables(path: Path) -> list[list[list[str]]]:
    tables = [open_table(source, Columns()) for source in find([(str(path), path)])]
    return [[list(table.headers), *(row.cells for row in table.rows())] for table in tables]


@pytest.mark.parametrize("path", SPECTRUM, ids=lambda path: path.stem)
def test_the_spectrum_is_read_as_it_says(path: Path) -> None:
    said = json.loads(path.with_suffix(".json").read_text("utf-8"))
    (found,) = _tables(path)
    rows = [dict(zip(found[0], row, strict=True)) for row in found[1:]]
    assert rows == (said if isinstance(said, list) else [said])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_list_of_another_project_is_read_right_or_refused_with_its_name(name: str) -> None:
    expected = EXPECTED[name]
    if isinstance(expected, str):
        with pytest.raises(ContactsError) as caught:
            _tables(CORPORA / name)
        assert str(caught.value).endswith(expected)
        return
    for found, wanted in zip(_tables(CORPORA / name), expected, strict=True):
        assert found[: len(wanted)] == wanted


def test_every_list_of_the_corpora_is_expected_to_be_something() -> None:
    lists = {path for path in CORPORA.rglob("*") if path.is_file() and path.suffix not in {".json", ".md"}}
    assert lists == {CORPORA / name for name in EXPECTED} | set(SPECTRUM)


def test_lists_of_the_corpora_with_broken_bytes_do_no_more_harm_than_one_line() -> None:
    assert 100 < corpora(300, 1) < 300


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
def test_of_a_damaged_list_every_row_is_a_contact_or_rejected_and_nothing_else_escapes(seed: int) -> None:
    with tempfile.TemporaryDirectory() as home:
        written = some_list(random.Random(seed))
        read = try_list(Path(home), written)
        if read is None:
            return
        rows, intake = read
        assert Intake(campaign_of(Path(home), written)).digest() == intake.digest()
        if not any(isinstance(row, NewContact) for row in intake.read(NOON)):
            return
        with opened(Path(home)) as ledger:
            result = intake.enroll(ledger, put(ledger), NOON)
            assert result is not None
            assert result.rows == rows
