"""The sandbox: the exchange behind HTTP, all seven operations of the specification, on Starlette."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dialer.core import errors
from dialer.core.errors import ApiError, Refused
from dialer.core.wire import JsonObject, is_final
from dialer.rehearsal.answers import (
    SandboxRules,
    call_json,
    created_json,
    error_json,
    iso,
    limit_headers,
    retry_after_header,
)
from dialer.rehearsal.exchange import Exchange, Filter, PretendCall, refused
from dialer.rehearsal.media import recording, summary, transcript
from dialer.rehearsal.script import FORBIDDEN_KEYS, SCRIPT

_SILENT_S: Final = 600.0
_LONGEST_TOKEN_S: Final = 366 * 86_400
LIST_TWIST: Final = "dialer.list_twist"
"""Where the server of faults leaves a :class:`~dialer.rehearsal.exchange.ListTwist` in the scope of a request."""
_Endpoint = Callable[[Request], Awaitable[Response]]


class Sandbox:
    """The pretend API. ``app`` is an ASGI application; ``now`` is the only clock, and the rules may set it wrong."""

    def __init__(self, exchange: Exchange, rules: SandboxRules, now: Callable[[], float]) -> None:
        self.exchange = exchange
        self.rules = rules
        self.requests = 0
        self._clock = now
        self._asked: deque[float] = deque()
        self._day = (-1, 0)
        self._stormed: set[str] = set()
        operations: list[tuple[str, str, _Endpoint]] = [
            ("GET", "/calls", self._list),
            ("POST", "/calls", self._create),
            ("POST", "/calls/web-token", self._web_token),
            ("GET", "/calls/{call_id}", self._get),
            ("POST", "/calls/{call_id}/end", self._end),
            ("GET", "/calls/{call_id}/recording", self._recording),
            ("GET", "/calls/{call_id}/transcript", self._transcript),
        ]
        routes = [
            Route(prefix + path, self._guarded(endpoint), methods=[method])
            for prefix in ("/v1", "")
            for method, path, endpoint in operations
        ]
        routes.append(Route("/recordings/{name}", self._audio, methods=["GET"]))
        self.app = Starlette(routes=routes, exception_handlers={404: self._lost, 405: self._lost})

    def now(self) -> float:
        """The API's clock."""
        return self._clock() + self.rules.skew

    # --- what every operation goes through --------------------------------------------------------------------------

    def _guarded(self, endpoint: _Endpoint) -> _Endpoint:
        async def answer(request: Request) -> Response:
            self.requests += 1
            if self.rules.delay:
                await anyio.sleep(self.rules.delay)
            now = self.now()
            headers = self._limits(now)
            try:
                self._check_key(request)
                self._check_limits(now)
                response = await endpoint(request)
            except ApiError as error:
                response = self._refusal(error, now)
            response.headers.update(headers)
            response.headers["Date"] = datetime.fromtimestamp(int(now), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
            return response

        return answer

    def _refusal(self, error: ApiError, now: float) -> Response:
        status, body = error_json(self.rules, error)
        headers: dict[str, str] = {}
        if error.code == errors.RATE_LIMITED:
            headers = retry_after_header(self.rules, getattr(error, "retry_after_s", None) or 1.0, now)
        return JSONResponse(body, status, headers)

    async def _lost(self, _request: Request, _error: Exception) -> Response:
        return self._refusal(refused("not_found", "there is nothing at this address"), self.now())

    @staticmethod
    def _check_key(request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key or FORBIDDEN_KEYS.get(key) == 401:
            raise Refused("the API key is missing or wrong", code=errors.UNAUTHORIZED, http_status=401)
        if FORBIDDEN_KEYS.get(key) == 403:
            raise Refused("this key may not place calls", code="forbidden", http_status=403)

    def _limits(self, now: float) -> dict[str, str]:
        while self._asked and self._asked[0] <= now - 60.0:
            self._asked.popleft()
        left = max(self.rules.requests_per_minute - len(self._asked) - 1, 0)
        return limit_headers(self.rules, left, self._asked[0] + 60.0 - now if self._asked else 60.0)

    def _check_limits(self, now: float) -> None:
        minute, daily = self.rules.requests_per_minute, self.rules.requests_per_day
        if minute and len(self._asked) >= minute:
            raise _limited(self._asked[0] + 60.0 - now)
        day, spent = self._day
        spent = spent if day == int(now // 86_400) else 0
        if daily and spent >= daily:
            raise _limited((now // 86_400 + 1) * 86_400 - now)
        self._day = (int(now // 86_400), spent + 1)
        if minute:
            self._asked.append(now)

    # --- the seven operations ---------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        page, per_page = _count(query.get("page"), 1), _count(query.get("per_page"), 20)
        per_page = min(per_page, self.rules.per_page_most)
        chosen = Filter(
            agent_id=query.get("agent_id"),
            status=query.get("status"),
            sentiment=query.get("sentiment"),
            from_at=_moment(query.get("from_date")),
            to_at=_moment(query.get("to_date")),
            nothing=query.get("direction", "outbound") != "outbound" or "campaign_id" in query,
        )
        now = self.now()
        calls, total = self.exchange.select(chosen, now, page, per_page, request.scope.get(LIST_TWIST))
        shown = [self._shown(request, call, now, details=False) for call in calls]
        return JSONResponse({"data": shown, "meta": {"total": total, "page": page, "per_page": per_page}})

    async def _get(self, request: Request) -> Response:
        call = self.exchange.get(request.path_params["call_id"])
        return JSONResponse({"data": self._shown(request, call, self.now(), details=True)})

    async def _create(self, request: Request) -> Response:
        body = await _body(request)
        agent_id, phone = body.get("agent_id"), body.get("phone_number")
        contact, metadata = body.get("contact"), body.get("metadata")
        for name, value in (("agent_id", agent_id), ("phone_number", phone)):
            if not isinstance(value, str) or not value:
                raise refused(errors.INVALID_REQUEST, f"The '{name}' field is required")
        for name, value in (("contact", contact), ("metadata", metadata)):
            if value is not None and not isinstance(value, dict):
                raise refused(errors.INVALID_REQUEST, f"The '{name}' field must be an object")
        part = SCRIPT.get(str(phone))
        if part is not None and part.storm and phone not in self._stormed:
            self._stormed.add(str(phone))
            raise ApiError("something went wrong", code="server_error", http_status=500)
        now = self.now()
        call = self.exchange.create(str(agent_id), str(phone), contact, metadata, now)
        if part is not None and part.silent and call.nth == 0:
            await anyio.sleep(_SILENT_S)
        return JSONResponse(created_json(self.rules, call, now), 201)

    async def _end(self, request: Request) -> Response:
        call = self.exchange.end(request.path_params["call_id"], self.now())
        now = self.now()
        return JSONResponse({"data": {"id": call.id, "status": call.status(now), "ended_at": iso(call.ends_at())}})

    async def _recording(self, request: Request) -> Response:
        now = self.now()
        call = self.exchange.get(request.path_params["call_id"])
        length_s = self.exchange.talked_s(call)
        if not is_final(call.status(now)) or length_s <= 0:
            raise refused(errors.RECORDING_NOT_AVAILABLE, "there is no recording of this call")
        expires = int(now + self.rules.url_life)
        url = (
            f"{_elsewhere(request)}/recordings/{call.id}.wav?expires={expires}&signature={self._sign(call.id, expires)}"
        )
        return JSONResponse({"data": {"url": url, "duration": int(length_s), "expires_at": iso(expires)}})

    async def _transcript(self, request: Request) -> Response:
        now = self.now()
        call = self.exchange.get(request.path_params["call_id"])
        status, length_s = call.status(now), self.exchange.talked_s(call)
        turns = transcript(call, status, length_s) if is_final(status) else []
        return JSONResponse({"data": {"call_id": call.id, "transcript": turns, "summary": summary(status)}})

    async def _web_token(self, request: Request) -> Response:
        body = await _body(request)
        agent_id, life_s = body.get("agent_id"), body.get("expires_in", 3600)
        if not isinstance(agent_id, str) or not agent_id:
            raise refused(errors.INVALID_REQUEST, "The 'agent_id' field is required")
        if not isinstance(life_s, int) or not 0 < life_s <= _LONGEST_TOKEN_S:
            raise refused(errors.INVALID_REQUEST, "The 'expires_in' field must be a number of seconds")
        if not self.exchange.agent_exists(agent_id):
            raise refused(errors.AGENT_NOT_FOUND, f"there is no agent {agent_id}")
        expires = self.now() + life_s
        claims = urlsafe_b64encode(json.dumps({"agent": agent_id, "exp": int(expires)}).encode()).decode().rstrip("=")
        host = urlsplit(str(request.url)).netloc
        token = {"token": f"wct_{claims}", "expires_at": iso(expires), "websocket_url": f"ws://{host}/v1/connect"}
        return JSONResponse({"data": token})

    # --- recordings, on a host of their own and without a key -------------------------------------------------------

    async def _audio(self, request: Request) -> Response:
        ident = request.path_params["name"].removesuffix(".wav")
        expires = request.query_params.get("expires", "0")
        right = hmac.compare_digest(request.query_params.get("signature", ""), self._sign(ident, expires))
        if not right or ident not in self.exchange.calls:
            return PlainTextResponse("no such recording", 404)
        if self.now() > float(expires):
            return PlainTextResponse("this address has expired; ask for a new one", 410)
        call = self.exchange.get(ident)
        return Response(recording(call, self.exchange.talked_s(call)), media_type="audio/wav")

    def _recording_url(self, request: Request, call: PretendCall, now: float) -> str:
        expires = int(now + self.rules.url_life)
        signed = f"expires={expires}&signature={self._sign(call.id, expires)}"
        return f"{_elsewhere(request)}/recordings/{call.id}.wav?{signed}"

    def _sign(self, call_id: str, expires: object) -> str:
        return sha256(f"{self.rules.seed}:{call_id}:{expires}".encode()).hexdigest()[:24]

    def _shown(self, request: Request, call: PretendCall, now: float, *, details: bool) -> JsonObject:
        url = self._recording_url(request, call, now) if details else ""
        return call_json(self.exchange, self.rules, call, now, details=details, recording_url=url)


def _limited(wait_s: float) -> errors.TryLater:
    return errors.TryLater(
        "too many requests", code=errors.RATE_LIMITED, http_status=429, retry_after_s=max(wait_s, 0.001)
    )


def _elsewhere(request: Request) -> str:
    """The recordings' host: this machine under its other name, so that nobody sends the key there by habit."""
    url = urlsplit(str(request.base_url))
    host = "localhost" if url.hostname == "127.0.0.1" else "127.0.0.1"
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port else "")


async def _body(request: Request) -> JsonObject:
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = await request.json()
    if not isinstance(found, dict):
        raise refused(errors.INVALID_REQUEST, "the body must be a JSON object")
    return found


def _count(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise refused(errors.INVALID_REQUEST, f"'{text}' is not a number of pages or items")
    return int(text)


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise refused(errors.INVALID_REQUEST, f"'{text}' is not an ISO 8601 date") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
