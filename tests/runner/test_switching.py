"""What the switchboard does with what the network says: in virtual time, over real client, ledger and sandbox app."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from dialer.core.errors import ExitCode
from dialer.rehearsal.answers import SandboxRules
from dialer.runner import Runner
from tests.support.house import House, campaign, number
from tests.support.laws import check_ledger, check_network

Beside = Callable[[Runner], Coroutine[Any, Any, None]]


class Disturbed(httpx.AsyncBaseTransport):
    """Stands between client and sandbox: ``before`` may answer in the sandbox's place, ``after`` once it acted."""

    def __init__(
        self,
        inner: httpx.ASGITransport,
        before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None,
        after: Callable[[httpx.Request, httpx.Response], httpx.Response | None] = lambda _, __: None,
    ) -> None:
        self._inner = inner
        self._before = before
        self._after = after

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._before(request)
        if answer is None:
            answer = await self._inner.handle_async_request(request)
            answer = self._after(request, answer) or answer
        return answer


def is_create(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith("/calls")


def phone_of(request: httpx.Request) -> str:
    return str(json.loads(request.content)["phone_number"])


def test_a_full_house_holds_every_line_and_charges_nobody(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(pacing={"max_concurrent": 30}), SandboxRules(slots=3))
    house.enroll(number(index) for index in range(40))
    result = house.run()
    assert result.exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
    refused = house.rows("SELECT count(*) FROM attempt WHERE code = 'no_available_slots'")[0][0]
    assert 0 < refused < 0.2 * len(house.exchange.calls)
    first_calls = [call.phone for call in house.exchange.calls.values() if call.nth == 0]
    assert first_calls == sorted(first_calls), "a refused contact goes back to the head of the queue"


def test_slots_that_others_give_back_are_found_again(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(pacing={"max_concurrent": 10}), SandboxRules(slots=2))
    house.enroll(number(index) for index in range(120))

    async def others_leave(_: Runner) -> None:
        await anyio.sleep(600)
        house.exchange.rules = SandboxRules(slots=8)

    assert house.run(others_leave).exit_code is ExitCode.DONE
    late = [
        call
        for call in house.exchange.calls.values()
        if call.created_at > house.rows("SELECT min(intended_at) FROM attempt")[0][0] + 900
    ]
    steps = sorted([(call.created_at, 1) for call in late] + [(call.ends_at(), -1) for call in late])
    live = most = 0
    for _, step in steps:
        live += step
        most = max(most, live)
    assert most >= 6


def test_an_agent_that_is_not_ready_is_held_alone_while_the_other_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(agents=["agent_sleepy", {"id": "agent_b", "weight": 1}]))
    house.enroll(number(index) for index in range(60))
    assert house.run().exit_code is ExitCode.DONE
    by_agent = dict(house.rows("SELECT agent_id, count(*) FROM attempt WHERE state = 'ended' GROUP BY 1"))
    assert by_agent["agent_sleepy"] > 5, "a probe reopened it"
    refusals = house.rows("SELECT count(*) FROM attempt WHERE code = 'agent_not_ready'")[0][0]
    assert 1 <= refusals <= 5
    asleep = house.rows(
        "SELECT count(*) FROM attempt WHERE agent_id = 'agent_b' AND intended_at < ?", house.start + 300
    )
    assert asleep[0][0] > 0
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_agents_share_the_calls_by_their_weights(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(agents=[{"id": "agent_a", "weight": 3}, {"id": "agent_b", "weight": 1}]))
    house.enroll(number(index) for index in range(80))
    house.run()
    by_agent = dict(house.rows("SELECT agent_id, count(*) FROM attempt WHERE number = 1 GROUP BY 1"))
    assert by_agent["agent_a"] == pytest.approx(60, abs=3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"agents": ["agent_missing"]}, "agent_missing"),
        ({"agents": ["agent_a", "agent_missing"]}, "agent_missing"),
    ],
)
def test_an_agent_that_does_not_exist_stops_the_campaign_and_loses_nothing(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    house = House(tmp_path, campaign(**changes))
    house.enroll(number(index) for index in range(10))
    result = house.run()
    assert result.exit_code is ExitCode.USER
    assert said in result.reason
    assert sum(house.states().values()) == 10
    assert not house.rows("SELECT 1 FROM attempt WHERE state IN ('intended', 'placed', 'uncertain')")
    check_ledger(house.ledger_path, house.exchange.calls, finished=False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_withdrawn_in_mid_campaign_stops_it_and_live_calls_are_found_again(
    tmp_path: Path, status: int
) -> None:
    seen = 0

    def withdraw(_: httpx.Request) -> httpx.Response | None:
        nonlocal seen
        seen += 1
        return httpx.Response(status, json={"error": {"code": "unauthorized", "message": "no"}}) if seen > 15 else None

    house = House(tmp_path, campaign(), wrap=lambda inner: Disturbed(inner, before=withdraw))
    house.enroll(number(index) for index in range(40))
    result = house.run()
    assert result.exit_code is ExitCode.USER
    assert "SMARTALEX_API_KEY" in result.reason
    assert sum(house.states().values()) == 40
    house.wrap = lambda inner: inner
    assert house.run().exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_a_number_the_api_refuses_ends_that_contact_and_no_other(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(["+12125550107", "+12125550100"])
    assert house.run().exit_code is ExitCode.DONE
    assert house.lead("+12125550107") == ("rejected", "invalid", 0)
    assert house.lead("+12125550100") == ("reached", "completed", 1)


def test_a_call_that_outlives_its_longest_time_is_ended_and_its_real_outcome_kept(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(pacing={"longest_call": "5m"}))
    house.enroll(["+12125550108"])
    assert house.run().exit_code is ExitCode.DONE
    (call,) = house.exchange.calls.values()
    assert call.cut_at is not None
    assert call.cut_at - call.created_at == pytest.approx(300, abs=5)
    assert house.lead("+12125550108") == ("reached", "completed", 1)
    assert house.rows("SELECT duration_s FROM attempt")[0][0] > 200


def test_a_status_nobody_knows_is_looked_at_again_and_never_taken_as_final(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(), SandboxRules(mean_talk=300))
    house.enroll(["+12125550109"])
    assert house.run().exit_code is ExitCode.DONE
    assert house.lead("+12125550109") == ("reached", "completed", 1)
    assert house.rows("SELECT count(*) FROM event WHERE kind = 'status_unknown'") == [(1,)]


def test_details_that_come_late_are_waited_for(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(["+12125550110"])
    house.run()
    cost, duration, sentiment = house.rows("SELECT cost, duration_s, sentiment FROM attempt")[0]
    assert cost > 0
    assert duration > 0
    assert sentiment


@pytest.mark.parametrize("echo", ["none", "get", "both"])
def test_a_create_that_was_placed_but_never_answered_is_found_in_the_list_and_not_repeated(
    tmp_path: Path, echo: str
) -> None:
    house = House(tmp_path, campaign(), SandboxRules.model_validate({"echo": echo}))
    house.enroll(["+12125550111", *(number(index) for index in range(5))])
    assert house.run().exit_code is ExitCode.DONE
    assert len([call for call in house.exchange.calls.values() if call.phone == "+12125550111"]) == 1
    assert house.lead("+12125550111") == ("reached", "completed", 1)
    assert house.rows("SELECT count(*) FROM event WHERE kind = 'found'") == [(1,)]
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_a_create_that_vanished_leaves_its_contact_unresolved_and_exits_4(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(["+12125550112", *(number(index) for index in range(5))])
    result = house.run()
    assert result.exit_code is ExitCode.UNRESOLVED
    assert house.lead("+12125550112") == ("unresolved", "unknown", 1)
    assert "+12125550112" not in {call.phone for call in house.exchange.calls.values()}
    assert house.clock.start - house.start >= 300, "it was looked for until beyond the horizon"


def test_with_retry_absent_a_vanished_create_goes_again_once_a_later_call_proves_the_list(tmp_path: Path) -> None:
    retry = {"busy": ["10m"], "no_answer": ["10m"], "max_attempts": 3, "on_uncertain": "retry_absent"}
    house = House(tmp_path, campaign(retry={**retry, "uncertain_horizon": "5m", "uncertain_scan_gap": "10s"}))
    house.enroll(["+12125550112", "+12125550102", *(number(index) for index in range(20))])
    assert house.run().exit_code is ExitCode.DONE
    assert house.lead("+12125550112") == ("reached", "completed", 1)
    assert house.rows("SELECT state FROM attempt WHERE phone = '+12125550112' ORDER BY id") == [("void",), ("ended",)]
    check_network(house.exchange.calls.values(), 3)


def test_calls_of_somebody_else_to_the_same_number_are_not_taken_for_ours(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(), SandboxRules(echo="get", agents=("agent_a", "agent_z")))
    house.enroll(["+12125550112", "+12125550101"])

    def somebody_else(request: httpx.Request) -> None:
        if is_create(request) and phone_of(request) == "+12125550112":
            house.exchange.create("agent_a", "+12125550112", None, {"theirs": "yes"}, house.clock.wall())

    def before(request: httpx.Request) -> None:
        somebody_else(request)

    house.wrap = lambda inner: Disturbed(inner, before=before)
    assert house.run().exit_code is ExitCode.UNRESOLVED
    assert house.lead("+12125550112") == ("unresolved", "unknown", 1)


@pytest.mark.parametrize("order", ["newest", "oldest", "random"])
def test_the_order_of_the_list_changes_nothing_but_the_number_of_requests(tmp_path: Path, order: str) -> None:
    house = House(tmp_path, campaign(), SandboxRules.model_validate({"order": order, "slots": 10, "lag": 3}))
    house.enroll(["+12125550111", *(number(index) for index in range(250))])
    result = house.run()
    assert result.exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
    if order != "random":
        assert house.sandbox.requests < 2.2 * len(house.exchange.calls)


def test_rate_limits_hold_every_request_until_the_api_allows(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(), SandboxRules(requests_per_minute=20))
    house.enroll(number(index) for index in range(60))
    assert house.run().exit_code is ExitCode.DONE
    limited = house.rows("SELECT count(*) FROM attempt WHERE code = 'rate_limited'")[0][0]
    assert 1 <= limited <= 30
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_stopping_once_follows_live_calls_to_their_end_and_resuming_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(pacing={"max_concurrent": 5}))
    house.enroll(number(index) for index in range(60))

    async def stop_soon(runner: Runner) -> None:
        await anyio.sleep(60)
        runner.stop()

    result = house.run(stop_soon)
    assert result.exit_code is ExitCode.WORK_LEFT
    assert not house.rows("SELECT 1 FROM lead WHERE state = 'dialing'")
    assert all(call.ends_at() <= house.clock.start for call in house.exchange.calls.values())
    assert house.run().exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_stopping_twice_leaves_at_once_and_the_next_run_finds_its_live_calls(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(pacing={"max_concurrent": 5}))
    house.enroll(number(index) for index in range(30))

    async def stop_twice(runner: Runner) -> None:
        await anyio.sleep(30)
        runner.stop()
        runner.stop()

    result = house.run(stop_twice)
    assert result.exit_code is ExitCode.WORK_LEFT
    assert house.clock.start - house.start < 31
    assert house.run().exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_a_limit_bounds_the_calls_of_one_run(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(number(index) for index in range(20))
    assert house.run(limit=3).exit_code is ExitCode.WORK_LEFT
    assert len(house.exchange.calls) == 3


def test_only_one_number_is_called_where_only_one_is_asked_for(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(["+12125550100", number(1), number(2)])
    assert house.run(only="+12125550100").exit_code is ExitCode.WORK_LEFT
    assert [call.phone for call in house.exchange.calls.values()] == ["+12125550100"]


def test_money_in_flight_counts_towards_the_limit(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(limits={"max_cost": 1.0}, pacing={"max_concurrent": 3}))
    house.enroll(number(index) for index in range(60))
    result = house.run(wait=False)
    assert result.exit_code is ExitCode.WORK_LEFT
    assert 0.7 < result.snapshot.spent < 1.3


def test_every_column_travels_as_metadata_and_names_its_attempt(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = []

    def listen(request: httpx.Request) -> None:
        if is_create(request):
            bodies.append({**json.loads(request.content), "key": request.headers["idempotency-key"]})

    house = House(tmp_path, campaign(), wrap=lambda inner: Disturbed(inner, before=listen))
    house.enroll(["+12125550100"])
    house.run()
    (body,) = bodies
    assert body["agent_id"] == "agent_a"
    assert body["metadata"]["dialer_campaign"] == "test"
    assert body["metadata"]["dialer_attempt"] == body["key"]


@pytest.mark.parametrize("seed", range(6))
def test_answers_that_get_lost_call_nobody_twice(tmp_path: Path, seed: int) -> None:
    asked = 0

    def lose(request: httpx.Request, _: httpx.Response) -> httpx.Response | None:
        nonlocal asked
        asked += is_create(request)
        if is_create(request) and (asked * 7 + seed) % 6 == 0:
            kind = (asked + seed) % 4
            if kind == 0:
                raise httpx.ReadError("reset")
            if kind == 1:
                return httpx.Response(502, text="<html>bad gateway</html>")
            if kind == 2:
                return httpx.Response(201, content=b'{"data": {"id": "call_')
            return httpx.Response(201, json={"data": {"status": "initiating"}})
        return None

    house = House(
        tmp_path,
        campaign(pacing={"max_concurrent": 8}),
        SandboxRules(seed=seed, lag=float(seed)),
        wrap=lambda inner: Disturbed(inner, after=lose),
    )
    house.enroll(number(index) for index in range(80))
    assert house.run().exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
