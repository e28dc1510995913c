"""All figures of a campaign in one look at the ledger, in memory that does not grow with its rows.

A few walks over the attempts and one over the contacts: what they bring is counted as it passes by. Nothing here holds
a phone number, a name or a cell of the list, except the details of rejected rows, whose numbers are masked.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from dialer.core.campaign import Pacing
from dialer.core.hours import zone_of
from dialer.core.lifecycle import LeadState
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.figures import lists, shapes
from dialer.reports.figures.clocks import ContactClocks
from dialer.reports.figures.people import Doubts, People, funnel, until_reached
from dialer.reports.figures.rates import DEFINITIONS, Basis, rates
from dialer.reports.figures.slots import Busy, busy
from dialer.reports.figures.tally import Tally, tallied
from dialer.reports.figures.timeline import Timeline, timeline

_Json = dict[str, Any]
FALLBACK: Final = "UTC"


@dataclass(frozen=True, slots=True)
class Counted:
    """What the walks brought, before it is put into shape."""

    people: People
    attempts: Tally
    rejected_reasons: dict[str, int]
    figures: _Json
    """The parts of the summary that come of nothing but this: all but version 1's counts."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What the campaign file says that figures need; a ledger may hold one that this version cannot read."""

    ceiling: int | None
    longest_call_s: float
    timezone: str


def count(reader: LedgerReader, record: CampaignRecord, now: float) -> Counted:
    """Everything there is to say of a campaign at ``now`` (UTC seconds)."""
    said, line = _said(record), _line(reader, record, now)
    clocks = ContactClocks(said.timezone)
    attempts = tallied(_attempt_rows(reader, record, line), clocks)
    people = people_of(reader, record)
    reasons: dict[str, int] = dict(reader.rows("rejected_reasons", campaign=record.id))
    lengths = shapes.lengths(*_lengths(reader, record, attempts), attempts.answered)
    return Counted(
        people,
        attempts,
        reasons,
        {
            "funnel": funnel(people, sum(reasons.values())),
            "rates": rates(_basis(people, attempts, sum(reasons.values()), lengths, said)),
            "outcomes_over_time": shapes.over_time(attempts, line),
            "by_hour": shapes.by_hour(attempts, clocks, said.timezone),
            "attempts_until_reached": until_reached(people),
            "lengths": lengths,
            "cost": shapes.cost(attempts),
            "agents": shapes.agents(attempts),
            "slots_busy": shapes.slots_busy(_busy(reader, record, line, now), line, said.ceiling),
            "due": lists.due(reader, record, now),
            "next": lists.next_contacts(reader, record),
            "rejected": lists.rejected(reader, record, reasons),
            "unresolved": lists.unresolved(
                reader, record, people.by_state()[LeadState.UNRESOLVED], people.doubts.looked_for
            ),
            "definitions": {name: definition._asdict() for name, definition in DEFINITIONS.items()},
        },
    )


def people_of(reader: LedgerReader, record: CampaignRecord) -> People:
    """The contacts by state, disposition and attempts, and the doubts about them."""
    groups: Counter[tuple[str, str, int]] = Counter(reader.rows("figures_people", campaign=record.id))
    people = only = again = looked_for = 0
    for accepted, first, reached, looked, attempts, persons in reader.rows("figures_doubts", campaign=record.id):
        people += 0 if reached else persons
        only += 0 if accepted or not first else attempts
        again += 0 if accepted or first else attempts
        looked_for += attempts if looked else 0
    return People(groups, Doubts(people, only, again, looked_for))


def _said(record: CampaignRecord) -> _Said:
    """Of the campaign file's text only this: a whole one may hold keys that this version does not know."""
    try:
        told: _Json = tomllib.loads(record.source)
    except tomllib.TOMLDecodeError:
        told = {}
    hours, pacing = told.get("hours"), told.get("pacing")
    zone = hours.get("timezone") if isinstance(hours, dict) else None
    try:
        paced = Pacing.model_validate(pacing or {})
        ceiling: int | None = paced.max_concurrent
    except ValueError:
        paced, ceiling = Pacing(), None
    known = isinstance(zone, str) and zone != "contact" and zone_of(zone) is not None
    return _Said(ceiling if told else None, paced.longest_call, str(zone) if known else FALLBACK)


def _line(reader: LedgerReader, record: CampaignRecord, now: float) -> Timeline | None:
    """From the beginning of the first call to the last end, or to now where calls are live."""
    first, first_end, last, last_end = reader.one("figures_span", campaign=record.id)
    if first is None:
        return None
    live = any(reader.rows("figures_is_live", campaign=record.id))
    lasts = [moment for moment in (last, last_end, now if live else None) if moment is not None]
    return timeline(min(first, first if first_end is None else first_end), max(lasts))


def _attempt_rows(reader: LedgerReader, record: CampaignRecord, line: Timeline | None) -> Any:
    asked = {"begins_at": line.begins_at if line else 0.0, "width_s": line.width_s if line else 1}
    return reader.rows("figures_attempts", campaign=record.id, **asked)


def _lengths(reader: LedgerReader, record: CampaignRecord, attempts: Tally) -> tuple[Any, int]:
    return reader.rows("figures_lengths", campaign=record.id), attempts.lengths


def _busy(reader: LedgerReader, record: CampaignRecord, line: Timeline | None, now: float) -> Busy | None:
    if line is None:
        return None
    calls: Any = reader.rows("figures_calls", campaign=record.id, now=now)
    return busy(calls, line)


def _basis(people: People, attempts: Tally, rejected_rows: int, lengths: _Json, said: _Said) -> Basis:
    return Basis(
        dispositions=dict(attempts.dispositions),
        doubtful_calls=attempts.in_doubt,
        rows=people.contacts + rejected_rows,
        contacts=people.contacts,
        rejected_rows=rejected_rows,
        dialed=people.dialed,
        callable=people.callable,
        reached=people.reached,
        refused=people.refused,
        refused_undialed=people.refused_undialed,
        charged=attempts.charged,
        doubtful_people=people.doubts.people,
        only_doubtful=people.doubts.only,
        again_doubtful=people.doubts.again,
        answered_s=lengths["total_s"],
        lengths=lengths["calls"],
        longest_call_s=said.longest_call_s,
        cost=round(attempts.cost, 9),
        uncosted=attempts.uncosted,
    )
