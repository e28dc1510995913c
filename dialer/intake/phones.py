"""A cell of a list as one E.164 number, or the reason why it is none. Never a guess that could ring a stranger.

``phonenumbers`` is the judge of what is valid (:mod:`dialer.intake.numbering`); this module decides what may be put
before it: digits, signs that group them, and nothing else, so that it has nothing to drop and nothing to make up.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Final

import phonenumbers
from phonenumbers import CountryCodeSource, NumberParseException, PhoneNumber

from dialer.core.columns import Columns
from dialer.core.errors import ContactsError
from dialer.intake.numbering import DIGITS_MOST, KINDS, UNKNOWN, Home, Plan, home, plan_of, split

_SATELLITE: Final = frozenset({"870", "878", "881", "882", "883"})
"""International networks without a country: some count as VoIP, all cost like satellites."""
_CLEAN: Final = re.compile(r"\+[1-9][0-9 ()\-]{5,30}").fullmatch  # no dots: of "27821234567.0" the last 0 is no digit
_CLEAN_NATIONAL: Final = re.compile(r"[0-9(][0-9 ()\-]{4,30}").fullmatch
_GROUPING: Final = str.maketrans("", "", "+ ()-")
_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*[eE]\s*[+-]?\d+")
_FLOAT: Final = re.compile(r"(\+?\d{6,})\.0+")
_WORDS: Final = (
    "mobile|mobil|mob|cellphone|cell|home|work|office|private|business|main|direct|landline|phone|telephone|tel|fax|"
    "whatsapp|handy|telefon|festnetz|privat|geschäftlich|büro|arbeit|téléphone|portable|domicile|bureau|travail|"
    "móvil|celular|teléfono|telefono|casa|trabajo|oficina|cellulare|ufficio|lavoro|telemóvel|telefone|trabalho|"
    "mobiel|thuis|werk|kantoor|selfoon|tuis|komórka|dom|praca|tél|tlf"
)
_LABEL: Final = re.compile(rf"\([^()\d]*\)|(?<!\w)(?:{_WORDS})(?!\w)\.?\s*:?|^[a-z]\s*:", re.IGNORECASE)
_SEVERAL: Final = re.compile(r"[/;|\n,&]|(?<!\w)(?:or|and|oder|und|ou|et|o|y|e|of|en|lub|i)(?!\w)", re.IGNORECASE)
_FAX: Final = re.compile(r"(?<!\w)fax(?!\w)", re.IGNORECASE)
_EXTENSION: Final = re.compile(
    r"(?:;\s*ext\s*=|[,;]{2,}|(?<![a-z])(?:extension|extn?|ext|x|durchwahl|dw|poste|anexo|int|toestel)\.?:?\s*(?=\d)|#)\s*"
    r"[\d,;\s]*#?\s*$",
    re.IGNORECASE,
)
_WRITTEN: Final = re.compile(r"\(?\+?[\d(][\d ().\-/~]*")
_LETTER_O: Final = re.compile(r"(?<![^\W\d_])(?:(?<=\d)[oO]+|[oO]+(?=\d))(?=[\d\s)\-.oO]*\d)")
_AREA_MOST: Final = 6
"""Digits before a slash that may be an area code and not a number of its own."""
_NATIONAL_MOST: Final = DIGITS_MOST - 3
"""Digits of a national number that fits behind any country code."""
_SHORTEST: Final = 7
"""Digits of the shortest E.164 number that a person can have."""


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
    """The number in a cell by the rules that hold where a campaign says nothing. See :class:`Numbers`."""
    return Numbers(Columns(region=region)).read(cell)


def zones_of(phone: str) -> str | None:
    """The time zones an E.164 number may lie in, joined with "&"; None where nothing is known."""
    found = split(phone[1:])
    return found[0].zones(found[1]) if found else None


def has_several(cell: str) -> bool:
    """Whether a cell may hold more than one number: something that parts them stands in it."""
    return not cell[1:].isdigit() and _SEVERAL.search(cell) is not None


def country_code(phone: str) -> str:
    """The digits of an E.164 number's country code; none where no country has it."""
    found = split(phone[1:])
    return found[0].code if found else ""


def region_of(phone: str) -> str:
    """The country of an E.164 number as two letters; "001" for networks without one, "" where nothing is known."""
    found = split(phone[1:])
    return found[0].region(found[1]) if found else ""


