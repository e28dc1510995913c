"""Which calls are meant: the finished ones of a campaign that fit what was asked for, and what is worth asking for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dialer.core.lifecycle import Disposition
from dialer.fetching.where import Condition, check_columns
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.tables import iso

COLUMNS: Final = (
    "call_id", "phone", "agent_id", "disposition", "status", "number", "intended_at", "placed_at", "created_at",
    "ended_at", "duration_s", "sentiment", "cost", "state", "attempts", "row_number",
)  # fmt: skip
"""What conditions may name, with the meaning of attempts.csv and outcomes.csv; ``state`` is the contact's."""
_TIMES: Final = frozenset({"intended_at", "placed_at", "created_at", "ended_at"})
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


def check(record: CampaignRecord, conditions: Sequence[Condition]) -> None:
    """Raise :class:`~dialer.core.errors.UserError` where a condition names a column that is not there."""
    check_columns(conditions, (*COLUMNS, *(name for name in record.columns if name not in COLUMNS)))


def finished_calls(
    reader: LedgerReader, record: CampaignRecord, conditions: Sequence[Condition] = ()
) -> Iterator[FinishedCall]:
    """The finished calls that fit all conditions, one after the other, in the order in which they were made."""
    theirs = any(condition.column not in COLUMNS for condition in conditions)
    for row, cells in _rows(reader, record):
        if not conditions or _fits(row, json.loads(cells) if theirs else {}, conditions):
            yield _call(row)


def _rows(reader: LedgerReader, record: CampaignRecord) -> Iterator[tuple[dict[str, Any], str]]:
    for row in reader.rows("finished_calls", campaign=record.id):
        yield dict(zip(COLUMNS, row, strict=False)), row[-1]


def _fits(row: Mapping[str, Any], cells: Mapping[str, Any], conditions: Sequence[Condition]) -> bool:
    shown = {name: iso(value) if name in _TIMES else value for name, value in row.items()}
    return all(condition.fits(shown.get(condition.column, cells.get(condition.column))) for condition in conditions)


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
