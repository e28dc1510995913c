"""The figures of a campaign, each with its numerator and denominator."""

from __future__ import annotations

import json
from typing import Any, Final

from dialer.core.lifecycle import CHARGED_ATTEMPTS, LeadState
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.tables import iso

VERSION: Final = 1
_Json = dict[str, Any]


def counts(reader: LedgerReader, record: CampaignRecord) -> _Json:
    """What costs little to say: contacts by state and disposition, rows, retry queue, calls live, money."""
    states: dict[str, int] = {state.value: 0 for state in LeadState}
    dispositions: dict[str, int] = {}
    waiting: dict[str, int] = {}
    for state, disposition, number in reader.rows("state_dispositions", campaign=record.id):
        states[state] += number
        if disposition:
            dispositions[disposition] = dispositions.get(disposition, 0) + number
        if state == LeadState.WAITING:
            waiting[disposition] = waiting.get(disposition, 0) + number
    reasons: dict[str, int] = dict(reader.rows("rejected_reasons", campaign=record.id))
    attempts: dict[str, int] = dict(reader.rows("attempt_states", campaign=record.id))
    contacts, refused = sum(states.values()), sum(reasons.values())
    cost, costed = reader.one("money", campaign=record.id)
    return {
        "campaign": record.name,
        "rows": {"input": contacts + refused, "contacts": contacts, "rejected": refused, "rejected_reasons": reasons},
        "contacts": {"by_state": states, "by_disposition": dispositions},
        "retry_queue": {
            "waiting": waiting,
            "next_due_at": iso(reader.one("next_due", campaign=record.id, only=None)[0]),
        },
        "attempts": {
            "charged": sum(attempts.get(state, 0) for state in CHARGED_ATTEMPTS),
            "void": attempts.get("void", 0),
            "by_state": attempts,
        },
        "calls_live": attempts.get("placed", 0) + attempts.get("intended", 0),
        "in_doubt": attempts.get("uncertain", 0),
        "cost": {"total": round(cost, 6), "calls_with_cost": costed},
    }


def summarise(reader: LedgerReader, record: CampaignRecord, now: float) -> _Json:
    """The whole summary, as ``summary.json`` holds it."""
    figures = counts(reader, record)
    reached = figures["contacts"]["by_state"][LeadState.REACHED]
    charged = figures["attempts"]["charged"]
    agents = _by_agent(reader, record)
    answered, dialed = (sum(agent[key] for agent in agents) for key in ("completed", "ended"))
    persons = reader.one("persons_dialed", campaign=record.id)[0]
    return {
        "version": VERSION,
        "generated_at": iso(now),
        **figures,
        "rates": {
            "answer_rate": _ratio(answered, dialed),
            "contact_rate": _ratio(reached, persons),
            "attempts_per_contact": _ratio(charged, persons),
            "cost_per_reached": _ratio(figures["cost"]["total"], reached),
        },
        "agents": agents,
    }


def _ratio(numerator: float, denominator: float) -> _Json:
    value = round(numerator / denominator, 6) if denominator else None
    return {"value": value, "numerator": numerator, "denominator": denominator}


def _by_agent(reader: LedgerReader, record: CampaignRecord) -> list[_Json]:
    import pandas as pd

    columns = ["agent_id", "disposition", "duration_s", "cost"]
    rows = list(reader.rows("ended_by_agent", campaign=record.id))
    frame = pd.DataFrame(rows, columns=columns).astype({"duration_s": "float64", "cost": "float64"})
    frame["completed"] = frame["disposition"] == "completed"
    grouped = frame.groupby("agent_id").agg(
        ended=("disposition", "size"),
        completed=("completed", "sum"),
        talk_s=("duration_s", "sum"),
        cost=("cost", "sum"),
    )
    found: list[_Json] = json.loads(grouped.reset_index().to_json(orient="records", double_precision=6))
    return found


def summary_json(summary: _Json) -> str:
    """The summary as text."""
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
