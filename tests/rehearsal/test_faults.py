"""Every fault once: what the client makes of it, and what is true.

How: real HTTP on 127.0.0.1 between the client and the misbehaving server in this process. The exchange's time is a
number that the test moves; what the server itself waits for is short. The truth is the exchange, not the answers.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dialer.cli import main
from dialer.client import CallsClient
from dialer.client.headers import AnswerNote
from dialer.commands.address import sandbox_rules
from dialer.core.errors import ApiError, ContactNever, Gone, MendCampaign, NoAnswer, NotSent, TryLater, UserError
from dialer.core.wire import Call, NewCall
from dialer.rehearsal.answers import SandboxRules
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.faults import FAULTS, Plan, Tally, parse
from dialer.rehearsal.sandbox import Sandbox
from dialer.rehearsal.server import address, embedded, listen
from dialer.rehearsal.spoiling import HOSTILE
from dialer.rehearsal.store import CallStore
from dialer.rehearsal.wire import Wire
from tests.support.processes import DIALER, environment, sandbox_process

KEY: Final = "sk-canary-1234567890"
PHONE: Final = "+14155550123"
STUCK: Final = "+12125550108"
LONG_S: Final = 3600.0
"""Longer than any call that ends by itself."""
SHORT: Final[dict[str, Any]] = {"late_answer": 0.6, "late_placing": 0.6, "away": 0.4, "drip": 0.1, "slots": 1000}
Played = TypeVar("Played")
_certificates = cache(httpx.create_ssl_context)


@pytest.fixture(autouse=True)
def _read_certificates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client reads the machine's certificates, which takes longer than most of these tests."""
    monkeypatch.setattr(httpx, "create_ssl_context", _certificates)


