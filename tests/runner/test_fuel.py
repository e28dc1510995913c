"""Requests are what a campaign runs on: what a whole house takes of them, in virtual time, and for what."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.network import slots_busy
from dialer.core.errors import ExitCode
from dialer.core.lengths import LENGTHS
from dialer.ledger.changes import MOVED_AT_ONCE
from dialer.ledger.sqlite import SqliteLedger
from dialer.rehearsal.answers import SandboxRules
from tests.support.house import ACCOUNT, House, campaign, number
from tests.support.laws import check_ledger, check_network

ONCE: dict[str, object] = {"busy": [], "no_answer": []}
PLENTY = {"base_url": "sandbox", "requests_per_minute": 60_000, "requests_per_day": 1_000_000}


def house_of(path: Path, contacts: int, *, api: dict[str, object], slots: int = 20, **switches: Any) -> House:
    rules = SandboxRules.model_validate({"slots": slots, "seed": 5, **switches})
    house = House(path, campaign(api=api, retry=ONCE, pacing={"max_concurrent": 2 * slots}), rules)
    house.enroll(number(index) for index in range(contacts))
    return house


def test_twenty_slots_take_less_than_two_requests_a_call_and_a_hundred_less_still(tmp_path: Path) -> None:
    for slots, contacts, most in ((20, 200, 1.8), (100, 400, 1.6)):
        path = tmp_path / str(slots)
        path.mkdir()
        house = house_of(path, contacts, api=PLENTY, slots=slots)
        assert house.run().exit_code is ExitCode.DONE
        assert house.sandbox.requests / contacts < most


def test_where_the_minutes_requests_are_short_almost_all_of_them_place_calls(tmp_path: Path) -> None:
    house = house_of(tmp_path, 300, api={**PLENTY, "requests_per_minute": 60}, slots=100, requests_per_minute=60)
    assert house.run().exit_code is ExitCode.DONE
    assert house.sandbox.requests / 300 < 1.15


class _Counting(httpx.AsyncBaseTransport):
    """Counts the answers of the other side by their status."""

    def __init__(self, other: httpx.AsyncBaseTransport) -> None:
        self._other = other
        self.answers: Counter[int] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._other.handle_async_request(request)
        self.answers[answer.status_code] += 1
        return answer


def test_the_plan_of_sixty_a_minute_keeps_twenty_slots_busy_and_is_never_overdrawn(tmp_path: Path) -> None:
    seen: list[_Counting] = []

    def counting(transport: httpx.ASGITransport) -> httpx.AsyncBaseTransport:
        seen.append(_Counting(transport))
        return seen[0]

    house = house_of(tmp_path, 200, api={**PLENTY, "requests_per_minute": 60}, requests_per_minute=60)
    house.wrap = counting
    assert house.run().exit_code is ExitCode.DONE
    assert slots_busy(house.exchange.calls.values(), 20) > 0.9, "0.87 where requests are spread evenly"
    assert seen[0].answers[201] == 200
    refused = house.rows("SELECT count(*) FROM attempt WHERE code = 'no_available_slots'")[0][0]
    assert seen[0].answers[429] == refused, "no request came too soon"


def test_where_the_days_requests_are_short_almost_all_of_them_place_calls(tmp_path: Path) -> None:
    house = house_of(tmp_path, 1000, api={**PLENTY, "requests_per_day": 500}, requests_per_day=500)
    assert house.run(wait=False).exit_code is ExitCode.WORK_LEFT
    assert house.sandbox.requests <= 500
    assert len(house.exchange.calls) > 430


def test_a_plan_smaller_than_the_campaign_says_is_kept_by_what_its_headers_tell(tmp_path: Path) -> None:
    house = house_of(
        tmp_path, 80, api={**PLENTY, "requests_per_minute": 600}, requests_per_minute=60, limit_headers="x"
    )
    assert house.run().exit_code is ExitCode.DONE
    assert not house.rows("SELECT 1 FROM attempt WHERE code = 'rate_limited'")


@pytest.mark.parametrize(
    ("switches", "most_requests", "least_busy"),
    [
        ({"order": "oldest"}, 2.5, 0.93),
        ({"order": "random"}, 8.0, 0.87),
        ({"lag": 30.0}, 4.0, 0.87),
        ({"per_page_most": 20}, 2.5, 0.91),
        ({"filters": False}, 2.5, 0.93),
        ({"details_lag": 40.0}, 2.5, 0.93),
        ({"others": 12}, 2.5, 0.5),
        ({"spelling": "new", "echo": "none"}, 2.5, 0.93),
    ],
    ids=str,
)
def test_a_list_unlike_what_is_hoped_for_costs_requests_and_no_contact(
    tmp_path: Path, switches: dict[str, Any], most_requests: float, least_busy: float
) -> None:
    house = house_of(tmp_path, 240, api=PLENTY, **switches)
    assert house.run().exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 1)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
    assert house.sandbox.requests / 240 < most_requests
    assert slots_busy(house.exchange.calls.values(), 20) > least_busy


def test_what_a_run_has_learnt_of_calls_is_there_for_the_next_one(tmp_path: Path) -> None:
    house = house_of(tmp_path, 60, api=PLENTY)
    house.run()
    ledger = SqliteLedger(house.ledger_path)
    try:
        learnt = ledger.learned(ACCOUNT, LENGTHS)
        assert {"completed", "voicemail", "no_answer"} <= learnt["ends"].keys()
        record = ledger.campaign("test")
        assert record is not None
        assert ledger.restore(record.id, ACCOUNT, house.clock.start, 30.0).lengths == learnt
        assert ledger.restore(record.id, "another account", house.clock.start, 30.0).lengths == {}
    finally:
        ledger.close()


def test_a_night_falls_on_thousands_of_contacts_without_holding_up_the_loop(tmp_path: Path) -> None:
    """As many move with a commit as take some hundredths of a second; all of them before the run ends for the day."""
    house = House(
        tmp_path,
        campaign(api=PLENTY, retry=ONCE, hours={"weekdays": "09:00-17:00", "timezone": "Europe/London"}),
        SandboxRules(slots=20),
        start=1_790_000_000.0 - 1_790_000_000.0 % 86_400 + 16.999 * 3600,
    )
    contacts = MOVED_AT_ONCE + 500
    house.enroll(f"+1212{2_300_000 + index}" for index in range(contacts))
    assert house.run(wait=False).exit_code is ExitCode.WORK_LEFT
    moved = [row[0] for row in house.rows("SELECT json_extract(data, '$.leads') FROM event WHERE kind = 'closed'")]
    assert moved[0] == MOVED_AT_ONCE
    left = house.rows("SELECT count(*) FROM lead WHERE state = 'queued'")[0][0]
    assert sum(moved) == left
