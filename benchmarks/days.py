"""The part of the table that is played in virtual time. Nothing in it hangs on how fast or how busy this machine is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from benchmarks.table import Row, at_least, at_most, below, count, decimal, seconds, share, times_at_least
from benchmarks.virtual_time import DAY_S, Figures, Plan, measure, measure_peer

_PEER = "peer (a)"


SEEDS = (11, 12, 13)
"""What is wanted of a plan is to hold with each of them: the worst is printed."""
UNLIKE: Mapping[str, Mapping[str, Any]] = {
    "list late by 30 s": {"lag": 30.0},
    "pages of 20": {"per_page_most": 20},
    "the oldest first": {"order": "oldest"},
    "no order": {"order": "random"},
}
_UNLIKE_AT = Plan(20, 600)


@dataclass(frozen=True, slots=True)
class Game:
    """One campaign, played by the runner or by peer (a)."""

    plan: Plan
    contacts: int
    peer: bool = False
    seed: int = SEEDS[0]
    unlike: str = ""
    """In what the list of calls is not what is hoped for: one of ``UNLIKE``."""

    def play(self) -> Figures:
        """The figures. A game ends with its list, and at the latest with the day."""
        switches = UNLIKE.get(self.unlike, {})
        how = measure_peer if self.peer else measure
        return how(self.plan, self.contacts, most_s=DAY_S, seed=self.seed, **switches)


_QUOTA = Plan(20, 0, 10_000)
"""The quota alone: held to 60 a minute as well, the peer looks less often than it wants, and gets more calls of it."""
_DAYS = (Plan(20, 600, 100_000), Plan(20, 300, 50_000), Plan(20, 60, 10_000), _QUOTA)
_LISTS = {
    Plan(1_000): 5_000,
    Plan(100): 3_000,
    Plan(100, 600): 3_000,
    Plan(20): 2_000,
    Plan(20, 600): 2_000,
    Plan(100, 60): 2_000,
}
_ENOUGH = {Plan(20, 60, 10_000): 12_000, _QUOTA: 12_000}
_MOST_OF_A_DAY = 48_000
"""More people than twenty slots can call in a day."""


def rows(*, quick: bool) -> list[Row]:
    """All games, on all cores, the longest first. Quick: shorter lists, no whole days, and no thousand slots."""
    lists = {plan: contacts // 4 for plan, contacts in _LISTS.items() if plan.slots < 1_000} if quick else _LISTS
    days = {} if quick else {plan: _ENOUGH.get(plan, _MOST_OF_A_DAY) for plan in _DAYS}
    games = [Game(plan, contacts, peer) for plan, contacts in {**days, **lists}.items() for peer in (False, True)]
    if not quick:
        games += [Game(plan, contacts, seed=seed) for plan, contacts in lists.items() for seed in SEEDS[1:]]
    games += [Game(_UNLIKE_AT, lists[_UNLIKE_AT], unlike=unlike) for unlike in UNLIKE]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = dict(zip(games, pool.map(Game.play, games), strict=True))
    ours: dict[Plan, list[Figures]] = {}
    for game, figures in found.items():
        if not game.peer and not game.unlike:
            ours.setdefault(game.plan, []).append(figures)
    theirs = {game.plan: figures for game, figures in found.items() if game.peer}
    unlike = {game.unlike: figures for game, figures in found.items() if game.unlike}
    return [
        *_day_rows(ours, theirs),
        *_fuel_rows(ours, theirs),
        *_slot_rows(ours, theirs),
        *_unlike_rows(unlike, theirs[_UNLIKE_AT]),
    ]


_Ours = Mapping[Plan, Sequence[Figures]]


def _worst(found: Sequence[Figures], value: Callable[[Figures], float], *, least: bool = False) -> float:
    return (min if least else max)(map(value, found))


def _day_rows(ours: _Ours, theirs: Mapping[Plan, Figures]) -> list[Row]:
    wanted = {_QUOTA: (at_least(6_000, "6,000"), times_at_least(6)), _DAYS[2]: (at_least(6_000, "6,000"),)}
    return [
        Row(
            f"calls in a day, {_said(plan)}",
            _worst(ours[plan], lambda found: found.calls, least=True),
            count,
            theirs[plan].calls,
            _PEER,
            wanted.get(plan, ()),
        )
        for plan in reversed(_DAYS)
        if plan in ours
    ]


def _fuel_rows(ours: _Ours, theirs: Mapping[Plan, Figures]) -> list[Row]:
    found = []
    wanted = {Plan(20): 1.7, Plan(100): 1.45, Plan(1_000): 1.35, Plan(100, 60): 1.15}
    for plan, most in wanted.items():
        if plan not in ours:
            continue
        us, them, place = ours[plan], theirs[plan], _said(plan)
        fuel = (at_most(most, f"{most:g}"),)
        late = (at_most(2.5, "2.5 s"),) if not plan.per_minute else ()
        found += [
            Row(
                f"requests per call, {place}",
                _worst(us, lambda found: found.requests_per_call),
                decimal,
                them.requests_per_call,
                _PEER,
                fuel,
            ),
            Row(
                f"ends noticed after, {place}",
                _worst(us, lambda found: found.noticed_s),
                seconds,
                them.noticed_s,
                _PEER,
                late,
            ),
        ]
    return found


def _slot_rows(ours: _Ours, theirs: Mapping[Plan, Figures]) -> list[Row]:
    found = []
    for plan, least in {Plan(20, 600): 0.95, Plan(100, 600): 0.93}.items():
        bound = at_least(least, f"{least:.0%}".replace("%", " %"))
        place = _said(plan)
        busy = _worst(ours[plan], lambda found: found.busy, least=True)
        found.append(Row(f"slots busy, {place}", busy, share, theirs[plan].busy, _PEER, (bound,)))
        what = f"creates refused for want of slots, {place}"
        refused = _worst(ours[plan], lambda found: found.refused)
        found.append(Row(what, refused, share, wanted=(below(0.03, "3 %"),)))
    return found


def _unlike_rows(ours: Mapping[str, Figures], them: Figures) -> list[Row]:
    """The peer reads no list: it is the same in all of these."""
    found, place = [], _said(_UNLIKE_AT)
    for unlike, us in ours.items():
        found += [
            Row(f"slots busy, {place}, {unlike}", us.busy, share, them.busy, _PEER),
            Row("requests per call of that", us.requests_per_call, decimal, them.requests_per_call, _PEER),
        ]
    return found


def _said(plan: Plan) -> str:
    limits = [f"{plan.per_minute} a minute"] if plan.per_minute else []
    limits += [f"{plan.per_day:,} a day"] if plan.per_day else []
    return ", ".join([f"{plan.slots:,} slots", *(limits or ["no other limit"])])
