"""How many calls were live at once: a sweep over the calls in the order in which they began."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from dialer.reports.figures.timeline import Timeline


@dataclass(slots=True)
class Busy:
    """For each bucket: seconds of live calls, and the most calls that were live at one instant of it."""

    live_s: list[float]
    most: list[int]
    calls: int = 0


def busy(calls: Iterable[tuple[float, float]], line: Timeline) -> Busy:
    """``calls``: when each began and ended (UTC seconds), in the order of their beginnings.

    A call that ends when another begins has left its slot by then. Keeps no more than the calls that are live.
    """
    found = Busy([0.0] * line.buckets, [0] * line.buckets)
    ends: list[float] = []
    bucket, closes_at = 0, line.begin_of(1)
    live_s, most = found.live_s, found.most
    for began_at, ended_at in calls:  # a million of them: what most calls need stands here and calls nothing of ours
        found.calls += 1
        if began_at >= closes_at:
            bucket = _go_on(found, ends, line, bucket, line.bucket_of(began_at))
            closes_at = line.begin_of(bucket + 1)
        while ends and ends[0] <= began_at:
            heappop(ends)
        heappush(ends, max(ended_at, began_at))  # clocks that disagree make no call shorter than nothing
        most[bucket] = max(most[bucket], len(ends))
        if began_at < ended_at <= closes_at:
            live_s[bucket] += ended_at - began_at
        elif ended_at > closes_at:
            _spread(live_s, line, bucket, began_at, ended_at)
    _go_on(found, ends, line, bucket, line.buckets - 1)
    return found


def _go_on(found: Busy, ends: list[float], line: Timeline, bucket: int, until: int) -> int:
    """Go to a later bucket; each on the way begins with the calls that are still live then."""
    while bucket < until:
        bucket += 1
        begins_at = line.begin_of(bucket)
        while ends and ends[0] <= begins_at:
            heappop(ends)
        found.most[bucket] = len(ends)
    return bucket


def _spread(live_s: list[float], line: Timeline, bucket: int, began_at: float, ended_at: float) -> None:
    """Add a call's seconds to the buckets that it was live in."""
    for index in range(bucket, line.bucket_of(ended_at) + 1):
        closes_at = line.begin_of(index + 1)
        live_s[index] += max(min(ended_at, closes_at) - max(began_at, line.begin_of(index)), 0.0)
