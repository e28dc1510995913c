"""Who is called again, and when."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.core.lifecycle import Disposition, LeadState
from dialer.core.retry import JITTER, RetryPolicy, after_attempt

BUSY, NO_ANSWER = Disposition.BUSY, Disposition.NO_ANSWER
NOW = 1_790_000_000.0
POLICY = RetryPolicy(
    max_attempts=5,
    waits=MappingProxyType({BUSY: (900.0, 1800.0, 3600.0), NO_ANSWER: (14_400.0,), Disposition.VOICEMAIL: ()}),
)


@pytest.mark.parametrize(("attempts", "wait_s"), [(1, 900.0), (2, 1800.0), (3, 3600.0), (4, 3600.0)])
def test_a_busy_line_is_called_again_after_its_wait_and_the_last_wait_repeats(attempts: int, wait_s: float) -> None:
    verdict = after_attempt(POLICY, BUSY, attempts, NOW, "spring", "+12125550100")
    assert verdict.state is LeadState.WAITING
    assert verdict.due_at is not None
    assert NOW + wait_s <= verdict.due_at <= NOW + wait_s * (1 + JITTER)
    assert verdict.reason == f"busy, retry {attempts + 1} of 5"


def test_all_outcomes_together_use_up_the_attempts() -> None:
    for disposition in (BUSY, NO_ANSWER):
        verdict = after_attempt(POLICY, disposition, 5, NOW, "spring", "+12125550100")
        assert (verdict.state, verdict.due_at) == (LeadState.EXHAUSTED, None)
        assert verdict.reason == f"{disposition}, all 5 attempts used"


def test_whoever_was_spoken_to_is_never_called_again() -> None:
    policy = RetryPolicy(5, {Disposition.COMPLETED: (1.0,)})
    verdict = after_attempt(policy, Disposition.COMPLETED, 1, NOW)
    assert (verdict.state, verdict.due_at) == (LeadState.REACHED, None)


def test_whoever_was_reached_at_the_last_attempt_is_reached() -> None:
    assert after_attempt(POLICY, Disposition.COMPLETED, 5, NOW).state is LeadState.REACHED


@pytest.mark.parametrize("disposition", [Disposition.VOICEMAIL, Disposition.FAILED, Disposition.UNKNOWN])
def test_an_outcome_without_waits_is_never_called_again(disposition: Disposition) -> None:
    verdict = after_attempt(POLICY, disposition, 1, NOW)
    assert (verdict.state, verdict.due_at) == (LeadState.EXHAUSTED, None)
    assert verdict.reason == f"no retry after {disposition}"


def test_without_any_policy_everybody_is_called_once() -> None:
    assert after_attempt(RetryPolicy(), BUSY, 1, NOW).state is LeadState.EXHAUSTED


@given(
    st.sampled_from([BUSY, NO_ANSWER]),
    st.integers(0, 4),
    st.floats(0, 4e9),
    st.lists(st.floats(0, 1e6), min_size=1, max_size=4),
    st.text(),
)
def test_nobody_is_called_before_the_promised_time_nor_long_after(
    disposition: Disposition, attempts: int, now: float, waits: list[float], phone: str
) -> None:
    verdict = after_attempt(RetryPolicy(5, {disposition: tuple(waits)}), disposition, attempts, now, "spring", phone)
    wait_s = waits[min(max(attempts, 1), len(waits)) - 1]
    assert verdict.due_at is not None
    assert now + wait_s <= verdict.due_at <= now + wait_s * (1 + JITTER) + 1e-6
    assert JITTER <= 0.1


def test_a_restart_changes_nobodys_time() -> None:
    first = after_attempt(POLICY, BUSY, 1, NOW, "spring", "+12125550100")
    assert after_attempt(POLICY, BUSY, 1, NOW, "spring", "+12125550100") == first


def test_people_called_at_the_same_moment_are_not_all_called_again_at_the_same_moment() -> None:
    times = {after_attempt(POLICY, BUSY, 1, NOW, "spring", f"+1212555{n:04d}").due_at for n in range(500)}
    assert len(times) == 500
    waits = [time - NOW for time in times if time is not None]
    assert min(waits) < 910
    assert max(waits) > 980


def test_each_retry_of_one_person_and_each_campaign_has_its_own_jitter() -> None:
    policy = RetryPolicy(9, {BUSY: (1000.0,)})
    times = {after_attempt(policy, BUSY, n, NOW, name, "+12125550100").due_at for n in range(1, 9) for name in "ab"}
    assert len(times) == 16
