"""The figures of a campaign as ``summary.json`` holds them, each with its numerator and denominator."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Final

from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.counts import counts_of, next_due
from dialer.reports.figures import count
from dialer.reports.values import iso

VERSION: Final = 2
SCHEMA: Final = f"urn:dialer:summary:{VERSION}"
"""The ``$id`` of the schema that ``summary.schema.json`` holds."""
_Json = dict[str, Any]


def summarise(reader: LedgerReader, record: CampaignRecord, now: float) -> _Json:
    """The whole summary, as ``summary.json`` holds it and its schema describes it. ``now``: UTC seconds."""
    counted = count(reader, record, now)
    people = ((state, disposition, number) for (state, disposition, _), number in counted.people.groups.items())
    figures = counted.figures
    basics = counts_of(record, people, counted.rejected_reasons, counted.attempts.states, next_due(reader, record))
    basics["retry_queue"] |= {"due": figures.pop("due"), "next": figures.pop("next")}
    return {"$schema": SCHEMA, "version": VERSION, "generated_at": iso(now), **basics, **figures}


def summary_json(summary: _Json) -> str:
    """The summary as text."""
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def schema_json() -> str:
    """The JSON schema (draft 2020-12) of the summary, as text."""
    return files("dialer.reports").joinpath("summary.schema.json").read_text("utf-8")
