"""Everything that can go wrong between a dialer and its API, by name; and which of it hits which request.

The rows F1 to F30 are those of the fault matrix. Nothing here reads, writes or waits, and the caller brings the time.
What a fault does is in :mod:`~dialer.rehearsal.spoiling` where it is only another answer, and in
:mod:`~dialer.rehearsal.wire` where it takes a misbehaving server.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from dialer.core.chance import chance

OPERATIONS: Final = ("create", "list", "get", "end", "recording", "transcript", "token")
ANY: Final = "any"
"""All operations of the API, and addresses that do not exist."""
AUDIO: Final = "audio"
"""Fetching a recording from the host it lies on."""
PREFIXES: Final = (*OPERATIONS, ANY, AUDIO)
_SPAN: Final = re.compile(r"@([1-9]\d{0,8})(?:(\+)|-([1-9]\d{0,8}))?")


class Kind(Enum):
    """What a fault does to a request. Of BEFORE and AFTER one holds, the first that hits; all others go together."""

    ADDRESS = auto()
    """Nobody gets as far as a request: it is in the printed address."""
    DOOR = auto()
    """The request is served, and then nobody can connect for a while."""
    BEFORE = auto()
    """The request is not carried out."""
    AFTER = auto()
    """The request is carried out, and its answer is lost, late or broken."""
    QUESTION = auto()
    """Something else is carried out than what was asked."""
    ANSWER = auto()
    """The request is carried out, and its answer says something else."""
    HEADERS = auto()
    """The headers of the answer say something else."""
    CALL = auto()
    """It clings to a call: drawn once for each, and seen wherever that call is shown. ``@7`` is the seventh call."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``on`` is what it applies to where no prefix says so."""

    name: str
    row: int
    on: str
    kind: Kind
    meaning: str


