"""The world's numbering plans as ``phonenumbers`` knows them, compiled once: which kind of line a number is.

``phonenumbers`` stays the judge: its metadata decides, by its own rules and in its own order. What is here only asks
each question once and keeps the compiled patterns at hand, which is ten times as fast; a test holds the two together.
What a fast answer is not certain of, it leaves to :func:`phonenumbers.parse`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumberType
from phonenumbers.timezone import UNKNOWN_TIMEZONE
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

DIGITS_MOST: Final = 15
"""Of an E.164 number, its country code counted (ITU-T E.164)."""
UNKNOWN: Final = int(PhoneNumberType.UNKNOWN)
_FIXED: Final = int(PhoneNumberType.FIXED_LINE)
_MOBILE: Final = int(PhoneNumberType.MOBILE)
_EITHER: Final = int(PhoneNumberType.FIXED_LINE_OR_MOBILE)
_FIRST_ASKED: Final = (
    ("premium_rate", int(PhoneNumberType.PREMIUM_RATE)),
    ("toll_free", int(PhoneNumberType.TOLL_FREE)),
    ("shared_cost", int(PhoneNumberType.SHARED_COST)),
    ("voip", int(PhoneNumberType.VOIP)),
    ("personal_number", int(PhoneNumberType.PERSONAL_NUMBER)),
    ("pager", int(PhoneNumberType.PAGER)),
    ("uan", int(PhoneNumberType.UAN)),
    ("voicemail", int(PhoneNumberType.VOICEMAIL)),
)
KINDS: Final = dict(_FIRST_ASKED) | {"fixed_line": _FIXED, "mobile": _MOBILE, "fixed_line_or_mobile": _EITHER}
"""Kinds of line by the words of ``[columns] line_types``."""


_Fits = Callable[[str], object]


class _Region:
    """One region's part of a plan."""

    def __init__(self, metadata: PhoneMetadata) -> None:
        self.leading = re.compile(metadata.leading_digits) if metadata.leading_digits is not None else None
        self._lengths, self._general = _pattern(metadata.general_desc, frozenset())
        self._first = [
            (*_pattern(desc, self._lengths), kind)
            for word, kind in _FIRST_ASKED
            if (desc := getattr(metadata, word)) is not None and desc.national_number_pattern
        ]
        self._fixed_lengths, self._fixed = _pattern(metadata.fixed_line, self._lengths)
        self._mobile_lengths, self._mobile = _pattern(metadata.mobile, self._lengths)
        self._same = metadata.same_mobile_and_fixed_line_pattern

    def kind(self, national: str) -> int:
        length = len(national)
        if length not in self._lengths or not self._general(national):
            return UNKNOWN
        for lengths, fits, kind in self._first:
            if length in lengths and fits(national):
                return kind
        if length in self._fixed_lengths and self._fixed(national):
            return _EITHER if self._same or self._is_mobile(national) else _FIXED
        return _MOBILE if not self._same and self._is_mobile(national) else UNKNOWN

    def _is_mobile(self, national: str) -> bool:
        return len(national) in self._mobile_lengths and bool(self._mobile(national))


def _pattern(desc: phonenumbers.PhoneNumberDesc | None, general: frozenset[int]) -> tuple[frozenset[int], _Fits]:
    """The lengths and the digits of one description; where it says no lengths, those of the plan hold."""
    if desc is None or not desc.national_number_pattern:
        return frozenset(), _never
    return frozenset(desc.possible_length) or general, re.compile(desc.national_number_pattern).fullmatch


def _never(_national: str) -> bool:
    return False


