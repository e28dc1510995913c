"""Which calls are meant: the finished ones of a campaign that fit what was asked for, and what is worth asking for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from dialer.core.lifecycle import Disposition
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.columns import ATTEMPTS, OUTCOMES, Column, given, names
from dialer.reports.conditions import Test, read_condition, test_of

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
    """One condition on a call: the column, whether it is one of the list, and what tells whether a cell is meant."""

    column: str
    of_list: bool
    test: Test


def wanted(record: CampaignRecord, said: Iterable[str]) -> list[Wanted]:
    """Conditions in words. Raises :class:`~dialer.core.errors.UserError` where one is none, or of an unknown column."""
    columns = {column.name: column for column in given(record.columns, record.understood)} | _KNOWN
    found: list[Wanted] = []
    for words in said:
        condition = read_condition(words, list(columns))
        column = columns[condition.column]
        found.append(Wanted(_header(record, column), column.name not in _KNOWN, test_of(condition, column)))
    return found


def _header(record: CampaignRecord, column: Column) -> str:
    """A column of the list by the name that it has there."""
    theirs = dict(zip(names(given(record.columns, record.understood)), record.columns, strict=True))
    return column.name if column.name in _KNOWN else theirs[column.name]


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
