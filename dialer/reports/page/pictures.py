"""The charts: of each what it shows in words, its numbers as a table, and what the browser draws it from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from dialer.reports.page.parts import Chart, Facts
from dialer.reports.page.words import (
    SAID_OF_OUTCOMES,
    SAID_OF_STATES,
    WEEKDAYS,
    decimal,
    length,
    listed,
    moment_iso,
    outcome,
    percent,
    plural,
    shown,
    whole,
)

Json = dict[str, Any]
_STEPS = {
    "rows": "rows of the list",
    "accepted": "accepted as contacts",
    "dialed": "dialed",
    "reached": "reached",
}


def charts(summary: Json) -> list[Chart]:
    """All charts between the key figures and the lists, in their order."""
    makers: tuple[Callable[[Json], Chart], ...] = (over_time, by_hour, until_reached, lengths, agents, slots_busy)
    return [make(summary) for make in makers]


def share(part: float, of: float) -> str:
    """ "41 of 120 (34.2%)"."""
    return f"{whole(part)} of {whole(of)}" + (f" ({percent(part / of)})" if of else "")


def ranged(low: float, high: float) -> str:
    """ "41", or "41 to 43" where that is not certain."""
    return whole(low) if low == high else f"{whole(low)} to {whole(high)}"


def _epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _pieces(count: Json) -> str:
    return listed([f"{whole(part['count'])} {_away(part['to'])}" for part in count["fell_away"]])


def _away(state: str) -> str:
    return "rejected when the list was read" if state == "rejected_rows" else SAID_OF_STATES[state]


def funnel(summary: Json) -> Chart:
    """From the rows of the list to the people reached."""
    steps = summary["funnel"]
    counts = {step["step"]: step for step in steps}
    sure = [ranged(counts[name]["low"], counts[name]["high"]) for name in ("dialed", "reached")]
    finding = (
        f"Of {plural(counts['rows']['count'], 'row')}, {whole(counts['accepted']['count'])} became contacts; "
        f"{sure[0]} of them were dialed and {sure[1]} reached."
    )
    rows, bars, before = [], [], None
    for step in steps:
        of = step["count"] if before is None else before
        kept = share(step["count"], of) if before is not None else whole(step["count"])
        bounds = "" if step["low"] == step["high"] else ranged(step["low"], step["high"])
        rows.append((_STEPS[step["step"]], kept, bounds, _pieces(step)))
        words = whole(step["count"]) + (f" · {percent(step['count'] / of)}" if before else "")
        bars.append({"name": _STEPS[step["step"]], "count": step["count"], "of": before, "words": words})
        bars[-1]["colour"] = "completed"
        before = step["count"]
    note = "A bar's pale end is what fell away since the step above; where it went stands in the numbers."
    facts = Facts(("Step", "Count, of the step before", "Between (calls in doubt)", "The others"), rows)
    return Chart(
        "funnel", "From the list to the people reached", finding, facts, {"kind": "bars", "bars": bars}, (), note
    )


def over_time(summary: Json) -> Chart:
    """How calls ended, in buckets of time."""
    told = summary["outcomes_over_time"]
    names = [name for name in SAID_OF_OUTCOMES if name in told["dispositions"]]
    filled = [bucket for bucket in told["buckets"] if bucket["total"]]
    drawn = {
        "kind": "stacked",
        "unit": "calls ended",
        "width_s": told["width_s"],
        "stack": names,
        "buckets": [{"at": _epoch(bucket["begins_at"]), **bucket["counts"]} for bucket in told["buckets"]],
    }
    rows = [
        (moment_iso(bucket["begins_at"]), whole(bucket["total"]), *(whole(bucket["counts"].get(n, 0)) for n in names))
        for bucket in filled
    ]
    columns = (f"From (UTC), for {length(told['width_s'] or 0)}", "All", *(outcome(name) for name in names))
    legend = tuple((name, outcome(name)) for name in names)
    finding = _busiest(filled) if filled else "No call has ended yet."
    return Chart("outcomes", "Outcomes over time", finding, Facts(columns, rows), drawn, legend)


def _busiest(filled: list[Json]) -> str:
    total = sum(bucket["total"] for bucket in filled)
    answered = sum(bucket["counts"].get("completed", 0) for bucket in filled)
    most = max(filled, key=lambda bucket: bucket["total"])
    return (
        f"{plural(total, 'call')} ended, {share(answered, total)} answered; "
        f"most of them ({whole(most['total'])}) in the span from {moment_iso(most['begins_at'])} UTC."
    )


def by_hour(summary: Json) -> Chart:
    """Answers by weekday and hour on the contact's own clock."""
    told = summary["by_hour"]
    cells = [cell for cell in told["cells"] if cell["ended"]]
    rows = [
        (f"{WEEKDAYS[cell['weekday']]} {cell['hour']}:00", share(cell["answered"], cell["ended"]), _between(cell))
        for cell in cells
    ]
    drawn = {
        "kind": "hours",
        "days": WEEKDAYS,
        "cells": [
            {"day": cell["weekday"], "hour": cell["hour"], "count": cell["answered"], "of": cell["ended"]}
            for cell in cells
        ],
    }
    clocks = told["calls_by_clock"]
    elsewhere = clocks["several_zones"] + clocks["no_zone"]
    note = (
        f"{plural(elsewhere, 'call')} went to people whose time zone is not known or not certain: "
        f"they stand at the hour of {told['fallback_timezone']}."
        if elsewhere
        else ""
    )
    note = f"Each field: of 100 calls begun in that hour, how many were answered. Pale fields rest on few calls. {note}"
    facts = Facts(("Hour", "Answered, of calls ended", "Between (calls in doubt)"), rows)
    return Chart("hours", "When people answer", _best_hour(cells), facts, drawn, (), note if cells else "")