class Plan:
    """The plan of one country code."""

    def __init__(self, code: str, regions: tuple[str, ...]) -> None:
        self.code = code
        self._names = regions
        main, *_ = found = [_metadata(int(code), region) for region in regions]
        self._regions = [_Region(metadata) for metadata in found]
        self._asked, self._answer = "", UNKNOWN
        lengths, _ = _pattern(main.general_desc, frozenset())
        self._lengths = lengths - short_lengths(int(code))
        prefix = main.national_prefix_for_parsing
        self.prefix = re.compile(prefix).match if prefix else None

    def kind(self, national: str) -> int:
        """The :class:`~phonenumbers.PhoneNumberType` of a national significant number; UNKNOWN (99): not valid."""
        if national != self._asked:  # a number is asked about twice: may it be called, and where does it lie?
            self._asked, self._answer = national, self._kind(national)
        return self._answer

    def _kind(self, national: str) -> int:
        if len(self._regions) == 1:
            return self._regions[0].kind(national)
        for region in self._regions:
            if region.leading is None:
                if (kind := region.kind(national)) != UNKNOWN:
                    return kind
            elif region.leading.match(national):
                return region.kind(national)
        return UNKNOWN

    def region(self, national: str) -> str:
        """The region (two letters; "001" where there is none) of a number, as ``phonenumbers`` tells them apart."""
        if len(self._names) == 1:
            return self._names[0]
        for name, region in zip(self._names, self._regions, strict=True):
            if region.leading is None:
                if region.kind(national) != UNKNOWN:
                    return name
            elif region.leading.match(national):
                return name
        return self._names[0]  # possible only: the main one, which the country code stands for

    def is_possible(self, national: str) -> bool:
        """Whether numbers of this length can be dialed from anywhere, and no emergency or other short number has it."""
        return len(national) in self._lengths

    def zones(self, national: str) -> str | None:
        """The IANA time zones that a valid number may lie in, joined with "&"; None where nothing is known."""
        kind = self.kind(national)
        if kind == UNKNOWN:
            return None
        if not phonenumbers.is_number_type_geographical(kind, int(self.code)):
            return _joined(self.code) or _joined(self.code[:2])
        digits = self.code + national
        for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
            if digits[:length] in TIMEZONE_DATA:
                return _joined(digits[:length])
        return None


@cache
def _joined(prefix: str) -> str | None:
    known = [name for name in TIMEZONE_DATA.get(prefix, ()) if name != UNKNOWN_TIMEZONE]
    return "&".join(sorted(known)) or None


def _metadata(code: int, region: str) -> PhoneMetadata:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    assert metadata is not None, (code, region)
    return metadata


@cache
def plan_of(code: str) -> Plan | None:
    """The plan of a country code, if there is one."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    return Plan(code, regions) if regions else None


def split(digits: str) -> tuple[Plan, str] | None:
    """The plan of an international number (digits only) and the rest of its digits; None where no country has it."""
    for length in (1, 2, 3):
        if digits[0] != "0" and (plan := plan_of(digits[:length])) is not None:
            return plan, digits[length:]
    return None


@dataclass(frozen=True, slots=True)
class Home:
    """How numbers are written in one region: what the fast reading of a national number must know."""

    plan: Plan
    abroad: re.Pattern[str]
    """How numbers of other countries begin there."""
    prefix: str | None
    """The plain digits before a national number; None where it is no plain matter."""
    fixed_length: int | None
    """How long every national number is, where all are of one length."""
    _general: re.Pattern[str]

    def national(self, digits: str) -> str | None:
        """The national significant number in the digits of a cell, or None where only a parser can tell."""
        if self.prefix is None or self.abroad.match(digits) or digits.startswith(self.plan.code):
            return None
        if not self.prefix or not digits.startswith(self.prefix):
            return digits
        return None if self._general.fullmatch(digits) else digits[len(self.prefix) :]


@lru_cache(maxsize=8)
def home(region: str) -> Home:
    """What is known of a region (two capital letters, one of ``phonenumbers.SUPPORTED_REGIONS``)."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    assert metadata.country_code is not None
    plan = plan_of(str(metadata.country_code))
    assert plan is not None
    prefix = metadata.national_prefix_for_parsing or ""
    lengths = metadata.general_desc.possible_length if metadata.general_desc else ()
    return Home(
        plan,
        re.compile(metadata.international_prefix or "(?!)"),
        prefix if not prefix or prefix.isdigit() else None,
        lengths[0] if len(lengths) == 1 else None,
        re.compile((metadata.general_desc and metadata.general_desc.national_number_pattern) or "(?!)"),
    )


@cache
def short_lengths(code: int) -> frozenset[int]:
    """How long emergency and other short numbers are in the regions of a country code."""
    lengths: set[int] = set()
    for region in phonenumbers.region_codes_for_country_code(code):
        metadata = PhoneMetadata.short_metadata_for_region(region)
        if metadata is not None and metadata.general_desc is not None:
            lengths |= set(metadata.general_desc.possible_length)
    return frozenset(lengths)
