"""The sandbox speaks as the specification does, and each of its switches turns what it says it turns.

How: the client talks to the application in this process; time is a number that the test moves.
"""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import httpx
import pytest
from pydantic import SecretStr

from dialer.client import CallsClient
from dialer.client.headers import AnswerNote
from dialer.core.errors import ApiError, ContactNever, Gone, MendCampaign, NoAnswer, TryLater
from dialer.core.wire import Call, CallStatus, NewCall
from dialer.rehearsal.answers import SandboxRules
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.sandbox import Sandbox
from dialer.rehearsal.script import SCRIPT
from dialer.rehearsal.store import CallStore

SAMPLES: Final = Path(__file__).parents[1] / "client" / "spec_samples"
URL: Final = "http://127.0.0.1/v1"
START: Final = datetime(2024, 1, 15, 14, 30, tzinfo=UTC).timestamp()
LONG_S: Final = 3600.0
"""Longer than any call that ends by itself."""
TALKS, BUSY, NEVER, VOICEMAIL, FAILS = (f"+1212555010{last}" for last in (0, 2, 4, 5, 6))
REFUSED, STUCK, ODD = (f"+1212555010{last}" for last in (7, 8, 9))
LATE, SILENT, STORM = (f"+1212555011{last}" for last in (0, 1, 2))

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Rehearsal:
    """A sandbox, a client that talks to it, and the time."""

    rules: SandboxRules
    at: float = START
    key: str = "test-key"
    timeout_s: float = 5.0
    store: Path | None = None
    notes: list[AnswerNote] = field(default_factory=list)
    sandbox: Sandbox = field(init=False)
    client: CallsClient = field(init=False)

    def __post_init__(self) -> None:
        exchange = Exchange(self.rules)
        if self.store is not None:
            CallStore(self.store).load(exchange, self.at)
        self.sandbox = Sandbox(exchange, self.rules, self.now)
        self.client = CallsClient(
            URL,
            SecretStr(self.key),
            timeout_s=self.timeout_s,
            transport=httpx.ASGITransport(app=self.sandbox.app),
            on_note=self.notes.append,
            now=self.now,
        )

    def now(self) -> float:
        return self.at

    async def dial(self, phone: str = TALKS, agent: str = "agent_1", **more: Any) -> Call:
        return await self.client.create_call(NewCall(agent_id=agent, phone_number=phone, **more))

    async def refused_dial(self, phone: str = TALKS, agent: str = "agent_1") -> ApiError:
        return await failing(self.dial(phone, agent))

    async def listed(self, **filters: Any) -> list[str]:
        return [call.id async for page in self.client.pages(**filters) for call in page.calls]

    async def ask(self, method: str, path: str, body: object = None, key: str | None = "test-key") -> httpx.Response:
        """One request as any other program would send it. A path with a host goes there, without the key."""
        headers = {} if key is None or "://" in path else {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self.sandbox.app)) as http:
            url = path if "://" in path else URL + path
            return await http.request(method, url, json=body, headers=headers)


