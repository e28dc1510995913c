"""The Calls API over HTTP: all seven operations of its specification. The only room that knows httpx.

Answers come back as the typed models of :mod:`dialer.core.wire`; everything else is an error of
:mod:`dialer.core.errors`, by remedy. The client never retries, never follows a redirect, and bounds every request by
one total deadline: a slow drip of bytes does not extend it. A create travels on a fresh connection, because on a kept
one "the server closed it before" and "the server placed the call and died" look the same.
"""

from __future__ import annotations

import re
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import anyio
import httpx
from pydantic import SecretStr

from dialer.client.headers import AnswerNote, note, retry_after, wished_silence
from dialer.client.oneshot import SENDING, OneShotTransport
from dialer.client.transport import CoreTransport
from dialer.core.errors import (
    CALL_NOT_FOUND,
    RECORDING_NOT_AVAILABLE,
    REMEDIES,
    ApiError,
    Gone,
    NoAnswer,
    NotSent,
    refusal,
)
from dialer.core.wire import (
    Call,
    CallPage,
    JsonObject,
    NewCall,
    PageReader,
    Recording,
    Transcript,
    Unreadable,
    WebToken,
    read_call,
    read_created,
    read_error,
    read_object,
    read_recording,
    read_transcript,
    read_web_token,
)

PER_PAGE: Final = 100
MAX_PAGES: Final = 10_000
BODY_MOST_BYTES: Final = 10 * 1024 * 1024
CONNECT_S: Final = 5.0
MESSAGE_MOST: Final = 300
KEY_LEAST: Final = 6
"""A shorter key is none that anybody was given: hiding it would only tear words apart."""
_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
"""Proof where a transport tells nothing of its progress. Ours tells."""
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "dialer"}
_Answer = TypeVar("_Answer")


