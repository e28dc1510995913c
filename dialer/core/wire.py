"""The Calls API's nouns as its specification writes them, and every other spelling that is known.

Reading is lenient on purpose: unknown fields, unknown statuses, nulls and the newer spellings all survive, because an
answer that cannot be read would have to be treated as "a phone may have rung". Only the ``id`` of a call is required.
Nothing here knows HTTP.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

JsonObject = dict[str, Any]
_Model = TypeVar("_Model", bound=BaseModel)


class CallStatus(StrEnum):
    """The eight statuses of the specification."""

    INITIATING = "initiating"
    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    VOICEMAIL = "voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"


_ENDS: Final = frozenset(
    {CallStatus.COMPLETED, CallStatus.VOICEMAIL, CallStatus.NO_ANSWER, CallStatus.BUSY, CallStatus.FAILED}
)

STATUS_STEPS: Final[dict[CallStatus, frozenset[CallStatus]]] = {
    CallStatus.INITIATING: frozenset({CallStatus.RINGING, CallStatus.IN_PROGRESS}) | _ENDS,
    CallStatus.RINGING: frozenset({CallStatus.IN_PROGRESS}) | _ENDS,
    CallStatus.IN_PROGRESS: frozenset({CallStatus.COMPLETED, CallStatus.VOICEMAIL, CallStatus.FAILED}),
    CallStatus.COMPLETED: frozenset(),
    CallStatus.VOICEMAIL: frozenset(),
    CallStatus.NO_ANSWER: frozenset(),
    CallStatus.BUSY: frozenset(),
    CallStatus.FAILED: frozenset(),
}
"""What may follow a status. A status nothing follows is final; nobody keeps a list of final statuses."""


_REPEATED: Final = 3_000
"""Calls of earlier pages that are remembered, so that they need not be read again."""


def is_final(status: str) -> bool:
    """Whether a call with this status has ended. A status that is not known yet is never final."""
    return status in STATUS_STEPS and not STATUS_STEPS[CallStatus(status)]


def _status(value: object) -> object:
    if not isinstance(value, str):
        return ""
    text = _encodable(value).strip().lower().replace("-", "_")
    return CallStatus(text) if text in STATUS_STEPS else text


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever float() accepts is a number here
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _moment(value: object) -> datetime | None:
    """A time of the API as an aware datetime: ISO 8601 with or without zone, or seconds or milliseconds."""
    if isinstance(value, str) and (number := _number(value)) is None:
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    number = _number(value)
    if number is None:
        return None
    try:
        return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _object(value: object) -> object:
    return value if isinstance(value, dict) else None


def _text(value: object) -> object:
    return _encodable(value) if isinstance(value, str) else None


def _encodable(text: str) -> str:
    """JSON may hold half a character; no file or database takes that."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