class Numbers:
    """Reads the phone cells of one list."""

    def __init__(self, columns: Columns) -> None:
        self._region = columns.region
        self._home: Home | None = home(columns.region) if columns.region else None
        self._allowed = frozenset(KINDS[word] for word in columns.line_types)
        self._vanity = columns.vanity
        self._strip = columns.extensions == "strip"
        self._allow_possible = columns.allow_possible
        self.notes: Counter[str] = Counter()
        """How many of the numbers that were taken had to be read with good will, and in what way."""

    def read(self, cell: str) -> str | Unusable:
        """The number in a cell, as E.164, or why there is none that may be called."""
        notes: set[str] = set()
        found = self._fast(cell, notes) or self._read(cell, notes)
        if notes and isinstance(found, str):
            self.notes.update(notes)
        return found

    def further(self, cell: str) -> list[str]:
        """All numbers in a cell that may be called, in order. Each must be whole by itself, and is noted nowhere.

        Where nobody can tell how many numbers a cell holds, it holds none.
        """
        first = self._quietly(cell)
        if not isinstance(first, str) or not has_several(cell):
            return [first] if isinstance(first, str) else []
        text = _plain(cell, set())
        if match := _EXTENSION.search(text):
            text = text[: match.start()]
        bare = self._without_words(text, set())
        if _FAX.search(text) or ("/" in bare and self._around_a_slash(bare, set())):
            return [first]
        found = [first]
        parts = [part for piece in _SEVERAL.split(bare) if (part := _trimmed(piece))]
        for index, part in enumerate(parts):
            number = self._one(part)
            if isinstance(number, str) and self._goes_on(part, parts[index + 1 : index + 2]):
                break
            if isinstance(number, str) and self._is_whole(part):
                found.append(number)
        return list(dict.fromkeys(found))

    def _quietly(self, cell: str) -> str | Unusable:
        """What :meth:`read` finds, and nothing is noted: the number may never be used."""
        notes: set[str] = set()
        return self._fast(cell, notes) or self._read(cell, notes)

    def _fast(self, cell: str, notes: set[str]) -> str | Unusable | None:
        """What most cells need: a number in plain digits, of which nothing has to be taken away. None: not so plain."""
        if _CLEAN(cell):
            found = split(cell.translate(_GROUPING))
            if found is None or (found[0].prefix is not None and found[0].prefix(found[1])):
                return None
            return self._verdict(*found, cell, notes)
        if self._home is not None and _CLEAN_NATIONAL(cell):
            national, plan = self._home.national(cell.translate(_GROUPING)), self._home.plan
            if national is not None and plan.kind(national) in self._allowed and len(national) <= _NATIONAL_MOST:
                notes.add("assumed_national")
                return f"+{plan.code}{national}"
        return None

    def _read(self, cell: str, notes: set[str]) -> str | Unusable:
        text = _plain(cell, notes)
        if not text:
            return Unusable("phone_missing", "the phone cell is empty")
        if _SCIENTIFIC.fullmatch(text):
            return Unusable(
                "phone_scientific", f"'{_short(text)}': a spreadsheet has lost digits; format the column as text"
            )
        if match := _EXTENSION.search(text):
            if not self._strip:
                return Unusable("phone_extension", f"'{_short(text)}' has an extension, which cannot be dialed")
            text = text[: match.start()].strip()
            notes.add("extension_removed")
        bare = self._without_words(text, notes)
        if "/" in bare and (found := self._around_a_slash(bare, notes)):
            return found
        parts = [part for piece in _SEVERAL.split(bare) if (part := _trimmed(piece))]
        if len(parts) == 1:
            return self._one(parts[0], notes)
        return self._first_of(parts, text, notes)

    def _without_words(self, text: str, notes: set[str]) -> str:
        bare = _LABEL.sub(" ", text).strip(" :")
        if bare != text:
            notes.add("label_removed")
        if "o" in bare.lower() and (mended := _LETTER_O.sub("0", bare)) != bare:
            notes.add("letter_o")
            return mended
        return bare

    def _around_a_slash(self, text: str, notes: set[str]) -> str | None:
        """The number of "0221/123456", where the slash stands behind an area code."""
        area, _, rest = text.partition("/")
        digits = sum(mark.isdigit() for mark in area)
        if "/" in rest or digits > _AREA_MOST or _WRITTEN.fullmatch(text) is None or isinstance(self._one(area), str):
            return None
        found = self._one(text, notes)
        return found if isinstance(found, str) else None

    def _first_of(self, parts: list[str], text: str, notes: set[str]) -> str | Unusable:
        """The first usable number of several. Each must be whole by itself: the tail of another is a stranger's."""
        fault = Unusable("phone_invalid", f"'{_short(text)}' holds no number")
        for index, part in enumerate(parts):
            found = self._one(part, notes)
            if isinstance(found, Unusable):
                fault = found
            elif self._goes_on(part, parts[index + 1 : index + 2]):
                return Unusable("phone_invalid", f"'{_short(text)}' may be one number or two")
            elif self._is_whole(part):
                notes.add("several_in_cell" if index == 0 else "second_in_cell")
                return found
        return fault

    def _goes_on(self, part: str, rest: list[str]) -> bool:
        """Whether a number and the digits behind it are a number as well: then nobody can tell where it ends."""
        return bool(rest) and rest[0].isdigit() and isinstance(self._one(part + rest[0]), str)

    def _is_whole(self, part: str) -> bool:
        """Whether a number cannot be the end of another: it begins as one, or all numbers there are of its length."""
        digits = "".join(filter(str.isdigit, part))
        if part.lstrip("(").startswith("+") or self._home is None:
            return True
        known = self._home
        trunk = bool(known.prefix) and digits.startswith(str(known.prefix))
        return trunk or known.abroad.match(digits) is not None or len(digits) == known.fixed_length

    def _one(self, text: str, notes: set[str] | None = None) -> str | Unusable:
        shown = _short(text)
        if self._vanity and any(mark.isalpha() for mark in text) and phonenumbers.is_alpha_number(text):
            text = phonenumbers.convert_alpha_characters_in_number(text)
            _note(notes, "vanity")
        if any(mark.isalpha() for mark in text):
            digits = any(mark.isdigit() for mark in text)
            reason = "phone_letters" if digits else "phone_invalid"
            return Unusable(reason, f"'{shown}' has letters in it" if digits else f"'{shown}' holds no number")
        if _WRITTEN.fullmatch(text) is None:
            return Unusable("phone_invalid", f"'{shown}' is not a phone number")
        try:
            number = phonenumbers.parse(text, self._region, keep_raw_input=True)
        except NumberParseException as error:
            return self._no_number(error, text, shown)
        return self._judged(number, text, notes)

    def _no_number(self, error: NumberParseException, text: str, shown: str) -> Unusable:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE and "+" not in text:
            return Unusable(
                "phone_no_country",
                f"'{shown}' has no country code; write +..., or set region in [columns]{_suggested(text)}",
            )
        return Unusable("phone_invalid", f"'{shown}' is not a phone number")

    def _judged(self, number: PhoneNumber, text: str, notes: set[str] | None) -> str | Unusable:
        source = number.country_code_source
        if source == CountryCodeSource.FROM_DEFAULT_COUNTRY:
            _note(notes, "assumed_national")
        elif source == CountryCodeSource.FROM_NUMBER_WITHOUT_PLUS_SIGN:
            _note(notes, "plus_missing")
        plan = plan_of(str(number.country_code))
        assert plan is not None, number
        return self._verdict(plan, phonenumbers.national_significant_number(number), text, notes)

    def _verdict(self, plan: Plan, national: str, text: str, notes: set[str] | None) -> str | Unusable:
        """A number that is read: whether it exists, and whether it may be called."""
        kind = plan.kind(national)
        digits = plan.code + national
        if kind in self._allowed and plan.code not in _SATELLITE and len(digits) <= DIGITS_MOST:
            return "+" + digits
        shown = _short(text)
        if len(digits) > DIGITS_MOST:
            return Unusable("phone_invalid", f"'{shown}' has more than {DIGITS_MOST} digits")
        if plan.code in _SATELLITE:
            return Unusable("phone_kind", f"'{shown}' is a satellite number")
        if kind != UNKNOWN:
            word = _WORD_OF[kind].replace("_", " ")
            return Unusable("phone_kind", f"'{shown}' is a {word} number, which [columns] line_types does not name")
        if len(digits) < _SHORTEST or not plan.is_possible(national):
            return Unusable("phone_invalid", f"'{shown}' is not a number that exists{_suggested(text)}")
        if not self._allow_possible:
            why = "has the length of a number, but none that is known begins so"
            return Unusable("phone_possible_only", f"'{shown}' {why}{_suggested(text)}")
        _note(notes, "possible_only")
        return "+" + digits