class CallsClient:
    """One account at one address. Use as an asynchronous context manager.

    ``transport`` replaces the network, for programs that speak to an application in the same process.
    ``on_note`` hears what the headers of every answer say about time and limits.
    """

    def __init__(
        self,
        base_url: str,
        key: SecretStr,
        *,
        timeout_s: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
        on_note: Callable[[AnswerNote], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.on_note = on_note
        self._key = key
        self._timeout_s = timeout_s
        self._now = now
        self._traced = transport is None
        self._read_page = PageReader()
        self._base_url = base_url.rstrip("/")
        self._pooled, self._fresh = (transport, transport) if transport else _over_the_network(self._base_url)
        self._timeouts = httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)).as_dict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        with anyio.CancelScope(shield=True):
            await self._pooled.aclose()
            await self._fresh.aclose()

    # --- the seven operations ---------------------------------------------------------------------------------------

    async def list_calls(
        self,
        *,
        page: int = 1,
        per_page: int = PER_PAGE,
        agent_id: str | None = None,
        campaign_id: str | None = None,
        direction: str | None = None,
        status: str | None = None,
        sentiment: str | None = None,
        from_date: datetime | None = None,
        to_date: datetime | None = None,
    ) -> CallPage:
        """One page of calls. Pages count from 1; believe ``per_page`` of the answer, not of the question."""
        asked = {
            "agent_id": agent_id,
            "campaign_id": campaign_id,
            "direction": direction,
            "status": status,
            "sentiment": sentiment,
            "from_date": _iso(from_date),
            "to_date": _iso(to_date),
            "page": str(page),
            "per_page": str(per_page),
        }
        query = {name: value for name, value in asked.items() if value is not None}
        return await self._ask("GET", "/calls", lambda body: self._read_page(body, page=page), query=query)

    async def pages(self, *, per_page: int = PER_PAGE, **filters: Any) -> AsyncIterator[CallPage]:
        """All pages of a list, filtered as :meth:`list_calls` does, until one brings nothing new.

        Calls may repeat where pages shift while one reads.
        """
        seen: set[str] = set()
        for number in range(1, MAX_PAGES + 1):
            page = await self.list_calls(page=number, per_page=per_page, **filters)
            new = {call.id for call in page.calls} - seen
            if not new:
                return
            yield page
            seen |= new
            if len(page.calls) + page.unreadable < page.per_page:
                return

    async def get_call(self, call_id: str) -> Call:
        """One call with all its details. Raises :class:`~dialer.core.errors.Gone` where there is none."""
        return await self._ask("GET", f"/calls/{call_id}", read_call, missing=CALL_NOT_FOUND)

    async def create_call(
        self, call: NewCall, *, attempt: str | None = None, may_send: Callable[[], bool] = lambda: True
    ) -> Call:
        """Place a call, once. ``may_send`` is asked right before the first byte leaves, however long connecting took.

        :class:`~dialer.core.errors.NotSent` and :class:`~dialer.core.errors.Refused` prove that no phone rang.
        :class:`~dialer.core.errors.NoAnswer` proves nothing: whoever repeats it may call a person twice.
        """
        body = call.model_dump(mode="json", exclude_none=True)
        headers = {"Idempotency-Key": attempt} if attempt else {}
        return await self._ask(
            "POST", "/calls", read_created, body=body, headers=headers, fresh=True, may_send=may_send
        )

    async def end_call(self, call_id: str) -> Call:
        """End a live call. How it ended is told by :meth:`get_call`, not by this answer."""
        return await self._ask("POST", f"/calls/{call_id}/end", read_call, missing=CALL_NOT_FOUND)

    async def get_recording(self, call_id: str) -> Recording:
        """Where the recording lies, for about an hour. Never send the key there: it is another host."""
        return await self._ask("GET", f"/calls/{call_id}/recording", read_recording, missing=RECORDING_NOT_AVAILABLE)

    async def get_transcript(self, call_id: str) -> Transcript:
        """What was said."""
        return await self._ask("GET", f"/calls/{call_id}/transcript", read_transcript, missing=CALL_NOT_FOUND)

    async def create_web_token(
        self, agent_id: str, *, expires_in_s: int | None = None, metadata: Mapping[str, Any] | None = None
    ) -> WebToken:
        """A token for a call from a web page, valid for ``expires_in_s`` seconds (the API's default: 3600)."""
        body: JsonObject = {"agent_id": agent_id, "expires_in": expires_in_s, "metadata": metadata and dict(metadata)}
        body = {name: value for name, value in body.items() if value is not None}
        return await self._ask("POST", "/calls/web-token", read_web_token, body=body)

    # --- one request ------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[JsonObject], _Answer],
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
        headers: Mapping[str, str] | None = None,
        fresh: bool = False,
        missing: str | None = None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> _Answer:
        """One request, one answer: read as promised, or an error by remedy. ``missing``: what a bare 404 means."""
        asked_at = self._now()
        status, answer_headers, raw = await self._send(method, path, query, body, headers or {}, may_send, fresh=fresh)
        came_at = self._now()
        if self.on_note is not None:
            self.on_note(note(answer_headers, asked_at, came_at, status))
        said: JsonObject = {}
        try:
            said = read_object(raw)
            if 200 <= status < 300 and not _is_error(said):
                return read(said)
            problem = f"HTTP {status}"
        except Unreadable as error:
            problem = f"the answer is {error}" if not said else f"the answer has {error}"
        if 300 <= status < 400:
            problem = f"the API sends requests on to {answer_headers.get('location', 'nowhere')}, which is not followed"
        code, message = read_error(said)
        code = code and self._clean(code)
        if 200 <= status < 300 and code not in REMEDIES:
            raise NoAnswer(self._clean(message or problem), http_status=status)
        if missing and status == 404 and (code not in REMEDIES or code == "not_found"):
            raise Gone(self._clean(message or problem), code=missing, http_status=status)
        wait_s = retry_after(answer_headers, came_at)
        if wait_s is None and status == 429:
            wait_s = wished_silence(answer_headers, came_at)
        if _bears_id(said):  # an error and a call at once: whatever it says, a phone may ring
            raise NoAnswer(self._clean(message or problem), code=code or "", http_status=status)
        raise refusal(code, status, self._clean(message or problem), wait_s)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: JsonObject | None,
        headers: Mapping[str, str],
        may_send: Callable[[], bool],
        *,
        fresh: bool,
    ) -> tuple[int, dict[str, str], bytes]:
        sending = not self._traced
        if not may_send():  # and again at the first byte, where the transport tells of it
            raise _too_late()

        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            nonlocal sending
            if event == SENDING and not sending:
                if not may_send():
                    raise _too_late()
                sending = True

        transport = self._fresh if fresh else self._pooled
        try:
            request = self._request(method, path, query, body, headers)
            request.extensions = {"timeout": self._timeouts, **({"trace": trace} if self._traced else {})}
            with anyio.fail_after(self._timeout_s):
                answer = await transport.handle_async_request(request)
                try:
                    return answer.status_code, _headers_of(answer), await _body_of(answer)
                finally:
                    await answer.aclose()
        except TimeoutError:
            kind: type[ApiError] = NoAnswer if sending else NotSent
            raise kind(f"no answer within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            proven = not sending if self._traced else isinstance(error, _NEVER_SENT)
            kind = NotSent if proven else NoAnswer
            said = self._clean(str(error)) or type(error).__name__
            raise kind(f"{said} ({type(error).__name__})") from None

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: JsonObject | None,
        headers: Mapping[str, str],
    ) -> httpx.Request:
        """The request as it goes to the transport. Made here and not by :class:`httpx.AsyncClient`, which would add
        cookies, redirects and authentication that this client must not have, for a third of a create's cost."""
        secret = {"Authorization": f"Bearer {self._key.get_secret_value()}"}
        return httpx.Request(
            method, self._base_url + path, params=query, headers={**_HEADERS, **headers, **secret}, json=body
        )

    def _clean(self, text: str) -> str:
        """A message of the API or the network, fit for a log: one printable line, bounded, without key and numbers."""
        key = self._key.get_secret_value()
        if len(key) >= KEY_LEAST:
            text = text.replace(key, "***")
        return tidy(text)


