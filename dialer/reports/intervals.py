"""How sure a number is: intervals, by published methods, from counts alone. Pure; no library needed."""

from __future__ import annotations

from math import sqrt
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
    share, spread = successes / trials, z * z / trials
    centre = share + spread / 2
    half = z * sqrt(share * (1 - share) / trials + spread / (4 * trials))
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    return (0.0 if successes == 0 else round(low, 6)), (1.0 if successes == trials else round(high, 6))