_WORD_OF: Final = {kind: word for word, kind in KINDS.items()}
_LINES: Final = frozenset(KINDS[word] for word in ("fixed_line", "mobile", "fixed_line_or_mobile", "voip"))


def _trimmed(piece: str) -> str:
    """A piece of a cell without the signs that stood before and behind it; a minus at a digit is one, and no sign."""
    return piece.strip(" :.").removeprefix("- ").rstrip(" -:.")


def _note(notes: set[str] | None, code: str) -> None:
    if notes is not None:
        notes.add(code)


def _short(text: str) -> str:
    """Text as it may stand in a message: one line, not too long."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    return line if len(line) <= 40 else line[:40] + "..."


def _suggested(text: str) -> str:
    """The hint that a plus was lost, where a plus would make it a number."""
    digits = "".join(filter(str.isdigit, text))
    if "+" in text or not digits or (found := split(digits)) is None or found[0].kind(found[1]) not in _LINES:
        return ""
    return f"; is +{digits} meant?"


def _plain(cell: str, notes: set[str]) -> str:
    """A cell without what spreadsheets and copying leave around a number."""
    text = cell
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(_ascii(mark) for mark in text)
    else:
        text = "".join(mark for mark in text if mark.isprintable() or mark in "\n\t\r").replace("\t", " ")
    text = text.replace("\r", "\n").strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    text = text.removeprefix("'").strip()
    if text != cell.strip():
        notes.add("odd_characters")
    if match := _FLOAT.fullmatch(text):
        notes.add("float_text")
        return match[1]
    return text


def _ascii(mark: str) -> str:
    kind = unicodedata.category(mark)
    if kind == "Nd":
        return str(unicodedata.decimal(mark))
    if kind == "Pd":
        return "-"
    if kind == "Zs":
        return " "
    return "" if kind in {"Cf", "Cc"} and mark not in "\n\r" else mark
