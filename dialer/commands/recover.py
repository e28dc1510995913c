"""``dialer doctor --recover``: rebuild a damaged or lost ledger from its journal and the contact lists."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dialer.commands.common import Options, ledger_path, plain, plural
from dialer.core.campaign import read_campaign
from dialer.core.errors import ExitCode, LedgerDamaged, LedgerUnusable, UserError
from dialer.intake import Intake
from dialer.ledger import checks, rebuild
from dialer.ledger.checks import Level
from dialer.ledger.lock import WriterLock
from dialer.ledger.rebuild import Builder, ContactLists, HeldStore, Rebuilt, Story
from dialer.ledger.sqlite import SqliteLedger
from dialer.ledger.store import journal_path, read_salt

LOST_CALLS: Final = 20
"""So many calls of people who are in no list any more are named."""


def recover(options: Options) -> int:
    """Rebuild the ledger if it needs it, and say in plain words what was done."""
    path = ledger_path(options)
    journal = journal_path(path)
    if not journal.exists() and not path.exists():
        raise UserError(f"there is neither a ledger at {path} nor a journal beside it: nothing was ever kept there")
    lock = WriterLock(path)
    lock.acquire()
    try:
        sys.stdout.write("".join(f"{plain(line)}\n" for line in _recover(path, journal)))
    finally:
        lock.release()
    return ExitCode.DONE


def _recover(path: Path, journal: Path) -> Iterator[str]:
    found = {item.subject: item for item in checks.ledger(path, held=False) if item.level is Level.BAD}
    if not found:
        try:
            ledger = SqliteLedger(HeldStore(path))
        except LedgerDamaged:
            yield from _rebuild(path, journal)
            return
        healed = ledger.healed
        ledger.close()
        yield f"{path} is sound: " + (f"it took {plural(healed, 'event')} over" if healed else "nothing was changed")
        return
    if set(found) == {"journal"} and checks.last_event(path):
        yield from _rewrite(path, journal)
        return
    yield from _rebuild(path, journal)


def _rewrite(path: Path, journal: Path) -> Iterator[str]:
    """The ledger is sound and its journal is not: what the journal lacks is copied from the ledger."""
    if checks.is_anothers(path):
        raise UserError(f"{journal} is another ledger's than {path}: put the right one beside it; nothing was changed")
    aside = _set_aside(path, journal)
    ledger = SqliteLedger(HeldStore(path))  # copies what its journal lacks, or takes over what it has more
    healed = ledger.healed
    ledger.close()
    over = f"; {plural(healed, 'event')} of it were taken over" if healed else ""
    yield f"{path} is sound; its journal was broken and was written anew{over}"
    yield f"kept as it was: {aside}"


def _set_aside(path: Path, journal: Path) -> Path:
    """Keep a broken journal aside; what holds together of it stays where it tells more than the ledger."""
    try:
        story = rebuild.read_story(journal)
    except LedgerUnusable:
        story = None  # damaged in its first line
    if story is not None and story.events > checks.last_event(path):
        return rebuild.set_journal_right(story, _stamp())
    aside = journal.with_name(f"{journal.name}.damaged-{_stamp()}")
    journal.replace(aside)
    return aside


def _stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def _rebuild(path: Path, journal: Path) -> Iterator[str]:
    if not journal.exists():
        raise UserError(f"{path} is damaged and has no journal beside it: put back a copy of one of the two")
    story = rebuild.read_story(journal)
    salt = read_salt(path) or rebuild.salt_in(path)
    if salt is None:
        raise UserError(f"{path}.salt is gone, and without it nobody in the journal can be recognised: put it back")
    now = time.time()
    lists = {ident: _lists(said.source, said.file, now) for ident, said in story.campaigns.items()}
    built = path.with_name(f"{path.name}.rebuilt")
    result = Builder(built, story, salt, now).build(lists)
    kept = rebuild.swap(path, built, story, _stamp())
    SqliteLedger(HeldStore(path)).close()  # sets it into the mode it is used in, and sees that the two agree
    yield from _summary(path, story, result, kept)


def _lists(source: str, file: str, now: float) -> ContactLists:
    """The contact lists of a campaign. Raises where the file cannot be read any more, or a list is missing."""
    campaign = read_campaign(source, Path(file))
    intake = Intake(campaign)
    return ContactLists(
        intake.read(now),
        intake.headers,
        intake.understood,
        intake.digest(),
        campaign.digest(),
        campaign.duplicates.in_other_campaigns,
    )


def _summary(path: Path, story: Story, result: Rebuilt, kept: list[Path]) -> Iterator[str]:
    yield (
        f"{path} is rebuilt from {plural(story.events, 'event')} of its journal and the contact lists: "
        f"{plural(len(story.campaigns), 'campaign')}, {plural(result.contacts, 'contact')}, "
        f"{plural(result.attempts, 'attempt')}"
    )
    if story.broken:
        yield (
            f"the journal breaks after event {story.events:,}: {plural(story.lost_lines, 'line')} behind it are lost; "
            "the next run looks for the calls they told of in the API's list before it dials"
        )
    if result.open_attempts:
        yield f"{plural(result.open_attempts, 'attempt')} still open: the next run settles them with the API's list"
    if result.strangers:
        named = ", ".join(result.lost_calls[:LOST_CALLS]) or "none was given an id"
        more = len(result.lost_calls) - LOST_CALLS
        yield (
            f"{plural(result.strangers, 'attempt')} could not be restored, since the people are in no list any more; "
            f"their calls: {named}{f' and {more:,} more' if more > 0 else ''}"
        )
    yield "requests made before today's recovery no longer count towards the day's limit"
    if kept:
        yield f"kept as they were: {', '.join(item.name for item in kept)}"
    campaigns = list(story.campaigns.values())
    again = f"dialer run {campaigns[0].file}" if len(campaigns) == 1 else "dialer resume NAME, for each campaign"
    yield f"next: dialer doctor, then {again}"