_A, _D, _B, _L, _Q, _S, _H, _C = Kind
_TABLE: Final[tuple[tuple[str, int, str, Kind, str], ...]] = (
    ("refused", 1, ANY, _D, "after the request it hits, connections are refused for `away` s"),
    ("dns", 2, ANY, _A, "the printed address has a name that nobody can resolve"),
    ("connect_timeout", 3, ANY, _D, "after the request it hits, connecting takes for ever for `away` s"),
    ("tls", 4, ANY, _A, "the printed address is https, and whoever greets in TLS is answered in plain text"),
    ("accept_then_close", 5, ANY, _B, "the connection is closed without a word; not carried out"),
    ("reset_before", 6, "create", _B, "the connection is reset; not placed"),
    ("reset_after", 7, "create", _L, "placed; the connection is reset"),
    ("timeout_before", 8, "create", _B, "never answered; not placed"),
    ("timeout_after", 8, "create", _L, "placed; never answered"),
    ("late_201", 9, "create", _L, "placed at once; answered after `late_answer` s"),
    ("placed_late", 10, "create", _B, "never answered; placed `late_placing` s later"),
    ("truncated_body", 11, "create", _L, "placed; the answer is shorter than its Content-Length"),
    ("truncated_json", 12, "create", _L, "placed; the JSON of the answer breaks off"),
    ("html_200", 13, "create", _L, "placed; answered by a web page, HTTP 200"),
    ("html_200_before", 13, "create", _B, "answered by a web page, HTTP 200; not placed"),
    ("wrong_type", 13, "create", _L, "placed; the answer calls itself text/plain"),
    ("no_id", 14, "create", _S, "placed; the answer has no id"),
    ("null_id", 14, "create", _S, "placed; the id is null"),
    ("number_id", 14, "create", _S, "placed; the id is a number"),
    ("other_id", 14, "create", _S, "placed; the id is that of another call, where there is one"),
    ("same_id", 14, "create", _S, "placed; the id is that of the call before, where there is one"),
    ("other_call", 14, "create", _S, "placed; the answer is about another call, its number too, where there is one"),
    ("error_200", 15, "create", _B, "refused as no_available_slots under HTTP 200; not placed"),
    ("error_200_odd", 15, "create", _B, "refused under HTTP 200 with a code that nobody documented; not placed"),
    ("agent_not_found", 16, "create", _B, "refused by this code; not placed"),
    ("agent_not_ready", 16, "create", _B, "refused by this code; not placed"),
    ("invalid_phone_number", 16, "create", _B, "refused by this code; not placed"),
    ("no_available_slots", 16, "create", _B, "refused by this code; not placed (0.95 of the time: F30)"),
    ("call_not_found", 16, "get", _B, "refused by this code"),
    ("recording_not_available", 16, "recording", _B, "refused by this code"),
    ("invalid_request", 16, "create", _B, "refused by this code; not placed"),
    ("unauthorized", 16, ANY, _B, "refused by this code; from the n-th request on: a key that was changed (F28)"),
    ("forbidden", 16, ANY, _B, "refused by this code"),
    ("not_found", 16, "create", _B, "refused by this code; not placed"),
    ("rate_limited", 16, "create", _B, "refused by this code; not placed"),
    ("server_error", 16, "create", _B, "answered by this code, HTTP 500; not placed"),
    ("error_echo", 16, "create", _B, "refused as invalid_phone_number, repeating the API key and the number"),
    ("retry_after_seconds", 17, "create", _B, "429, come back in 2 s; not placed"),
    ("retry_after_date", 17, "create", _B, "429, come back at a moment 2 s from now; not placed"),
    ("retry_after_absent", 17, "create", _B, "429 without Retry-After; not placed"),
    ("retry_after_absurd", 17, "create", _B, "429, come back in three years; not placed"),
    ("retry_after_negative", 17, "create", _B, "429, come back five seconds ago; not placed"),
    ("storm_503", 18, ANY, _B, "503 with Retry-After for `storm` s, once it has begun; not carried out"),
    ("error_500_after", 19, "create", _L, "placed; answered 500"),
    ("error_500_before", 19, "create", _B, "answered 500 without a code; not placed"),
    ("error_503_before", 19, "create", _B, "answered 503 without a code; not placed"),
    ("slow_headers", 20, "create", _L, "placed; the headers come a byte at a time, each after `drip` s"),
    ("slow_body", 20, "create", _L, "placed; the body comes a byte at a time, each after `drip` s"),
    ("redirect_302", 21, "create", _B, "redirected within the API; not placed"),
    ("redirect_303", 21, "create", _B, "redirected within the API; not placed"),
    ("redirect_307", 21, "create", _B, "redirected within the API; not placed"),
    ("redirect_308", 21, "create", _B, "redirected within the API; not placed"),
    ("redirect_loop", 21, "create", _B, "redirected (307) to where it came from; not placed"),
    ("redirect_away", 21, "create", _B, "redirected (307) to http://169.254.169.254/; not placed"),
    ("gzip_bomb", 22, "create", _L, "placed; 256 MB packed into an answer of 0.3 MB"),
    ("huge_body", 22, "create", _L, "placed; an answer that goes on until the client goes, or for 1 GB"),
    ("deep_json", 22, "create", _L, "placed; JSON a million levels deep"),
    ("nan_json", 22, "create", _L, "placed; JSON with NaN and Infinity"),
    ("duplicate_keys", 22, "create", _L, "placed; JSON that says id twice, the true one last"),
    ("bom_json", 22, "create", _L, "placed; JSON with a byte order mark"),
    ("utf16_json", 22, "create", _L, "placed; JSON in UTF-16"),
    ("unknown_status", 23, ANY, _C, "a live call shows the status 'transferring'"),
    ("unknown_fields", 23, ANY, _C, "a call is shown with fields that nobody documented"),
    ("status_backwards", 23, ANY, _C, "every other time a call is shown, it is one status behind"),
    ("flapping", 23, ANY, _C, "every other time an ended call is shown, it ended another way"),
    ("stuck", 23, ANY, _C, "an ended call shows as in_progress for ever"),
    ("stuck_ringing", 23, ANY, _C, "a call shows as ringing for ever"),
    ("vanish", 24, ANY, _C, "a call is not found for `gone` s after it was placed, and then it is"),
    ("vanish_for_good", 24, ANY, _C, "a call that was placed is never found again"),
    ("list_shifting", 25, "list", _Q, "pages after the first are one call off, and another way each"),
    ("wrong_total", 25, "list", _S, "meta.total is 3 too high"),
    ("total_low", 25, "list", _S, "meta.total is half of what there is"),
    ("total_zero", 25, "list", _S, "meta.total is 0"),
    ("page_ignored", 25, "list", _Q, "the first page comes, whatever page was asked"),
    ("per_page_ignored", 25, "list", _Q, "20 calls come, whatever was asked"),
    ("per_page_lied", 25, "list", _Q, "20 calls come, and meta.per_page says what was asked"),
    ("filters_ignored", 25, "list", _Q, "the list is not filtered"),
    ("item_missing", 25, "list", _C, "a call is in no list, and in no total"),
    ("created_at_offset", 25, "list", _C, "created_at is written in another zone (+05:30)"),
    ("created_at_ms", 25, "list", _C, "created_at is a number of milliseconds"),
    ("created_at_garbage", 25, "list", _C, "created_at is no moment at all"),
    ("item_without_phone", 25, "list", _C, "a call is shown without its number"),
    ("recording_404", 26, AUDIO, _B, "the recording's own host answers 404"),
    ("recording_expired", 26, AUDIO, _B, "the recording's address has expired already (410)"),
    ("recording_private_ip", 26, "recording", _S, "the recording's address is http://169.254.169.254/..."),
    ("recording_other_host", 26, "recording", _S, "the recording's address is on a host that is not the provider's"),
    ("recording_bad_name", 26, "recording", _S, "the recording's name is ../../../../etc/passwd"),
    ("recording_huge", 26, AUDIO, _L, "a recording of 5 GB, of which 1 GB comes"),
    ("recording_html", 26, AUDIO, _B, "a web page in the place of a recording, HTTP 200"),
    ("recording_redirect", 26, AUDIO, _B, "the recording's own host redirects (302) to http://169.254.169.254/"),
    (
        "recording_endless",
        26,
        AUDIO,
        _L,
        "a recording without a length, which goes on until the client goes, or for 1 GB",
    ),
    ("recording_octets", 26, AUDIO, _L, "the recording calls itself application/octet-stream"),
    ("hostile_words", 26, "transcript", _S, "words and summary hold HTML, formulas and what steers a terminal"),
    ("other_transcript", 26, "transcript", _S, "the transcript of another call"),
    ("date_absent", 27, ANY, _H, "no Date header"),
    ("date_wrong", 27, ANY, _H, "the Date header is 2 h ahead"),
    ("date_garbage", 27, ANY, _H, "the Date header is no date"),
    ("agent_rests", 29, "create", _B, "agent_not_ready for `agent_rests` s, once an agent is hit; not placed"),
)
FAULTS: Final[dict[str, Fault]] = {row[0]: Fault(*row) for row in _TABLE}

