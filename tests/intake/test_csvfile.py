"""Lists as spreadsheets and exports write them, and one sentence about those that are broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.core.errors import ContactsError
from dialer.intake.csvfile import CsvFile
from dialer.intake.sources import find
from tests.support_rows import list_of

ROWS = [("Ada", "+12125550100"), ("Ben", "+12125550101")]


def _opened(path: Path, encoding: str | None = None, delimiter: str | None = None) -> CsvFile:
    (source,) = find([(str(path), path)])
    return CsvFile(source, encoding, delimiter)


def _rows(table: CsvFile) -> list[tuple[str, ...]]:
    return [tuple(row.cells) for row in table.rows()]


def _complaint(directory: Path, content: str | bytes) -> str:
    """What is said about a list, when it is opened or when its rows are read."""
    path = list_of(directory, content)
    with pytest.raises(ContactsError) as caught:
        list(_opened(path).rows())
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
    table = _opened(list_of(tmp_path, mark + end.join(lines).encode() + end.encode()))
    assert table.headers == ("naïve name", "phone")
    assert _rows(table) == ROWS


def test_a_list_of_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, "phone\n+12125550100\n+12125550101"))
    assert table.headers == ("phone",)
    assert _rows(table) == [("+12125550100",), ("+12125550101",)]


def test_quoted_cells_keep_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, 'name,phone\n"Abbott, ""Ada""\nB.",+12125550100\n'))
    (row,) = table.rows()
    assert row.cells == ['Abbott, "Ada"\nB.', "+12125550100"]
    assert row.lines == 2
    assert table.raw(row.cells) == '"Abbott, ""Ada""\nB.",+12125550100'


def test_a_raw_row_reads_back_as_the_row_it_was(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, 'name,phone\n"Ada\nB.",12\n'))
    (row,) = table.rows()
    assert table.raw(row.cells) == '"Ada\nB.",12'


def test_rows_can_be_read_again_and_count_from_the_header(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, "phone\n1\n2\n3\n"))
    assert [row.number for row in table.rows()] == [2, 3, 4]
    assert [row.number for row in table.rows()] == [2, 3, 4]


def test_a_blank_line_counts_as_a_row_as_it_does_in_a_spreadsheet(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, "phone,name\n+12125550100,Ada\n\n+12125550101,Ben\n"))
    assert [row.number for row in table.rows()] == [2, 4]


def test_blank_lines_above_the_header_do_not_hide_the_delimiter(tmp_path: Path) -> None:
    assert _opened(list_of(tmp_path, "\n\nname;phone\nAda;+12125550100\n")).headers == ("name", "phone")


def test_a_comma_inside_a_quoted_header_is_no_delimiter(tmp_path: Path) -> None:
    assert _opened(list_of(tmp_path, '"Last, First";phone\n"B, A";+12125550100\n')).headers == ("Last, First", "phone")


def test_headers_are_trimmed_named_and_told_apart(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, " phone ,city,city,,city\n"))
    assert table.headers == ("phone", "city", "city (2)", "column 4", "city (3)")


def test_a_repeated_header_is_recognised(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, "phone,city\n+12125550100,Paris\nphone,city\n"))
    assert [table.is_header(row.cells) for row in table.rows()] == [False, True]


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "   \n", ",,,\n", b"\xef\xbb\xbf", '""\n'],
    ids=["nothing", "blank lines", "spaces", "commas", "only BOM", "empty quotes"],
)
def test_a_list_without_a_header_is_called_empty(tmp_path: Path, content: str | bytes) -> None:
    assert "the list is empty" in _complaint(tmp_path, content)


def test_a_list_with_only_a_header_has_no_rows(tmp_path: Path) -> None:
    assert _rows(_opened(list_of(tmp_path, "phone,name"))) == []


def test_an_unterminated_quote_names_its_line(tmp_path: Path) -> None:
    said = _complaint(tmp_path, 'phone,city\n+12125550100,Paris\n+12125550101,"Rome\n')
    assert "line 3:" in said
    assert "quotation mark" in said


def test_text_behind_a_closing_quote_names_its_line(tmp_path: Path) -> None:
    said = _complaint(tmp_path, 'phone,city\n+12125550100,Paris\n+12125550101,"Ro"me\n+12125550102,Oslo\n')
    assert "line 3:" in said


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_text_of_other_widths_is_read_with_and_without_its_mark(tmp_path: Path, encoding: str) -> None:
    table = _opened(list_of(tmp_path, "name,phone\nZoë,+12125550100\n電話,+12125550101\n".encode(encoding)))
    assert _rows(table) == [("Zoë", "+12125550100"), ("電話", "+12125550101")]


def test_a_list_that_is_not_utf8_is_read_as_windows_1252_and_shows_a_line_to_judge_it_by(tmp_path: Path) -> None:
    rows = "".join(f"+1212555{index:04d},Paris\n" for index in range(2_000))
    table = _opened(list_of(tmp_path, b"phone,city\n" + rows.encode() + "+12125559999,Zürich\n".encode("cp1252")))
    assert _rows(table)[-1] == ("+12125559999", "Zürich")
    (note,) = table.notes
    assert note.code == "read_as_cp1252"
    assert "'+12125559999,Zürich'" in note.text
    assert "[columns] encoding" in note.text


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp1251", "Иван"), ("shift_jis", "電話"), ("iso2022_jp", "電話"), ("latin-1", "Zoë")]
)
def test_a_named_encoding_is_used_where_the_list_is_no_utf8(tmp_path: Path, encoding: str, text: str) -> None:
    content = f"name,phone\n{text},+12125550100\n"
    table = _opened(list_of(tmp_path, content.encode(encoding)), encoding)
    assert _rows(table) == [(text, "+12125550100")]
    assert [note.code for note in table.notes] == ["encoding"]
    if encoding != "iso2022_jp":  # which passes for ASCII, and so must be believed
        assert _rows(_opened(list_of(tmp_path, content), encoding)) == [(text, "+12125550100")]


@pytest.mark.parametrize(
    ("content", "encoding", "line"),
    [
        (
            b"phone,city\n+12125550100,Rome\n+12125550101,\x81\x8d\n",
            None,
            "line 3: not UTF-8 text, and not Windows-1252",
        ),
        (b"phone,city\n+12125550100,\x82\n", "shift_jis", "line 2: neither UTF-8 nor shift_jis"),
        (b"\xef\xbb\xbfphone,city\n+12125550100,\xe9\n", None, "line 2: not utf-8-sig text"),
        ("phone\n+12125550100\n".encode("utf-16")[:-1], None, "not utf-16 text"),
    ],
)
def test_text_that_is_in_no_encoding_is_refused_with_its_line_and_a_remedy(
    tmp_path: Path, content: bytes, encoding: str | None, line: str
) -> None:
    with pytest.raises(ContactsError) as caught:
        _opened(list_of(tmp_path, content), encoding)
    assert line in str(caught.value)
    assert "[columns] encoding" in str(caught.value) or "export it again" in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [";", ",", "|", "\t", "^"])
def test_the_line_sep_names_the_delimiter_and_is_no_row(tmp_path: Path, mark: str, end: str) -> None:
    lines = [f"sep={mark}", f"a{mark}phone", f"x, y; z{mark}+12125550100"] if mark in "|\t^" else [f"sep={mark}"]
    lines += [] if len(lines) > 1 else [f"a{mark}phone", f"x{mark}+12125550100"]
    table = _opened(list_of(tmp_path, end.join(lines) + end))
    assert table.headers == ("a", "phone")
    assert [(row.number, row.cells[1]) for row in table.rows()] == [(2, "+12125550100")]


def test_the_delimiter_is_the_one_that_cuts_all_rows_alike(tmp_path: Path) -> None:
    prices = "name;phone;price, EUR\n" + "Ada, B;+12125550100;1,50\n" * 5
    assert _opened(list_of(tmp_path, prices)).headers == ("name", "phone", "price, EUR")
    notes = "phone\tnote; one, two; three\n" + "+12125550100\tgood; very, very\n+12125550101\tbad\n"
    assert _opened(list_of(tmp_path, notes)).headers == ("phone", "note; one, two; three")


def test_a_named_delimiter_outranks_what_was_found(tmp_path: Path) -> None:
    assert _opened(list_of(tmp_path, "a,phone~b\n1,2~3\n"), delimiter="~").headers == ("a,phone", "b")


def test_mixed_line_ends_are_line_ends(tmp_path: Path) -> None:
    assert _rows(_opened(list_of(tmp_path, "a,b\r1,2\n3,4\r\n5,6"))) == [("1", "2"), ("3", "4"), ("5", "6")]


def test_blank_lines_are_counted_and_are_no_rows(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, "\na,b\n\n1,2\n\n\n"))
    assert _rows(table) == [("1", "2")]
    assert table.blank == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('phone,city\n1,"Rome\n2,Oslo\n3,Bonn\n', "line 2: a quotation mark is opened here and never closed"),
        ('phone,city\n1,"A ""b"" c"\n2,"Rome\n3,x\n', "line 3: a quotation mark is opened here and never closed"),
        ('phone,city\n1,"Rome\n2,"Oslo"\n3,Bonn\n', "line 2 to 3: text stands behind a closing quotation mark"),
        ('sep=,\nphone,city\n1,"Rome\n', "line 3: a quotation mark is opened here and never closed"),
        ('phone,city\n1,x\n2,"' + "Rome\n" * 30_000, "line 3: a cell is longer than 131,072 characters"),
    ],
)
def test_a_quote_left_open_names_the_line_where_it_was_opened(tmp_path: Path, content: str, said: str) -> None:
    assert said in _complaint(tmp_path, content)


def test_a_reading_tells_how_far_it_has_come(tmp_path: Path) -> None:
    table = _opened(list_of(tmp_path, "phone\n" + "+12125550100\n" * 30_000))
    seen = [table.position for _ in table.rows()]
    assert seen == sorted(seen)
    assert 0 < seen[len(seen) // 2] < table.size
    assert table.position == table.size


def test_a_cell_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    assert "line 2" in _complaint(tmp_path, f"phone,note\n+12125550100,{'x' * 140_000}\n")


def test_a_missing_list_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(ContactsError, match="there is no such contact list"):
        _opened(tmp_path / "gone.csv")
    with pytest.raises(ContactsError, match="this is a directory"):
        _opened(tmp_path)
