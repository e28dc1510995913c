"""The campaign file: TOML in, one frozen :class:`Campaign` out, or one sentence that says what to mend and where."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from dialer.core.columns import Columns, Duplicates
from dialer.core.errors import CampaignFileError
from dialer.core.hours import ALWAYS, CallingHours, Window, zone_of
from dialer.core.lifecycle import Disposition
from dialer.core.retry import RetryPolicy

SANDBOX: Final = "sandbox"
_UNITS_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_WALL: Final = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def seconds(value: object) -> float:
    """The seconds in a duration such as "500ms", "15s", "30m", "4h", "2d", or several together ("1h30m")."""
    if isinstance(value, str):
        text = value.strip().lower()
        parts = _DURATION.findall(text)
        if parts and _DURATION.sub("", text).strip() == "":
            return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    raise ValueError('a duration is text like "500ms", "15s", "30m", "4h" or "2d"')


def _window(value: object) -> Window | None:
    if isinstance(value, str) and value.strip().lower() == "closed":
        return None
    if isinstance(value, str) and value.count("-") == 1:
        found = [_WALL.fullmatch(part.strip()) for part in value.split("-")]
        if all(found):
            opens, closes = (_wall(match) for match in found if match)
            if opens < closes:
                return opens, closes
    raise ValueError('hours are "closed" or like "09:00-20:00", from the earlier to the later')


def _wall(match: re.Match[str]) -> time:
    hour, minute = int(match[1]), int(match[2])
    if hour == 24:
        if minute:
            raise ValueError("a day ends at 24:00")
        return time.max
    return time(hour, minute)


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, (str, dict)) else value


Duration = Annotated[float, BeforeValidator(seconds)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Agent(_Table):
    """An agent and its share of the calls."""

    id: str = Field(min_length=1)
    weight: Annotated[float, Field(gt=0, strict=False)] = 1.0


def _agent(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


class Api(_Table):
    """Where the API is and what it allows."""

    base_url: str = SANDBOX
    requests_per_minute: int = Field(60, ge=1)
    requests_per_day: int = Field(10_000, ge=1)
    timeout: Annotated[Duration, Field(ge=0.05, le=300)] = 30.0
    clock_tolerance: Annotated[Duration, Field(ge=1)] = 60.0
    """How far the API's clock and this machine's may be apart before no call is placed."""

    @field_validator("base_url")
    @classmethod
    def _https(cls, value: str) -> str:
        if value == SANDBOX:
            return value
        url = urlsplit(value)
        try:
            clean = url.hostname and url.port != 0 and not (url.username or url.query or url.fragment)
        except ValueError:  # a port beyond 65535
            clean = False
        if url.scheme not in {"https", "http"} or not clean:
            raise ValueError('it is "sandbox" or an address like "https://api.getsmartalex.com/v1"')
        if url.scheme == "http" and not is_loopback(url.hostname or ""):
            raise ValueError("only https, since the key travels along (http is for this machine's own addresses)")
        return value.rstrip("/")

    @property
    def is_loopback(self) -> bool:
        """Whether no call can be real: the sandbox, or a server on this machine."""
        return self.base_url == SANDBOX or is_loopback(urlsplit(self.base_url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Pacing(_Table):
    """How fast, and how long one call may take."""

    max_concurrent: int = Field(20, ge=1, le=100_000)
    longest_call: Annotated[Duration, Field(ge=0.1)] = 7200.0


Waits = Annotated[tuple[Duration, ...], Field(strict=False)]


class Retry(_Table):
    """Who is called again, and when."""

    max_attempts: int = Field(3, ge=1, le=100)
    busy: Waits = (900.0, 1800.0, 3600.0)
    no_answer: Waits = (14_400.0, 86_400.0)
    voicemail: Waits = ()
    failed: Waits = ()
    on_uncertain: Literal["hold", "retry_absent"] = "hold"
    uncertain_horizon: Duration = 1800.0
    uncertain_scans: int = Field(3, ge=1, le=20)
    uncertain_scan_gap: Annotated[Duration, Field(ge=0)] = 60.0


class Hours(_Table):
    """Windows in the contact's own time zone, or one zone for all."""

    weekdays: str = "09:00-20:00"
    saturday: str = "closed"
    sunday: str = "closed"
    monday: str | None = None
    tuesday: str | None = None
    wednesday: str | None = None
    thursday: str | None = None
    friday: str | None = None
    timezone: str = "contact"

    @field_validator("weekdays", *_DAYS)
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            _window(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value != "contact" and zone_of(value) is None:
            raise ValueError('it is "contact" or an IANA name like "America/New_York"')
        return value


class Limits(_Table):
    """What may be spent, in the API's cost units."""

    max_cost: Annotated[float, Field(gt=0, strict=False)] | None = None


def _at_home(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise CampaignFileError(f"'contacts': {name}: there is no such home directory") from None


class Campaign(_Table):
    """One campaign, as its file says. Frozen; durations are seconds."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    contacts: Annotated[tuple[str, ...], BeforeValidator(_one_or_more), Field(min_length=1, strict=False)]
    agents: Annotated[
        tuple[Annotated[Agent, BeforeValidator(_agent)], ...],
        BeforeValidator(_one_or_more),
        Field(min_length=1, strict=False),
    ]
    api: Api = Api()
    columns: Columns = Columns()
    duplicates: Duplicates = Duplicates()
    pacing: Pacing = Pacing()
    retry: Retry = Retry()
    hours: Hours | Literal["always"] = Hours()
    limits: Limits = Limits()
    sandbox: dict[str, Any] = {}
    """Settings of the embedded sandbox; only looked at where ``base_url`` is "sandbox"."""

    _home: Path = PrivateAttr(default=Path())
    _source: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _coherent(self) -> Campaign:
        if len({agent.id for agent in self.agents}) < len(self.agents):
            raise ValueError("agents: the same agent is named twice; give it a weight instead")
        if self.retry.uncertain_horizon < 1800 and not self.api.is_loopback:
            raise ValueError(
                "retry.uncertain_horizon: shorter than 30m only for rehearsals on this machine: a call that shows up "
                "in the list later than the horizon would be placed twice"
            )
        if (self.retry.uncertain_scans < 3 or self.retry.uncertain_scan_gap < 60) and not self.api.is_loopback:
            raise ValueError(
                "retry.uncertain_scans, retry.uncertain_scan_gap: fewer than 3 scans, or closer than 60s, only for "
                "rehearsals on this machine: one look at a list that lags proves nothing"
            )
        return self

    @property
    def source(self) -> str:
        """The text of the file that was read."""
        return self._source

    @property
    def contact_files(self) -> tuple[Path, ...]:
        """The contact lists, relative ones beside the campaign file."""
        return tuple(self._home / _at_home(name) for name in self.contacts)

    def rules(self) -> Rules:
        """The campaign's policies as plain values, for the switchboard."""
        return Rules(
            campaign=self.name,
            agents=tuple((agent.id, agent.weight) for agent in self.agents),
            max_concurrent=self.pacing.max_concurrent,
            longest_call_s=self.pacing.longest_call,
            requests_per_minute=self.api.requests_per_minute,
            requests_per_day=self.api.requests_per_day,
            timeout_s=self.api.timeout,
            clock_tolerance_s=self.api.clock_tolerance,
            max_cost=self.limits.max_cost,
            retry=self._retry(),
            hours=self._hours(),
        )

    def _retry(self) -> RetryPolicy:
        waits: Mapping[Disposition, tuple[float, ...]] = MappingProxyType(
            {
                Disposition.BUSY: self.retry.busy,
                Disposition.NO_ANSWER: self.retry.no_answer,
                Disposition.VOICEMAIL: self.retry.voicemail,
                Disposition.FAILED: self.retry.failed,
            }
        )
        return RetryPolicy(
            max_attempts=self.retry.max_attempts,
            waits=waits,
            on_uncertain=self.retry.on_uncertain,
            horizon_s=self.retry.uncertain_horizon,
            scans=self.retry.uncertain_scans,
            scan_gap_s=self.retry.uncertain_scan_gap,
        )

    def _hours(self) -> CallingHours:
        if self.hours == ALWAYS or isinstance(self.hours, str):
            return CallingHours()
        spoken = self.hours
        week = tuple(
            _window((getattr(spoken, day) or spoken.weekdays) if index < 5 else getattr(spoken, day))
            for index, day in enumerate(_DAYS)
        )
        if all(window == (time.min, time.max) for window in week):  # nobody's zone matters then, known or not
            return CallingHours()
        return CallingHours(week, spoken.timezone)

    def digest(self) -> str:
        """A fingerprint of everything the file says."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the switchboard goes by. Lengths in seconds, money in the API's cost units."""

    campaign: str
    agents: tuple[tuple[str, float], ...]
    max_concurrent: int = 20
    longest_call_s: float = 7200.0
    requests_per_minute: int = 60
    requests_per_day: int = 10_000
    timeout_s: float = 30.0
    clock_tolerance_s: float = 60.0
    max_cost: float | None = None
    retry: RetryPolicy = RetryPolicy()
    hours: CallingHours = CallingHours()


def load_campaign(path: Path) -> Campaign:
    """The campaign in the TOML file at ``path``. Raises :class:`CampaignFileError` with file, key and remedy."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise CampaignFileError(f"{path}: there is no such campaign file") from None
    except IsADirectoryError:
        raise CampaignFileError(f"{path}: a campaign file is meant, this is a directory") from None
    except UnicodeDecodeError:
        raise CampaignFileError(f"{path}: not UTF-8 text; save the campaign file as UTF-8") from None
    except OSError as error:
        raise CampaignFileError(f"{path}: {error.strerror}") from None
    return read_campaign(text, path)


def read_campaign(text: str, path: Path) -> Campaign:
    """The campaign that ``text`` describes; ``path`` is where it came from, for messages and relative lists."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CampaignFileError(f"{path}: not valid TOML: {error}") from None
    try:
        campaign = Campaign.model_validate(data)
    except ValidationError as error:
        raise CampaignFileError(f"{path}: {_first_fault(error)}") from None
    campaign._home, campaign._source = path.parent, text  # the module's own fields: pydantic knows no other way
    return campaign


def _first_fault(error: ValidationError) -> str:
    faults = error.errors()
    fault = next((item for item in faults if item["type"] == "extra_forbidden"), faults[0])
    steps = [str(step) for step in fault["loc"] if not str(step).startswith(("function-", "literal[", "Hours"))]
    where = ".".join(steps)
    kind = fault["type"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(steps[-1], _keys_of(steps[:-1]), 1, 0.5)
        hint = f"; did you mean '{near[0]}'?" if near else f"; known here: {', '.join(_keys_of(steps[:-1]))}"
        return f"unknown key '{where}'{hint}"
    if kind == "missing":
        return f"'{where}' is missing"
    said = _PLAIN.get(kind) or fault["msg"].removeprefix("Value error, ")
    if steps[:1] == ["hours"] and len(steps) == 1:
        said = 'it is "always" or a table [hours]'
    got = "" if not where or isinstance(fault["input"], dict) else f" (it says {fault['input']!r})"
    return f"'{where}': {said}{got}" if where else said


_PLAIN: Final = {
    "tuple_type": 'a list is meant, like ["15m"]',
    "too_short": "at least one is needed",
    "string_type": "text in quotation marks is meant",
    "int_type": "a whole number is meant",
    "int_parsing": "a whole number is meant",
    "bool_type": "true or false is meant",
    "float_parsing": "a number is meant",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-' are allowed, at most 64, the first a letter or digit",
}
"""What a user would write, where the validator speaks of types."""


def _keys_of(steps: list[str]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {
        "api": Api,
        "columns": Columns,
        "duplicates": Duplicates,
        "pacing": Pacing,
        "retry": Retry,
        "hours": Hours,
        "limits": Limits,
        "agents": Agent,
    }
    return list(tables.get(steps[0], Campaign).model_fields if steps else Campaign.model_fields)