def _between(rate: Json) -> str:
    low, high = rate["low"], rate["high"]
    return "" if low is None or high is None or low == high else f"{percent(low)} to {percent(high)}"


def _best_hour(cells: list[Json]) -> str:
    if not cells:
        return "No call has ended yet."
    enough = [cell for cell in cells if cell["ended"] >= 20]
    if not enough:
        return "No hour has had 20 calls yet: too few to tell a good one from a bad one."
    best, worst = (pick(enough, key=lambda cell: cell["answered"] / cell["ended"]) for pick in (max, min))
    said = [_hour_words(cell) for cell in (best, worst)]
    if best is worst:
        return f"Of the hours with at least 20 calls there is one: {said[0]} answered."
    return f"Of the hours with at least 20 calls, most answered on {said[0]}, and fewest on {said[1]}."


def _hour_words(cell: Json) -> str:
    hour = cell["hour"]
    return f"{WEEKDAYS[cell['weekday']]} {hour}:00 to {hour + 1}:00 with {share(cell['answered'], cell['ended'])}"


def until_reached(summary: Json) -> Chart:
    """Whom each further attempt reached."""
    told = summary["attempts_until_reached"]
    rows = [
        (
            whole(step["attempt"]),
            share(step["reached"], step["contacts"]),
            whole(step["open"]),
            whole(step["reached_so_far"]),
        )
        for step in told
    ]
    bars = [
        {"name": str(step["attempt"]), "count": step["reached"], "of": step["contacts"], "colour": "completed"}
        for step in told
    ]
    drawn = {"kind": "upright", "across": "attempt", "unit": "contacts", "bars": bars}
    parts = [f"attempt {step['attempt']} reached {share(step['reached'], step['contacts'])}" for step in told[:4]]
    finding = f"Of those who had it, {listed(parts)}." if parts else "Nobody was called yet."
    facts = Facts(("Attempt", "Reached, of those who had it", "Open or in doubt", "Reached so far"), rows)
    legend = (("completed", "reached"), ("quiet", "had this attempt"))
    return Chart("attempts", "Attempts until reached", finding, facts, drawn, legend)


def lengths(summary: Json) -> Chart:
    """How long answered calls lasted, and what calls cost."""
    told, cost = summary["lengths"], summary["cost"]
    names = [_bin(part) for part in told["bins"]]
    bars = [{"name": _edge(part["from_s"]), "count": part["calls"], "colour": "completed"} for part in told["bins"]]
    rows = [(name, share(part["calls"], told["calls"])) for name, part in zip(names, told["bins"], strict=True)]
    spoken = (
        f"Of {plural(told['calls'], 'answered call')} half lasted {length(told['median_s'])} or less and nine in ten "
        f"{length(told['p90_s'])} or less; {length(told['total_s'])} in all."
        if told["calls"]
        else "No call was answered yet."
    )
    drawn = {"kind": "upright", "across": "length of answered calls, from", "unit": "calls", "bars": bars}
    facts = Facts(("Length", "Answered calls"), rows if told["calls"] else ())
    return Chart("lengths", "Lengths and cost", f"{spoken} {_paid(cost)}", facts, drawn, (), _unpaid(cost))


