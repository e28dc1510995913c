"""``dialer fetch``: transcripts, summaries and recordings of finished calls, after dialing in priority."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Never

import anyio

from dialer.client import CallsClient
from dialer.client.media import STRICT, THIS_MACHINE, MediaClient
from dialer.commands.address import api_address
from dialer.commands.common import Options, ledger_path, local_time, plain, plural
from dialer.commands.keys import account_of, api_key
from dialer.core.campaign import Campaign, read_campaign
from dialer.core.errors import ExitCode, LedgerHeld
from dialer.fetching import Errand, Fetcher, NotNow, check_account, errands
from dialer.fetching.budget import Budget, DialingFirst, NothingLeft, rivals
from dialer.fetching.calls import FinishedCall, Wanted, finished_calls, wanted
from dialer.fetching.listing import count, write_listing, write_summaries
from dialer.fetching.manifest import Kind, Manifest, Outcome
from dialer.fetching.shelf import Shelf
from dialer.fetching.turn import turn
from dialer.ledger import CampaignRecord
from dialer.ledger.lock import runner_of
from dialer.ledger.reading import open_reader
from dialer.reports.files import make_private_dir
from dialer.runner.clock import SystemClock

if TYPE_CHECKING:
    from tqdm import tqdm

LOOK_EVERY_S: Final = 1.0
"""How soon it is noticed that a run has ended."""
ASKED_FOR: Final = 3
"""So many of our latest calls are asked for where the key is another one than the campaign was run with."""
PLAIN_EVERY_S: Final = 10.0
_TOLD: Final = {
    Outcome.FETCHED.value: "fetched",
    "there": "already there",
    Outcome.NOT_AVAILABLE.value: "not available",
    Outcome.REFUSED.value: "refused",
    Outcome.UNANSWERED.value: "not asked for, since nobody answered",
    Outcome.LEFT.value: "left",
}


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """The flags of ``fetch``. Without a kind: transcripts and summaries, which one request brings together."""

    kinds: frozenset[Kind] = frozenset()
    where: tuple[str, ...] = ()
    out: Path | None = None
    wait: bool = True
    again: bool = False
    before_dialing: bool = False


class _Teller:
    """A bar on a terminal, lines elsewhere, nothing where it is to be quiet but what must be said."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: tqdm[Never] | None = None
        self._told_at = time.monotonic()

    def progress(self, done: int, of: int) -> None:
        if self._quiet:
            return
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm  # only for a terminal

                self._bar = tqdm(total=of, file=sys.stderr, dynamic_ncols=True, unit="")
            self._bar.total = of
            self._bar.n = done
            self._bar.refresh()
        elif time.monotonic() - self._told_at >= PLAIN_EVERY_S:
            self._told_at = time.monotonic()
            self.notice(f"{done:,} of {of:,} requests' worth fetched")

    def notice(self, text: str) -> None:
        with suppress(OSError):  # nobody reads on; fetching goes on all the same
            if self._bar is not None:
                self._bar.write(text, file=sys.stderr)
            else:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@dataclass(slots=True)
class _Job:
    """One start of the command, until it ends."""

    path: Path
    name: str
    campaign: Campaign
    options: Options
    flags: FetchOptions
    kinds: frozenset[Kind]
    conditions: Sequence[Wanted]
    manifest: Manifest
    shelf: Shelf
    teller: _Teller
    chosen: list[FinishedCall] = field(default_factory=list)
    fetched: set[tuple[str, Kind]] = field(default_factory=set)
    why: str = ""


def fetch(name: str, flags: FetchOptions, options: Options) -> int:
    """Fetch what is not there yet. Returns 0 when nothing is left, 3 when something is, 5 while a run is dialing."""
    path = ledger_path(options)
    with open_reader(path) as reader:
        record = reader.campaign(name)
        conditions = wanted(record, flags.where)
    campaign = read_campaign(record.source, Path(record.file))
    api_key(campaign, options)
    kinds = flags.kinds or frozenset({Kind.TRANSCRIPT, Kind.SUMMARY})
    out = flags.out or Path("reports") / name
    make_private_dir(out)
    manifest = Manifest(out)
    teller = _Teller(quiet=options.quiet)
    try:
        shelf = Shelf(out, kinds)
        job = _Job(path, name, campaign, options, flags, kinds, conditions, manifest, shelf, teller)
        try:
            anyio.run(_session, job)
        finally:
            teller.close()
            _write_tables(job, record)
        return _tell(job)
    finally:
        manifest.close()


async def _session(job: _Job) -> None:
    """Fetch while nobody dials, wait while somebody does."""
    while True:
        await _nobody_dials(job)
        try:
            await _once(job)
            return
        except DialingFirst:
            if not job.flags.wait:
                await _nobody_dials(job)
        except LedgerHeld:
            if not job.flags.wait:
                raise


