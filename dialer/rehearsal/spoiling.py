"""Answers that are not what they should be: the part of the faults that is only other bytes. Nothing here waits."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dialer.core import errors
from dialer.core.errors import ApiError
from dialer.core.wire import CallStatus, JsonObject, is_final
from dialer.rehearsal.answers import SandboxRules, error_json, retry_after_header
from dialer.rehearsal.exchange import PretendCall, refused

WEB_PAGE: Final = b"<!DOCTYPE html><html><title>Welcome</title><body>Please sign in to this network.</body></html>"
_ELSEWHERE: Final = "http://169.254.169.254/"
HOSTILE: Final = (
    '=HYPERLINK("http://a.invalid") </td><script>alert(1)</script> '
    "\x1b]0;gone\x07\x1b[2J\r\x9b31m \u202egnp.exe\u2069 \x00"
)
"""What somebody may say to be a nuisance to whoever reads it."""
_ABROAD: Final = timezone(timedelta(hours=5, minutes=30))
_BOMB_BLOCKS: Final = 256
_DEEP: Final = 1_000_000
_FEW: Final = "20"
_FILTERS: Final = frozenset({"agent_id", "campaign_id", "direction", "status", "sentiment", "from_date", "to_date"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, before it is on its way. Names of headers are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def with_header(self, name: str, value: str | None) -> Answer:
        """The same answer with a header set, or without it."""
        kept = tuple(header for header in self.headers if header[0] != name)
        return replace(self, headers=kept if value is None else (*kept, (name, value)))

    def with_body(self, body: bytes, content_type: str | None = None) -> Answer:
        """The same answer with another body."""
        answer = replace(self, body=body).with_header("content-length", str(len(body)))
        return answer if content_type is None else answer.with_header("content-type", content_type)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer may need to know of its request. ``now`` is the API's clock."""

    operation: str
    target: str
    host: str
    key: str
    agent_id: str
    phone: str
    now: float


def _answer(status: int, body: bytes, content_type: str, now: float, **headers: str) -> Answer:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    moment = format_datetime(datetime.fromtimestamp(int(now), UTC), usegmt=True)
    all_headers = {"content-type": content_type, "content-length": str(len(body)), "date": moment, **named}
    return Answer(status, tuple(all_headers.items()), body)


# --- in place of the answer: the request is not carried out -----------------------------------------------------------


def instead(name: str, asked: Asked, rules: SandboxRules) -> Answer:
    """The answer of a fault of which the sandbox itself hears nothing."""
    if name.startswith("redirect_"):
        return _redirect(name.removeprefix("redirect_"), asked)
    if name.startswith("retry_after_"):
        return _busy(name.removeprefix("retry_after_"), asked, rules)
    if name == "recording_redirect":
        return _answer(302, b"", "text/plain", asked.now, location=_ELSEWHERE)
    if name in {"html_200_before", "recording_html"}:
        return _answer(200, WEB_PAGE, "text/html", asked.now)
    if name in {"recording_404", "recording_expired"}:
        return _answer(404 if name == "recording_404" else 410, b"no recording here", "text/plain", asked.now)
    if name in {"storm_503", "error_503_before", "error_500_before"}:
        status = 500 if name == "error_500_before" else 503
        answer = _answer(status, b"<html>the service is not available</html>", "text/html", asked.now)
        return answer.with_header("retry-after", "2") if name == "storm_503" else answer
    return _refusal(name, asked, rules)


def _refusal(name: str, asked: Asked, rules: SandboxRules) -> Answer:
    status, body = error_json(rules, _error(name, asked))
    headers: dict[str, str] = {}
    if name.startswith("error_200"):
        status = 200
    elif name == errors.RATE_LIMITED:
        headers = retry_after_header(rules, 2.0, asked.now)
    answer = _answer(status, json.dumps(body).encode(), "application/json", asked.now)
    for header, value in headers.items():
        answer = answer.with_header(header.lower(), value)
    return answer


def _error(name: str, asked: Asked) -> ApiError:
    if name == "error_echo":
        said = f"the number {asked.phone} cannot be called with the key {asked.key}"
        return refused(errors.BAD_NUMBER, said)
    if name == "error_200_odd":
        return ApiError("the request was understood, but", code="temporarily_refused", http_status=200)
    code = {"error_200": errors.NO_SLOTS, "agent_rests": errors.AGENT_NOT_READY}.get(name, name)
    status = {"server_error": 500, errors.UNAUTHORIZED: 401, "forbidden": 403, "not_found": 404}.get(code)
    if status is not None:
        return ApiError("a rehearsed fault", code=code, http_status=status)
    return refused(code, "a rehearsed fault")


