"""A server that misbehaves on purpose: the sandbox behind HTTP/1.1 with faults between.

What was placed is in the exchange and its store, what was not is not, whatever the answers say: the faults are all on
this side of the application. Without faults uvicorn serves it (:mod:`dialer.rehearsal.server`).
"""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import anyio
import h11
from anyio.abc import TaskGroup

from dialer.core.wire import JsonObject
from dialer.rehearsal.exchange import ListTwist, PretendCall
from dialer.rehearsal.faults import ANY, AUDIO, EPISODES, Fault, Kind, Tally
from dialer.rehearsal.line import Door, Line
from dialer.rehearsal.sandbox import LIST_TWIST, Sandbox
from dialer.rehearsal.spoiling import (
    Answer,
    Asked,
    call_otherwise,
    instead,
    other_query,
    page_shift,
    said_otherwise,
    spoiled,
    with_headers,
)

_IDLE_S: Final = 60.0
_HOLD_S: Final = 600.0
"""Nobody is kept waiting longer than this."""
_BODY_MOST: Final = 2**20
_NEED_OTHERS: Final = frozenset({"other_id", "same_id", "other_call"})
_HUGE: Final = 2**30
_RECORDING: Final = 5 * 2**30
_TLS_HELLO: Final = b"\x16"
_PLAIN_TEXT: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_NOT_FOUND: Final = "call_not_found"
_PATHS: Final = (
    ("POST", re.compile(r"(?:/v1)?/calls/web-token"), "token"),
    ("GET", re.compile(r"(?:/v1)?/calls"), "list"),
    ("POST", re.compile(r"(?:/v1)?/calls"), "create"),
    ("GET", re.compile(r"(?:/v1)?/calls/([^/]+)"), "get"),
    ("POST", re.compile(r"(?:/v1)?/calls/([^/]+)/end"), "end"),
    ("GET", re.compile(r"(?:/v1)?/calls/([^/]+)/recording"), "recording"),
    ("GET", re.compile(r"(?:/v1)?/calls/([^/]+)/transcript"), "transcript"),
    ("GET", re.compile(r"/recordings/.*"), AUDIO),
)


@dataclass(frozen=True, slots=True)
class _Heard:
    """One request, read to its end."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    operation: str
    call_id: str

    def header(self, name: bytes) -> str:
        """A header's value, or nothing."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")


def _heard(request: h11.Request, body: bytes) -> _Heard:
    path, _, query = request.target.decode("latin-1").partition("?")
    method, path = request.method.decode(), unquote(path)
    headers = tuple((bytes(name), bytes(value)) for name, value in request.headers)
    for verb, pattern, operation in _PATHS:
        if verb == method and (match := pattern.fullmatch(path)):
            return _Heard(method, path, query, headers, body, operation, match[1] if match.groups() else "")
    return _Heard(method, path, query, headers, body, ANY, "")


