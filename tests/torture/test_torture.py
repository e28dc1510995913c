"""A hundred kills under faults: nobody called twice, forgotten or bound wrongly. ``make torture`` has thousands."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.store import CallStore
from tests.torture.harness import Count, judge, table, torture


@pytest.mark.parametrize(("policy", "seed"), [("hold", 5), ("retry_absent", 6)])
def test_killed_fifty_times_while_a_fifth_of_the_creates_fail_the_promise_holds(
    tmp_path: Path, policy: str, seed: int
) -> None:
    count = torture(tmp_path, policy=policy, kills=50, seed=seed)
    print(table({policy: count}))
    assert count.kills == 50
    assert count.calls_placed >= 50
    assert count.good, count.found
    _check_that_the_judge_can_say_no(tmp_path)


def _check_that_the_judge_can_say_no(home: Path) -> None:
    """The same record with one call made twice, one to another number, and one that the ledger never heard of."""
    exchange = Exchange()
    CallStore(home / "network.jsonl").load(exchange, time.time())
    calls = list(exchange.calls.values())
    contacts = 60
    twice = replace(calls[0], id="call_again", created_at=calls[0].created_at + 0.001)
    astray = replace(calls[1], phone="+12125559999")
    count = Count()
    judge(home / ".dialer" / "ledger.db", [calls[0], astray, *calls[2:], twice], contacts, count)
    assert (count.called_twice, count.bound_wrongly, count.lost) == (1, 1, 1), count
