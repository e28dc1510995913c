"""What a look may cost: requests are what a campaign runs on, and slots are what it has to fill.

A look tells that a call has ended, so that its slot is not idle; a create fills a slot. Where slots are what is short,
looks are worth much. Where requests are short, those of the minute or those of the day, each look takes a call away.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

LATE_SHARE: Final = 0.034
"""While people wait for slots: how late an end may be noticed on average, as a share of a call's length."""
LATE_MOST_S: Final = 2.2
LATE_IDLE_SHARE: Final = 0.2
"""The same while slots are free; sooner where hundreds of calls share the cost of a look."""
LATE_IDLE_MOST_S: Final = 7.5
LOOKS: Final = 0.85
"""Looks a call that are always worth it while people wait for slots, with twenty slots or more."""
LOOKS_ALONE: Final = 6.0
"""The same where the list cannot be used, and each call is looked at by itself."""
FEWEST_LOOKS: Final = 0.06
"""Looks a call where requests are all that is short: a page shows a dozen ends or more."""
SHORT_LOOKS: Final = 0.08
"""Looks a call while the minute's requests are all that is short."""
IDLE_LOOKS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Wish:
    """How followed calls are to be: ends noticed within ``late_s`` on average, for ``looks`` requests a call at most.

    Where both cannot be had, ``looks`` holds.
    """

    late_s: float
    looks: float


@dataclass(frozen=True, slots=True)
class Needs:
    """What a campaign has and wants at one moment."""

    mean_s: float
    """The mean length of a call."""
    slots: int
    """How many calls may be live as far as is known."""
    listed: bool
    """Whether one request shows many calls."""
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
    most = _affordable_today(needs)
    if not needs.waiting:
        late_s = min(LATE_IDLE_SHARE * needs.mean_s, LATE_IDLE_MOST_S) * min(1.0, (100.0 / max(needs.slots, 1)) ** 0.25)
        return Wish(late_s, most if most < LOOKS else IDLE_LOOKS)
    looks = min(_worth_it(needs), most, max(_affordable_this_minute(needs), SHORT_LOOKS))
    return Wish(min(LATE_SHARE * needs.mean_s, LATE_MOST_S), looks)


def _worth_it(needs: Needs) -> float:
    """With few slots a page shows few calls, so a look tells less."""
    return LOOKS * max(1.0, sqrt(20.0 / max(needs.slots, 1))) if needs.listed else LOOKS_ALONE


def _affordable_this_minute(needs: Needs) -> float:
    """Looks a call for which the minute's requests suffice with all slots busy."""
    return needs.per_minute / 60.0 * needs.mean_s / max(needs.slots, 1) - 1.0


def _affordable_today(needs: Needs) -> float:
    """Looks a call for which the day's requests reach to the list's end; else as few as use them up today.

    What is saved beyond that would be saved for nobody: tomorrow has a quota of its own.
    """
    looks = _worth_it(needs)
    if needs.wanted * (1.0 + looks) <= needs.left_today:
        return inf
    slots = max(needs.slots, 1)
    busy = needs.left_today * needs.mean_s / (slots * max(needs.day_s, 1.0))  # the share of slots that it must keep
    for_the_day = looks if busy >= 1.0 else max(FEWEST_LOOKS, 1.0 / (2.0 * slots * (1.0 - busy)))
    for_the_list = needs.left_today / max(needs.wanted, 1) - 1.0
    return min(max(for_the_day, for_the_list), looks)