async def failing(ask: Awaitable[object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await ask
    return caught.value


def rehearse(play: Callable[[Rehearsal], Awaitable[Answer]], stage: Rehearsal | None = None, **rules: Any) -> Answer:
    """What a play comes to, on a stage with these rules."""
    scene = stage or Rehearsal(SandboxRules(**rules))

    async def main() -> Answer:
        async with scene.client:
            return await play(scene)

    return anyio.run(main)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())["data"]


# --- the specification's own words --------------------------------------------------------------------------------


def alike(shown: Any, promised: Any, *, may_be_null: tuple[str, ...] = ()) -> None:
    """The very keys of the specification, and values of its kinds."""
    assert set(shown) == set(promised)
    for name, value in promised.items():
        if value is not None and not (name in may_be_null and shown[name] is None):
            kinds = (int, float) if isinstance(value, int | float) else type(value)
            assert isinstance(shown[name], kinds), name


def test_every_answer_has_the_very_fields_of_the_specification() -> None:
    async def play(scene: Rehearsal) -> None:
        order = {
            "agent_id": "agent_1",
            "phone_number": TALKS,
            "contact": {"first_name": "John", "last_name": "Smith"},
            "metadata": {"attempt_id": "a-1"},
        }
        created = await scene.ask("POST", "/calls", order)
        assert created.status_code == 201
        alike(created.json()["data"], sample("create"))
        assert created.json()["data"]["created_at"] == "2024-01-15T14:30:00Z"
        path = f"/calls/{created.json()['data']['id']}"

        live = (await scene.ask("GET", "/calls")).json()
        alike(live["data"][0], sample("list")[0], may_be_null=("duration", "sentiment", "cost"))
        scene.at += LONG_S
        listed = (await scene.ask("GET", "/calls")).json()
        alike(listed["data"][0], sample("list")[0])
        assert set(listed) == {"data", "meta"}
        assert listed["meta"] == {"total": 1, "page": 1, "per_page": 20}

        got = (await scene.ask("GET", path)).json()["data"]
        alike(got, sample("get"))
        for turn in got["transcript"]:
            alike(turn, sample("get")["transcript"][0])
        alike((await scene.ask("GET", f"{path}/recording")).json()["data"], sample("recording"))
        said = (await scene.ask("GET", f"{path}/transcript")).json()["data"]
        alike(said, sample("transcript"))
        assert said["transcript"] == got["transcript"]
        alike((await scene.ask("POST", f"{path}/end")).json()["data"], sample("end"))
        token = (await scene.ask("POST", "/calls/web-token", {"agent_id": "agent_1", "expires_in": 60})).json()["data"]
        alike(token, sample("web_token"))
        assert token["token"].startswith("wct_")
        assert token["expires_at"] == "2024-01-15T15:31:00Z"

    rehearse(play, echo="none")


def test_an_error_has_the_very_fields_of_the_documentation() -> None:
    async def play(scene: Rehearsal) -> httpx.Response:
        return await scene.ask("GET", "/calls/call_none")

    answer = rehearse(play)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "status"}
    assert (error["code"], error["status"]) == ("call_not_found", 404)


def test_the_client_reads_all_seven_operations_of_the_sandbox() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial(contact={"first_name": "Ann"})
        assert (made.status, made.phone_number, made.agent_id) == (CallStatus.INITIATING, TALKS, "agent_1")
        assert made.created_at == datetime.fromtimestamp(START, UTC)
        scene.at += LONG_S
        found = await scene.client.get_call(made.id)
        assert (found.status, found.contact) == (CallStatus.COMPLETED, {"first_name": "Ann"})
        assert found.duration_s is not None
        assert found.created_at is not None
        assert found.ended_at is not None
        rung = (found.ended_at - found.created_at).total_seconds()
        assert 0 < found.duration_s < rung
        assert found.cost == pytest.approx(found.duration_s * 0.45 / 245, abs=0.005)
        assert [call.id for call in (await scene.client.list_calls()).calls] == [made.id]
        assert (await scene.client.get_recording(made.id)).duration_s == found.duration_s
        assert (await scene.client.get_transcript(made.id)).transcript
        assert (await scene.client.create_web_token("agent_1")).token
        assert (await scene.client.end_call(made.id)).ended

    rehearse(play)


# --- what is refused ----------------------------------------------------------------------------------------------


def test_a_full_house_refuses_until_somebody_hangs_up() -> None:
    async def play(scene: Rehearsal) -> None:
        first, _ = await scene.dial(STUCK), await scene.dial(STUCK)
        error = await scene.refused_dial()
        assert (type(error), error.code, error.http_status) == (TryLater, "no_available_slots", 429)
        await scene.client.end_call(first.id)
        assert (await scene.dial()).id
        assert len(await scene.listed()) == 3

    rehearse(play, slots=2)


def test_other_users_of_the_account_take_lines_at_times() -> None:
    async def play(scene: Rehearsal) -> set[int]:
        placed: set[int] = set()
        for _ in range(12):
            here = 0
            while here < 6:
                try:
                    await scene.dial()
                except TryLater:
                    break
                here += 1
            placed.add(here)
            scene.at += LONG_S
        return placed

    assert len(rehearse(play, slots=5, others=5)) > 1
    assert rehearse(play, slots=5) == {5}


