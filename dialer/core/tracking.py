"""Which live calls to look at, and how: a page of the list for many, a single look for stragglers.

The controller's arithmetic: with calls of mean length m, n live ones end at n/m a second. A page costs one request and
shows a hundred calls, so a sweep is due when enough ends are expected unnoticed. A call that a page must hold and does
not means that the list is not ordered as assumed: then calls are looked at one by one for a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from math import ceil, log
from typing import Final

from dialer.core.messages import Look, LookAtPage
from dialer.core.wire import CallPage

PRIOR_LENGTH_S: Final = 45.0
SHARE_BINDING: Final = 0.08
"""Share of a call's length after which a sweep is due while people wait for slots."""
SHARE_IDLE: Final = 0.4
"""The same while slots are free: nobody waits, so looks are saved."""
MOST_BINDING_S: Final = 5.0
MOST_IDLE_S: Final = 15.0
LEAST_S: Final = 0.05
ENDS_WORTH_A_PAGE: Final = 1.5
LAG_ALLOWED_S: Final = 15.0
"""A call younger than this may not show in the list yet."""
STRIKES: Final = 3
SINGLES_FOR_S: Final = 600.0
MAX_SWEEP_PAGES: Final = 60


THRIFTY_LENGTHS: Final = 2.0
"""While the day's requests run out, a sweep is due only when most calls must have ended."""


class Eagerness(Enum):
    """How much it is worth to notice the end of a call at once."""

    BINDING = "contacts wait for slots"
    IDLE = "slots are free: nobody waits"
    THRIFTY = "the day's requests are running out"


@dataclass(slots=True)
class Tracked:
    """One live call."""

    call_id: str
    placed_at: float
    created_at: float
    """On the API's clock, or ours where the API did not say."""
    seen_at: float
    """When it was last known to be live."""
    looking: bool = False
    met_live: bool = True
    """Whether this run has seen it live: what ended while nobody looked tells nothing about lengths."""


@dataclass(slots=True)
class Sweep:
    """One walk over the newest pages; ``missing`` are the live calls it has not met yet, the oldest first."""

    started_at: float
    missing: dict[str, None]
    read: int = 0
    turned: bool = False


