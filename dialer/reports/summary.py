"""The figures of a campaign as ``summary.json`` holds them, each with its numerator and denominator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

from dialer.core.lifecycle import CHARGED_ATTEMPTS, LeadState
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.figures import count
from dialer.reports.tables import iso

VERSION: Final = 2
SCHEMA: Final = f"urn:dialer:summary:{VERSION}"
"""The ``$id`` of the schema that ``summary.schema.json`` holds."""
_Json = dict[str, Any]


def counts(reader: LedgerReader, record: CampaignRecord) -> _Json:
    """What costs little to say: contacts by state and disposition, rows, retry queue, calls live, money."""
    cost, costed = reader.one("money", campaign=record.id)
    return {
        **_counts(
            record,
            reader.rows("state_dispositions", campaign=record.id),
            dict(reader.rows("rejected_reasons", campaign=record.id)),
            dict(reader.rows("attempt_states", campaign=record.id)),
            _next_due(reader, record),
        ),
        "cost": {"total": round(cost, 9), "calls_with_cost": costed},
    }


def _next_due(reader: LedgerReader, record: CampaignRecord) -> str | None:
    return iso(reader.one("next_due", campaign=record.id, only=None)[0])


def _counts(
    record: CampaignRecord,
    people: Iterable[tuple[Any, ...]],
    reasons: dict[str, int],
    attempts: Mapping[str, int],
    next_due_at: str | None,
) -> _Json:
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


def summarise(reader: LedgerReader, record: CampaignRecord, now: float) -> _Json:
    """The whole summary, as ``summary.json`` holds it and its schema describes it. ``now``: UTC seconds."""
    counted = count(reader, record, now)
    people = ((state, disposition, number) for (state, disposition, _), number in counted.people.groups.items())
    figures = counted.figures
    basics = _counts(record, people, counted.rejected_reasons, counted.attempts.states, _next_due(reader, record))
    basics["retry_queue"] |= {"due": figures.pop("due"), "next": figures.pop("next")}
    return {"$schema": SCHEMA, "version": VERSION, "generated_at": iso(now), **basics, **figures}


def summary_json(summary: _Json) -> str:
    """The summary as text."""
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def schema_json() -> str:
    """The JSON schema (draft 2020-12) of the summary, as text."""
    return files("dialer.reports").joinpath("summary.schema.json").read_text("utf-8")
