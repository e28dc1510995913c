"""The table ``[columns]`` of a campaign file: what a contact list does not say itself."""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

LINE_TYPES: Final = (
    "fixed_line",
    "mobile",
    "fixed_line_or_mobile",
    "voip",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
"""In phonenumbers' words. In some countries, the USA among them, fixed and mobile lines cannot be told apart."""
_NOT_OF_LISTS: Final = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})


Elsewhere = Literal["reject_live", "reject_called", "allow"]
"""Who of other campaigns is no contact of this one: whoever is still to be called there, or is on the line; whoever was
or will be called there; nobody."""


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _is_encoding(name: str) -> bool:
    try:
        b"a".decode(name, "ignore")
        return codecs.lookup(name).name not in _NOT_OF_LISTS
    except (LookupError, UnicodeError, ValueError):
        return False


class Duplicates(BaseModel):
    """What is done with people who are there already."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    in_list: Literal["first", "refuse"] = "first"
    """A number or key that comes twice: its first row counts and the others are rejected; or the list is refused."""
    in_other_campaigns: Elsewhere = "reject_live"


class Columns(BaseModel):
    """What a list does not say itself. Columns are named by their headers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    phone: Annotated[tuple[str, ...], BeforeValidator(_one_or_more), Field(strict=False)] = ()
    region: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    timezone: str | None = None
    state: str | None = None
    postal_code: str | None = None
    consent: str | None = None
    priority: str | None = None
    agent: str | None = None
    key: str | None = None
    """Whose cells tell people apart beside their numbers."""
    metadata: Annotated[str | tuple[str, ...] | None, BeforeValidator(_tuple)] = None
    """The column whose cells are nested JSON; or the list of all columns that are sent."""
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    vanity: bool = False
    extensions: Literal["reject", "strip"] = "reject"
    line_types: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = LINE_TYPES[:4]
    allow_possible: bool = False
    """Whether numbers of a possible length that no numbering plan knows are called."""

    @field_validator("region")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Z]{2}", value):
            raise ValueError('a region is two capital letters, like "US"')
        return value

    @field_validator("encoding")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None and not _is_encoding(value):
            raise ValueError('an encoding is a name like "cp1252", "cp1251", "shift_jis" or "utf-16"')
        return value

    @field_validator("delimiter")
    @classmethod
    def _one_mark(cls, value: str | None) -> str | None:
        if value is None or value == "tab":
            return None if value is None else "\t"
        if len(value) != 1 or value.isalnum() or value in "\"'\r\n\0\\+ ":
            raise ValueError('a delimiter is one mark, like ";", ",", "|" or "tab"')
        return value

    @field_validator("line_types")
    @classmethod
    def _kinds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(LINE_TYPES):
            raise ValueError(f"kinds of line are {', '.join(LINE_TYPES)}")
        return value
