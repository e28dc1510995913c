"""What was fetched, what there is not, what was refused: a line for each, appended and synced, in ``fetched.jsonl``.

It is the memory of fetching: whoever starts again reads it and asks for nothing twice. A line that a power cut tore is
passed over. One process at a time writes, held by a lock that dies with it.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from dialer.core.errors import LedgerHeld, UserError

NAME: Final = "fetched.jsonl"
YOUNG_S: Final = 3600.0
"""What is not available of a call that ended less than this before may only not be available yet."""
_LAST_MOMENT: Final = 253_402_300_800.0
"""The end of the year 9999."""


class Kind(StrEnum):
    """What there may be of a call."""

    TRANSCRIPT = "transcript"
    SUMMARY = "summary"
    RECORDING = "recording"


class Outcome(StrEnum):
    """What became of asking for it."""

    FETCHED = "fetched"
    NOT_AVAILABLE = "not_available"
    REFUSED = "refused"
    """By our own rules, or by the API."""
    UNANSWERED = "unanswered"
    """Nobody answered that call: there is nothing to ask for. Never remembered, always known."""
    LEFT = "left"
    """Not asked yet, or no answer came: the next time. Never remembered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call, one kind, one outcome. ``file`` is relative to the directory; ``text`` the summary itself."""

    call: str
    kind: Kind
    outcome: Outcome
    at: float
    why: str = ""
    file: str = ""
    size_bytes: int = 0
    text: str = ""

    def settled(self, ended_at: float) -> bool:
        """Whether it stays so: all but what was not available when the call had only just ended."""
        return self.outcome is not Outcome.NOT_AVAILABLE or self.at - ended_at >= YOUNG_S


class Manifest:
    """The entries of one directory, the latest of each call and kind. Holds its lock until :meth:`close`."""

    def __init__(self, directory: Path) -> None:
        """Raises :class:`~dialer.core.errors.LedgerHeld` while another process fetches into ``directory``."""
        self.path = directory / NAME
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}; choose another place with --out") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise LedgerHeld(f"another fetch writes to {directory}; wait for it or choose another --out") from None
        try:
            self.entries = self._remembered()
        except OSError as error:
            os.close(self._file)
            raise UserError(f"cannot use {self.path}: {error.strerror}; mend that and go on") from None
        except BaseException:
            os.close(self._file)
            raise

    def _remembered(self) -> dict[tuple[str, Kind], Entry]:
        raw = self.path.read_bytes()
        if raw and not raw.endswith(b"\n"):
            os.write(self._file, b"\n")  # a torn line must not swallow the next one
        return {(entry.call, entry.kind): entry for line in raw.splitlines() if (entry := _read(line))}

    def add(self, *entries: Entry) -> None:
        """Remember; durable when it returns. Raises :class:`~dialer.core.errors.UserError` where the disk is full."""
        data = "".join(json.dumps(_as_json(entry)) + "\n" for entry in entries).encode()
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}; mend that and go on") from None
        self.entries.update({(entry.call, entry.kind): entry for entry in entries})

    def close(self) -> None:
        """Let the next one in."""
        os.close(self._file)


def _as_json(entry: Entry) -> dict[str, Any]:
    said = {
        "call": entry.call,
        "kind": entry.kind,
        "outcome": entry.outcome,
        "at": round(entry.at, 3),
        "why": entry.why,
        "file": entry.file,
        "bytes": entry.size_bytes,
        "text": entry.text,
    }
    return {name: value for name, value in said.items() if value or name == "at"}


def _read(line: bytes) -> Entry | None:
    try:
        said = json.loads(line)
        return Entry(
            str(said["call"]),
            Kind(said["kind"]),
            Outcome(said["outcome"]),
            _moment(said["at"]),
            str(said.get("why", "")),
            str(said.get("file", "")),
            int(said.get("bytes", 0)),
            str(said.get("text", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _moment(said: Any) -> float:
    """UTC seconds. Raises :class:`ValueError` for what no calendar has."""
    moment = float(said)
    if not 0 <= moment < _LAST_MOMENT:
        raise ValueError(moment)
    return moment
