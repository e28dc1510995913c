"""The same tables in four formats: the same rows, with types where the format has them, and nothing that runs."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from dialer.core.errors import UserError
from dialer.ledger.reading import open_reader
from dialer.reports import FORMATS, Wish, Written, csvfile, parquetfile, write_reports, xlsxfile
from dialer.reports.columns import ATTEMPTS, OUTCOMES, TABLES, as_markdown, names
from dialer.reports.tables import Table, outcomes
from tests.reports.test_reports import PAYLOADS
from tests.support.people import TEXTS, eight_people
from tests.support_rows import NOON, enroll, opened, person, phone, put

OURS = list(names(OUTCOMES))


def _written(directory: Path, wish: Wish, said: list[str] | None = None) -> Written:
    with open_reader(eight_people(directory)) as reader:
        return write_reports(
            reader, "spring", directory / "out", NOON + 100, wish, (said if said is not None else []).append
        )


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _sheets(path: Path) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_every_format_has_every_table_and_the_same_rows(tmp_path: Path) -> None:
    written = _written(tmp_path, Wish(FORMATS))
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {*written.rows, "summary.json", "report.html"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    for table in TABLES:
        rows = len(_csv(out / f"{table}.csv"))
        assert pq.read_metadata(out / f"{table}.parquet").num_rows == rows
        assert len((out / f"{table}.jsonl").read_text("utf-8").splitlines()) == rows
        assert len(_sheets(out / f"{table}.xlsx")[table]) == rows + 1
        assert {written.rows[f"{table}.{suffix}"] for suffix in FORMATS} == {rows}
    assert len(_csv(out / "outcomes.csv")) + len(_csv(out / "rejected.csv")) == len(TEXTS) + 1


def test_without_a_word_tables_are_csv_and_other_files_are_left_alone(tmp_path: Path) -> None:
    _written(tmp_path, Wish(("jsonl",)))
    old = (tmp_path / "out" / "outcomes.jsonl").read_bytes()
    (tmp_path / "spring.db").unlink()
    for left in tmp_path.glob("spring.db*"):
        left.unlink()
    assert set(_written(tmp_path, Wish()).rows) == {f"{table}.csv" for table in TABLES}
    assert (tmp_path / "out" / "outcomes.jsonl").read_bytes() == old


def test_parquet_keeps_types_to_the_microsecond(tmp_path: Path) -> None:
    _written(tmp_path, Wish(("parquet",)))
    table = pq.read_table(tmp_path / "out" / "outcomes.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["first_attempt_at"] == types["next_attempt_at"] == "timestamp[us, tz=UTC]"
    assert (types["attempts"], types["cost"], types["phone"], types["note"]) == ("int64", "double", "string", "string")
    assert table.schema.field("cost").metadata[b"description"]
    row = table.to_pylist()[0]
    assert row["last_attempt_at"] == datetime.fromtimestamp(NOON, UTC)
    assert (row["duration_s"], row["cost"], row["note"], row["phone"]) == (30.5, 0.1, "=1+1", phone(0))


def test_json_lines_keep_types_and_nested_cells_and_steer_no_terminal(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        odd = "Zoë\u202e\u2028\x9b2J\x1b"
        nested: dict[str, Any] = {"extra": {"plan": ["a", 1, None]}}
        enroll(
            ledger,
            record,
            [person(0, None, note=odd)._replace(cells={"phone": phone(0), "note": odd, **nested})],
            columns=["phone", "note", "extra"],
        )
        with open_reader(ledger.path) as reader:
            write_reports(reader, "spring", tmp_path / "out", NOON, Wish(("jsonl", "csv")))
    text = (tmp_path / "out" / "outcomes.jsonl").read_text("utf-8")
    assert not set("\u202e\u2028\x9b\x1b") & set(text)
    (line,) = text.splitlines()
    row = json.loads(line)
    assert (row["note"], row["extra"]) == (odd, nested["extra"])
    assert (row["attempts"], row["cost"], row["first_attempt_at"], row["state"]) == (0, None, None, "queued")
    assert json.loads(_csv(tmp_path / "out" / "outcomes.csv")[0]["extra"]) == nested["extra"]


def test_json_lines_have_whole_numbers_and_moments_as_csv_has_them(tmp_path: Path) -> None:
    _written(tmp_path, Wish(("jsonl",)))
    rows = [json.loads(line) for line in (tmp_path / "out" / "outcomes.jsonl").read_text("utf-8").splitlines()]
    assert list(rows[0]) == ["input_phone", "note", "points", *OURS]
    assert rows[0]["first_attempt_at"] == "2026-02-25T12:00:00+00:00"
    assert (rows[3]["duration_s"], rows[0]["duration_s"], rows[4]["cost"]) == (5, 30.5, 0.3)


# --- workbooks -----------------------------------------------------------------------------------------------------


def test_a_workbook_has_real_dates_numbers_and_text_that_keeps_its_zeros(tmp_path: Path) -> None:
    _written(tmp_path, Wish(("xlsx",)))
    sheets = _sheets(tmp_path / "out" / "outcomes.xlsx")
    assert list(sheets) == ["outcomes", "About"]
    header, first, *rest = sheets["outcomes"]
    row = dict(zip(header, first, strict=True))
    assert row["last_attempt_at"] == datetime(2026, 2, 25, 12)  # noqa: DTZ001 - a workbook has no zones
    assert (row["phone"], row["input_phone"], row["cost"], row["attempts"]) == (phone(0), phone(0), 0.1, 1)
    assert [line[header.index("note")] for line in (first, *rest)] == list(TEXTS)
    assert rest[0][header.index("points")] == "10"  # a cell of the list is text
    about = {line[0]: line for line in sheets["About"] if len(line) > 2}
    assert about["cost"][2]


def _everywhere(directory: Path, payloads: list[str]) -> Path:
    """A ledger in which payloads stand in cells, headers, file names and the API's words."""
    with opened(directory) as ledger:
        record = put(ledger)
        people = [person(index, None, **{"first_name": text, "=note": text}) for index, text in enumerate(payloads)]
        enroll(ledger, record, people, columns=["phone", "first_name", "=note"])
        return ledger.path