@dataclass(slots=True)
class Day:
    """A sandbox on a bad day, a client, and the exchange's time."""

    rules: SandboxRules
    timeout_s: float
    at: float = field(default_factory=lambda: float(int(time.time())))
    url: str = ""
    notes: list[AnswerNote] = field(default_factory=list)
    sandbox: Sandbox = field(init=False)
    client: CallsClient = field(init=False)

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(Exchange(self.rules), self.rules, lambda: self.at)

    @property
    def placed(self) -> int:
        return len(self.sandbox.exchange.calls)

    async def dial(self, phone: str = PHONE, agent: str = "agent_1") -> Call:
        return await self.client.create_call(NewCall(agent_id=agent, phone_number=phone))

    async def try_dial(self, agent: str = "agent_1") -> Call | ApiError:
        try:
            return await self.dial(agent=agent)
        except ApiError as error:
            return error

    async def finished(self) -> str:
        """The id of a call that is placed and has ended."""
        made = self.sandbox.exchange.create("agent_1", "+12125550100", None, None, self.at)
        self.at += LONG_S
        return made.id

    async def raw(self, method: str, path: str, timeout_s: float = 3.0, **more: Any) -> httpx.Response:
        """One request as any other program would send it."""
        url = path if "://" in path else self.url + path
        headers = {} if "://" in path else {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(timeout=timeout_s, trust_env=False, verify=False) as http:  # noqa: S501  # it is slow
            return await http.request(method, url, headers=headers, **more)


def rehearse(
    faults: dict[str, float | str],
    play: Callable[[Day], Awaitable[Played]],
    timeout_s: float = 2.0,
    **rules: Any,
) -> Played:
    """What a play comes to on a day with these faults."""

    async def scene() -> Played:
        day = Day(SandboxRules(faults=faults, **{**SHORT, **rules}), timeout_s)
        with listen("127.0.0.1", 0) as listener:
            day.url = address(day.rules, "127.0.0.1", listener.getsockname()[1])
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(Wire(day.sandbox, listener).serve)
                day.client = CallsClient(
                    day.url, SecretStr(KEY), timeout_s=timeout_s, on_note=day.notes.append, now=lambda: day.at
                )
                async with day.client:
                    result = await play(day)
                tasks.cancel_scope.cancel()
        return result

    return anyio.run(scene)


async def failing(ask: Awaitable[object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await ask
    return caught.value


# --- a create that meets one fault --------------------------------------------------------------------------------

FINE = None
NOT_PLACED, PLACED = 0, 1
CREATES: Final[list[tuple[str, type[ApiError] | None, int]]] = [
    ("accept_then_close", NoAnswer, NOT_PLACED),
    ("reset_before", NoAnswer, NOT_PLACED),
    ("reset_after", NoAnswer, PLACED),
    ("truncated_body", NoAnswer, PLACED),
    ("truncated_json", NoAnswer, PLACED),
    ("html_200", NoAnswer, PLACED),
    ("html_200_before", NoAnswer, NOT_PLACED),
    ("wrong_type", FINE, PLACED),
    ("no_id", NoAnswer, PLACED),
    ("null_id", NoAnswer, PLACED),
    ("number_id", NoAnswer, PLACED),
    ("other_id", FINE, PLACED),
    ("same_id", FINE, PLACED),
    ("other_call", FINE, PLACED),
    ("error_200", TryLater, NOT_PLACED),
    ("error_200_odd", NoAnswer, NOT_PLACED),
    ("agent_not_found", MendCampaign, NOT_PLACED),
    ("agent_not_ready", TryLater, NOT_PLACED),
    ("invalid_phone_number", ContactNever, NOT_PLACED),
    ("no_available_slots", TryLater, NOT_PLACED),
    ("create:call_not_found", Gone, NOT_PLACED),
    ("create:recording_not_available", Gone, NOT_PLACED),
    ("invalid_request", ContactNever, NOT_PLACED),
    ("unauthorized", MendCampaign, NOT_PLACED),
    ("forbidden", MendCampaign, NOT_PLACED),
    ("not_found", MendCampaign, NOT_PLACED),
    ("rate_limited", TryLater, NOT_PLACED),
    ("server_error", NoAnswer, NOT_PLACED),
    ("error_echo", ContactNever, NOT_PLACED),
    ("retry_after_seconds", TryLater, NOT_PLACED),
    ("retry_after_date", TryLater, NOT_PLACED),
    ("retry_after_absent", TryLater, NOT_PLACED),
    ("retry_after_absurd", TryLater, NOT_PLACED),
    ("retry_after_negative", TryLater, NOT_PLACED),
    ("error_500_after", NoAnswer, PLACED),
    ("error_500_before", NoAnswer, NOT_PLACED),
    ("error_503_before", NoAnswer, NOT_PLACED),
    ("redirect_302", NoAnswer, NOT_PLACED),
    ("redirect_303", NoAnswer, NOT_PLACED),
    ("redirect_307", MendCampaign, NOT_PLACED),
    ("redirect_308", MendCampaign, NOT_PLACED),
    ("redirect_loop", MendCampaign, NOT_PLACED),
    ("redirect_away", MendCampaign, NOT_PLACED),
    ("gzip_bomb", NoAnswer, PLACED),
    ("huge_body", NoAnswer, PLACED),
    ("deep_json", NoAnswer, PLACED),
    ("nan_json", FINE, PLACED),
    ("duplicate_keys", FINE, PLACED),
    ("bom_json", FINE, PLACED),
    ("utf16_json", NoAnswer, PLACED),
]
SLOW_CREATES: Final[list[tuple[str, type[ApiError] | None, int]]] = [
    ("timeout_before", NoAnswer, NOT_PLACED),
    ("timeout_after", NoAnswer, PLACED),
    ("late_201", NoAnswer, PLACED),
    ("placed_late", NoAnswer, NOT_PLACED),  # not yet
    ("slow_headers", NoAnswer, PLACED),
    ("slow_body", NoAnswer, PLACED),
]


@pytest.mark.parametrize(
    ("name", "becomes", "placed", "timeout_s"),
    [(*row, 2.0) for row in CREATES] + [(*row, 0.3) for row in SLOW_CREATES],
)
def test_a_create_that_meets_a_fault_is_told_for_what_it_is_and_the_next_one_goes_well(
    name: str, becomes: type[ApiError] | None, placed: int, timeout_s: float
) -> None:
    async def play(day: Day) -> None:
        first = await day.dial()
        hit = await day.try_dial()
        if becomes is None:
            assert isinstance(hit, Call)
        else:
            assert type(hit) is becomes
        assert day.placed == 1 + placed
        assert KEY not in str(hit)
        last = await day.dial()
        assert last.id in day.sandbox.exchange.calls
        assert last.id != first.id
        assert day.placed == 2 + placed

    rehearse({name: "@2"}, play, timeout_s)


def test_every_fault_of_the_table_has_a_test_here() -> None:
    tested = Path(__file__).read_text("utf-8")
    assert [name for name in FAULTS if f'"{name}"' not in tested and f':{name}"' not in tested] == []
    assert {fault.row for fault in FAULTS.values()} | {28, 30} == set(range(1, 31))


def test_the_id_of_another_call_or_of_the_call_before_is_what_the_create_says() -> None:
    async def play(day: Day) -> list[str]:
        await day.dial()
        await day.dial()
        return [(await day.dial()).id, *list(day.sandbox.exchange.calls)]

    said, first, second, third = rehearse({"other_id": "@3"}, play)
    assert (said == first, third != first) == (True, True)
    said, first, second, third = rehearse({"same_id": "@3"}, play)
    assert (said == second, third != second) == (True, True)


def test_an_answer_about_another_call_names_another_number() -> None:
    async def play(day: Day) -> str | None:
        first = await day.dial()
        second = await day.dial("+14155550124")
        assert (second.id, day.placed) == (first.id, 2)
        return second.phone_number

    assert rehearse({"other_call": "@2"}, play) == PHONE


def test_on_a_very_bad_day_what_is_told_for_certain_is_true() -> None:
    names = (
        *("reset_before", "reset_after", "truncated_body", "html_200", "html_200_before", "error_500_after", "null_id"),
        *("error_500_before", "no_available_slots", "invalid_phone_number", "redirect_307", "error_200"),
    )

    async def play(day: Day) -> set[str]:
        met: set[str] = set()
        for _ in range(150):
            before = day.placed
            answer = await day.try_dial()
            met.add(type(answer).__name__)
            if isinstance(answer, Call):
                assert list(day.sandbox.exchange.calls)[before:] == [answer.id]
            elif not isinstance(answer, NoAnswer):
                assert day.placed == before, answer
        return met

    faults: dict[str, float | str] = dict.fromkeys(names, 0.08)
    assert rehearse(faults, play) == {"Call", "NoAnswer", "TryLater", "ContactNever", "MendCampaign"}


def test_json_that_is_odd_but_whole_is_read_for_what_it_says() -> None:
    async def play(day: Day) -> bool:
        return (await day.dial()).id in day.sandbox.exchange.calls

    assert rehearse({"duplicate_keys": 1}, play)
    assert rehearse({"nan_json": 1}, play)
    assert rehearse({"bom_json": 1}, play)
    assert rehearse({"wrong_type": 1}, play)


# --- connections --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["refused", "connect_timeout"])
def test_after_a_door_is_shut_nothing_is_sent_until_it_opens_again(name: str) -> None:
    async def play(day: Day) -> None:
        assert (await day.client.list_calls()).total == 0
        assert (await day.dial()).id  # this one is served still
        assert type(await failing(day.dial())) is NotSent
        assert type(await failing(day.client.list_calls())) is NotSent  # no kept connection is a way in
        assert day.placed == 1
        await anyio.sleep(day.rules.away + 0.1)
        assert (await day.dial()).id
        assert day.placed == 2

    rehearse({name: "@2"}, play, 0.2, away=0.8)


def test_a_door_that_was_asked_for_creates_stays_open_for_questions() -> None:
    async def play(day: Day) -> None:
        for _ in range(3):
            assert (await day.client.list_calls()).total == 0
        assert type(await day.try_dial()) is NoAnswer  # two faults at once: the door is shut, and nothing is said
        assert type(await failing(day.client.list_calls())) is NotSent
        assert day.placed == 1

    rehearse({"create:refused": 1, "timeout_after": 1}, play, 0.2, away=5)


def test_a_call_is_placed_though_whoever_asked_hangs_up_at_once() -> None:
    async def play(day: Day) -> int:
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                await day.raw("POST", "/calls", timeout_s=0.05, json={"agent_id": "agent_1", "phone_number": PHONE})
        return day.placed

    assert rehearse({"timeout_after": 1}, play) == 3


def test_whoever_speaks_no_http_is_hung_up_on_and_the_next_one_is_served() -> None:
    async def play(day: Day) -> None:
        port = httpx.URL(day.url).port
        assert port is not None
        for nonsense in (b"\x00\x01\x02\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET /v1/calls HTTP/1.1\r\n\r\n", b""):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(nonsense)
                await stream.send_eof()
                with pytest.raises(anyio.EndOfStream):
                    await stream.receive()
        assert (await day.client.list_calls()).total == 0

    rehearse({"reset_after": "@9"}, play)


@pytest.mark.parametrize("name", ["dns", "tls"])
def test_an_address_that_leads_nowhere_is_never_sent_anything(name: str) -> None:
    async def play(day: Day) -> int:
        assert day.url.startswith("https://")
        assert type(await failing(day.dial())) is NotSent
        return day.placed

    assert rehearse({name: "1"}, play) == 0


def test_behind_an_address_without_tls_plain_http_is_answered_still() -> None:
    async def play(day: Day) -> int:
        return (await day.raw("GET", day.url.replace("https", "http") + "/calls")).status_code

    assert rehearse({"tls": 1}, play) == 401  # it was asked without a key


# --- time ---------------------------------------------------------------------------------------------------------


def test_a_late_201_comes_late_for_a_call_that_was_placed_at_once() -> None:
    async def play(day: Day) -> None:
        order = {"agent_id": "agent_1", "phone_number": PHONE}
        started = time.monotonic()
        answer = await day.raw("POST", "/calls", json=order)
        assert time.monotonic() - started >= 0.6
        assert answer.status_code == 201
        assert answer.json()["data"]["id"] in day.sandbox.exchange.calls

    rehearse({"late_201": 1}, play)


def test_a_call_is_placed_late_though_whoever_asked_has_gone() -> None:
    async def play(day: Day) -> tuple[int, int]:
        assert type(await day.try_dial()) is NoAnswer
        before = day.placed
        await anyio.sleep(0.6)
        return before, day.placed

    assert rehearse({"placed_late": 1}, play, 0.3) == (0, 1)


@pytest.mark.parametrize(
    ("name", "least_s", "most_s"),
    [
        ("retry_after_seconds", 2.0, 2.0),
        ("retry_after_date", 2.0, 2.0),
        ("retry_after_absurd", 900.0, 900.0),
        ("retry_after_negative", 1.0, 1.0),
    ],
)
def test_a_wish_to_come_back_later_is_heard_within_reason(name: str, least_s: float, most_s: float) -> None:
    async def play(day: Day) -> float | None:
        error = await day.try_dial()
        assert isinstance(error, TryLater)
        return error.retry_after_s

    found = rehearse({name: 1}, play)
    assert found is not None
    assert least_s <= found <= most_s


def test_without_a_wish_there_is_none() -> None:
    async def play(day: Day) -> float | None:
        error = await day.try_dial()
        assert isinstance(error, TryLater)
        return error.retry_after_s

    assert rehearse({"retry_after_absent": 1}, play) is None


def test_a_storm_goes_on_for_its_time_and_hits_everything() -> None:
    async def play(day: Day) -> None:
        assert (await day.dial()).id
        answer = await day.raw("GET", "/calls")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        day.at += 599
        assert type(await day.try_dial()) is NoAnswer
        assert type(await failing(day.client.list_calls())) is NoAnswer
        day.at += 2
        assert (await day.dial()).id
        assert day.placed == 2

    rehearse({"storm_503": "@2"}, play)


def test_an_agent_rests_for_its_time_and_the_others_work() -> None:
    async def play(day: Day) -> None:
        for wait_s in (0, 3599):
            day.at += wait_s
            error = await day.try_dial("agent_1")
            assert isinstance(error, TryLater)
            assert error.code == "agent_not_ready"
            assert isinstance(await day.try_dial("agent_2"), Call)
        day.at += 2
        assert isinstance(await day.try_dial("agent_1"), Call)
        assert day.placed == 3

    rehearse({"agent_rests": "@1"}, play)


def test_a_key_that_is_changed_in_mid_run_opens_nothing_any_more() -> None:
    async def play(day: Day) -> None:
        assert (await day.dial()).id
        assert type(await failing(day.client.list_calls())) is MendCampaign
        assert type(await day.try_dial()) is MendCampaign
        assert day.placed == 1

    rehearse({"unauthorized": "@2+"}, play)


@pytest.mark.parametrize(
    ("name", "skew_s"), [("date_absent", None), ("date_wrong", 7200.0), ("date_garbage", None), ("list:date_wrong", 0)]
)
def test_the_date_of_an_answer_is_believed_as_far_as_it_goes(name: str, skew_s: float | None) -> None:
    async def play(day: Day) -> float | None:
        assert (await day.dial()).id
        return day.notes[-1].skew_low_s

    assert rehearse({name: 1}, play) == skew_s


@pytest.mark.parametrize("skew_s", [-7200.0, 7200.0])
def test_a_skewed_clock_shows_in_the_date_and_in_every_call(skew_s: float) -> None:
    async def play(day: Day) -> None:
        made = await day.dial()
        assert made.created_at == datetime.fromtimestamp(day.at + skew_s, UTC)
        assert day.notes[-1].skew_low_s == skew_s

    rehearse({"late_201": "@9"}, play, skew=skew_s)


# --- codes --------------------------------------------------------------------------------------------------------


def test_a_code_comes_under_the_http_status_of_the_switch() -> None:
    async def play(day: Day) -> tuple[str, int | None]:
        error = await failing(day.dial())
        return error.code, error.http_status

    assert rehearse({"no_available_slots": 1}, play, status_of={"no_available_slots": 503}) == (
        "no_available_slots",
        503,
    )


def test_an_error_that_repeats_the_key_is_passed_on_without_it() -> None:
    async def play(day: Day) -> None:
        order = {"agent_id": "agent_1", "phone_number": PHONE}
        assert KEY in (await day.raw("POST", "/calls", json=order)).text
        error = await failing(day.dial())
        assert KEY not in str(error)
        assert "***" in str(error)

    rehearse({"error_echo": 1}, play)


@pytest.mark.parametrize(("name", "where"), [("redirect_loop", "/v1/calls"), ("redirect_away", "169.254.169.254/")])
def test_a_redirect_says_where_to_and_nobody_goes(name: str, where: str) -> None:
    async def play(day: Day) -> str:
        answer = await day.raw("POST", "/calls", json={})
        assert type(await failing(day.dial())) is MendCampaign
        return answer.headers["location"]

    assert rehearse({name: 1}, play).endswith(where)


# --- faults that cling to a call ----------------------------------------------------------------------------------


def shown(name: str, phone: str, times: int = 4) -> list[str]:
    """The statuses a call shows, one question after the other, when it has ended or (STUCK) is in progress."""

    async def play(day: Day) -> list[str]:
        made = day.sandbox.exchange.create("agent_1", phone, None, None, day.at)
        day.at += LONG_S
        return [(await day.client.get_call(made.id)).status for _ in range(times)]

    return rehearse({name: 1}, play)


def test_a_status_nobody_knows_is_shown_while_a_call_is_live() -> None:
    assert shown("unknown_status", STUCK, 2) == ["transferring", "transferring"]
    assert shown("unknown_status", "+12125550100", 2) == ["completed", "completed"]


def test_a_status_goes_backwards_every_other_time() -> None:
    assert shown("status_backwards", STUCK) == ["in_progress", "ringing"] * 2
    assert shown("status_backwards", "+12125550100") == ["completed", "in_progress"] * 2


def test_an_end_flaps_and_a_stuck_call_never_ends() -> None:
    assert shown("flapping", "+12125550102") == ["busy", "failed"] * 2
    assert shown("stuck", "+12125550102", 2) == ["in_progress", "in_progress"]
    assert shown("stuck_ringing", STUCK, 2) == ["ringing", "ringing"]


def test_fields_nobody_documented_do_no_harm() -> None:
    async def play(day: Day) -> None:
        ident = await day.finished()
        assert "priority" in (await day.raw("GET", f"/calls/{ident}")).json()["data"]
        assert (await day.client.get_call(ident)).status == "completed"
        assert (await day.client.list_calls()).unreadable == 0

    rehearse({"unknown_fields": 1}, play)


@pytest.mark.parametrize(("name", "comes_back"), [("vanish", True), ("vanish_for_good", False)])
def test_a_call_that_vanishes_is_nowhere_and_exists_all_the_same(name: str, comes_back: bool) -> None:
    async def play(day: Day) -> None:
        first, second = await day.dial(), await day.dial()
        for ask in (day.client.get_call, day.client.end_call, day.client.get_transcript):
            assert type(await failing(ask(second.id))) is Gone
        assert (await day.client.get_call(first.id)).id == first.id
        page = await day.client.list_calls()
        assert ([call.id for call in page.calls], page.total) == ([first.id], 1)
        assert day.placed == 2
        day.at += 61
        if comes_back:
            assert (await day.client.get_call(second.id)).id == second.id
        else:
            assert type(await failing(day.client.get_call(second.id))) is Gone

    rehearse({name: "@2"}, play)


def test_whether_a_fault_clings_to_a_call_is_settled_once() -> None:
    async def play(day: Day) -> None:
        made = [day.sandbox.exchange.create("a", PHONE, None, None, day.at).id for _ in range(40)]
        seen = [[call.id for call in (await day.client.list_calls()).calls] for _ in range(2)]
        assert seen[0] == seen[1]
        assert 5 < len(seen[0]) < 35
        assert {call.id for call in (await day.client.list_calls()).calls} < set(made)
        for ident in made:
            assert (await day.client.get_call(ident)).id == ident  # it is missing in the list only

    rehearse({"item_missing": 0.5}, play)


# --- lists --------------------------------------------------------------------------------------------------------


def listed(faults: dict[str, float | str], count: int = 45, **asked: Any) -> tuple[list[int], dict[str, Any]]:
    """One page of a list of ``count`` calls: their numbers, 1 for the newest, and its meta."""

    async def play(day: Day) -> tuple[list[int], dict[str, Any]]:
        for _ in range(count):
            day.sandbox.exchange.create("agent_1", PHONE, None, None, day.at)
            day.at += 1
        body = (await day.raw("GET", "/calls", params=asked)).json()
        return [count + 1 - int(item["id"][5:11]) for item in body["data"]], body["meta"]

    return rehearse(faults, play)


def test_pages_shift_by_one_call_and_another_way_each() -> None:
    fault: dict[str, float | str] = {"list_shifting": 1}
    assert listed(fault, page=1, per_page=10)[0] == list(range(1, 11))
    assert listed(fault, page=2, per_page=10)[0] == list(range(12, 22))
    assert listed(fault, page=3, per_page=10)[0] == list(range(20, 30))


@pytest.mark.parametrize(("name", "total"), [("wrong_total", 48), ("total_low", 22), ("total_zero", 0)])
def test_a_total_is_wrong_and_the_calls_are_there(name: str, total: int) -> None:
    numbers, meta = listed({name: 1}, per_page=100)
    assert (len(numbers), meta["total"]) == (45, total)


def test_pages_and_their_size_are_ignored() -> None:
    numbers, meta = listed({"page_ignored": 1}, page=2, per_page=10)
    assert (numbers[0], meta["page"]) == (1, 1)
    numbers, meta = listed({"per_page_ignored": 1}, per_page=100)
    assert (len(numbers), meta["per_page"]) == (20, 20)
    numbers, meta = listed({"per_page_lied": 1}, per_page=100)
    assert (len(numbers), meta["per_page"]) == (20, 100)


def test_filters_are_ignored() -> None:
    asked: dict[str, Any] = {"agent_id": "agent_2", "from_date": "2099-01-01", "per_page": 100}
    assert len(listed({"filters_ignored": 1}, **asked)[0]) == 45
    assert listed({"filters_ignored": "@2"}, **asked)[0] == []


@pytest.mark.parametrize("name", ["created_at_offset", "created_at_ms", "created_at_garbage", "item_without_phone"])
def test_an_item_that_is_written_oddly_is_an_item_still(name: str) -> None:
    async def play(day: Day) -> None:
        made = await day.dial()
        assert made.created_at == datetime.fromtimestamp(day.at, UTC)
        (item,) = (await day.client.list_calls()).calls
        assert item.id == made.id
        assert item.created_at == (None if name == "created_at_garbage" else made.created_at)
        assert item.phone_number == (None if name == "item_without_phone" else PHONE)
        assert (await day.client.get_call(made.id)).phone_number == PHONE

    rehearse({name: 1}, play)


# --- other operations ---------------------------------------------------------------------------------------------


def test_a_prefix_moves_a_fault_to_another_operation() -> None:
    async def play(day: Day) -> None:
        made = await day.dial(STUCK)
        day.at += 60
        assert (await day.client.get_call(made.id)).id
        assert type(await failing(day.client.get_call(made.id))) is NoAnswer
        assert (await day.client.get_call(made.id)).status == "in_progress"
        assert type(await failing(day.client.end_call(made.id))) is NoAnswer  # and it was ended all the same
        assert (await day.client.get_call(made.id)).ended

    rehearse({"get:html_200": "@2", "end:reset_after": 1}, play)


def test_several_faults_hold_at_once() -> None:
    async def play(day: Day) -> None:
        await day.finished()
        page = await day.client.list_calls()
        assert (page.total, page.calls[0].phone_number) == (4, None)
        assert day.notes[-1].skew_low_s is None

    rehearse({"wrong_total": 1, "date_absent": 1, "item_without_phone": 1, "list:timeout_after": "@2"}, play)


# --- recordings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("recording_404", 404, "text/plain"),
        ("recording_expired", 410, "text/plain"),
        ("recording_html", 200, "text/html"),
        ("recording_redirect", 302, "text/plain"),
        ("recording_octets", 200, "application/octet-stream"),
    ],
)
def test_a_recording_that_is_promised_does_not_play(name: str, status: int, kind: str) -> None:
    async def play(day: Day) -> None:
        found = await day.client.get_recording(await day.finished())
        answer = await day.raw("GET", found.url)
        assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
        assert (await day.raw("GET", found.url)).headers["content-type"] == "audio/wav"

    rehearse({name: "@1"}, play)


def test_a_recording_that_is_huge_goes_on_until_whoever_asked_goes() -> None:
    async def play(day: Day) -> tuple[int, int]:
        found = await day.client.get_recording(await day.finished())
        got = 0
        async with httpx.AsyncClient(trust_env=False) as http, http.stream("GET", found.url) as answer:
            async for chunk in answer.aiter_raw():
                got += len(chunk)
                if got > 2**23:
                    break
            return int(answer.headers["content-length"]), got

    length, got = rehearse({"recording_huge": 1}, play)
    assert (length, got > 2**23) == (5 * 2**30, True)


def test_a_recording_without_a_length_goes_on_as_well() -> None:
    async def play(day: Day) -> tuple[str | None, int]:
        found = await day.client.get_recording(await day.finished())
        got = 0
        async with httpx.AsyncClient(trust_env=False) as http, http.stream("GET", found.url) as answer:
            async for chunk in answer.aiter_raw():
                got += len(chunk)
                if got > 2**23:
                    break
            return answer.headers.get("content-length"), got

    length, got = rehearse({"recording_endless": 1}, play)
    assert (length, got > 2**23) == (None, True)


def test_words_may_be_hostile_or_those_of_another_call() -> None:
    async def play(day: Day) -> None:
        ident = await day.finished()
        found = await day.client.get_transcript(ident)
        assert {turn.text for turn in found.transcript} | {turn.speaker for turn in found.transcript} == {HOSTILE}
        assert found.summary == HOSTILE
        assert (await day.client.get_transcript(ident)).call_id == "call_nobody"

    rehearse({"hostile_words": "@1", "other_transcript": "@2"}, play)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("recording_private_ip", "http://169.254.169.254/recordings/"),
        ("recording_other_host", "http://recordings.invalid/recordings/"),
        ("recording_bad_name", "/recordings/../../../../etc/passwd?"),
        ("get:recording_private_ip", "http://localhost"),
    ],
)
def test_a_recordings_address_leads_where_nobody_should_go(name: str, says: str) -> None:
    async def play(day: Day) -> str:
        return (await day.client.get_recording(await day.finished())).url

    assert says in rehearse({name: 1}, play)