def _redirect(how: str, asked: Asked) -> Answer:
    status = int(how) if how.isdigit() else 307
    path = {"loop": asked.target, "away": ""}.get(how, "/v1/elsewhere")
    where = f"http://{asked.host}{path}" if how != "away" else _ELSEWHERE
    return _answer(status, b"", "text/plain", asked.now, location=where)


def _busy(how: str, asked: Asked, rules: SandboxRules) -> Answer:
    _, body = error_json(rules, refused(errors.RATE_LIMITED, "too many requests"))
    answer = _answer(429, json.dumps(body).encode(), "application/json", asked.now)
    moment = format_datetime(datetime.fromtimestamp(int(asked.now) + 2, UTC), usegmt=True)
    values = {"seconds": "2", "date": moment, "absurd": "99999999", "negative": "-5"}
    return answer.with_header("retry-after", values.get(how))


# --- another question -------------------------------------------------------------------------------------------------


def other_query(name: str, query: str) -> str:
    """The query of a list as a fault of its kind hears it."""
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    if name == "page_ignored":
        pairs["page"] = "1"
    elif name in {"per_page_ignored", "per_page_lied"}:
        pairs["per_page"] = _FEW
    elif name == "filters_ignored":
        pairs = {key: value for key, value in pairs.items() if key not in _FILTERS}
    return urlencode(pairs)


def page_shift(query: str) -> int:
    """By how many calls a page is off while pages shift: an even one misses a call, an odd one repeats one."""
    page = dict(parse_qsl(query)).get("page", "1")
    return 0 if not page.isdecimal() or int(page) < 2 else 1 if int(page) % 2 == 0 else -1


# --- another answer ---------------------------------------------------------------------------------------------------


