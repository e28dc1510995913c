"""A small campaign in which everything has happened to somebody, for tests of what reports say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dialer.core.cells import inert
from dialer.core.lifecycle import Disposition, LeadState
from dialer.core.messages import MarkVoid
from dialer.intake import Intake
from dialer.ledger.sqlite import SqliteLedger
from tests.support_rows import ACCOUNT, NOON, campaign_in, intended, list_of, phone, whole_call

TEXTS = ("=1+1", "'=2", "+1-2", "O'Hara", "<script>alert(1)</script>", "007", "Zoë\x1b[2J", "@SUM(1+1)")


def enrolled(directory: Path, content: str, text: str = "", name: str = "spring") -> SqliteLedger:
    """The ledger of ``directory`` with a campaign whose list has been imported; to be closed by the caller."""
    list_of(directory, content)
    campaign = campaign_in(directory, text, name=name)
    ledger = SqliteLedger(directory / f"{name}.db")
    record = ledger.put_campaign(name, str(directory / "campaign.toml"), campaign.source, campaign.digest(), NOON)
    Intake(campaign).enroll(ledger, record, NOON)
    return ledger


def eight_people(directory: Path) -> Path:
    """A ledger: reached, busy and waiting, refused, voicemail, no answer twice, and three that are queued."""
    rows = [f'{phone(index)},"{inert(text)}",{index * 10}' for index, text in enumerate(TEXTS)]
    content = "phone,note,points\r\n" + "\r\n".join(rows) + "\r\nnobody 212 555 7777 x12,short,1\r\n"
    ledger = enrolled(directory, content)
    try:
        record = ledger.campaign("spring")
        assert record is not None
        leads = {lead.phone: lead for lead in ledger.claim(record.id, NOON, 100)}
        told: dict[str, Any] = {"duration": 30.5, "sentiment": "positive", "cost": 0.1}
        changes = whole_call(leads[phone(0)], Disposition.COMPLETED, LeadState.REACHED, **told)
        changes += whole_call(leads[phone(1)], Disposition.BUSY, LeadState.WAITING, NOON + 900, cost=0.05)
        begin, refused = intended(leads[phone(2)])
        no: dict[str, Any] = {"code": "invalid_phone_number", "reason": "no", "disposition": Disposition.INVALID}
        changes += [begin, MarkVoid(refused, LeadState.REJECTED, None, at=NOON + 1, **no)]
        changes += whole_call(leads[phone(3)], Disposition.VOICEMAIL, LeadState.EXHAUSTED, duration=5.0)
        changes += whole_call(leads[phone(4)], Disposition.NO_ANSWER, LeadState.WAITING, NOON + 60, cost=0.2)
        ledger.commit(record.id, ACCOUNT, changes)
        (again,) = [lead for lead in ledger.claim(record.id, NOON + 60, 100) if lead.phone == phone(4)]
        later: dict[str, Any] = {"due_at": None, "cost": 0.1, "duration": 12.0}
        ledger.commit(record.id, ACCOUNT, whole_call(again, Disposition.NO_ANSWER, LeadState.EXHAUSTED, **later))
    finally:
        ledger.close()
    return ledger.path
