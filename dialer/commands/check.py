"""``dialer check``: what a run would do, on one screen. Reads the lists, asks nobody, places no call."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer.commands import understood
from dialer.commands.address import check_sandbox
from dialer.commands.common import Options, ledger_path, length, local_time, plural
from dialer.commands.importing import import_progress
from dialer.commands.masks import first_few
from dialer.commands.survey import Survey
from dialer.commands.understood import line, one
from dialer.core.campaign import Campaign, load_campaign
from dialer.core.errors import ContactsError, ExitCode, UserError
from dialer.core.hours import CallingHours
from dialer.core.lifecycle import DUE_LEADS, OPEN_LEADS
from dialer.intake import Intake
from dialer.intake.seen import Seen, of_phone
from dialer.ledger.people import Other
from dialer.ledger.reading import LedgerReader, open_reader
from dialer.ledger.store import journal_path
from dialer.reports.files import write_csv
from dialer.reports.tables import REJECTED_COLUMNS

_ZONES: Final = 4
_CAMPAIGNS: Final = 3


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The flags of ``check``."""

    rejected: Path | None = None
    max_rejected: str | None = None
    """A count of rows like "20", or their share like "5%"."""


def check(path: Path, flags: CheckOptions, options: Options) -> int:
    """Say how each column was understood, which rows would be rejected and why, and who would be called when.

    Raises :class:`~dialer.core.errors.ContactsError` where nobody can be called, and where more rows are rejected than
    the flags allow: after the screen was written, and the rejected rows.
    """
    campaign = load_campaign(path)
    check_sandbox(campaign, path)
    intake = Intake(campaign)
    now = time.time()
    survey = Survey(intake, *_kept_elsewhere(campaign, options))
    rows = _rejections(intake, survey, now)
    if flags.rejected is None:
        deque(rows, maxlen=0)
    else:
        shown = (Path(file.table.shown) for file in intake.files)
        ledger = ledger_path(options)
        own = (path, *campaign.contact_files, *shown, ledger, journal_path(ledger))
        _spare_what_is_there(flags.rejected, own)
        write_csv(flags.rejected, REJECTED_COLUMNS, rows, option="--rejected")
    sys.stdout.write(_screen(path, campaign, intake, survey, options, now))
    if flags.rejected is not None:
        sys.stdout.write(one("rejected", f"{plural(survey.rejected.total(), 'row')} written to {flags.rejected}"))
    if campaign.duplicates.in_list == "refuse" and (count := survey.rejected["duplicate"]):
        raise ContactsError(f'{path}: rows that come twice: {count}, and [duplicates] in_list is "refuse"')
    if not survey.contacts:
        raise ContactsError(f"{path}: no row of the list can be called")
    _limit(path, survey, flags.max_rejected)
    return ExitCode.DONE


def _rejections(intake: Intake, survey: Survey, now: float) -> Iterator[Sequence[object]]:
    """Reads everything into ``survey``; what is rejected comes out as rows of ``rejected.csv``."""
    with import_progress() as progress:
        for row in intake.read(now, progress):
            if (refused := survey.take(row)) is not None:
                yield refused.row_number, refused.reason, refused.detail, refused.file, refused.raw


def _spare_what_is_there(target: Path, kept: Iterable[Path]) -> None:
    """Raise :class:`UserError` where the rejected rows would take the place of something that is no such file."""
    if target.exists() and not target.is_file():
        raise UserError(f"--rejected {target}: a file is meant")
    if any(target.resolve() == path.resolve() for path in kept):
        raise UserError(f"--rejected {target}: this is the campaign's own file; name another one")


def _limit(path: Path, survey: Survey, most: str | None) -> None:
    if most is None:
        return
    count = survey.rejected.total()
    allowed = float(most.removesuffix("%"))
    if (100 * count / survey.rows if most.endswith("%") else count) > allowed:
        said = f"{count:,} of {plural(survey.rows, 'row')} rejected ({count / survey.rows:.1%})"
        raise ContactsError(f"{path}: {said}, more than --max-rejected {most} allows")


def _screen(path: Path, campaign: Campaign, intake: Intake, survey: Survey, options: Options, now: float) -> str:
    hours = campaign.rules().hours
    return "".join(
        (
            line("campaign", f"{campaign.name}: {path} is in order"),
            understood.lists(intake, survey),
            understood.columns(intake),
            understood.rows(intake, survey),
            _duplicates(campaign),
            understood.countries(survey),
            _zones(survey, hours, now),
            _when(survey, hours, now),
            _known(campaign, survey, options),
            understood.first_calls(campaign, intake, survey.first),
            _pace(campaign),
        )
    )


def _known(campaign: Campaign, survey: Survey, options: Options) -> str:
    """What the ledger knows of these numbers, if there is one."""
    path = ledger_path(options)
    if not path.is_file():
        return ""
    with open_reader(path) as reader:
        names = reader.campaign_names()
        said = _known_here(reader, campaign.name, survey) if campaign.name in names else ""
        if campaign.duplicates.in_other_campaigns != "allow":
            return said  # those are among the rejected
        return said + _known_elsewhere(reader, [name for name in names if name != campaign.name], survey)


