"""Which live calls to look at, and how: a page of the list for many, a single look for one.

One currency decides: the seconds for which ended calls are expected to have waited unnoticed. For each page of the list
those of its calls are added up; the page is read when they reach the price of a request. A call that stands alone on
its page is looked at by itself, and so is everybody while the list cannot be believed. Reading a page when the waiting
has reached the price is what makes requests and waiting together the least: sparse pages are read seldom, full ones
often, and each as soon as its own calls, by their ages and by the lengths learnt so far, make it worth a request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf, sqrt
from typing import Final

from dialer.core.fuel import Wish
from dialer.core.lengths import ENOUGH, NOTHING, PRIOR_LENGTH_S, Curve, Lengths, Outlook
from dialer.core.listing import Listing, Span, Where
from dialer.core.messages import Look, LookAtPage
from dialer.core.wire import CallPage, CallStatus

LEAST_S: Final = 0.05
"""The same calls are not asked for again sooner."""
FIRST_LOOK_S: Final = 0.25
LAG_ALLOWED_S: Final = 15.0
"""A call younger than this may not show in the list yet: that is no sign of anything."""
MISSES: Final = 3
"""A call that so many pages in a row did not show is looked at alone."""
REST_LENGTHS: Final = 0.01
"""How long a call rests after a miss, in mean lengths; twice as long after each further one."""
MOST_PAGES: Final = 4
"""Pages asked for at once."""
LONGEST_UNSEEN: Final = 2.0
"""No live call goes unseen for longer than so many mean lengths, however dear requests are."""
REPLAN_S_PER_CALL: Final = 2e-4
"""Weighing all calls takes time that grows with their number: it is done the more seldom the more there are."""
_NO_HAZARD: Final = 1e-100
"""Ends a second: whoever may end no sooner has ended long ago. Smaller ones cannot be squared."""
_NEARLY: Final = 0.02
"""So near to its price a request is not put off once more."""
_GROWN: Final = 1.25
"""Nor is a plan worth much that was made when so many times fewer calls were up."""
_FRESH: Final = 0.25
"""A plan is made anew when so much of the time to its first look has passed: calls have come since."""


@dataclass(slots=True)
class Tracked:
    """One live call."""

    call_id: str
    placed_at: float
    created_at: float
    """On the API's clock, or ours where the API did not say."""
    seen_at: float
    """When it was last known to be live."""
    position: float
    """Its place in the list, from the newest, when ``base`` of our calls had been placed."""
    base: int
    looking: bool = False
    met_live: bool = True
    """Whether this run has seen it live: what ended while nobody looked tells nothing about lengths."""
    connected: bool = False
    misses: int = 0
    """Pages in a row that should have shown it and did not."""
    rests_until: float = -inf
    """After a miss it is not asked for again at once."""


@dataclass(slots=True)
class Group:
    """Calls that one request shows, and when that request is due. ``page`` is None for a look at a single call."""

    page: int | None
    calls: list[str]
    due_at: float = inf
    outlook: Outlook = NOTHING


@dataclass(slots=True)
class Asked:
    """A page that is on its way: which calls it should show, and how many of ours had been placed."""

    calls: list[str]
    at: float
    placed: int


