"""Finding a create that was never answered: the window, the complete scan of the list, and what the evidence proves.

The create has no idempotency key, so the list of calls is the only witness. A scan is a state machine that is fed
pages; it says which page it wants next and, at the end, whether it may be believed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dialer.core.wire import Call, CallPage

SEND_WITHIN_S: Final = 5.0
"""An intent older than this is not sent any more. What a crash may have sent, it sent within this."""
LATE_S: Final = 120.0
"""The API may place a call this long after we stopped waiting."""
SLACK_S: Final = 5.0
UNKNOWN_SKEW_S: Final = 600.0
"""How far the API's clock may be off while no answer has told."""
MAX_PAGES: Final = 2_000
ATTEMPT_KEY: Final = "dialer_attempt"
CAMPAIGN_KEY: Final = "dialer_campaign"
"""The keys of our metadata that name the attempt and its campaign."""
_FULL_NUMBER: Final = 7
"""Fewer digits than this are no number that could be compared."""
_SPELLING: Final = frozenset("+0123456789 -.()/\u00a0")
_INSANE_SKEW_S: Final = 86_400.0
"""A clock that is further off tells nothing that a window could be drawn by."""


@dataclass(frozen=True, slots=True)
class Skew:
    """The API's clock minus ours, in seconds."""

    low_s: float = -UNKNOWN_SKEW_S
    high_s: float = UNKNOWN_SKEW_S


class SkewMeter:
    """Keeps the bounds of the skew over the latest observations, of two clocks that need not agree: the one that
    writes ``Date``, and the one that writes ``created_at``."""

    def __init__(self, keep: int = 16) -> None:
        self._told: deque[Skew] = deque(maxlen=keep)
        self._made: deque[Skew] = deque(maxlen=keep)

    def add(self, low_s: float, high_s: float) -> None:
        """One answer's ``Date`` against our clock when it was asked and when it came."""
        if max(abs(low_s), abs(high_s)) <= _INSANE_SKEW_S:
            self._told.append(Skew(low_s, high_s))

    def add_made(self, low_s: float, high_s: float) -> None:
        """The ``created_at`` of a call just placed against our clock before and after."""
        if max(abs(low_s), abs(high_s)) <= _INSANE_SKEW_S:
            self._made.append(Skew(low_s, high_s))

    def forget(self) -> None:
        """Our clock was set: what was observed against it holds no more."""
        self._told.clear()
        self._made.clear()

    @property
    def made(self) -> Skew | None:
        """The bounds of the clock that writes ``created_at`` alone, if any call has told."""
        return _widest(self._made) if self._made else None

    @property
    def known(self) -> Skew | None:
        """The bounds, if any answer has told."""
        return _widest([*self._told, *self._made]) if self._told or self._made else None

    @property
    def skew(self) -> Skew:
        """The widest bounds seen lately; ten minutes either way while nothing is known."""
        return self.known or Skew()


def _widest(seen: Iterable[Skew]) -> Skew:
    seen = list(seen)
    return Skew(min(item.low_s for item in seen), max(item.high_s for item in seen))


@dataclass(frozen=True, slots=True)
class Window:
    """When, on the API's clock (UTC seconds), the call of an unanswered create can have been made."""

    low: float
    high: float

    def __contains__(self, moment: float) -> bool:
        return self.low <= moment <= self.high


def window(from_api: float, to_api: float, late_s: float = LATE_S) -> Window:
    """The window of a create that left between these moments of the API's clock, as far as ours can tell them."""
    return Window(from_api - SLACK_S - 1.0, to_api + late_s + SLACK_S)  # created_at is cut to the second


