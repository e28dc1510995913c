"""One connection, one request: how a create travels.

A kept connection would leave open whether a server closed it before it read the request or died after it placed the
call. A fresh one tells: until its first byte was handed over, nothing was sent. With no pool and no timers of its own
(the client bounds the whole request) it costs half as much as a general transport does. HTTP itself is h11's.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import anyio
import h11
import httpx
from anyio.abc import ByteStream

SENDING: Final = "http11.send_request_headers.started"
"""What the ``trace`` extension hears right before the first byte leaves; httpcore's word for it."""
_CHUNK: Final = 65_536
_HEADERS_MOST: Final = 65_536
_Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class OneShotTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over a connection of its own for every request. Errors are httpx's.

    :class:`httpx.ConnectError` and :class:`httpx.ConnectTimeout` mean that nothing was sent.
    """

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._verify = verify

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See :meth:`httpx.AsyncBaseTransport.handle_async_request`."""
        protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS_MOST)
        data = await self._spoken(protocol, request)
        stream = await self._connect(request)
        connection = _Connection(stream, protocol)
        try:
            trace: _Trace | None = request.extensions.get("trace")
            if trace is not None:
                await trace(SENDING, {})
            await connection.send(data)
            answer = await connection.head()
        except BaseException:
            await connection.aclose()
            raise
        return httpx.Response(
            status_code=answer.status_code,
            headers=list(answer.headers),
            stream=connection,
            extensions={"http_version": b"HTTP/" + answer.http_version, "reason_phrase": answer.reason},
        )

    @staticmethod
    async def _spoken(protocol: h11.Connection, request: httpx.Request) -> bytes:
        """The whole request as it goes over the wire, in one piece."""
        try:
            head = h11.Request(method=request.method, target=request.url.raw_path, headers=request.headers.raw)
            parts = [protocol.send(head)]
            if body := await request.aread():
                parts.append(protocol.send(h11.Data(data=body)))
            parts.append(protocol.send(h11.EndOfMessage()))
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        return b"".join(part for part in parts if part)

    async def _connect(self, request: httpx.Request) -> ByteStream:
        url = request.url
        if url.scheme not in {"http", "https"} or not url.host:
            raise httpx.UnsupportedProtocol(f"an address with http:// or https:// is meant, not '{url.scheme}://'")
        timeout_s = request.extensions.get("timeout", {}).get("connect")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            with anyio.fail_after(timeout_s):
                return await self._dial(url, url.host, port)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise httpx.ConnectError(str(error) or "the connection was closed at once") from error
        except (OverflowError, UnicodeError, ExceptionGroup) as error:  # a port beyond 65535, a name that is none
            raise httpx.ConnectError("no such address") from error

    async def _dial(self, url: httpx.URL, host: str, port: int) -> ByteStream:
        """Connect to ``host``; a certificate must be that of the host in the URL."""
        if url.scheme == "http":
            return await anyio.connect_tcp(host, port)
        return await anyio.connect_tcp(
            host, port, ssl_context=self._verify, tls_standard_compatible=False, tls_hostname=url.host
        )


class _Connection(httpx.AsyncByteStream):
    """An open connection, and the body of the answer that comes over it."""

    def __init__(self, stream: ByteStream, protocol: h11.Connection) -> None:
        self._stream = stream
        self._protocol = protocol

    async def send(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (OSError, ssl.SSLError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpx.WriteError(str(error)) from error

    async def head(self) -> h11.Response:
        """Status and headers of the answer; what comes before them for information only is passed over."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                return event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not isinstance(event := await self._event(), h11.EndOfMessage | h11.PAUSED):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def _event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            with _broken_rules():
                event = self._protocol.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # h11 types its sentinels as classes
            data = await self._receive()
            with _broken_rules():
                if not data and self._protocol.their_state is h11.SEND_RESPONSE:
                    raise h11.RemoteProtocolError("the server closed the connection without an answer")
                self._protocol.receive_data(data)

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive(_CHUNK)
        except anyio.EndOfStream:
            return b""
        except (OSError, ssl.SSLError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpx.ReadError(str(error)) from error

    async def aclose(self) -> None:
        """Close the connection, at once where the request was cancelled."""
        await anyio.aclose_forcefully(self._stream)


@contextmanager
def _broken_rules() -> Iterator[None]:
    try:
        yield
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
