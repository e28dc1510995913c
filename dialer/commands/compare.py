"""``dialer report --compare``: two campaigns, or two agents within one, on one screen."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator

from dialer.commands.common import Options, ledger_path, plain, plural
from dialer.core.errors import ExitCode, UserError
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader, open_reader
from dialer.reports.compare import POINT, Row, Side, amount, as_json, bare, conclusion, read_side
from dialer.reports.compare import compare as compared
from dialer.reports.fairness import circumstances, unlike
from dialer.reports.figures.rates import DEFINITIONS

WIDTH = 80
_Chosen = tuple[CampaignRecord, str | None]
"""A campaign, or an agent of it."""


def compare(name: str | None, pair: tuple[str, str], options: Options, *, json_wanted: bool = False) -> int:
    """Compare two agents of the campaign ``name``, or the two campaigns of ``pair`` where none is named."""
    if pair[0] == pair[1]:
        raise UserError(f"--compare {plain(pair[0])} {plain(pair[1])}: name two different ones")
    with open_reader(ledger_path(options)) as reader:
        sides = _agents(reader, name, pair) if name is not None else _campaigns(reader, pair)
        first, second = (read_side(reader, *side) for side in sides)
        rows = compared(first, second)
        notes = unlike(*(circumstances(reader, *side) for side in sides))
        notes += [*_overlap(reader, sides), *_gaps(first, second)]
    kind = "agents" if name is not None else "campaigns"
    if json_wanted:
        sys.stdout.write(json.dumps(as_json(first, second, rows, notes, kind), indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _screen(first, second, rows, notes)))
    return ExitCode.DONE


def _campaigns(reader: LedgerReader, pair: tuple[str, str]) -> list[_Chosen]:
    return [(reader.campaign(each), None) for each in pair]


def _agents(reader: LedgerReader, name: str, pair: tuple[str, str]) -> list[_Chosen]:
    record = reader.campaign(name)
    known = [agent for (agent,) in reader.rows("compare_agents", campaign=record.id)]
    for agent in pair:
        if agent not in known:
            said = ", ".join(map(plain, known)) or "none"
            raise UserError(f"no agent '{plain(agent)}' has called for '{name}' (agents that have: {said})")
    return [(record, agent) for agent in pair]


def _overlap(reader: LedgerReader, sides: list[_Chosen]) -> list[str]:
    """People on both sides tie them together; the intervals take the sides as independent."""
    (record, agent), (other, other_agent) = sides
    if agent is None:
        people = reader.one("compare_in_both", campaign=record.id, other=other.id)[0]
        return [f"The same number is in both lists: {plural(people, 'time')}."] if people else []
    people = reader.one("compare_people_of_both", campaign=record.id, agent=agent, other=other_agent)[0]
    return [f"Both agents called the same person: {plural(people, 'time')}."] if people else []


def _gaps(first: Side, second: Side) -> list[str]:
    """What is not known of the sides."""
    found = []
    if first.doubts or second.doubts:
        found.append(
            f"Nobody knows how {first.doubts:,} of A's and {second.doubts:,} of B's calls went: "
            "the intervals of shares hold whichever way."
        )
    if first.uncosted or second.uncosted:
        found.append(f"The cost of {first.uncosted:,} of A's and {second.uncosted:,} of B's calls is not known.")
    return found


def _screen(first: Side, second: Side, rows: list[Row], notes: list[str]) -> Iterator[str]:
    for letter, side in zip("AB", (first, second), strict=True):
        calls = f"{side.people:,} people, {int(side.answered.x):,} calls"
        name = plain(side.name)
        shown = name if len(name) <= WIDTH - 6 - len(calls) else f"{name[: WIDTH - 7 - len(calls)]}…"
        yield f"{letter}  {shown}{calls:>{WIDTH - 3 - len(shown)}}"
    for row in rows:
        yield ""
        yield from _rate(row)
    if notes:
        yield ""
        for note in notes:
            yield from textwrap.wrap(plain(note), WIDTH, initial_indent="Note: ", subsequent_indent="      ")


def _rate(row: Row) -> Iterator[str]:
    first, second = (
        _value(value, *fraction, row.unit) for value, fraction in zip(row.values, row.fractions, strict=True)
    )
    yield f"{DEFINITIONS[row.name].title:<26}{_sure(row)}".rstrip()
    yield f"  A {first:<35} B {second}"
    yield from textwrap.wrap(conclusion(row), WIDTH, initial_indent="  ", subsequent_indent="  ")


def _sure(row: Row) -> str:
    low, high = row.interval
    if row.gap is None or low is None or high is None:
        return ""
    sign = "" if row.gap < 0 else "+"
    return f"A - B  {sign}{amount(row.gap, row.unit)}   95 %: {bare(low, row.unit)} to {amount(high, row.unit)}"


def _value(value: float | None, part: float, whole: float, unit: str) -> str:
    of = f"({_number(part)}/{_number(whole)})"
    if value is None:
        return f"- {of}"
    if unit == "share":
        return f"{value / POINT:.1f} % {of}"
    return f"{value:.1f} s {of}" if unit == "seconds" else f"{value:.3f} {of}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.2f}"
