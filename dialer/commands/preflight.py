"""Before a run places anything: may it, with this key, at this address, by this clock, with this campaign file?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio

from dialer.client import CallsClient
from dialer.client.headers import AnswerNote
from dialer.core.campaign import Campaign, read_campaign
from dialer.core.errors import ApiError, CampaignFileError, Gone, MendCampaign, NoAnswer, NotSent, TryLater, UserError
from dialer.core.revision import Revision, revisions
from dialer.core.wire import CallPage
from dialer.ledger import CampaignRecord
from dialer.ledger.sqlite import SqliteLedger

PROBE: Final = "probe"
"""The topic under which a ledger keeps what `dialer doctor --probe` measured."""
DROPPED_TRIES: Final = 3
"""So often the first question is asked while its connections are dropped."""
DROPPED_AGAIN_S: Final = 0.5
ASKED_FOR: Final = 3
"""So many of our own latest calls are asked for before an account is taken for another one."""


def changed(record: CampaignRecord | None, campaign: Campaign) -> list[Revision]:
    """What the campaign file says differently than when it last ran."""
    if record is None or record.digest == campaign.digest():
        return []
    try:
        return revisions(read_campaign(record.source, Path(record.file)), campaign)
    except CampaignFileError:  # the file of an older version, which said things that nobody understands any more
        return []


def confirm(campaign: Campaign, path: Path, news: Sequence[Revision], *, yes: bool) -> None:
    """Ask before calls that are real, and name what has changed. Raises :class:`UserError` without a yes."""
    if campaign.api.is_loopback or yes:
        return
    asked = [str(item) for item in news if item.asks]
    if not sys.stdin.isatty():
        why = f" (changed since the last run: {'; '.join(asked)})" if asked else ""
        raise UserError(f"{path}: these calls are real: say --yes to place them without being asked{why}")
    for line in asked:
        sys.stderr.write(f"Changed since the last run: {line}\n")
    sys.stderr.write(f"Campaign '{campaign.name}' will place real calls through {campaign.api.base_url}. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UserError("not confirmed: no call was placed")


class Hearing:
    """Keeps what the headers of the first answers say, until a runner is there to hear it."""

    def __init__(self) -> None:
        self.notes: list[AnswerNote] = []

    def __call__(self, note: AnswerNote) -> None:
        self.notes.append(note)

    def check_clock(self, campaign: Campaign) -> None:
        """Raise :class:`UserError` where this machine's clock and the API's are too far apart to dial by."""
        tolerance_s = campaign.api.clock_tolerance
        for note in self.notes[-1:]:
            low_s, high_s = note.skew_low_s, note.skew_high_s
            if low_s is None or high_s is None or (low_s <= tolerance_s and high_s >= -tolerance_s):
                continue
            off_s = low_s if low_s > 0 else high_s
            raise UserError(
                f"this machine's clock and the API's differ by {off_s:+.0f} s (API minus machine); calling hours go by "
                f"it: set the clock, or widen api.clock_tolerance, and run again"
            )


async def first_question(client: CallsClient, campaign: Campaign) -> CallPage | None:
    """One cheap question before anything is intended: is the address right, and does the key open it?

    A connection that was dropped is no reason to end a run that somebody started, maybe at night and by itself: it is
    asked twice more, as long as that takes no longer than one request may.
    """
    again_until = anyio.current_time() + campaign.api.timeout - DROPPED_AGAIN_S
    tries = 0
    while True:
        tries += 1
        try:
            return await client.list_calls()
        except MendCampaign as error:
            if error.http_status in {401, 402, 403}:
                raise UserError(f"the API does not accept the key ({error}); check SMARTALEX_API_KEY") from None
            raise UserError(f"{campaign.api.base_url}: {error}; check api.base_url") from None
        except NotSent as error:
            unreachable = f"cannot reach {campaign.api.base_url}: {error}; check api.base_url and the network"
            raise UserError(unreachable) from None
        except TryLater:
            return None  # it lives, and the runner knows how to wait
        except NoAnswer as error:
            if error.http_status is not None:
                return None
            if tries == DROPPED_TRIES or anyio.current_time() >= again_until:
                raise UserError(f"{campaign.api.base_url} does not answer ({error}); try again later") from None
        except ApiError as error:
            raise UserError(f"{campaign.api.base_url}: {error}; check api.base_url") from None
        await anyio.sleep(DROPPED_AGAIN_S)


async def check_account(
    client: CallsClient, ledger: SqliteLedger, record: CampaignRecord, account: str, page: CallPage | None, now: float
) -> int:
    """See that a new key opens the account that this ledger's calls were made with. Returns the requests it took.

    Raises :class:`UserError` where the API knows none of our latest calls: then no list of calls could tell what
    became of those in doubt, and everybody would be called anew.
    """
    before = ledger.last_account(record.id)
    if before in {None, "", account}:
        return 0
    assert before is not None
    ours = ledger.calls_of(before, 200)
    if not ours:
        return 0  # nothing to recognise an account by; its doubts are not judged by this one's list
    if page is not None and any(call.id in ours for call in page.calls):
        ledger.same_account(record.id, before, account, now)
        return 0
    for asked, call_id in enumerate(ours[:ASKED_FOR], 1):
        try:
            await client.get_call(call_id)
        except Gone:
            continue
        except ApiError as error:
            raise UserError(f"cannot tell whether this key opens the campaign's account ({error}); try again") from None
        ledger.same_account(record.id, before, account, now)
        return asked
    raise UserError(
        "this key and address belong to another account: the API knows none of the calls this campaign made. Use the "
        "key it was begun with, or begin a campaign of another name"
    )


def slow_list(measured: Mapping[str, Any], horizon_s: float) -> str | None:
    """Why the list lags too long for a horizon to prove anything, by what a probe measured; None where it does not."""
    lag_s = measured.get("list_lag_s")
    if not isinstance(lag_s, int | float):
        return None
    if not measured.get("shown"):
        return f"a probe watched the list for {lag_s:.0f} s, and it never showed the call"
    return f"a probe saw the list lag {lag_s:g} s" if lag_s >= horizon_s else None


def check_horizon(ledger: SqliteLedger, account: str, campaign: Campaign) -> None:
    """Raise :class:`UserError` where absence would be believed sooner than this account's list shows a call."""
    retry = campaign.retry
    why = slow_list(ledger.learned(account, PROBE), retry.uncertain_horizon)
    if retry.on_uncertain == "retry_absent" and why is not None:
        raise UserError(
            f'retry.on_uncertain = "retry_absent" would call people twice: {why}, and uncertain_horizon is '
            f'{retry.uncertain_horizon:g} s; make that longer and probe again, or set on_uncertain = "hold"'
        )