def test_a_recording_or_call_is_denied_by_its_code() -> None:
    async def play(day: Day) -> list[str]:
        ident = await day.finished()
        client = day.client
        return [(await failing(ask(ident))).code for ask in (client.get_call, client.get_recording)]

    assert rehearse({"call_not_found": 1, "recording_not_available": 1}, play) == [
        "call_not_found",
        "recording_not_available",
    ]


# --- how often ----------------------------------------------------------------------------------------------------


def hits(faults: dict[str, float | str], operations: list[str], seed: int = 1) -> list[int]:
    """Which of these requests (from 1) meet any fault."""
    tally = Tally(Plan.of(faults, seed), {})
    return [nth for nth, operation in enumerate(operations, 1) if tally.hits(operation, "", 0.0)]


@pytest.mark.parametrize(
    ("value", "hit"),
    [("@3", [3]), ("@3+", [3, 4, 5, 6]), ("@2-4", [2, 3, 4]), ("@1, @5-9", [1, 5, 6]), (1, [1, 2, 3, 4, 5, 6])],
)
def test_a_fault_hits_the_requests_it_is_told_to(value: float | str, hit: list[int]) -> None:
    assert hits({"reset_after": value}, ["create"] * 6) == hit


def test_a_fault_counts_only_what_it_applies_to() -> None:
    asked = ["list", "create", "get", "list", "create", "audio"]
    assert hits({"reset_after": "@2"}, asked) == [5]
    assert hits({"list:reset_after": "@2"}, asked) == [4]
    assert hits({"any:reset_after": "@3+"}, asked) == [3, 4, 5]
    assert hits({"recording_404": 1}, asked) == [6]


