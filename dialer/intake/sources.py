"""What ``contacts`` names, as streams of bytes in a fixed order: files, globs, standard input, what is packed.

Nothing is unpacked to disk, and nothing is believed of an archive: not the sizes it states, not the names it holds.
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import shutil
import struct
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, cast

from dialer.core.errors import ContactsError

STANDARD_INPUT: Final = "-"
_MAGIC_BYTES: Final = 8
_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b"
_REFUSED: Final = {
    b"\xd0\xcf\x11\xe0": "an old Excel file, or one with a password; save it as .xlsx without one, or as CSV UTF-8",
    b"%PDF": "a PDF; save the list as CSV UTF-8",
    b"Rar!": "a RAR archive; pack it as .zip",
    b"7z\xbc\xaf": "a 7-Zip archive; pack it as .zip",
    b"BZh": "packed with bzip2; pack it as .gz or .zip",
    b"\xfd7zXZ": "packed with xz; pack it as .gz or .zip",
    b"PK\x05\x06": "an empty archive",
}
RATIO_MOST: Final = 200
"""Lists shrink to a tenth, seldom to a fiftieth; what shrinks further is made to fill a disk."""
RATIO_FROM: Final = 16 << 20
"""Below so many bytes any ratio is harmless."""
SIZE_MOST: Final = 8 << 30
MEMBERS_MOST: Final = 1_000
_LISTS: Final = frozenset({".csv", ".tsv", ".tab", ".txt", ".xlsx"})
_BUFFER: Final = 1 << 18
_BROKEN: Final = (
    OSError,
    EOFError,
    ValueError,
    IndexError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
"""What the libraries raise over archives that are damaged, or made to be."""


@dataclass(frozen=True, slots=True)
class Source:
    """A list as bytes, unpacked. ``open`` starts at the beginning each time; ``is_workbook``: xlsx, no text."""

    name: str
    shown: str
    open: Callable[[], BinaryIO]
    is_workbook: bool = False


class _Stream(io.RawIOBase):
    """Bytes of a list, whose faults are told in one line and whose size is watched. ``packed`` is 0 where it is not."""

    def __init__(self, inner: BinaryIO, shown: str, packed: int, beneath: BinaryIO | None) -> None:
        self._inner = inner
        self._beneath = beneath
        self._shown = shown
        self._most = min(SIZE_MOST, max(RATIO_FROM, packed * RATIO_MOST)) if packed else SIZE_MOST
        self.seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than a Buffer
        try:
            block = self._inner.read(len(buffer))
        except OSError as error:
            raise ContactsError(f"{self._shown}: cannot be read: {error.strerror or error}") from None
        except _BROKEN as error:
            raise ContactsError(f"{self._shown}: cannot be unpacked ({error}); pack it again") from None
        self.seen += len(block)
        if self.seen > self._most:
            raise ContactsError(
                f"{self._shown}: unpacks to more than {self._most:,} bytes, which no list of its size does; "
                "name the list itself"
            )
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            if self._beneath is not None:
                self._beneath.close()
        super().close()


def _watched(inner: BinaryIO, shown: str, packed: int = 0, beneath: BinaryIO | None = None) -> BinaryIO:
    """A stream over ``inner``, which unpacks ``beneath`` where that has to be closed as well."""
    return io.BufferedReader(_Stream(inner, shown, packed, beneath), _BUFFER)


def find(entries: Iterable[tuple[str, Path]]) -> list[Source]:
    """The lists that ``contacts`` names, each as it was written and as a path, in order, each file once.

    Raises :class:`~dialer.core.errors.ContactsError` for what is missing, unreadable or no list.
    """
    found: list[Source] = []
    seen: set[Path] = set()
    for said, path in entries:
        if said == STANDARD_INPUT:
            found += _sources(_spooled(), "standard input", "standard input", 0)
            continue
        for file in _files(said, path):
            if (real := file.resolve()) not in seen:
                seen.add(real)
                found += _sources(partial(_open, file), file.name, str(file), file.stat().st_size)
    return _told_apart(found)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _files(said: str, path: Path) -> list[Path]:
    try:
        if glob.has_magic(said) and not path.exists():
            files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True)) if Path(name).is_file()]  # noqa: PTH207 - Path.glob knows no absolute patterns
            if not files:
                raise ContactsError(f"{path}: no contact list has such a name")
            return files
        if path.is_dir():
            raise ContactsError(f"{path}: a contact list is meant, this is a directory")
        with path.open("rb"):
            return [path]
    except FileNotFoundError:
        raise ContactsError(f"{path}: there is no such contact list") from None
    except OSError as error:
        raise ContactsError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ContactsError(f"{str(path)!r} cannot be the name of a file") from None


def _spooled() -> Callable[[], BinaryIO]:
    """Standard input can be read once: it is kept in a file without a name, which goes when the program goes."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ContactsError('contacts = "-": the list is read from standard input; pipe one in')
    spool = _Spool()
    try:
        with spool.writer() as file:
            shutil.copyfileobj(_watched(sys.stdin.buffer, "standard input"), file)
    except OSError as error:
        raise ContactsError(f"standard input cannot be kept for reading: {error.strerror}") from None
    return lambda: io.BufferedReader(_Again(spool), _BUFFER)


class _Spool:
    """A file without a name, only its owner's, that lasts as long as somebody may read it."""

    def __init__(self) -> None:
        self.handle, name = tempfile.mkstemp()
        weakref.finalize(self, os.close, self.handle)
        Path(name).unlink()

    def writer(self) -> BinaryIO:
        return os.fdopen(os.dup(self.handle), "wb")


