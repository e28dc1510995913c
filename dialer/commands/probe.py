"""``dialer doctor --probe``: one real call, to measure what no page of the API's documentation says.

How soon the list shows a new call decides whether an unanswered create may ever be taken for one that was not placed.
The call is placed once, whatever comes; its number must be one that the person at the keyboard may call.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from math import ceil
from typing import Final

import anyio
from pydantic import SecretStr

from dialer.client import PER_PAGE, CallsClient
from dialer.client.headers import AnswerNote
from dialer.commands.address import api_address
from dialer.commands.common import Options, ledger_path, plain
from dialer.commands.keys import account_of, api_key
from dialer.commands.preflight import PROBE, first_question, slow_list
from dialer.core.campaign import Campaign
from dialer.core.errors import ApiError, ExitCode, NoAnswer, UserError
from dialer.core.masks import is_e164, masked
from dialer.core.messages import Note, Spend
from dialer.core.reconcile import ATTEMPT_KEY, CAMPAIGN_KEY
from dialer.core.wire import Call, CallPage, NewCall
from dialer.ledger import CampaignRecord
from dialer.ledger.sqlite import SqliteLedger
from dialer.runner.gate import Gate

LONGEST_S: Final = 600.0
"""Then the call is ended, and what has not shown is taken for never."""
PAUSE_S: Final = 0.1


@dataclass(slots=True)
class Measured:
    """What one call showed. Lengths in seconds; None where nothing told."""

    call_id: str | None = None
    error: str | None = None
    """Why no call was given an id."""
    shown: bool = False
    """Whether the list showed the call at all."""
    list_lag_s: float | None = None
    """From the create's answer until a list showed the call; where none did, how long it was watched."""
    newest_first: bool | None = None
    echo_list: bool | None = None
    echo_get: bool | None = None
    statuses: list[str] = field(default_factory=list)
    per_page: int | None = None
    date: bool = False
    ended_by_us: bool = False
    final: bool = False

    def see(self, call: Call) -> None:
        """An answer that shows the call."""
        if call.status and (not self.statuses or self.statuses[-1] != call.status):
            self.statuses.append(plain(call.status)[:64])
        self.final = self.final or call.ended


def probe(campaign: Campaign, file: str, number: str, options: Options, *, yes: bool, as_json: bool) -> int:
    """Place the one call, watch it, print and keep what it showed. ``file`` is where the campaign came from."""
    if not is_e164(number):
        raise UserError("--probe needs one number as +E164, like +12125550100")
    key = api_key(campaign, options)
    ledger = SqliteLedger(ledger_path(options))
    try:
        held_by = ledger.open_at(number)
        if held_by is not None:
            raise UserError(f"{masked(number)} has an open call in campaign '{held_by}': probe another number, or wait")
        _confirm(campaign, number, yes=yes)
        now = time.time()
        record = ledger.campaign(campaign.name) or ledger.put_campaign(
            campaign.name, file, campaign.source, campaign.digest(), now
        )
        found = anyio.run(_measure, campaign, record, ledger, key, number)
    except KeyboardInterrupt:
        raise UserError("interrupted: the probe's call may be live still, and what it showed is not complete") from None
    finally:
        ledger.close()
    sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n" if as_json else _text(campaign, found))
    return ExitCode.DONE if found.call_id is not None else ExitCode.USER


