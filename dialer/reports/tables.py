"""The tables of a campaign as columns and rows. Times are ISO 8601 in UTC, lengths seconds, money API cost units."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader

OUTCOME_COLUMNS: Final = (
    "phone",
    "state",
    "disposition",
    "attempts",
    "call_id",
    "agent_id",
    "first_attempt_at",
    "last_attempt_at",
    "next_attempt_at",
    "duration_s",
    "sentiment",
    "cost",
    "reason",
)
ATTEMPT_COLUMNS: Final = (
    "attempt",
    "row_number",
    "phone",
    "number",
    "state",
    "disposition",
    "status",
    "call_id",
    "agent_id",
    "intended_at",
    "placed_at",
    "created_at",
    "ended_at",
    "duration_s",
    "sentiment",
    "cost",
    "code",
    "reason",
)
RETRY_COLUMNS: Final = (
    "row_number",
    "phone",
    "disposition",
    "attempts",
    "next_attempt_at",
    "timezone",
    "first_name",
    "last_name",
)
REJECTED_COLUMNS: Final = ("row_number", "reason", "detail", "file", "raw")


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``rows`` can be read once."""

    columns: tuple[str, ...]
    rows: Iterator[Sequence[object]]
    phones: frozenset[str] = frozenset({"phone"})
    """The columns that may hold numbers to call, which begin with a plus and are no formulas."""


def iso(moment: float | None) -> str | None:
    """UTC seconds as ISO 8601."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _whole(number: float | None) -> float | int | None:
    return int(number) if number is not None and number == int(number) else number


def _money(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 6)


def _input_names(headers: Sequence[str]) -> list[str]:
    names: list[str] = []
    for header in headers:
        name = header
        while name in OUTCOME_COLUMNS or name in names or (name != header and name in headers):
            name = f"input_{name}"
        names.append(name)
    return names


def _text(cell: object) -> str:
    """A cell of the list as it stood there; nested metadata as JSON."""
    return cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)


def outcomes(reader: LedgerReader, record: CampaignRecord) -> Table:
    """One row a contact: the columns of the input, then ours. A column of the same name becomes ``input_<name>``."""
    names = _input_names(record.columns)

    def rows() -> Iterator[Sequence[object]]:
        for row in reader.rows("outcomes", campaign=record.id):
            _, cells, phone, state, disposition, attempts_made, due_at, reason, call_id, agent, *rest = row
            duration, sentiment, code, attempt_reason, first_at, last_at, cost = rest
            given = json.loads(cells)
            yield (
                *(_text(given.get(header, "")) for header in record.columns),
                phone,
                state,
                disposition,
                attempts_made,
                call_id,
                agent,
                iso(first_at),
                iso(last_at),
                iso(due_at) if state in {"queued", "waiting"} and attempts_made else None,
                _whole(duration),
                sentiment,
                _money(cost),
                reason or (attempt_reason if state == "dialing" else "") or code,
            )

    phones = {name for name, header in zip(names, record.columns, strict=True) if header in record.understood}
    return Table((*names, *OUTCOME_COLUMNS), rows(), frozenset({*phones, "phone"}))


def attempts(reader: LedgerReader, record: CampaignRecord) -> Table:
    """One row an attempt, void ones too."""

    def rows() -> Iterator[Sequence[object]]:
        for row in reader.rows("attempts", campaign=record.id):
            *start, intended, placed, created, ended, duration, sentiment, cost, code, reason = row
            times = (iso(intended), iso(placed), iso(created), iso(ended))
            yield (*start, *times, _whole(duration), sentiment, _money(cost), code, reason)

    return Table(ATTEMPT_COLUMNS, rows())


def retry_queue(reader: LedgerReader, record: CampaignRecord) -> Table:
    """Contacts waiting for their next attempt, the next one first."""

    def rows() -> Iterator[Sequence[object]]:
        for number, phone, disposition, made, due_at, zone, first, last in reader.rows(
            "retry_queue", campaign=record.id
        ):
            yield number, phone, disposition, made, iso(due_at), zone, first, last

    return Table(RETRY_COLUMNS, rows())


def rejected(reader: LedgerReader, record: CampaignRecord) -> Table:
    """Rows of the input that are no contacts. Rows count as in a spreadsheet: the header is row 1."""

    def rows() -> Iterator[Sequence[object]]:
        for file, number, reason, detail, raw in reader.rows("rejected", campaign=record.id):
            yield number, reason, detail, file, raw

    return Table(REJECTED_COLUMNS, rows())