def _paid(cost: Json) -> str:
    known = cost["calls_with_cost"]
    return (
        f"Cost: {decimal(cost['total'])} {cost['unit']} for {plural(known, 'call')}." if known else "No cost is known."
    )


def _unpaid(cost: Json) -> str:
    count = cost["calls_without_cost"]
    said = f"The API named no cost for {plural(count, 'call')}: what is not known is not counted as nothing."
    return said if count else ""


def _bin(part: Json) -> str:
    begin = length(part["from_s"])
    return f"{begin} or more" if part["to_s"] is None else f"{begin} to under {length(part['to_s'])}"


def _edge(seconds: float) -> str:
    """Short enough to stand below a bar."""
    return f"{seconds:.0f}s" if seconds < 60 else f"{seconds / 60:.0f}m" if seconds < 3600 else f"{seconds / 3600:.0f}h"


def agents(summary: Json) -> Chart:
    """The agents side by side, with the interval in which each one's share lies."""
    told = summary["agents"]
    rows, drawn = [], []
    for agent in told:
        sure, rate = agent["answer_rate_interval"], agent["answer_rate"]
        known = sure["low"] is not None
        rows.append(
            (
                shown(agent["agent_id"]),
                share(agent["completed"], agent["ended"]),
                f"{percent(sure['low'])} to {percent(sure['high'])}" if known else "",
                _between(rate),
                length(agent["talk_s"]),
                f"{decimal(agent['cost'])} for {plural(agent['calls_with_cost'], 'call')}",
            )
        )
        if known and rate["value"] is not None:
            values = {"value": rate["value"], "low": sure["low"], "high": sure["high"]}
            drawn.append({"name": rows[-1][0], **{name: round(100 * value, 2) for name, value in values.items()}})
    columns = (
        "Agent",
        "Answered, of calls ended",
        "95% interval",
        "Between (calls in doubt)",
        "Talk",
        "API cost units",
    )
    note = (
        "The dot is the share that answered, the line its 95% interval; where two lines overlap much, no difference "
        "can be told."
    )
    drawing: Json = {"kind": "ranges", "agents": drawn}
    return Chart(
        "agents", "Agents side by side", _agents_words(told), Facts(columns, rows), drawing, (), note if drawn else ""
    )


def _agents_words(told: Iterable[Json]) -> str:
    spoken = [agent for agent in told if agent["ended"]]
    if not spoken:
        return "No agent has finished a call yet."
    parts = [f"{shown(agent['agent_id'])} {share(agent['completed'], agent['ended'])}" for agent in spoken[:3]]
    more = f", and {len(spoken) - 3} more" if len(spoken) > 3 else ""
    return f"Answered, of calls ended: {'; '.join(parts)}{more}."


def slots_busy(summary: Json) -> Chart:
    """Calls on the line at once, beside the ceiling."""
    told = summary["slots_busy"]
    buckets, ceiling = told["buckets"], told["ceiling"]
    allowed = f"; the campaign file allows {whole(ceiling)}" if ceiling else ""
    finding = f"At most {plural(told['most'] or 0, 'call')} at once{allowed}." if buckets else "No call was placed yet."
    drawn = {
        "kind": "slots",
        "width_s": told["width_s"],
        "ceiling": ceiling,
        "buckets": [{"at": _epoch(b["begins_at"]), "mean": b["mean"], "most": b["most"]} for b in buckets],
    }
    rows = [(moment_iso(b["begins_at"]), decimal(b["mean"]), whole(b["most"])) for b in buckets if b["most"]]
    columns = (f"From (UTC), for {length(told['width_s'] or 0)}", "Mean", "Most at once")
    legend = (("completed", "mean"), ("quiet", "most at once"), *((("ceiling", "allowed"),) if ceiling else ()))
    return Chart("slots", "Slots busy", finding, Facts(columns, rows), drawn, legend)


def due(summary: Json) -> Chart | None:
    """When contacts of the retry queue become due; None where that shows nothing."""
    told = summary["retry_queue"]["due"]
    if not told["buckets"]:
        return None
    drawn = {
        "kind": "stacked",
        "unit": "contacts due",
        "width_s": told["width_s"],
        "stack": ["completed"],
        "buckets": [{"at": _epoch(b["begins_at"]), "completed": b["contacts"]} for b in told["buckets"]],
    }
    rows = [(moment_iso(b["begins_at"]), whole(b["contacts"])) for b in told["buckets"] if b["contacts"]]
    return Chart(
        "retry", "Retry queue", "", Facts((f"From (UTC), for {length(told['width_s'])}", "Contacts"), rows), drawn
    )
