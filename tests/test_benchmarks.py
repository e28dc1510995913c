"""The benchmarks measure what they say, on campaigns so small that they cost nothing. No clock is asserted here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from benchmarks import reporting
from benchmarks.__main__ import write
from benchmarks.instant_server import Calls
from benchmarks.network import number_of
from benchmarks.processes import server
from benchmarks.table import Row, at_least, at_most, decimal, times_at_least, written
from benchmarks.virtual_time import Figures, Plan, measure, measure_peer
from dialer.client import CallsClient
from dialer.core.wire import CallStatus, NewCall


@pytest.mark.parametrize("measured", [measure, measure_peer], ids=["ours", "peer"])
def test_everybody_on_a_short_list_is_called_once_and_the_figures_hold_together(
    measured: Callable[[Plan, int], Figures],
) -> None:
    found = measured(Plan(slots=5), 20)
    assert found.calls == 20
    assert 1.0 <= found.requests_per_call < 20
    assert 0.2 < found.busy <= 1.0
    assert 0.0 <= found.noticed_s < 20
    assert 0.0 <= found.refused < 0.5
    assert 0.0 < found.hours < 1.0


def test_the_peer_stops_where_the_quota_of_the_day_is_used() -> None:
    found = measure_peer(Plan(slots=2, per_minute=60, per_day=30), 100)
    assert 0 < found.calls < 30
    assert round(found.calls * found.requests_per_call) == 30


def test_the_instant_server_speaks_what_the_client_reads() -> None:
    async def ask(url: str) -> None:
        async with CallsClient(url, SecretStr("rehearsal")) as client:
            for index in range(3):
                await client.create_call(NewCall(agent_id="agent_a", phone_number=number_of(index)))
            page = await client.list_calls(per_page=2)
            assert [call.phone_number for call in page.calls] == [number_of(2), number_of(1)]
            assert (page.total, page.per_page) == (3, 2)
            assert (await client.get_call("call_1")).status == CallStatus.IN_PROGRESS

    with server("-m", "benchmarks.instant_server") as url:
        anyio.run(ask, url)


def test_a_call_of_the_instant_server_ends_with_its_details() -> None:
    calls = Calls()
    calls.create(b'{"agent_id": "agent_a", "phone_number": "+12125550100"}')
    assert b'"status":"completed","duration":1' in calls.shown(0, 1e12)


def test_outcomes_are_written_beside_the_libraries_alone() -> None:
    found = reporting.measure(300)
    assert set(found) == {"csv", "parquet"}
    assert all(writing.seconds > 0 and writing.memory_mb > 10 and writing.alone_s >= 0 for writing in found.values())


def test_a_row_is_ok_only_if_all_that_is_wanted_is_reached() -> None:
    row = Row("calls", 12.0, decimal, 2.0, "peer (a)", (at_least(10, "10"), times_at_least(6)))
    assert row.ok is True
    assert Row("calls", 12.0, decimal, 3.0, "peer (a)", row.wanted).ok is False
    assert Row("calls", 12.0, decimal, wanted=(at_most(11, "11"),)).ok is False
    assert Row("calls", 12.0, decimal).ok is None
    assert "| calls | 12.00 | 2.00 peer (a) | 6.00  | >= 10 and >= 6 x | ok |" in written([row])


def test_writing_the_table_leaves_what_was_written_by_hand(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n")
    write(results, [Row("calls", 12.0, decimal)], "Measured.")
    said = results.read_text()
    assert said.startswith("before\n")
    assert said.endswith("\nafter\n")
    assert "old" not in said
    assert "| calls | 12.00 |" in said
