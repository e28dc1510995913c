"""Each change of the switchboard as the statements that write it: one function a change, one line of journal each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Final

from dialer.core.lifecycle import Attempt, Lead
from dialer.core.messages import (
    Amend,
    Intend,
    Learn,
    MarkDoubted,
    MarkEnded,
    MarkLost,
    MarkPlaced,
    MarkUncertain,
    MarkUnresolved,
    MarkVoid,
    Note,
    Postpone,
    PostponeLead,
    Settle,
    Spend,
    Walk,
)
from dialer.core.pacing import DAY_S
from dialer.ledger.journal import Entry, Pending, person_of

if TYPE_CHECKING:
    from dialer.core.wire import Call

SHADOWED: Final = "possible_double_call"
"""The code of an attempt whose call the list showed beside another that may be ours too."""
MOVED_AT_ONCE: Final = 10_000
"""Leads of a closed zone that one commit moves, the first that are due; the next ones move with the next. A campaign of
a million would otherwise stand still for seconds, with calls on the line."""
Execute = Callable[[str, Mapping[str, Any]], int]
"""Runs a named statement with values and says how many rows it touched."""


class Writer:
    """Writes within one transaction: guarded updates, and the journal beside them."""

    def __init__(self, execute: Execute, campaign_id: int, account: str, pending: Pending, salt: str) -> None:
        self._execute = execute
        self._pending = pending
        self._salt = salt
        self.campaign_id = campaign_id
        self.account = account

    def any(self, name: str, /, **values: object) -> int:
        """Run a statement that may touch any number of rows."""
        return self._execute(name, {"campaign": self.campaign_id, **values})

    def one(self, name: str, /, **values: object) -> None:
        """Run a statement that must touch exactly one row: the law of the states, repeated in SQL."""
        if self.any(name, **values) != 1:
            raise IllegalChange(f"{name}: {sorted(values)}")  # not their contents: they name people

    def person(self, phone: str) -> str:
        """What the journal may know of a number."""
        return person_of(phone, self._salt)

    def event(
        self,
        at: float,
        kind: str,
        data: Mapping[str, object],
        attempt: Attempt | None = None,
        *,
        lead: Lead | None = None,
        key: str | None = None,
    ) -> None:
        """A line of the journal: about an attempt, or about a lead. Numbers and names stay out of it.

        It is written when the transaction ends, together with the others of it.
        """
        about = attempt.lead if attempt else lead
        self._pending.add(
            at,
            kind,
            {name: value for name, value in data.items() if value is not None},
            campaign=self.campaign_id,
            lead=about.id if about else None,
            person=self.person(about.phone) if about else None,
            attempt=attempt.key if attempt else key,
        )


def event_row(entry: Entry) -> dict[str, object]:
    """An event as its row in the ledger."""
    return {
        "number": entry.number,
        "at": entry.at,
        "kind": entry.kind,
        "campaign": entry.campaign,
        "lead": entry.lead,
        "attempt": entry.attempt,
        "data": json.dumps(entry.data, default=str),
    }


class IllegalChange(Exception):
    """A guarded update did not touch exactly one row."""


@singledispatch
def write(change: object, writer: Writer) -> None:
    """Write one change."""
    raise NotImplementedError(type(change).__name__)


@write.register
def _(change: Intend, writer: Writer) -> None:
    lead = change.lead
    writer.one("intend_lead", lead=lead.id, number=lead.submissions)
    values = {
        "number": lead.submissions,
        "agent": change.agent_id,
        "account": writer.account,
        "skew_low": change.skew_low_s,
        "skew_high": change.skew_high_s,
    }
    writer.one("intend", attempt=change.key, lead=lead.id, phone=lead.phone, at=change.at, **values)
    writer.event(change.at, "intended", values, lead=lead, key=change.key)


@write.register
def _(change: MarkPlaced, writer: Writer) -> None:
    told = {"call": change.call_id, "status": change.status, "created_at": change.created_at}
    code = SHADOWED if change.attempt.shadowed else ""
    writer.one("placed", attempt=change.attempt.key, at=change.at, code=code, **told)
    if change.found:
        writer.one("found_lead", lead=change.attempt.lead.id)
    writer.event(change.at, "found" if change.found else "placed", {**told, "code": code or None}, change.attempt)


@write.register
def _(change: MarkVoid, writer: Writer) -> None:
    why = {"code": change.code, "reason": change.reason}
    writer.one("void", attempt=change.attempt.key, at=change.at, **why)
    goes: dict[str, object] = {
        "state": change.lead_state,
        "due_at": change.due_at,
        "disposition": change.disposition,
    }
    lead_reason = change.reason if change.disposition else ""
    writer.one("void_lead", lead=change.attempt.lead.id, lead_reason=lead_reason, **goes)
    number = change.goes_on_to
    if number is not None:
        writer.one("next_number", lead=change.attempt.lead.id, phone=number.phone, zone=number.zone)
        writer.one("hold_number", lead=change.attempt.lead.id, phone=number.phone)
        goes |= {"next": writer.person(number.phone), "zone": number.zone}
    writer.event(change.at, "void", {**why, **goes}, change.attempt)


@write.register
def _(change: MarkUncertain, writer: Writer) -> None:
    why = {"gave_up_at": change.gave_up_at, "reason": change.reason}
    writer.one("uncertain", attempt=change.attempt.key, **why)
    writer.event(change.at, "uncertain", why, change.attempt)


@write.register
def _(change: MarkDoubted, writer: Writer) -> None:
    writer.one("doubted", attempt=change.attempt.key, reason=change.reason)
    writer.event(change.at, "doubted", {"call": change.attempt.call_id, "reason": change.reason}, change.attempt)


def _told(call: Call) -> dict[str, object]:
    return {
        "status": call.status,
        "duration_s": call.duration_s,
        "sentiment": call.sentiment,
        "cost": call.cost,
        "created_at": call.created_at.timestamp() if call.created_at else None,
    }


@write.register
def _(change: MarkEnded, writer: Writer) -> None:
    told = _told(change.call)
    told["ended_at"] = change.call.ended_at.timestamp() if change.call.ended_at else change.at
    writer.one("ended", attempt=change.attempt.key, disposition=change.disposition, **told)
    goes = {
        "state": change.lead_state,
        "due_at": change.due_at,
        "disposition": change.disposition,
        "reason": change.reason,
    }
    writer.one("ended_lead", lead=change.attempt.lead.id, **goes)
    writer.event(change.at, "ended", {**told, **goes}, change.attempt)


@write.register
def _(change: MarkLost, writer: Writer) -> None:
    writer.one("lost", attempt=change.attempt.key, reason=change.reason, at=change.at)
    writer.one("unresolved_lead", lead=change.attempt.lead.id, reason=change.reason)
    writer.event(change.at, "lost", {"reason": change.reason}, change.attempt)


@write.register
def _(change: MarkUnresolved, writer: Writer) -> None:
    writer.one("unresolved_lead", lead=change.attempt.lead.id, reason=change.reason)
    writer.event(change.at, "unresolved", {"reason": change.reason}, change.attempt)


@write.register
def _(change: Settle, writer: Writer) -> None:
    writer.any("settle_attempt", attempt=change.attempt.key, reason=change.reason, at=change.at)
    writer.one("settle_lead", lead=change.attempt.lead.id, reason=change.reason)
    writer.event(change.at, "settled", {"reason": change.reason}, change.attempt)


@write.register
def _(change: Amend, writer: Writer) -> None:
    told = {**_told(change.call), "disposition": change.call.status}
    writer.one("amend", attempt=change.attempt.key, **told)
    writer.any(
        "amend_disposition", attempt=change.attempt.key, lead=change.attempt.lead.id, disposition=change.call.status
    )
    if change.lead_state is not None:
        writer.one("amend_lead", lead=change.attempt.lead.id, state=change.lead_state, disposition=change.call.status)
    writer.event(change.at, "amended", {**told, "state": change.lead_state}, change.attempt)


@write.register
def _(change: Postpone, writer: Writer) -> None:
    moved = writer.any("postpone_zone", zone=change.zone, until=change.until, most=MOVED_AT_ONCE)
    writer.event(change.at, "closed", {"zone": change.zone, "until": change.until, "leads": moved})


@write.register
def _(change: PostponeLead, writer: Writer) -> None:
    writer.one("postpone_lead", lead=change.lead.id, until=change.until)
    writer.event(change.at, "postponed", {"until": change.until, "reason": change.reason}, lead=change.lead)


@write.register
def _(change: Spend, writer: Writer) -> None:
    writer.any("spend", account=writer.account, day=int(change.at // DAY_S), requests=change.requests)


@write.register
def _(change: Learn, writer: Writer) -> None:
    writer.any("learn", account=writer.account, topic=change.topic, at=change.at, data=json.dumps(change.data))


@write.register
def _(change: Walk, writer: Writer) -> None:
    writer.one("walk", since=change.since)
    writer.event(change.at, "walk", {"since": change.since})


@write.register
def _(change: Note, writer: Writer) -> None:
    writer.event(change.at, change.kind, change.data, change.attempt)