def tidy(text: str) -> str:
    """Text from outside, fit for a log: one printable line, bounded, without numbers to call."""
    text = _NUMBER.sub(_masked, text)
    text = re.sub(r"[^\x20-\x7e\u00a0-\u200a\u2010-\u2027\u2030-\u205f\u2070-\ud7ff\uf900-\ufffd]+", " ", text)
    return text.strip()[:MESSAGE_MOST]


def _over_the_network(base_url: str) -> tuple[httpx.AsyncBaseTransport, httpx.AsyncBaseTransport]:
    """The transport for looks, which keeps its connections, and the one for creates, which keeps none.

    Reading the machine's certificates takes longer than many requests to a sandbox, whose address has no use for them.
    Where they are not read nothing is trusted.
    """
    plain = base_url.lower().startswith("http:")
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else httpx.create_ssl_context()
    return CoreTransport(verify), OneShotTransport(verify)


def _headers_of(answer: httpx.Response) -> dict[str, str]:
    """The headers by their names in small letters; read some ten times over, which httpx's own are not made for."""
    found: dict[str, str] = {}
    for name, value in answer.headers.raw:
        key = name.decode("latin-1").lower()
        said = value.decode("latin-1")
        found[key] = f"{found[key]}, {said}" if key in found else said
    return found


async def _body_of(answer: httpx.Response) -> bytes:
    """The body as it is meant, unpacked, and never more of it than is bearable."""
    raw = bytearray()
    if answer.is_stream_consumed:  # an answer of this process came whole, and unpacked
        raw += answer.content
    else:
        unpack = unpacker(answer.headers.get("content-encoding", ""))
        async for chunk in answer.aiter_raw():
            raw += unpack(chunk, BODY_MOST_BYTES + 1 - len(raw))
            if len(raw) > BODY_MOST_BYTES:
                break
    if len(raw) > BODY_MOST_BYTES:
        raise NoAnswer("the answer is larger than 10 MB", http_status=answer.status_code)
    return bytes(raw)


def _too_late() -> NotSent:
    return NotSent("the intent was too old to be sent", code="stale")


def unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    """What unpacks an answer that came packed, unasked; never to more than so many bytes at once, as a bomb would."""
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return lambda chunk, _: chunk
    inflater = zlib.decompressobj(wbits=47)  # tells gzip and zlib apart itself

    def unpack(chunk: bytes, most: int) -> bytes:
        try:
            return inflater.decompress(chunk, most)
        except zlib.error:
            raise NoAnswer("the answer is packed, and broken") from None

    return unpack


_NUMBER: Final = re.compile(r"(?<![\w.])\+?\d(?:[ ().\-/]{0,2}\d){6,}")
"""What may be a phone number, in any writing. A date that is taken for one is no loss."""


def _masked(found: re.Match[str]) -> str:
    digits = "".join(character for character in found[0] if character.isdigit())
    return f"•••{digits[-4:]}"


def _is_error(body: JsonObject) -> bool:
    """Whether a 2xx answer holds an error in place of what was asked: a documented code, and nothing else."""
    return "data" not in body and "id" not in body and read_error(body)[0] in REMEDIES


def _bears_id(body: JsonObject) -> bool:
    data = body.get("data")
    return isinstance(data, dict) and data.get("id") is not None


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
