"""Every rate with what it means, what it is made of, and between which bounds it lies.

An attempt in doubt may have gone any way: no phone rang, nobody answered, somebody did. ``low`` and ``high`` are the
least and the most that a rate can be over all these ways; ``value`` is what is known. A bound is None where nothing
bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from dialer.core.lifecycle import Disposition

SHARE, PER_CONTACT, SECONDS, COST = "share", "attempts per contact", "seconds", "API cost units"


class Definition(NamedTuple):
    """What a rate is, in one line, and what stands above and below the line."""

    title: str
    meaning: str
    numerator: str
    denominator: str
    unit: str = SHARE


_ENDED: Final = "calls that ended"
_DIALED: Final = "contacts dialed: with at least one attempt at which a phone may have rung"
_ANSWERED: Final = "calls that were answered (completed)"

DEFINITIONS: Final[dict[str, Definition]] = {
    "answer_rate": Definition("Answer rate", "How many calls were answered by a person.", _ANSWERED, _ENDED),
    "contact_rate": Definition(
        "Contact rate", "How many of the people who were called were reached.", "contacts reached", _DIALED
    ),
    "completion_rate": Definition(
        "Completion rate",
        "How many of the people who could be called were reached.",
        "contacts reached",
        "contacts, but for those cancelled, suppressed or refused by the API before any phone rang",
    ),
    "attempts_per_contact": Definition(
        "Attempts per contact",
        "How often a person who was called was called.",
        "attempts at which a phone may have rung",
        _DIALED,
        PER_CONTACT,
    ),
    "penetration": Definition("Penetration", "How much of the list was called at all.", _DIALED, "contacts"),
    "average_call_length": Definition(
        "Average call length",
        "How long an answered call lasted (ACD).",
        "seconds of answered calls whose length is known",
        "answered calls whose length is known",
        SECONDS,
    ),
    "cost_per_answered": Definition(
        "Cost per answered call",
        "What one answered call cost, failed tries included.",
        "cost of all calls",
        _ANSWERED,
        COST,
    ),
    "cost_per_reached": Definition(
        "Cost per person reached",
        "What one person reached cost, failed tries included.",
        "cost of all calls",
        "contacts reached",
        COST,
    ),
    "voicemail_share": Definition(
        "Voicemail share", "How many calls a machine took.", "calls that a voicemail took", _ENDED
    ),
    "no_answer_share": Definition("No answer share", "How many calls nobody took.", "calls that nobody took", _ENDED),
    "busy_share": Definition("Busy share", "How many calls met a busy line.", "calls that met a busy line", _ENDED),
    "failed_share": Definition(
        "Failed share", "How many calls the network could not connect.", "calls that failed", _ENDED
    ),
    "bad_number_share": Definition(
        "Bad number share",
        "How many of the contacts tried the API refused as not callable.",
        "contacts that the API refused",
        "contacts tried: dialed, or refused by the API",
    ),
    "rejected_share": Definition(
        "Rejected share", "How many rows of the list could not be used.", "rows rejected", "rows of the list"
    ),
}
"""In the order in which people read them."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What the rates are made of."""

    dispositions: dict[str, int]
    """Of ended calls."""
    doubtful_calls: int
    """Attempts of which nobody knows how they went."""
    rows: int
    contacts: int
    rejected_rows: int
    dialed: int
    callable: int
    reached: int
    refused: int
    """Contacts that the API refused."""
    refused_undialed: int
    """Those of them of whom no phone rang before."""
    charged: int
    """Attempts at which a phone may have rung."""
    doubtful_people: int
    """Contacts not reached, with a call of which nobody knows how it went."""
    only_doubtful: int
    """Contacts with one attempt, of which nobody knows whether a phone rang."""
    again_doubtful: int
    """Further attempts of which nobody knows whether a phone rang."""
    answered_s: float
    lengths: int
    """Answered calls whose length is known."""
    longest_call_s: float
    """No call lasts longer."""
    cost: float
    uncosted: int
    """Calls whose cost is not known."""

    @property
    def ended(self) -> int:
        """Calls that ended."""
        return sum(self.dispositions.values())

    @property
    def answered(self) -> int:
        """Calls that a person answered."""
        return self.dispositions.get(Disposition.COMPLETED, 0)


