"""Fetching what finished calls left behind: transcripts, summaries, recordings. Starting and going on are the same.

Each thing is whole on the disk before it is remembered, and what is remembered, or lies there whole, is never asked for
again. What there is not is an outcome like any other. Here is the loop; how many requests it may make is decided in
:mod:`~dialer.fetching.budget`, what is remembered in :mod:`~dialer.fetching.manifest`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import anyio

from dialer.client import CallsClient
from dialer.client.media import MediaClient
from dialer.core.errors import (
    ApiError,
    DialerError,
    Expired,
    Gone,
    MendCampaign,
    NoAnswer,
    NotSent,
    Refused,
    TryLater,
    UserError,
)
from dialer.core.wire import Recording, Transcript
from dialer.fetching.budget import Budget, DialingFirst, NothingLeft, Notices
from dialer.fetching.calls import FinishedCall
from dialer.fetching.manifest import Entry, Kind, Manifest, Outcome
from dialer.fetching.shelf import Shelf
from dialer.reports.tables import iso
from dialer.runner.clock import Clock

SPOKEN: Final = frozenset({Kind.TRANSCRIPT, Kind.SUMMARY})
"""What one request brings together."""
ASKING: Final = 8
"""Requests to the API on their way at once."""
DOWNLOADS: Final = 4
"""Recordings on their way at once."""
TRIES: Final = 5
WAITS_MOST: Final = 50
"""So often one request is put off because the API asks for patience."""
ADDRESSES: Final = 3
"""A recording's address, and twice another one where it has expired."""
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
SILENT_IN_ROW: Final = 5
"""After so many things in a row of which no answer came, the API is away."""
_Found = TypeVar("_Found")


class Teller(Notices, Protocol):
    """Who hears how it goes."""

    def progress(self, done: int, of: int) -> None:
        """So many of the things asked for are settled."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What one request is for."""

    call: FinishedCall
    kinds: frozenset[Kind]


class NotNow(Exception):
    """No usable answer came, often enough: another time."""


def errands(
    calls: Iterable[FinishedCall], kinds: frozenset[Kind], manifest: Manifest, *, again: bool, shelf: Shelf
) -> Iterator[Errand]:
    """What is still to be asked for. ``again``: also what was not there, was refused, or whose file is gone."""
    for call in calls:
        if call.answered:
            missing = frozenset(kind for kind in kinds if not _known(manifest, shelf, call, kind, again=again))
            for group in (missing & SPOKEN, missing - SPOKEN):
                if group:
                    yield Errand(call, group)


def _known(manifest: Manifest, shelf: Shelf, call: FinishedCall, kind: Kind, *, again: bool) -> bool:
    entry = manifest.entries.get((call.id, kind))
    if entry is None:
        return False
    if not again:
        return entry.settled(call.ended_at)
    lies = kind is Kind.SUMMARY or shelf.find(kind, call.id) is not None
    return entry.outcome is Outcome.FETCHED and lies


