"""The law, as tables: what may follow what, what is final, and that the README draws the very same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import TypeVar

import pytest

from dialer.core.lifecycle import (
    ATTEMPT_STEPS,
    CHARGED_ATTEMPTS,
    DUE_LEADS,
    LEAD_STEPS,
    OPEN_ATTEMPTS,
    SETTLED_LEADS,
    AttemptState,
    IllegalStep,
    LeadState,
    check_attempt_step,
    check_lead_step,
    state_after_void,
)
from tests.support.diagrams import attempt_diagram, fenced, lead_diagram

_State = TypeVar("_State", bound=StrEnum)
README = Path(__file__).parents[2] / "README.md"
SECTION = "## The two state diagrams"


def reachable(steps: Mapping[_State, frozenset[_State]], first: _State) -> set[_State]:
    met, ahead = {first}, [first]
    while ahead:
        new = steps[ahead.pop()] - met
        met |= new
        ahead += new
    return met


def test_every_state_a_contact_can_be_in_is_in_the_table() -> None:
    assert set(LEAD_STEPS) == set(LeadState)
    assert set(ATTEMPT_STEPS) == set(AttemptState)


def test_every_contact_can_come_to_every_state_from_the_queue() -> None:
    assert reachable(LEAD_STEPS, LeadState.QUEUED) == set(LeadState)


def test_every_attempt_begins_as_an_intent_and_can_come_to_every_state() -> None:
    assert reachable(ATTEMPT_STEPS, AttemptState.INTENDED) == set(AttemptState)


def test_a_contact_is_done_with_exactly_where_nothing_follows() -> None:
    final = {state for state, steps in LEAD_STEPS.items() if not steps}
    assert final == {LeadState.REACHED, LeadState.EXHAUSTED, LeadState.REJECTED, LeadState.SUPPRESSED}
    assert final < SETTLED_LEADS


def test_an_attempt_is_open_exactly_while_something_may_follow() -> None:
    assert frozenset(AttemptState) - OPEN_ATTEMPTS == {AttemptState.ENDED, AttemptState.VOID, AttemptState.LOST}


def test_every_contact_can_still_come_to_an_end_and_every_attempt_too() -> None:
    for lead in LeadState:
        assert any(not LEAD_STEPS[state] for state in reachable(LEAD_STEPS, lead)), lead
    for attempt in AttemptState:
        assert reachable(ATTEMPT_STEPS, attempt) - OPEN_ATTEMPTS, attempt


def test_no_contact_and_no_attempt_steps_onto_itself() -> None:
    assert not [state for state in LeadState if state in LEAD_STEPS[state]]
    assert not [state for state in AttemptState if state in ATTEMPT_STEPS[state]]


def test_a_phone_that_may_have_rung_is_charged_and_one_that_did_not_is_not() -> None:
    assert frozenset(AttemptState) - CHARGED_ATTEMPTS == {AttemptState.VOID}


def test_a_call_with_an_id_is_taken_for_one_that_did_not_ring_only_by_way_of_doubt() -> None:
    certain = {state: steps - {AttemptState.UNCERTAIN} for state, steps in ATTEMPT_STEPS.items()}
    assert AttemptState.VOID not in reachable(certain, AttemptState.PLACED)  # and the ledger bars that way as well


def test_a_contact_is_due_or_dialing_or_settled_and_never_two_of_these() -> None:
    parts = [DUE_LEADS, SETTLED_LEADS, frozenset({LeadState.DIALING})]
    assert frozenset().union(*parts) == frozenset(LeadState)
    assert sum(map(len, parts)) == len(LeadState)


def test_nobody_is_dialed_but_from_a_queue_or_when_a_lost_call_is_found() -> None:
    before = {state for state, steps in LEAD_STEPS.items() if LeadState.DIALING in steps}
    assert before == DUE_LEADS | {LeadState.UNRESOLVED}


def test_nobody_is_suppressed_or_cancelled_while_the_phone_may_ring() -> None:
    assert not LEAD_STEPS[LeadState.DIALING] & {LeadState.SUPPRESSED, LeadState.CANCELLED}


def test_every_step_of_a_contact_outside_the_table_is_our_bug() -> None:
    for before, after in product(LeadState, LeadState):
        if after in LEAD_STEPS[before]:
            check_lead_step(before, after)
        else:
            with pytest.raises(IllegalStep, match=f"^lead: {before} -> {after}$"):
                check_lead_step(before, after)


def test_every_step_of_an_attempt_outside_the_table_is_our_bug() -> None:
    for before, after in product(AttemptState, AttemptState):
        if after in ATTEMPT_STEPS[before]:
            check_attempt_step(before, after)
        else:
            with pytest.raises(IllegalStep, match=f"^attempt: {before} -> {after}$"):
                check_attempt_step(before, after)


def test_whoever_no_phone_rang_for_goes_back_to_where_they_came_from() -> None:
    assert state_after_void(0) is LeadState.QUEUED
    assert state_after_void(2) is LeadState.WAITING
    assert {state_after_void(n) for n in range(3)} <= LEAD_STEPS[LeadState.DIALING] & LEAD_STEPS[LeadState.UNRESOLVED]


def test_the_diagrams_show_every_step_once_and_nothing_else() -> None:
    for diagram, table in ((lead_diagram(), LEAD_STEPS), (attempt_diagram(), ATTEMPT_STEPS)):
        arrows = re.findall(r"(\w+) --> (\w+)", diagram)
        assert len(arrows) == len(set(arrows))
        assert set(arrows) == {(str(before), str(after)) for before, steps in table.items() for after in steps}


def test_the_readme_draws_the_law_as_the_tables_have_it() -> None:
    text = README.read_text("utf-8")
    if SECTION not in text:
        pytest.skip(f"README.md has no section '{SECTION}' yet")
    section = re.split(r"^## ", text.split(SECTION, 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    drawn = re.findall(r"```mermaid\n.*?\n```", section, re.DOTALL)
    assert drawn == [fenced(lead_diagram()), fenced(attempt_diagram())]
