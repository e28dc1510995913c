"""States of a lead and of an attempt, and the legal steps between them: the law, as tables.

The ledger repeats this law in SQL (CHECK constraints and guarded updates); ``tests/core/test_lifecycle.py`` draws the
diagrams of the README from these tables and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple


class LeadState(StrEnum):
    """Where a contact stands in one campaign."""

    QUEUED = "queued"
    """Not called yet."""
    DIALING = "dialing"
    """An attempt is open: a phone may be ringing."""
    WAITING = "waiting"
    """In the retry queue; the disposition says which."""
    REACHED = "reached"
    EXHAUSTED = "exhausted"
    """Called, not reached, and no further attempt is due."""
    REJECTED = "rejected"
    """The API refused the number or the request."""
    UNRESOLVED = "unresolved"
    """A phone may have rung, and nothing tells. A person decides."""
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"


class AttemptState(StrEnum):
    """How far one try to reach a lead has come."""

    INTENDED = "intended"
    """Durably written; the create may or may not have left."""
    PLACED = "placed"
    """The API gave the call an id."""
    ENDED = "ended"
    VOID = "void"
    """Refused, or proven never sent or absent: no phone rang, not charged."""
    UNCERTAIN = "uncertain"
    """No answer came; the list decides."""
    LOST = "lost"
    """A phone may have rung, and how it went will not be known. Charged."""


_L, _A = LeadState, AttemptState

LEAD_STEPS: Final[Mapping[LeadState, frozenset[LeadState]]] = {
    _L.QUEUED: frozenset({_L.DIALING, _L.SUPPRESSED, _L.CANCELLED}),
    _L.DIALING: frozenset({_L.REACHED, _L.EXHAUSTED, _L.REJECTED, _L.UNRESOLVED, _L.WAITING, _L.QUEUED}),
    _L.WAITING: frozenset({_L.DIALING, _L.REACHED, _L.EXHAUSTED, _L.SUPPRESSED, _L.CANCELLED}),
    _L.UNRESOLVED: frozenset({_L.DIALING, _L.WAITING, _L.QUEUED, _L.EXHAUSTED, _L.SUPPRESSED, _L.CANCELLED}),
    _L.REACHED: frozenset(),
    _L.EXHAUSTED: frozenset(),
    _L.REJECTED: frozenset(),
    _L.SUPPRESSED: frozenset(),
    _L.CANCELLED: frozenset({_L.QUEUED, _L.WAITING}),
}
"""``waiting -> reached``: the API corrected how the last call ended. ``unresolved -> dialing``: the call was found
after all. ``cancelled -> queued``: the row is back in the list."""

ATTEMPT_STEPS: Final[Mapping[AttemptState, frozenset[AttemptState]]] = {
    _A.INTENDED: frozenset({_A.PLACED, _A.VOID, _A.UNCERTAIN}),
    _A.UNCERTAIN: frozenset({_A.PLACED, _A.VOID, _A.LOST}),
    _A.PLACED: frozenset({_A.ENDED, _A.LOST, _A.UNCERTAIN}),
    _A.ENDED: frozenset(),
    _A.VOID: frozenset(),
    _A.LOST: frozenset(),
}
"""``placed -> lost``: the API never told a final status. ``placed -> uncertain``: the call under the id that the API
gave is unknown to it, or is another number's; which call it really was, the list decides."""

OPEN_ATTEMPTS: Final = frozenset(state for state, steps in ATTEMPT_STEPS.items() if steps)
"""While an attempt is in one of these, nothing else may happen to its number."""
CHARGED_ATTEMPTS: Final = frozenset(_A) - {_A.VOID}
"""A phone may have rung."""
DUE_LEADS: Final = frozenset({_L.QUEUED, _L.WAITING})
"""Leads that a runner may call when their time comes."""
OPEN_LEADS: Final = DUE_LEADS | {_L.DIALING}
"""Leads that are still to be called, or on the line."""
SETTLED_LEADS: Final = frozenset(_L) - OPEN_LEADS
"""Leads a runner has nothing to do for."""


class Disposition(StrEnum):
    """How an attempt ended, in the words of reports and retry queues."""

    COMPLETED = "completed"
    VOICEMAIL = "voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"
    INVALID = "invalid"
    """The API says the number, or the request for it, cannot be called."""
    UNKNOWN = "unknown"
    """A phone may have rung; how it went is not known."""


class IllegalStep(AssertionError):
    """The program tried a step the law does not know: our bug, caught before it was written."""


def check_lead_step(before: LeadState, after: LeadState) -> None:
    """Raise :class:`IllegalStep` unless a lead may go from ``before`` to ``after``."""
    if after not in LEAD_STEPS[before]:
        raise IllegalStep(f"lead: {before} -> {after}")


def check_attempt_step(before: AttemptState, after: AttemptState) -> None:
    """Raise :class:`IllegalStep` unless an attempt may go from ``before`` to ``after``."""
    if after not in ATTEMPT_STEPS[before]:
        raise IllegalStep(f"attempt: {before} -> {after}")


def state_after_void(attempts: int) -> LeadState:
    """Where a lead goes back to when its attempt proved void and ``attempts`` charged ones remain."""
    return LeadState.WAITING if attempts else LeadState.QUEUED


class Number(NamedTuple):
    """A number that a list has for a person beside the first, and the zones of its clock."""

    phone: str
    """E.164."""
    zone: str | None


@dataclass(frozen=True, slots=True)
class Lead:
    """One contact's standing in one campaign, as the ledger hands it out. Times are UTC seconds."""

    id: int
    phone: str
    """E.164."""
    state: LeadState
    due_at: float
    attempts: int = 0
    """Charged attempts so far."""
    submissions: int = 0
    """Attempts so far, void ones too: numbers the next one."""
    disposition: Disposition | None = None
    zone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further columns of the list (text, or nested JSON); they travel as the call's metadata."""
    agent_id: str | None = None
    """The agent whom the list wishes to call; None: any."""
    further: tuple[Number, ...] = ()
    """Numbers to go on to where the API says that this one is none; no other contact of the campaign has them."""
    blocked: bool = False
    """Another campaign has an open attempt at this number."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to reach a lead, as the ledger hands out the open ones. Times are UTC seconds of this machine."""

    key: str
    """Unique in the ledger, and sent along with the create."""
    lead: Lead
    agent_id: str
    state: AttemptState
    intended_at: float
    gave_up_at: float | None = None
    """When the answer was no longer awaited; set with ``uncertain``."""
    call_id: str | None = None
    placed_at: float | None = None
    status: str = ""
    shadowed: bool = False
    """The list showed a second call that may be ours too: this number rests until that one must have ended."""
    skew_low_s: float | None = None
    skew_high_s: float | None = None
    """The API's clock minus ours when it was intended, at least and at most; None where nothing was known."""
    elsewhere: bool = False
    """Made with another key or address than this runner has: this account's list proves nothing about it."""

    @property
    def was_accepted(self) -> bool:
        """Whether the API once said that it placed this call: then no list can prove that no phone rang."""
        return self.placed_at is not None