def test_an_agent_nobody_has_is_not_found() -> None:
    async def play(scene: Rehearsal) -> list[ApiError]:
        return [
            await scene.refused_dial(agent="agent_missing"),
            await failing(scene.client.create_web_token("agent_missing")),
        ]

    assert {(type(error), error.code) for error in rehearse(play)} == {(MendCampaign, "agent_not_found")}


def test_where_agents_are_named_no_other_exists() -> None:
    async def play(scene: Rehearsal) -> str:
        assert (await scene.dial(agent="agent_b")).id
        return (await scene.refused_dial(agent="agent_1")).code

    assert rehearse(play, agents=("agent_a", "agent_b")) == "agent_not_found"


@pytest.mark.parametrize(("speed", "sleeps_s"), [(1.0, 60.0), (10.0, 6.0)])
def test_a_sleepy_agent_is_not_ready_for_a_while(speed: float, sleeps_s: float) -> None:
    async def play(scene: Rehearsal) -> None:
        for wait_s in (0.0, sleeps_s / 2, sleeps_s / 2 - 0.5):
            scene.at += wait_s
            error = await scene.refused_dial(agent="agent_sleepy")
            assert (type(error), error.code) == (TryLater, "agent_not_ready")
        scene.at += 0.6
        assert (await scene.dial(agent="agent_sleepy")).id

    rehearse(play, speed=speed)


@pytest.mark.parametrize("phone", [REFUSED, "12125550100", "+0125550100", "+1212", "+1 212 555 0100", "+" + "1" * 16])
def test_a_number_that_is_none_is_refused_for_ever(phone: str) -> None:
    async def play(scene: Rehearsal) -> ApiError:
        error = await scene.refused_dial(phone)
        assert await scene.listed() == []
        return error

    error = rehearse(play)
    assert (type(error), error.code) == (ContactNever, "invalid_phone_number")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"agent_id": "agent_1"},
        {"phone_number": TALKS},
        {"agent_id": "", "phone_number": TALKS},
        {"agent_id": 5, "phone_number": TALKS},
        {"agent_id": "agent_1", "phone_number": TALKS, "contact": "John"},
        {"agent_id": "agent_1", "phone_number": TALKS, "metadata": [1]},
    ],
)
def test_an_order_that_lacks_something_is_an_invalid_request(body: object) -> None:
    async def play(scene: Rehearsal) -> httpx.Response:
        return await scene.ask("POST", "/calls", body)

    answer = rehearse(play)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=-1", "from_date=yesterday", "to_date=2024-99-01"])
def test_a_list_asked_for_with_nonsense_is_an_invalid_request(query: str) -> None:
    async def play(scene: Rehearsal) -> httpx.Response:
        return await scene.ask("GET", f"/calls?{query}")

    assert rehearse(play).json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [(None, 401, "unauthorized"), ("wrong-key", 401, "unauthorized"), ("forbidden-key", 403, "forbidden")],
)
def test_a_wrong_key_opens_nothing(key: str | None, status: int, code: str) -> None:
    async def play(scene: Rehearsal) -> list[httpx.Response]:
        return [
            await scene.ask(method, path, {"agent_id": "agent_1", "phone_number": TALKS}, key=key)
            for method, path in (
                *(("GET", "/calls"), ("POST", "/calls"), ("POST", "/calls/web-token"), ("GET", "/calls/call_1")),
                *(("POST", "/calls/x/end"), ("GET", "/calls/x/recording"), ("GET", "/calls/x/transcript")),
            )
        ]

    answers = rehearse(play)
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in answers} == {(status, code)}


@pytest.mark.parametrize("key", ["wrong-key", "forbidden-key"])
def test_a_wrong_key_is_the_campaigns_to_mend(key: str) -> None:
    error = rehearse(Rehearsal.refused_dial, Rehearsal(SandboxRules(), key=key))
    assert type(error) is MendCampaign


def test_what_does_not_exist_is_gone() -> None:
    async def play(scene: Rehearsal) -> list[tuple[type[ApiError], str]]:
        client = scene.client
        asked = (client.get_call("x"), client.end_call("x"), client.get_recording("x"), client.get_transcript("x"))
        errors = [await failing(ask) for ask in asked]
        assert (await scene.ask("GET", "/nothing")).json()["error"]["code"] == "not_found"
        assert (await scene.ask("DELETE", "/calls")).json()["error"]["code"] == "not_found"
        return [(type(error), error.code) for error in errors]

    assert rehearse(play) == [(Gone, "call_not_found")] * 4


