"""``dialer check``: what a run would do. Reads the lists, asks nobody, places no call, writes nothing."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from dialer.commands.common import Options, ledger_path, length, local_time, masked, plain, plural, sandbox_rules
from dialer.commands.importing import import_progress
from dialer.core.campaign import Campaign, load_campaign
from dialer.core.errors import ContactsError, ExitCode
from dialer.intake import Intake
from dialer.ledger import NewContact
from dialer.ledger.reading import open_reader

EXAMPLES = 5


def check(path: Path, options: Options) -> int:
    """Say how each column was understood, which rows would be rejected and why, and who would be called when."""
    campaign = load_campaign(path)
    sandbox_rules(campaign.sandbox, f"{path}: sandbox.")
    intake = Intake(campaign)
    now = time.time()
    rejected: Counter[str] = Counter()
    examples: list[str] = []
    contacts: dict[str, NewContact] = {}
    with import_progress() as progress:
        for row in intake.read(now, progress):
            if not isinstance(row, NewContact):
                reason, detail, number = row.reason, row.detail, row.row_number
            elif row.phone in contacts:
                reason, number = "duplicate", row.row_number
                detail = f"{masked(row.phone)} is already in row {contacts[row.phone].row_number}"
            else:
                contacts[row.phone] = row
                continue
            rejected[reason] += 1
            if len(examples) < EXAMPLES:
                examples.append(plain(f"    row {number}: {reason}: {detail}"))
    write = sys.stdout.write
    write(f"campaign    {campaign.name}: {path} is in order\n")
    write(_columns(intake, contacts))
    write(f"rows        {len(contacts) + rejected.total():,}: {plural(len(contacts), 'contact')} to call, ")
    write(f"{rejected.total():,} rejected")
    write(f" ({', '.join(f'{count} {reason}' for reason, count in rejected.most_common())})\n" if rejected else "\n")
    write("".join(line + "\n" for line in examples))
    write(_known(campaign, contacts, options))
    write(_when(campaign, contacts, now))
    write(_pace(campaign))
    if not contacts:
        raise ContactsError(f"{path}: no row of the list can be called")
    return ExitCode.DONE


def _columns(intake: Intake, contacts: dict[str, NewContact]) -> str:
    lines: list[str] = []
    for file in intake.files:
        said = ", ".join(f"{column.header} -> {column.role}" for column in file.mapping.columns)
        lines.append(f"list        {plain(file.table.shown)}\ncolumns     {plain(said)}\n")
    lines += [f"note        {plain(note.text)}\n" for note in intake.notes]
    kindly = ", ".join(f"{count:,} {code}" for code, count in intake.tally.notes.most_common())
    lines += [f"read kindly {kindly}\n"] if kindly else []
    samples = ", ".join(masked(phone) for phone in list(contacts)[:2])
    return "".join(lines) + (f"numbers     {samples}, ...\n" if samples else "")


def _known(campaign: Campaign, contacts: dict[str, NewContact], options: Options) -> str:
    path = ledger_path(options)
    if not path.is_file():
        return ""
    with open_reader(path) as reader:
        if campaign.name not in reader.campaign_names():
            return ""
        record = reader.campaign(campaign.name)
        known: dict[str, str] = dict(reader.rows("lead_states", campaign=record.id))
    states = Counter(known[phone] for phone in contacts if phone in known)
    said = ", ".join(f"{count} {state}" for state, count in states.items())
    gone = sum(1 for phone, state in known.items() if phone not in contacts and state in {"queued", "waiting"})
    if gone:
        said += f"; {gone} waiting whose rows are gone would be cancelled"
    return f"ledger      {plural(states.total(), 'contact')} known already ({said}); nobody is called again for it\n"


def _when(campaign: Campaign, contacts: dict[str, NewContact], now: float) -> str:
    hours = campaign.rules().hours
    if hours.week is None:
        return "hours       always\n"
    openings = Counter(
        "now" if (opening := hours.opening(row.zone, now)).is_open else f"from {local_time(opening.until, now)}"
        for row in contacts.values()
    )
    said = ", ".join(f"{plural(count, 'contact')} {when}" for when, count in openings.most_common(6))
    return f"hours       {said} (times of this machine's clock)\n"


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
        f"agents      {agents}\n"
        f"pace        at most {campaign.pacing.max_concurrent} calls at once, "
        f"{api.requests_per_minute} requests a minute, {api.requests_per_day} a day, at {api.base_url}\n"
        f"retries     at most {retry.max_attempts} attempts each; {_waits(campaign)}\n"
        f"money       {money}\n"
    )
