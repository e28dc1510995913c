"""``dialer doctor``: what is wrong with this machine, key, ledger, clock. It only reads, but for --recover, --probe."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import anyio

from dialer.client import CallsClient
from dialer.commands.common import Options, ledger_path, plain
from dialer.commands.keys import api_key
from dialer.commands.preflight import Hearing, first_question
from dialer.core.campaign import SANDBOX, Campaign, load_campaign, read_campaign
from dialer.core.errors import CampaignFileError, ExitCode, LedgerUnusable, UserError
from dialer.ledger import checks
from dialer.ledger.checks import Finding, Level, bad, note, ok
from dialer.ledger.reading import open_reader

A_ZONE: Final = "America/New_York"


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """The flags of ``doctor``."""

    recover: bool = False
    probe: str | None = None
    yes: bool = False
    as_json: bool = False


def doctor(path: Path | None, flags: DoctorOptions, options: Options) -> int:
    """Check everything, or do one of the two things that a doctor can do. Returns 0 where nothing is bad, else 2."""
    if flags.recover:
        from dialer.commands.recover import recover

        return recover(options)
    if flags.probe is not None:
        from dialer.commands.probe import probe

        file = "" if path is None else str(path.resolve())
        return probe(_needed(path, options), file, flags.probe, options, yes=flags.yes, as_json=flags.as_json)
    ledger = ledger_path(options)
    found = [*machine(ledger), *checks.ledger(ledger)]
    try:
        campaign = chosen(path, ledger)
    except UserError as error:
        found.append(bad("campaign", str(error), "mend the campaign file"))
    else:
        not_checked = note("campaign", f"{campaign}; key and clock were not checked")
        found += api(campaign, options) if isinstance(campaign, Campaign) else [not_checked]
    return _tell(found, as_json=flags.as_json)


def machine(ledger: Path) -> list[Finding]:
    """What concerns this machine."""
    return [
        checks.sqlite_version(),
        checks.disk_space(ledger),
        checks.ballast(ledger),
        checks.file_system(ledger),
        checks.modes(ledger),
        time_zones(),
        checks.lock(ledger),
    ]


def time_zones() -> Finding:
    """Whether calling hours can be told: the zones come from the tzdata package."""
    try:
        edition = version("tzdata")
        ZoneInfo.no_cache(A_ZONE)
    except (PackageNotFoundError, ZoneInfoNotFoundError, OSError, ValueError) as error:
        return bad("time zones", f"{A_ZONE} cannot be looked up ({error})", "pip install --upgrade tzdata")
    return ok("time zones", f"tzdata {edition}; {A_ZONE} is known")


def chosen(path: Path | None, ledger: Path) -> Campaign | str:
    """The campaign of the file, or the only one of the ledger; otherwise why there is none."""
    if path is not None:
        return load_campaign(path)
    try:
        with open_reader(ledger) as reader:
            record = reader.campaign(None)
    except LedgerUnusable:
        return "none: name a campaign file"
    except UserError as error:
        return str(error)
    try:
        return read_campaign(record.source, Path(record.file))
    except CampaignFileError as error:  # as it last ran, maybe under an older dialer
        return f"{error} (as the ledger has it; name the file)"


def _needed(path: Path | None, options: Options) -> Campaign:
    campaign = chosen(path, ledger_path(options))
    if isinstance(campaign, Campaign):
        return campaign
    raise UserError(f"--probe needs a campaign: {campaign}")


# --- the API --------------------------------------------------------------------------------------------------------


def api(campaign: Campaign, options: Options) -> list[Finding]:
    """Whether the address answers, the key opens it, and the clocks agree."""
    address = campaign.api.base_url
    if address == SANDBOX:
        return [ok("api", f"campaign '{campaign.name}' is a rehearsal in the embedded sandbox: it needs no key")]
    try:
        key = api_key(campaign, options)
    except UserError as error:
        return [bad("key", str(error), "set it, then ask again")]
    hearing = Hearing()

    async def ask() -> None:
        async with CallsClient(address, key, timeout_s=campaign.api.timeout, on_note=hearing) as client:
            await first_question(client, campaign)

    try:
        anyio.run(ask)
    except UserError as error:
        return [bad("api", plain(str(error)), f"mend that for campaign '{campaign.name}'")]
    return [ok("key", f"{address} answers and accepts the key"), _clock(campaign, hearing)]


def _clock(campaign: Campaign, hearing: Hearing) -> Finding:
    notes = [item for item in hearing.notes if item.skew_low_s is not None and item.skew_high_s is not None]
    if not notes:
        return note("clock", "the API's answers carry no Date: this machine's clock cannot be compared")
    try:
        hearing.check_clock(campaign)
    except UserError as error:
        return bad("clock", str(error), "set this machine's clock")
    low_s, high_s = notes[-1].skew_low_s, notes[-1].skew_high_s
    return ok("clock", f"the API's clock minus this machine's is between {low_s:+.1f} and {high_s:+.1f} s")


# --- telling --------------------------------------------------------------------------------------------------------


def _tell(found: list[Finding], *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps([asdict(item) for item in found], indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{_line(item)}\n" for item in found))
    return ExitCode.USER if any(item.level is Level.BAD for item in found) else ExitCode.DONE


def _line(item: Finding) -> str:
    remedy = f" -> {item.remedy}" if item.remedy else ""
    return plain(f"{item.level:<5}{item.subject:<13}{item.found}{remedy}")
