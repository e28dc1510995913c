"""The counts of a campaign, which cost little: what ``dialer status`` says, and the first part of ``summary.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from dialer.core.lifecycle import CHARGED_ATTEMPTS, LeadState
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.values import iso

Json = dict[str, Any]


def counts(reader: LedgerReader, record: CampaignRecord) -> Json:
    """What costs little to say: contacts by state and disposition, rows, retry queue, calls live, money."""
    cost, costed = reader.one("money", campaign=record.id)
    return {
        **counts_of(
            record,
            reader.rows("state_dispositions", campaign=record.id),
            dict(reader.rows("rejected_reasons", campaign=record.id)),
            dict(reader.rows("attempt_states", campaign=record.id)),
            next_due(reader, record),
        ),
        "cost": {"total": round(cost, 9), "calls_with_cost": costed},
    }


def next_due(reader: LedgerReader, record: CampaignRecord) -> str | None:
    """When the next call is due, as ISO 8601; None where none is."""
    return iso(reader.one("next_due", campaign=record.id, only=None)[0])


def counts_of(
    record: CampaignRecord,
    people: Iterable[tuple[Any, ...]],
    reasons: dict[str, int],
    attempts: Mapping[str, int],
    next_due_at: str | None,
) -> Json:
    """``people``: state, disposition ("" for none) and how many; each pair may come several times."""
    states: dict[str, int] = {state.value: 0 for state in LeadState}
    dispositions: Counter[str] = Counter()
    waiting: Counter[str] = Counter()
    for state, disposition, number in people:
        states[state] += number
        if disposition:
            dispositions[disposition] += number
        if state == LeadState.WAITING:
            waiting[disposition] += number
    contacts, refused = sum(states.values()), sum(reasons.values())
    return {
        "campaign": record.name,
        "rows": {"input": contacts + refused, "contacts": contacts, "rejected": refused, "rejected_reasons": reasons},
        "contacts": {"by_state": states, "by_disposition": dict(sorted(dispositions.items()))},
        "retry_queue": {"waiting": dict(sorted(waiting.items())), "next_due_at": next_due_at},
        "attempts": {
            "charged": sum(attempts.get(state, 0) for state in CHARGED_ATTEMPTS),
            "void": attempts.get("void", 0),
            "by_state": dict(sorted(attempts.items())),
        },
        "calls_live": attempts.get("placed", 0) + attempts.get("intended", 0),
        "in_doubt": attempts.get("uncertain", 0),
    }
