"""``dialer resolve``: contacts of whom nothing tells whether their phone rang. Show why, look again, or decide."""

from __future__ import annotations

import json
import os
import pwd
import sys
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dialer.commands.common import Options, ledger_path, length, local_time, plain, plural
from dialer.core.campaign import read_campaign, seconds
from dialer.core.errors import ExitCode, UserError
from dialer.core.lifecycle import Attempt, AttemptState, LeadState, state_after_void
from dialer.core.masks import masked
from dialer.core.messages import MarkVoid, Settle
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader, open_reader
from dialer.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from dialer.runner import RunResult

PLACED: Final = "placed"
NOT_PLACED: Final = "not-placed"


@dataclass(frozen=True, slots=True)
class ResolveOptions:
    """The flags of ``resolve``. ``mark`` is :data:`PLACED`, :data:`NOT_PLACED` or None."""

    numbers: tuple[str, ...] = ()
    look: bool = False
    mark: str | None = None
    older_than: str | None = None
    as_json: bool = False


@dataclass(slots=True)
class Doubtful:
    """One contact of whom it is not known whether a phone rang, and all that is known of the attempt."""

    key: str
    phone: str
    lead_state: str
    attempt_state: str
    agent_id: str
    intended_at: float
    gave_up_at: float | None
    placed_at: float | None
    why: str
    verdict: str
    call_id: str | None
    scans: int = 0
    last_scan_at: float | None = None
    brought: str = ""
    """What a look brought."""

    @property
    def unresolved(self) -> bool:
        """Whether a person has to decide; otherwise the next run searches on."""
        return self.lead_state == LeadState.UNRESOLVED

    @property
    def accepted(self) -> bool:
        """Whether the API once said that it placed the call."""
        return self.placed_at is not None

    def next_step(self) -> str:
        """What a person can do."""
        if not self.unresolved:
            return "the next run searches on, or --look now"
        if self.attempt_state == AttemptState.LOST:
            return "no look can tell more; close it with --placed"
        if self.accepted:
            return "look again with --look, or close it with --placed; the API accepted it, so it cannot be not placed"
        return (
            "look again with --look; if you know that a phone rang, --placed, if you know that none did, --not-placed"
        )


@dataclass(slots=True)
class Standing:
    """What stands of one campaign, and what was done about it."""

    campaign: str
    shown: list[Doubtful]
    left: int
    """Unresolved contacts of the whole campaign."""
    done: list[str] = field(default_factory=list)


def resolve(name: str, flags: ResolveOptions, options: Options) -> int:
    """Show, look again or mark. Returns 0 where no contact of the campaign is unresolved (any more), 4 otherwise."""
    path = ledger_path(options)
    age_s = _age(flags.older_than)
    if flags.mark is not None and not flags.numbers and age_s is None:
        raise UserError(
            f"--{flags.mark}: which contacts? Name their numbers (+E164), or all of some age with --older-than 24h"
        )
    now = time.time()
    before = _standing(path, name, flags.numbers, age_s, now)
    if flags.mark is not None:
        done = _mark(path, name, flags, {item.key for item in before.shown if item.unresolved})
        after = _standing(path, name, (), None, now)
        after.done = done
        after.shown = [item for item in after.shown if item.key in {shown.key for shown in before.shown}]
        return _tell(after, flags, now)
    if flags.look:
        result = _look(path, name, options)
        return _tell_look(path, before, result, flags, now)
    return _tell(before, flags, now)


