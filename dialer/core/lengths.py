"""How long calls last, learnt per outcome while a campaign runs, and what that says of calls that are up.

A table of hazards over bins that grow with age: ends counted in a bin over the time calls spent in it. Calls that are
still up count as time without an end, so the first short calls do not make all calls look short.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, expm1
from typing import Any, Final

LENGTHS: Final = "lengths"
"""The topic under which the ledger keeps them."""
PRIOR_LENGTH_S: Final = 45.0
"""The mean length of calls before any was heard."""
_PRIOR_CALLS: Final = 2.0
"""For so many calls that belief counts, until ``ENOUGH`` have been heard."""
ENOUGH: Final = 20
_FIRST_S: Final = 0.05
_GROWTH: Final = 1.12
_BINS: Final = 120
_EDGES: Final = (0.0, *(_FIRST_S * _GROWTH**power for power in range(_BINS)))
"""Ages in seconds, from nothing to some ten hours."""
_PRIOR_ENDS: Final = 1.0
"""How much a bin without ends is believed to be like all others: so many ends at the mean hazard."""
_REMEMBERED: Final = 2000.0
"""Ends counted of each outcome before the older ones begin to fade: habits change."""
_KEPT_EVERY: Final = 500
_CARRIED_OVER: Final = 60.0
"""What an earlier run has learnt counts for so many ends at most: the account may have changed since."""
_CONNECTED: Final = frozenset({"completed", "voicemail"})


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected of one call that was live at one age and has not been heard of until another."""

    waited_s: float
    """Seconds that its end has been waiting to be noticed, on average over all that may have happened."""
    ended: float
    """The chance that it has ended."""
    hazard: float
    """Ends a second to be expected from now on."""


NOTHING: Final = Outlook(0.0, 0.0, 0.0)


