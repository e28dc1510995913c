"""Numbers as others may see them: enough for whoever knows them, too little for everybody else.

What is a number is read with as much good will as the importer has: signs of any script, letters O for zeros.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Final

HIDDEN: Final = "•"
_FEWEST: Final = 7
"""Digits of what may be a number; so many of its end are hidden, but for the last two."""
_FIRST_SHOWN: Final = 4
"""A country and an area; a second number behind the first must not make the first one look like an area."""
_LAST_SHOWN: Final = 2
_DIGITS: Final = frozenset("0123456789")
_SIGNS: Final = frozenset(" ()./~-\N{MINUS SIGN}\N{MIDDLE DOT}")
_SIGN_KINDS: Final = frozenset({"Pd", "Zs", "Zl", "Zp", "Cf", "Cc", "Mn", "Me"})
"""Dashes, spaces, and what nobody sees."""
_SIGN: Final = r"[\s\x00-\x1f\x7f()./~\-]"
_NUMBER: Final = re.compile(rf"\+?[0-9](?:{_SIGN}*[0-9]){{6,}}")
_VANITY: Final = re.compile(rf"[0-9](?:{_SIGN}*[0-9]){{2,}}(?:{_SIGN}|[0-9A-Za-z])*")
_VANITY_LETTERS: Final = 3
_LETTER_O: Final = re.compile(
    rf"[0-9](?:{_SIGN}*[oO]){{1,20}}|(?<![^\W\d_])[oO](?:{_SIGN}*[oO]){{0,20}}(?={_SIGN}*[0-9])"
)
_ZEROS: Final = str.maketrans("oO", "00")
_MOMENT: Final = re.compile(r"\d{4}-[01]\d-[0-3]\d(?:[T ][0-2]?\d(?::?\d\d){0,2})?(?:\.\d+)?(?:Z| ?[+-][01]\d:?\d\d)?")
is_e164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII).fullmatch
_BETWEEN_CELLS: Final = re.compile(r"([,;|])")


def masked(phone: str) -> str:
    """An E.164 number that can be recognised by whoever knows it: +1212•••0101."""
    return f"{phone[:-7]}•••{phone[-4:]}" if len(phone) > 9 else "•••"


def masked_digits(text: str) -> str:
    """Text whose digits are hidden, but for the last two, and up to four of those before the last seven."""
    text = _spelt(text)
    plain = _plain(text)
    return _hidden(text, [at for at, mark in enumerate(plain) if mark in _DIGITS])


def masked_numbers(text: str) -> str:
    """Text in which whatever may be a phone number, in any writing, is masked."""
    text = _spelt(text)
    shown, end = [], 0
    for found in _NUMBER.finditer(_plain(text)):
        shown += [text[end : found.start()], masked_digits(text[found.start() : found.end()])]
        end = found.end()
    return "".join([*shown, text[end:]])


def masked_cell(text: str) -> str:
    """A cell of a table: E.164 as :func:`masked`, other numbers in it hidden, a day or a moment (ISO 8601) left."""
    if is_e164(text):
        return masked(text)
    return text if _MOMENT.fullmatch(text) else masked_numbers(text)


def masked_phone_cell(text: str) -> str:
    """A cell of a column in which numbers to call may stand: nothing that an importer reads as one is left in it.

    Words may stand between the digits, letters may be digits of a vanity number, and a day may be a number somewhere.
    """
    if is_e164(text):
        return masked(text)
    text = _spelt(text)
    plain = _plain(text)
    digits = [at for at, mark in enumerate(plain) if mark in _DIGITS]
    places = sorted([*digits, *_vanity(plain)])
    return _hidden(text, places) if len(places) >= _FEWEST else text


def masked_row(text: str) -> str:
    """A row of a list as text: every cell with enough digits for a number hides them, a day or a moment is left."""
    return "".join(
        cell if _MOMENT.fullmatch(cell.strip('"')) else masked_phone_cell(cell) for cell in _BETWEEN_CELLS.split(text)
    )


def _hidden(text: str, places: Collection[int]) -> str:
    """Text without the marks at ``places``, but for the first and last few of them."""
    first = min(max(len(places) - _FEWEST, 0), _FIRST_SHOWN)
    hides = frozenset(list(places)[first : max(len(places) - _LAST_SHOWN, 0)])
    return "".join(HIDDEN if at in hides else mark for at, mark in enumerate(text))


def _vanity(plain: str) -> list[int]:
    """Where the letters of numbers like 1-800-FLOWERS stand."""
    found = []
    for number in _VANITY.finditer(plain):
        places = [at for at in range(number.start(), number.end()) if plain[at].isalpha()]
        found += places if len(places) >= _VANITY_LETTERS else []
    return found


def _spelt(text: str) -> str:
    """Text in which marks that stand for digits (full-width, superscript, in circles) are those digits."""
    return text if text.isascii() else "".join(mark if mark.isascii() else _as_digits(mark) for mark in text)


def _as_digits(mark: str) -> str:
    found = unicodedata.normalize("NFKC", mark)
    return "".join(_digit(each) for each in found) if any(map(_is_digit, found)) else mark


def _is_digit(mark: str) -> bool:
    return unicodedata.category(mark) == "Nd"


def _digit(mark: str) -> str:
    return str(unicodedata.decimal(mark)) if _is_digit(mark) else mark


def _plain(text: str) -> str:
    """What stands in a text, mark for mark: what groups digits is a sign of ASCII, a letter O beside them a zero."""
    plain = text if text.isascii() else "".join(mark if mark.isascii() else _sign(mark) for mark in text)
    return _LETTER_O.sub(lambda found: found[0].translate(_ZEROS), plain) if "o" in plain.lower() else plain


def _sign(mark: str) -> str:
    found = unicodedata.normalize("NFKC", mark)
    if all(each in _SIGNS or unicodedata.category(each) in _SIGN_KINDS for each in found):
        return "-"
    return found if len(found) == 1 else mark