def _kept_elsewhere(campaign: Campaign, options: Options) -> tuple[Seen, list[Other]]:
    """The numbers that campaigns of the ledger keep from this one by its rule, but for those that it has already."""
    kept, others, path, rule = Seen(), list[Other](), ledger_path(options), campaign.duplicates.in_other_campaigns
    if rule == "allow" or not path.is_file():
        return kept, others
    with open_reader(path) as reader:
        here = Seen()
        ident = reader.campaign(campaign.name).id if campaign.name in reader.campaign_names() else 0
        for phone, _ in reader.rows("lead_states", campaign=ident):
            here.add(of_phone(phone), 0, 0)
        asked = "live_campaigns" if rule == "reject_live" else "other_campaigns"
        for other, name in list(reader.rows(asked, campaign=ident)):
            others += [Other(name, is_open=False), Other(name, is_open=True)]
            for phone, is_open in reader.rows("all_elsewhere", campaign=other, called=rule == "reject_called"):
                number = of_phone(phone)
                if number not in here and number not in kept:
                    kept.add(number, len(others) - 2 + is_open, 0)
    return kept, others


_RULES: Final = {
    "reject_live": "whoever a campaign that is not finished has yet to call is rejected",
    "reject_called": "whoever another campaign has called, or has yet to call, is rejected",
    "allow": "people of other campaigns are called all the same",
}


def _duplicates(campaign: Campaign) -> str:
    rule = campaign.duplicates
    said = "the first row of a number counts" if rule.in_list == "first" else "a list with duplicates is refused"
    return line("duplicates", f"{said}; {_RULES[rule.in_other_campaigns]} ([duplicates])")


def _known_here(reader: LedgerReader, name: str, survey: Survey) -> str:
    states: Counter[str] = Counter()
    gone = 0
    for phone, state in reader.rows("lead_states", campaign=reader.campaign(name).id):
        if of_phone(phone) in survey.phones:
            states[state] += 1
        else:
            gone += state in DUE_LEADS
    said = ", ".join(f"{count:,} {state}" for state, count in states.items())
    if gone:
        said += f"; {gone:,} waiting whose rows are gone would be cancelled"
    return line("ledger", f"{plural(states.total(), 'contact')} known already ({said}); nobody is called again for it")


def _known_elsewhere(reader: LedgerReader, names: Sequence[str], survey: Survey) -> str:
    found: list[str] = []
    for name in names:
        shared = to_call = unfinished = 0
        for phone, state in reader.rows("lead_states", campaign=reader.campaign(name).id):
            is_open = state in OPEN_LEADS
            unfinished += is_open
            if of_phone(phone) in survey.phones:
                shared += 1
                to_call += is_open
        if shared and unfinished:
            found.append(f"{shared:,} of '{name}' ({to_call:,} still to be called there)")
    if not found:
        return ""
    return line("elsewhere", f"numbers that are contacts of campaigns not finished too: {first_few(found, _CAMPAIGNS)}")


def _zone_name(zones: str | None) -> str:
    if zones is None:
        return "unknown"
    first, _, more = zones.partition("&")
    return f"{first} or {plural(more.count('&') + 1, 'other zone')}" if more else first


def _state(hours: CallingHours, zone: str | None, now: float) -> str:
    if hours.week is None:
        return ""
    opening = hours.opening(zone, now)
    if opening.until == float("inf"):
        return ", never open"
    return f", {'open until' if opening.is_open else 'closed until'} {local_time(opening.until, now)}"


def _zones(survey: Survey, hours: CallingHours, now: float) -> str:
    said = [
        f"{_zone_name(zone)} {count:,}{_state(hours, zone, now)}" for zone, count in survey.zones.most_common(_ZONES)
    ]
    if more := survey.zones.keys() - dict(survey.zones.most_common(_ZONES)).keys():
        said.append(f"and {len(more):,} more ({sum(survey.zones[zone] for zone in more):,})")
    return "".join(one("" if at else "zones", text) for at, text in enumerate(said))


def _when(survey: Survey, hours: CallingHours, now: float) -> str:
    if hours.week is None:
        return "hours       always\n"
    openings: Counter[str] = Counter()
    for zone, count in survey.zones.items():
        opening = hours.opening(zone, now)
        openings["now" if opening.is_open else f"from {local_time(opening.until, now)}"] += count
    said = first_few((f"{plural(count, 'contact')} {when}" for when, count in openings.most_common()), 4)
    return line("hours", f"{said} (times of this machine's clock)")


def _waits(campaign: Campaign) -> str:
    retry = campaign.retry
    waits = {"busy": retry.busy, "no_answer": retry.no_answer, "voicemail": retry.voicemail, "failed": retry.failed}
    return (
        ", ".join(f"{word} after {', '.join(map(length, spans))}" for word, spans in waits.items() if spans) or "none"
    )


def _pace(campaign: Campaign) -> str:
    agents = ", ".join(f"{agent.id} (weight {agent.weight:g})" for agent in campaign.agents)
    api, retry = campaign.api, campaign.retry
    money = "no limit" if campaign.limits.max_cost is None else f"at most {campaign.limits.max_cost:g} API cost units"
    return (
        one("agents", agents)
        + line(
            "pace",
            f"at most {campaign.pacing.max_concurrent} calls at once, {api.requests_per_minute} requests a minute, "
            f"{api.requests_per_day} a day, at {api.base_url}",
        )
        + line("retries", f"at most {retry.max_attempts} attempts each; {_waits(campaign)}")
        + line("money", money)
    )
