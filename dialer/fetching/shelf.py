"""Where fetched things lie: files that are whole or not there, for their owner's eyes, under names made here."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dialer.client.media import EXTENSIONS
from dialer.core.errors import UserError
from dialer.fetching.manifest import Kind
from dialer.reports.files import make_private_dir

_FOLDERS: Final = {Kind.TRANSCRIPT: "transcripts", Kind.RECORDING: "recordings"}
_PART: Final = re.compile(r"\.[A-Za-z0-9_-]{1,64}\.[0-9a-f]{8}\.part")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]")
_NAME_MOST: Final = 64


class Part:
    """A file that is being written."""

    def __init__(self, file: int, path: Path, whole: Path) -> None:
        self._file = file
        self._path = path
        self._whole = whole

    def write(self, data: bytes) -> None:
        """Append."""
        while data:
            data = data[os.write(self._file, data) :]

    def keep(self, extension: str) -> Path:
        """Make it appear under its name, synced."""
        os.fsync(self._file)
        whole = self._whole.with_name(f"{self._whole.name}.{extension}")
        self._path.replace(whole)
        folder = os.open(whole.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return whole


class Shelf:
    """The directory of one campaign's fetched things."""

    def __init__(self, root: Path, kinds: frozenset[Kind]) -> None:
        """Make what is not there; only one process may, see :class:`~dialer.fetching.manifest.Manifest`."""
        self.root = root
        for kind in kinds & _FOLDERS.keys():
            folder = self._folder(kind)
            if folder.is_symlink():
                raise UserError(f"{folder} leads elsewhere; choose another place with --out")
            make_private_dir(folder)
            for left in folder.iterdir():  # of a process that was killed
                if _PART.fullmatch(left.name):
                    left.unlink(missing_ok=True)

    def find(self, kind: Kind, call_id: str) -> Path | None:
        """The file of a call, if it is there: files are whole."""
        extensions = ("json",) if kind is Kind.TRANSCRIPT else EXTENSIONS
        paths = (self._folder(kind) / f"{_name(call_id)}.{extension}" for extension in extensions)
        return next((path for path in paths if path.is_file() and not path.is_symlink()), None)

    def read_transcript(self, call_id: str) -> dict[str, Any] | None:
        """The transcript of a call, if it lies here and is one."""
        path = self.find(Kind.TRANSCRIPT, call_id)
        return None if path is None else read_transcript(path, call_id)

    def relative(self, path: Path) -> str:
        """A path as the manifest has it."""
        return path.relative_to(self.root).as_posix()

    @contextmanager
    def part(self, kind: Kind, call_id: str) -> Iterator[Part]:
        """A new file for a call, gone at the end unless it was kept."""
        folder = self._folder(kind)
        whole = folder / _name(call_id)
        path = folder / f".{whole.name}.{secrets.token_hex(4)}.part"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield Part(file, path, whole)
        finally:
            os.close(file)
            path.unlink(missing_ok=True)

    def keep_transcript(self, call_id: str, said: Mapping[str, Any]) -> Path:
        """Write a transcript. Everything that could steer a terminal is escaped in JSON's own way."""
        with self.part(Kind.TRANSCRIPT, call_id) as part:
            part.write(json.dumps(said, indent=1).encode() + b"\n")
            return part.keep("json")

    def _folder(self, kind: Kind) -> Path:
        return self.root / _FOLDERS[kind]


def transcript_path(root: Path, call_id: str) -> Path:
    """Where the transcript of a call lies if it was fetched into ``root``."""
    return root / _FOLDERS[Kind.TRANSCRIPT] / f"{_name(call_id)}.json"


def read_transcript(path: Path, call_id: str) -> dict[str, Any] | None:
    """The transcript in a file, if it is one and of this call: a list of turns, and a summary or none."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("call_id") == call_id and _is_whole(said) else None


def _is_whole(said: Mapping[str, Any]) -> bool:
    """Whether turns and summary are as they were written, whatever a hand has done to the file since."""
    turns, summary = said.get("transcript"), said.get("summary")
    whole = isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns)
    return whole and isinstance(summary, str | None)


def _name(call_id: str) -> str:
    """A name that leads nowhere. The client lets only such ids in, which stay as they are."""
    return _UNSAFE.sub("_", call_id)[:_NAME_MOST]
