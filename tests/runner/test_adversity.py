"""Bad days that were thought up to break the promise: each once ended wrongly in a prototype of this house."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import httpx
import pytest

from dialer.core.errors import ExitCode, LedgerHeld
from dialer.ledger.sqlite import SqliteLedger
from dialer.rehearsal.answers import SandboxRules
from dialer.runner import Runner
from tests.runner.test_switching import Disturbed, is_create
from tests.support.house import House, campaign, number
from tests.support.laws import check_ledger, check_network


def test_a_silence_the_api_asked_for_is_kept_though_other_answers_come_in(tmp_path: Path) -> None:
    times: list[float] = []
    quiet_until = 0.0

    def remember(_: httpx.Request) -> httpx.Response | None:
        nonlocal quiet_until
        now = house.clock.wall()
        times.append(now)
        if len(times) == 30:
            quiet_until = now + 30
            error = {"error": {"code": "rate_limited", "message": "slow down"}}
            return httpx.Response(429, json=error, headers={"Retry-After": "30"})
        return None

    house = House(tmp_path, campaign(), wrap=lambda inner: Disturbed(inner, before=remember))
    house.enroll(number(index) for index in range(40))
    assert house.run().exit_code is ExitCode.DONE
    assert not [moment for moment in times[31:] if moment < quiet_until - 0.5]


def test_an_outage_longer_than_any_call_may_last_loses_nobody(tmp_path: Path) -> None:
    def outage(_: httpx.Request) -> None:
        if 60 <= house.clock.wall() - house.start <= 1500:
            raise httpx.ConnectError("no route")

    house = House(
        tmp_path,
        campaign(pacing={"longest_call": "5m", "max_concurrent": 10}),
        wrap=lambda inner: Disturbed(inner, before=outage),
    )
    house.enroll(number(index) for index in range(40))
    assert house.run().exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_a_lock_that_was_taken_away_ends_the_run_before_anything_else_is_placed(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(number(index) for index in range(40))

    async def steal(_: Runner) -> None:
        await anyio.sleep(5)
        (tmp_path / "ledger.db.lock").unlink()

    with pytest.raises(ExceptionGroup) as ended:
        house.run(steal)
    assert ended.group_contains(LedgerHeld, depth=None)
    assert house.clock.start - house.start < 10
    check_ledger(house.ledger_path, house.exchange.calls, finished=False)
    assert house.run().exit_code in {ExitCode.DONE, ExitCode.UNRESOLVED}
    check_network(house.exchange.calls.values(), 3)


def test_a_doubt_about_an_agent_that_is_gone_is_settled_without_it(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(agents=["agent_old"]))
    house.enroll(["+12125550111", number(1)])

    async def leave(runner: Runner) -> None:
        await anyio.sleep(5)
        runner.stop()
        runner.stop()

    house.run(leave)

    def refuse(request: httpx.Request) -> httpx.Response | None:
        if request.url.params.get("agent_id") == "agent_old":
            return httpx.Response(404, json={"error": {"code": "agent_not_found", "message": "gone"}})
        return None

    house.campaign = campaign(agents=["agent_new"])
    house.wrap = lambda inner: Disturbed(inner, before=refuse)
    assert house.run().exit_code is ExitCode.DONE
    assert house.lead("+12125550111") == ("reached", "completed", 1)


def test_closed_zones_at_the_head_of_the_queue_do_not_hold_up_open_ones(tmp_path: Path) -> None:
    closed = ["Asia/Tokyo", "Asia/Seoul", "Asia/Manila", "Australia/Sydney", "Pacific/Auckland", "Asia/Shanghai"]
    house = House(tmp_path, campaign(hours={"weekdays": "09:00-17:00", "timezone": "contact"}))
    house.enroll([number(index) for index in range(7)], [*closed, "Europe/London"])
    house.run(limit=1)
    (call,) = house.exchange.calls.values()
    assert call.created_at - house.start < 5


def test_numbers_with_an_open_call_of_another_campaign_end_the_run_and_say_so(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(["+12125550112"])

    async def leave(runner: Runner) -> None:
        await anyio.sleep(5)
        runner.stop()
        runner.stop()

    house.run(leave)
    house.campaign = campaign(name="second")
    house.enroll(["+12125550112", number(3)])
    result = house.run()
    assert result.exit_code is ExitCode.WORK_LEFT
    assert "another campaign" in result.reason
    assert {call.phone for call in house.exchange.calls.values()} == {number(3)}


def test_a_key_withdrawn_with_creates_on_their_way_leaves_nobody_in_doubt(tmp_path: Path) -> None:
    asked = 0

    def withdraw(request: httpx.Request) -> httpx.Response | None:
        nonlocal asked
        asked += is_create(request)
        refusal = httpx.Response(401, json={"error": {"code": "unauthorized", "message": "no"}})
        return refusal if asked > 12 else None

    house = House(tmp_path, campaign(), SandboxRules(delay=0.5), wrap=lambda inner: Disturbed(inner, before=withdraw))
    house.enroll(number(index) for index in range(40))
    assert house.run().exit_code is ExitCode.USER
    assert not house.rows("SELECT 1 FROM attempt WHERE state IN ('intended', 'uncertain')")


def test_the_first_stop_after_a_limit_still_follows_live_calls(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    house.enroll(number(index) for index in range(10))

    async def stop_once(runner: Runner) -> None:
        await anyio.sleep(3)
        runner.stop()

    assert house.run(stop_once, limit=3).exit_code is ExitCode.WORK_LEFT
    assert not house.rows("SELECT 1 FROM lead WHERE state = 'dialing'")


def test_a_429_in_the_middle_of_recovery_does_not_begin_it_anew(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(), SandboxRules(per_page_most=5, requests_per_minute=12, echo="none"))
    house.enroll(["+12125550111", *(number(index) for index in range(60))])
    wall = house.clock.start
    for index in range(100):
        house.exchange.create("agent_a", f"+1212557{index:04d}", None, None, wall - 9000 + 80 * index)

    async def leave(runner: Runner) -> None:
        await anyio.sleep(4)
        runner.stop()
        runner.stop()

    house.run(leave)
    assert house.run().exit_code is ExitCode.DONE
    assert house.lead("+12125550111") == ("reached", "completed", 1)
    check_ledger(house.ledger_path, {**house.exchange.calls}, finished=False)


def test_one_answer_that_cannot_be_taken_in_ends_no_campaign(tmp_path: Path) -> None:
    asked = 0

    def odd(request: httpx.Request, answer: httpx.Response) -> httpx.Response | None:
        nonlocal asked
        asked += 1
        if asked % 5 == 0 and not is_create(request):
            body = json.loads(answer.content) if hasattr(answer, "_content") else {}
            return httpx.Response(200, json={**body, "data": {"id": 7, "cost": 10**400}})
        return None

    house = House(tmp_path, campaign(), wrap=lambda inner: Disturbed(inner, after=odd))
    house.enroll(number(index) for index in range(30))
    assert house.run().exit_code is ExitCode.DONE
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


@pytest.mark.parametrize("by_s", [7200.0, -7200.0])
@pytest.mark.parametrize("policy", ["hold", "retry_absent"])
def test_a_clock_set_while_a_create_is_in_doubt_calls_nobody_twice(tmp_path: Path, by_s: float, policy: str) -> None:
    retry = {"busy": ["10m"], "no_answer": ["10m"], "on_uncertain": policy, "uncertain_horizon": "5m"}
    api = {"base_url": "sandbox", "requests_per_minute": 600, "timeout": "10s", "clock_tolerance": "3h"}
    house = House(tmp_path, campaign(retry=retry, api=api), SandboxRules(lag=100, echo="none"))
    house.exchange.rules = SandboxRules(lag=100, echo="none")
    house.sandbox = type(house.sandbox)(
        house.exchange, house.rules, lambda: house.clock.wall() + house.clock.set_back_s
    )
    house.enroll(["+12125550111", *(number(index) for index in range(40))])

    async def set_clock(_: Runner) -> None:
        await anyio.sleep(30)
        house.clock.set_back_s -= by_s

    assert house.run(set_clock).exit_code is ExitCode.DONE
    assert len([call for call in house.exchange.calls.values() if call.phone == "+12125550111"]) == 1
    assert house.lead("+12125550111") == ("reached", "completed", 1)
    check_network(house.exchange.calls.values(), 3)


def test_a_number_with_a_second_call_in_the_list_is_not_called_before_both_have_ended_also_after_a_restart(
    tmp_path: Path,
) -> None:
    retry = {"busy": ["1m"], "max_attempts": 3}
    house = House(tmp_path, campaign(retry=retry, pacing={"longest_call": "2h"}), SandboxRules(echo="none"))
    busy = "+12125550102"
    lost = False

    def lose(request: httpx.Request, _: httpx.Response) -> None:
        nonlocal lost
        if is_create(request) and not lost:
            lost = True
            house.exchange.create("agent_a", busy, None, None, house.clock.wall())  # a middlebox sent it twice
            raise httpx.ReadError("reset")

    async def leave(runner: Runner) -> None:
        double = "SELECT 1 FROM event WHERE kind = 'possible_double_call'"
        while not house.rows(double):  # noqa: ASYNC110  # in virtual time this is no polling
            await anyio.sleep(0.05)
        runner.stop()
        runner.stop()

    house.wrap = lambda inner: Disturbed(inner, after=lose)
    house.enroll([busy])
    house.run(leave)
    house.run()
    first, second, third = sorted(house.exchange.calls.values(), key=lambda call: call.created_at)
    assert third.created_at > max(first.ends_at(), second.ends_at()) + 60
    assert house.lead(busy) == ("exhausted", "busy", 3), "the second call of one create counts as well"


def _skewed(house: House, off_s: float) -> None:
    """The API's clock is off against this machine's."""
    house.sandbox = type(house.sandbox)(house.exchange, house.rules, lambda: house.clock.wall() + off_s)


def test_no_call_is_placed_while_the_clocks_disagree_and_the_run_says_so(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    _skewed(house, 7200.0)
    house.enroll(number(index) for index in range(5))
    result = house.run()
    assert result.exit_code is ExitCode.WORK_LEFT
    assert "clock" in result.reason
    assert not house.exchange.calls or len(house.exchange.calls) <= 1  # the very first answer tells


def test_dialing_goes_on_once_the_clock_was_put_right(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())

    def real() -> float:
        return house.clock.wall() + house.clock.set_back_s

    house.sandbox = type(house.sandbox)(house.exchange, house.rules, real)
    house.enroll(number(index) for index in range(40))
    at: dict[str, float] = {}

    async def set_and_mend(_: Runner) -> None:
        await anyio.sleep(20)
        house.clock.set_back_s += 900
        at["set"] = real()
        await anyio.sleep(100)
        house.clock.set_back_s -= 900
        at["mended"] = real()

    assert house.run(set_and_mend).exit_code is ExitCode.DONE
    between = [call for call in house.exchange.calls.values() if at["set"] + 1 < call.created_at < at["mended"]]
    assert not between
    check_network(house.exchange.calls.values(), 3)


def test_an_id_that_is_another_numbers_call_is_let_go_and_the_right_call_is_found(tmp_path: Path) -> None:
    """The answer to one create names a call that the API makes a moment later for somebody else."""
    house = House(tmp_path, campaign(pacing={"max_concurrent": 2}), SandboxRules(echo="none"))
    wrong = "+12125560000"
    swapped: dict[str, str] = {}

    def swap(request: httpx.Request, _: httpx.Response) -> httpx.Response | None:
        if is_create(request) and not swapped:
            foreign = house.exchange.create("agent_a", "+12125569999", None, None, house.clock.wall())
            swapped["id"] = foreign.id
            body = {"data": {"id": foreign.id, "status": "initiating", "phone_number": wrong, "agent_id": "agent_a"}}
            return httpx.Response(201, json=body)
        return None

    house.wrap = lambda inner: Disturbed(inner, after=swap)
    house.enroll([wrong, *(number(index) for index in range(1, 6))])
    assert house.run().exit_code is ExitCode.DONE
    del house.exchange.calls[swapped["id"]]
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
    check_network(house.exchange.calls.values(), 3)


def test_a_call_that_vanishes_from_the_api_is_never_called_again_by_itself(tmp_path: Path) -> None:
    retry = {"busy": [], "no_answer": [], "on_uncertain": "retry_absent", "uncertain_horizon": "5m"}
    house = House(tmp_path, campaign(retry=retry))
    gone = "+12125550108"

    def vanish(_: httpx.Request) -> httpx.Response | None:
        if house.clock.wall() - house.start > 30:
            house.exchange._order = [call for call in house.exchange._order if call.phone != gone]
            house.exchange.calls = {k: v for k, v in house.exchange.calls.items() if v.phone != gone or v.nth > 0}
        return None

    house.wrap = lambda inner: Disturbed(inner, before=vanish)
    house.enroll([gone, *(number(index) for index in range(60))])
    assert house.run().exit_code is ExitCode.UNRESOLVED
    assert house.lead(gone) == ("unresolved", "unknown", 1)
    assert house.rows("SELECT count(*) FROM attempt WHERE phone = ?", gone) == [(1,)]


def _restored_house(tmp_path: Path, metadata_back: str) -> House:
    """A campaign half done; then its ledger is put back to what it was near the beginning, journal and all."""
    house = House(tmp_path, campaign(), SandboxRules.model_validate({"echo": metadata_back}))
    house.enroll(number(index) for index in range(30))
    house.run(limit=4)
    saved = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    house.run(limit=12)
    for name, content in saved.items():
        (tmp_path / name).write_bytes(content)
    return house


@pytest.mark.parametrize("metadata_back", ["none", "get", "both"])
def test_a_ledger_restored_from_a_copy_takes_in_what_was_done_since(tmp_path: Path, metadata_back: str) -> None:
    house = _restored_house(tmp_path, metadata_back)
    while (result := house.run()).exit_code is ExitCode.WORK_LEFT:
        assert metadata_back == "none"  # nothing tells whose the calls are: a person is asked once
        assert "another ledger" in result.reason
    assert result.exit_code is ExitCode.DONE
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)


def test_a_ledger_older_than_its_journal_catches_up_from_it(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(), SandboxRules(echo="none", lag=3000))
    house.enroll(number(index) for index in range(30))
    house.run(limit=4)
    saved = (tmp_path / "ledger.db").read_bytes()
    house.run(limit=12)
    rows = house.rows("SELECT key, state, call_id, disposition, cost FROM attempt ORDER BY id")
    leads = house.rows("SELECT id, state, attempts, submissions, disposition, reason FROM lead ORDER BY id")
    (tmp_path / "ledger.db").write_bytes(saved)
    ledger = SqliteLedger(tmp_path / "ledger.db")
    assert ledger.healed > 0
    ledger.close()
    assert house.rows("SELECT key, state, call_id, disposition, cost FROM attempt ORDER BY id") == rows
    assert house.rows("SELECT id, state, attempts, submissions, disposition, reason FROM lead ORDER BY id") == leads


def test_a_second_host_that_dials_the_same_list_is_noticed(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(), SandboxRules(echo="none", slots=50))
    house.enroll(number(index) for index in range(60))

    async def another_host(_: Runner) -> None:
        for index in range(59, 40, -1):
            await anyio.sleep(5)
            house.exchange.create("agent_a", number(index), None, None, house.clock.wall())

    result = house.run(another_host)
    assert result.exit_code is ExitCode.WORK_LEFT
    assert "another ledger" in result.reason