MARKUP = ['<r></is></c><c r="Z9"><f>1+1</f></c></r>', "http://evil.example", "_x0041_", "a\x0bb", "&<>", " x "]


def test_nothing_in_a_workbook_is_a_formula_or_a_link_and_every_text_is_what_it_was(tmp_path: Path) -> None:
    payloads = [*PAYLOADS, *MARKUP]
    with open_reader(_everywhere(tmp_path, payloads)) as reader:
        write_reports(reader, "spring", tmp_path / "out", NOON, Wish(("xlsx",)))
    header, *rows = _sheets(tmp_path / "out" / "outcomes.xlsx")["outcomes"]
    assert "=note" in header
    said = [row[header.index("first_name")] for row in rows]
    assert [text.replace("\r", "\n") for text in said] == [text.replace("\r", "\n") for text in payloads]
    assert [row[header.index("phone")] for row in rows] == [phone(index) for index in range(len(payloads))]
    with zipfile.ZipFile(tmp_path / "out" / "outcomes.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert not re.search(r"<f[ >]|<hyperlink", sheet)
        assert not [name for name in book.namelist() if "rels" in name and "sheet1" in name]


def test_a_full_sheet_goes_on_in_another(tmp_path: Path) -> None:
    with open_reader(eight_people(tmp_path)) as reader:
        table = outcomes(reader, reader.campaign("spring"))
        assert xlsxfile.write(tmp_path / "t.xlsx", table, print, sheet_rows=3) == len(TEXTS)
    sheets = _sheets(tmp_path / "t.xlsx")
    assert {name: len(rows) - 1 for name, rows in sheets.items() if name != "About"} == {
        "outcomes": 3,
        "outcomes 2": 3,
        "outcomes 3": 2,
    }
    assert [path.name for path in tmp_path.glob(".t.xlsx*")] == []


def test_a_sheet_that_is_just_full_is_not_followed_by_an_empty_one(tmp_path: Path) -> None:
    with open_reader(eight_people(tmp_path)) as reader:
        xlsxfile.write(tmp_path / "t.xlsx", outcomes(reader, reader.campaign("spring")), print, sheet_rows=8)
    assert list(_sheets(tmp_path / "t.xlsx")) == ["outcomes", "About"]


@pytest.mark.parametrize(("text", "kept"), [("a" * 40_000, 32_767), ("\U0001f4de" * 20_000, 16_383)])
def test_what_a_cell_cannot_hold_is_cut_and_that_is_said(tmp_path: Path, text: str, kept: int) -> None:
    table = Table("outcomes", (OUTCOMES[-1],), iter([[[text, "b"]]]))
    said: list[str] = []
    xlsxfile.write(tmp_path / "t.xlsx", table, said.append)
    assert _sheets(tmp_path / "t.xlsx")["outcomes"][1] == [text[:kept]]
    assert len(said) == 1
    assert "1 cells are longer" in said[0]


def test_that_a_sheet_will_not_hold_all_rows_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsxfile, "SHEET_ROWS", 5)
    said: list[str] = []

    def heard(note: str) -> None:
        said.append(note)
        assert not (tmp_path / "out").exists()

    with open_reader(eight_people(tmp_path)) as reader:
        write_reports(reader, "spring", tmp_path / "out", NOON, Wish(("xlsx",)), heard)
    assert [note.partition(":")[0] for note in said] == ["outcomes.xlsx", "attempts.xlsx"]