# --- the scripted numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phone", [phone for phone, part in SCRIPT.items() if not (part.refuses or part.stuck)])
def test_a_scripted_number_ends_as_the_table_says(phone: str) -> None:
    part = SCRIPT[phone]

    async def play(scene: Rehearsal) -> list[str]:
        ends: list[str] = []
        for _ in range(len(part.ends) + 1):
            if part.silent and not ends:
                scene.sandbox.exchange.create("agent_1", phone, None, None, scene.at)
                scene.at += LONG_S
                ends.append((await scene.client.get_call((await scene.listed())[0])).status)
                continue
            if part.storm and not ends:
                await scene.refused_dial(phone)
            made = await scene.dial(phone)
            scene.at += LONG_S
            ends.append((await scene.client.get_call(made.id)).status)
        return ends

    assert rehearse(play) == [*part.ends, part.ends[-1]]


def test_a_call_rings_and_talks_before_it_ends_and_never_goes_back() -> None:
    async def play(scene: Rehearsal) -> list[str]:
        made = await scene.dial()
        seen = [made.status]
        for _ in range(200):
            scene.at += 1.0
            found = await scene.client.get_call(made.id)
            if found.status != seen[-1]:
                seen.append(found.status)
            assert found.ended == (found.duration_s is not None) == (found.ended_at is not None)
        return seen

    assert rehearse(play) == ["initiating", "ringing", "in_progress", "completed"]


def test_somebody_who_never_hangs_up_talks_until_the_call_is_ended() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial(STUCK)
        scene.at += 10 * LONG_S
        assert (await scene.client.get_call(made.id)).status == CallStatus.IN_PROGRESS
        ended = await scene.client.end_call(made.id)
        assert (ended.status, ended.ended_at) == (CallStatus.COMPLETED, datetime.fromtimestamp(scene.at, UTC))
        scene.at += 5
        found = await scene.client.get_call(made.id)
        assert (found.status, found.ended_at) == (CallStatus.COMPLETED, ended.ended_at)
        assert found.duration_s is not None
        assert 10 * LONG_S - 10 < found.duration_s < 10 * LONG_S

    rehearse(play)


def test_a_call_ended_while_it_rings_was_answered_by_nobody() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial()
        scene.at += 1.5
        assert (await scene.client.end_call(made.id)).status == CallStatus.NO_ANSWER
        error = await failing(scene.client.get_recording(made.id))
        assert (type(error), error.code) == (Gone, "recording_not_available")

    rehearse(play)


@pytest.mark.parametrize("end_twice", ["ok", "error"])
def test_ending_a_call_twice_is_as_the_switch_says(end_twice: str) -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial(STUCK)
        scene.at += 60
        ended = await scene.client.end_call(made.id)
        scene.at += 60
        if end_twice == "ok":
            assert (await scene.client.end_call(made.id)).ended_at == ended.ended_at
        else:
            assert (await failing(scene.client.end_call(made.id))).code == "invalid_request"

    rehearse(play, end_twice=end_twice)


def test_a_status_nobody_knows_shows_half_way_and_the_call_still_ends() -> None:
    async def play(scene: Rehearsal) -> list[str]:
        made = await scene.dial(ODD)
        seen: list[str] = []
        for _ in range(240):
            scene.at += 1.0
            seen.append((await scene.client.get_call(made.id)).status)
        return list(dict.fromkeys(seen))

    assert rehearse(play) == ["ringing", "in_progress", "transferring", "completed"]


@pytest.mark.parametrize(("phone", "rules"), [(LATE, {}), (TALKS, {"details_lag": 20.0})], ids=["scripted", "switch"])
def test_length_and_cost_may_come_a_while_after_the_end(phone: str, rules: dict[str, Any]) -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial(phone)
        while not (found := await scene.client.get_call(made.id)).ended:
            scene.at += 1.0
        assert (found.duration_s, found.cost, found.sentiment) == (None, None, None)
        scene.at += 20.0
        found = await scene.client.get_call(made.id)
        assert None not in {found.duration_s, found.cost, found.sentiment}

    rehearse(play, **rules)