@dataclass(slots=True)
class Fetcher:
    """Runs errands until none is left, a runner comes, or nothing more may be asked today."""

    campaign: str
    shelf: Shelf
    manifest: Manifest
    client: CallsClient
    media: MediaClient
    budget: Budget
    clock: Clock
    teller: Teller
    fetched: set[tuple[str, Kind]] = field(default_factory=set)
    """What was fetched by this one."""
    stopped: Exception | None = None
    """Why it ended early."""
    _done: int = 0
    _silent: int = 0
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def run(self, wanted: Sequence[Errand]) -> None:
        """Run errands. What is not settled afterwards is left, and :attr:`stopped` says why.

        Raises :class:`~dialer.core.errors.UserError` where only a person can go on: key, address, disk.
        """
        spoken = iter([errand for errand in wanted if errand.kinds <= SPOKEN])
        recorded = iter([errand for errand in wanted if not errand.kinds <= SPOKEN])
        async with anyio.create_task_group() as tasks:
            self._scope = tasks.cancel_scope
            for _ in range(min(ASKING, len(wanted))):
                tasks.start_soon(self._work, spoken, self._speech, len(wanted))
            for _ in range(min(DOWNLOADS, len(wanted))):
                tasks.start_soon(self._work, recorded, self._sound, len(wanted))
        if isinstance(self.stopped, DialerError):
            raise self.stopped

    async def _work(self, queue: Iterator[Errand], one: Callable[[Errand], Awaitable[None]], of: int) -> None:
        for errand in queue:  # one iterator for all workers: each errand is taken once
            if self.stopped is not None:
                return
            try:
                await one(errand)
                self._silent = 0
            except (DialingFirst, NothingLeft) as why:
                self._stop(why)
                return
            except (DialerError, OSError) as error:
                self._stop(error if isinstance(error, DialerError) else self._unwritable(error))
                self._scope.cancel()
            except NotNow as why:
                self._silent += 1
                if self._silent >= SILENT_IN_ROW:
                    self._stop(why)
            self._done += 1
            self.teller.progress(self._done, of)

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"cannot write to {self.shelf.root}: {error.strerror or error}; mend that and go on")

    def _stop(self, why: Exception) -> None:
        """No further errand is begun. The first reason is the one that is told."""
        if self.stopped is None:
            self.stopped = why

    # --- what was said ----------------------------------------------------------------------------------------------

    async def _speech(self, errand: Errand) -> None:
        call = errand.call
        lies = self.shelf.read_transcript(call.id)
        if lies is not None and Kind.TRANSCRIPT in errand.kinds:  # whole, but whoever wrote it did not get any further
            self._settle(*self._spoken(errand, lies))
            return
        try:
            found = await self._asked(lambda: self.client.get_transcript(call.id))
        except Refused as error:
            self._settle(*(self._no(call, kind, error) for kind in sorted(errand.kinds)))
            return
        if found.call_id not in {None, call.id}:
            wrong = Refused("the answer is about another call")
            self._settle(*(self._no(call, kind, wrong) for kind in sorted(errand.kinds)))
            return
        self._settle(*self._spoken(errand, self._as_json(call, found)))

    def _spoken(self, errand: Errand, said: dict[str, Any]) -> Iterator[Entry]:
        """The transcript goes to the disk before anything is remembered of it."""
        call, summary = errand.call, said.get("summary")
        if Kind.TRANSCRIPT in errand.kinds:
            if said.get("transcript") or summary:
                lies = self.shelf.find(Kind.TRANSCRIPT, call.id) if self.shelf.read_transcript(call.id) else None
                path = lies or self.shelf.keep_transcript(call.id, said)
                yield self._yes(call, Kind.TRANSCRIPT, self.shelf.relative(path), path.stat().st_size)
            else:
                yield self._no(call, Kind.TRANSCRIPT, Gone("the transcript is empty"))
        if Kind.SUMMARY in errand.kinds:
            if isinstance(summary, str) and summary.strip():
                yield self._yes(call, Kind.SUMMARY, text=summary)
            else:
                yield self._no(call, Kind.SUMMARY, Gone("there is no summary"))

    def _as_json(self, call: FinishedCall, found: Transcript) -> dict[str, Any]:
        return {
            "call_id": call.id,
            "campaign": self.campaign,
            "phone": call.phone,
            "agent_id": call.agent_id,
            "disposition": call.disposition,
            "created_at": iso(call.created_at),
            "ended_at": iso(call.ended_at),
            "duration_s": call.duration_s,
            "sentiment": call.sentiment,
            **spoken_json(found),
            "fetched_at": iso(self.clock.wall()),
        }

    # --- recordings -------------------------------------------------------------------------------------------------

    async def _sound(self, errand: Errand) -> None:
        call = errand.call
        lies = self.shelf.find(Kind.RECORDING, call.id)
        if lies is not None:
            self._settle(self._yes(call, Kind.RECORDING, self.shelf.relative(lies), lies.stat().st_size))
            return
        try:
            self._settle(await self._recorded(call))
        except Refused as error:
            self._settle(self._no(call, Kind.RECORDING, error))

    async def _recorded(self, call: FinishedCall) -> Entry:
        failed: Refused = Gone("no address was given")
        for asked in range(1, ADDRESSES + 1):
            place: Recording = await self._asked(lambda: self.client.get_recording(call.id))
            if asked < ADDRESSES and place.expires_at and place.expires_at.timestamp() <= self.clock.wall():
                continue  # the last one is tried all the same: maybe the clocks are apart
            try:
                return await self._downloaded(call, place.url)
            except Expired as error:
                failed = Gone(f"{error.message}, at {asked} addresses", http_status=error.http_status)
        raise failed

    async def _downloaded(self, call: FinishedCall, url: str) -> Entry:
        """Fetch it, trying again at the same address where nothing came: that costs no request to the API."""
        for tried in range(1, TRIES + 1):
            try:
                with self.shelf.part(Kind.RECORDING, call.id) as part:
                    media = await self.media.download(url, part.write)
                    path = await anyio.to_thread.run_sync(part.keep, media.extension)
                return self._yes(call, Kind.RECORDING, self.shelf.relative(path), media.size_bytes)
            except NoAnswer:
                if tried < TRIES:
                    await anyio.sleep(_pause_s(tried))
        raise NotNow(f"the recordings' host gives no answer, after {TRIES} tries each")

    # --- one request ------------------------------------------------------------------------------------------------

    async def _asked(self, ask: Callable[[], Awaitable[_Found]]) -> _Found:
        """What a request brings, however often it must be made. Raises :class:`~dialer.core.errors.Refused` for a no,
        and :class:`~dialer.core.errors.UserError` for one that concerns all others too."""
        tried, put_off = 0, 0
        said = ""
        while tried < TRIES and put_off < WAITS_MOST:
            await self.budget.ticket()
            try:
                return await ask()
            except TryLater as error:
                put_off, said = put_off + 1, str(error)
                self.budget.limited(error.retry_after_s)
            except MendCampaign as error:
                raise UserError(f"the API refuses: {error}; mend key or address, and go on") from None
            except (NoAnswer, NotSent) as error:
                tried, said = tried + 1, str(error)
                if tried < TRIES:
                    await anyio.sleep(_pause_s(tried))
        raise NotNow(f"the API gives no answer ({said})")

    # --- settling ---------------------------------------------------------------------------------------------------

    def _settle(self, *entries: Entry) -> None:
        self.manifest.add(*entries)
        self.fetched.update((entry.call, entry.kind) for entry in entries if entry.outcome is Outcome.FETCHED)

    def _yes(self, call: FinishedCall, kind: Kind, file: str = "", size_bytes: int = 0, text: str = "") -> Entry:
        return Entry(call.id, kind, Outcome.FETCHED, self.clock.wall(), "", file, size_bytes, text)

    def _no(self, call: FinishedCall, kind: Kind, error: ApiError) -> Entry:
        outcome = Outcome.NOT_AVAILABLE if isinstance(error, Gone) else Outcome.REFUSED
        return Entry(call.id, kind, outcome, self.clock.wall(), str(error))


def spoken_json(found: Transcript) -> dict[str, Any]:
    """Turns and summary as they are kept: ``speaker``, ``text``, ``timestamp`` in seconds."""
    turns = [{"speaker": turn.speaker, "text": turn.text, "timestamp": turn.timestamp} for turn in found.transcript]
    return {"transcript": turns, "summary": found.summary}


def _pause_s(tried: int) -> float:
    return min(FIRST_PAUSE_S * 2.0 ** (tried - 1), LONGEST_PAUSE_S)


async def check_account(client: CallsClient, budget: Budget, ours: Sequence[str]) -> None:
    """Raise :class:`~dialer.core.errors.UserError` where the API knows none of our latest calls: another account's key
    would have everything marked as not available."""
    for call_id in ours:
        await budget.ticket()
        try:
            await client.get_call(call_id)
        except Gone:
            continue
        except ApiError as error:
            raise UserError(f"cannot tell whether this key opens the campaign's account ({error}); try again") from None
        return
    if ours:
        raise UserError(
            "this key and address belong to another account: the API knows none of the calls this campaign made; use "
            "the key it was run with"
        )