@dataclass(slots=True)
class Scan:
    """One complete walk over an agent's calls between two moments."""

    id: int
    agent_id: str | None
    from_at: float
    to_at: float
    relevant_from: float
    """Calls created before this matter to nobody: a list that proves to be newest first may be left there."""
    started_at: float
    page: int = 1
    calls: dict[str, Call] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    done: bool = False
    complete: bool = False
    _first_total: int | None = None
    _unreadable: int = 0
    _sorted: bool = True
    _last_created: float = float("inf")

    def absorb(self, page: CallPage, bound: Iterable[str]) -> None:
        """One more page. Sets ``page`` to the next one wanted, or ``done`` and whether the scan is ``complete``."""
        before = len(self.calls)
        for call in page.calls:
            self.calls[call.id] = call
            created = call.created_at.timestamp() if call.created_at else None
            if created is None or created > self._last_created:
                self._sorted = False
            else:
                self._last_created = created
        self.bound.update(bound)
        if self.page == 1:
            self._first_total = page.total
        self._unreadable += page.unreadable
        brought = len(page.calls) + page.unreadable
        repeated = brought > 0 and len(self.calls) == before
        short = brought < page.per_page
        past_relevance = self._sorted and len(self.calls) >= 20 and self._last_created < self.relevant_from
        if past_relevance:
            self.done, self.complete = True, not self._unreadable
        elif repeated or short or self.page >= MAX_PAGES:
            self.done, self.complete = True, self._adds_up(page, at_its_end=short and not repeated)
        else:
            self.page += 1

    def _adds_up(self, last: CallPage, *, at_its_end: bool) -> bool:
        if self._unreadable:
            return False  # a call without an id may be anybody's
        if not last.total or self._first_total is None:  # nought beside calls is no count at all
            return at_its_end
        if last.total < self._first_total:
            return False  # a call that vanished may have drawn another one past a page's edge
        # where the newest come first, what the list gained while it was read is younger than this scan
        return len(self.calls) >= (self._first_total if self._sorted else last.total)


def same_number(one: str | None, other: str) -> bool:
    """Whether two spellings name one number: digit by digit, a missing country code or trunk prefix aside."""
    if one is None:
        return False
    if one == other:
        return bool(_digits(one))
    shorter, longer = sorted((_digits(one).lstrip("0"), _digits(other).lstrip("0")), key=len)
    return shorter == longer or (len(shorter) >= _FULL_NUMBER and longer.endswith(shorter))


def other_number(one: str | None, other: str) -> bool:
    """Whether ``one`` is readable and certainly another number than ``other``. A masked one proves nothing."""
    return one is not None and one != other and _readable(one) and not same_number(one, other)


def _readable(phone: str) -> bool:
    return set(phone) <= _SPELLING and len(_digits(phone)) >= _FULL_NUMBER


def _digits(phone: str) -> str:
    return "".join(character for character in phone if character.isdecimal())


def _ending(phone: str) -> str:
    """What two spellings of one number share; empty where it cannot be read."""
    return _digits(phone)[-_FULL_NUMBER:] if _readable(phone) else ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a complete scan shows about one unanswered create."""

    candidates: tuple[Call, ...] = ()
    """Calls that may be it, the earliest first."""
    vague: tuple[Call, ...] = ()
    """Calls that may be it as well, but lack their number or their time: while there are any, absence is not proven."""

    @property
    def undated(self) -> bool:
        """Whether something in the list may be it and cannot be told."""
        return bool(self.vague)


def by_number(calls: Iterable[Call]) -> dict[str, list[Call]]:
    """Calls by the last digits of their number, so that ten thousand open attempts share one scan."""
    found: dict[str, list[Call]] = {}
    for call in calls:
        found.setdefault(_ending(call.phone_number or ""), []).append(call)
    return found


def evidence(
    phone: str, agent_id: str, when: Window, calls: Mapping[str, list[Call]], bound: Iterable[str]
) -> Evidence:
    """The calls of a scan (from :func:`by_number`) that may be the create to ``phone``; ``bound`` ones are others'."""
    taken = frozenset(bound)
    found: list[Call] = []
    vague: list[Call] = []
    for call in (*calls.get(_ending(phone), ()), *calls.get("", ())):
        if call.id in taken or call.direction not in {None, "outbound"} or call.agent_id not in {None, agent_id}:
            continue
        readable = _readable(call.phone_number or "")
        if readable and not same_number(call.phone_number, phone):
            continue
        created_at = call.created_at.timestamp() if call.created_at else None
        if created_at is not None and created_at not in when:
            continue
        if created_at is None or not readable:
            vague.append(call)
        else:
            found.append(call)
    found.sort(key=lambda call: (call.created_at.timestamp() if call.created_at else 0.0, call.id))
    return Evidence(tuple(found), tuple(vague))


def echoed_attempt(call: Call) -> str | None:
    """The attempt that a call's metadata names, where the API gives metadata back."""
    value = (call.metadata or {}).get(ATTEMPT_KEY)
    return value if isinstance(value, str) else None