def test_chance_is_as_large_as_it_says_and_the_same_for_the_same_seed() -> None:
    asked = ["create"] * 4000
    found = hits({"no_available_slots": 0.95}, asked)
    assert 0.93 < len(found) / 4000 < 0.97
    assert found == hits({"no_available_slots": 0.95}, asked)
    assert found != hits({"no_available_slots": 0.95}, asked, seed=2)


@pytest.mark.parametrize(
    ("text", "value", "says"),
    [
        ("reset_aftr", True, "there is no fault 'reset_aftr'; did you mean 'reset_after'?"),
        ("zzz", True, "there is no fault 'zzz'; dialer sandbox --script lists them all"),
        ("lst:html_200", True, "there is no operation 'lst'; did you mean 'list'?"),
        (":html_200", True, "there is no operation ''; known here: create, list"),
        ("create:page_ignored", True, "page_ignored is a fault of list, not of create"),
        ("dns", "0.5", "dns is in the address that is printed: it takes no operation and no value"),
        ("get:tls", True, "tls is in the address that is printed"),
        *(
            ("reset_after", value, "is neither a chance above 0 and up to 1 nor like @7, @7+ or @7-12")
            for value in (0, -0.1, 1.5, "nan", "x", "@0", "@-3", "@3-2", "@x", "0.1,@", float("inf"))
        ),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_line(text: str, value: float | str | bool, says: str) -> None:
    with pytest.raises(ValueError, match=r"^.") as caught:
        parse(text, value)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(), st.one_of(st.booleans(), st.integers(), st.floats(), st.text("@0123456789.+-,e x")))
def test_nonsense_is_a_mistake_of_the_user_and_never_one_of_ours(text: str, value: float | str | bool) -> None:
    for name in (text, "reset_after", f"{text}:reset_after", f"get:{text}"):
        with suppress(ValueError):
            assert all(rule.first >= 1 and 0 < rule.share <= 1 for rule in parse(name, value))


def test_a_campaign_file_is_told_where_its_fault_is_wrong() -> None:
    with pytest.raises(UserError) as caught:
        sandbox_rules({"faults": {"reset_aftr": 0.1}}, "campaign.toml: sandbox.")
    assert str(caught.value) == (
        "campaign.toml: sandbox.faults: 'reset_aftr': there is no fault 'reset_aftr'; did you mean 'reset_after'?"
    )


# --- as a program -------------------------------------------------------------------------------------------------


def test_the_embedded_sandbox_has_its_bad_days_too_and_its_store_knows_the_truth(tmp_path: Path) -> None:
    store = tmp_path / "calls.jsonl"

    async def scene() -> list[Call | ApiError]:
        rules = SandboxRules(faults={"reset_after": "@1", "reset_before": "@2"})
        async with embedded(rules, store) as url, CallsClient(url, SecretStr(KEY)) as client:
            found: list[Call | ApiError] = []
            for _ in range(3):
                try:
                    found.append(await client.create_call(NewCall(agent_id="a", phone_number=PHONE)))
                except ApiError as error:
                    found.append(error)
            return found

    first, second, third = anyio.run(scene)
    assert (type(first), type(second)) == (NoAnswer, NoAnswer)
    assert isinstance(third, Call)
    exchange = Exchange()
    assert CallStore(store).load(exchange, time.time()) == 2
    assert third.id in exchange.calls


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_sandbox_that_hangs_on_purpose_stops_at_once_when_asked(asked: signal.Signals) -> None:
    command = [*DIALER, "sandbox", "--port", "0", "--fault", "any:timeout_before", "--fault", "refused=@2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}/calls", timeout=0.2, trust_env=False)
        started = time.monotonic()
        process.send_signal(asked)
        _, said = process.communicate(timeout=10)
        assert time.monotonic() - started < 2
        assert (process.returncode, said) == (0, "")
    finally:
        process.kill()
        process.communicate()


def test_flags_switch_faults_on_and_may_repeat() -> None:
    with sandbox_process("--fault", "list:error_500_before=@1", "--fault", "list:error_500_before=@3") as url:
        codes = [
            httpx.get(f"{url}/calls", headers={"Authorization": "Bearer k"}, trust_env=False).status_code
            for _ in range(4)
        ]
    assert codes == [500, 200, 500, 200]


def test_the_script_lists_every_fault_and_an_unknown_one_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "--script"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for fault in FAULTS.values():
        assert any(line.split()[:2] == [f"F{fault.row}", fault.name] for line in lines), fault.name
    assert main(["sandbox", "--fault", "late_200=0.1"]) == 2
    said = capsys.readouterr().err
    assert said == "dialer: --fault late_200=0.1: there is no fault 'late_200'; did you mean 'late_201'?\n"
