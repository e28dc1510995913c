"""How sure a number is: intervals, by published methods, from counts alone. Pure; no library needed."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan, ceil, cos, exp, lgamma, pi, sqrt
from statistics import NormalDist
from typing import Final

LEVEL: Final = 0.95
"""How often such intervals hold the truth."""
Z: Final = NormalDist().inv_cdf(0.5 + LEVEL / 2)

Interval = tuple[float | None, float | None]


def wilson(successes: int, trials: int, z: float = Z) -> Interval:
    """The score interval of a share (Wilson 1927): stays within 0 and 1 and holds for few trials too."""
    if not trials:
        return None, None
    low, high = _score(successes, trials, z)
    return round(low, 6), round(high, 6)


def _score(successes: float, trials: float, z: float) -> tuple[float, float]:
    share, spread = successes / trials, z * z / trials
    centre = share + spread / 2
    half = z * sqrt(share * (1 - share) / trials + spread / (4 * trials))
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    return 0.0 if successes == 0 else low, 1.0 if successes == trials else high


def newcombe(first: Share, second: Share, z: float = Z) -> Interval:
    """The first share less the second: Newcombe's hybrid score interval (Stat. in Medicine 17, 1998, method 10)."""
    if not first.trials or not second.trials:
        return None, None
    (low, high), (other_low, other_high) = first.score(z), second.score(z)
    below = sqrt((first.value - low) ** 2 + (other_high - second.value) ** 2)
    above = sqrt((high - first.value) ** 2 + (second.value - other_low) ** 2)
    gap = first.value - second.value
    return gap - below, gap + above


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many. Where trials come in clusters, ``inflation`` of them tell as much as one alone."""

    successes: float
    trials: float
    inflation: float = 1.0

    @property
    def value(self) -> float:
        """The share; 0 where there are no trials."""
        return self.successes / self.trials if self.trials else 0.0

    def score(self, z: float = Z) -> tuple[float, float]:
        """Its score interval, from as many trials as the clusters are worth."""
        worth = self.trials / self.inflation
        return _score(self.value * worth, worth, z)


@dataclass(frozen=True, slots=True)
class Sample:
    """Pairs of numbers, one pair a unit, kept as sums: ``y`` above the line and ``x`` below it. For a mean x is 1."""

    units: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    @property
    def ratio(self) -> float | None:
        """The sum of y over the sum of x: a mean where x is 1. None where there is nothing below the line."""
        return self.y / self.x if self.x else None

    def variance(self) -> float | None:
        """Of :attr:`ratio`, by linearisation (for a mean: its sampling variance). None for fewer than two units."""
        ratio = self.ratio
        if ratio is None or self.units < 2:
            return None
        residuals = max(self.yy - 2 * ratio * self.xy + ratio * ratio * self.xx, 0.0)
        mean_x = self.x / self.units
        return residuals / (self.units - 1) / self.units / (mean_x * mean_x)

    def inflation(self) -> float:
        """How many trials tell as much as one alone, for y of x trials in a unit: the design effect, 1 at least.

        Where all or none succeeded the spread tells nothing, and trials of one unit are taken as wholly alike.
        """
        share = self.ratio
        if share is None:
            return 1.0
        variance = self.variance()
        if variance is None or not 0 < share < 1:
            return max(self.xx / self.x, 1.0)
        return max(variance * self.x / (share * (1 - share)), 1.0)


def difference(first: Sample, second: Sample, level: float = LEVEL) -> Interval:
    """The first ratio less the second: Welch's interval, with Satterthwaite's degrees of freedom.

    None where a side has no spread and the ratios differ: nothing tells then how far chance goes.
    """
    one, other = first.variance(), second.variance()
    if one is None or other is None or first.ratio is None or second.ratio is None:
        return None, None
    gap = first.ratio - second.ratio
    if 0.0 in {one, other} and gap:
        return None, None
    if one + other == 0.0:
        return gap, gap
    freedom = (one + other) ** 2 / (one**2 / (first.units - 1) + other**2 / (second.units - 1))
    half = t_quantile(0.5 + level / 2, freedom) * sqrt(one + other)
    return gap - half, gap + half


def t_quantile(probability: float, freedom: float) -> float:
    """Student's quantile for a probability above one half: where the area, integrated by Simpson's rule, reaches it."""
    if freedom > 1e6:
        return NormalDist().inv_cdf(probability)
    low, high = 0.0, 1.0
    while 0.5 + _t_area(high, freedom) < probability:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 + _t_area(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def _t_area(until: float, freedom: float) -> float:
    """The area under Student's density from 0 to ``until``; with t = sqrt(f) tan(a) it is that of a cosine's power."""
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(pi)
    end, steps = atan(until / sqrt(freedom)), 400
    step = end / steps
    heights: list[float] = [cos(index * step) ** (freedom - 1) for index in range(steps + 1)]
    return scale * step / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))


def trials_needed(share: float, gap: float, power: float = 0.8, z: float = Z) -> int:
    """About how many trials each side needs to see ``gap`` around ``share``, four times in five."""
    reach = z + NormalDist().inv_cdf(power)
    return ceil(2 * reach * reach * max(share * (1 - share), 0.01) / (gap * gap))
