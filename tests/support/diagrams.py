"""The two state diagrams of the README, drawn from the tables of the law as mermaid text."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from dialer.core.lifecycle import ATTEMPT_STEPS, LEAD_STEPS, AttemptState, LeadState

_State = TypeVar("_State", bound=StrEnum)


def lead_diagram() -> str:
    """The states of a contact, without the fence around it and without a newline at its end."""
    return _drawn(LEAD_STEPS, LeadState.QUEUED)


def attempt_diagram() -> str:
    """The states of one try, in the same form."""
    return _drawn(ATTEMPT_STEPS, AttemptState.INTENDED)


def fenced(diagram: str) -> str:
    """As it stands in the README."""
    return f"```mermaid\n{diagram}\n```"


def _drawn(steps: Mapping[_State, frozenset[_State]], first: _State) -> str:
    order = list(type(first))
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    for before in order:
        lines += [f"    {before} --> {after}" for after in order if after in steps[before]]
    lines += [f"    {state} --> [*]" for state in order if not steps[state]]
    return "\n".join(lines)
