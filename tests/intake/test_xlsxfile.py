"""Workbooks: every digit of a number, days as ISO 8601, the sheet that is meant, and one line where there is none."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from dialer.core.errors import ContactsError
from dialer.intake.sources import find
from dialer.intake.xlsxfile import XlsxFile, text_of
from tests.support.workbooks import DAY_STYLE, workbook
from tests.support_rows import judged


def _opened(directory: Path, content: bytes, sheet: str | None = None) -> XlsxFile:
    path = directory / "list.xlsx"
    path.write_bytes(content)
    (source,) = find([("list.xlsx", path)])
    assert source.is_workbook
    return XlsxFile(source, sheet)


def test_numbers_keep_their_digits_and_days_are_days(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["phone", "day", "yes", "price"],
        [27821234567, (46066, DAY_STYLE), True, 1.5],
        ["+27821234567", (46066.5, DAY_STYLE), False, -3],
    ]
    table = _opened(tmp_path, workbook({"People": rows}))
    assert table.headers == ("phone", "day", "yes", "price")
    assert [row.cells for row in table.rows()] == [
        ["27821234567", "2026-02-13", "TRUE", "1.5"],
        ["+27821234567", "2026-02-13 12:00:00", "FALSE", "-3"],
    ]
    assert [row.number for row in table.rows()] == [2, 3]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (27821234567.0, "27821234567"),
        (999_999_999_999_999.0, "999999999999999"),
        (1e15, "1.000000E+15"),
        (0.1, "0.1"),
        (-0.0, "0"),
        (float("nan"), "nan"),
        (True, "TRUE"),
        ("1.5E+10", "1.5E+10"),
        (date(2026, 3, 4), "2026-03-04"),
        (datetime(2026, 3, 4), "2026-03-04"),  # noqa: DTZ001 - sheets know no zones
        (datetime(2026, 3, 4, 9, 30), "2026-03-04 09:30:00"),  # noqa: DTZ001 - as above
        (time(9, 30), "09:30:00"),
        (timedelta(hours=1), "1:00:00"),
    ],
)
def test_each_kind_of_cell_is_text(value: object, text: str) -> None:
    assert text_of(value) == text


def test_a_workbook_is_a_list_of_contacts_like_any_other(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["Vorname", "Handy"],
        ["Ada", 12125550100],
        ["Ben", "1.5E+10"],
        [],
        ["Cleo", "+12125550101"],
        ["Handy"],
    ]
    (ada, cleo), refused = judged(tmp_path, workbook({"Blatt": rows}), '[columns]\nregion = "US"\n')
    assert (ada.phone, ada.first_name, ada.row_number) == ("+12125550100", "Ada", 2)
    assert (cleo.phone, cleo.row_number) == ("+12125550101", 5)
    assert [(row.row_number, row.reason) for row in refused] == [(3, "phone_scientific"), (6, "phone_missing")]
    assert refused[0].raw == "Ben,1.5E+10"


def test_a_list_that_begins_further_down_and_to_the_right_keeps_its_row_numbers(tmp_path: Path) -> None:
    rows = [[], [], [None, "phone", "name"], [None, "+12125550100", "Ada"], [], [None, "+12125550101"]]
    table = _opened(tmp_path, workbook({"a": rows}))
    assert [(row.number, row.cells[0]) for row in table.rows()] == [(4, "+12125550100"), (6, "+12125550101")]
    assert table.headers == ("phone", "name")
    assert table.blank == 3


def test_the_first_sheet_that_is_visible_is_read_or_the_one_that_is_named(tmp_path: Path) -> None:
    book = workbook({"old": [["a"], ["1"]], "new": [["b"], ["2"]], "last": [["c"], ["3"]]}, hidden=["old"])
    assert _opened(tmp_path, book).headers == ("b",)
    assert _opened(tmp_path, book, "last").headers == ("c",)
    assert _opened(tmp_path, book, "old").headers == ("a",)
    assert "'new'" in _opened(tmp_path, book).notes[0].text


@pytest.mark.parametrize(
    ("content", "sheet", "said"),
    [
        (workbook({"a": [["x"]]}), "b", "there is no sheet 'b'; the sheets are: a"),
        (workbook({"a": []}), None, "the sheet 'a' is empty"),
        (workbook({"a": [["x"]]}, hidden=["a"]), None, "no sheet is visible"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_told(tmp_path: Path, content: bytes, sheet: str | None, said: str) -> None:
    with pytest.raises(ContactsError) as caught:
        _opened(tmp_path, content, sheet)
    assert said in str(caught.value)


def test_a_damaged_workbook_is_told_in_one_line(tmp_path: Path) -> None:
    good = workbook({"a": [["phone"], ["+12125550100"]]})
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in ("xl/workbook.xml", "xl/worksheets/sheet1.xml"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for part, content in parts.items():
                archive.writestr(part, content[: len(content) // 2] if part == name else content)
        with pytest.raises(ContactsError) as caught:
            list(_opened(tmp_path, file.getvalue()).rows())
        assert "\n" not in str(caught.value)
        assert "list.xlsx" in str(caught.value)


def test_a_workbook_within_an_archive_is_read_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("people.xlsx", workbook({"a": [["phone"], ["+12125550100"]]}))
    (source,) = find([("a.zip", tmp_path / "a.zip")])
    assert (source.name, source.is_workbook) == ("a.zip/people.xlsx", True)
    assert [row.cells for row in XlsxFile(source).rows()] == [["+12125550100"]]