def rates(basis: Basis) -> dict[str, dict[str, Any]]:
    """All rates, in the order of :data:`DEFINITIONS`."""
    found = {**_of_calls(basis), **_of_people(basis), **_of_amounts(basis)}
    return {name: {**found[name], "unit": definition.unit} for name, definition in DEFINITIONS.items()}


def quotient(numerator: float, denominator: float) -> float | None:
    """A quotient, or None where there is nothing to divide by."""
    return round(numerator / denominator, 6) if denominator else None


def bounded(
    numerator: float, denominator: float, low: float | None, high: float | None, in_doubt: int = 0, missing: int = 0
) -> dict[str, Any]:
    """A rate as the summary holds it. Without a value there are no bounds, unless doubts leave some."""
    return {
        "value": quotient(numerator, denominator),
        "numerator": numerator,
        "denominator": denominator,
        "low": low,
        "high": high,
        "in_doubt": in_doubt,
        "missing": missing,
    }


def share_of_calls(part: int, ended: int, in_doubt: int) -> dict[str, Any]:
    """A share of calls. In doubt: at worst none of those is of this kind, at best all are."""
    whole = ended + in_doubt
    return bounded(part, ended, quotient(part, whole), quotient(part + in_doubt, whole), in_doubt)


def _of_calls(basis: Basis) -> dict[str, dict[str, Any]]:
    kinds = {
        "answer_rate": Disposition.COMPLETED,
        "voicemail_share": Disposition.VOICEMAIL,
        "no_answer_share": Disposition.NO_ANSWER,
        "busy_share": Disposition.BUSY,
        "failed_share": Disposition.FAILED,
    }
    return {
        name: share_of_calls(basis.dispositions.get(kind, 0), basis.ended, basis.doubtful_calls)
        for name, kind in kinds.items()
    }


def _certain(numerator: float, denominator: float) -> dict[str, Any]:
    value = quotient(numerator, denominator)
    return bounded(numerator, denominator, value, value)


def _of_people(basis: Basis) -> dict[str, dict[str, Any]]:
    reached, perhaps = basis.reached, basis.doubtful_people
    tried = basis.dialed + basis.refused_undialed
    rung = basis.dialed - basis.only_doubtful
    return {
        "contact_rate": bounded(
            reached, basis.dialed, quotient(reached, basis.dialed), quotient(reached + perhaps, basis.dialed), perhaps
        ),
        "completion_rate": bounded(
            reached,
            basis.callable,
            quotient(reached, basis.callable),
            quotient(reached + perhaps, basis.callable),
            perhaps,
        ),
        "penetration": bounded(
            basis.dialed,
            basis.contacts,
            quotient(rung, basis.contacts),
            quotient(basis.dialed, basis.contacts),
            basis.only_doubtful,
        ),
        "attempts_per_contact": bounded(
            basis.charged,
            basis.dialed,
            quotient(basis.charged - basis.again_doubtful, basis.dialed),
            quotient(basis.charged - basis.only_doubtful, rung),
            basis.only_doubtful + basis.again_doubtful,
        ),
        "bad_number_share": bounded(
            basis.refused,
            tried,
            quotient(basis.refused, tried),
            quotient(basis.refused, tried - basis.only_doubtful),
            basis.only_doubtful,
        ),
        "rejected_share": _certain(basis.rejected_rows, basis.rows),
    }


def _of_amounts(basis: Basis) -> dict[str, dict[str, Any]]:
    untold = basis.answered - basis.lengths
    unknown, total_s = untold + basis.doubtful_calls, basis.answered_s
    calls = basis.lengths + unknown
    highest = [quotient(total_s + unknown * basis.longest_call_s, calls), quotient(total_s, basis.lengths)]
    cost, open_end = basis.cost, basis.uncosted > 0

    def per(count: int, perhaps: int) -> dict[str, Any]:
        high = None if open_end else quotient(cost, count)
        return bounded(cost, count, quotient(cost, count + perhaps), high, perhaps, basis.uncosted)

    return {
        "average_call_length": bounded(
            round(total_s, 3),
            basis.lengths,
            quotient(total_s, calls),
            max((each for each in highest if each is not None), default=None),  # a call may have outlasted the longest
            basis.doubtful_calls,
            untold,
        ),
        "cost_per_answered": per(basis.answered, basis.doubtful_calls),
        "cost_per_reached": per(basis.reached, basis.doubtful_people),
    }
