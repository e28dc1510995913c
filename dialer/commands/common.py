"""What several commands need: the ledger's path, the key, and words for times."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from dialer.core.campaign import Campaign
from dialer.core.errors import UserError
from dialer.rehearsal.answers import SandboxRules

KEY_VARIABLE: Final = "SMARTALEX_API_KEY"
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


def api_key(campaign: Campaign, options: Options) -> SecretStr:
    """The API key from the file or the environment. A server on this machine is content with any."""
    if options.api_key_file is not None:
        return _key_in(options.api_key_file)
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key and campaign.api.is_loopback:
        key = "rehearsal"
    if not key:
        raise UserError(f"no API key: set {KEY_VARIABLE} or name a file with --api-key-file")
    if not key.isascii() or not key.isprintable():
        raise UserError(f"{KEY_VARIABLE} holds characters that no key has; set it again")
    return SecretStr(key)


def _key_in(path: Path) -> SecretStr:
    try:
        found = path.stat()
        key = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the API key in {path}: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid != os.geteuid():
        raise UserError(f"others can read the API key in {path}; run: chmod 600 {path}")
    if not key or not key.isascii() or not key.isprintable():
        raise UserError(f"{path} holds no API key")
    return SecretStr(key)


def sandbox_rules(values: Mapping[str, Any], place: str) -> SandboxRules:
    """The sandbox's rules in ``values``; ``place`` goes before the key in the error that says what is wrong."""
    try:
        return SandboxRules.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(step) for step in fault["loc"])
        known = ", ".join(SandboxRules.model_fields)
        said = f"unknown key; known here: {known}" if fault["type"] == "extra_forbidden" else fault["msg"]
        raise UserError(f"{place}{where}: {said}") from None


def account_of(key: SecretStr, base_url: str, workspace: str) -> str:
    """A fingerprint that tells accounts apart in the ledger and gives nothing of the key away."""
    secret = f"{base_url} {key.get_secret_value()}".encode()
    return blake2b(secret, digest_size=8, key=workspace.encode()).hexdigest()


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
