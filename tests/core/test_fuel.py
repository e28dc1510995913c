"""What a look may cost: plenty while slots are short, little while requests are."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.core.fuel import FEWEST_LOOKS, LATE_IDLE_MOST_S, LOOKS, SHORT_LOOKS, Needs, day_is_short, wish

ONE_PAGE_S = 1.0
"""Twenty calls of 40 s, all on one page: half the time between two ends."""
ALONE_S = 20.0
"""The same where each call is looked at by itself: half a call's length."""
RICH = Needs(
    mean_s=40.0,
    slots=20,
    spread_s=ONE_PAGE_S,
    waiting=True,
    per_minute=6000,
    left_today=1_000_000,
    wanted=5000,
    day_s=12 * 3600,
)


def test_with_requests_to_spare_an_end_is_noticed_within_a_few_hundredths_of_a_call() -> None:
    found = wish(RICH)
    assert found.looks == ONE_PAGE_S / found.late_s < LOOKS
    assert not found.short
    assert 0.02 * RICH.mean_s < found.late_s < 0.05 * RICH.mean_s


def test_where_nobody_waits_for_a_slot_looks_are_saved() -> None:
    found = wish(replace(RICH, waiting=False))
    assert found.late_s == LATE_IDLE_MOST_S
    assert found.looks > LOOKS, "the last calls of a campaign are followed all the same"


@pytest.mark.parametrize("spread_s", [2 * ONE_PAGE_S, 4 * ONE_PAGE_S, ALONE_S])
def test_where_a_look_tells_less_more_of_them_are_worth_it_and_ends_are_noticed_later(spread_s: float) -> None:
    found = wish(replace(RICH, spread_s=spread_s))
    assert found.looks > wish(replace(RICH, spread_s=spread_s / 1.5)).looks
    assert found.late_s < spread_s / found.looks < RICH.mean_s / 8


@pytest.mark.parametrize("spread_s", [ONE_PAGE_S, 4 * ONE_PAGE_S, ALONE_S])
@pytest.mark.parametrize("per_minute", [30, 35, 40])
def test_where_the_minutes_requests_are_short_looks_take_what_creates_leave(spread_s: float, per_minute: int) -> None:
    found = wish(replace(RICH, spread_s=spread_s, per_minute=per_minute))
    held_s = RICH.mean_s + spread_s / found.looks
    assert RICH.slots / held_s * (1 + found.looks) * 60 == pytest.approx(per_minute)
    assert found.short


def test_where_the_minutes_requests_fill_no_more_than_half_the_slots_almost_all_go_into_creates() -> None:
    assert wish(replace(RICH, slots=100, per_minute=60)).looks == SHORT_LOOKS


def test_where_the_list_is_longer_than_the_days_requests_looks_take_as_few_as_the_hours_allow() -> None:
    short = replace(RICH, left_today=10_000, wanted=50_000, day_s=86_400)
    assert wish(short).looks == FEWEST_LOOKS
    tight = wish(replace(short, day_s=21_000)).looks
    assert FEWEST_LOOKS < tight < wish(RICH).looks
    in_an_hour = replace(short, day_s=3600)
    assert wish(in_an_hour) == wish(RICH), "the slots cannot use them up: they are what is short"
    assert [day_is_short(needs) for needs in (RICH, short, in_an_hour)] == [False, True, False]


def test_where_the_days_requests_reach_to_the_end_of_the_list_with_fewer_looks_just_so_many_are_saved() -> None:
    assert wish(replace(RICH, left_today=10_000, wanted=8_000)).looks == 0.25
    assert wish(replace(RICH, left_today=10_000, wanted=6_500)).looks == pytest.approx(10 / 6.5 - 1)


def test_the_days_last_calls_need_no_saving_where_the_list_ends_first() -> None:
    assert wish(replace(RICH, left_today=600, wanted=300)) == wish(RICH)


@given(
    st.floats(0.01, 1e4),
    st.integers(0, 10_000),
    st.floats(1e-6, 1e4),
    st.booleans(),
    st.floats(0.1, 1e6),
    st.integers(-20, 10**7),
    st.integers(0, 10**7),
    st.floats(-10, 86_400),
)
def test_whatever_a_campaign_has_some_look_is_allowed(
    mean_s: float, slots: int, spread_s: float, waiting: bool, per_minute: float, left: int, wanted: int, day_s: float
) -> None:
    found = wish(Needs(mean_s, slots, spread_s, waiting, per_minute, left, wanted, day_s))
    assert 0 < found.looks < inf
    assert 0 < found.late_s < inf
