"""What the page says in sentences: how the campaign stands, whom nobody can tell about, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from dialer.core.masks import masked_numbers
from dialer.reports.page.parts import Doubt, Facts, Step, Tile
from dialer.reports.page.words import (
    SAID_OF_STATES,
    decimal,
    length,
    listed,
    moment_iso,
    moments_in,
    outcome,
    percent,
    plural,
    shown,
    whole,
)

Json = dict[str, Any]
People = Mapping[int, str]
"""Contact to name and number, as the page may show them."""
_GOES_ON: Final = ("queued", "waiting", "dialing")
_OUTCOMES_AGAIN: Final = ("no_answer", "voicemail", "busy", "failed")
TILES: Final = (
    "contact_rate",
    "answer_rate",
    "completion_rate",
    "penetration",
    "attempts_per_contact",
    "average_call_length",
    "cost_per_answered",
    "cost_per_reached",
    "voicemail_share",
    "no_answer_share",
    "bad_number_share",
    "rejected_share",
)


def state(summary: Json) -> str:
    """The campaign in one sentence."""
    states, contacts = summary["contacts"]["by_state"], summary["rows"]["contacts"]
    if not contacts:
        return "The campaign has no contacts yet."
    open_ones = sum(states[name] for name in _GOES_ON)
    head = (
        "The campaign has not begun"
        if states["queued"] == contacts
        else "The campaign is under way"
        if open_ones
        else "The campaign is finished, but for contacts that nobody can tell about"
        if states["unresolved"]
        else "The campaign is finished"
    )
    parts = [f"{whole(states[name])} {said}" for name, said in SAID_OF_STATES.items() if states[name]]
    return f"{head}: of {plural(contacts, 'contact')}, {listed(parts)}."


def doubts_title(summary: Json) -> str:
    """What stands over the unresolved contacts."""
    told = summary["unresolved"]
    parts = [f"{plural(told['total'], 'contact')} nobody can tell about"] if told["total"] else []
    parts += [f"{plural(told['looked_for'], 'call')} in doubt, looked for now"] if told["looked_for"] else []
    return f"First: {' and '.join(parts)}" if parts else ""


def doubts(summary: Json, people: People) -> list[Doubt]:
    """The unresolved contacts, as far as they are listed."""
    return [
        Doubt(_who(one, people), moments_in(shown(one["what_is_known"])), shown(one["what_to_do"]))
        for one in summary["unresolved"]["contacts"]
    ]


def _who(one: Json, people: People) -> str:
    row = f"row {one['row_number']} of {shown(one['file'])}"
    return f"{people[one['contact']]} ({row})" if one["contact"] in people else row.capitalize()


def steps(summary: Json) -> list[Step]:
    """What to do next, the most urgent first."""
    name = shlex.quote(summary["campaign"])
    states, found = summary["contacts"]["by_state"], []
    if states["unresolved"]:
        words = "Look once more for the calls that nobody can tell about, or decide about them yourself."
        found.append(Step(words, f"dialer resolve {name} --look"))
    if any(states[state] for state in _GOES_ON):
        open_ones = sum(states[state] for state in _GOES_ON)
        due = summary["retry_queue"]["next_due_at"]
        when = f"; the next call is due at {moment_iso(due)} UTC" if due else ""
        found.append(Step(f"Go on: {plural(open_ones, 'contact')} still to be called{when}.", f"dialer resume {name}"))
    found += _again(summary, name)
    if summary["rows"]["rejected"]:
        rows = plural(summary["rows"]["rejected"], "row")
        found.append(Step(f"Mend the {rows} in rejected.csv in the list, and run again: nobody is called twice.", ""))
    if not summary["rows"]["contacts"]:
        found.append(Step("Put people into the list, and run the campaign.", ""))
    return found or [Step("Nothing: there is no contact left to call.", "")]


def _again(summary: Json, name: str) -> list[Step]:
    """Those who were tried to the end, as a list for a later campaign."""
    if not summary["contacts"]["by_state"]["exhausted"] or any(
        summary["contacts"]["by_state"][state] for state in _GOES_ON
    ):
        return []
    counts = summary["contacts"]["by_disposition"]
    missed = [word for word in _OUTCOMES_AGAIN if counts.get(word)]
    if not missed:
        return []
    parts = listed([f"{whole(counts[word])} {outcome(word)}" for word in missed])
    words = f"Make a list for a later campaign of those who were not reached ({parts})."
    return [Step(words, f"dialer report {name} --as-contacts {','.join(missed)}")]


def tiles(summary: Json) -> list[Tile]:
    """The key figures, each with what it is of, its bounds where something is in doubt, and its meaning."""
    return [_tile(name, summary["rates"][name], summary["definitions"][name]) for name in TILES]


def _tile(name: str, rate: Json, definition: Json) -> Tile:
    above, below = rate["numerator"], rate["denominator"]
    of = f"{_amount(above, definition['unit'])} {_part(name)}".format(below=whole(below))
    missing = f" {plural(rate['missing'], 'call')} not counted: nothing was said of them." if rate["missing"] else ""
    meaning = "{meaning} Above the line: {numerator}; below it: {denominator}.".format(**definition)
    unit = definition["unit"]
    return Tile(definition["title"], _value(rate["value"], unit), of, _bounds(rate, unit), meaning + missing)


def _amount(number: float, unit: str) -> str:
    return length(number) if unit == "seconds" else decimal(number) if unit == "API cost units" else whole(number)


def _part(name: str) -> str:
    return {
        "contact_rate": "of {below} persons dialed were reached",
        "answer_rate": "of {below} calls that ended were answered",
        "completion_rate": "of {below} persons who could be called were reached",
        "penetration": "of {below} contacts were dialed",
        "attempts_per_contact": "attempts for {below} persons dialed",
        "average_call_length": "in {below} answered calls",
        "cost_per_answered": "API cost units for {below} answered calls",
        "no_answer_share": "of {below} calls that ended nobody took",
        "rejected_share": "of {below} rows of the list could not be used",
        "cost_per_reached": "API cost units for {below} persons reached",
        "voicemail_share": "of {below} calls that ended went to a voicemail",
        "bad_number_share": "of {below} contacts tried were refused by the API",
    }[name]


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return percent(value) if unit == "share" else length(value) if unit == "seconds" else decimal(value)


def _bounds(rate: Json, unit: str) -> str:
    low, high, why = rate["low"], rate["high"], rate["in_doubt"]
    if not why and low == high:
        return ""
    cause = f"{plural(why, 'call')} in doubt" if why else f"{plural(rate['missing'], 'call')} without a figure"
    if low is None and high is None:
        return f"cannot be bounded: {cause}" if why or rate["missing"] else ""
    if low == high and low is not None:
        return ""
    between = (
        f"at least {_value(low, unit)}"
        if high is None
        else f"at most {_value(high, unit)}"
        if low is None
        else f"between {_value(low, unit)} and {_value(high, unit)}"
    )
    return f"{between}: {cause}"


def retry_words(summary: Json) -> str:
    """The retry queue in a sentence."""
    waiting = summary["retry_queue"]["waiting"]
    total = sum(waiting.values())
    if not total:
        return "Nobody waits for another attempt."
    parts = [f"{whole(number)} {outcome(word)}" for word, number in waiting.items()]
    overdue = summary["retry_queue"]["due"]["overdue"]
    late = f" {plural(overdue, 'contact is', 'contacts are')} due already." if overdue else ""
    due = moment_iso(summary["retry_queue"]["next_due_at"])
    verb = "waits" if total == 1 else "wait"
    return (
        f"{plural(total, 'contact')} {verb} for another attempt ({listed(parts)}); the next is due at {due} UTC.{late}"
    )


def retry_next(summary: Json, people: People) -> Facts:
    """Whom the queue calls next."""
    rows = [
        (
            _who(one, people),
            moment_iso(one["next_attempt_at"]),
            outcome(one["disposition"]),
            whole(one["attempts"]),
            shown((one["timezone"] or "").replace("&", " or ")),
        )
        for one in summary["retry_queue"]["next"]
    ]
    return Facts(("Contact", "Next attempt (UTC)", "Last outcome", "Attempts so far", "Time zone"), rows)


def rejected_words(summary: Json) -> str:
    """The rejected rows in a sentence."""
    rows = summary["rows"]
    if not rows["rejected"]:
        return "Every row of the list became a contact."
    most = summary["rejected"][0]
    return (
        f"{whole(rows['rejected'])} of {plural(rows['input'], 'row')} could not be used; the most frequent reason is "
        f"{most['reason']} ({whole(most['rows'])}). All of them are in rejected.csv."
    )


def rejected_facts(summary: Json, *, mask: bool) -> Facts:
    """Rejected rows by reason, with examples."""
    rows = []
    for one in summary["rejected"]:
        said = [_example(example, mask=mask) for example in one["examples"]]
        rows.append((shown(one["reason"]), whole(one["rows"]), "; ".join(said)))
    return Facts(("Reason", "Rows", "For example"), rows)


def _example(example: Json, *, mask: bool) -> str:
    where = f"row {example['row_number']} of {shown(example['file'])}"
    detail = shown(masked_numbers(example["detail"]) if mask else example["detail"])
    return f"{where}: {detail}" if detail else where