def said_otherwise(name: str, body: JsonObject, *, others: list[PretendCall], asked_per_page: int) -> None:
    """Change an answer's JSON in place. ``others``: calls that exist, the oldest first, this one not among them.

    An answer that has not got what the fault is about stays as it is.
    """
    data, meta = body.get("data"), body.get("meta")
    if isinstance(data, dict):
        _other_ident(name, data, others)
        _other_words(name, data)
        for field in ("url", "recording_url"):
            if name.startswith("recording_") and data.get(field):
                data[field] = _other_place(name, str(data[field]))
    if isinstance(meta, dict):
        total = meta.get("total", 0)
        totals = {"wrong_total": total + 3, "total_low": total // 2, "total_zero": 0}
        meta["total"] = totals.get(name, total)
        if name == "per_page_lied":
            meta["per_page"] = asked_per_page


def _other_ident(name: str, data: JsonObject, others: list[PretendCall]) -> None:
    if name == "no_id":
        data.pop("id", None)
    elif name in {"null_id", "number_id"}:
        data["id"] = None if name == "null_id" else 4711
    elif name in {"other_id", "same_id"} and others:
        data["id"] = others[0 if name == "other_id" else -1].id
    elif name == "other_call" and others:
        data |= {"id": others[0].id, "phone_number": others[0].phone, "agent_id": others[0].agent_id}


def _other_words(name: str, data: JsonObject) -> None:
    if name == "other_transcript":
        data["call_id"] = "call_nobody"
    if name == "hostile_words":
        turns = data.get("transcript") or []
        data |= {"transcript": [turn | {"speaker": HOSTILE, "text": HOSTILE} for turn in turns], "summary": HOSTILE}


def _other_place(name: str, url: str) -> str:
    parts = urlsplit(url)
    if name == "recording_bad_name":
        return urlunsplit(parts._replace(path="/recordings/../../../../etc/passwd"))
    host = "169.254.169.254" if name == "recording_private_ip" else "recordings.invalid"
    return urlunsplit(parts._replace(netloc=host))


# --- another call -----------------------------------------------------------------------------------------------------

_BEHIND: Final = {
    str(CallStatus.RINGING): str(CallStatus.INITIATING),
    str(CallStatus.IN_PROGRESS): str(CallStatus.RINGING),
}


def call_otherwise(name: str, call: JsonObject, showing: int) -> None:
    """Change a call in place, which is shown for the ``showing``-th time (from 1)."""
    status_key = "status" if "status" in call else "call_status"
    created_key = "created_at" if "created_at" in call else "start_timestamp"
    status = str(call.get(status_key, ""))
    if name == "unknown_status" and not is_final(status):
        call[status_key] = "transferring"
    elif name == "status_backwards" and showing % 2 == 0:
        _live(call, status_key, _BEHIND.get(status, str(CallStatus.IN_PROGRESS) if is_final(status) else status))
    elif name == "flapping" and is_final(status) and showing % 2 == 0:
        call[status_key] = str(CallStatus.FAILED if status != CallStatus.FAILED else CallStatus.COMPLETED)
    elif name == "stuck" and is_final(status):
        _live(call, status_key, str(CallStatus.IN_PROGRESS))
    elif name == "stuck_ringing" and status != CallStatus.INITIATING:
        _live(call, status_key, str(CallStatus.RINGING))
    elif name == "unknown_fields":
        call |= {"priority": "high", "links": {"self": ["a", {"b": None}]}, "score": 1e308, "": []}
    elif name == "item_without_phone":
        call.pop("phone_number", None)
    elif name.startswith("created_at_") and isinstance(call.get(created_key), str):
        call[created_key] = _other_moment(name, str(call[created_key]))


def _live(call: JsonObject, status_key: str, status: str) -> None:
    call[status_key] = status
    ends = ("duration", "duration_seconds", "sentiment", "cost", "ended_at", "recording_url", "transcript", "summary")
    call.update({field: None for field in ends if field in call})


def _other_moment(name: str, text: str) -> Any:  # a moment in any of its spellings
    moment = datetime.fromisoformat(text)
    if name == "created_at_offset":
        return moment.astimezone(_ABROAD).isoformat()
    return int(moment.timestamp() * 1000) if name == "created_at_ms" else "the day before yesterday, at noon"


# --- other bytes ------------------------------------------------------------------------------------------------------


def spoiled(name: str, answer: Answer, now: float) -> Answer:
    """The answer to a request that was carried out, as the fault lets it through."""
    change = _SPOILERS.get(name)
    if change is not None:
        return change(answer)
    if name == "error_500_after":
        return _answer(500, b"<html>something went wrong</html>", "text/html", now)
    return answer


def _doubled(answer: Answer) -> Answer:
    return answer.with_body(answer.body.replace(b'"id":', b'"id":"call_nobody","id":', 1))


def _not_a_number(answer: Answer) -> Answer:
    return answer.with_body(answer.body.replace(b'"id":', b'"duration":NaN,"cost":-Infinity,"id":', 1))


@lru_cache(1)
def _bomb() -> bytes:
    block = b" " * 2**20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    check, length = 0, _BOMB_BLOCKS * len(block)
    for _ in range(_BOMB_BLOCKS):
        check = zlib.crc32(block, check)
    head = bytes((31, 139, 8, 0, 0, 0, 0, 0, 0, 255))
    return head + packed * _BOMB_BLOCKS + b"\x03\x00" + check.to_bytes(4, "little") + length.to_bytes(4, "little")


_SPOILERS: Final[dict[str, Callable[[Answer], Answer]]] = {
    "truncated_json": lambda answer: answer.with_body(answer.body[: len(answer.body) // 2]),
    "html_200": lambda answer: replace(answer.with_body(WEB_PAGE, "text/html"), status=200),
    "recording_octets": lambda answer: answer.with_header("content-type", "application/octet-stream"),
    "wrong_type": lambda answer: answer.with_header("content-type", "text/plain"),
    "deep_json": lambda answer: answer.with_body(b'{"data":' + b"[" * _DEEP + b"]" * _DEEP + b"}"),
    "nan_json": _not_a_number,
    "duplicate_keys": _doubled,
    "bom_json": lambda answer: answer.with_body(b"\xef\xbb\xbf" + answer.body),
    "utf16_json": lambda answer: answer.with_body(
        answer.body.decode().encode("utf-16"), "application/json; charset=utf-16"
    ),
    "gzip_bomb": lambda answer: answer.with_body(_bomb()).with_header("content-encoding", "gzip"),
}


def with_headers(name: str, answer: Answer, now: float) -> Answer:
    """The answer with the headers that a fault of its kind leaves."""
    ahead = format_datetime(datetime.fromtimestamp(int(now) + 7200, UTC), usegmt=True)
    values = {"date_wrong": ahead, "date_garbage": "some time in the afternoon"}
    return answer.with_header("date", values.get(name))
