"""A raw HTTP server on 127.0.0.1 that remembers what it hears and does exactly what a test tells it to.

One behaviour is used up for each request, the last one for ever. Everything ends with the context.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

_HEAD_MOST_BYTES: Final = 64 * 1024
Act = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Heard:
    """One request, as it came over the wire. ``connection`` counts from 1."""

    raw: bytes
    connection: int

    @property
    def head(self) -> list[str]:
        """The request line and the header lines."""
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")

    @property
    def method(self) -> str:
        """GET or POST."""
        return self.head[0].split(" ")[0]

    @property
    def target(self) -> str:
        """Path and query."""
        return self.head[0].split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        """Headers by their lower-case names."""
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in self.head[1:])}

    @property
    def body(self) -> bytes:
        """What follows the headers."""
        return self.raw.partition(b"\r\n\r\n")[2]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the server does with one request; ``unread``: at once, before it reads any of it."""

    act: Act
    unread: bool = False


def reply(status: int, body: object = b"", headers: dict[str, str] | None = None) -> bytes:
    """A whole answer. A body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + raw


def says(raw: bytes, *, then_close: bool = False) -> Behaviour:
    """Send these bytes."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        if then_close:
            writer.close()

    return Behaviour(act)


def answers(status: int, body: object = b"", headers: dict[str, str] | None = None) -> Behaviour:
    """Send a whole answer."""
    return says(reply(status, body, headers))


def drips(raw: bytes, every_s: float) -> Behaviour:
    """Send one byte at a time."""

    async def act(writer: asyncio.StreamWriter) -> None:
        for byte in raw:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(every_s)

    return Behaviour(act)


def streams(head: bytes, chunks: Iterable[bytes]) -> Behaviour:
    """Send a long answer piece by piece."""

    async def act(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return Behaviour(act)


def answers_after(gate: asyncio.Event, status: int, body: object) -> Behaviour:
    """Send an answer once the gate is open."""

    async def act(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(reply(status, body))
        await writer.drain()

    return Behaviour(act)


async def _reset(writer: asyncio.StreamWriter) -> None:
    found: Any = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _hold(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


RESETS_BEFORE_READING: Final = Behaviour(_reset, unread=True)
RESETS_AFTER_READING: Final = Behaviour(_reset)
CLOSES_BEFORE_READING: Final = Behaviour(_close, unread=True)
CLOSES_AFTER_READING: Final = Behaviour(_close)
NEVER_ANSWERS: Final = Behaviour(_hold)


@dataclass(slots=True)
class RawServer:
    """The server: what it heard, and over how many connections."""

    script: list[Behaviour]
    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def _next(self) -> Behaviour:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            await self._converse(reader, writer, self.connections)
        writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while not writer.is_closing():
            if self.script[0].unread:
                await self._next().act(writer)
                return
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b""
            self.heard.append(Heard(head + body, connection))
            await self._next().act(writer)

    async def stop(self) -> None:
        """Drop every connection."""
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(*script: Behaviour) -> AsyncIterator[RawServer]:
    """A server that behaves as told, for the length of the context."""
    server = RawServer(list(script))
    listener = await asyncio.start_server(server.meet, "127.0.0.1", 0, limit=_HEAD_MOST_BYTES, backlog=512)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        await server.stop()
        await listener.wait_closed()
