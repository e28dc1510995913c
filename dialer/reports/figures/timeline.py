"""Time in buckets: wide enough that a chart holds them all, and beginning at round times of UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_BUCKETS: Final = 200
_DAY_S: Final = 86_400
_WIDTHS_S: Final = (60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, _DAY_S)


@dataclass(frozen=True, slots=True)
class Timeline:
    """``buckets`` spans of ``width_s`` seconds, the first of which begins at ``begins_at`` (UTC seconds)."""

    begins_at: float
    width_s: int
    buckets: int

    def begin_of(self, bucket: int) -> float:
        """When a bucket begins, UTC seconds."""
        return self.begins_at + bucket * self.width_s

    def bucket_of(self, moment: float) -> int:
        """The bucket of a moment; what lies outside belongs to the first or the last."""
        return min(max(int((moment - self.begins_at) // self.width_s), 0), self.buckets - 1)


def timeline(first: float | None, last: float | None) -> Timeline | None:
    """The buckets from ``first`` to ``last`` (UTC seconds, both in it), 200 at most; None where there is no time."""
    if first is None or last is None:
        return None
    for width_s in _WIDTHS_S:
        found = _cut(first, last, width_s)
        if found.buckets <= MOST_BUCKETS:
            return found
    days = int((last - first) // (_DAY_S * (MOST_BUCKETS - 2))) + 1
    return _cut(first, last, days * _DAY_S)


def _cut(first: float, last: float, width_s: int) -> Timeline:
    begins_at = first // width_s * width_s
    return Timeline(begins_at, width_s, int((max(last, first) - begins_at) // width_s) + 1)
