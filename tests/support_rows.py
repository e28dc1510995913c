"""What tests of lists, ledgers and reports share: campaigns, a ledger with people in it, one call's life."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dialer.core.campaign import Campaign, read_campaign
from dialer.core.lifecycle import Attempt, AttemptState, Disposition, Lead, LeadState
from dialer.core.messages import Change, Intend, MarkEnded, MarkPlaced
from dialer.core.wire import Call
from dialer.intake import Intake
from dialer.ledger import CampaignRecord, EnrollResult, NewContact, RejectedRow
from dialer.ledger.sqlite import SqliteLedger

NOON = 1_772_020_800.0
"""Wednesday, 25 February 2026, 12:00 UTC."""
ACCOUNT = "account"
NEW_YORK = "America/New_York"


def phone(index: int) -> str:
    """A number of New York, another for each index."""
    return f"+1212555{index:04d}"


def campaign_in(directory: Path, text: str = "", *, name: str = "spring", hours: str = 'hours = "always"') -> Campaign:
    """A campaign whose list is ``list.csv`` in ``directory``; ``text`` is more TOML."""
    head = f'name = "{name}"\ncontacts = "list.csv"\nagents = ["agent_a"]\n{hours}\n'
    return read_campaign(head + text, directory / "campaign.toml")


def list_of(directory: Path, content: str | bytes) -> Path:
    """``list.csv`` in ``directory``, byte for byte."""
    path = directory / "list.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def judged(
    directory: Path, content: str | bytes, text: str = "", hours: str = 'hours = "always"', now: float = NOON
) -> tuple[list[NewContact], list[RejectedRow]]:
    """The contacts and the rejected rows of a list."""
    list_of(directory, content)
    rows = list(Intake(campaign_in(directory, text, hours=hours)).read(now))
    contacts = [row for row in rows if isinstance(row, NewContact)]
    return contacts, [row for row in rows if isinstance(row, RejectedRow)]


@contextmanager
def opened(directory: Path) -> Iterator[SqliteLedger]:
    """The ledger of ``directory``, for writing."""
    ledger = SqliteLedger(directory / "ledger.db")
    try:
        yield ledger
    finally:
        ledger.close()


def person(index: int, row_number: int | None = None, *, zone: str | None = NEW_YORK, **cells: str) -> NewContact:
    """A contact as the intake would hand it over."""
    number = index + 2 if row_number is None else row_number
    said = {"phone": phone(index), **cells}
    return NewContact(phone(index), "list.csv", number, said, cells.get("first_name"), cells.get("last_name"), zone)


def put(ledger: SqliteLedger, name: str = "spring") -> CampaignRecord:
    """A campaign in the ledger."""
    return ledger.put_campaign(name, "campaign.toml", f'name = "{name}"', "digest", NOON)


def enroll(
    ledger: SqliteLedger,
    record: CampaignRecord,
    people: Sequence[NewContact | RejectedRow],
    columns: Sequence[str] = ("phone",),
    at: float = NOON,
    digest: str = "list",
) -> EnrollResult:
    """Import people."""
    with ledger.enroll(record.id, columns, ("phone",), digest, at) as enrollment:
        for item in people:
            if isinstance(item, NewContact):
                enrollment.add(item)
            else:
                enrollment.reject(item)
        return enrollment.result()


def intended(lead: Lead, key: str = "", at: float = NOON) -> tuple[Intend, Attempt]:
    """The change that begins an attempt at ``lead``, and the attempt it makes."""
    begun = Lead(
        id=lead.id,
        phone=lead.phone,
        state=LeadState.DIALING,
        due_at=lead.due_at,
        attempts=lead.attempts,
        submissions=lead.submissions + 1,
        disposition=lead.disposition,
        zone=lead.zone,
    )
    key = key or f"try-{lead.id}-{begun.submissions}"
    return Intend(key, begun, "agent_a", at), Attempt(key, begun, "agent_a", AttemptState.INTENDED, at)


def placed(attempt: Attempt, call_id: str = "", at: float = NOON + 1, *, found: bool = False) -> MarkPlaced:
    """The API gave the call an id."""
    return MarkPlaced(attempt, call_id or f"call-{attempt.key}", "initiating", at, at, found)


def ended(
    attempt: Attempt,
    disposition: Disposition,
    lead_state: LeadState,
    due_at: float | None = None,
    at: float = NOON + 60,
    **told: Any,
) -> MarkEnded:
    """The call ended."""
    call = Call.model_validate({"id": f"call-{attempt.key}", "status": disposition.value, **told})
    return MarkEnded(attempt, call, disposition, lead_state, due_at, "", at)


def whole_call(
    lead: Lead, disposition: Disposition, lead_state: LeadState, due_at: float | None = None, **told: Any
) -> list[Change]:
    """A call from intent to end."""
    intend, attempt = intended(lead)
    return [intend, placed(attempt), ended(attempt, disposition, lead_state, due_at, **told)]
