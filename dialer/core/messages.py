"""What the switchboard and the world tell each other: facts go in, changes and orders come out.

All frozen. A fact happened; a change is to be remembered, and each class is one legal change, complete; an order is to
be carried out, and only after the changes it came with are durable. All times are UTC seconds of this machine's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dialer.core.errors import ApiError
from dialer.core.lifecycle import Attempt, AttemptState, Disposition, Lead, LeadState, Number

if TYPE_CHECKING:  # whoever only reads the ledger need not wait for models of the wire
    from dialer.core.wire import Call, CallPage

# --- facts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """A create was answered with a call. ``known``: its id is in the ledger already, which proves no new call."""

    attempt: str
    call: Call
    known: bool = False


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """A create was not answered with a call; ``error`` says which kind of no, or silence, it was."""

    attempt: str
    error: ApiError


@dataclass(frozen=True, slots=True)
class CallSeen:
    """A single look, or an end, showed this call."""

    call: Call
    asked_at: float


@dataclass(frozen=True, slots=True)
class Stranger:
    """A call in the list to one of our contacts that no attempt in the ledger holds."""

    call: Call
    lead: Lead


@dataclass(frozen=True, slots=True)
class PageSeen:
    """A page of the list of calls. ``bound`` are the ids on it that attempts in the ledger already hold.

    ``asked_page`` is the number that was asked for, which an API may not heed.
    """

    page: CallPage
    asked_at: float
    scan: int | None = None
    bound: frozenset[str] = frozenset()
    strangers: tuple[Stranger, ...] = ()
    asked_page: int = 1


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """An order other than a create brought nothing."""

    order: Look | LookAtPage | Reconcile | HangUp
    error: ApiError


@dataclass(frozen=True, slots=True)
class ServerClock:
    """The API's clock minus ours lies between ``low_s`` and ``high_s``."""

    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class HoldWished:
    """The API's limit headers ask for silence: no request before ``until``."""

    until: float


@dataclass(frozen=True, slots=True)
class ClockSet:
    """This machine's wall clock was set: it shows ``by_s`` more (or less) than the time that has passed explains."""

    by_s: float


@dataclass(frozen=True, slots=True)
class AllowanceTold:
    """The API says how many requests are left, and when (UTC seconds) they are counted anew."""

    left: float
    reset_at: float


Fact = (
    Accepted | NotAccepted | CallSeen | PageSeen | RequestFailed | ServerClock | HoldWished | AllowanceTold | ClockSet
)

# --- orders -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Create this call now. ``intended_at`` bounds how stale the order may get before it must not be carried out."""

    attempt: str
    agent_id: str
    phone: str
    first_name: str | None
    last_name: str | None
    metadata: dict[str, Any]
    intended_at: float


@dataclass(frozen=True, slots=True)
class Look:
    """Get one call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class LookAtPage:
    """List our outbound calls, newest first as far as is known."""

    page: int


@dataclass(frozen=True, slots=True)
class Reconcile:
    """One page of a complete scan of one agent's calls between two moments (UTC seconds of the API's clock)."""

    scan: int
    agent_id: str | None
    from_at: float
    to_at: float
    page: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a call that has outlived its longest time."""

    call_id: str


Order = Place | Look | LookAtPage | Reconcile | HangUp

# --- changes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Intend:
    """An attempt begins: lead ``due -> dialing``, attempt ``-> intended``, one more charged."""

    key: str
    lead: Lead
    agent_id: str
    at: float
    skew_low_s: float | None = None
    skew_high_s: float | None = None


@dataclass(frozen=True, slots=True)
class MarkPlaced:
    """``intended | uncertain -> placed``. ``found`` says that the list told, not the create's answer."""

    attempt: Attempt
    call_id: str
    status: str
    created_at: float | None
    at: float
    found: bool = False


@dataclass(frozen=True, slots=True)
class MarkVoid:
    """``intended | uncertain -> void``: no phone rang. The lead goes to ``lead_state`` and one charge is taken back.

    ``goes_on_to`` is the lead's number from now on, where the one that was refused is no number.
    """

    attempt: Attempt
    lead_state: LeadState
    due_at: float | None
    code: str
    reason: str
    at: float
    disposition: Disposition | None = None
    goes_on_to: Number | None = None


@dataclass(frozen=True, slots=True)
class MarkUncertain:
    """``intended -> uncertain``: a phone may be ringing."""

    attempt: Attempt
    gave_up_at: float
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class MarkDoubted:
    """``placed -> uncertain``: the id that the API gave leads nowhere, or to another number. It is let go."""

    attempt: Attempt
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class MarkEnded:
    """``placed -> ended``, and where the lead goes from ``dialing``."""

    attempt: Attempt
    call: Call
    disposition: Disposition
    lead_state: LeadState
    due_at: float | None
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class MarkLost:
    """``uncertain | placed -> lost``: the lead becomes ``unresolved``, the attempt stays charged."""

    attempt: Attempt
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class MarkUnresolved:
    """Lead ``dialing -> unresolved`` while its attempt stays ``uncertain``: nothing may happen to its number."""

    attempt: Attempt
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Settle:
    """A person says that a phone did ring: lead ``unresolved -> exhausted``, its attempt ``-> lost``."""

    attempt: Attempt
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Amend:
    """An ended call showed more (cost, length, sentiment), or the API corrected how it ended.

    ``lead_state`` is None where the lead stays what it is.
    """

    attempt: Attempt
    call: Call
    at: float
    lead_state: LeadState | None = None


@dataclass(frozen=True, slots=True)
class Postpone:
    """All due leads of this zone wait until its calling hours open."""

    zone: str | None
    until: float
    at: float


@dataclass(frozen=True, slots=True)
class PostponeLead:
    """One due lead waits; its number is busy in another campaign."""

    lead: Lead
    until: float
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Spend:
    """Requests about to leave, for the day's quota."""

    requests: int
    at: float


@dataclass(frozen=True, slots=True)
class Learn:
    """What was learnt of the account under a topic, in place of what was known."""

    topic: str
    data: dict[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk over the list begins, since a moment of our clock; or (None) it is over, and what it met is settled."""

    since: float | None
    at: float


@dataclass(frozen=True, slots=True)
class Note:
    """Something the journal should keep: an anomaly, a hold, a scan."""

    kind: str
    at: float
    data: dict[str, Any] = field(default_factory=dict)
    attempt: Attempt | None = None


Change = (
    Intend
    | MarkPlaced
    | MarkVoid
    | MarkUncertain
    | MarkDoubted
    | MarkEnded
    | MarkLost
    | MarkUnresolved
    | Settle
    | Amend
    | Postpone
    | PostponeLead
    | Spend
    | Learn
    | Walk
    | Note
)

# --- at start -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """What the ledger remembers of a campaign when a runner starts."""

    open_attempts: tuple[Attempt, ...] = ()
    counts: dict[LeadState, int] = field(default_factory=dict)
    requests_today: int = 0
    cost: float = 0.0
    costed_calls: int = 0
    began_at: float | None = None
    """When the ledger first heard of the campaign."""
    active_at: float | None = None
    """When the ledger last heard of one of its attempts; None before the first."""
    active_skew_s: float | None = None
    """How far the API's clock was ahead of ours then, at least; None where nothing was known."""
    walking_since: float | None = None
    """Since when the list is walked over, where an earlier runner did not get to the end of it."""
    lengths: dict[str, Any] = field(default_factory=dict)
    """What earlier runs have learnt of the lengths of this account's calls."""

    def __post_init__(self) -> None:
        assert all(attempt.state is not AttemptState.INTENDED for attempt in self.open_attempts)
