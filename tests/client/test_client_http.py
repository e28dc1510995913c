"""The client over real sockets: what it sends, what each answer means, and what no server can make it do.

How: a raw server answers with scripted bytes and remembers every byte it heard.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import pytest
from pydantic import SecretStr

from dialer.client import CallsClient
from dialer.client.headers import Allowance, AnswerNote, note, retry_after, wished_silence
from dialer.client.transport import CONNECTIONS
from dialer.core.errors import (
    ApiError,
    ContactNever,
    Gone,
    MendCampaign,
    NoAnswer,
    NotSent,
    Refused,
    TryLater,
)
from dialer.core.wire import Call, CallPage, NewCall
from tests.client.raw_server import (
    CLOSES_AFTER_READING,
    CLOSES_BEFORE_READING,
    NEVER_ANSWERS,
    RESETS_AFTER_READING,
    RESETS_BEFORE_READING,
    Behaviour,
    RawServer,
    answers,
    answers_after,
    drips,
    reply,
    says,
    serving,
    streams,
)

KEY: Final = "sk-canary-5d41402abc4b2a76b9719d91"
SAMPLES: Final = Path(__file__).parent / "spec_samples"
NEW: Final = NewCall(agent_id="agent_def456", phone_number="+12125550100")
PLACED: Final = {"data": {"id": "call_new789", "status": "initiating", "phone_number": "+12125550100"}}
NOON: Final = datetime(2024, 1, 15, 12, tzinfo=UTC).timestamp()
NOON_TEXT: Final = "Mon, 15 Jan 2024 12:00:00 GMT"

Answer = TypeVar("Answer")
Ask = Callable[[CallsClient], Awaitable[Answer]]


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_bytes())


def through(
    ask: Ask[Answer],
    *script: Behaviour,
    timeout_s: float = 10.0,
    on_note: Callable[[AnswerNote], None] | None = None,
    now: Callable[[], float] = time.time,
) -> tuple[Answer, RawServer]:
    """What a client makes of a server, and what the server heard."""

    async def main() -> tuple[Answer, RawServer]:
        async with (
            serving(*script) as server,
            CallsClient(server.url, SecretStr(KEY), timeout_s=timeout_s, on_note=on_note, now=now) as client,
        ):
            return await ask(client), server

    return anyio.run(main)


async def failing(ask: Awaitable[object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await ask
    return caught.value


def failure(ask: Ask[Any], *script: Behaviour, timeout_s: float = 10.0) -> tuple[ApiError, RawServer]:
    """The error a client makes of a server."""
    return through(lambda client: failing(ask(client)), *script, timeout_s=timeout_s)


def failed_create(*script: Behaviour, timeout_s: float = 10.0) -> ApiError:
    """The error of a create; whatever happened, it was sent once at most."""
    error, server = failure(create, *script, timeout_s=timeout_s)
    assert len(server.heard) <= 1
    assert server.connections <= 1
    return error


def failed_creates(*script: Behaviour) -> list[ApiError]:
    """The errors of one create for each answer; none is sent twice."""

    async def ask(client: CallsClient) -> list[ApiError]:
        return [await failing(create(client)) for _ in script]

    errors, server = through(ask, *script)
    assert len(server.heard) == len(script)
    return errors


async def create(client: CallsClient) -> Call:
    return await client.create_call(NEW)


async def look(client: CallsClient) -> Call:
    return await client.get_call("call_1")


async def listing(client: CallsClient) -> CallPage:
    return await client.list_calls()


# --- the seven operations -----------------------------------------------------------------------------------------


def test_a_list_asks_for_exactly_the_parameters_of_the_specification() -> None:
    moment = datetime(2024, 1, 15, 14, 30, tzinfo=UTC)

    async def ask(client: CallsClient) -> CallPage:
        return await client.list_calls(
            page=3,
            per_page=50,
            agent_id="agent_def456",
            campaign_id="camp_1",
            direction="outbound",
            status="no_answer",
            sentiment="neutral",
            from_date=moment,
            to_date=moment,
        )

    page, server = through(ask, answers(200, sample("list")))
    assert page.calls[0].id == "call_abc123"
    path, _, query = server.heard[0].target.partition("?")
    assert (server.heard[0].method, path, server.heard[0].body) == ("GET", "/v1/calls", b"")
    assert dict(pair.split("=") for pair in query.split("&")) == {
        "agent_id": "agent_def456",
        "campaign_id": "camp_1",
        "direction": "outbound",
        "status": "no_answer",
        "sentiment": "neutral",
        "from_date": "2024-01-15T14%3A30%3A00Z",
        "to_date": "2024-01-15T14%3A30%3A00Z",
        "page": "3",
        "per_page": "50",
    }


def test_a_list_without_wishes_asks_for_the_first_hundred_calls() -> None:
    _, server = through(listing, answers(200, sample("list")))
    assert server.heard[0].target == "/v1/calls?page=1&per_page=100"


def test_a_create_sends_the_body_of_the_specification() -> None:
    async def ask(client: CallsClient) -> Call:
        return await client.create_call(NewCall.model_validate(sample("create_request")))

    made, server = through(ask, answers(201, sample("create")))
    assert made.id == "call_new789"
    heard = server.heard[0]
    assert (heard.method, heard.target) == ("POST", "/v1/calls")
    assert heard.headers["content-type"] == "application/json"
    assert "idempotency-key" not in heard.headers
    assert json.loads(heard.body) == sample("create_request")


def test_a_create_carries_the_attempt_in_its_metadata_and_as_an_idempotency_key() -> None:
    async def ask(client: CallsClient) -> Call:
        return await client.create_call(NEW.model_copy(update={"metadata": {"attempt_id": "a-1"}}), attempt="a-1")

    _, server = through(ask, answers(201, sample("create")))
    assert server.heard[0].headers["idempotency-key"] == "a-1"
    assert json.loads(server.heard[0].body)["metadata"] == {"attempt_id": "a-1"}


def test_the_other_operations_go_where_the_specification_says() -> None:
    async def ask(client: CallsClient) -> None:
        assert (await client.get_call("call_abc123")).summary
        assert (await client.end_call("call_abc123")).ended
        assert (await client.get_recording("call_abc123")).url.endswith(".mp3")
        assert len((await client.get_transcript("call_abc123")).transcript) == 3
        assert (await client.create_web_token("agent_def456", expires_in_s=3600)).token.startswith("wct_")
        await client.create_web_token("agent_def456", metadata={"page": 1})

    names = ("get", "end", "recording", "transcript", "web_token", "web_token")
    _, server = through(ask, *(answers(200, sample(name)) for name in names))
    assert [(heard.method, heard.target) for heard in server.heard] == [
        ("GET", "/v1/calls/call_abc123"),
        ("POST", "/v1/calls/call_abc123/end"),
        ("GET", "/v1/calls/call_abc123/recording"),
        ("GET", "/v1/calls/call_abc123/transcript"),
        ("POST", "/v1/calls/web-token"),
        ("POST", "/v1/calls/web-token"),
    ]
    assert [heard.body for heard in server.heard[:4]] == [b""] * 4
    assert json.loads(server.heard[4].body) == sample("web_token_request")
    assert json.loads(server.heard[5].body) == {"agent_id": "agent_def456", "metadata": {"page": 1}}


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("list", lambda client: client.list_calls()),
        ("get", lambda client: client.get_call("call_1")),
        ("create", lambda client: client.create_call(NEW)),
        ("end", lambda client: client.end_call("call_1")),
        ("recording", lambda client: client.get_recording("call_1")),
        ("transcript", lambda client: client.get_transcript("call_1")),
        ("web_token", lambda client: client.create_web_token("agent_1")),
    ],
)
def test_every_operation_shows_the_key_and_asks_once(name: str, ask: Ask[Any]) -> None:
    _, server = through(ask, answers(200, sample(name)))
    assert len(server.heard) == 1
    assert server.heard[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.heard[0].headers["accept"] == "application/json"


# --- decision table 1 ---------------------------------------------------------------------------------------------

CODES: Final = [
    ("no_available_slots", TryLater),
    ("agent_not_ready", TryLater),
    ("rate_limited", TryLater),
    ("agent_not_found", MendCampaign),
    ("unauthorized", MendCampaign),
    ("forbidden", MendCampaign),
    ("not_found", MendCampaign),
    ("invalid_phone_number", ContactNever),
    ("invalid_request", ContactNever),
    ("call_not_found", Gone),
    ("recording_not_available", Gone),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_a_documented_code_means_the_same_under_every_http_status(code: str, kind: type[ApiError]) -> None:
    statuses = (200, 201, 302, 400, 401, 404, 408, 409, 422, 429, 500, 503)

    async def ask(client: CallsClient) -> list[ApiError]:
        return [await failing(create(client)) for _ in statuses]

    body = {"error": {"code": code, "message": "so it is", "status": 400}}
    errors, server = through(ask, *(answers(status, body) for status in statuses))
    assert [type(error) for error in errors] == [kind] * len(statuses)
    assert {(error.code, error.message) for error in errors} == {(code, "so it is")}
    assert [error.http_status for error in errors] == list(statuses)
    assert len(server.heard) == len(statuses)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "no_available_slots", "message": "full house"}},
        {"error": "no_available_slots", "message": "full house"},
        {"code": "no_available_slots", "message": "full house"},
        {"errors": [{"code": "no_available_slots", "message": "full house"}]},
        {"data": None, "error": {"code": "no_available_slots", "message": "full house"}},
    ],
)
def test_a_full_house_is_a_full_house_in_every_shape(body: object) -> None:
    for error in failed_creates(answers(200, body), answers(503, body)):
        assert (type(error), error.code, error.message) == (TryLater, "no_available_slots", "full house")


BARE: Final = [
    (400, ContactNever, "invalid_request"),
    (401, MendCampaign, "unauthorized"),
    (402, MendCampaign, "forbidden"),
    (403, MendCampaign, "forbidden"),
    (404, MendCampaign, "not_found"),
    (405, MendCampaign, "not_found"),
    (413, ContactNever, "invalid_request"),
    (415, ContactNever, "invalid_request"),
    (422, ContactNever, "invalid_request"),
    (429, TryLater, "rate_limited"),
    (307, MendCampaign, "not_found"),
    (308, MendCampaign, "not_found"),
]


@pytest.mark.parametrize("body", [b"<html>no</html>", {"message": "no"}], ids=["html", "json"])
def test_a_bare_refusal_proves_that_no_phone_rang(body: object) -> None:
    errors = failed_creates(*(answers(status, body, {"Location": "/v1/calls"}) for status, _, _ in BARE))
    assert [(error.http_status, type(error), error.code) for error in errors] == BARE
    assert all(isinstance(error, Refused) and error.message for error in errors)


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"<html>oh</html>", ""), ({"error": {"code": "server_error", "message": "oh"}}, "server_error")],
    ids=["html", "json"],
)
def test_any_other_answer_may_have_rung_a_phone(body: object, code: str) -> None:
    statuses = [300, 301, 302, 303, 406, 408, 409, 410, 418, 423, 425, 451, 500, 502, 503, 504, 599]
    headers = {"Location": "/v1/calls", "Retry-After": "5"}
    errors = failed_creates(*(answers(status, body, headers) for status in statuses))
    expected = [(status, NoAnswer, code) for status in statuses]
    assert [(error.http_status, type(error), error.code) for error in errors] == expected


def test_a_yes_that_cannot_be_read_may_have_rung_a_phone() -> None:
    bodies = [
        b"",
        b'{"data": {"id": "call_new789", "sta',
        b"<html>OK</html>",
        b"[]",
        b"null",
        b"17",
        b"{}",
        b'{"data": null}',
        b'{"data": []}',
        b'{"data": {"status": "initiating"}}',
        b'{"data": {"id": null}}',
        b'{"data": {"id": "../../x"}}',
        b'{"data": {"id": "call new"}}',
        b'{"error": {"code": "server_error", "message": "oh"}}',
        b'{"error": {"code": "brand_new_code"}}',
        b"[" * 100_000,
        '{"data": {"id": "call_1"}}'.encode("utf-16"),
    ]
    errors = failed_creates(*(answers(201, body) for body in bodies))
    assert [(error.http_status, type(error)) for error in errors] == [(201, NoAnswer)] * len(bodies)
    assert all(error.message for error in errors)


def test_no_content_in_place_of_a_call_may_have_rung_a_phone() -> None:
    error = failed_create(says(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert (type(error), error.http_status) == (NoAnswer, 204)


def test_a_call_that_bears_an_id_was_placed_even_where_a_code_stands_beside_it() -> None:
    """Table 1: a documented code refuses only without ``data.id``."""
    both = {"data": {"id": "call_1"}, "error": {"code": "no_available_slots", "message": "full house"}}
    made, _ = through(create, answers(201, both))
    assert made.id == "call_1"
    assert type(failed_create(answers(500, both))) is NoAnswer


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"data": {"id": "call_new789"}}',
        b'{"data": {"id": "call_new789", "cost": NaN}}',
        b'{"data": {"id": "other", "id": "call_new789"}}',
        b'{"id": "call_new789", "status": "initiating"}',
        b'{"data": {"id": "call_new789", "cost": 1' + b"0" * 400 + b"}}",
        b'{"data": {"id": "call_new789", "status": 5, "created_at": "soon", "contact": "John"}}',
    ],
)
def test_a_yes_with_oddities_is_still_a_call_that_was_placed(body: bytes) -> None:
    made, _ = through(create, answers(200, body, {"Content-Type": "text/plain"}))
    assert made.id == "call_new789"


def test_a_hint_before_the_answer_is_not_the_answer() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    made, _ = through(create, says(hint + reply(201, PLACED)))
    assert made.id == "call_new789"


def test_a_code_nobody_knows_is_told_with_the_doubt_it_leaves() -> None:
    error = failed_create(answers(500, {"error": {"code": "brand_new_code", "message": "hm"}}))
    assert (type(error), error.code, error.message) == (NoAnswer, "brand_new_code", "hm")


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (lambda client: client.get_call("call_1"), "call_not_found"),
        (lambda client: client.end_call("call_1"), "call_not_found"),
        (lambda client: client.get_transcript("call_1"), "call_not_found"),
        (lambda client: client.get_recording("call_1"), "recording_not_available"),
    ],
    ids=["get", "end", "transcript", "recording"],
)
@pytest.mark.parametrize("body", [b"gone", {"error": {"code": "not_found", "message": "no"}}])
def test_a_bare_not_found_means_that_what_was_asked_for_is_gone(ask: Ask[Any], code: str, body: object) -> None:
    error, _ = failure(ask, answers(404, body))
    assert (type(error), error.code, error.http_status) == (Gone, code, 404)


def test_a_list_that_is_not_found_is_an_address_to_mend() -> None:
    error, _ = failure(listing, answers(404, b"gone"))
    assert (type(error), error.code) == (MendCampaign, "not_found")


# --- the way there and back ---------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def failing_at(url: str, timeout_s: float = 5.0) -> ApiError:
    async def main() -> ApiError:
        async with CallsClient(url, SecretStr(KEY), timeout_s=timeout_s) as client:
            return await failing(create(client))

    return anyio.run(main)


def test_where_nobody_listens_nothing_was_sent() -> None:
    error = failing_at(f"http://127.0.0.1:{free_port()}/v1")
    assert (type(error), error.http_status, error.code) == (NotSent, None, "")


def test_an_exchange_that_never_picks_up_was_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        try:
            for caller in waiting:
                caller.setblocking(False)
                caller.connect_ex(address)
            error = failing_at(f"http://127.0.0.1:{address[1]}/v1", timeout_s=0.3)
        finally:
            for caller in waiting:
                caller.close()
    assert (type(error), error.http_status) == (NotSent, None)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/v1", "http:///v1", "http://127.0.0.1:99999/v1"])
def test_at_an_address_that_is_none_nothing_was_sent(url: str) -> None:
    assert type(failing_at(url)) is NotSent


def test_where_no_safe_line_can_be_made_nothing_was_sent() -> None:
    async def main() -> tuple[ApiError, RawServer]:
        async with serving(says(b"not TLS at all\r\n\r\n")) as server:
            server.script.insert(0, CLOSES_BEFORE_READING)
            async with CallsClient(server.url.replace("http:", "https:"), SecretStr(KEY), timeout_s=5.0) as client:
                return await failing(create(client)), server

    error, server = anyio.run(main)
    assert type(error) is NotSent
    assert not server.heard


@pytest.mark.parametrize(
    "behaviour",
    [
        RESETS_BEFORE_READING,
        RESETS_AFTER_READING,
        CLOSES_BEFORE_READING,
        CLOSES_AFTER_READING,
        says(reply(201, PLACED)[:-20], then_close=True),
        says(reply(201, PLACED)[:30], then_close=True),
        says(b"hello, who is there?\r\n\r\n", then_close=True),
        answers(201, b"no gzip", {"Content-Encoding": "gzip"}),
    ],
    ids=["reset-unread", "reset", "closed-unread", "closed", "cut-body", "cut-head", "no-http", "no-gzip"],
)
def test_a_line_that_breaks_may_have_rung_a_phone_and_nobody_dials_again(behaviour: Behaviour) -> None:
    async def ask(client: CallsClient) -> ApiError:
        error = await failing(create(client))
        await asyncio.sleep(0.05)
        return error

    error, server = through(ask, behaviour, answers(201, PLACED))
    assert (type(error), error.http_status, error.code) == (NoAnswer, None, "")
    assert error.message
    assert server.connections == 1
    assert len(server.heard) == (0 if behaviour.unread else 1)


def test_an_exchange_that_never_answers_may_have_rung_a_phone() -> None:
    started = time.monotonic()
    error, server = failure(create, NEVER_ANSWERS, timeout_s=0.3)
    assert (type(error), error.message, error.http_status) == (NoAnswer, "no answer within 0.3 s", None)
    assert time.monotonic() - started < 3.0
    assert len(server.heard) == 1


@pytest.mark.parametrize("kept", [0, len(reply(201, PLACED)) - 40], ids=["head", "body"])
@pytest.mark.parametrize("ask", [create, look], ids=["create", "look"])
def test_a_server_that_drips_is_cut_at_the_deadline(kept: int, ask: Ask[Any]) -> None:
    raw = reply(201, PLACED)

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(raw[:kept])
        await drips(raw[kept:], every_s=0.1).act(writer)

    started = time.monotonic()
    error, server = failure(ask, Behaviour(act), timeout_s=0.35)
    assert type(error) is NoAnswer
    assert time.monotonic() - started < 2.5  # each read alone is fast enough; the whole would take 4 s and more
    assert len(server.heard) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("ask", [create, look, listing], ids=["create", "look", "list"])
def test_a_redirect_is_never_followed(status: int, ask: Ask[Any]) -> None:
    async def main() -> tuple[ApiError, RawServer, RawServer]:
        async with serving(answers(200, PLACED)) as elsewhere:
            moved = answers(status, b"", {"Location": f"{elsewhere.url}/calls"})
            async with serving(moved) as server, CallsClient(server.url, SecretStr(KEY)) as client:
                return await failing(ask(client)), server, elsewhere

    error, server, elsewhere = anyio.run(main)
    assert type(error) is (MendCampaign if status >= 307 else NoAnswer)
    assert len(server.heard) == 1
    assert not elsewhere.heard
    assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "location",
    ["mailto:someone", "about:blank", "http://[::1", "http://127.0.0.1:99999/", "//", "http://", "", "x" * 65_520],
    ids=["mail", "blank", "bracket", "port", "slashes", "nowhere", "empty", "endless"],
)
def test_a_redirect_to_nonsense_does_not_prove_that_nothing_was_sent(location: str) -> None:
    error, server = failure(create, answers(302, b"", {"Location": location}))
    assert len(server.heard) == 1
    assert type(error) is NoAnswer


@pytest.mark.parametrize("sized", [True, False], ids=["content-length", "chunked"])
def test_an_answer_without_end_is_cut_off_at_ten_megabytes(sized: bool) -> None:
    size = 64 * 1024
    if sized:
        head = f"HTTP/1.1 201 Created\r\nContent-Length: {size * 200}\r\n\r\n".encode()
        chunk = b" " * size
    else:
        head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = f"{size:x}\r\n".encode() + b" " * size + b"\r\n"
    error = failed_create(streams(head, [chunk] * 200))
    assert (type(error), error.message) == (NoAnswer, "the answer is larger than 10 MB")
    assert error.http_status == 201


def test_a_packed_answer_is_unpacked_and_a_bomb_is_not() -> None:
    packed = {"Content-Encoding": "gzip"}
    made, _ = through(create, answers(201, gzip.compress(json.dumps(PLACED).encode()), packed))
    assert made.id == "call_new789"
    error = failed_create(answers(201, gzip.compress(b" " * 11_000_000), packed))
    assert (type(error), error.message) == (NoAnswer, "the answer is larger than 10 MB")


def test_a_create_has_a_line_of_its_own_and_looks_share_one() -> None:
    async def ask(client: CallsClient) -> None:
        for _ in range(3):
            await client.get_call("call_1")
        for _ in range(3):
            await client.create_call(NEW)
        for _ in range(3):
            await client.get_call("call_1")

    _, server = through(ask, answers(200, PLACED))
    lines = [(heard.method, heard.connection) for heard in server.heard]
    assert lines == [("GET", 1)] * 3 + [("POST", 2), ("POST", 3), ("POST", 4)] + [("GET", 1)] * 3
    assert server.connections == 4


def test_a_look_over_a_line_the_server_closed_is_not_lost() -> None:
    async def ask(client: CallsClient) -> str:
        await client.get_call("call_1")
        await asyncio.sleep(0.05)
        return (await client.get_call("call_1")).id

    found, server = through(ask, says(reply(200, PLACED), then_close=True))
    assert found == "call_new789"
    assert server.connections == 2


@pytest.mark.parametrize("ask", [look, listing], ids=["look", "list"])
@pytest.mark.parametrize("behaviour", [RESETS_AFTER_READING, answers(503, b""), answers(429, b"")])
def test_the_client_repeats_nothing_not_even_a_look(ask: Ask[Any], behaviour: Behaviour) -> None:
    _, server = failure(ask, behaviour)
    assert len(server.heard) == 1


# --- many at once, and cancelled ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cancelled", [range(50), range(CONNECTIONS - 20, CONNECTIONS + 30), range(CONNECTIONS + 50)])
def test_callers_who_hang_up_under_contention_leave_the_lines_alive(cancelled: range) -> None:
    asking = CONNECTIONS + 50

    async def main() -> tuple[int, int, int]:
        gate = asyncio.Event()
        async with (
            serving(answers_after(gate, 200, PLACED)) as server,
            CallsClient(server.url, SecretStr(KEY), timeout_s=10.0) as client,
        ):
            scopes = [anyio.CancelScope() for _ in range(asking)]
            answered: list[int] = []

            async def one(number: int) -> None:
                with scopes[number]:
                    await client.get_call(f"call_{number}")
                    answered.append(number)

            async with anyio.create_task_group() as tasks:
                for number in range(asking):
                    tasks.start_soon(one, number)
                with anyio.fail_after(10):
                    while len(server.heard) < CONNECTIONS:  # noqa: ASYNC110  # a server that counts has no event
                        await asyncio.sleep(0.01)
                at_once = server.connections
                for number in cancelled:
                    scopes[number].cancel()
                await asyncio.sleep(0.02)
                gate.set()
            afterwards = [await client.get_call("call_1") for _ in range(20)]
        return at_once, len(answered), len(afterwards)

    assert anyio.run(main) == (CONNECTIONS, asking - len(cancelled), 20)


def test_a_create_that_is_cancelled_in_flight_leaves_the_client_alive() -> None:
    async def ask(client: CallsClient) -> str:
        with anyio.move_on_after(0.1) as scope:
            await client.create_call(NEW)
        assert scope.cancelled_caught
        return (await client.create_call(NEW)).id

    made, server = through(ask, NEVER_ANSWERS, answers(201, PLACED))
    assert made == "call_new789"
    assert len(server.heard) == 2


# --- the key, and what others say ---------------------------------------------------------------------------------


def everything_said(error: BaseException) -> str:
    trace = "".join(traceback.format_exception(error))
    return "\n".join([str(error), repr(error), repr(error.args), repr(vars(error)), trace])


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(401, {"error": {"code": "unauthorized", "message": f"wrong key: Bearer {KEY}"}}),
        answers(500, {"error": {"code": "oh", "message": f"x{KEY}x" * 40}}),
        answers(200, {"data": {}, "message": f"what is {KEY}?"}),
        answers(404, {"error": "not_found", "message": KEY}),
        answers(500, {"error": f"no_such_key_{KEY}", "message": "hm"}),
        answers(200, KEY.encode()),
        answers(418, {"errors": [{"code": KEY, "detail": KEY}]}),
        RESETS_AFTER_READING,
    ],
    ids=["message", "long", "yes", "text", "code", "body", "list", "reset"],
)
@pytest.mark.parametrize("ask", [create, look], ids=["create", "look"])
def test_the_key_is_told_to_nobody_not_even_when_the_server_repeats_it(
    ask: Ask[Any], behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error, server = failure(ask, behaviour)
    assert server.heard[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in everything_said(error)
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "behaviour",
    [says(f"{KEY} HTTP/1.1\r\n\r\n".encode(), then_close=True), answers(500, b"", {"X-You-Said": f"Bearer {KEY}"})],
    ids=["no-http", "header"],
)
def test_a_key_repeated_outside_the_message_reaches_neither_the_error_nor_a_log(
    behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = failed_create(behaviour)
    assert KEY not in everything_said(error)
    assert KEY not in caplog.text


def test_the_key_is_in_no_log_and_in_no_picture_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def ask(client: CallsClient) -> list[str]:
        said = [repr(await client.get_call("call_1")), repr(await client.create_call(NEW))]
        said.append(everything_said(await failing(client.get_call("call_1"))))
        return [*said, repr(client), str(client), repr(vars(client))]

    said, server = through(ask, answers(200, PLACED), answers(200, PLACED), RESETS_AFTER_READING)
    assert {heard.headers["authorization"] for heard in server.heard} == {f"Bearer {KEY}"}
    assert caplog.records
    assert KEY not in caplog.text
    assert KEY not in "\n".join(said)


SHOUT: Final = "\x1b[31mred\x1b[0m\x07\nline two\r\x9b2J \u202eright to left\u2028 end"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "invalid_phone_number", "message": SHOUT}},
        {"error": {"code": "server_error", "message": SHOUT}},
        {"error": {"code": SHOUT, "message": "x"}},
        {"error": SHOUT, "message": SHOUT},
        {"errors": [{"code": SHOUT, "detail": SHOUT}]},
    ],
)
def test_a_message_cannot_paint_on_the_operators_terminal(body: object) -> None:
    for error in failed_creates(*(answers(status, body) for status in (200, 400, 500))):
        assert str(error).isprintable(), ascii(str(error))


def test_a_message_is_cut_to_a_line_that_fits_a_log() -> None:
    error = failed_create(answers(400, {"error": {"code": "invalid_request", "message": "word " * 1000}}))
    assert len(error.message) == 300


# --- time and limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 1.0),
        ({"Retry-After": "-30"}, 1.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "86400"}, 900.0),
        ({"Retry-After": "1e999"}, 900.0),
        ({"Retry-After": "Mon, 15 Jan 2024 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Mon, 15 Jan 2024 11:00:00 GMT"}, 1.0),
        ({"Retry-After": "Mon, 15 Jan 2057 12:00:30 GMT"}, 900.0),
        ({"Retry-After": "Mon, 15 Jan 2024 14:00:30 GMT", "Date": "Mon, 15 Jan 2024 14:00:00 GMT"}, 30.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12"}, 12.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": str(NOON + 9)}, 9.0),
    ],
)
def test_a_limit_that_was_hit_says_when_to_come_back(headers: dict[str, str], wait_s: float | None) -> None:
    error, _ = through(lambda client: failing(create(client)), answers(429, b"", headers), now=lambda: NOON)
    assert isinstance(error, TryLater)
    assert (error.code, error.http_status, error.retry_after_s) == ("rate_limited", 429, wait_s)


def test_a_full_house_may_say_when_to_come_back_too() -> None:
    body = {"error": {"code": "no_available_slots", "message": "full"}}
    error = failed_create(answers(503, body, {"Retry-After": "20"}))
    assert isinstance(error, TryLater)
    assert error.retry_after_s == 20.0


def noted(headers: dict[str, str]) -> AnswerNote:
    notes: list[AnswerNote] = []
    through(look, answers(200, PLACED, headers), on_note=notes.append, now=lambda: NOON)
    assert len(notes) == 1
    return notes[0]


def test_the_date_of_an_answer_bounds_how_wrong_our_clock_is() -> None:
    assert noted({"Date": "Mon, 15 Jan 2024 14:00:00 GMT"}) == AnswerNote(7200.0, 7201.0, None)
    assert noted({"Date": NOON_TEXT}) == AnswerNote(0.0, 1.0, None)
    assert noted({"Date": "some day"}) == AnswerNote()
    assert noted({}) == AnswerNote()


def test_a_slow_answer_widens_the_bounds_of_the_clock() -> None:
    assert note({"date": NOON_TEXT}, NOON - 3, NOON + 2) == AnswerNote(-2.0, 4.0, None)


@pytest.mark.parametrize(
    ("headers", "hold_s"),
    [
        ({"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12"}, 12.0),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "3"}, 3.0),
        ({"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": str(NOON + 40)}, 40.0),
        ({"RateLimit": '"default";r=0;t=30'}, 30.0),
        ({"RateLimit": '"default";r=5;t=30'}, None),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "12"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999"}, 900.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOON - 5)}, None),
        ({"X-RateLimit-Remaining": "none", "X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "nan"}, None),
    ],
)
def test_a_limit_that_is_used_up_asks_for_silence(headers: dict[str, str], hold_s: float | None) -> None:
    assert noted(headers).hold_s == hold_s


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-RateLimit-Remaining": "30", "X-RateLimit-Reset": "12"}, Allowance(30, 12)),
        ({"RateLimit-Remaining": "7", "RateLimit-Reset": str(NOON + 40)}, Allowance(7, 40)),
        ({"RateLimit": '"minute";r=50;t=30, "day";r=100;t=80000'}, Allowance(100, 80_000)),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12"}, None),
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "inf"}, Allowance(5, 31 * 86_400)),
        ({"X-RateLimit-Remaining": "5"}, None),
        ({}, None),
    ],
)
def test_what_is_left_of_a_limit_is_told_the_tightest_first(headers: dict[str, str], told: Allowance | None) -> None:
    assert noted(headers).allowance == told


def test_a_refusal_tells_the_time_and_the_limits_as_well() -> None:
    notes: list[AnswerNote] = []
    headers = {"Date": NOON_TEXT, "RateLimit-Remaining": "0", "RateLimit-Reset": "5"}
    through(lambda client: failing(create(client)), answers(500, b"", headers), on_note=notes.append, now=lambda: NOON)
    assert notes == [AnswerNote(0.0, 1.0, 5.0)]


def test_no_limit_header_however_long_costs_the_answer_to_a_create() -> None:
    assert wished_silence({"ratelimit": f'"default";r={"0" * 5000};t=30'}, NOON) == 30.0
    assert wished_silence({"ratelimit": f'"default";r=0;t={"9" * 5000}'}, NOON) == 900.0
    assert retry_after({"retry-after": "9" * 5000}, NOON) == 900.0


def test_an_old_fashioned_date_is_utc_wherever_the_operator_sits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert note({"date": "Mon Jan 15 12:00:00 2024"}, NOON, NOON) == AnswerNote(0.0, 1.0, None)
    finally:
        monkeypatch.undo()
        time.tzset()


# --- all pages ----------------------------------------------------------------------------------------------------


def page_of(*names: str, per_page: int | None = 2, total: int = 5) -> Behaviour:
    meta = {"total": total, "page": 1} | ({} if per_page is None else {"per_page": per_page})
    return answers(200, {"data": [{"id": name} for name in names], "meta": meta})


def paged(*script: Behaviour) -> tuple[list[list[str]], RawServer]:
    async def ask(client: CallsClient) -> list[list[str]]:
        found: AsyncIterator[CallPage] = client.pages(per_page=2, agent_id="agent_1")
        return [[call.id for call in page.calls] async for page in found]

    return through(ask, *script)


def test_all_pages_are_read_until_a_short_one() -> None:
    found, server = paged(page_of("a", "b"), page_of("c", "d"), page_of("e"), page_of("never"))
    assert found == [["a", "b"], ["c", "d"], ["e"]]
    assert [heard.target for heard in server.heard] == [
        f"/v1/calls?agent_id=agent_1&page={number}&per_page=2" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("per_page", [2, None])
def test_full_pages_are_read_until_an_empty_one(per_page: int | None) -> None:
    script = [page_of(*names, per_page=per_page) for names in (("a", "b"), ("c", "d"), ())]
    found, server = paged(*script)
    assert found == [["a", "b"], ["c", "d"]]
    assert len(server.heard) == 3


def test_a_server_that_ignores_the_page_is_asked_twice_and_no_more() -> None:
    found, server = paged(page_of("a", "b"))
    assert found == [["a", "b"]]
    assert len(server.heard) == 2


def test_a_server_that_gives_smaller_pages_than_asked_is_still_read_to_the_end() -> None:
    found, _ = paged(page_of("a", per_page=1), page_of("b", per_page=1), page_of(per_page=1))
    assert found == [["a"], ["b"]]


def test_pages_that_shift_repeat_calls_and_lose_none() -> None:
    found, _ = paged(page_of("a", "b"), page_of("b", "c"), page_of("d"))
    assert {name for page in found for name in page} == {"a", "b", "c", "d"}


def test_an_account_without_calls_has_no_pages() -> None:
    found, server = paged(page_of())
    assert found == []
    assert len(server.heard) == 1


def test_a_page_that_fails_ends_the_reading_with_its_error() -> None:
    async def ask(client: CallsClient) -> ApiError:
        async def read() -> None:
            async for _ in client.pages(per_page=2):
                pass

        return await failing(read())

    error, _ = through(ask, page_of("a", "b"), answers(503, b""))
    assert (type(error), error.http_status) == (NoAnswer, 503)