def _ident(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Seconds = Annotated[float | None, BeforeValidator(_number)]
Money = Annotated[float | None, BeforeValidator(_number)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
MaybeText = Annotated[str | None, BeforeValidator(_text)]
MaybeObject = Annotated[JsonObject | None, BeforeValidator(_object)]
CallId = Annotated[str, BeforeValidator(_ident), Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Read(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


class Call(_Read):
    """One call, live or ended, as List, Get, Create or End show it. Times are aware, lengths are seconds."""

    id: CallId = Field(validation_alias=AliasChoices("id", "call_id"))
    direction: MaybeText = None
    agent_id: MaybeText = None
    campaign_id: MaybeText = None
    phone_number: MaybeText = Field(None, validation_alias=AliasChoices("phone_number", "to_number", "to"))
    contact: MaybeObject = None
    contact_id: MaybeText = None
    status: Annotated[str, BeforeValidator(_status)] = Field("", validation_alias=AliasChoices("status", "call_status"))
    duration_s: Seconds = Field(None, validation_alias=AliasChoices("duration", "duration_seconds"))
    sentiment: MaybeText = None
    cost: Money = None
    recording_url: MaybeText = None
    transcript: Any = None
    summary: MaybeText = None
    metadata: MaybeObject = None
    created_at: Moment = Field(None, validation_alias=AliasChoices("created_at", "start_timestamp", "started_at"))
    ended_at: Moment = Field(None, validation_alias=AliasChoices("ended_at", "end_timestamp"))

    @property
    def ended(self) -> bool:
        """Whether the status is one that nothing follows."""
        return is_final(self.status)


class CallPage(_Read):
    """One page of a list. ``unreadable`` counts items without a usable id: they are skipped, not guessed at."""

    calls: tuple[Call, ...] = ()
    total: int | None = None
    page: int = 1
    per_page: int = 20
    unreadable: int = 0


class Recording(_Read):
    """Where a recording can be fetched until ``expires_at``. Another host than the API's: never send it the key."""

    url: str
    duration_s: Seconds = Field(None, validation_alias=AliasChoices("duration", "duration_seconds"))
    expires_at: Moment = None


class Turn(_Read):
    """One turn of a conversation, ``timestamp`` in seconds from its start."""

    speaker: MaybeText = None
    text: Annotated[str, BeforeValidator(lambda value: value if isinstance(value, str) else "")] = ""
    timestamp: Seconds = None


class Transcript(_Read):
    """What was said in a call, and its summary."""

    call_id: MaybeText = None
    transcript: tuple[Turn, ...] = ()
    summary: MaybeText = None


class WebToken(_Read):
    """A token for a web call. It opens a call on our account, so no repr shows it."""

    token: str = Field(repr=False)
    expires_at: Moment = None
    websocket_url: MaybeText = None


class NewCall(BaseModel):
    """The body of a create. ``phone_number`` is E.164."""

    model_config = ConfigDict(frozen=True)

    agent_id: str
    phone_number: str
    contact: JsonObject | None = None
    metadata: JsonObject | None = None


class Unreadable(ValueError):
    """An answer that is not what the specification promises."""


def read_object(body: bytes) -> JsonObject:
    """The JSON object in an answer. Raises :class:`Unreadable` for anything else, however it is broken."""
    try:
        found = json.loads(body.decode("utf-8-sig"), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON ({type(error).__name__})") from None
    if not isinstance(found, dict):
        raise Unreadable(f"JSON, but a {type(found).__name__} and not an object")
    return found


def _data(body: JsonObject) -> JsonObject:
    data = body.get("data", body)
    if not isinstance(data, dict):
        raise Unreadable("'data' is not an object")
    return data


def _read(model: type[_Model], data: JsonObject) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = ", ".join(".".join(str(step) for step in item["loc"]) for item in error.errors())
        raise Unreadable(f"no usable {fields}") from None


def read_call(body: JsonObject) -> Call:
    """A call from the answer of Get, Create or End."""
    return _read(Call, _data(body))


def read_created(body: JsonObject) -> Call:
    """The call in the answer to a create. Its id must be text: anything else may be the number of something else."""
    data = _data(body)
    if not isinstance(data.get("id", data.get("call_id")), str):
        raise Unreadable("no usable id")
    return _read(Call, data)


class PageReader:
    """Reads pages of calls, one after the other. What a page repeats of an earlier one is not read again."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[JsonObject, Call]] = {}

    def __call__(self, body: JsonObject, *, page: int = 1) -> CallPage:
        """A page of calls. Items that cannot be read are counted, the others kept."""
        items = body.get("data")
        if not isinstance(items, list):
            raise Unreadable("'data' is not a list")
        calls = tuple(call for item in items if (call := self._call(item)) is not None)
        return _page(body, items, calls, page)

    def _call(self, item: Any) -> Call | None:
        ident = item.get("id") if isinstance(item, dict) else None
        known = self._read.get(ident) if isinstance(ident, str) else None
        if known is not None and known[0] == item:
            return known[1]
        try:
            call = Call.model_validate(item)
        except ValidationError:
            return None
        if isinstance(ident, str):
            self._read[ident] = (item, call)
            if len(self._read) > _REPEATED:
                del self._read[next(iter(self._read))]
        return call


def read_page(body: JsonObject, *, page: int = 1) -> CallPage:
    """A single page of calls. See :class:`PageReader`."""
    return PageReader()(body, page=page)


def _page(body: JsonObject, items: list[Any], calls: tuple[Call, ...], page: int) -> CallPage:
    raw = body.get("meta")
    meta: JsonObject = raw if isinstance(raw, dict) else {}
    total, number, per_page = (_number(meta.get(key)) for key in ("total", "page", "per_page"))
    return CallPage(
        calls=calls,
        total=None if total is None else int(total),
        page=page if number is None else int(number),
        per_page=max(len(items), 1) if not per_page or per_page < 1 else int(per_page),
        unreadable=len(items) - len(calls),
    )


def read_recording(body: JsonObject) -> Recording:
    """Where the recording lies."""
    return _read(Recording, _data(body))


def read_transcript(body: JsonObject) -> Transcript:
    """The transcript of one call."""
    return _read(Transcript, _data(body))


def read_web_token(body: JsonObject) -> WebToken:
    """A web call token."""
    return _read(WebToken, _data(body))


def read_error(body: JsonObject) -> tuple[str | None, str | None]:
    """Code and message of an error answer, in each of the four shapes that are known; None where it says neither.

    Shapes: ``{"error": {"code", "message"}}``, ``{"error": "code"}``, ``{"code": ...}`` and ``{"errors": [...]}``.
    """
    error: Any = body.get("error", body)
    if "error" not in body and isinstance(body.get("errors"), list) and body["errors"]:
        error = body["errors"][0]
    if isinstance(error, str):
        message = body.get("message")
        return error, message if isinstance(message, str) else None
    if not isinstance(error, dict):
        return None, None
    code, message = error.get("code", error.get("type")), error.get("message", error.get("detail"))
    return code if isinstance(code, str) else None, message if isinstance(message, str) else None
