"""httpx over httpcore2: the transport that survives what a dialer does to it.

httpx's own pool leaks connections when requests are cancelled under contention, and costs the square of its size; the
maintained fork of its core does neither. Only the transport is exchanged, so every caller keeps httpx's API and errors.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpcore2
import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS: Final = 100
logging.getLogger("httpcore2").setLevel(logging.INFO)  # below that it logs headers, and a server may repeat the key

_ERRORS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (httpcore2.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore2.ReadTimeout, httpx.ReadTimeout),
    (httpcore2.WriteTimeout, httpx.WriteTimeout),
    (httpcore2.PoolTimeout, httpx.PoolTimeout),
    (httpcore2.ConnectError, httpx.ConnectError),
    (httpcore2.ReadError, httpx.ReadError),
    (httpcore2.WriteError, httpx.WriteError),
    (httpcore2.NetworkError, httpx.NetworkError),
    (httpcore2.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore2.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore2.RemoteProtocolError, httpx.RemoteProtocolError),
    (httpcore2.ProtocolError, httpx.ProtocolError),
    (httpcore2.TimeoutException, httpx.TimeoutException),
)
"""The most telling first."""


@contextmanager
def _as_httpx_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for theirs, ours in _ERRORS:
            if isinstance(error, theirs):
                raise ours(str(error)) from error
        if isinstance(error, OverflowError | ExceptionGroup):  # a port beyond 65535, from deep within the sockets
            raise httpx.ConnectError("no such address") from error
        raise


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_errors():
            async for chunk in self._stream:
                yield chunk

    async def aclose(self) -> None:
        if close := getattr(self._stream, "aclose", None):
            await close()


class CoreTransport(httpx.AsyncBaseTransport):
    """One pool of HTTP/1.1 connections, kept for the next request."""

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=verify,
            max_connections=CONNECTIONS,
            max_keepalive_connections=20,
            keepalive_expiry=4.0,  # servers close idle connections after 5 s: be first
            retries=0,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See :meth:`httpx.AsyncBaseTransport.handle_async_request`."""
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous request is needed")
        url = request.url
        with _as_httpx_errors():
            answer = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        if not isinstance(answer.stream, AsyncIterable):
            raise TypeError("an asynchronous answer is needed")
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