class Wire:
    """Serves a sandbox with the faults of its rules, until it is cancelled."""

    def __init__(self, sandbox: Sandbox, listener: socket.socket) -> None:
        self._sandbox = sandbox
        self._rules = sandbox.rules
        self._plan = self._rules.plan()
        self._clinging = any(rule.fault.kind is Kind.CALL for rule in self._plan.rules)
        self._hiding = any(self._plan.has(name) for name in ("vanish", "vanish_for_good", "item_missing"))
        self._tally = Tally(self._plan, {name: getattr(self._rules, key) for name, key in EPISODES.items()})
        self._showings: Counter[tuple[str, str]] = Counter()
        self._door = Door(listener)
        self._way_in = anyio.CancelScope()
        self._idle: set[anyio.CancelScope] = set()
        self._shut_by: str | None = None
        self._is_shut = anyio.Event()
        self._tasks: TaskGroup
        self._acts: dict[str, Callable[[Line, Answer], Awaitable[None]]] = {
            "reset_after": self._reset,
            "timeout_after": self._say_nothing,
            "late_201": self._answer_late,
            "truncated_body": self._break_off,
            "slow_headers": self._drip_all,
            "slow_body": self._drip_body,
            "huge_body": partial(self._go_on, length=_HUGE),
            "recording_huge": partial(self._go_on, length=_RECORDING),
            "recording_endless": partial(self._go_on, length=None),
        }

    # --- connections ------------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Serve until cancelled."""
        try:
            async with anyio.create_task_group() as self._tasks:
                while True:
                    await self._let_in()
                    await self._stay_away()
        finally:
            self._door.close()

    async def _let_in(self) -> None:
        with anyio.CancelScope() as self._way_in:
            while True:
                self._tasks.start_soon(self._meet, Line(await self._door.next()))

    async def _stay_away(self) -> None:
        if self._shut_by == "refused":
            self._door.refuse()
        else:
            self._door.block()
        for scope in list(self._idle):
            scope.cancel()  # a kept connection would be a way in
        self._is_shut.set()
        await anyio.sleep(self._rules.away)
        self._door.open()
        self._shut_by, self._is_shut = None, anyio.Event()

    async def _shut(self, name: str) -> None:
        """Shut the door, and come back when it is shut."""
        if self._shut_by is None:
            self._shut_by = name
            self._way_in.cancel()
        await self._is_shut.wait()

    async def _meet(self, line: Line) -> None:
        try:
            with suppress(OSError, h11.ProtocolError):
                await self._converse(line)
        finally:
            line.close()

    async def _converse(self, line: Line) -> None:
        protocol = h11.Connection(h11.SERVER)
        while (heard := await self._hear(line, protocol)) is not None:
            if not await self._respond(line, protocol, heard):
                return
            protocol.start_next_cycle()

    async def _hear(self, line: Line, protocol: h11.Connection) -> _Heard | None:
        """The next request, or None where none comes any more."""
        with anyio.move_on_after(_IDLE_S) as scope:
            self._idle.add(scope)
            try:
                return await self._read(line, protocol, scope)
            finally:
                self._idle.discard(scope)
        return None

    async def _read(self, line: Line, protocol: h11.Connection, idle: anyio.CancelScope) -> _Heard | None:
        request: h11.Request | None = None
        body = bytearray()
        while len(body) <= _BODY_MOST:
            event = protocol.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return _heard(request, bytes(body))
            elif event is h11.NEED_DATA:
                data = await line.receive()
                self._idle.discard(idle)  # from here on somebody waits for an answer
                if request is None and data.startswith(_TLS_HELLO) and self._plan.has("tls"):
                    await line.send(_PLAIN_TEXT)
                    return None
                protocol.receive_data(data)
            else:
                return None
        return None

    # --- one request ------------------------------------------------------------------------------------------------

    async def _respond(self, line: Line, protocol: h11.Connection, heard: _Heard) -> bool:
        """Answer a request, or not. Returns whether the connection can go on."""
        asked = self._asked(heard)
        hits = self._tally.hits(heard.operation, asked.agent_id, asked.now)
        spoiler, door = _first(hits, Kind.BEFORE, Kind.AFTER), _first(hits, Kind.DOOR)
        answer: Answer | None = None
        if spoiler is None or spoiler.kind is Kind.AFTER:
            answer = await self._carried_out(heard, asked, hits)
        if door is not None:
            await self._shut(door.name)  # before the answer, so that whoever has it finds the door shut
        if answer is None and spoiler is not None:
            answer = await self._not_carried_out(line, spoiler.name, heard, asked)
        elif answer is not None and spoiler is not None and spoiler.name in self._acts:
            await self._acts[spoiler.name](line, answer)
            return False
        if answer is None:
            return False
        await line.send(_message(protocol, heard, self._last_words(answer, asked.now, hits)))
        return door is None and protocol.our_state is h11.DONE and protocol.their_state is h11.DONE

    @staticmethod
    def _last_words(answer: Answer, now: float, hits: list[Fault]) -> Answer:
        """The answer as it goes out, whole."""
        spoiler = _first(hits, Kind.BEFORE, Kind.AFTER)
        if spoiler is not None and spoiler.kind is Kind.AFTER:
            answer = spoiled(spoiler.name, answer, now)
        for fault in hits:
            if fault.kind is Kind.HEADERS:
                answer = with_headers(fault.name, answer, now)
        return answer if _first(hits, Kind.DOOR) is None else answer.with_header("connection", "close")

    def _asked(self, heard: _Heard) -> Asked:
        body: Any = None
        with suppress(ValueError, RecursionError):
            body = json.loads(heard.body)
        said = body if isinstance(body, dict) else {}
        return Asked(
            operation=heard.operation,
            target=heard.path,
            host=heard.header(b"host"),
            key=heard.header(b"authorization").partition(" ")[2],
            agent_id=str(said.get("agent_id", "")),
            phone=str(said.get("phone_number", "")),
            now=self._sandbox.now(),
        )

    # --- not carried out --------------------------------------------------------------------------------------------

    async def _not_carried_out(self, line: Line, name: str, heard: _Heard, asked: Asked) -> Answer | None:
        """What is said in place of the answer; None where nothing is."""
        if name == "accept_then_close":
            return None
        if name == "reset_before":
            line.reset()
            return None
        if name == "placed_late":
            self._tasks.start_soon(self._place_later, heard)  # whoever asked may go: the call comes all the same
        if name in {"placed_late", "timeout_before"}:
            await line.until_gone(_HOLD_S)
            return None
        return instead(name, asked, self._rules)

    async def _place_later(self, heard: _Heard) -> None:
        await anyio.sleep(self._rules.late_placing)
        await self._application(heard, {})

    # --- carried out ------------------------------------------------------------------------------------------------

    async def _carried_out(self, heard: _Heard, asked: Asked, hits: list[Fault]) -> Answer:
        if self._hidden(heard.operation, heard.call_id, asked.now):
            return instead(_NOT_FOUND, asked, self._rules)
        before = list(self._sandbox.exchange.calls.values()) if any(hit.name in _NEED_OTHERS for hit in hits) else []
        query, more = heard.query, {}
        if heard.operation == "list":
            for fault in (hit for hit in hits if hit.kind is Kind.QUESTION):
                query = other_query(fault.name, query)
            more = {LIST_TWIST: self._twist(query, asked.now, shifting="list_shifting" in {hit.name for hit in hits})}
        answer = await self._application(replace(heard, query=query), more)
        names = [fault.name for fault in hits if fault.kind in {Kind.ANSWER, Kind.QUESTION}]
        return self._otherwise(answer, heard, names, before)

    def _twist(self, query: str, now: float, *, shifting: bool) -> ListTwist:
        def hides(call: PretendCall) -> bool:
            return self._hidden("list", call.id, now)

        return ListTwist(page_shift(query) if shifting else 0, hides if self._hiding else None)

    def _hidden(self, operation: str, call_id: str, now: float) -> bool:
        call = self._sandbox.exchange.calls.get(call_id)
        if call is None or operation == "create":
            return False
        names = self._clings(operation, call_id)
        return (
            "vanish_for_good" in names
            or ("vanish" in names and now < call.created_at + self._rules.gone)
            or ("item_missing" in names and operation == "list")
        )

    def _clings(self, operation: str, call_id: str) -> list[str]:
        return self._plan.clings(operation, call_id, _nth(call_id))

    def _otherwise(self, answer: Answer, heard: _Heard, names: list[str], before: list[PretendCall]) -> Answer:
        """The answer with everything in it that its faults say otherwise."""
        if not names and not self._clinging:
            return answer
        body: Any = None
        with suppress(ValueError):
            body = json.loads(answer.body)
        if not isinstance(body, dict) or answer.status >= 300:
            return answer
        data = body.get("data")
        for call in data if isinstance(data, list) else [data]:
            if isinstance(call, dict):
                self._call_otherwise(heard.operation, call)
        per_page = parse_qs(heard.query).get("per_page", [""])[0]
        others = [call for call in before if call.id != heard.call_id]
        for name in names:
            said_otherwise(name, body, others=others, asked_per_page=int(per_page) if per_page.isdecimal() else 20)
        return answer.with_body(json.dumps(body, separators=(",", ":")).encode())

    def _call_otherwise(self, operation: str, call: JsonObject) -> None:
        ident = call.get("id")
        if not isinstance(ident, str):
            return
        for name in self._clings(operation, ident):
            self._showings[name, ident] += 1
            call_otherwise(name, call, self._showings[name, ident])

    async def _application(self, heard: _Heard, more: JsonObject) -> Answer:
        """What the sandbox says. A mistake of its own is its answer 500, as with any server."""
        host, port = self._door.address[:2]
        scope: JsonObject = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": (host, port),
            "client": (host, 0),
            "scheme": "http",
            "method": heard.method,
            "root_path": "",
            "path": heard.path,
            "raw_path": heard.path.encode(),
            "query_string": heard.query.encode("latin-1"),
            "headers": list(heard.headers),
            **more,
        }
        status, headers, body = 500, [], bytearray()

        async def receive() -> JsonObject:
            return {"type": "http.request", "body": heard.body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message.get("headers", ()))
            body += message.get("body", b"")

        with suppress(Exception):  # it has been sent as the answer 500 by then
            await self._sandbox.app(scope, receive, send)
        named = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
        return Answer(status, named, bytes(body))

    # --- answers that do not come as they should --------------------------------------------------------------------

    async def _reset(self, line: Line, _answer: Answer) -> None:
        line.reset()

    async def _say_nothing(self, line: Line, _answer: Answer) -> None:
        await line.until_gone(_HOLD_S)

    async def _answer_late(self, line: Line, answer: Answer) -> None:
        await anyio.sleep(self._rules.late_answer)
        await line.send(_head(answer) + answer.body)

    async def _break_off(self, line: Line, answer: Answer) -> None:
        await line.send(_head(answer) + answer.body[: len(answer.body) // 2])

    async def _drip_all(self, line: Line, answer: Answer) -> None:
        await self._drip(line, _head(answer) + answer.body)

    async def _drip_body(self, line: Line, answer: Answer) -> None:
        await line.send(_head(answer))
        await self._drip(line, answer.body)

    async def _drip(self, line: Line, data: bytes) -> None:
        for byte in data:
            await line.send(bytes((byte,)))
            await anyio.sleep(self._rules.drip)

    @staticmethod
    async def _go_on(line: Line, answer: Answer, *, length: int | None) -> None:
        said = None if length is None else str(length)
        await line.send(_head(answer.with_header("content-length", said)) + answer.body[:-1])
        chunk = b" " * 65_536
        for _ in range(_HUGE // len(chunk)):
            await line.send(chunk)


def _first(hits: list[Fault], *kinds: Kind) -> Fault | None:
    return next((fault for fault in hits if fault.kind in kinds), None)


def _nth(call_id: str) -> int:
    """Which call of the exchange it is: its ids count."""
    digits = call_id.removeprefix("call_")[:-8]
    return int(digits) if digits.isdecimal() else 0


def _head(answer: Answer) -> bytes:
    """The head of an answer after which the connection is closed."""
    lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in answer.headers)]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")


def _message(protocol: h11.Connection, heard: _Heard, answer: Answer) -> bytes:
    """A whole answer, as the protocol has it."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    parts = [
        h11.Response(status_code=answer.status, headers=headers, reason=b"Said"),
        h11.Data(data=b"" if heard.method == "HEAD" else answer.body),
        h11.EndOfMessage(),
    ]
    return b"".join(protocol.send(part) or b"" for part in parts)
