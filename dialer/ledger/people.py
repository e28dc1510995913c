"""Who a row of a list is: somebody new, somebody known, or somebody who must not be called for it. Pure.

A person is a number, and, where a list has a key, a key. The rule, in this order:

1. A number that was in this import already is a duplicate, and so is a key that was.
2. A key whose person was reached at another number is not called again, nor one who must not be called. One who may be
   on the line at another number waits for what becomes of that call.
3. A known number is the known contact, whoever it was: a number that was called is never called anew.
4. A known key with a new number, before any attempt, moves the contact to that number.
5. A known key with a new number, after attempts that reached nobody, is a new contact; the old number's row is gone,
   and so it is called no more.
6. Whoever would be new here, or here at a new number, is no contact where another campaign has that number and the
   campaign's ``in_other_campaigns`` speaks of such people.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from dialer.core.lifecycle import LeadState


class Verdict(Enum):
    """What becomes of a row. The values of those that are refused are reasons in ``rejected.csv``."""

    NEW = "new"
    KNOWN = "known"
    MOVED = "moved"
    DUPLICATE = "duplicate"
    REACHED = "already_reached"
    IN_DOUBT = "person_in_doubt"
    SUPPRESSED = "person_suppressed"
    ELSEWHERE = "in_other_campaign"


class Known(NamedTuple):
    """A contact of the ledger. ``seen``: in this import already; ``tried``: an attempt at it was begun once."""

    id: int
    phone: str
    key: str | None
    file: str
    row_number: int
    state: LeadState
    tried: bool
    seen: bool


def in_row(what: str, first: tuple[str, int], file: str) -> str:
    """Why a row of ``file`` is a duplicate: ``what`` it has came before, in the file and row of ``first``."""
    where = f"row {first[1]}" + ("" if first[0] == file else f" of {first[0]}")
    return f"{what} is already in {where}"


class Other(NamedTuple):
    """A contact of another campaign. ``is_open``: still to be called there, or on the line."""

    campaign: str
    is_open: bool

    def why(self, phone: str) -> str:
        """Why a row with this number is no contact."""
        if self.is_open:
            return f"the number {phone} is still to be called by the campaign '{self.campaign}'"
        return f"the number {phone} was called by the campaign '{self.campaign}'"


_FINAL_SAY = {
    LeadState.REACHED: Verdict.REACHED,
    LeadState.SUPPRESSED: Verdict.SUPPRESSED,
    LeadState.DIALING: Verdict.IN_DOUBT,
    LeadState.UNRESOLVED: Verdict.IN_DOUBT,
}


class People:
    """Contacts by number and by key; ``elsewhere`` are the numbers that other campaigns keep from this one."""

    def __init__(self, elsewhere: Mapping[str, Other] | None = None) -> None:
        self.elsewhere = elsewhere or {}
        self._seen: set[int] = set()
        self._by_phone: dict[str, Known] = {}
        self._by_key: dict[str, dict[int, Known]] = {}

    def put(self, known: Known) -> None:
        """Know somebody, or know them better. One contact may have several numbers."""
        if known.seen:
            self._seen.add(known.id)
        self._by_phone[known.phone] = known
        if known.key is not None:
            self._by_key.setdefault(known.key, {})[known.id] = known

    def forget(self, known: Known) -> None:
        """Know somebody no more under this number and key."""
        if self._by_phone.get(known.phone) == known:
            del self._by_phone[known.phone]
        if known.key is not None:
            self._by_key.get(known.key, {}).pop(known.id, None)

    def judge(self, phone: str, key: str | None) -> tuple[Verdict, Known | None]:
        """What a row with this number and key is, and the contact that makes it so."""
        verdict, known = self._judge(phone, key)
        comes_back = known is not None and known.state is LeadState.CANCELLED
        if phone in self.elsewhere and (verdict in {Verdict.NEW, Verdict.MOVED} or comes_back):
            return (verdict if verdict is Verdict.DUPLICATE else Verdict.ELSEWHERE), known
        return verdict, known

    def _judge(self, phone: str, key: str | None) -> tuple[Verdict, Known | None]:
        at_number = self._by_phone.get(phone)
        if at_number is not None and at_number.id in self._seen:
            return Verdict.DUPLICATE, at_number
        if key is None:
            return (Verdict.NEW, None) if at_number is None else (Verdict.KNOWN, at_number)
        here = None if at_number is None else at_number.id
        others = [one for one in self._by_key.get(key, {}).values() if one.phone != phone and one.id != here]
        for one in others:
            if one.id in self._seen:
                return Verdict.DUPLICATE, one
        for one in others:
            if one.state in _FINAL_SAY and (one.tried or one.state is LeadState.SUPPRESSED):
                return _FINAL_SAY[one.state], one
        if at_number is not None:
            return Verdict.KNOWN, at_number
        untried = next((one for one in others if not one.tried), None)
        return (Verdict.NEW, None) if untried is None else (Verdict.MOVED, untried)