@dataclass(slots=True)
class Tracker:
    """All live calls of this runner, and the requests that follow them."""

    lengths: Lengths = field(default_factory=Lengths)
    listing: Listing = field(default_factory=Listing)
    calls: dict[str, Tracked] = field(default_factory=dict)
    mean_s: float = PRIOR_LENGTH_S
    spread_s: float = PRIOR_LENGTH_S / 2
    """Looks a call times the seconds that ends are then noticed late, as calls lie on pages now."""
    _curves: tuple[Curve, Curve] | None = None
    _curves_at: tuple[int, float] = (-1, -inf)
    _placed: int = 0
    _asked: dict[int, Asked] = field(default_factory=dict)
    _groups: list[Group] = field(default_factory=list)
    """What is planned, the soonest last."""
    _unseen: Outlook = NOTHING
    """What was to be expected of all planned calls at the time of the plan, less those that were asked for since."""
    _planned_for: Wish | None = None
    _planned_at: float = -inf
    _planned_calls: int = 0
    _replan_at: float = -inf
    _stale: bool = True
    """Whether there are calls that the plan does not speak of: what was asked for since."""
    _looks: deque[str] = field(default_factory=deque)
    _asked_at: float = -inf
    _first_at: float = -inf
    """When the oldest of these calls was placed, until enough is known of lengths."""
    _held_until: float = -inf
    _failures: int = 0

    # --- calls come and go ------------------------------------------------------------------------------------------

    def add(self, call_id: str, placed_at: float, created_at: float | None = None, *, met_live: bool = True) -> None:
        """Follow a call. ``met_live`` is False for one of an earlier run, until this one has seen it live."""
        self._placed += 1
        if not self.calls and self.lengths.known < ENOUGH:
            self._first_at = placed_at
        made_at = created_at or placed_at
        self.calls[call_id] = Tracked(call_id, placed_at, made_at, placed_at, 1.0, self._placed, met_live=met_live)
        if len(self.calls) == 1:
            self._replan_at = -inf

    def drop(self, call_id: str, now: float, *, ended: bool, outcome: str = "", length_s: float | None = None) -> None:
        """Stop following a call; if it ended, learn its length: as told, or between when it was last live and now."""
        call = self.calls.pop(call_id, None)
        if call is None or not ended or not call.met_live:
            return
        least_s, most_s = max(call.seen_at - call.placed_at, 0.0), max(now - call.placed_at, 0.0)
        if length_s is None or not least_s - 1.0 <= length_s <= most_s + 1.0:
            length_s = (least_s + most_s) / 2
        self.lengths.learn(outcome, length_s)

    def seen(self, call_id: str, asked_at: float, status: str = "") -> None:
        """A look or a page shows the call live."""
        call = self.calls.get(call_id)
        if call is not None:
            call.seen_at = max(call.seen_at, asked_at)
            call.looking = False
            call.met_live = True
            call.misses = 0
            call.connected = call.connected or status == CallStatus.IN_PROGRESS

    # --- what to ask ------------------------------------------------------------------------------------------------

    def next_straggler(self, now: float) -> Look | None:
        """A single look at a call that the pages did not show, if one is wanted."""
        if now < self._held_until or not self._stragglers():
            return None
        return self._look(self._looks.popleft())

    def _stragglers(self) -> bool:
        """Whether a look is wanted; calls that ended or are being looked at already are dropped on the way."""
        while self._looks and ((call := self.calls.get(self._looks[0])) is None or call.looking):
            self._looks.popleft()
        return bool(self._looks)

    def _look(self, call_id: str) -> Look:
        self.calls[call_id].looking = True
        return Look(call_id)

    def next_sweep(self, now: float, wish: Wish) -> Look | LookAtPage | None:
        """The request that tells most about all calls, if one is due."""
        if now < self._held_until or not self.calls:
            return None
        self._plan(now, wish)
        group = self._next_group()
        if group is None or group.due_at > now:
            return None
        self._unplan()
        self._asked_at = now
        if group.page is None:
            return self._look(group.calls[0])
        self._asked[group.page] = Asked(group.calls, now, self._placed)
        return LookAtPage(group.page)

    def _next_group(self) -> Group | None:
        """The soonest request that may be made; what has ended or is being asked for is dropped on the way."""
        while self._groups and not self._worth_asking(self._groups[-1]):
            self._unplan()
        if not self._groups or (self._groups[-1].page is not None and len(self._asked) >= MOST_PAGES):
            return None
        return self._groups[-1]

    def _unplan(self) -> None:
        self._unseen = _sum([self._unseen], less=self._groups.pop().outlook)
        self._stale = True

    def _worth_asking(self, group: Group) -> bool:
        if group.page is not None:
            return group.page not in self._asked and any(call_id in self.calls for call_id in group.calls)
        call = self.calls.get(group.calls[0])
        return call is not None and not call.looking

    def wake_at(self, now: float, wish: Wish) -> float:
        """When :meth:`next_sweep` or :meth:`next_straggler` may have something, if no fact comes before."""
        if not self.calls:
            return inf
        if self._stragglers():
            return self._held_until
        self._plan(now, wish)
        group = self._next_group()
        due_at = inf if group is None else group.due_at
        if due_at > now and (due_at > self._replan_at + self.mean_s / 8 or self._stale) and any(self._unasked()):
            due_at = min(due_at, self._replan_at)
        return max(due_at, self._held_until)

    # --- the plan ---------------------------------------------------------------------------------------------------

    def _plan(self, now: float, wish: Wish) -> None:
        """Weigh all calls, if that is due: which request tells most, and when each is worth its price."""
        if now < self._replan_at and not self._out_of_date(now, wish):
            return
        self._planned_at, self._planned_for, self._stale = now, wish, False
        self._planned_calls = len(self.calls)
        curves = self._learnt(now)
        groups = self._grouped(now)
        sums = [_sum(_outlook(self.calls[call_id], curves, now) for call_id in group.calls) for group in groups]
        price_s = self._price_s(wish, sums)
        self._unseen = _sum(sums)
        for group, outlook in zip(groups, sums, strict=True):
            group.outlook = outlook
            group.due_at = self._due_at(now, group, outlook, price_s)
        groups.sort(key=lambda group: -group.due_at)
        self._groups = groups
        soonest = groups[-1].due_at if groups else inf
        least_s = max(LEAST_S / 4, REPLAN_S_PER_CALL * len(self.calls))
        most_s = min(self.mean_s / 8, wish.late_s)  # hazards change with ages: what is far off may come sooner
        self._replan_at = now + max(least_s, min(_FRESH * (soonest - now), most_s))

    def _out_of_date(self, now: float, wish: Wish) -> bool:
        """Whether more is wished for than when it was planned, or less, or many more calls are up."""
        before = self._planned_for
        if before is None or now < self._planned_at + REPLAN_S_PER_CALL * len(self.calls):
            return False
        grown = len(self.calls) > _GROWN * self._planned_calls
        return grown or _differ(before.looks, wish.looks) or _differ(before.late_s, wish.late_s)

    def _learnt(self, now: float) -> tuple[Curve, Curve]:
        """The curves, made anew when there is something to learn; and the mean length with them."""
        heard, made_at = self._curves_at
        news = self.lengths.heard - heard
        rarely_s = self.mean_s / 4 if self.lengths.heard < 100 else self.mean_s  # that calls do not end is news as well
        if self._curves is None or news > heard / 20 or now - made_at > rarely_s:
            live = [(call.seen_at - call.placed_at, call.connected) for call in self.calls.values() if call.met_live]
            self._curves = self.lengths.curves(live)
            self._curves_at = (self.lengths.heard, now)
            self.mean_s = max(self._curves[0].mean_s, 4 * LEAST_S)
        return self._curves

    def _grouped(self, now: float) -> list[Group]:
        """Calls by the request that shows them: alone where they are too young for the list; none twice at once."""
        groups = []
        pages: dict[int, list[str]] = {}
        believed, listing = self.listing.believed(now), self.listing
        for call in self._unasked():
            if now < call.rests_until:
                continue
            if not believed or call.misses >= MISSES or now - call.placed_at < listing.lag_s:
                groups.append(Group(None, [call.call_id]))
            else:
                page = listing.page_of(self._position(call), self._placed)
                pages.setdefault(page, []).append(call.call_id)
        groups += [Group(page if len(calls) > 1 else None, calls) for page, calls in pages.items()]
        return groups

    def _position(self, call: Tracked) -> float:
        return call.position + self.listing.ratio * (self._placed - call.base)

    def _unasked(self) -> Iterator[Tracked]:
        """Live calls that nobody is asking for."""
        asked = {call_id for page in self._asked.values() for call_id in page.calls}
        return (call for call in self.calls.values() if not call.looking and call.call_id not in asked)

    def _price_s(self, wish: Wish, sums: list[Outlook]) -> float:
        """The seconds of unnoticed waiting that a request is worth, so that ends are noticed as late as wished.

        With hazards r of the groups: noticed late on average by sqrt(2 price) * sum(sqrt r) / (2 sum r), for
        sum(sqrt r) / sqrt(2 price) requests a second.
        """
        rate = sum(outlook.hazard for outlook in sums)
        roots = sum(sqrt(outlook.hazard) for outlook in sums)
        if rate <= _NO_HAZARD:
            return inf
        self.spread_s = (roots / rate) ** 2 / 2.0
        affordable_s = self.spread_s / wish.looks
        late_s = affordable_s if wish.late_s == inf else max(affordable_s, wish.late_s)
        return min(late_s, LONGEST_UNSEEN / 2 * self.mean_s) ** 2 / self.spread_s

    def _due_at(self, now: float, group: Group, outlook: Outlook, price_s: float) -> float:
        """When the group's waiting will have reached the price: it grows by what has ended, and that by the hazard."""
        missing_s = price_s - outlook.waited_s
        wait_s = 0.0
        if missing_s > _NEARLY * price_s:
            wait_s = (sqrt(outlook.ended**2 + 2.0 * outlook.hazard * missing_s) - outlook.ended) / outlook.hazard
        seen_at = min(self.calls[call_id].seen_at for call_id in group.calls)
        if self.lengths.known < ENOUGH:
            # little is known of lengths: look soon, then ever more seldom
            since = max(self._asked_at, self._first_at)
            wait_s = min(wait_s, max(since + max(FIRST_LOOK_S, (since - self._first_at) / 2) - now, 0.0))
        return max(now + wait_s, seen_at + LEAST_S)

    def expected(self, now: float) -> float:
        """How many of the live calls are expected to have ended by now, less those that are being looked at."""
        if self._unseen.hazard <= 0.0:
            return 0.0
        ended = self._unseen.ended + self._unseen.hazard * max(now - self._planned_at, 0.0)
        return min(max(ended, 0.0), len(self.calls))  # the plan may be old, and speak of calls that are gone

    def expected_at(self, count: float) -> float:
        """When so many will be expected to have ended, if nobody looks."""
        if self._unseen.hazard <= 0.0 or count > len(self.calls):
            return inf
        return self._planned_at + (count - self._unseen.ended) / self._unseen.hazard

    def unnoticed(self, now: float) -> float:
        """How many of the live calls are expected to have ended by now."""
        curves = self._learnt(now)
        return sum(_outlook(call, curves, now).ended for call in self.calls.values())

    # --- answers ----------------------------------------------------------------------------------------------------

    def page_done(self, number: int, page: CallPage, now: float) -> None:
        """The page that was asked for by this number has come, and its calls went to :meth:`seen` or :meth:`drop`."""
        asked = self._asked.pop(number, None)
        self._failures = 0
        self._stale = True
        self._replan_at = min(self._replan_at, self._planned_at + max(LEAST_S / 4, REPLAN_S_PER_CALL * len(self.calls)))
        if asked is None:
            return
        if not self.listing.learn_order(number, page, asked.placed, now):
            return
        for index, listed in enumerate(page.calls):
            call = self.calls.get(listed.id)
            if call is not None:
                self._found(call, self.listing.position(number, index), asked)
        self._missed(number, page, asked, now)

    def _found(self, call: Tracked, position: float, asked: Asked) -> None:
        if call.seen_at >= asked.at and call.base < asked.placed and call.position > 1.0:
            self.listing.learn_ratio(position - call.position, asked.placed - call.base)
        call.position, call.base = position, asked.placed
        self.listing.shown(asked.at - call.placed_at)

    def _missed(self, number: int, page: CallPage, asked: Asked, now: float) -> None:
        """Why the page does not show those that it was asked for."""
        span = self.listing.span(number, page)
        missing = [call for call_id in asked.calls if (call := self.calls.get(call_id)) and call.seen_at < asked.at]
        hidden = 0
        for call in missing:
            where = self._where(span, call)
            if where is Where.NEWER:
                self._is_newer(call, number, asked)
                continue
            call.misses += 1
            call.rests_until = now + REST_LENGTHS * self.mean_s * 2.0**call.misses
            if where is Where.OLDER:
                call.position, call.base = max(self._position(call), number * self.listing.per_page + 1.0), self._placed
            elif where is Where.HIDDEN and asked.at - call.placed_at >= LAG_ALLOWED_S:
                hidden += 1
                self.look_soon(call.call_id)
        if span is not None:
            self.listing.hid(hidden, now)

    def _where(self, span: Span | None, call: Tracked) -> Where:
        return Where.UNTOLD if span is None else span.where(call.created_at)

    def _is_newer(self, call: Tracked, number: int, asked: Asked) -> None:
        if self.listing.is_head(number):
            self.listing.not_shown_yet(asked.at - call.placed_at)
        else:
            call.position, call.base = min(self._position(call), (number - 1.0) * self.listing.per_page), self._placed

    def failed(self, order: Look | LookAtPage, now: float) -> None:
        """A look or a page brought nothing; ask again after a growing pause."""
        if isinstance(order, LookAtPage):
            self._asked.pop(order.page, None)
        elif order.call_id in self.calls:
            self.calls[order.call_id].looking = False
        self._failures += 1
        self._held_until = now + min(60.0, 2.0 ** min(self._failures, 6))
        self._replan_at = -inf

    def look_soon(self, call_id: str) -> None:
        """Look at this call with the next request that can be spared."""
        if call_id in self.calls and call_id not in self._looks:
            self._looks.append(call_id)

    def shift(self, by_s: float) -> None:
        """This machine's clock was set: what it measured moves along."""
        for call in self.calls.values():
            call.placed_at += by_s
            call.seen_at += by_s
            call.rests_until += by_s
        for asked in self._asked.values():
            asked.at += by_s
        self._asked_at += by_s
        self._first_at += by_s
        self._held_until += by_s
        self._curves_at = (self._curves_at[0], self._curves_at[1] + by_s)
        self.listing.shift(by_s)
        self._replan_at = self._planned_at = -inf
        self._unseen = NOTHING

    def retry_at_once(self) -> None:
        """Only the request limit was in the way: the silence it asked for is pause enough."""
        self._failures = 0
        self._held_until = -inf


def _differ(before: float, after: float) -> bool:
    """Whether two wishes are so far apart that it matters."""
    return before != after and not abs(before - after) <= 0.2 * max(before, after) < inf


def _outlook(call: Tracked, curves: tuple[Curve, Curve], now: float) -> Outlook:
    """What is to be expected of a call; ``curves`` are of all calls, and of those that connected."""
    curve = curves[1] if call.connected else curves[0]
    return curve.outlook(call.seen_at - call.placed_at, now - call.placed_at)


def _sum(outlooks: Iterable[Outlook], *, less: Outlook = NOTHING) -> Outlook:
    waited_s, ended, hazard = -less.waited_s, -less.ended, -less.hazard
    for outlook in outlooks:
        waited_s += outlook.waited_s
        ended += outlook.ended
        hazard += outlook.hazard
    return Outlook(waited_s, ended, hazard)
