"""What requests go into while people wait for slots. Pure: facts in, orders out."""

from __future__ import annotations

import pytest

from dialer.core.campaign import Rules
from dialer.core.lifecycle import Lead, LeadState
from dialer.core.messages import Accepted, CallSeen, Look, Place, Restored
from dialer.core.settling import LOOKS_AFTER_S
from dialer.core.switchboard import Switchboard
from dialer.core.wire import Call

NOW = 1_790_000_000.0
LEAD = Lead(1, "+12125560011", LeadState.QUEUED, NOW)
MANY_ON_ONE_PAGE_S = 0.2
"""A hundred calls of 40 s on one page: half the time between two ends."""


def call(status: str) -> Call:
    return Call.model_validate({"id": "c1", "agent_id": "agent_a", "phone_number": LEAD.phone, "status": status})


@pytest.mark.parametrize(("per_minute", "asked"), [(60_000, True), (60, False)])
def test_while_people_wait_a_call_is_asked_what_it_cost_if_requests_are_to_spare(per_minute: int, asked: bool) -> None:
    """However few looks a call are worth it: with a hundred slots that is no sign that requests are short."""
    rules = Rules("spring", (("agent_a", 1.0),), max_concurrent=100, requests_per_minute=per_minute)
    board = Switchboard(rules, Restored(counts={LeadState.QUEUED: 5000}), NOW)
    board.backlog = True
    board.tracker.spread_s = MANY_ON_ONE_PAGE_S
    board.offer([LEAD])
    (order,) = board.plan(NOW, 5)
    assert isinstance(order, Place)
    board.absorb(Accepted(order.attempt, call("queued")), NOW)
    board.absorb(CallSeen(call("completed"), NOW + 40), NOW + 40)
    found = board.plan(NOW + 40 + LOOKS_AFTER_S[0], 5)
    assert (Look("c1") in found) is asked
