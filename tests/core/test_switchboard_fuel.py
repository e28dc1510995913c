"""What requests and money go into while people wait for slots. Pure: facts in, orders out."""

from __future__ import annotations

import pytest

from dialer.core.campaign import Rules
from dialer.core.errors import NO_SLOTS, NoAnswer, TryLater
from dialer.core.lifecycle import Lead, LeadState
from dialer.core.lines import SOON_S
from dialer.core.messages import Accepted, CallSeen, Look, NotAccepted, Place, Restored
from dialer.core.settling import LOOKS_AFTER_S
from dialer.core.switchboard import Switchboard
from dialer.core.wire import Call

NOW = 1_790_000_000.0
LEAD = Lead(1, "+12125560011", LeadState.QUEUED, NOW)
OTHER = Lead(2, "+12125560012", LeadState.QUEUED, NOW)
MANY_ON_ONE_PAGE_S = 0.2
"""A hundred calls of 40 s on one page: half the time between two ends."""


def call(status: str, **told: float) -> Call:
    said = {"id": "c1", "agent_id": "agent_a", "phone_number": LEAD.phone, "status": status}
    return Call.model_validate({**said, **told})


def dial(board: Switchboard) -> None:
    """The one contact is called."""
    board.backlog = True
    board.offer([LEAD])
    (order,) = board.plan(NOW, 5)
    assert isinstance(order, Place)
    board.absorb(Accepted(order.attempt, call("queued")), NOW)


@pytest.mark.parametrize(("per_minute", "asked"), [(60_000, True), (60, False)])
def test_while_people_wait_a_call_is_asked_what_it_cost_if_requests_are_to_spare(per_minute: int, asked: bool) -> None:
    """However few looks a call are worth it: with a hundred slots that is no sign that requests are short."""
    rules = Rules("spring", (("agent_a", 1.0),), max_concurrent=100, requests_per_minute=per_minute)
    board = Switchboard(rules, Restored(counts={LeadState.QUEUED: 5000}), NOW)
    board.tracker.spread_s = MANY_ON_ONE_PAGE_S
    dial(board)
    board.absorb(CallSeen(call("completed"), NOW + 40), NOW + 40)
    found = board.plan(NOW + 40 + LOOKS_AFTER_S[0], 5)
    assert (Look("c1") in found) is asked


@pytest.mark.parametrize("per_minute", [60_000, 10])
def test_what_a_call_has_cost_that_has_not_told_yet_is_not_spent_again(per_minute: int) -> None:
    """And it is asked, however short requests are: somebody waits for the answer."""
    rules = Rules("spring", (("agent_a", 1.0),), requests_per_minute=per_minute, max_cost=1.0)
    board = Switchboard(rules, Restored(counts={LeadState.QUEUED: 5000}, cost=0.6, costed_calls=2), NOW)
    assert board.wanted(NOW)
    dial(board)
    assert not board.wanted(NOW), "with the one that is up it would be 1.2"
    ended_at, asked_at = NOW + 40, NOW + 40 + LOOKS_AFTER_S[0]
    board.absorb(CallSeen(call("completed"), ended_at), ended_at)
    assert not board.wanted(asked_at)
    assert not board.finished(asked_at)
    assert board.plan(asked_at, 5) == [Look("c1")]
    board.absorb(CallSeen(call("completed", cost=0.05, duration=40), asked_at), asked_at)
    assert board.wanted(asked_at)


def test_a_call_in_doubt_may_hold_one_of_the_slots_that_are_taken() -> None:
    rules = Rules("spring", (("agent_a", 1.0),), max_concurrent=8)
    board = Switchboard(rules, Restored(counts={LeadState.QUEUED: 2}), NOW)
    board.backlog = True
    for lead, error in ((LEAD, NoAnswer("no answer")), (OTHER, TryLater("no slot", code=NO_SLOTS))):
        board.offer([lead])
        (order,) = board.plan(NOW, 5)
        assert isinstance(order, Place)
        board.absorb(NotAccepted(order.attempt, error), NOW + 1)
        board.take_changes()
    assert board.slots.learned == 1


def test_a_create_whose_answer_is_overdue_may_hold_one_of_the_slots_that_are_taken() -> None:
    rules = Rules("spring", (("agent_a", 1.0),), max_concurrent=8)
    board = Switchboard(rules, Restored(counts={LeadState.QUEUED: 2}), NOW)
    board.backlog = True
    board.offer([LEAD])
    board.plan(NOW, 5)
    later = NOW + SOON_S + 1
    board.offer([OTHER])
    (order,) = board.plan(later, 5)
    assert isinstance(order, Place)
    board.absorb(NotAccepted(order.attempt, TryLater("no slot", code=NO_SLOTS)), later)
    assert board.slots.learned == 1
