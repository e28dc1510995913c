"""The short lists of a report: whom to call next, which rows were rejected, and of whom nobody knows."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from dialer.core.lifecycle import AttemptState, LeadState
from dialer.core.masks import masked_numbers
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.figures.timeline import timeline
from dialer.reports.tables import iso

NEXT: Final = 20
EXAMPLES: Final = 3
UNRESOLVED: Final = 50

_Json = dict[str, Any]


def due(reader: LedgerReader, record: CampaignRecord, now: float) -> _Json:
    """How many contacts of the retry queue become due when, and how many are due already."""
    line = timeline(*reader.one("figures_due_span", campaign=record.id, now=now))
    asked = {"now": now, "begins_at": line.begins_at if line else 0.0, "width_s": line.width_s if line else 1}
    counts = Counter(bucket for (bucket,) in reader.rows("figures_due", campaign=record.id, **asked))
    return {
        "overdue": counts[-1],
        "width_s": line.width_s if line else None,
        "buckets": [
            {"begins_at": iso(line.begin_of(index)), "contacts": counts[index]} for index in range(line.buckets)
        ]
        if line
        else [],
    }


def next_contacts(reader: LedgerReader, record: CampaignRecord) -> list[_Json]:
    """The contacts of the retry queue that are called next, without number and name."""
    return [
        {
            "contact": contact,
            "file": file,
            "row_number": row,
            "disposition": disposition,
            "attempts": attempts,
            "next_attempt_at": iso(due_at),
            "timezone": zone,
        }
        for contact, file, row, disposition, attempts, due_at, zone in reader.rows(
            "figures_due_next", campaign=record.id, most=NEXT
        )
    ]


def rejected(reader: LedgerReader, record: CampaignRecord, reasons: dict[str, int]) -> list[_Json]:
    """Rejected rows by reason, the most frequent first, with the first rows of each."""
    found = []
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        rows = reader.rows("figures_rejected_examples", campaign=record.id, reason=reason, most=EXAMPLES)
        examples = [
            {"file": file, "row_number": number, "detail": masked_numbers(detail)} for file, number, detail in rows
        ]
        found.append({"reason": reason, "rows": count, "examples": examples})
    return found


def unresolved(reader: LedgerReader, record: CampaignRecord, total: int, looked_for: int) -> _Json:
    """Contacts of whom nobody knows whether they were called, unresolved ones first, in words for a person."""
    rows = reader.rows("figures_unresolved", campaign=record.id, most=UNRESOLVED)
    contacts = [_doubtful(record.name, *row) for row in rows] if total or looked_for else []
    return {"total": total, "looked_for": looked_for, "contacts": contacts}


def _doubtful(
    name: str,
    contact: int,
    file: str,
    row: int,
    state: str,
    attempt: str,
    agent_id: str,
    intended_at: float,
    gave_up_at: float | None,
    placed_at: float | None,
    call_id: str | None,
    why: str,
    verdict: str,
) -> _Json:
    return {
        "contact": contact,
        "file": file,
        "row_number": row,
        "state": state,
        "agent_id": agent_id,
        "call_id": call_id,
        "intended_at": iso(intended_at),
        "gave_up_at": iso(gave_up_at),
        "accepted_at": iso(placed_at),
        "reason": verdict or why,
        "what_is_known": _known(attempt, intended_at, gave_up_at, placed_at, call_id),
        "what_to_do": _to_do(name, state, attempt, accepted=placed_at is not None),
    }


def _known(
    attempt: str, intended_at: float, gave_up_at: float | None, placed_at: float | None, call_id: str | None
) -> str:
    sent = f"The call was asked for at {iso(intended_at)}"
    if placed_at is not None:
        named = f" as {call_id}" if call_id else ""
        ended = (
            "how it ended was never told" if attempt == AttemptState.LOST else "which call it was is no longer certain"
        )
        return f"{sent}. The API accepted it{named}, so a phone has probably rung; {ended}."
    until = f" until {iso(gave_up_at)}" if gave_up_at is not None else ""
    return f"{sent} and no answer came{until}. A phone may have rung."


def _to_do(name: str, state: str, attempt: str, *, accepted: bool) -> str:
    if state != LeadState.UNRESOLVED:
        return "Nothing yet: the next run looks for the call in the API's list."
    if attempt == AttemptState.LOST:
        return f"Close it: dialer resolve {name} NUMBER --placed"
    if accepted:
        return f"Look again with dialer resolve {name} --look, or close it with --placed."
    return (
        f"Look again with dialer resolve {name} --look. If you know that a phone rang, add --placed and the number; "
        "if you know that none did, --not-placed."
    )
