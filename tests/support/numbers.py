"""Phone numbers of every region as people write them, and what phonenumbers itself would dial."""

from __future__ import annotations

import random
from collections.abc import Iterator

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
CALLABLE = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.VOIP,
    }
)
_KINDS = tuple(range(11))
SATELLITE = frozenset({870, 878, 881, 882, 883})
FORMATS = (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164)


def written(rng: random.Random, count: int) -> Iterator[tuple[str, str]]:
    """``count`` cells with the region they are read in: examples of every kind with other last digits, and noise."""
    for index in range(count):
        region = REGIONS[index % len(REGIONS)]
        if rng.random() < 0.1:
            yield "".join(rng.choice("0123456789") for _ in range(rng.randint(5, 14))), region
            continue
        example = phonenumbers.example_number_for_type(region, rng.choice(_KINDS))
        example = example or phonenumbers.example_number(region)
        if example is None:
            continue
        yield _said(rng, _varied(rng, example), region), region


def _varied(rng: random.Random, number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    digits = list(phonenumbers.national_significant_number(number))
    for at in range(rng.randint(1, len(digits)), len(digits)):
        digits[at] = rng.choice("0123456789")
    if rng.random() < 0.05:
        digits.append(rng.choice("0123456789"))
    return phonenumbers.parse(f"+{number.country_code}{''.join(digits)}")


def _said(rng: random.Random, number: phonenumbers.PhoneNumber, region: str) -> str:
    how = rng.random()
    if how < 0.75:
        return phonenumbers.format_number(number, rng.choice(FORMATS))
    if how < 0.85:
        return phonenumbers.national_significant_number(number)  # its leading zero lost, or never written
    if how < 0.95:
        return phonenumbers.format_out_of_country_calling_number(number, region if how < 0.9 else rng.choice(REGIONS))
    return f"{number.country_code}{phonenumbers.national_significant_number(number)}"  # its plus lost


def dialed_by_the_library(cell: str, region: str) -> str | None:
    """The E.164 number that phonenumbers makes of a cell, if it is valid and of a kind that may be called."""
    try:
        number = phonenumbers.parse(cell, region)
    except NumberParseException:
        return None
    kind = phonenumbers.number_type(number)
    valid = phonenumbers.is_valid_number(number) and kind in CALLABLE and number.country_code not in SATELLITE
    text = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return text if valid and not number.extension and len(text) <= 16 else None