def test_a_create_that_is_placed_and_never_answered_stands_in_the_list() -> None:
    async def play(scene: Rehearsal) -> None:
        assert type(await scene.refused_dial(SILENT)) is NoAnswer
        assert len(await scene.listed()) == 1
        scene.at += LONG_S
        assert (await scene.dial(SILENT)).id
        assert len(await scene.listed()) == 2

    rehearse(play, Rehearsal(SandboxRules(), timeout_s=0.2))


def test_a_create_that_is_answered_500_once_was_not_placed() -> None:
    async def play(scene: Rehearsal) -> None:
        error = await scene.refused_dial(STORM)
        assert (type(error), error.code, error.http_status) == (NoAnswer, "server_error", 500)
        assert await scene.listed() == []
        assert (await scene.dial(STORM)).id

    rehearse(play)


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "wait_s"), [("seconds", 50.0), ("date", 50.0), ("none", None)])
def test_whoever_asks_too_often_is_told_when_to_come_back(how: str, wait_s: float | None) -> None:
    async def play(scene: Rehearsal) -> None:
        for _ in range(3):
            await scene.client.list_calls()
        scene.at += 10.0
        error = await scene.refused_dial()
        assert isinstance(error, TryLater)
        assert (error.code, error.http_status, error.retry_after_s) == ("rate_limited", 429, wait_s)
        scene.at += 49.0
        assert (await scene.refused_dial()).code == "rate_limited"
        scene.at += 1.5
        assert (await scene.dial()).id

    rehearse(play, requests_per_minute=3, retry_after=how)


@pytest.mark.parametrize("family", ["x", "plain"])
def test_limit_headers_ask_for_silence_when_nothing_is_left(family: str) -> None:
    async def play(scene: Rehearsal) -> list[float | None]:
        await scene.client.list_calls()
        scene.at += 20.0
        await scene.client.list_calls()
        return [note.hold_s for note in scene.notes]

    assert rehearse(play, requests_per_minute=2, limit_headers=family) == [None, 40.0]
    assert rehearse(play, requests_per_minute=2) == [None, None]


def test_the_quota_of_a_day_comes_back_at_midnight() -> None:
    async def play(scene: Rehearsal) -> None:
        await scene.listed()
        await scene.listed()
        error = await failing(scene.listed())
        assert isinstance(error, TryLater)
        assert error.retry_after_s == 900.0
        scene.at += 9.5 * 3600 - 1
        assert (await failing(scene.listed())).code == "rate_limited"
        scene.at += 1
        await scene.listed()

    rehearse(play, requests_per_day=2)


def test_the_date_of_every_answer_is_the_sandboxs_clock() -> None:
    async def play(scene: Rehearsal) -> list[AnswerNote]:
        await scene.listed()
        await scene.refused_dial(REFUSED)
        return scene.notes

    assert rehearse(play) == [AnswerNote(0.0, 1.0)] * 2


# --- the list -----------------------------------------------------------------------------------------------------


def test_pages_are_cut_and_counted_as_asked() -> None:
    async def play(scene: Rehearsal) -> None:
        made = []
        for _ in range(7):
            made.append((await scene.dial()).id)
            scene.at += 1.0
        page = await scene.client.list_calls(page=2, per_page=3)
        assert (page.total, page.page, page.per_page) == (7, 2, 3)
        assert [call.id for call in page.calls] == made[::-1][3:6]
        assert (await scene.client.list_calls(page=4, per_page=3)).calls == ()
        assert await scene.listed(per_page=3) == made[::-1]
        assert (await scene.client.list_calls(per_page=100)).per_page == 5
        assert await scene.listed(per_page=100) == made[::-1]

    rehearse(play, per_page_most=5)


@pytest.mark.parametrize("order", ["newest", "oldest", "random"])
def test_the_list_is_in_the_order_of_the_switch(order: str) -> None:
    async def play(scene: Rehearsal) -> tuple[list[str], list[str]]:
        made = []
        for _ in range(12):
            made.append((await scene.dial()).id)
            scene.at += 1.0
        return made, await scene.listed()

    made, listed = rehearse(play, order=order)
    assert sorted(listed) == sorted(made)
    assert (listed == made, listed == made[::-1]) == (order == "oldest", order == "newest")


