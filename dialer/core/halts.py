"""Why a campaign places no further calls, in one line that says what to do."""

from __future__ import annotations

from dataclasses import dataclass

from dialer.core.errors import AGENT_NOT_FOUND, UNAUTHORIZED, ApiError, ExitCode


@dataclass(frozen=True, slots=True)
class Halt:
    """``abandon``: live calls cannot be followed either; the next run finds them."""

    reason: str
    exit_code: ExitCode
    abandon: bool = False


def halt_for(error: ApiError, agent_id: str | None) -> Halt:
    """The halt that an error of the remedy "mend the campaign" brings."""
    if error.code == AGENT_NOT_FOUND:
        said = f"the API knows no agent '{agent_id}' ({error}); mend 'agents' in the campaign file and run again"
        return Halt(said, ExitCode.USER)
    what, remedy = "the API does not answer at this address as documented", "check api.base_url"
    if error.code in {UNAUTHORIZED, "forbidden"}:
        what, remedy = "the API does not accept the key", "check SMARTALEX_API_KEY"
    return Halt(f"{what} ({error}); {remedy} and run again, nothing is lost", ExitCode.USER, abandon=True)


def wrong_answer(call_id: str) -> Halt:
    """The API answered a create with a call to another phone or by another agent."""
    said = f"the API answered for another phone or agent than was asked (call {call_id})"
    return Halt(f"{said}; no further call is placed until that is understood", ExitCode.WORK_LEFT)


def too_many_invalid(count: int, error: ApiError) -> Halt:
    """So many requests refused as invalid in a row are the campaign's fault, not the contacts'."""
    said = f"the API refused {count} requests in a row as invalid: {error}"
    return Halt(f"{said}; look at the campaign's agents and metadata columns", ExitCode.USER)


def money_spent(limit: float) -> Halt:
    """The campaign may not spend more."""
    said = f"what the campaign may spend is spent (limits.max_cost = {limit:g})"
    return Halt(f"{said}; raise it and run again to go on", ExitCode.WORK_LEFT)


def only_blocked(count: int) -> Halt:
    """All that is left to call are numbers at which another campaign has an open call."""
    said = f"{count} numbers left to call have an open call of another campaign of this ledger"
    return Halt(f"{said}; go on with that one first", ExitCode.WORK_LEFT)


def clocks_differ(off_s: float | None) -> Halt:
    """This machine's clock and the API's disagree, and neither came round."""
    said = "this machine's clock was set, and no answer of the API confirms it"
    if off_s is not None:
        said = f"this machine's clock and the API's differ by {off_s:+.0f} s (API minus machine)"
    return Halt(f"{said}; calling hours go by it: set the clock, or widen api.clock_tolerance", ExitCode.WORK_LEFT)


def somebody_else_dials(count: int) -> Halt:
    """The list shows fresh calls to our contacts by our agents that this ledger knows nothing of."""
    calls = "1 call" if count == 1 else f"{count} calls"
    said = (
        f"{calls} to people of this list, made in the last minutes by the campaign's own agents, are not this ledger's"
    )
    return Halt(
        f"{said}: another runner with another ledger, or a ledger restored from a copy. They are counted now. See that "
        "nobody else dials this list, then run again",
        ExitCode.WORK_LEFT,
    )


def disk_full() -> Halt:
    """Nothing more can be written: what happened is, and no call is placed without that."""
    return Halt(
        "the disk is full: what happened is written down, and no further call is placed; free some space and run again",
        ExitCode.USER,
        abandon=True,
    )
