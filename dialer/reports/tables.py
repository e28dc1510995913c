"""The tables of a campaign, a batch of rows at a time, column by column: a call per cell makes a million slow.

In memory, moments are UTC seconds and cells of the list are what they were; each format writes them its own way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.columns import ATTEMPTS, OUTCOMES, REJECTED, RETRY_QUEUE, Column, Kind, given, names
from dialer.reports.values import as_text, by_value, iso

__all__ = ["ATTEMPT_COLUMNS", "OUTCOME_COLUMNS", "REJECTED_COLUMNS", "RETRY_COLUMNS", "Batch", "Table", "iso"]

OUTCOME_COLUMNS: Final = names(OUTCOMES)
ATTEMPT_COLUMNS: Final = names(ATTEMPTS)
RETRY_COLUMNS: Final = names(RETRY_QUEUE)
REJECTED_COLUMNS: Final = names(REJECTED)

Batch = Sequence[Sequence[Any]]
"""Some rows of a table, as columns of equal length."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``batches`` can be read once."""

    name: str
    fields: tuple[Column, ...]
    batches: Iterator[Batch]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return names(self.fields)

    @property
    def phones(self) -> frozenset[str]:
        """The columns that may hold numbers to call, which begin with a plus and are no formulas."""
        return frozenset(field.name for field in self.fields if field.kind in {Kind.PHONE, Kind.GIVEN_PHONE})

    @property
    def rows(self) -> Iterator[tuple[object, ...]]:
        """The rows as people read them: moments in ISO 8601, nested cells as JSON. Reads the batches."""
        for batch in self.batches:
            texts = [as_text(field, cells) for field, cells in zip(self.fields, batch, strict=True)]
            yield from zip(*texts, strict=True)


def outcomes(reader: LedgerReader, record: CampaignRecord) -> Table:
    """One row a contact: the columns of the input, then ours. A column of the same name becomes ``input_<name>``."""

    def batches() -> Iterator[Batch]:
        for batch in reader.batches("outcomes", campaign=record.id):
            cells, *ours = zip(*batch, strict=True)
            rows = json.loads(f"[{','.join(cells)}]")
            theirs = [_cells(rows, header) for header in record.columns]
            yield [*theirs, *_rounded(OUTCOMES, ours)]

    return Table("outcomes", (*given(record.columns, record.understood), *OUTCOMES), batches())


def _cells(rows: Sequence[Mapping[str, Any]], header: str) -> list[Any]:
    """A column of the list; rows of a list that did not have it hold an empty text."""
    try:
        return list(map(itemgetter(header), rows))
    except KeyError:
        return [row.get(header, "") for row in rows]


def _plain(name: str, fields: tuple[Column, ...]) -> Callable[[LedgerReader, CampaignRecord], Table]:
    """A table whose statement has its very columns."""

    def table(reader: LedgerReader, record: CampaignRecord) -> Table:
        batches = reader.batches(name, campaign=record.id)
        return Table(name, fields, (_rounded(fields, list(zip(*batch, strict=True))) for batch in batches))

    return table


def _rounded(fields: Sequence[Column], batch: Sequence[Sequence[Any]]) -> Batch:
    """Money without the dust of binary fractions."""
    return [
        by_value(cells, lambda amount: round(amount, 12)) if field.name == "cost" else cells
        for field, cells in zip(fields, batch, strict=True)
    ]


attempts: Final = _plain("attempts", ATTEMPTS)
"""One row an attempt, void ones too."""
retry_queue: Final = _plain("retry_queue", RETRY_QUEUE)
"""Contacts waiting for their next attempt, the next one first."""
rejected: Final = _plain("rejected", REJECTED)
"""Rows of the input that are no contacts. Rows count as in a spreadsheet: the header is row 1."""

ALL: Final[Mapping[str, Callable[[LedgerReader, CampaignRecord], Table]]] = {
    "outcomes": outcomes,
    "attempts": attempts,
    "retry_queue": retry_queue,
    "rejected": rejected,
}
"""Every table by its name."""