def test_filters_keep_what_was_asked_for() -> None:
    async def play(scene: Rehearsal) -> None:
        one, two = await scene.dial(agent="agent_1"), await scene.dial(agent="agent_2")
        busy, never = await scene.dial(BUSY), await scene.dial(NEVER)
        assert await scene.listed(status="completed") == []
        scene.at += LONG_S
        stuck = await scene.dial(STUCK)
        assert await scene.listed(agent_id="agent_2") == [two.id]
        assert set(await scene.listed(status="completed")) == {one.id, two.id}
        assert await scene.listed(status="busy") == [busy.id]
        assert await scene.listed(status="no_answer", agent_id="agent_1") == [never.id]
        assert await scene.listed(status="initiating") == [stuck.id]
        assert len(await scene.listed(direction="outbound")) == 5
        assert await scene.listed(direction="inbound") == []
        assert await scene.listed(direction="web") == []
        assert await scene.listed(campaign_id="camp_1") == []
        assert (await scene.client.list_calls(status="busy")).total == 1
        mood = (await scene.client.get_call(one.id)).sentiment
        assert mood
        assert one.id in await scene.listed(sentiment=mood)
        other = next(word for word in ("positive", "neutral", "negative") if word != mood)
        assert one.id not in await scene.listed(sentiment=other)

    rehearse(play)


def test_nobodys_mood_is_known_while_they_still_talk() -> None:
    async def play(scene: Rehearsal) -> list[list[str]]:
        await scene.dial()
        assert (await scene.client.list_calls()).calls[0].sentiment is None
        return [await scene.listed(sentiment=mood) for mood in ("positive", "neutral", "negative", "flagged")]

    assert rehearse(play) == [[], [], [], []]


@pytest.mark.parametrize("inclusive", [True, False])
def test_dates_bound_the_list_with_or_without_their_own_moment(inclusive: bool) -> None:
    async def play(scene: Rehearsal) -> None:
        made = []
        for _ in range(4):
            made.append((await scene.dial()).id)
            scene.at += 10.0
        moments = [datetime.fromtimestamp(START, UTC) + timedelta(seconds=10 * nth) for nth in range(4)]
        edge = 0 if inclusive else 1
        assert await scene.listed(from_date=moments[1]) == made[1 + edge :][::-1]
        assert await scene.listed(to_date=moments[2]) == made[: 3 - edge][::-1]
        between = await scene.listed(from_date=moments[0], to_date=moments[3])
        assert between == made[edge : 4 - edge][::-1]
        assert await scene.listed(from_date=moments[3] + timedelta(hours=1)) == []

    rehearse(play, inclusive=inclusive)


def test_a_list_that_ignores_filters_shows_everything() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial()
        later = datetime.fromtimestamp(START, UTC) + timedelta(days=1)
        assert await scene.listed(agent_id="agent_2", status="busy", direction="inbound", from_date=later) == [made.id]

    rehearse(play, filters=False)


def test_a_new_call_shows_in_the_list_only_after_the_lag() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial()
        scene.at += 29.0
        assert await scene.listed() == []
        assert (await scene.client.get_call(made.id)).id == made.id
        scene.at += 1.0
        assert await scene.listed() == [made.id]

    rehearse(play, lag=30.0)


# --- the other switches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("echo", "in_get", "in_list"), [("none", 0, 0), ("get", 1, 0), ("both", 1, 1)])
def test_metadata_comes_back_where_the_switch_says(echo: str, in_get: bool, in_list: bool) -> None:
    sent = {"attempt_id": "a-1", "campaign": "c"}

    async def play(scene: Rehearsal) -> None:
        made = await scene.dial(metadata=sent)
        assert made.metadata is None
        assert (await scene.client.get_call(made.id)).metadata == (sent if in_get else None)
        assert (await scene.client.list_calls()).calls[0].metadata == (sent if in_list else None)

    rehearse(play, echo=echo)


