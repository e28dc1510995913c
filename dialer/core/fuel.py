"""What a look may cost: requests are what a campaign runs on, and slots are what it has to fill.

A look tells that a call has ended, so that its slot is not idle; a create fills a slot. Where slots are what is short,
looks are worth much. Where requests are short, those of the minute or those of the day, each look takes a call away.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

LATE_SHARE: Final = 0.040
"""While people wait for slots: how late an end may be noticed on average, as a share of a call's length."""
_LATER: Final = 0.06
"""With more than twenty slots later by this power of their number, up to a hundred: then some are filled unseen."""
LATE_MOST_S: Final = 2.2
LATE_IDLE_SHARE: Final = 0.2
"""The same while slots are free; sooner where hundreds of calls share the cost of a look."""
LATE_IDLE_MOST_S: Final = 7.5
LOOKS: Final = 0.8
"""So many looks a call are always worth it while people wait for slots."""
_DEARER: Final = 0.66
"""Where a look tells little and more would be needed, so much of the excess (as its power) is still worth it."""
FEWEST_LOOKS: Final = 0.06
"""Looks a call where requests are all that is short: a page shows a dozen ends or more."""
SHORT_LOOKS: Final = 0.08
"""Looks a call while the minute's requests are all that is short."""
IDLE_LOOKS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Wish:
    """How calls are to be followed: ends noticed within ``late_s`` on average, for ``looks`` requests a call at most.

    Where both cannot be had, ``looks`` holds.
    """

    late_s: float
    looks: float
    short: bool = False
    """Whether requests are what is short, so that fewer looks are to be had than would be worth it."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a campaign has and wants at one moment."""

    mean_s: float
    """The mean length of a call."""
    slots: int
    """How many calls may be live as far as is known."""
    spread_s: float
    """What it takes to notice ends: looks a call times the seconds that they are then late on average. With all calls
    on one page of the list half the time between two ends; more where they stand on many pages, or each alone."""
    waiting: bool
    """Whether people are due and not dialed yet."""
    per_minute: float
    """Requests a minute."""
    left_today: int
    """Requests left of the day, less those that must be kept."""
    wanted: int
    """Calls still to be made, as far as can be told."""
    day_s: float
    """Seconds in which today's requests can be used."""


def wish(needs: Needs) -> Wish:
    """What a look may cost now, and what it is for."""
    if not needs.waiting:
        late_s = min(LATE_IDLE_SHARE * needs.mean_s, LATE_IDLE_MOST_S) * min(1.0, (100.0 / max(needs.slots, 1)) ** 0.5)
        most = _affordable_today(needs, LOOKS)
        return Wish(late_s, most if most < LOOKS else IDLE_LOOKS)
    late_s = min(LATE_SHARE * needs.mean_s * min(max(needs.slots / 20.0, 1.0), 5.0) ** _LATER, LATE_MOST_S)
    looks = _worth_it(needs.spread_s / late_s)
    affordable = min(_affordable_today(needs, looks), max(_affordable_this_minute(needs), SHORT_LOOKS))
    return Wish(late_s, min(looks, affordable), short=affordable < looks)


def _worth_it(needed: float) -> float:
    """Looks a call that are worth it where ``needed`` would notice ends as early as wished.

    With few slots, with small pages, and where the list is late or of no use, each look tells little: then ends are
    noticed later than wished, and for more looks than usual.
    """
    return needed if needed <= LOOKS else LOOKS * (needed / LOOKS) ** _DEARER


def _affordable_this_minute(needs: Needs) -> float:
    """Looks a call for which the minute's requests suffice, with slots as busy as so many looks can keep them.

    With g looks a call each of them holds its slot for mean + spread / g seconds, and takes 1 + g requests.
    """
    per_s_and_slot = needs.per_minute / 60.0 / max(needs.slots, 1)
    spare, dear = per_s_and_slot * needs.mean_s - 1.0, per_s_and_slot * needs.spread_s
    return (spare + sqrt(spare**2 + 4.0 * dear)) / 2.0


def day_is_short(needs: Needs) -> bool:
    """Whether today's requests end before the list does, and the slots known can use them up: more would be no help."""
    return _affordable_today(needs, LOOKS) < LOOKS


def _affordable_today(needs: Needs, looks: float) -> float:
    """At most ``looks`` a call: as many for which the day's requests reach to the list's end; else as few as use them
    up today.

    What is saved beyond that would be saved for nobody: tomorrow has a quota of its own.
    """
    if needs.wanted * (1.0 + looks) <= needs.left_today:
        return inf
    busy = needs.left_today * needs.mean_s / (max(needs.slots, 1) * max(needs.day_s, 1.0))
    if busy >= 1.0:  # the slots cannot use them up
        return looks
    for_the_day = max(FEWEST_LOOKS, needs.spread_s / needs.mean_s * busy / (1.0 - busy))  # so that slots are as busy
    for_the_list = needs.left_today / max(needs.wanted, 1) - 1.0
    return min(max(for_the_day, for_the_list), looks)
