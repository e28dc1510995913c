"""Two campaigns, or two agents of one, beside each other: every rate's difference, and how sure it is.

The unit is the person. Calls to one person are alike, so shares of calls are worth as many independent trials as the
spread between people says (a design effect, 1 at least), and then go the way of all shares: Newcombe's hybrid score
interval. Means and ratios have Welch's interval over people, a ratio's by linearisation. Attempts in doubt widen the
intervals of shares: each bound is that of the worst way in which they can have gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.figures.rates import DEFINITIONS
from dialer.reports.intervals import LEVEL, Interval, Sample, Share, difference, newcombe, trials_needed

POINT: Final = 0.01
SEEN_GAP: Final = 0.05
"""The difference of which it is said how many calls would show it."""
FEWEST: Final = 5
"""Below so many below the line, a mean or a ratio has no interval: the linearisation would not hold."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side's calls came to, as sums over the people it called."""

    name: str
    people: int
    reached: int
    doubtful_people: int
    """Not reached, with a call of which nobody knows how it went."""
    doubts: int
    """Attempts of which nobody knows how they went."""
    uncosted: int
    answered: Sample
    """Answered calls of a person's ended ones."""
    machine: Sample
    """Calls that a voicemail took, of a person's ended ones."""
    attempts: Sample
    talk_s: Sample
    """Seconds of a person's answered calls, of which x have a known length."""
    cost: Sample
    """A person's cost, x is 1 where that person was reached."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rate of both sides, in the unit of the rate."""

    name: str
    unit: str
    counted: str
    """What the interval takes as independent."""
    values: tuple[float | None, float | None]
    fractions: tuple[tuple[float, float], tuple[float, float]]
    interval: Interval
    needed: int | None = None
    """How many trials each side would need to see :data:`SEEN_GAP`."""
    in_doubt: tuple[int, int] = (0, 0)

    @property
    def gap(self) -> float | None:
        """The first value less the second."""
        first, second = self.values
        return None if first is None or second is None else first - second

    @property
    def sign(self) -> int:
        """1: the first is surely higher, -1: lower; 0: nothing can be told."""
        low, high = self.interval
        if low is None or high is None:
            return 0
        return 1 if low > 0 else -1 if high < 0 else 0


def read_side(reader: LedgerReader, record: CampaignRecord, agent_id: str | None) -> Side:
    """One side: all calls of a campaign, or those of one agent in it."""
    row = reader.one("compare_side", campaign=record.id, agent=agent_id)
    people, rang, rang2, reached, doubtful, doubts, ended, ended2, *rest = (value or 0 for value in row)
    answered, answered2, ended_answered, machine, machine2, ended_machine, *rest = rest
    timed, timed2, talk_s, talk2, timed_talk, cost, cost2, cost_reached, uncosted = rest
    return Side(
        name=agent_id if agent_id is not None else record.name,
        people=people,
        reached=reached,
        doubtful_people=doubtful,
        doubts=doubts,
        uncosted=uncosted,
        answered=Sample(people, ended, answered, ended2, answered2, ended_answered),
        machine=Sample(people, ended, machine, ended2, machine2, ended_machine),
        attempts=Sample(people, people, rang, people, rang2, rang),
        talk_s=Sample(people, timed, talk_s, timed2, talk2, timed_talk),
        cost=Sample(people, reached, cost, reached, cost2, cost_reached),
    )


def compare(first: Side, second: Side) -> list[Row]:
    """All rates that can be compared, in the order in which people read them."""
    return [
        _calls("answer_rate", first, second, first.answered, second.answered),
        _people(first, second),
        _calls("voicemail_share", first, second, first.machine, second.machine),
        _ratio("average_call_length", "people who answered", first.talk_s, second.talk_s),
        _ratio("cost_per_reached", "people", first.cost, second.cost),
        _attempts(first, second),
    ]


def _calls(name: str, first: Side, second: Side, one: Sample, other: Sample) -> Row:
    inflations = one.inflation(), other.inflation()
    fractions = (one.y, one.x), (other.y, other.x)
    return _shares(name, "people, by the spread of their calls", fractions, inflations, (first.doubts, second.doubts))


def _people(first: Side, second: Side) -> Row:
    fractions = (first.reached, first.people), (second.reached, second.people)
    doubts = first.doubtful_people, second.doubtful_people
    return _shares("contact_rate", "people", fractions, (1.0, 1.0), doubts, among=True)


