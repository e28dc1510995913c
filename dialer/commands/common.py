"""What several commands need: the ledger's path, and words for times. Imports nothing heavy: every command needs it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from dialer.core.errors import UserError

LEDGER_VARIABLE: Final = "DIALER_LEDGER"
DEFAULT_LEDGER: Final = ".dialer/ledger.db"


@dataclass(frozen=True, slots=True)
class Options:
    """What every command understands."""

    ledger: str | None = None
    api_key_file: Path | None = None
    quiet: bool = False


def ledger_path(options: Options) -> Path:
    """Where the ledger lies: ``--ledger``, ``DIALER_LEDGER`` or the default in the working directory."""
    said = options.ledger or os.environ.get(LEDGER_VARIABLE) or DEFAULT_LEDGER
    said = said.removeprefix("sqlite:///")
    if "://" in said:
        raise UserError(f"the ledger {said.split('://')[0]}://... is not supported yet; name a path")
    try:
        path = Path(said).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(
            f"{said!r} cannot be the path of a ledger: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not path.name:
        raise UserError(f"{said!r} is a directory; name a file for the ledger, like {DEFAULT_LEDGER}")
    return path


def local_time(moment: float, now: float) -> str:
    """A moment on this machine's clock: "14:05", or with its day where that is another one."""
    then, today = (datetime.fromtimestamp(value).astimezone() for value in (moment, now))
    return (
        then.strftime("%H:%M:%S" if moment - now < 600 else "%H:%M")
        if then.date() == today.date()
        else (then.strftime("%a %d %b %H:%M"))
    )


def length(seconds: float) -> str:
    """A length of time for people: "3 s", "12 min", "4 h"."""
    for unit_s, word, until in ((1.0, "s", 90.0), (60.0, "min", 90.0), (3600.0, "h", 48.0)):
        if seconds / unit_s < until:
            return f"{seconds / unit_s:.3g} {word}" if seconds < 10 else f"{round(seconds / unit_s, 1):g} {word}"
    return f"{seconds / 86_400:.3g} d"


def plain(text: str) -> str:
    """Text of the API or of a list as a terminal may show it: in one line, without characters that steer it."""
    return "".join(character if character.isprintable() else "?" for character in text)


def plural(count: int, word: str) -> str:
    """ "1 contact", "2 contacts"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