def _age(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return seconds(text)
    except ValueError as error:
        raise UserError(f"--older-than {text}: {error}") from None


# --- reading --------------------------------------------------------------------------------------------------------


def _standing(path: Path, name: str, numbers: Sequence[str], age_s: float | None, now: float) -> Standing:
    """What is doubtful of these numbers (all, where none is named), and of attempts older than that."""
    with open_reader(path) as reader:
        record = reader.campaign(name)
        found = [Doubtful(*row) for row in reader.rows("doubtful", campaign=record.id)]
        _add_evidence(reader, record, found)
    missing = set(numbers) - {item.phone for item in found}
    if missing:
        raise UserError(
            f"{masked(min(missing))} is no unresolved contact of '{name}' (numbers as +E164, like +12125550100); "
            f"see: dialer resolve {name}"
        )
    shown = [item for item in found if not numbers or item.phone in numbers]
    if age_s is not None:
        shown = [item for item in shown if item.intended_at <= now - age_s]
    return Standing(name, shown, sum(item.unresolved for item in found))


def _add_evidence(reader: LedgerReader, record: CampaignRecord, found: list[Doubtful]) -> None:
    """The calls that the API once named, and the complete scans that were read since."""
    keys = json.dumps([item.key for item in found])
    named: dict[str, str] = dict(reader.rows("calls_once_named", campaign=record.id, attempts=keys)) if found else {}
    scans: dict[str | None, list[float]] = {}
    for at, agent_id in reader.rows("scans", campaign=record.id) if found else ():
        scans.setdefault(agent_id, []).append(at)
    for item in found:
        item.call_id = item.call_id or named.get(item.key)
        since = [at for agent in (item.agent_id, None) for at in _from(scans.get(agent, []), item.intended_at)]
        item.scans, item.last_scan_at = len(since), max(since, default=None)


def _from(moments: list[float], since: float) -> list[float]:
    return moments[bisect_left(moments, since) :]


# --- looking again --------------------------------------------------------------------------------------------------


def _look(path: Path, name: str, options: Options) -> RunResult:
    """Run the campaign in the mode that dials nothing."""
    import anyio  # who only reads what is in doubt needs nothing of all this

    from dialer.commands.display import choose_display
    from dialer.commands.keys import api_key
    from dialer.commands.run import RunOptions, session, tell_healed

    ledger = SqliteLedger(path)
    try:
        record = ledger.campaign(name)
        assert record is not None
        campaign = read_campaign(record.source, Path(record.file))
        key = api_key(campaign, options)
        display = choose_display(quiet=options.quiet)
        tell_healed(ledger, display)
        flags = RunOptions(wait=False, look_only=True)
        try:
            return anyio.run(session, campaign, record, ledger, key, display, flags)
        finally:
            display.close()
    finally:
        ledger.close()


def _tell_look(path: Path, before: Standing, result: RunResult, flags: ResolveOptions, began_at: float) -> int:
    after = _standing(path, before.campaign, (), None, began_at)
    still = {item.key: item for item in after.shown}
    with open_reader(path) as reader:
        for item in before.shown:
            stands = still.get(item.key)
            row = reader.one("how_it_stands", attempt=item.key)
            item.brought = _missed(stands, began_at) if stands else _found(*row)
            if stands is not None:
                item.scans, item.last_scan_at, item.lead_state = stands.scans, stands.last_scan_at, stands.lead_state
            else:
                item.attempt_state, item.lead_state, item.call_id = row[:3]
    after.shown = before.shown
    code = _tell(after, flags, time.time())
    if result.reason:
        sys.stderr.write(f"dialer: {plain(result.reason)}\n")
        return result.exit_code
    return code


def _found(attempt: str, lead: str, call_id: str | None, disposition: str | None, status: str) -> str:
    if attempt == AttemptState.VOID:
        return f"proven absent: no phone rang, the contact is {lead} again"
    how = f"it ended: {disposition}" if disposition else f"its last status is '{plain(status)}'"
    return f"found: call {call_id}; {how}; the contact is {lead}"


def _missed(item: Doubtful, began_at: float) -> str:
    if item.attempt_state == AttemptState.LOST:
        return "not looked for: its call is known, how it ended is not"
    if item.last_scan_at is not None and item.last_scan_at >= began_at:
        return "not found: the whole list was read, and the call is not in it"
    return "not known: the API's list did not come whole; try again later"


# --- marking --------------------------------------------------------------------------------------------------------


def _mark(path: Path, name: str, flags: ResolveOptions, keys: set[str]) -> list[str]:
    """Write what a person knows. Returns a line for each contact: what was written, or why it was not."""
    ledger = SqliteLedger(path)
    try:
        record = ledger.campaign(name)
        assert record is not None
        lines: list[str] = []
        changes: list[Settle | MarkVoid] = []
        for attempt in ledger.unresolved(record.id):
            if attempt.key in keys:
                change = _change(attempt, flags.mark == PLACED, time.time())
                lines.append(_line(attempt, change))
                changes += [] if change is None else [change]
        ledger.commit(record.id, "", changes)
        return lines
    finally:
        ledger.close()


def _change(attempt: Attempt, placed: bool, now: float) -> Settle | MarkVoid | None:
    if placed:
        return Settle(attempt, f"marked as placed by {_who()}", now)
    if attempt.state is not AttemptState.UNCERTAIN or attempt.was_accepted:
        return None
    state = state_after_void(attempt.lead.attempts)
    return MarkVoid(attempt, state, now, "marked", f"marked as not placed by {_who()}", now)


def _line(attempt: Attempt, change: Settle | MarkVoid | None) -> str:
    phone = attempt.lead.phone
    match change:
        case Settle():
            return f"{phone}  marked as placed: the contact is exhausted and is not called again"
        case MarkVoid():
            return f"{phone}  marked as not placed: the contact is {change.lead_state} again and due now"
        case None:
            call = f" as {attempt.call_id}" if attempt.call_id else ""
            return f"{phone}  left as it is: the API accepted this call{call}, so a phone may have rung; use --placed"


def _who() -> str:
    """The person at this machine, for the journal: by the system's word, since an environment can say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


# --- telling --------------------------------------------------------------------------------------------------------


def _tell(standing: Standing, flags: ResolveOptions, now: float) -> int:
    if flags.as_json:
        sys.stdout.write(json.dumps(_as_json(standing), indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _text(standing, now)))
    return ExitCode.UNRESOLVED if standing.left else ExitCode.DONE


def _text(standing: Standing, now: float) -> Iterable[str]:
    yield from standing.done
    for item in () if standing.done else standing.shown:
        yield from _contact(item, now)
    if standing.left:
        yield f"{standing.campaign}: {_are(standing.left)} unresolved: a phone may have rung, and nothing tells"
    else:
        yield f"{standing.campaign}: no contact is unresolved"


def _are(count: int) -> str:
    return f"{plural(count, 'contact')} {'is' if count == 1 else 'are'}"


def _contact(item: Doubtful, now: float) -> Iterable[str]:
    if item.brought:
        yield f"{item.phone}  {item.brought}"
        return
    given_up = "" if item.gave_up_at is None else f", given up {local_time(item.gave_up_at, now)}"
    when = f"create intended {local_time(item.intended_at, now)}{given_up}"
    why = plain(item.why or item.verdict)
    if not item.unresolved:
        yield f"{item.phone}  in doubt: {when} ({why}); {item.next_step()}"
        return
    yield f"{item.phone}  unresolved: {plain(item.verdict)}"
    yield f"  attempt   {item.key} with {plain(item.agent_id)}: {when}: {why}"
    yield f"  the API   {_api_said(item)}"
    yield f"  the list  {_scans(item, now)}"
    yield f"  next      {item.next_step()}"


def _api_said(item: Doubtful) -> str:
    if item.call_id:
        return f"named it {item.call_id}"
    return "accepted it once" if item.accepted else "never named a call for it"


def _scans(item: Doubtful, now: float) -> str:
    if item.last_scan_at is None:
        return "not read to its end since"
    ago = length(max(now - item.last_scan_at, 0.0))
    return f"read to its end {plural(item.scans, 'time')} since, the last time {ago} ago"


def _as_json(standing: Standing) -> dict[str, Any]:
    return {
        "campaign": standing.campaign,
        "unresolved": standing.left,
        "done": standing.done,
        "contacts": [
            {
                "phone": item.phone,
                "state": "unresolved" if item.unresolved else item.lead_state,
                "attempt": item.key,
                "attempt_state": item.attempt_state,
                "agent_id": item.agent_id,
                "intended_at": item.intended_at,
                "gave_up_at": item.gave_up_at,
                "why": item.why,
                "verdict": item.verdict,
                "call_id": item.call_id,
                "accepted": item.accepted,
                "complete_scans": item.scans,
                "last_scan_at": item.last_scan_at,
                "brought": item.brought or None,
                "next": None if item.brought.startswith("found") else item.next_step(),
            }
            for item in standing.shown
        ],
    }