def _shares(
    name: str,
    counted: str,
    fractions: tuple[tuple[float, float], tuple[float, float]],
    inflations: tuple[float, float],
    doubts: tuple[int, int],
    *,
    among: bool = False,
) -> Row:
    """``among``: those in doubt are counted below the line already."""

    def side(index: int, successes: int) -> Share:
        part, whole = fractions[index]
        return Share(part + successes, whole + (0 if among else doubts[index]), inflations[index])

    low, _ = newcombe(side(0, 0), side(1, doubts[1]))
    _, high = newcombe(side(0, doubts[0]), side(1, 0))
    (part, whole), (other, other_whole) = fractions
    both = whole + other_whole
    middle = (part + other) / both if both else 0.5
    needed = round(trials_needed(middle, SEEN_GAP) * max(inflations))
    values = (part / whole if whole else None, other / other_whole if other_whole else None)
    return Row(name, DEFINITIONS[name].unit, counted, values, fractions, (low, high), needed, doubts)


def _ratio(name: str, counted: str, one: Sample, other: Sample) -> Row:
    fractions = (one.y, one.x), (other.y, other.x)
    interval = difference(one, other) if min(one.x, other.x) >= FEWEST else (None, None)
    return Row(name, DEFINITIONS[name].unit, counted, (one.ratio, other.ratio), fractions, interval)


def _attempts(first: Side, second: Side) -> Row:
    row = _ratio("attempts_per_contact", "people", first.attempts, second.attempts)
    low, high = row.interval
    less, more = (side.doubts / side.people if side.people else 0.0 for side in (first, second))
    interval = (low - less, high + more) if low is not None and high is not None else (None, None)
    doubts = first.doubts, second.doubts
    return Row(row.name, row.unit, row.counted, row.values, row.fractions, interval, in_doubt=doubts)


def conclusion(row: Row) -> str:
    """One plain sentence: what can be said of A and B."""
    title, gap = DEFINITIONS[row.name].title.lower(), row.gap
    low, high = row.interval
    if gap is None:
        return "Nothing can be said: there are no such calls on both sides."
    if low is None or high is None:
        if min(whole for _, whole in row.fractions) < FEWEST:
            return "Nothing can be told from so few."
        return "Nothing can be told: on one side all are alike, which does not show how far chance goes."
    if row.sign:
        more, ends = ("higher", (low, high)) if row.sign > 0 else ("lower", (-high, -low))
        from_, to = bare(ends[0], row.unit), amount(ends[1], row.unit)
        return f"A's {title} is {more} by {amount(abs(gap), row.unit)}: between {from_} and {to}."
    widest, fewest = max(abs(low), abs(high)), min(whole for _, whole in row.fractions)
    if row.needed is None or widest <= SEEN_GAP or fewest >= row.needed:
        return f"No difference can be told; it is {amount(widest, row.unit)} at most, either way."
    of = "people" if row.name == "contact_rate" else "calls"
    return f"No difference can be told; to see {amount(SEEN_GAP, row.unit)}, about {row.needed:,} {of} each are needed."


def amount(value: float, unit: str) -> str:
    """A difference with its unit."""
    return bare(value, unit) + {"share": " points", "seconds": " s"}.get(unit, "")


def bare(value: float, unit: str) -> str:
    """A difference, in points of a hundred where it is one of shares."""
    shown = value / POINT if unit == "share" else value
    digits = 1 if unit in {"share", "seconds"} else 3
    return f"{round(shown, digits) + 0.0:.{digits}f}"  # + 0.0: never "-0.0"


def as_json(first: Side, second: Side, rows: list[Row], notes: list[str], kind: str) -> dict[str, Any]:
    """The comparison as plain data."""
    return {
        "compared": kind,
        "a": _side_json(first),
        "b": _side_json(second),
        "level": LEVEL,
        "rates": {row.name: _row_json(row) for row in rows},
        "notes": notes,
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "people": side.people,
        "ended": side.answered.x,
        "in_doubt": side.doubts,
        "calls_without_cost": side.uncosted,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, 6)


def _row_json(row: Row) -> dict[str, Any]:
    sides = {
        name: {"value": _rounded(value), "numerator": _rounded(part), "denominator": whole, "in_doubt": doubts}
        for name, value, (part, whole), doubts in zip("ab", row.values, row.fractions, row.in_doubt, strict=True)
    }
    low, high = row.interval
    return {
        **sides,
        "unit": row.unit,
        "difference": _rounded(row.gap),
        "low": _rounded(low),
        "high": _rounded(high),
        "independent": row.counted,
        "conclusion": conclusion(row),
    }
