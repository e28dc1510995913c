"""One walk over the attempts of a campaign, counted as they pass by: only counts are kept, no rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from dialer.core.lifecycle import CHARGED_ATTEMPTS, AttemptState, Disposition
from dialer.reports.figures.clocks import ContactClocks, Hour

_AT_ONCE: Final = 10_000
_MOST_GROUPS: Final = 50_000
"""Groups that are kept before they are folded into the figures: what bounds the memory of a campaign of any size."""
DOUBTFUL: Final = frozenset({AttemptState.UNCERTAIN, AttemptState.LOST})
"""Of these attempts nobody knows how they went, of some not even whether a phone rang."""

Row = tuple[Any, ...]
"""agent, state, disposition, zone, quarter of an hour, bucket of the end, length in seconds, cost."""


@dataclass(slots=True)
class AgentTally:
    """What an agent's attempts came to. Lengths in seconds, money in the API's cost units."""

    by_disposition: Counter[str] = field(default_factory=Counter)
    """Of ended calls."""
    in_doubt: int = 0
    talk_s: float = 0.0
    """Of all ended calls whose length is known."""
    cost: float = 0.0
    costed: int = 0
    uncosted: int = 0
    """Calls that ended, or may have been placed, of which no cost is known."""

    @property
    def ended(self) -> int:
        """Calls that ended."""
        return self.by_disposition.total()

    @property
    def answered(self) -> int:
        """Calls that a person answered."""
        return self.by_disposition[Disposition.COMPLETED]


@dataclass(slots=True)
class HourTally:
    """Calls that began in one hour of the week."""

    ended: int = 0
    answered: int = 0
    in_doubt: int = 0


@dataclass(slots=True)
class Tally:
    """All counts of one walk."""

    states: Counter[str] = field(default_factory=Counter)
    dispositions: Counter[str] = field(default_factory=Counter)
    """Of ended calls."""
    agents: dict[str, AgentTally] = field(default_factory=dict)
    hours: dict[Hour, HourTally] = field(default_factory=dict)
    outcomes: Counter[tuple[int, str]] = field(default_factory=Counter)
    """By bucket of the end and disposition; of lost attempts as well."""
    lengths: int = 0
    """Answered calls whose length is known."""

    @property
    def ended(self) -> int:
        """Calls that ended."""
        return self.dispositions.total()

    @property
    def answered(self) -> int:
        """Calls that a person answered."""
        return self.dispositions[Disposition.COMPLETED]

    @property
    def charged(self) -> int:
        """Attempts at which a phone may have rung."""
        return sum(self.states[state] for state in CHARGED_ATTEMPTS)

    @property
    def in_doubt(self) -> int:
        """Attempts of which nobody knows how they went."""
        return sum(self.states[state] for state in DOUBTFUL)

    @property
    def cost(self) -> float:
        """Of all attempts whose cost is known."""
        return sum(agent.cost for agent in self.agents.values())

    @property
    def costed(self) -> int:
        """Attempts whose cost is known."""
        return sum(agent.costed for agent in self.agents.values())

    @property
    def uncosted(self) -> int:
        """Calls that ended, or may have been placed, of which no cost is known."""
        return sum(agent.uncosted for agent in self.agents.values())


def tallied(rows: Iterable[Row], clocks: ContactClocks) -> Tally:
    """Count all attempts, void ones too (they count as a state and for their cost, and nowhere else)."""
    found = Tally()
    groups: Counter[Row] = Counter()
    for chunk in _chunks(rows):
        *keys, lengths, costs = zip(*chunk, strict=True)
        groups.update(zip(*keys, strict=True))
        _add_amounts(found, zip(*keys[:3], lengths, costs, strict=True))
        if len(groups) > _MOST_GROUPS:
            _fold(groups, found, clocks)
            groups.clear()
    _fold(groups, found, clocks)
    return found


def _chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    walk = iter(rows)
    while chunk := list(islice(walk, _AT_ONCE)):
        yield chunk


def _add_amounts(found: Tally, rows: Iterable[Row]) -> None:
    for agent_id, state, disposition, length_s, cost in rows:
        agent = found.agents.get(agent_id)
        if agent is None:
            agent = found.agents[agent_id] = AgentTally()
        if length_s is not None and state == "ended":
            agent.talk_s += length_s
            found.lengths += disposition == "completed"
        if cost is not None:
            agent.cost += cost
            agent.costed += 1
        elif state == "ended" or state in DOUBTFUL:
            agent.uncosted += 1


def _fold(groups: Counter[Row], found: Tally, clocks: ContactClocks) -> None:
    for (agent_id, state, disposition, zone, quarter, bucket), calls in groups.items():
        found.states[state] += calls
        ended, doubtful = state == AttemptState.ENDED, state in DOUBTFUL
        if not ended and not doubtful:
            continue
        hour = found.hours.setdefault(clocks.hour(zone, quarter, calls), HourTally())
        agent = found.agents[agent_id]
        if ended:
            found.dispositions[disposition] += calls
            agent.by_disposition[disposition] += calls
            hour.ended += calls
            hour.answered += calls if disposition == Disposition.COMPLETED else 0
        else:
            agent.in_doubt += calls
            hour.in_doubt += calls
        if bucket is not None and (ended or state == AttemptState.LOST):
            found.outcomes[max(bucket, 0), disposition] += calls
