"""A cell of a list as one E.164 number, or the reason why it is none. Never a guess that could ring a stranger.

``phonenumbers`` is the judge of what is valid; this module decides what may be put before it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType, timezone

from dialer.core.errors import ContactsError

_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*[eE]\s*[+-]?\d+")
_FLOAT: Final = re.compile(r"(\+?\d{6,})\.0+")
_LABEL: Final = re.compile(r"\([^()\d]*\)|\b(?:mobile|cell|home|work|office|phone|tel|fax)\b\.?:?", re.IGNORECASE)
_SEVERAL: Final = re.compile(r"[/;|\n]|\bor\b", re.IGNORECASE)
_EXTENSION: Final = re.compile(r";ext=", re.IGNORECASE)
_SATELLITE: Final = frozenset({870, 878, 881, 882, 883})
"""International networks without a country: some count as VoIP, all cost like satellites."""
_CALLABLE: Final = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
    }
)


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a cell is no number that may be called: a word for tables, and a sentence."""

    reason: str
    detail: str


def check_region(region: str | None) -> None:
    """Raise :class:`~dialer.core.errors.ContactsError` for a country nobody knows."""
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise ContactsError(f'[columns] region = "{region}" is no country; two letters like US, GB or ZA are meant')


def to_e164(cell: str, region: str | None) -> str | Unusable:
    """The number in a cell, as E.164. ``region`` is the country of numbers written without a country code."""
    text = _plain(cell)
    if not text:
        return Unusable("phone_missing", "the phone cell is empty")
    if _SCIENTIFIC.fullmatch(text):
        return Unusable("phone_scientific", f"'{text}': a spreadsheet has lost digits; format the column as text")
    found: str | Unusable = Unusable("phone_invalid", f"'{text}' holds no number")
    if _EXTENSION.search(text):
        return Unusable("phone_extension", f"'{text}' has an extension, which cannot be dialed")
    for part in filter(None, (piece.strip() for piece in _SEVERAL.split(text))):
        found = _one(part, region)
        if isinstance(found, str):
            return found
    return found


def _plain(cell: str) -> str:
    text = unicodedata.normalize("NFKC", cell)
    text = "".join(mark for mark in text if unicodedata.category(mark) not in {"Cf", "Cc"} or mark == "\n").strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    text = text.removeprefix("'").strip()
    if match := _FLOAT.fullmatch(text):
        text = match[1]
    return text


def _one(text: str, region: str | None) -> str | Unusable:
    bare = _LABEL.sub(" ", text).strip()
    try:
        number = phonenumbers.parse(bare, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and not bare.startswith("+"):
            return Unusable(
                "phone_no_country",
                f"'{text}' has no country code; write +..., or set region in [columns]",
            )
        return Unusable("phone_invalid", f"'{text}' is not a phone number")
    if number.extension:
        return Unusable("phone_extension", f"'{text}' has an extension, which cannot be dialed")
    if any(mark.isalpha() for mark in bare):
        return Unusable("phone_letters", f"'{text}' has letters in it")
    if not phonenumbers.is_valid_number(number):
        return Unusable("phone_invalid", f"'{text}' is not a number that exists")
    if phonenumbers.number_type(number) not in _CALLABLE or number.country_code in _SATELLITE:
        return Unusable("phone_kind", f"'{text}' is a premium, toll-free, shared-cost or satellite number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=65_536)
def _zones(prefix: str) -> str | None:
    found = timezone.time_zones_for_number(phonenumbers.parse(prefix))
    known = [name for name in found if name != timezone.UNKNOWN_TIMEZONE]
    return "&".join(sorted(known)) or None


def zones_of(phone: str) -> str | None:
    """The time zones an E.164 number may lie in, joined with "&"; None where nothing is known."""
    return _zones(phone)
