"""Intervals: the published examples to the digit, and the truth as often inside as is said."""

from __future__ import annotations

from random import Random
from statistics import fmean, variance

import pytest

from dialer.reports.intervals import Sample, Share, difference, newcombe, t_quantile, trials_needed, wilson

WORKED = [
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.6791, 1.0)),
    ((10, 10), (0, 10), (0.6075, 1.0)),
]
"""Newcombe, Interval estimation for the difference between independent proportions (1998), table II, method 10."""


@pytest.mark.parametrize(("one", "other", "bounds"), WORKED)
def test_the_difference_of_two_shares_is_as_published(
    one: tuple[int, int], other: tuple[int, int], bounds: tuple[float, float]
) -> None:
    found = newcombe(Share(*one), Share(*other))
    assert found == pytest.approx(bounds, abs=5e-5)
    low, high = newcombe(Share(*other), Share(*one))
    assert (low, high) == pytest.approx((-bounds[1], -bounds[0]), abs=5e-5)


def test_a_single_share_is_as_published() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(0, 0) == (None, None)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.30265), (5, 2.57058), (10.0, 2.22814), (30, 2.04227), (1e7, 1.95996)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: float, quantile: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, rel=1e-5)


def _mean_of(values: list[float]) -> Sample:
    n = len(values)
    return Sample(n, n, sum(values), n, sum(value * value for value in values), sum(values))


def test_the_difference_of_two_means_is_welchs() -> None:
    one = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
    other = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.5, 24.4]
    one_part, other_part = variance(one) / len(one), variance(other) / len(other)
    freedom = (one_part + other_part) ** 2 / (one_part**2 / 14 + other_part**2 / 14)
    half = t_quantile(0.975, freedom) * (one_part + other_part) ** 0.5
    gap = fmean(one) - fmean(other)
    assert difference(_mean_of(one), _mean_of(other)) == pytest.approx((gap - half, gap + half))


def test_nothing_is_said_where_there_is_nothing_to_go_by() -> None:
    assert newcombe(Share(0, 0), Share(1, 2)) == (None, None)
    assert difference(Sample(), _mean_of([1.0, 2.0])) == (None, None)
    assert difference(_mean_of([1.0]), _mean_of([1.0, 2.0])) == (None, None)


def test_no_spread_is_no_certainty() -> None:
    assert difference(_mean_of([2.0, 2.0]), _mean_of([1.0, 1.0])) == (None, None)
    assert difference(_mean_of([2.0, 2.0]), _mean_of([1.0, 1.5])) == (None, None)
    assert difference(_mean_of([2.0, 2.0]), _mean_of([2.0, 2.0])) == (0.0, 0.0)
    one_caller = Sample(9, 1, 60.0, 1, 3600.0, 60.0)  # nine people, one of whom talked for a minute
    assert difference(one_caller, Sample(9, 1, 30.0, 1, 900.0, 30.0)) == (None, None)


def test_calls_to_one_person_tell_no_more_than_the_person() -> None:
    alike = Sample(10, 40, 20, 160, 80, 80)  # ten people, four calls each: all answered or none
    assert alike.inflation() == pytest.approx(4.0, rel=0.15)
    alone = Sample(40, 40, 20, 40, 20, 20)
    assert alone.inflation() == pytest.approx(1.0, abs=0.05)
    never = Sample(10, 40, 0, 160, 0, 0)
    assert never.inflation() == 4.0


def test_five_points_around_a_third_need_some_fourteen_hundred_calls_each() -> None:
    assert trials_needed(0.33, 0.05) == pytest.approx(1389, abs=5)


def _clustered(chance: Random, share: float, people: int) -> Sample:
    """People who answer more or less often, each called once to three times."""
    x = y = xx = yy = xy = 0
    for _ in range(people):
        calls, own = chance.randint(1, 3), chance.betavariate(share * 2, (1 - share) * 2)
        hits = sum(chance.random() < own for _ in range(calls))
        x, y, xx, yy, xy = x + calls, y + hits, xx + calls * calls, yy + hits * hits, xy + hits * calls
    return Sample(people, x, y, xx, yy, xy)


def test_the_truth_is_inside_as_often_as_is_said() -> None:
    chance, truth, rounds = Random(20_261_124), 0.3 - 0.2, 400
    inside = plain = 0
    for _ in range(rounds):
        one, other = _clustered(chance, 0.3, 60), _clustered(chance, 0.2, 80)
        low, high = newcombe(Share(one.y, one.x, one.inflation()), Share(other.y, other.x, other.inflation()))
        assert low is not None
        assert high is not None
        inside += low <= truth <= high
        low, high = newcombe(Share(one.y, one.x), Share(other.y, other.x))
        assert low is not None
        assert high is not None
        plain += low <= truth <= high
    assert 0.92 <= inside / rounds <= 0.98
    assert plain < inside  # as if calls to one person were independent: too sure
