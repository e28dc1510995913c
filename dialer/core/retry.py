"""Whether and when a lead is called again. Pure: the disposition and the charged attempts decide, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from dialer.core.chance import stretched
from dialer.core.lifecycle import Disposition, LeadState

JITTER = 0.1
"""Waits grow by up to this share, so that a thousand people who did not answer at nine are not all called at one."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``waits[d]``: seconds before the 2nd, 3rd, ... attempt after disposition ``d``; the last one repeats."""

    max_attempts: int = 3
    waits: Mapping[Disposition, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    on_uncertain: Literal["hold", "retry_absent"] = "hold"
    horizon_s: float = 1800.0
    scans: int = 3
    scan_gap_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a lead goes after an attempt. ``due_at`` is set where that is ``waiting``."""

    state: LeadState
    due_at: float | None
    reason: str


def after_attempt(policy: RetryPolicy, disposition: Disposition, attempts: int, now: float, *seed: object) -> Verdict:
    """The verdict after the ``attempts``-th charged attempt ended at ``now`` with ``disposition``.

    ``seed`` names campaign and contact: with the number of attempts it fixes the jitter for ever.
    """
    if disposition is Disposition.COMPLETED:
        return Verdict(LeadState.REACHED, None, "")
    waits = policy.waits.get(disposition, ())
    if not waits:
        return Verdict(LeadState.EXHAUSTED, None, f"no retry after {disposition}")
    if attempts >= policy.max_attempts:
        return Verdict(LeadState.EXHAUSTED, None, f"{disposition}, all {policy.max_attempts} attempts used")
    wait_s = waits[min(max(attempts, 1), len(waits)) - 1]
    due_at = now + stretched(wait_s, JITTER, *seed, attempts)
    return Verdict(LeadState.WAITING, due_at, f"{disposition}, retry {attempts + 1} of {policy.max_attempts}")
