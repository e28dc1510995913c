"""``dialer run`` and ``dialer resume``: start, or go on. The same thing, from the file or from the ledger."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import anyio
from pydantic import SecretStr

from dialer.client import CallsClient
from dialer.commands.address import api_address, check_sandbox
from dialer.commands.common import Options, ledger_path, local_time, plural
from dialer.commands.display import BarDisplay, PlainDisplay, choose_display
from dialer.commands.importing import import_progress, loud
from dialer.commands.keys import account_of, api_key
from dialer.commands.preflight import Hearing, changed, check_account, check_horizon, confirm, first_question
from dialer.core.campaign import Campaign, load_campaign, read_campaign
from dialer.core.errors import ExitCode, LedgerUnusable, UserError
from dialer.core.masks import is_e164
from dialer.core.messages import Spend
from dialer.intake import Intake
from dialer.ledger import CampaignRecord, EnrollResult
from dialer.ledger.reading import choose, open_reader
from dialer.ledger.sqlite import SqliteLedger
from dialer.reports import write_reports
from dialer.reports.files import make_private_dir
from dialer.runner import Runner, RunResult
from dialer.runner.clock import SystemClock

SAME_KEY_S: Final = 0.5
"""Two interrupts this close are one press of Ctrl-C, told by the terminal and by a wrapper."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The flags of ``run`` and ``resume``."""

    yes: bool = False
    wait: bool = True
    limit: int | None = None
    only: str | None = None
    out: Path | None = None
    look_only: bool = False
    """Of ``resolve --look``: nothing is dialed, and every doubt gets one look."""


def run(path: Path, flags: RunOptions, options: Options) -> int:
    """Run the campaign in a file."""
    if flags.only is not None and not is_e164(flags.only):
        raise UserError(f"--only {flags.only}: a number is written as +E164, like +12125550100")
    campaign = load_campaign(path)
    key = api_key(campaign, options)
    intake = Intake(campaign)
    check_sandbox(campaign, path)
    news = changed(_as_it_ran(ledger_path(options), campaign.name), campaign)
    confirm(campaign, path, news, yes=flags.yes)
    fresh = options.ledger is not None and not ledger_path(options).exists()  # a slip of the pen begins afresh
    ledger = SqliteLedger(ledger_path(options))
    try:
        now = time.time()
        record = ledger.put_campaign(campaign.name, str(path.resolve()), campaign.source, campaign.digest(), now)
        display = choose_display(quiet=options.quiet)
        if fresh:
            display.notice(f"A new ledger: {ledger.path}. What other ledgers know of these people is not known here.")
        for item in news:
            display.notice(f"Changed since the last run: {item}")
        tell_healed(ledger, display)
        _enroll(intake, ledger, record, display)
        return _run(campaign, record, ledger, key, display, flags)
    finally:
        ledger.close()


def resume(name: str | None, flags: RunOptions, options: Options) -> int:
    """Go on with a campaign of the ledger, as its file was when it last ran."""
    path = ledger_path(options)
    with open_reader(path):
        pass  # a ledger that is not there must not be made
    ledger = SqliteLedger(path)
    try:
        record = ledger.campaign(choose(ledger.campaign_names(), name, path))
        assert record is not None
        campaign = read_campaign(record.source, Path(record.file))
        key = api_key(campaign, options)
        confirm(campaign, Path(record.file), (), yes=flags.yes)
        display = choose_display(quiet=options.quiet)
        tell_healed(ledger, display)
        if not record.intake or record.importing:
            _enroll(Intake(campaign), ledger, record, display)
        return _run(campaign, record, ledger, key, display, flags)
    finally:
        ledger.close()


def _enroll(intake: Intake, ledger: SqliteLedger, record: CampaignRecord, display: BarDisplay | PlainDisplay) -> None:
    for line in loud(intake.notes):
        display.notice(line)
    with import_progress(display) as progress:
        result = intake.enroll(ledger, record, time.time(), progress)
    _tell_intake(result, display)


def _as_it_ran(path: Path, name: str) -> CampaignRecord | None:
    """The campaign as the ledger knows it, if there is a ledger and it does."""
    if not path.is_file():
        return None
    try:
        with open_reader(path) as reader:
            return reader.campaign(name) if name in reader.campaign_names() else None
    except LedgerUnusable:
        return None  # opening it for writing will say what is wrong


