"""The compact table says what a dict would say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dialer.intake.seen import Seen, of_key, of_phone


@given(st.lists(st.integers(min_value=1, max_value=40) | st.integers(min_value=1, max_value=2**64 - 1), max_size=80))
def test_the_first_place_of_a_number_is_remembered_and_no_other_is_taken_for_it(values: list[int]) -> None:
    seen, known = Seen(), dict[int, tuple[int, int]]()
    for row, value in enumerate(values, 2):
        assert seen.first(value) == known.get(value)
        assert (value in seen) == (value in known)
        if value not in known:
            known[value] = (row % 7, row)
            seen.add(value, *known[value])
    assert len(seen) == len(known)


def test_it_grows_without_forgetting_anybody_and_takes_few_bytes_for_each() -> None:
    seen = Seen()
    for index in range(20_000):
        seen.add(of_phone(f"+1212{index:07d}"), 3, index)
    assert all(seen.first(12_120_000_000 + index) == (3, index) for index in range(20_000))
    assert seen.first(of_phone("+13120000000")) is None
    assert seen._slots.buffer_info()[1] * 16 < 20_000 * 32


def test_a_key_is_a_number_that_depends_on_all_of_it() -> None:
    assert of_key("customer 1") != of_key("customer 2")
    assert 0 < of_key("") < 2**64