def _confirm(campaign: Campaign, number: str, *, yes: bool) -> None:
    if campaign.api.is_loopback or yes:
        return
    if not sys.stdin.isatty():
        raise UserError("the probe places one real call: say --yes to place it without being asked")
    sys.stderr.write(f"Place ONE real call to {masked(number)} through {campaign.api.base_url}? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UserError("not confirmed: no call was placed")


async def _measure(
    campaign: Campaign, record: CampaignRecord, ledger: SqliteLedger, key: SecretStr, number: str
) -> Measured:
    account = account_of(key, campaign.api.base_url, ledger.workspace)
    notes: list[AnswerNote] = []
    async with (
        api_address(campaign, ledger.path) as base_url,
        CallsClient(base_url, key, timeout_s=campaign.api.timeout, on_note=notes.append) as client,
    ):
        await first_question(client, campaign)
        watcher = _Watcher(campaign, client, Gate(campaign.api.requests_per_minute))
        attempt = f"{ledger.workspace}probe-{time.time():.0f}"
        begun = {"key": attempt, "agent": campaign.agents[0].id}
        ledger.commit(record.id, account, [Spend(2, time.time()), Note("probe_intended", time.time(), begun)])
        try:
            await watcher.place(number, attempt)
            await watcher.watch()
        finally:
            now = time.time()
            found = watcher.found
            found.date = any(item.skew_low_s is not None for item in notes)
            told = {"account": account, "key": attempt, "measured": asdict(found)}
            ledger.commit(record.id, account, [Spend(watcher.requests, now), Note("probe", now, told)])
        if found.call_id is not None:
            ledger.learn(account, PROBE, asdict(found), now)
    return found


class _Watcher:
    """Follows one call within the campaign's request limit."""

    def __init__(self, campaign: Campaign, client: CallsClient, gate: Gate) -> None:
        self._campaign = campaign
        self._client = client
        self._gate = gate
        self._key = ""
        self._answered_at = 0.0
        self.requests = 0
        self.found = Measured()

    async def place(self, number: str, attempt: str) -> None:
        """The one create. It is never sent again, whatever came of it."""
        await self._gate.take(1)
        self._key = attempt
        metadata = {CAMPAIGN_KEY: self._campaign.name, ATTEMPT_KEY: attempt}
        call = NewCall(agent_id=self._campaign.agents[0].id, phone_number=number, metadata=metadata)
        try:
            made = await self._client.create_call(call, attempt=attempt)
        except ApiError as error:
            rang = "a phone may ring all the same" if isinstance(error, NoAnswer) else "no phone rang"
            self.found.error = plain(f"{error}; {rang}")
            return
        self._answered_at = time.monotonic()
        self.found.call_id = made.id
        self.found.see(made)

    async def watch(self) -> None:
        """Look at the list and at the call in turns, until both have told everything."""
        found = self.found
        if found.call_id is None:
            return
        while not (found.final and found.shown and found.echo_get is not None):
            if self._watched_s() > LONGEST_S:
                break
            if not found.shown:
                await self._look_at_list(found.call_id)
            if not found.final or found.echo_get is None:
                await self._look_at_call(found.call_id)
            await anyio.sleep(PAUSE_S)
        if not found.shown:
            found.list_lag_s = round(self._watched_s(), 1)
        if not found.final:
            found.ended_by_us = await self._end(found.call_id)

    def _watched_s(self) -> float:
        return time.monotonic() - self._answered_at

    async def _look_at_list(self, call_id: str) -> None:
        page = await self._page(1)
        if page is None:
            return
        self.found.per_page = page.per_page
        self.found.newest_first = _newest_first(page.calls, self.found.newest_first)
        if not self._show(page, call_id) and (page.total or 0) > len(page.calls):
            last = await self._page(ceil((page.total or 1) / page.per_page))
            if last is not None and self._show(last, call_id):
                self.found.newest_first = False

    def _show(self, page: CallPage, call_id: str) -> bool:
        for place, call in enumerate(page.calls):
            if call.id == call_id:
                self.found.shown = True
                self.found.list_lag_s = round(self._watched_s(), 1)
                self.found.echo_list = self._is_echoed(call)
                self.found.see(call)
                if self.found.newest_first is None and len(page.calls) > 1:
                    self.found.newest_first = place == 0  # all of one second: the newest is ours
                return True
        return False

    async def _page(self, number: int) -> CallPage | None:
        await self._gate.take(1)
        self.requests += 1
        try:
            return await self._client.list_calls(page=number, per_page=PER_PAGE, direction="outbound")
        except ApiError:
            return None

    async def _look_at_call(self, call_id: str) -> None:
        await self._gate.take(1)
        self.requests += 1
        try:
            call = await self._client.get_call(call_id)
        except ApiError:
            return
        self.found.see(call)
        echoed = self._is_echoed(call)
        if echoed or call.ended:  # what is not shown of a live call may be shown later
            self.found.echo_get = echoed

    def _is_echoed(self, call: Call) -> bool:
        return (call.metadata or {}).get(ATTEMPT_KEY) == self._key

    async def _end(self, call_id: str) -> bool:
        await self._gate.take(1)
        self.requests += 1
        try:
            await self._client.end_call(call_id)
        except ApiError:
            return False
        return True


def _newest_first(calls: Sequence[Call], before: bool | None) -> bool | None:
    """Whether a page is in order of falling times; what was known ``before`` where all times are the same."""
    times = [call.created_at.timestamp() for call in calls if call.created_at is not None]
    if len(set(times)) < 2:
        return before
    return all(one >= other for one, other in pairwise(times))


def _text(campaign: Campaign, found: Measured) -> str:
    if found.call_id is None:
        return f"bad  probe        no call was placed as far as is known ({found.error}); nothing was measured\n"
    words = {True: "yes", False: "no", None: "not told"}
    lag = f"{found.list_lag_s} s after the create was answered" if found.shown else f"not within {found.list_lag_s} s"
    horizon = campaign.retry.uncertain_horizon
    slow = slow_list(asdict(found), horizon)
    safe = f"too slow for uncertain_horizon ({horizon:g} s)" if slow else f"within uncertain_horizon ({horizon:g} s)"
    lines = {
        "call": f"{found.call_id}; statuses seen: {', '.join(found.statuses) or 'none'}",
        "in the list": f"{lag}: {safe}",
        "newest first": words[found.newest_first],
        "metadata": f"in lists: {words[found.echo_list]}; of one call: {words[found.echo_get]}",
        "page size": f"{found.per_page} came for {PER_PAGE} asked",
        "Date": words[found.date],
    }
    if not found.final:
        lines["end"] = "it was still live after 10 min and was ended" if found.ended_by_us else "it could not be ended"
    return "".join(f"{title:<13}{plain(text)}\n" for title, text in lines.items())
