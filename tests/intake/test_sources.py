"""What ``contacts`` may name: files, globs, archives, standard input; and archives that are made to do harm."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from dialer.core.campaign import read_campaign
from dialer.core.errors import ContactsError
from dialer.intake import Intake
from dialer.intake.sources import RATIO_FROM, Source, find
from tests.support_rows import NOON

LIST = b"phone\n+12125550100\n"


def _found(directory: Path, *said: str) -> list[Source]:
    return find([(name, directory / name) for name in said])


def _bytes(source: Source) -> bytes:
    with source.open() as file:
        return file.read()


def _zip(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _refused(directory: Path, *said: str) -> str:
    with pytest.raises(ContactsError) as caught:
        list(map(_bytes, _found(directory, *said)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_several_files_and_globs_are_read_in_order_each_once(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_bytes(LIST)
    (tmp_path / "d.csv").mkdir()
    assert [source.name for source in _found(tmp_path, "c.txt", "*.csv", "a.csv")] == ["c.txt", "a.csv", "b.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "list[1].csv").write_bytes(LIST)
    (tmp_path / "list1.csv").write_bytes(LIST)
    assert [source.name for source in _found(tmp_path, "list[1].csv")] == ["list[1].csv"]


def test_lists_of_the_same_name_are_called_by_their_paths(tmp_path: Path) -> None:
    for name in ("jan", "feb"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "list.csv").write_bytes(LIST)
    names = [source.name for source in _found(tmp_path, "*/list.csv")]
    assert names == [str(tmp_path / "feb" / "list.csv"), str(tmp_path / "jan" / "list.csv")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("*.xls", "no contact list has such a name"),
        ("gone.csv", "there is no such contact list"),
        (".", "this is a directory"),
    ],
)
def test_a_name_that_is_no_list_is_told(tmp_path: Path, name: str, said: str) -> None:
    assert said in _refused(tmp_path, name)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file"),
        (b"%PDF-1.7", "a PDF"),
        (b"Rar!\x1a\x07", "RAR"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"PK\x05\x06" + b"\0" * 18, "an empty archive"),
        (b"PK\x03\x04 and then nothing", "a damaged archive"),
        (b"\x1f\x8b\x08 and then nothing", "cannot be unpacked"),
        (gzip.compress(LIST * 100, mtime=0)[:40], "cannot be unpacked"),
        (gzip.compress(gzip.compress(LIST, mtime=0), mtime=0), "packed twice"),
    ],
)
def test_what_is_no_list_is_known_by_its_first_bytes_whatever_it_is_called(
    tmp_path: Path, start: bytes, said: str
) -> None:
    (tmp_path / "list.csv").write_bytes(start)
    assert said in _refused(tmp_path, "list.csv")


def test_gzip_and_zip_are_unpacked_each_time_from_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(LIST))
    members = {
        "z.csv": LIST,
        "b/a.tsv": b"phone\tx\n",
        "read me.md": b"#",
        "__MACOSX/._z.csv": b"\0",
        ".hidden.csv": b"x",
    }
    _zip(tmp_path / "b.zip", members)
    found = _found(tmp_path, "a.csv.gz", "b.zip")
    assert [source.name for source in found] == ["a.csv.gz", "b.zip/b/a.tsv", "b.zip/z.csv"]
    assert [_bytes(source) for source in found] == [LIST, b"phone\tx\n", LIST]
    assert [_bytes(source) for source in found] == [LIST, b"phone\tx\n", LIST]


@pytest.mark.parametrize("name", ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"])
def test_an_archive_whose_names_lead_out_of_it_is_not_trusted(tmp_path: Path, name: str) -> None:
    _zip(tmp_path / "list.zip", {"good.csv": LIST, name: LIST})
    assert "is not to be trusted" in _refused(tmp_path, "list.zip")


def test_an_archive_without_a_list_or_with_an_archive_in_it_is_told(tmp_path: Path) -> None:
    _zip(tmp_path / "a.zip", {"photo.jpg": b"x"})
    assert "there is no list" in _refused(tmp_path, "a.zip")
    _zip(tmp_path / "b.zip", {"a.csv": (tmp_path / "a.zip").read_bytes()})
    assert "there is no list" in _refused(tmp_path, "b.zip")
    _zip(tmp_path / "c.zip", {"a.csv": gzip.compress(LIST)})
    assert "no list of text" in _refused(tmp_path, "c.zip")
    _zip(tmp_path / "d.zip", {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"})
    assert "no Excel workbook" in _refused(tmp_path, "d.zip")


def test_a_bomb_is_refused_by_what_it_says_or_by_what_comes_out_of_it(tmp_path: Path) -> None:
    flood = bytes(RATIO_FROM * 2)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(flood))
    assert "unpacks to more than" in _refused(tmp_path, "bomb.csv.gz")
    _zip(tmp_path / "bomb.zip", {"list.csv": flood})
    assert "times its size" in _refused(tmp_path, "bomb.zip")
    said = (tmp_path / "bomb.zip").read_bytes()
    size = len(flood).to_bytes(4, "little")
    (tmp_path / "liar.zip").write_bytes(said.replace(size, (100).to_bytes(4, "little")))
    read = b""
    with suppress(ContactsError):
        read = b"".join(map(_bytes, _found(tmp_path, "liar.zip")))
    assert len(read) <= 100, "who reads it gets no more than it said, if anything"


def test_many_files_in_an_archive_are_refused(tmp_path: Path) -> None:
    _zip(tmp_path / "list.zip", {f"{number}.csv": b"" for number in range(1_001)})
    assert "more than 1,000" in _refused(tmp_path, "list.zip")


class _Pipe(io.TextIOWrapper):
    """Standard input that is no terminal."""


def _intake(directory: Path, contacts: str, text: str = "") -> Intake:
    head = f'name = "any"\ncontacts = {contacts}\nagents = "x"\nhours = "always"\n'
    return Intake(read_campaign(head + text, directory / "campaign.toml"))


@pytest.mark.parametrize("content", [LIST, gzip.compress(LIST)], ids=["plain", "gzip"])
def test_standard_input_is_a_list_that_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(sys, "stdin", _Pipe(io.BytesIO(content)))
    intake = _intake(tmp_path, '"-"')
    assert intake.headers == ("phone",)
    first, second = list(intake.read(NOON)), list(intake.read(NOON))
    assert first == second
    assert [(row.file, row.row_number) for row in first] == [("standard input", 2)]


def test_standard_input_can_be_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _zip(tmp_path / "a.zip", {"list.csv": LIST}).read_bytes()
    monkeypatch.setattr(sys, "stdin", _Pipe(io.BytesIO(content)))
    assert [row.file for row in _intake(tmp_path, '"-"').read(NOON)] == ["standard input/list.csv"]


def test_without_standard_input_a_list_from_there_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ContactsError, match="pipe one in"):
        _intake(tmp_path, '"-"')


def test_the_digest_follows_which_lists_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(LIST)
    first = _intake(tmp_path, '"*.csv"').digest()
    assert _intake(tmp_path, '"*.csv"').digest() == first
    (tmp_path / "b.csv").write_bytes(b"phone\n+12125550101\n")
    assert _intake(tmp_path, '"*.csv"').digest() != first
