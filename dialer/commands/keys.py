"""The API key: where it comes from, and what the ledger may know of it."""

from __future__ import annotations

import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from dialer.commands.common import Options
from dialer.core.campaign import Api, Campaign
from dialer.core.errors import UserError

KEY_VARIABLE: Final = "SMARTALEX_API_KEY"


def api_key(campaign: Campaign, options: Options) -> SecretStr:
    """The API key for a campaign. See :func:`key_for`."""
    return key_for(campaign.api, options)


def key_for(api: Api, options: Options) -> SecretStr:
    """The API key from the file or the environment. A server on this machine is content with any."""
    if options.api_key_file is not None:
        return _key_in(options.api_key_file)
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key and api.is_loopback:
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


def account_of(key: SecretStr, base_url: str, workspace: str) -> str:
    """A fingerprint that tells accounts apart in the ledger and gives nothing of the key away."""
    secret = f"{base_url} {key.get_secret_value()}".encode()
    return blake2b(secret, digest_size=8, key=workspace.encode()).hexdigest()
