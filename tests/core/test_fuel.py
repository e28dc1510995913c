"""What a look may cost: plenty while slots are short, little while requests are."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from dialer.core.fuel import FEWEST_LOOKS, LATE_IDLE_MOST_S, LOOKS, LOOKS_ALONE, SHORT_LOOKS, Needs, wish

RICH = Needs(
    mean_s=40.0,
    slots=20,
    listed=True,
    waiting=True,
    per_minute=6000,
    left_today=1_000_000,
    wanted=5000,
    day_s=12 * 3600,
)


def test_with_requests_to_spare_an_end_is_noticed_within_a_few_hundredths_of_a_call() -> None:
    found = wish(RICH)
    assert found.looks == LOOKS
    assert 0.02 * RICH.mean_s < found.late_s < 0.05 * RICH.mean_s


def test_where_nobody_waits_for_a_slot_looks_are_saved() -> None:
    found = wish(replace(RICH, waiting=False))
    assert found.late_s == LATE_IDLE_MOST_S
    assert found.looks > LOOKS, "the last calls of a campaign are followed all the same"


def test_with_few_slots_a_look_tells_less_and_more_of_them_are_allowed() -> None:
    assert wish(replace(RICH, slots=5)).looks == 2 * LOOKS


def test_where_the_list_cannot_be_used_each_call_may_be_looked_at_as_often_as_requests_allow() -> None:
    assert wish(replace(RICH, listed=False)).looks == LOOKS_ALONE
    assert wish(replace(RICH, listed=False, per_minute=60)).looks == 1.0


def test_where_the_minutes_requests_fill_no_more_than_half_the_slots_almost_all_go_into_creates() -> None:
    assert wish(replace(RICH, slots=100, per_minute=60)).looks == SHORT_LOOKS


def test_where_the_minutes_requests_just_suffice_looks_take_what_creates_leave() -> None:
    assert SHORT_LOOKS < wish(replace(RICH, per_minute=40)).looks < LOOKS


def test_where_the_list_is_longer_than_the_days_requests_looks_take_as_few_as_the_hours_allow() -> None:
    short = replace(RICH, left_today=10_000, wanted=50_000, day_s=86_400)
    assert wish(short).looks == FEWEST_LOOKS
    tight = wish(replace(short, day_s=21_000)).looks
    assert FEWEST_LOOKS < tight < LOOKS
    assert wish(replace(short, day_s=3600)).looks == LOOKS, "the slots cannot use them up: they are what is short"


def test_where_the_days_requests_reach_to_the_end_of_the_list_with_fewer_looks_just_so_many_are_saved() -> None:
    assert wish(replace(RICH, left_today=10_000, wanted=8_000)).looks == 0.25
    assert wish(replace(RICH, left_today=10_000, wanted=5_500)).looks > 0.8


def test_the_days_last_calls_need_no_saving_where_the_list_ends_first() -> None:
    assert wish(replace(RICH, left_today=600, wanted=300)).looks == LOOKS


@given(
    st.floats(0.01, 1e4),
    st.integers(0, 10_000),
    st.booleans(),
    st.booleans(),
    st.floats(0.1, 1e6),
    st.integers(-20, 10**7),
    st.integers(0, 10**7),
    st.floats(-10, 86_400),
)
def test_whatever_a_campaign_has_some_look_is_allowed(
    mean_s: float, slots: int, listed: bool, waiting: bool, per_minute: float, left: int, wanted: int, day_s: float
) -> None:
    found = wish(Needs(mean_s, slots, listed, waiting, per_minute, left, wanted, day_s))
    assert 0 < found.looks < inf
    assert 0 < found.late_s < inf