@dataclass(slots=True)
class Ages:
    """Live calls by the bin of their age, and the time that they have spent in that bin."""

    counts: list[float] = field(default_factory=lambda: [0.0] * _BINS)
    times_s: list[float] = field(default_factory=lambda: [0.0] * _BINS)

    def add(self, age_s: float) -> None:
        """One more live call."""
        index = _bin(age_s)
        self.counts[index] += 1.0
        self.times_s[index] += max(age_s - _EDGES[index], 0.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """A distribution of lengths: hazard in each bin, the chance to reach its edge, and the integral of that."""

    hazards: tuple[float, ...]
    reach: tuple[float, ...]
    area_s: tuple[float, ...]
    mean_s: float

    @classmethod
    def of(cls, ends: list[float], live: Ages) -> Curve:
        """From ends counted in each bin, and live calls by their ages.

        Where nobody was that old yet, ends are believed to be as likely as on average. Until enough of them are known
        they are not believed to be rarer than calls of that age would have them: many calls that are all young, with
        hardly an end among them, are no sign of endless ones.
        """
        at_risk, times_s = 0.0, list(live.times_s)
        for index in range(_BINS - 1, -1, -1):
            times_s[index] += (_EDGES[index + 1] - _EDGES[index]) * (at_risk + ends[index] / 2)
            at_risk += ends[index] + live.counts[index]
        mean_s = (sum(times_s) + _PRIOR_CALLS * PRIOR_LENGTH_S) / (sum(ends) + _PRIOR_CALLS)
        believed_s = [min(mean_s, max(edge, PRIOR_LENGTH_S)) for edge in _EDGES[1:]]
        if sum(ends) >= ENOUGH:
            mean_s = sum(times_s) / sum(ends)
            believed_s = [mean_s] * _BINS
        hazards = tuple(
            (count + _PRIOR_ENDS) / (time_s + _PRIOR_ENDS * believed)
            for count, time_s, believed in zip(ends, times_s, believed_s, strict=True)
        )
        return cls.from_hazards(hazards, mean_s)

    @classmethod
    def from_hazards(cls, hazards: tuple[float, ...], mean_s: float) -> Curve:
        """From the hazard in each bin; the last one goes on for ever."""
        reach, area_s = [1.0], [0.0]
        for hazard, (low, high) in zip(hazards, pairwise(_EDGES), strict=True):
            left = reach[-1] * exp(-hazard * (high - low))
            area_s.append(area_s[-1] + (reach[-1] - left) / hazard)
            reach.append(left)
        return cls(hazards, tuple(reach), tuple(area_s), mean_s)

    def outlook(self, seen_age_s: float, age_s: float) -> Outlook:
        """Of a call that was live at ``seen_age_s`` and is ``age_s`` old now."""
        before, _, area_before_s = self._at(seen_age_s)
        after, hazard, area_after_s = self._at(age_s)
        if before <= 1e-12:  # older than any call ever was: what is left of the curve is its last hazard
            since_s = age_s - seen_age_s
            return Outlook(since_s + expm1(-hazard * since_s) / hazard, -expm1(-hazard * since_s), hazard)
        alive = after / before
        return Outlook((age_s - seen_age_s) - (area_after_s - area_before_s) / before, 1.0 - alive, hazard * alive)

    def _at(self, age_s: float) -> tuple[float, float, float]:
        """The chance to reach an age, the hazard there, and the area up to there."""
        age_s = min(max(age_s, 0.0), _EDGES[-1])
        index = min(bisect_right(_EDGES, age_s) - 1, _BINS - 1)
        hazard = self.hazards[index]
        left = self.reach[index] * exp(-hazard * (age_s - _EDGES[index]))
        return left, hazard, self.area_s[index] + (self.reach[index] - left) / hazard


def _bin(length_s: float) -> int:
    return min(bisect_right(_EDGES, max(length_s, 0.0)) - 1, _BINS - 1)


@dataclass(slots=True)
class Lengths:
    """Ends counted by outcome and length, and the curves that follow from them."""

    ends: dict[str, list[float]] = field(default_factory=dict)
    heard: int = 0
    """Calls whose end was heard in this run."""
    _carried_over: float = 0.0
    _to_keep_at: int = 10

    @property
    def known(self) -> float:
        """How many ends are known, those of earlier runs among them."""
        return self.heard + self._carried_over

    def worth_keeping(self) -> bool:
        """Whether enough was learnt since the last time: seldom, and ever more seldom until every 500 ends."""
        if self.heard < self._to_keep_at:
            return False
        self._to_keep_at = self.heard + min(self.heard, _KEPT_EVERY)
        return True

    def learn(self, outcome: str, length_s: float) -> None:
        """A call has ended this way after so many seconds."""
        counts = self.ends.setdefault(outcome, [0.0] * _BINS)
        counts[_bin(length_s)] += 1.0
        self.heard += 1
        if self.heard % 64 == 0 and sum(counts) > _REMEMBERED:
            self.ends[outcome] = [count / 2 for count in counts]

    def curves(self, live: Iterable[tuple[float, bool]] = ()) -> tuple[Curve, Curve]:
        """Of all calls, and of those that are known to have connected; ``live`` are ages and whether connected."""
        ages, talking = Ages(), Ages()
        for age_s, connected in live:
            ages.add(age_s)
            if connected:
                talking.add(age_s)
        talks = [counts for outcome, counts in self.ends.items() if outcome in _CONNECTED]
        everybody = Curve.of(_sum(self.ends.values()), ages)
        return everybody, Curve.of(_sum(talks), talking) if talks else everybody

    def to_data(self) -> dict[str, Any]:
        """What is worth keeping, as JSON: ends by outcome and bin."""
        return {
            "bins": _BINS,
            "ends": {
                outcome: {str(index): round(count, 2) for index, count in enumerate(counts) if count}
                for outcome, counts in self.ends.items()
            },
        }

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Lengths:
        """What an earlier run has kept; anything unreadable is worth nothing."""
        found = cls()
        if data.get("bins") != _BINS or not isinstance(data.get("ends"), dict):
            return found
        for outcome, counts in data["ends"].items():
            bins = [float(counts.get(str(index), 0.0)) for index in range(_BINS)]
            found.ends[str(outcome)] = bins
        most = sum(map(sum, found.ends.values()))
        scale = min(1.0, _CARRIED_OVER / most) if most > 0 else 1.0
        found.ends = {outcome: [count * scale for count in counts] for outcome, counts in found.ends.items()}
        found._carried_over = most * scale
        return found


def _sum(tables: Iterable[list[float]]) -> list[float]:
    total = [0.0] * _BINS
    for counts in tables:
        for index, count in enumerate(counts):
            if count:
                total[index] += count
    return total