def test_a_code_comes_under_the_http_status_of_the_switch_and_means_the_same() -> None:
    async def play(scene: Rehearsal) -> list[tuple[type[ApiError], int | None]]:
        errors = [await scene.refused_dial(), await scene.refused_dial(REFUSED)]
        return [(type(error), error.http_status) for error in errors]

    statuses = {"no_available_slots": 503, "invalid_phone_number": 200}
    assert rehearse(play, slots=0, status_of=statuses) == [(TryLater, 503), (ContactNever, 200)]


@pytest.mark.parametrize(
    ("shape", "keys"),
    [("object", {"error"}), ("text", {"error", "message"}), ("flat", {"code", "message"}), ("list", {"errors"})],
)
def test_errors_look_as_the_switch_says_and_mean_the_same(shape: str, keys: set[str]) -> None:
    async def play(scene: Rehearsal) -> None:
        assert set((await scene.ask("GET", "/calls/x")).json()) == keys
        assert set((await scene.ask("GET", "/nowhere")).json()) == keys
        error = await scene.refused_dial(REFUSED)
        assert (type(error), error.code, error.http_status) == (ContactNever, "invalid_phone_number", 422)
        assert REFUSED not in error.message, "numbers stay out of messages"
        assert REFUSED[-4:] in error.message

    rehearse(play, error_shape=shape)


def test_the_newer_spelling_is_written_and_read_as_the_same_call() -> None:
    async def play(scene: Rehearsal) -> Call:
        made = await scene.dial(contact={"id": "contact_1", "first_name": "Ann"})
        assert (made.status, made.created_at) == (CallStatus.INITIATING, datetime.fromtimestamp(START, UTC))
        scene.at += LONG_S
        shown = (await scene.ask("GET", f"/calls/{made.id}")).json()["data"]
        listed = (await scene.ask("GET", "/calls")).json()["data"][0]
        for names in (set(shown), set(listed)):
            new = {"call_status", "duration_seconds", "start_timestamp", "contact_id"}
            assert (names & new == new) == (scene.rules.spelling == "new")
            assert ({"status", "duration", "created_at"} <= names) == (scene.rules.spelling == "old")
        return await scene.client.get_call(made.id)

    old, new = rehearse(play), rehearse(play, spelling="new")
    assert new.contact_id == "contact_1"
    assert new.model_copy(update={"contact_id": None}) == old


def test_a_faster_network_makes_shorter_calls_of_the_same_length() -> None:
    async def play(scene: Rehearsal) -> tuple[float, float | None]:
        made = await scene.dial()
        while not (found := await scene.client.get_call(made.id)).ended:
            scene.at += 0.1
        return scene.at - START, found.duration_s

    (slow_s, slow_talk), (fast_s, fast_talk) = rehearse(play), rehearse(play, speed=10.0)
    assert slow_talk == fast_talk
    assert fast_s == pytest.approx(slow_s / 10, abs=0.2)


# --- recordings ---------------------------------------------------------------------------------------------------


