"""Which calls are meant: the finished ones of a campaign that fit what was asked for, and what is worth asking for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from dialer.core.lifecycle import Disposition
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.columns import ATTEMPTS, OUTCOMES, given, names
from dialer.reports.conditions import Test, compiled

_NAMES: Final = (
    "call_id", "phone", "agent_id", "disposition", "status", "number", "intended_at", "placed_at", "created_at",
    "ended_at", "duration_s", "sentiment", "cost", "state", "attempts", "row_number",
)  # fmt: skip
"""As the statement has them."""
_KNOWN: Final = {
    column.name: column
    for column in (*OUTCOMES, *(column for column in ATTEMPTS if column.name != "state"))
    if column.name in _NAMES
}
"""What conditions may name, with the meaning of attempts.csv; ``state`` and ``attempts`` are the contact's."""
_OURS: Final = frozenset({*_KNOWN, *names(OUTCOMES)})
"""Names that a column of the list cannot have here: those of ``outcomes.csv``, so that it is called alike there."""
_SILENT: Final = frozenset({Disposition.BUSY, Disposition.NO_ANSWER, Disposition.FAILED})


@dataclass(frozen=True, slots=True)
class FinishedCall:
    """A call that has ended. Moments are UTC seconds."""

    id: str
    phone: str
    agent_id: str
    disposition: str
    created_at: float | None
    ended_at: float
    duration_s: float | None
    sentiment: str | None

    @property
    def answered(self) -> bool:
        """Whether there can be anything to fetch: a call that nobody and nothing answered has no words and no sound."""
        return self.disposition not in _SILENT or bool(self.duration_s)


class Wanted(NamedTuple):
    """One condition on a call: the column by its name in the ledger or, ``of_list``, in the list; and the test."""

    column: str
    of_list: bool
    test: Test


def wanted(record: CampaignRecord, said: Iterable[str]) -> list[Wanted]:
    """Conditions in words. Raises :class:`~dialer.core.errors.UserError` where one is none, of an unknown column, or of
    a word that its column does not know."""
    theirs = given(record.columns, record.understood, _OURS)
    columns = [(header, True) for header in record.columns] + [(name, False) for name in _KNOWN]
    tests = compiled(said, {"calls": (*theirs, *_KNOWN.values())})["calls"]
    return [Wanted(*columns[place], test) for place, test in tests]


def finished_calls(
    reader: LedgerReader, record: CampaignRecord, conditions: Sequence[Wanted] = ()
) -> Iterator[FinishedCall]:
    """The finished calls that fit all conditions, one after the other, in the order in which they were made."""
    theirs = any(condition.of_list for condition in conditions)
    for values in reader.rows("finished_calls", campaign=record.id):
        row = dict(zip(_NAMES, values, strict=False))
        cells = json.loads(values[-1]) if theirs else {}
        if all(wish.test((cells if wish.of_list else row).get(wish.column)) for wish in conditions):
            yield _call(row)


def _call(row: Mapping[str, Any]) -> FinishedCall:
    return FinishedCall(
        row["call_id"],
        row["phone"],
        row["agent_id"],
        row["disposition"],
        row["created_at"],
        row["ended_at"],
        row["duration_s"],
        row["sentiment"],
    )
