"""What may be spent, the calls still talking included."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dialer.core.caps import Purse


def test_without_a_limit_everybody_is_called_whatever_it_costs() -> None:
    assert Purse(None, spent=1e9, costed_calls=1).allows(100_000)


def test_before_any_call_told_its_cost_a_call_is_expected_to_cost_nothing() -> None:
    purse = Purse(10.0)
    assert purse.expected() == 0.0
    assert purse.allows(50)


def test_calls_still_talking_are_counted_at_what_calls_cost_so_far() -> None:
    purse = Purse(10.0)
    purse.pay(1.0)
    purse.pay(3.0)
    assert purse.expected() == 2.0
    assert purse.allows(2)  # 4 spent, 2 talking, 1 more: 10
    assert not purse.allows(3)


def test_a_call_that_tells_no_cost_changes_nothing_and_a_free_one_does() -> None:
    purse = Purse(10.0, spent=4.0, costed_calls=1)
    purse.pay(None)
    assert (purse.spent, purse.costed_calls) == (4.0, 1)
    purse.pay(0.0)
    assert purse.expected() == 2.0


def test_a_spent_purse_calls_nobody() -> None:
    assert not Purse(10.0, spent=10.0, costed_calls=5).allows(0)
    assert Purse(10.0, spent=8.0, costed_calls=4).allows(0)


def test_a_limit_reached_to_the_cent_is_not_passed() -> None:
    purse = Purse(3.0)
    called = 0
    while purse.allows(0):
        purse.pay(1.0)
        called += 1
    assert called == 3
    assert purse.spent == 3.0


@given(st.floats(0.5, 100), st.floats(0.01, 5), st.integers(1, 40))
def test_with_calls_that_cost_the_same_nobodys_call_goes_over_the_limit(limit: float, each: float, lines: int) -> None:
    purse = Purse(limit)
    purse.pay(each)
    live = 0
    for _ in range(300):
        if live < lines and purse.allows(live):
            live += 1
        elif live:
            live -= 1
            purse.pay(each)
        else:
            break
    assert purse.spent <= max(limit, each) + 1e-6
