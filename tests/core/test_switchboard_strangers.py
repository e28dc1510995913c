"""Calls in the list that nobody here made: in which order they are taken in. Pure: facts in, orders out."""

from __future__ import annotations

import pytest

from dialer.core.campaign import Rules
from dialer.core.lifecycle import Lead, LeadState
from dialer.core.messages import CallSeen, Intend, Look, MarkEnded, PageSeen, Restored, Stranger
from dialer.core.switchboard import Switchboard
from dialer.core.wire import Call, CallPage

NOW = 1_790_000_000.0
LEAD = Lead(1, "+12125560011", LeadState.QUEUED, NOW)


def call(ident: str, status: str, made_at: float = NOW - 60) -> Call:
    told = {"id": ident, "agent_id": "agent_a", "phone_number": LEAD.phone, "status": status, "created_at": made_at}
    return Call.model_validate({**told, "direction": "outbound", "metadata": {"dialer_campaign": "spring"}})


@pytest.mark.parametrize("newest_first", [True, False])
def test_two_calls_to_one_person_in_one_second_are_taken_in_the_earlier_first(newest_first: bool) -> None:
    """Were the later one first, it would settle the contact, and no attempt would ever stand for the earlier one."""
    board = Switchboard(
        Rules("spring", (("agent_a", 1.0),)), Restored(counts={LeadState.QUEUED: 1}, began_at=NOW - 600), NOW
    )
    calls = [call("early", "no_answer"), call("late", "completed"), call("last", "in_progress", NOW - 30)]
    listed = tuple(reversed(calls)) if newest_first else tuple(calls)
    strangers = tuple(Stranger(item, LEAD) for item in listed if item.id != "last")
    board.absorb(PageSeen(CallPage(calls=listed, total=3), NOW, strangers=strangers), NOW)

    taken = []
    for moment in (NOW + 1, NOW + 2, NOW + 3, NOW + 4):
        for order in board.plan(moment, 5):
            if isinstance(order, Look) and order.call_id in {"early", "late"}:
                found = next(item for item in calls if item.id == order.call_id)
                board.absorb(CallSeen(found, moment), moment)
                taken.append(order.call_id)
    changes = board.take_changes()
    assert taken[:1] == ["early"]
    assert sum(isinstance(change, Intend) for change in changes) >= 1
    assert [change.call.id for change in changes if isinstance(change, MarkEnded)][:1] == ["early"]
