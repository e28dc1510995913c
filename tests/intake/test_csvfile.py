"""Lists as spreadsheets and exports write them, and one sentence about those that are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.core.errors import ContactsError
from dialer.intake.csvfile import CsvFile
from tests.support_rows import list_of

ROWS = [("Ada", "+12125550100"), ("Ben", "+12125550101")]


def _rows(table: CsvFile) -> list[tuple[str, ...]]:
    return [row.cells for row in table.rows()]


def _complaint(directory: Path, content: str | bytes) -> str:
    """What is said about a list, when it is opened or when its rows are read."""
    path = list_of(directory, content)
    with pytest.raises(ContactsError) as caught:
        list(CsvFile(path).rows())
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_mark_line_end_and_delimiter_do_not_matter(
    tmp_path: Path, mark: bytes, end: str, delimiter: str
) -> None:
    lines = [delimiter.join(cells) for cells in [("naïve name", "phone"), *ROWS]]
    table = CsvFile(list_of(tmp_path, mark + end.join(lines).encode() + end.encode()))
    assert table.headers == ("naïve name", "phone")
    assert _rows(table) == ROWS


def test_a_list_of_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    table = CsvFile(list_of(tmp_path, "phone\n+12125550100\n+12125550101"))
    assert table.headers == ("phone",)
    assert _rows(table) == [("+12125550100",), ("+12125550101",)]


def test_quoted_cells_keep_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    table = CsvFile(list_of(tmp_path, 'name,phone\n"Abbott, ""Ada""\nB.",+12125550100\n'))
    (row,) = table.rows()
    assert row.cells == ('Abbott, "Ada"\nB.', "+12125550100")
    assert row.raw == '"Abbott, ""Ada""\nB.",+12125550100'


def test_a_raw_row_reads_back_as_the_row_it_was(tmp_path: Path) -> None:
    table = CsvFile(list_of(tmp_path, 'name,phone\n"Ada\nB.",12\n'))
    (row,) = table.rows()
    assert row.raw == '"Ada\nB.",12'


def test_rows_can_be_read_again_and_count_from_the_header(tmp_path: Path) -> None:
    table = CsvFile(list_of(tmp_path, "phone\n1\n2\n3\n"))
    assert [row.number for row in table.rows()] == [2, 3, 4]
    assert [row.number for row in table.rows()] == [2, 3, 4]


def test_a_blank_line_counts_as_a_row_as_it_does_in_a_spreadsheet(tmp_path: Path) -> None:
    table = CsvFile(list_of(tmp_path, "phone,name\n+12125550100,Ada\n\n+12125550101,Ben\n"))
    assert [row.number for row in table.rows()] == [2, 4]


def test_blank_lines_above_the_header_do_not_hide_the_delimiter(tmp_path: Path) -> None:
    assert CsvFile(list_of(tmp_path, "\n\nname;phone\nAda;+12125550100\n")).headers == ("name", "phone")


def test_a_comma_inside_a_quoted_header_is_no_delimiter(tmp_path: Path) -> None:
    assert CsvFile(list_of(tmp_path, '"Last, First";phone\n"B, A";+12125550100\n')).headers == ("Last, First", "phone")


def test_headers_are_trimmed_named_and_told_apart(tmp_path: Path) -> None:
    table = CsvFile(list_of(tmp_path, " phone ,city,city,,city\n"))
    assert table.headers == ("phone", "city", "city (2)", "column 4", "city (3)")


def test_a_repeated_header_is_recognised(tmp_path: Path) -> None:
    table = CsvFile(list_of(tmp_path, "phone,city\n+12125550100,Paris\nphone,city\n"))
    assert [table.is_header(row) for row in table.rows()] == [False, True]


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "   \n", ",,,\n", b"\xef\xbb\xbf", '""\n'],
    ids=["nothing", "blank lines", "spaces", "commas", "only BOM", "empty quotes"],
)
def test_a_list_without_a_header_is_called_empty(tmp_path: Path, content: str | bytes) -> None:
    assert "the list is empty" in _complaint(tmp_path, content)


def test_a_list_with_only_a_header_has_no_rows(tmp_path: Path) -> None:
    assert _rows(CsvFile(list_of(tmp_path, "phone,name"))) == []


def test_an_unterminated_quote_names_its_line(tmp_path: Path) -> None:
    said = _complaint(tmp_path, 'phone,city\n+12125550100,Paris\n+12125550101,"Rome\n')
    assert "line 3:" in said
    assert "quotation mark" in said


def test_text_behind_a_closing_quote_names_its_line(tmp_path: Path) -> None:
    said = _complaint(tmp_path, 'phone,city\n+12125550100,Paris\n+12125550101,"Ro"me\n+12125550102,Oslo\n')
    assert "line 3:" in said


@pytest.mark.parametrize(
    "content",
    ["phone,city\n+12125550100,Zürich\n".encode("cp1252"), "phone\n+12125550100\n".encode("utf-16")],
    ids=["cp1252", "utf-16"],
)
def test_text_that_is_not_utf8_is_refused_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    said = _complaint(tmp_path, content)
    assert "not UTF-8" in said
    assert "save the list as" in said


def test_text_that_is_not_utf8_far_below_is_refused_too(tmp_path: Path) -> None:
    rows = "".join(f"+1212555{index:04d},Paris\n" for index in range(2_000))
    content = b"phone,city\n" + rows.encode() + "+12125559999,Zürich\n".encode("cp1252")
    said = _complaint(tmp_path, content)
    assert "near line" in said
    assert "not UTF-8" in said


def test_a_cell_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    assert "line 2" in _complaint(tmp_path, f"phone,note\n+12125550100,{'x' * 140_000}\n")


def test_a_missing_list_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(ContactsError, match="there is no such contact list"):
        CsvFile(tmp_path / "gone.csv")
    with pytest.raises(ContactsError, match="this is a directory"):
        CsvFile(tmp_path)
