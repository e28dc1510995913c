"""Whether two sides of a comparison had the same chances: zones, hours and retries of their calls, and their people."""

from __future__ import annotations

from collections import Counter
from math import pi, sqrt
from typing import Any, Final

from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.figures.clocks import ContactClocks

NOTED: Final = 0.05
"""So much of one side's calls may be elsewhere than the other's, beyond what chance does, before it is noted."""
_KINDS: Final = ("in other time zones", "at other hours of the contact's day", "at other attempts")

Spread = Counter[Any]


def circumstances(reader: LedgerReader, record: CampaignRecord, agent_id: str | None) -> tuple[Spread, Spread, Spread]:
    """A side's calls by zone, by hour on the contact's clock, and by which attempt at the person they were."""
    clocks = ContactClocks(None)
    zones, hours, attempts = Counter[Any](), Counter[Any](), Counter[Any]()
    groups = Counter(reader.rows("compare_circumstances", campaign=record.id, agent=agent_id))
    for (zone, quarter, nth), calls in groups.items():
        zones[zone or "no known zone"] += calls
        hours[f"{clocks.hour(zone, quarter, calls)[1]:02}:00"] += calls
        attempts["first attempts" if nth == 1 else "later attempts"] += calls
    return zones, hours, attempts


def unlike(first: tuple[Spread, ...], second: tuple[Spread, ...]) -> list[str]:
    """A sentence for each circumstance in which the sides differ by more than chance, with its widest gap."""
    found = []
    for kind, one, other in zip(_KINDS, first, second, strict=True):
        apart, chance = distance(one, other)
        if apart > NOTED + 2 * chance:
            where = max(sorted(one | other), key=lambda key: abs(_part(one, key) - _part(other, key)))
            found.append(
                f"The calls were made {kind}: {_part(one, where):.0%} of A's and {_part(other, where):.0%} of B's "
                f"{'are' if 'attempts' in where else 'at' if ':' in where else 'in'} {where}."
            )
    return found


def distance(one: Spread, other: Spread) -> tuple[float, float]:
    """How much of one side would have to move to be spread as the other, and how much of that chance alone explains."""
    n, m = one.total(), other.total()
    if not n or not m:
        return 0.0, 0.0
    both, apart, chance = one + other, 0.0, 0.0
    for key, number in both.items():
        share = number / (n + m)
        apart += abs(_part(one, key) - _part(other, key)) / 2
        chance += sqrt(share * (1 - share) * (1 / n + 1 / m) * 2 / pi) / 2
    return apart, chance


def _part(spread: Spread, key: object) -> float:
    return spread[key] / spread.total() if spread else 0.0