def test_a_recording_plays_for_as_long_as_the_call_was_and_needs_no_key() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial()
        scene.at += LONG_S
        found = await scene.client.get_recording(made.id)
        assert httpx.URL(found.url).host != httpx.URL(URL).host
        answer = await scene.ask("GET", found.url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
        assert "authorization" not in answer.request.headers
        with wave.open(io.BytesIO(answer.content)) as audio:
            assert (audio.getnchannels(), audio.getframerate()) == (1, 8000)
            assert audio.getnframes() / audio.getframerate() == found.duration_s
            assert len(set(audio.readframes(8000))) > 10

    rehearse(play)


def test_a_recordings_address_expires_and_a_new_one_plays_again() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial()
        scene.at += LONG_S
        found = await scene.client.get_recording(made.id)
        assert found.expires_at == datetime.fromtimestamp(scene.at + 3600, UTC)
        scene.at += 3600
        assert (await scene.ask("GET", found.url)).status_code == 200
        scene.at += 1
        assert (await scene.ask("GET", found.url)).status_code == 410
        again = await scene.client.get_recording(made.id)
        assert again.url != found.url
        assert (await scene.ask("GET", again.url)).status_code == 200

    rehearse(play)


def test_a_recordings_address_cannot_be_made_up() -> None:
    async def play(scene: Rehearsal) -> list[int]:
        made = await scene.dial()
        scene.at += LONG_S
        url = (await scene.client.get_recording(made.id)).url
        forged = [url[:-1] + ("0" if url[-1] != "0" else "1"), url.replace("expires=1", "expires=9"), url.split("?")[0]]
        return [(await scene.ask("GET", address)).status_code for address in forged]

    assert rehearse(play) == [404, 404, 404]


@pytest.mark.parametrize("phone", [BUSY, NEVER, FAILS, STUCK])
def test_a_call_without_talk_or_end_has_no_recording(phone: str) -> None:
    async def play(scene: Rehearsal) -> ApiError:
        made = await scene.dial(phone)
        scene.at += LONG_S
        assert (await scene.client.get_transcript(made.id)).transcript == ()
        return await failing(scene.client.get_recording(made.id))

    error = rehearse(play)
    assert (type(error), error.code) == (Gone, "recording_not_available")


def test_a_message_left_on_a_machine_is_recorded() -> None:
    async def play(scene: Rehearsal) -> None:
        made = await scene.dial(VOICEMAIL)
        scene.at += LONG_S
        assert (await scene.client.get_recording(made.id)).duration_s
        assert [turn.speaker for turn in (await scene.client.get_transcript(made.id)).transcript] == ["agent"]

    rehearse(play)


# --- seeds and restarts -------------------------------------------------------------------------------------------


def outcomes(seed: int) -> list[tuple[str, str, float | None, str | None]]:
    async def play(scene: Rehearsal) -> list[tuple[str, str, float | None, str | None]]:
        for nth in range(40):
            await scene.dial(f"+1415555{nth:04d}")
            scene.at += 7.0
        scene.at += LONG_S
        page = await scene.client.list_calls()
        return [(call.id, call.status, call.duration_s, call.sentiment) for call in page.calls]

    return rehearse(play, seed=seed, slots=100)


def test_the_same_seed_tells_the_same_story_and_another_tells_another() -> None:
    first = outcomes(7)
    assert first == outcomes(7)
    assert first != outcomes(8)
    assert len({status for _, status, _, _ in first}) >= 3


async def restarted(scene: Rehearsal) -> list[Call]:
    return [await scene.client.get_call(ident) for ident in await scene.listed()]


def test_a_restart_forgets_no_call(tmp_path: Path) -> None:
    store = tmp_path / "sandbox" / "calls.jsonl"
    first = Rehearsal(SandboxRules(slots=3), store=store)

    async def before(scene: Rehearsal) -> list[Call]:
        await scene.dial(contact={"first_name": "Ann"}, metadata={"attempt_id": "a-1"})
        await scene.dial("+12125550101")
        scene.at += 20
        await scene.client.end_call((await scene.dial(STUCK)).id)
        await scene.dial(STUCK)
        scene.at += LONG_S
        return await restarted(scene)

    told = rehearse(before, first)
    second = Rehearsal(SandboxRules(slots=3), at=first.at, store=store)

    async def after(scene: Rehearsal) -> None:
        assert await restarted(scene) == told
        assert len({call.id for call in told}) == 4
        again = await scene.dial("+12125550101")  # busy once: that once was before the restart
        assert again.id not in {call.id for call in told}
        await scene.dial(STUCK)
        assert (await scene.refused_dial()).code == "no_available_slots"
        scene.at += LONG_S
        assert (await scene.client.get_call(again.id)).status == CallStatus.COMPLETED

    rehearse(after, second)
    third = Rehearsal(SandboxRules(slots=3), at=second.at, store=store)
    assert len(rehearse(restarted, third)) == 6
    assert store.stat().st_mode & 0o077 == 0


def test_a_line_that_a_power_cut_tore_costs_that_call_and_no_later_one(tmp_path: Path) -> None:
    store = tmp_path / "calls.jsonl"
    rehearse(Rehearsal.dial, Rehearsal(SandboxRules(), store=store))
    with store.open("a") as file:
        file.write('{"id": "call_torn", "agent_')
    second = Rehearsal(SandboxRules(), store=store)
    made = rehearse(Rehearsal.dial, second)
    third = Rehearsal(SandboxRules(), store=store)
    assert made.id in rehearse(Rehearsal.listed, third)
