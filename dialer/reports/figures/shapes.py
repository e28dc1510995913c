"""The counts of a walk as the summary holds them: in buckets of time, by hour, by length, by agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from dialer.core.lifecycle import Disposition
from dialer.reports.figures.clocks import Clock, ContactClocks
from dialer.reports.figures.rates import COST, quotient, share_of_calls
from dialer.reports.figures.slots import Busy
from dialer.reports.figures.tally import HourTally, Tally
from dialer.reports.figures.timeline import Timeline
from dialer.reports.intervals import LEVEL, wilson
from dialer.reports.tables import iso

LENGTH_EDGES_S: Final = (0, 5, 15, 30, 60, 120, 180, 300, 600, 1200, 1800, 3600)
"""Where the bins of the lengths begin; the last has no end."""

_Json = dict[str, Any]


def over_time(found: Tally, line: Timeline | None) -> _Json:
    """Attempts that ended by bucket and disposition; lost ones are "unknown"."""
    if line is None:
        return {"width_s": None, "dispositions": [], "buckets": []}
    counts: list[Counter[str]] = [Counter() for _ in range(line.buckets)]
    for (bucket, disposition), number in found.outcomes.items():
        counts[min(bucket, line.buckets - 1)][disposition] += number
    seen = {disposition for _, disposition in found.outcomes}
    return {
        "width_s": line.width_s,
        "dispositions": [word.value for word in Disposition if word in seen],
        "buckets": [
            {"begins_at": iso(line.begin_of(index)), "total": count.total(), "counts": dict(sorted(count.items()))}
            for index, count in enumerate(counts)
        ],
    }


def by_hour(found: Tally, clocks: ContactClocks, fallback: str) -> _Json:
    """Calls by weekday and hour in which they began, on the contact's own clock."""
    return {
        "fallback_timezone": fallback,
        "calls_by_clock": {clock.value: clocks.calls_by_clock[clock] for clock in Clock},
        "cells": [
            {"weekday": weekday, "hour": hour, **_hour(cell)} for (weekday, hour), cell in sorted(found.hours.items())
        ],
        "hours": [{"hour": hour, **_hour(_sum(found, 1, hour))} for hour in range(24)],
        "weekdays": [{"weekday": day, **_hour(_sum(found, 0, day))} for day in range(7)],
    }


def _hour(cell: HourTally) -> _Json:
    share = share_of_calls(cell.answered, cell.ended, cell.in_doubt)
    bounds = {name: share[name] for name in ("value", "low", "high")}
    return {"answered": cell.answered, "ended": cell.ended, "in_doubt": cell.in_doubt, **bounds}


def _sum(found: Tally, place: int, value: int) -> HourTally:
    whole = HourTally()
    for when, cell in found.hours.items():
        if when[place] == value:
            whole.ended += cell.ended
            whole.answered += cell.answered
            whole.in_doubt += cell.in_doubt
    return whole


def agents(found: Tally) -> list[_Json]:
    """The agents side by side, by their ids."""
    rows = []
    for agent_id, agent in sorted(found.agents.items()):
        if not agent.ended and not agent.in_doubt:
            continue
        rate = share_of_calls(agent.answered, agent.ended, agent.in_doubt)
        low, high = wilson(agent.answered, agent.ended)
        rows.append(
            {
                "agent_id": agent_id,
                "ended": agent.ended,
                "completed": agent.answered,
                "in_doubt": agent.in_doubt,
                "by_disposition": dict(sorted(agent.by_disposition.items())),
                "talk_s": round(agent.talk_s, 6),
                "cost": round(agent.cost, 9),
                "calls_with_cost": agent.costed,
                "calls_without_cost": agent.uncosted,
                "answer_rate": rate,
                "answer_rate_interval": {"low": low, "high": high, "level": LEVEL},
            }
        )
    return rows


def cost(found: Tally) -> _Json:
    """What the calls cost, and of how many that is not known."""
    return {
        "total": round(found.cost, 9),
        "calls_with_cost": found.costed,
        "calls_without_cost": found.uncosted,
        "unit": COST,
        "by_agent": [
            {
                "agent_id": agent_id,
                "total": round(agent.cost, 9),
                "calls_with_cost": agent.costed,
                "calls_without_cost": agent.uncosted,
            }
            for agent_id, agent in sorted(found.agents.items())
            if agent.costed or agent.uncosted
        ],
    }


def lengths(rows: Iterable[tuple[float, int]], calls: int, answered: int) -> _Json:
    """Lengths of answered calls. ``rows``: each length and how often, the shortest first; ``calls``: how many in all.

    Median and 90th percentile are the shortest length that so many calls do not exceed.
    """
    bins = [0] * len(LENGTH_EDGES_S)
    ranks = {"median_s": (calls + 1) // 2, "p90_s": -(-9 * calls // 10)}
    marks: dict[str, float | None] = dict.fromkeys(ranks)
    passed, total_s, index = 0, 0.0, 0
    for length_s, number in rows:
        while index + 1 < len(bins) and length_s >= LENGTH_EDGES_S[index + 1]:
            index += 1
        bins[index] += number
        passed += number
        total_s += length_s * number
        marks |= {name: length_s for name, rank in ranks.items() if marks[name] is None and passed >= rank}
    ends = [*LENGTH_EDGES_S[1:], None]
    return {
        "calls": passed,
        "calls_without_length": answered - passed,
        "total_s": round(total_s, 6),
        "mean_s": quotient(total_s, passed),
        **marks,
        "bins": [
            {"from_s": from_s, "to_s": to_s, "calls": number}
            for from_s, to_s, number in zip(LENGTH_EDGES_S, ends, bins, strict=True)
        ],
    }


def slots_busy(found: Busy | None, line: Timeline | None, ceiling: int | None) -> _Json:
    """Calls live at once, beside the most that the campaign file allows."""
    if found is None or line is None:
        return {"ceiling": ceiling, "most": None, "calls": 0, "width_s": None, "buckets": []}
    return {
        "ceiling": ceiling,
        "most": max(found.most, default=0),
        "calls": found.calls,
        "width_s": line.width_s,
        "buckets": [
            {
                "begins_at": iso(line.begin_of(index)),
                "mean": round(found.live_s[index] / line.width_s, 4),
                "most": found.most[index],
            }
            for index in range(line.buckets)
        ],
    }