def tell_healed(ledger: SqliteLedger, display: BarDisplay | PlainDisplay) -> None:
    if ledger.healed:
        display.notice(
            "The ledger was older than its journal (restored from a copy?): "
            f"{plural(ledger.healed, 'event')} taken over."
        )


def _tell_intake(result: EnrollResult | None, display: BarDisplay | PlainDisplay) -> None:
    if result is None:
        return
    refused = sum(result.rejected.values())
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(result.rejected.items()))
    parts = [f"{plural(result.rows, 'row')}: {result.added} new"]
    parts += [f"{result.known} known"] if result.known else []
    parts += [f"{refused} rejected ({why})"] if refused else []
    parts += [f"{result.cancelled} cancelled, since their rows are gone"] if result.cancelled else []
    display.notice("Contacts: " + ", ".join(parts))


def _run(
    campaign: Campaign,
    record: CampaignRecord,
    ledger: SqliteLedger,
    key: SecretStr,
    display: BarDisplay | PlainDisplay,
    flags: RunOptions,
) -> int:
    out = flags.out or Path("reports") / campaign.name
    make_private_dir(out)
    if flags.only is not None:
        found = ledger.leads_of(record.id, [flags.only]).get(flags.only)
        if found is None:
            raise UserError(
                f"--only {flags.only}: no contact of the list has this number (as +E164, like +12125550100)"
            )
        flags = replace(flags, only=found.phone)  # the number that this contact has gone on to, where it has
    try:
        result = anyio.run(session, campaign, record, ledger, key, display, flags)
    finally:
        display.close()
    if result.reason:
        display.notice(f"dialer: {result.reason}")  # before the reports: they may fail for the same reason
    with open_reader(ledger.path) as reader:
        written = write_reports(reader, campaign.name, out, time.time())
    _close(result, campaign, record.file, written.directory, display)
    return result.exit_code


def _close(result: RunResult, campaign: Campaign, file: str, out: Path, display: BarDisplay | PlainDisplay) -> None:
    snapshot = result.snapshot
    again = f"dialer resume {campaign.name}"
    if result.exit_code is ExitCode.USER:
        again = f"dialer run {file}"  # what was mended is in the file, not in the ledger
    done = f"{snapshot.done} of {plural(snapshot.contacts, 'contact')} done"
    match result.exit_code:
        case ExitCode.DONE:
            display.notice(f"Finished: {done}.")
        case ExitCode.UNRESOLVED:
            said = f"Finished: {done}, but some are unresolved: a phone may have rung, and nothing tells."
            display.notice(f"{said} See: dialer resolve {campaign.name}")
        case _:
            due = snapshot.next_due_at
            when = "" if due is None else f"; the next call is due at {local_time(due, snapshot.at)}"
            live = (
                f"; {plural(snapshot.live, 'call')} may be live still and will be found again" if snapshot.live else ""
            )
            display.notice(f"Stopped: {done}{when}{live}. Go on with: {again}")
    display.notice(f"Reports: {out}")


async def session(
    campaign: Campaign,
    record: CampaignRecord,
    ledger: SqliteLedger,
    key: SecretStr,
    display: BarDisplay | PlainDisplay,
    flags: RunOptions,
) -> RunResult:
    clock = SystemClock()
    async with api_address(campaign, ledger.path) as base_url:
        account = account_of(key, campaign.api.base_url, ledger.workspace)
        check_horizon(ledger, account, campaign)
        hearing = Hearing()
        async with CallsClient(base_url, key, timeout_s=campaign.api.timeout, on_note=hearing) as client:
            page = await first_question(client, campaign)
            hearing.check_clock(campaign)
            asked = 1 + await check_account(client, ledger, record, account, page, clock.wall())
            ledger.commit(record.id, account, [Spend(asked, clock.wall())])
            runner = Runner(
                campaign,
                record,
                ledger,
                client,
                account=account,
                clock=clock,
                watch=display,
                wait=flags.wait,
                limit=flags.limit,
                only=flags.only,
                look_only=flags.look_only,
            )
            for note in hearing.notes:
                runner.hear(note)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_obey_signals, runner)
                result = await runner.run()
                tasks.cancel_scope.cancel()
            return result


async def _obey_signals(runner: Runner) -> None:
    asked = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    with anyio.open_signal_receiver(*asked) as signals:
        before = float("-inf")
        async for _ in signals:
            if time.monotonic() - before > SAME_KEY_S:
                runner.stop()
            before = time.monotonic()
