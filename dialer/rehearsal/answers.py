"""How the sandbox writes what the exchange knows: the API's JSON and errors, with a switch for each open point."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from dialer.core.errors import ApiError
from dialer.core.wire import CallStatus, JsonObject, is_final
from dialer.rehearsal.exchange import Exchange, ExchangeRules, PretendCall
from dialer.rehearsal.faults import Plan
from dialer.rehearsal.media import summary, transcript

COST_PER_S: Final = 0.45 / 245
"""As in the specification's example."""


class SandboxRules(ExchangeRules):
    """The exchange's rules, and how HTTP speaks of them."""

    requests_per_minute: int = Field(0, ge=0, description="0: no limit")
    requests_per_day: int = Field(0, ge=0, description="0: no limit")
    retry_after: Literal["seconds", "date", "none"] = Field("seconds", description="how 429 says when to come back")
    limit_headers: Literal["none", "x", "plain"] = Field("none", description="X-RateLimit-*, RateLimit-*")
    status_of: dict[str, int] = Field({}, description="HTTP status of a code, e.g. no_available_slots=503")
    error_shape: Literal["object", "text", "flat", "list"] = Field("object", description="how errors look")
    spelling: Literal["old", "new"] = Field("old", description="names of the fields of a call")
    delay: float = Field(0.0, ge=0, description="seconds every answer takes")
    url_life: float = Field(3600.0, gt=0, description="seconds until a recording's address expires")
    skew: float = Field(0.0, ge=-86_400, le=86_400, description="seconds the API's clock is ahead of this machine's")
    faults: dict[str, float | str] = Field({}, description="what goes wrong, and how often; see below")
    late_answer: float = Field(40.0, ge=0, description="seconds until late_201 answers")
    late_placing: float = Field(90.0, ge=0, description="seconds until placed_late places the call")
    storm: float = Field(600.0, gt=0, description="seconds a storm_503 goes on")
    away: float = Field(2.0, gt=0, description="seconds nobody can connect after refused or connect_timeout")
    agent_rests: float = Field(3600.0, gt=0, description="seconds an agent is not ready once agent_rests hit it")
    gone: float = Field(60.0, gt=0, description="seconds a call is not found that vanishes")
    drip: float = Field(0.5, gt=0, description="seconds between the bytes of slow_headers and slow_body")

    @field_validator("faults")
    @classmethod
    def _are_faults(cls, faults: dict[str, float | str]) -> dict[str, float | str]:
        try:
            Plan.of(faults, 1)
        except ValueError as error:
            raise PydanticCustomError("fault", "{said}", {"said": str(error)}) from None
        return faults

    def plan(self) -> Plan:
        """What goes wrong."""
        return Plan.of(self.faults, self.seed)


def iso(moment: float) -> str:
    """A moment as the API writes it: UTC, cut to the second."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_NEW_NAMES: Final = {"status": "call_status", "duration": "duration_seconds", "created_at": "start_timestamp"}


def call_json(
    exchange: Exchange, rules: SandboxRules, call: PretendCall, now: float, *, details: bool, recording_url: str
) -> JsonObject:
    """A call as List (``details`` False) or Get (True) shows it."""
    status = call.status(now)
    told = is_final(status) and exchange.shows_details(call, now)
    length_s = exchange.talked_s(call)
    shown: JsonObject = {
        "id": call.id,
        "direction": "outbound",
        "agent_id": call.agent_id,
        "phone_number": call.phone,
        "contact": call.contact,
        "status": status,
        "duration": int(length_s) if told else None,
        "sentiment": call.sentiment if told and status == CallStatus.COMPLETED else None,
        "cost": round(length_s * COST_PER_S, 2) if told else None,
        "created_at": iso(call.created_at),
    }
    if details:
        recorded = told and length_s > 0
        shown |= {
            "campaign_id": None,
            "recording_url": recording_url if recorded else None,
            "transcript": transcript(call, status, length_s) if told else None,
            "summary": summary(status) if told else None,
            "ended_at": iso(call.ends_at()) if is_final(status) else None,
        }
    if rules.echo == "both" or (rules.echo == "get" and details):
        shown["metadata"] = call.metadata
    if rules.spelling == "new":
        shown = {_NEW_NAMES.get(name, name): value for name, value in shown.items()}
        shown["contact_id"] = (call.contact or {}).get("id")
    return shown


def created_json(rules: SandboxRules, call: PretendCall, now: float) -> JsonObject:
    """The answer to a create."""
    shown: JsonObject = {
        "id": call.id,
        "direction": "outbound",
        "agent_id": call.agent_id,
        "phone_number": call.phone,
        "status": call.status(now),
        "created_at": iso(call.created_at),
    }
    if rules.spelling == "new":
        shown = {_NEW_NAMES.get(name, name): value for name, value in shown.items()}
    return {"data": shown}


def error_json(rules: SandboxRules, error: ApiError) -> tuple[int, JsonObject]:
    """HTTP status and body of an error, in the shape the switch asks for."""
    status = rules.status_of.get(error.code, error.http_status or 500)
    code, message = error.code or "server_error", error.message
    shapes: dict[str, JsonObject] = {
        "object": {"error": {"code": code, "message": message, "status": status}},
        "text": {"error": code, "message": message},
        "flat": {"code": code, "message": message},
        "list": {"errors": [{"code": code, "message": message}]},
    }
    return status, shapes[rules.error_shape]


def limit_headers(rules: SandboxRules, left: int, reset_s: float) -> dict[str, str]:
    """What every answer says of the minute's limit, where the switch asks for it."""
    prefix = {"x": "X-RateLimit-", "plain": "RateLimit-"}.get(rules.limit_headers)
    if prefix is None or not rules.requests_per_minute:
        return {}
    return {
        f"{prefix}Limit": str(rules.requests_per_minute),
        f"{prefix}Remaining": str(left),
        f"{prefix}Reset": str(max(int(reset_s + 0.999), 0)),
    }


def retry_after_header(rules: SandboxRules, wait_s: float, now: float) -> dict[str, str]:
    """``Retry-After``, as the switch asks for it."""
    whole = int(wait_s + 0.999)
    if rules.retry_after == "seconds":
        return {"Retry-After": str(whole)}
    if rules.retry_after == "date":
        return {"Retry-After": format_datetime(datetime.fromtimestamp(int(now) + whole, UTC), usegmt=True)}
    return {}
