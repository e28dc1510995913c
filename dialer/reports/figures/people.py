"""The contacts of a campaign: where they stand, what fell away on the way to being reached, and at which attempt."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from dialer.core.lifecycle import LeadState

_REFUSED_UNDIALED = frozenset({LeadState.CANCELLED, LeadState.SUPPRESSED, LeadState.REJECTED})
_OPEN = frozenset({LeadState.DIALING, LeadState.UNRESOLVED})


@dataclass(frozen=True, slots=True)
class Doubts:
    """Attempts of which nobody knows how they went, and the people they were made to."""

    people: int
    """Not reached otherwise."""
    only: int
    """People of whom nobody knows whether a phone ever rang."""
    again: int
    """Further attempts of which nobody knows whether a phone rang."""
    looked_for: int
    """Attempts that the runner still looks for in the API's list."""


@dataclass(frozen=True, slots=True)
class People:
    """All contacts, counted by state, disposition ("" before the first) and charged attempts."""

    groups: Counter[tuple[str, str, int]]
    doubts: Doubts

    @property
    def contacts(self) -> int:
        """All of them."""
        return self.groups.total()

    def by_state(self, *, dialed: bool | None = None) -> Counter[str]:
        """Contacts by state: all, or those that were or were not dialed."""
        found: Counter[str] = Counter()
        for (state, _, attempts), count in self.groups.items():
            if dialed is None or dialed == (attempts > 0):
                found[state] += count
        return found

    @property
    def reached(self) -> int:
        """Contacts reached."""
        return self.by_state()[LeadState.REACHED]

    @property
    def dialed(self) -> int:
        """Contacts with at least one charged attempt."""
        return self.by_state(dialed=True).total()

    @property
    def refused(self) -> int:
        """Contacts that the API refused."""
        return self.by_state()[LeadState.REJECTED]

    @property
    def refused_undialed(self) -> int:
        """Contacts that the API refused before any phone rang."""
        return self.by_state(dialed=False)[LeadState.REJECTED]

    @property
    def callable(self) -> int:
        """Contacts, but for those that were taken out before any phone rang."""
        undialed = self.by_state(dialed=False)
        return self.contacts - sum(undialed[state] for state in _REFUSED_UNDIALED)


def funnel(people: People, rejected_rows: int) -> list[dict[str, Any]]:
    """Rows -> accepted -> dialed -> reached: what is left at each step, and where the others went."""
    doubts, contacts, dialed, reached = people.doubts, people.contacts, people.dialed, people.reached
    undialed, rang = people.by_state(dialed=False), people.by_state(dialed=True)
    rang.pop(LeadState.REACHED, None)
    rows = contacts + rejected_rows
    return [
        _step("rows", rows, rows, rows, {"rejected_rows": rejected_rows}),
        _step("accepted", contacts, contacts, contacts, undialed),
        _step("dialed", dialed, dialed - doubts.only, dialed, rang),
        _step("reached", reached, reached, reached + doubts.people, {}),
    ]


def _step(step: str, count: int, low: int, high: int, away: dict[str, int]) -> dict[str, Any]:
    fell = [{"to": to, "count": number} for to, number in sorted(away.items()) if number]
    return {"step": step, "count": count, "low": low, "high": high, "fell_away": fell}


def until_reached(people: People) -> list[dict[str, Any]]:
    """For each attempt that anybody had: who had it, whom it reached, and whose is still open or in doubt."""
    had: Counter[int] = Counter()
    reached: Counter[int] = Counter()
    unsure: Counter[int] = Counter()
    for (state, _, attempts), count in people.groups.items():
        had[attempts] += count
        reached[attempts] += count if state == LeadState.REACHED else 0
        unsure[attempts] += count if state in _OPEN else 0
    most, found, so_far = max(had, default=0), [], 0
    for number in range(1, most + 1):
        so_far += reached[number]
        found.append(
            {
                "attempt": number,
                "contacts": sum(count for attempts, count in had.items() if attempts >= number),
                "reached": reached[number],
                "open": unsure[number],
                "reached_so_far": so_far,
            }
        )
    return found