# --- the one place that knows the columns --------------------------------------------------------------------------


def test_the_page_of_columns_is_what_the_tables_are() -> None:
    page = Path(__file__).parents[2] / "docs" / "columns.md"
    assert page.read_text("utf-8") == as_markdown(), "write dialer.reports.columns.as_markdown() there"


def test_a_format_that_there_is_not_is_one_line_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--format 'pdf': there are csv, parquet, xlsx, jsonl"):
        _written(tmp_path, Wish(("csv", "pdf")))
    assert not (tmp_path / "out").exists()


def test_all_columns_of_attempts_are_documented() -> None:
    assert all(column.meaning for columns in TABLES.values() for column in columns)
    assert len(set(names(ATTEMPTS))) == len(ATTEMPTS)


_CELLS = st.none() | st.text(st.sampled_from("ab,;\"\r\n\t '\0\u2028")) | st.text() | st.integers() | st.floats()


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[_CELLS] * width), min_size=1)))
def test_csv_is_what_the_csv_module_writes_for_the_same_rows(rows: list[tuple[Any, ...]]) -> None:
    expected = io.StringIO(newline="")
    csv.writer(expected, lineterminator="\r\n").writerows(rows)
    assert csvfile.lines(list(zip(*rows, strict=True))) == expected.getvalue()


def test_moments_in_parquet_are_rounded_as_python_rounds_them(tmp_path: Path) -> None:
    moments = [None, 0.0, NOON + 0.25, NOON + 1 / 3, *(NOON + nth * 0.3000005 for nth in range(5_000))]
    moments += [nth / 2_000_000 for nth in range(1_000)]  # halves of a microsecond
    field = next(column for column in OUTCOMES if column.name == "last_attempt_at")
    parquetfile.write(tmp_path / "moments.parquet", Table("outcomes", (field,), iter([[moments]])))
    read = pq.read_table(tmp_path / "moments.parquet").column(0).cast("int64").to_pylist()
    assert read == [None if moment is None else round(moment * 1_000_000) for moment in moments]