EPISODES: Final = {"storm_503": "storm", "agent_rests": "agent_rests"}
"""Faults that go on once they have hit, and the setting that says for how long."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault that is switched on: with a chance, or from the ``first`` to the ``last`` of what it applies to."""

    fault: Fault
    on: str
    share: float = 1.0
    first: int = 1
    last: int | None = None

    def hits(self, nth: int, *words: object) -> bool:
        """Whether it hits the ``nth`` (from 1) of what it applies to; ``words`` seed the chance."""
        if nth < self.first or (self.last is not None and nth > self.last):
            return False
        return self.share >= 1.0 or chance(*words, self.on, self.fault.name) < self.share

    def applies(self, operation: str) -> bool:
        """Whether it has to do with an operation."""
        return self.on == operation or (self.on == ANY and operation != AUDIO)


def parse(text: str, value: float | str | bool = True) -> tuple[Rule, ...]:
    """The rules that ``[operation:]name`` with its value stands for, one for each part between commas.

    Raises :class:`ValueError` with one line for the user.
    """
    prefix, mark, name = text.rpartition(":")
    fault = FAULTS.get(name)
    if fault is None:
        raise ValueError(f"there is no fault {name!r}{_near(name, FAULTS)}")
    if mark and prefix not in PREFIXES:
        raise ValueError(f"there is no operation {prefix!r}{_near(prefix, PREFIXES)}")
    on = prefix or fault.on
    if fault.kind is Kind.QUESTION and on not in {"list", ANY}:
        raise ValueError(f"{name} is a fault of list, not of {on}")
    parts = [""] if value is True else str(value).split(",")
    rules = tuple(Rule(fault, on, *_odds(part.strip())) for part in parts)
    if fault.kind is Kind.ADDRESS and (mark or rules != (Rule(fault, on),)):
        raise ValueError(f"{name} is in the address that is printed: it takes no operation and no value")
    return rules


