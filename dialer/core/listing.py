"""What is known of the list of calls: its order, its pages, how late it shows a call, and whether it can be believed.

The documentation says nothing of all this. Newest first in pages of a hundred, at once and complete, is what is hoped
for; every page that comes is measured against that, and what proves different is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Final

from dialer.core.wire import CallPage

STRIKES: Final = 3
SINGLES_FOR_S: Final = 600.0
"""A list that proved unlike what is assumed is not used for so long."""
_OURS_LEAST: Final = 20
_LAG_FADES: Final = 0.9
_LAG_GROWS: Final = 1.25
"""A call that does not show yet will take a while longer: not to ask for it at every moment."""


class Where(Enum):
    """Where a call stands that a page does not show."""

    NEWER = "before this page"
    OLDER = "after this page"
    HIDDEN = "this page should hold it"
    UNTOLD = "made in the same second as the page's first or last"


@dataclass(frozen=True, slots=True)
class Span:
    """From which to which moment (the API's clock) the calls of a page were made; a page at the list's end is open."""

    newest: float
    oldest: float
    last: bool

    def where(self, created_at: float) -> Where:
        """Where a call made at this moment stands, if the page does not show it."""
        if created_at > self.newest:
            return Where.NEWER
        if self.oldest + 1.0 <= created_at <= self.newest - 1.0 or (self.last and created_at < self.newest - 1.0):
            return Where.HIDDEN
        return Where.OLDER if created_at < self.oldest else Where.UNTOLD


@dataclass(slots=True)
class Listing:
    """One account's list of outbound calls."""

    per_page: int = 100
    ratio: float = 1.0
    """Calls that come into the list for each one of ours: others may use the account."""
    lag_s: float = 0.0
    """How old a call must be to show, as far as was seen."""
    _strikes: int = 0
    _not_until: float = float("-inf")
    _ascending: bool = False
    _total: int = 0
    _total_at: int = 0
    """Our calls when the total was told."""
    _turned: bool = False
    _first_head: str = ""
    _unheeded: int = 0
    """Pages in a row that were the first one again."""

    def believed(self, now: float) -> bool:
        """Whether pages are worth reading."""
        return now >= self._not_until

    def page_of(self, position: float, placed: int) -> int:
        """The page that shows the call at this position, counted from the newest, from 1."""
        if self._ascending:
            total = self._total + self.ratio * (placed - self._total_at)
            return max(1, ceil((total - position + 1.0) / self.per_page))
        return max(1, ceil(position / self.per_page))

    def learn_order(self, asked: int, page: CallPage, placed: int, now: float) -> bool:
        """Measure the page's size and order. Returns whether it tells where calls stand that it does not show."""
        self.per_page = max(page.per_page, len(page.calls) + page.unreadable, 1)
        self._total, self._total_at = page.total or 0, placed
        created = [call.created_at for call in page.calls if call.created_at]
        if len(created) < 2 or created[0] == created[-1] or not page.total or page.total <= page.per_page:
            return self._heeds_numbers(asked, page, now)
        ascending = created[0] < created[-1]
        turned = ascending != self._ascending
        if turned and self._turned:  # twice in a row the wrong end: the list has another order, or none
            self.distrust(now)
            self._ascending = self._turned = False
            return False
        self._turned, self._ascending = turned, ascending
        return not turned and self._heeds_numbers(asked, page, now)

    def _heeds_numbers(self, asked: int, page: CallPage, now: float) -> bool:
        """Whether a page is the one that was asked for, and not the first one again."""
        head = page.calls[0].id if page.calls else ""
        if asked == 1:
            self._first_head = head
            return True
        if not head or head != self._first_head:
            self._unheeded = 0
            return True
        self._unheeded += 1
        if self._unheeded >= STRIKES:
            self._unheeded = 0
            self.distrust(now)
        return False

    def span(self, asked: int, page: CallPage) -> Span | None:
        """Which calls a page covers; None where it does not say when its calls were made."""
        if not page.calls and self.is_head(asked):  # nothing shows yet
            return Span(float("-inf"), float("-inf"), last=True)
        created = [call.created_at.timestamp() for call in page.calls if call.created_at]
        if not created:
            return None
        short = len(page.calls) + page.unreadable < self.per_page
        return Span(max(created), min(created), last=asked == 1 if self._ascending else short)

    def is_head(self, asked: int) -> bool:
        """Whether a page holds the newest calls."""
        return asked >= ceil(self._total / self.per_page) if self._ascending else asked == 1

    def position(self, asked: int, index: int) -> float:
        """The position, counted from the newest, of the ``index``-th call (from 0) of a page."""
        place = (asked - 1) * self.per_page + index + 1
        return self._total - place + 1 if self._ascending else place

    def learn_ratio(self, moved: float, ours: int) -> None:
        """A call moved down the list by so many places while so many of ours were made."""
        if ours >= _OURS_LEAST:
            self.ratio += 0.1 * (min(max(moved / ours, 0.5), 50.0) - self.ratio)

    def shown(self, age_s: float) -> None:
        """A call of this age was in the list."""
        if age_s < self.lag_s:
            self.lag_s = max(age_s, self.lag_s * _LAG_FADES)

    def not_shown_yet(self, age_s: float) -> None:
        """A call of this age was not in the list, though it is the newest."""
        self.lag_s = max(self.lag_s, _LAG_GROWS * age_s)

    def hid(self, hidden: int, now: float) -> None:
        """A page did not show so many live calls that it must hold; none: it can be believed."""
        self._strikes = self._strikes + 1 if hidden else 0
        if self._strikes >= STRIKES:
            self.distrust(now)

    def distrust(self, now: float) -> None:
        """Leave the list alone for a while."""
        self._strikes = 0
        self._not_until = now + SINGLES_FOR_S

    def shift(self, by_s: float) -> None:
        """This machine's clock was set."""
        self._not_until += by_s