@dataclass(slots=True)
class Tracker:
    """All live calls of this runner, and the requests that follow them."""

    calls: dict[str, Tracked] = field(default_factory=dict)
    mean_s: float = PRIOR_LENGTH_S
    learned: int = 0
    _sweep: Sweep | None = None
    _asking: bool = False
    _swept_at: float = float("-inf")
    _looks: deque[str] = field(default_factory=deque)
    _strikes: int = 0
    _singles_until: float = float("-inf")
    _ascending_pages: int = 0
    """0 while the list is newest first; otherwise the last page of an oldest-first list."""
    _held_until: float = float("-inf")
    _failures: int = 0

    def add(self, call_id: str, placed_at: float, created_at: float | None = None, *, met_live: bool = True) -> None:
        """Follow a call. ``met_live`` is False for one of an earlier run, until this one has seen it live."""
        self.calls[call_id] = Tracked(call_id, placed_at, created_at or placed_at, placed_at, met_live=met_live)

    def drop(self, call_id: str, now: float, *, ended: bool) -> None:
        """Stop following a call; if it ended, learn its length: between when it was last live and now."""
        call = self.calls.pop(call_id, None)
        if call is None or not ended or not call.met_live:
            return
        length = max((call.seen_at + now) / 2 - call.placed_at, 0.0)
        self.learned += 1
        self.mean_s += (length - self.mean_s) * max(0.03, 1 / self.learned)
        self.mean_s = max(self.mean_s, 4 * LEAST_S)

    def next_straggler(self, now: float) -> Look | None:
        """A single look at a call that the pages did not show, if one is wanted."""
        if now < self._held_until or not self._stragglers():
            return None
        call_id = self._looks.popleft()
        self.calls[call_id].looking = True
        return Look(call_id)

    def _stragglers(self) -> bool:
        """Whether a look is wanted; calls that ended or are being looked at already are dropped on the way."""
        while self._looks and ((call := self.calls.get(self._looks[0])) is None or call.looking):
            self._looks.popleft()
        return bool(self._looks)

    def next_sweep(self, now: float, eager: Eagerness) -> Look | LookAtPage | None:
        """The request that tells most about all calls, if one is due."""
        if now < self._held_until or not self.calls or self._asking:
            return None
        if self._sweep is not None:
            return self._ask(self._sweep)
        if now < self._due_at(now, eager):
            return None
        if self._by_singles(now):
            call = self._longest_unseen()
            if call is None:
                return None
            call.looking = True
            return Look(call.call_id)
        self._sweep = Sweep(now, dict.fromkeys(self.calls))
        return self._ask(self._sweep)

    def _ask(self, sweep: Sweep) -> LookAtPage:
        self._asking = True
        page = sweep.read + 1
        return LookAtPage(self._ascending_pages - sweep.read if self._ascending_pages else page)

    def _by_singles(self, now: float) -> bool:
        return len(self.calls) == 1 or now < self._singles_until

    def _longest_unseen(self) -> Tracked | None:
        unasked = (call for call in self.calls.values() if not call.looking)
        return min(unasked, key=lambda call: call.seen_at, default=None)

    def _interval(self, eager: Eagerness) -> float:
        if eager is Eagerness.THRIFTY:
            return THRIFTY_LENGTHS * self.mean_s
        binding = eager is Eagerness.BINDING
        live = len(self.calls)
        interval = self.mean_s * (SHARE_BINDING if binding else SHARE_IDLE)
        if live > ENDS_WORTH_A_PAGE:
            interval = max(interval, -self.mean_s * log(1 - ENDS_WORTH_A_PAGE / live))
        else:
            interval = max(interval, self.mean_s / 4)
        return min(max(interval, LEAST_S), MOST_BINDING_S if binding else MOST_IDLE_S)

    def _due_at(self, now: float, eager: Eagerness) -> float:
        interval = self._interval(eager)
        oldest = next(iter(self.calls.values()))
        since = max(self._swept_at, oldest.placed_at)
        if self._by_singles(now):
            unseen = self._longest_unseen()
            if unseen is None:
                return float("inf")
            since = unseen.seen_at
        if not self.learned and eager is not Eagerness.THRIFTY:
            # nothing is known of lengths: look soon, then ever more seldom
            interval = min(interval, max(0.25, (since - oldest.placed_at) / 2))
        return since + interval

    def wake_at(self, now: float, eager: Eagerness) -> float:
        """When :meth:`next_sweep` or :meth:`next_straggler` may have something, if no fact comes before."""
        if not self.calls:
            return float("inf")
        if self._stragglers():
            return self._held_until
        if self._asking:
            return float("inf")
        return self._held_until if self._sweep is not None else max(self._due_at(now, eager), self._held_until)

    def seen(self, call_id: str, asked_at: float) -> None:
        """A look or a page shows the call live."""
        call = self.calls.get(call_id)
        if call is not None:
            call.seen_at = max(call.seen_at, asked_at)
            call.looking = False
            call.met_live = True
        if self._sweep is not None:
            self._sweep.missing.pop(call_id, None)

    def page_done(self, page: CallPage, now: float) -> None:
        """A page of a sweep has come and its calls were given to :meth:`seen` or :meth:`drop`."""
        self._asking = False
        self._failures = 0
        sweep = self._sweep
        if sweep is None:
            return
        for call in page.calls:
            sweep.missing.pop(call.id, None)
        for call_id in [call_id for call_id in sweep.missing if call_id not in self.calls]:
            del sweep.missing[call_id]
        sweep.read += 1
        if sweep.read == 1 and self._turned(page):
            if sweep.turned:  # both ends look like the wrong one: the list has another order, or none
                self._ascending_pages = 0
                self._singles_until = now + SINGLES_FOR_S
                self._finish(sweep, page, now)
                return
            sweep.turned, sweep.read = True, 0
            return
        if not self._worth_another(sweep, page):
            self._finish(sweep, page, now)

    def _turned(self, page: CallPage) -> bool:
        """Whether the list proves to run the other way; then the sweep begins anew at its newest end."""
        created = [call.created_at for call in page.calls if call.created_at]
        if len(created) < 2 or created[0] == created[-1] or not page.total:
            return False
        ascending = created[0] < created[-1]
        pages = ceil(page.total / page.per_page) if ascending else 0
        turned = (pages > 1 and pages != page.page) if ascending else bool(self._ascending_pages)
        self._ascending_pages = pages if pages > 1 else 0
        return turned

    def _worth_another(self, sweep: Sweep, page: CallPage) -> bool:
        if len(page.calls) + page.unreadable < page.per_page and not self._ascending_pages:
            return False
        if sweep.read >= MAX_SWEEP_PAGES or (self._ascending_pages and sweep.read >= self._ascending_pages):
            return False
        created = [call.created_at.timestamp() for call in page.calls if call.created_at]
        if not created:
            return False
        newest, oldest = max(created), min(created)
        reach = oldest - 1.5 * max(newest - oldest, 1.0)
        return sum(1 for call_id in sweep.missing if reach <= self.calls[call_id].created_at <= oldest + 1) >= 2

    def _finish(self, sweep: Sweep, page: CallPage, now: float) -> None:
        self._sweep = None
        self._swept_at = sweep.started_at
        created = [call.created_at.timestamp() for call in page.calls if call.created_at]
        oldest = min(created, default=float("inf"))
        astray = 0
        for call_id in sweep.missing:
            call = self.calls[call_id]
            age = sweep.started_at - call.placed_at
            if age < LAG_ALLOWED_S and age < self.mean_s * 2:
                continue
            astray += call.created_at > oldest + 1 and age >= LAG_ALLOWED_S
            gap = max(self._interval(Eagerness.IDLE), 0.15 * age)
            if not call.looking and now - call.seen_at >= min(gap, 60.0):
                self._looks.append(call_id)
        self._strikes = self._strikes + 1 if astray else 0
        if self._strikes >= STRIKES:
            self._strikes = 0
            self._singles_until = now + SINGLES_FOR_S

    def failed(self, call_id: str | None, now: float) -> None:
        """A look (``call_id``) or a page (None) brought nothing; ask again after a growing pause."""
        if call_id is None:
            self._asking = False
            self._sweep = None
        elif call_id in self.calls:
            self.calls[call_id].looking = False
        self._failures += 1
        self._held_until = now + min(60.0, 2.0 ** min(self._failures, 6))

    def look_soon(self, call_id: str) -> None:
        """Look at this call with the next request that can be spared."""
        if call_id in self.calls and call_id not in self._looks:
            self._looks.append(call_id)

    def shift(self, by_s: float) -> None:
        """This machine's clock was set: what it measured moves along."""
        for call in self.calls.values():
            call.placed_at += by_s
            call.seen_at += by_s
        if self._sweep is not None:
            self._sweep.started_at += by_s
        self._swept_at += by_s
        self._singles_until += by_s
        self._held_until += by_s

    def retry_at_once(self) -> None:
        """Only the request limit was in the way: the silence it asked for is pause enough."""
        self._failures = 0
        self._held_until = float("-inf")