class _Again(io.RawIOBase):
    """A reader of its own over a file that several read."""

    def __init__(self, spool: _Spool) -> None:
        self._spool = spool
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: os.fstat(self._spool.handle).st_size}
        self._at = start[whence] + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than a Buffer
        block = os.pread(self._spool.handle, len(buffer), self._at)
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)


def _sources(opener: Callable[[], BinaryIO], name: str, shown: str, packed: int) -> Iterator[Source]:
    head = _head(opener, shown)
    for magic, why in _REFUSED.items():
        if head.startswith(magic):
            raise ContactsError(f"{shown}: {why}")
    if head.startswith(_GZIP):
        inner = Source(name, shown, partial(_unpacked, opener, shown, packed))
        if _head(inner.open, shown).startswith((_ZIP, _GZIP, *_REFUSED)):
            raise ContactsError(f"{shown}: packed twice; unpack it once")
        yield inner
    elif head.startswith(_ZIP):
        yield from _packed(opener, name, shown)
    else:
        yield Source(name, shown, lambda: _watched(opener(), shown))


def _unpacked(opener: Callable[[], BinaryIO], shown: str, packed: int) -> BinaryIO:
    beneath = opener()
    return _watched(cast("BinaryIO", gzip.GzipFile(fileobj=beneath)), shown, packed, beneath)


def _head(opener: Callable[[], BinaryIO], shown: str) -> bytes:
    try:
        with opener() as file:
            return file.read(_MAGIC_BYTES)
    except OSError as error:
        raise ContactsError(f"{shown}: cannot be read: {error.strerror or error}") from None


def _packed(opener: Callable[[], BinaryIO], name: str, shown: str) -> Iterator[Source]:
    try:
        with opener() as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except _BROKEN as error:
        raise ContactsError(f"{shown}: a damaged archive or workbook ({error}); save it again") from None
    names = {member.filename for member in members}
    if "[Content_Types].xml" in names or "mimetype" in names:
        if "xl/workbook.xml" not in names:
            raise ContactsError(
                f"{shown}: an office document, but no Excel workbook; save the list as .xlsx or CSV UTF-8"
            )
        _weigh(members, shown)
        yield Source(name, shown, lambda: _watched(opener(), shown), is_workbook=True)
        return
    _weigh(members, shown)
    lists = [member for member in members if _is_list(member)]
    if not lists:
        raise ContactsError(f"{shown}: there is no list (.csv, .tsv, .txt, .xlsx) in this archive")
    for member in sorted(lists, key=lambda item: item.filename):
        yield _member(opener, member, f"{name}/{member.filename}", f"{shown}/{member.filename}")


def _weigh(members: Sequence[zipfile.ZipInfo], shown: str) -> None:
    """Refuse what an archive itself says of bombs and traps; what it does not say, the streams find out."""
    if len(members) > MEMBERS_MOST:
        raise ContactsError(f"{shown}: {len(members):,} files in one archive are more than {MEMBERS_MOST:,}")
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if (
            not member.filename
            or path.is_absolute()
            or ".." in path.parts
            or ":" in member.filename
            or not member.filename.isprintable()
        ):
            raise ContactsError(f"{shown}: an archive with a file named {member.filename!r} is not to be trusted")
        if member.flag_bits & 1:
            raise ContactsError(f"{shown}: {member.filename} is protected by a password; pack it without one")
        if member.file_size > max(RATIO_FROM, RATIO_MOST * member.compress_size):
            raise ContactsError(
                f"{shown}: {member.filename} unpacks to {RATIO_MOST} times its size and more, which no list does"
            )
    if sum(member.file_size for member in members) > SIZE_MOST:
        raise ContactsError(f"{shown}: unpacks to more than {SIZE_MOST:,} bytes; split it")


def _is_list(member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return not member.is_dir() and not hidden and path.suffix.lower() in _LISTS


def _member(opener: Callable[[], BinaryIO], member: zipfile.ZipInfo, name: str, shown: str) -> Source:
    def opened() -> BinaryIO:
        beneath = opener()
        try:
            with zipfile.ZipFile(beneath) as archive:
                inner = archive.open(member)
        except _BROKEN as error:
            beneath.close()
            raise ContactsError(f"{shown}: cannot be unpacked ({error}); pack it again") from None
        return _watched(cast("BinaryIO", inner), shown, member.compress_size, beneath)

    head = _head(opened, shown)
    if head.startswith((_GZIP, *_REFUSED)):
        raise ContactsError(f"{shown}: no list of text and no workbook; take it out of the archive")
    if not head.startswith(_ZIP):
        return Source(name, shown, opened)

    def workbook() -> BinaryIO:  # whoever reads it must be able to go back in it
        with opened() as file:
            return io.BytesIO(file.read())

    found = list(_packed(workbook, name, shown))
    if len(found) != 1 or not found[0].is_workbook:
        raise ContactsError(f"{shown}: an archive in an archive; unpack it once")
    return Source(name, shown, workbook, is_workbook=True)


def _told_apart(sources: list[Source]) -> list[Source]:
    """Two lists of one file name are called by their paths."""
    names = [source.name for source in sources]
    return [
        source if names.count(source.name) == 1 else Source(source.shown, source.shown, source.open, source.is_workbook)
        for source in sources
    ]
