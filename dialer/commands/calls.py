"""``dialer calls``: single calls. ``transcript`` prints one as a conversation."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
from pydantic import ValidationError

from dialer.client import CallsClient
from dialer.commands.address import api_address
from dialer.commands.common import Options, ledger_path, length, plain
from dialer.commands.keys import account_of, key_for
from dialer.core.campaign import Api, Campaign, read_campaign
from dialer.core.errors import ApiError, ExitCode, Gone, LedgerHeld, LedgerUnusable, UserError
from dialer.core.masks import masked
from dialer.core.wire import Transcript
from dialer.fetching import spoken_json
from dialer.fetching.shelf import read_transcript, transcript_path
from dialer.ledger.booking import book
from dialer.ledger.reading import open_reader
from dialer.reports.tables import iso

REAL_API: Final = "https://api.getsmartalex.com/v1"
WIDEST: Final = 100
LONGEST_S: Final = 1e6
"""Nothing in a call lasts as long: whatever says so is damaged."""
_CALL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class CallsOptions:
    """The flags of ``calls``."""

    out: Path | None = None
    base_url: str | None = None
    as_json: bool = False


@dataclass(slots=True)
class _Known:
    """What the ledger knows of a call: nothing, where there is no ledger or it does not know it."""

    campaign: Campaign | None = None
    account_word: str = ""
    told: dict[str, Any] = field(default_factory=dict)


def transcript(call_id: str, flags: CallsOptions, options: Options) -> int:
    """Print a call: from what was fetched if it lies there, else from the API."""
    if not _CALL_ID.fullmatch(call_id):
        raise UserError(f"'{plain(call_id)[:80]}' is no call's id; it is like call_abc123, as in attempts.csv")
    known = _known(call_id, options)
    name = known.told.get("campaign")
    roots = [flags.out] if flags.out else [Path("reports") / name] if name else sorted(Path("reports").glob("*"))
    lies = next((said for root in roots if (said := read_transcript(transcript_path(root, call_id), call_id))), None)
    said = lies or {"call_id": call_id, **known.told, **_from_the_api(call_id, known, flags, options)}
    if flags.as_json:
        sys.stdout.write(json.dumps(said, indent=2) + "\n")  # whatever steers a terminal is escaped in it
    else:
        width = min(shutil.get_terminal_size((80, 24)).columns, WIDEST)
        sys.stdout.write("".join(f"{line}\n" for line in conversation(said, width)))
    return ExitCode.DONE


def _known(call_id: str, options: Options) -> _Known:
    try:
        with open_reader(ledger_path(options)) as reader:
            row = next(reader.rows("campaign_of_call", call=call_id), None)
            if row is None:
                return _Known()
            name, phone, agent_id, disposition, duration_s, created_at = row
            record = reader.campaign(name)
            workspace = reader.one("meta", key="workspace")[0]
    except LedgerUnusable:
        return _Known()
    told = {"campaign": name, "phone": phone, "agent_id": agent_id, "disposition": disposition}
    told |= {"duration_s": duration_s, "created_at": iso(created_at)}
    return _Known(read_campaign(record.source, Path(record.file)), workspace, told)


# --- from the API ---------------------------------------------------------------------------------------------------


def _from_the_api(call_id: str, known: _Known, flags: CallsOptions, options: Options) -> dict[str, Any]:
    api = _api(known, flags)
    key = key_for(api, options)

    async def ask() -> Transcript:
        if known.campaign is None or flags.base_url is not None:
            async with CallsClient(api.base_url, key, timeout_s=api.timeout) as client:
                return await client.get_transcript(call_id)
        path = ledger_path(options)
        account = account_of(key, api.base_url, known.account_word)
        with suppress(LedgerHeld, LedgerUnusable, OSError):  # one request of a person: the day's count has room for it
            book(path, account, time.time(), [], lambda _: 1)
        async with (
            api_address(known.campaign, path) as base_url,
            CallsClient(base_url, key, timeout_s=api.timeout) as client,
        ):
            return await client.get_transcript(call_id)

    try:
        return spoken_json(anyio.run(ask))
    except Gone:
        raise UserError(f"the API at {api.base_url} knows no call {call_id}, or has no transcript of it") from None
    except ApiError as error:
        raise UserError(f"no transcript of {call_id}: {plain(str(error))}") from None


def _api(known: _Known, flags: CallsOptions) -> Api:
    if flags.base_url is None and known.campaign is not None:
        return known.campaign.api
    try:
        return Api(base_url=flags.base_url or REAL_API)
    except ValidationError as error:
        raise UserError(f"--base-url {plain(flags.base_url or '')}: {error.errors()[0]['msg']}") from None


# --- as a conversation ----------------------------------------------------------------------------------------------


def conversation(said: dict[str, Any], width: int) -> Iterator[str]:
    """The lines of a conversation, none of them longer than ``width`` where words allow it, all of them plain text."""
    yield _headline(said)
    turns = said.get("transcript") or ()
    speakers = [_one_line(turn.get("speaker") or "?")[:16] for turn in turns]
    column = max(map(len, speakers), default=0)
    for turn, speaker in zip(turns, speakers, strict=True):
        start = f"{_clock(turn.get('timestamp')):>7}  {speaker:<{column}}  "
        text = _one_line(turn.get("text"))
        words = textwrap.wrap(text, max(width - len(start), 20)) or [""]
        yield "\n".join([f"{start}{words[0]}".rstrip(), *(" " * len(start) + line for line in words[1:])])
    if not turns:
        yield "(nothing was said, or nothing was written down)"
    if said.get("summary"):
        yield ""
        yield textwrap.fill(f"Summary: {_one_line(said['summary'])}", max(width, 30), subsequent_indent="  ")


def _headline(said: dict[str, Any]) -> str:
    phone, duration_s = said.get("phone"), said.get("duration_s")
    parts = [
        said.get("call_id"),
        masked(str(phone)) if phone else None,
        said.get("agent_id"),
        said.get("disposition"),
        length(duration_s) if isinstance(duration_s, int | float) and 0 <= duration_s < LONGEST_S else None,
        said.get("created_at"),
    ]
    return "  ".join(_one_line(part) for part in parts if part)


def _one_line(text: object) -> str:
    return plain(" ".join(str(text or "").split()))


def _clock(seconds: object) -> str:
    if not isinstance(seconds, int | float) or not 0 <= seconds < LONGEST_S:
        return "--:--"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