def _near(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known here: {', '.join(known)}" if len(known) < 20 else "; dialer sandbox --script lists them all"


def _odds(value: str) -> tuple[float, int, int | None]:
    if not value:
        return 1.0, 1, None
    if span := _SPAN.fullmatch(value):
        first, onwards, last = int(span[1]), span[2], span[3]
        until = None if onwards else int(last or first)
        if until is None or until >= first:
            return 1.0, first, until
    else:
        with suppress(ValueError):
            if 0 < float(value) <= 1:
                return float(value), 1, None
    raise ValueError(f"{value!r} is neither a chance above 0 and up to 1 nor like @7, @7+ or @7-12")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is switched on, in the order it was said."""

    rules: tuple[Rule, ...] = ()
    seed: int = 1

    @classmethod
    def of(cls, faults: Mapping[str, float | str], seed: int) -> Plan:
        """The plan in a table of names and values. Raises :class:`ValueError` as :func:`parse` does."""
        rules: list[Rule] = []
        for text, value in faults.items():
            try:
                rules += parse(text, value)
            except ValueError as error:
                raise ValueError(f"{text!r}: {error}") from None
        return cls(tuple(rules), seed)

    def has(self, name: str) -> bool:
        """Whether a fault is switched on, for anything."""
        return any(rule.fault.name == name for rule in self.rules)

    def clings(self, operation: str, call_id: str, nth: int) -> list[str]:
        """The faults that an operation shows on a call, the ``nth`` (from 1) that was placed."""
        return [
            rule.fault.name
            for rule in self.rules
            if rule.fault.kind is Kind.CALL and rule.applies(operation) and rule.hits(nth, self.seed, call_id)
        ]


@dataclass(slots=True)
class Tally:
    """A plan and how often each of its rules was asked: it says what hits the next request."""

    plan: Plan
    lengths_s: Mapping[str, float]
    """How long each fault of :data:`EPISODES` goes on."""
    _asked: Counter[int] = field(default_factory=Counter)
    _until: dict[tuple[int, str], float] = field(default_factory=dict)

    def hits(self, operation: str, agent_id: str, now: float) -> list[Fault]:
        """The faults that hit this request, in the order of the plan. Every rule that applies counts it."""
        found: dict[str, Fault] = {}
        for index, rule in enumerate(self.plan.rules):
            if rule.fault.kind not in {Kind.CALL, Kind.ADDRESS} and rule.applies(operation):
                self._asked[index] += 1
                if self._hit(index, rule, agent_id, now):
                    found[rule.fault.name] = rule.fault
        return list(found.values())

    def _hit(self, index: int, rule: Rule, agent_id: str, now: float) -> bool:
        """An episode goes on while it lasts, a rest for its agent only."""
        whose = (index, agent_id if rule.fault.name == "agent_rests" else "")
        if now < self._until.get(whose, float("-inf")):
            return True
        nth = self._asked[index]
        if not rule.hits(nth, self.plan.seed, nth):
            return False
        if rule.fault.name in self.lengths_s:
            self._until[whose] = now + self.lengths_s[rule.fault.name]
        return True


def table() -> str:
    """All faults as a table of text."""
    return "\n".join(f"  F{fault.row:<3} {fault.name:<24} {fault.on:<10} {fault.meaning}" for fault in FAULTS.values())
