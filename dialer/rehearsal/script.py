"""Numbers whose outcome is known in advance, and the odds for all others.

The scripted numbers are fictitious by the numbering plan (+1 212 555 01xx); the table is printed by
``dialer sandbox --script`` and stands in the README.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dialer.core.chance import chance
from dialer.core.wire import CallStatus


@dataclass(frozen=True, slots=True)
class Part:
    """How one call to a number goes: ``ends[i]`` is the outcome of the i-th call, the last one repeats."""

    ends: tuple[CallStatus, ...]
    meaning: str
    refuses: bool = False
    """The create is refused: ``invalid_phone_number``."""
    stuck: bool = False
    """The call never ends by itself."""
    odd_status: str = ""
    """A status the specification does not know, shown for the middle of the call."""
    late_details: bool = False
    """Length, cost and sentiment come a while after the end."""
    silent: bool = False
    """The create is carried out and never answered (once)."""
    storm: bool = False
    """The create is answered 500 and not carried out (once)."""


_S = CallStatus
SCRIPT: Final[dict[str, Part]] = {
    "+12125550100": Part((_S.COMPLETED,), "answers, talks, done"),
    "+12125550101": Part((_S.BUSY, _S.COMPLETED), "busy once, then answers"),
    "+12125550102": Part((_S.BUSY,), "always busy"),
    "+12125550103": Part((_S.NO_ANSWER, _S.COMPLETED), "no answer once, then answers"),
    "+12125550104": Part((_S.NO_ANSWER,), "never answers"),
    "+12125550105": Part((_S.VOICEMAIL,), "voicemail"),
    "+12125550106": Part((_S.FAILED,), "the call fails"),
    "+12125550107": Part((_S.COMPLETED,), "refused: invalid_phone_number", refuses=True),
    "+12125550108": Part((_S.COMPLETED,), "never hangs up; ends only when it is ended", stuck=True),
    "+12125550109": Part((_S.COMPLETED,), "shows the status 'transferring' half-way", odd_status="transferring"),
    "+12125550110": Part((_S.COMPLETED,), "length, cost and sentiment come late", late_details=True),
    "+12125550111": Part((_S.COMPLETED,), "the first create is placed but never answered", silent=True),
    "+12125550112": Part((_S.COMPLETED,), "the first create is answered 500 and not placed", storm=True),
    "+12125550113": Part((_S.FAILED, _S.COMPLETED), "fails once, then answers"),
    "+12125550114": Part((_S.BUSY, _S.NO_ANSWER, _S.COMPLETED), "busy, then no answer, then answers"),
}

ODDS: Final[tuple[tuple[float, CallStatus], ...]] = (
    (0.58, _S.COMPLETED),
    (0.72, _S.VOICEMAIL),
    (0.88, _S.NO_ANSWER),
    (0.97, _S.BUSY),
    (1.00, _S.FAILED),
)
"""Cumulative odds of numbers without a part."""

MISSING_AGENT: Final = "agent_missing"
SLEEPY_AGENT: Final = "agent_sleepy"
SLEEPS_S: Final = 60.0
"""How long ``agent_sleepy`` is not ready after it was first asked for; ``--speed`` shortens it."""
FORBIDDEN_KEYS: Final = {"wrong-key": 401, "forbidden-key": 403}
"""Keys the sandbox does not accept. Any other is fine."""


def outcome(seed: object, phone: str, nth: int) -> CallStatus:
    """How the ``nth`` call (from 0) to ``phone`` ends."""
    part = SCRIPT.get(phone)
    if part is not None:
        return part.ends[min(nth, len(part.ends) - 1)]
    draw = chance(seed, phone, nth, "outcome")
    return next(status for limit, status in ODDS if draw < limit)


def table() -> str:
    """The scripted numbers as a table of text."""
    lines = [f"{phone}  {part.meaning}" for phone, part in SCRIPT.items()]
    lines += [
        f"{MISSING_AGENT:<12}  refused: agent_not_found",
        f"{SLEEPY_AGENT:<12}  refused: agent_not_ready, for {SLEEPS_S:g} s of its time after it was first asked for",
        *(f"{key:<13} as API key: HTTP {status}" for key, status in FORBIDDEN_KEYS.items()),
    ]
    return "\n".join(lines)