async def _nobody_dials(job: _Job) -> None:
    said = False
    while (runner := runner_of(job.path)) is not None:
        who = f"a run holds the ledger {job.path} (process {runner or '?'})"
        if not job.flags.wait:
            raise LedgerHeld(f"{who}, and dialing goes first: fetch again when it has ended")
        if not said:
            said = True
            job.teller.notice(f"Waiting: {who}, and dialing goes first. (--no-wait does not wait.)")
        await anyio.sleep(LOOK_EVERY_S)


async def _once(job: _Job) -> None:
    """All that can be fetched until a run begins. Raises :class:`DialingFirst` when one does."""
    key, api = api_key(job.campaign, job.options), job.campaign.api
    with open_reader(job.path) as reader:
        record = reader.campaign(job.name)
        job.chosen = list(finished_calls(reader, record, job.conditions))
        account = account_of(key, api.base_url, reader.one("meta", key="workspace")[0])
        before = next(reader.rows("last_account", campaign=record.id), (None,))[0]
        latest = reader.rows("calls_of_account", account=before, limit=ASKED_FOR)
        ours = [] if before in {None, "", account} else [call_id for (call_id,) in latest]
        campaigns = [] if job.flags.before_dialing else rivals(reader, api.base_url)
    wanted = list(errands(job.chosen, job.kinds, job.manifest, again=job.flags.again, shelf=job.shelf))
    if not wanted:
        return
    async with turn(job.path, job.teller, wait=job.flags.wait):
        budget = Budget(job.path, account, api, campaigns, SystemClock(), job.teller, job.flags.wait, local_time)
        try:
            async with (
                api_address(job.campaign, job.path) as base_url,
                CallsClient(base_url, key, timeout_s=api.timeout, on_note=budget.heard) as client,
                MediaClient(THIS_MACHINE if api.is_loopback else STRICT) as media,
            ):
                await _fetch(job, budget, client, media, wanted, ours)
        finally:
            budget.close()


async def _fetch(
    job: _Job,
    budget: Budget,
    client: CallsClient,
    media: MediaClient,
    wanted: Sequence[Errand],
    ours: Sequence[str],
) -> None:
    try:
        await check_account(client, budget, ours)
    except NothingLeft as why:
        job.why = str(why)
        return
    fetcher = Fetcher(job.name, job.shelf, job.manifest, client, media, budget, budget.clock, job.teller, job.fetched)
    await fetcher.run(wanted)
    if isinstance(fetcher.stopped, DialingFirst):
        raise DialingFirst
    if isinstance(fetcher.stopped, NothingLeft | NotNow):
        job.why = str(fetcher.stopped)


def _write_tables(job: _Job, record: CampaignRecord) -> None:
    with open_reader(job.path) as reader:
        chosen = {call.id for call in job.chosen}
        write_listing(job.shelf.root, finished_calls(reader, record), chosen, job.kinds, job.manifest)
        if any(entry.kind is Kind.SUMMARY for entry in job.manifest.entries.values()):
            write_summaries(job.shelf.root, finished_calls(reader, record), job.manifest)


def _tell(job: _Job) -> int:
    found, why = count(job.chosen, job.kinds, job.manifest, job.fetched)
    kinds = [kind for kind in Kind if kind in job.kinds]
    lines = [f"{job.name}: {plural(len(job.chosen), 'finished call')}"]
    for outcome, word in _TOLD.items():
        numbers = [f"{found[outcome, kind]:,} {_plural_of(kind)}" for kind in kinds if found[outcome, kind]]
        lines += [f"  {word}: {', '.join(numbers)}{_reasons(why) if outcome == Outcome.REFUSED else ''}"] * bool(
            numbers
        )
    gone = sum(
        job.manifest.entries[call.id, kind].outcome is Outcome.FETCHED and not job.shelf.find(kind, call.id)
        for call in job.chosen
        for kind in kinds
        if kind is not Kind.SUMMARY and (call.id, kind) in job.manifest.entries
    )
    lines += [f"  {plural(gone, 'file')} of them are gone (--again fetches them anew)"] * bool(gone)
    lines.append(f"{job.shelf.root / 'fetched.csv'}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    left = sum(found[Outcome.LEFT.value, kind] for kind in kinds)
    if not left:
        return ExitCode.DONE
    reason = f"{plain(job.why)}; " if job.why else ""
    job.teller.notice(f"dialer: {reason}go on with the same command")
    return ExitCode.WORK_LEFT


def _plural_of(kind: Kind) -> str:
    return {Kind.SUMMARY: "summaries"}.get(kind, f"{kind}s")


def _reasons(why: Counter[str]) -> str:
    said = "; ".join(f"{number:,}: {plain(reason)}" for reason, number in why.most_common(3))
    return f" ({said}{'; ...' if len(why) > 3 else ''})"
