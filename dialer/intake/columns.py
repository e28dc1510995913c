"""Which column is what: by the headers people really use, by what stands in the cells, and by asking otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from dialer.core.columns import Columns
from dialer.core.errors import ContactsError
from dialer.core.hours import zone_of
from dialer.intake.phones import Numbers
from dialer.intake.synonyms import is_key, is_weak, role_of, says_phone
from dialer.intake.tables import Note, Table
from dialer.intake.values import consent_of, priority_of

_SAMPLE_ROWS: Final = 200
_SHARE: Final = 0.6
_DIGITS_LEAST: Final = 4
_NAMES_MOST: Final = 40
_NAME_MOST: Final = 60
NAMED: Final = (
    "first_name",
    "last_name",
    "full_name",
    "timezone",
    "state",
    "postal_code",
    "consent",
    "priority",
    "agent",
)
"""Roles that one column has at most, beside the key."""
_SENT_ELSEWHERE: Final = ("first_name", "last_name", "full_name", "timezone")
"""Roles that the call has fields of its own for, or that decide when it is made: they are no metadata."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a column was understood, for people to read. ``role`` is "metadata" where it has none of its own."""

    header: str
    role: str
    why: str
    """ "[columns]", "header", "cells", or "" for metadata."""
    filled: int
    """Cells that are not empty, among the first rows."""
    fitting: int
    """Those of them that are what the role needs."""
    samples: tuple[str, ...]
    """The first two of them, as they stand there: to be masked before they are shown."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """What each column means, by header. A column without a role is metadata."""

    phone: tuple[str, ...]
    """In the order in which they are tried."""
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
    nested: str | None = None
    """The column whose cells are JSON."""
    sent: tuple[str, ...] | None = None
    """All that is metadata, where the campaign says so."""
    columns: tuple[Column, ...] = field(default=(), compare=False)
    notes: tuple[Note, ...] = field(default=(), compare=False)

    def understood(self, headers: Iterable[str] = ()) -> tuple[str, ...]:
        """Every one of ``headers`` that is not sent as metadata; those with roles of their own in any case."""
        own = (*self.phone, *(header for role in _SENT_ELSEWHERE if (header := getattr(self, role))))
        if self.sent is None:
            return own
        return tuple(dict.fromkeys([*own, *(header for header in headers if header not in self.sent)]))


class UnclearColumns(ContactsError):
    """Which column holds the numbers must be asked. ``choice``: the headers that come into question."""

    def __init__(self, message: str, choice: Iterable[str]) -> None:
        super().__init__(message)
        self.choice = tuple(choice)


def understand(table: Table, said: Columns, agents: Iterable[str] = ()) -> Mapping:
    """What each column of a list means; ``agents`` are those that a cell may name.

    Raises :class:`~dialer.core.errors.ContactsError` where that must be asked, with the lines that answer it.
    """
    return _Reading(table, said, frozenset(agents)).mapping()


class _Reading:
    """The headers and the first rows of one list."""

    def __init__(self, table: Table, said: Columns, agents: frozenset[str]) -> None:
        self._table = table
        self._said = said
        numbers = Numbers(said)
        rows = [row.cells for row in islice(table.rows(), _SAMPLE_ROWS)]
        self._cells = {
            header: [cell for cells in rows if index < len(cells) and (cell := cells[index].strip())]
            for index, header in enumerate(table.headers)
        }
        self._is: dict[str, Callable[[str], bool]] = {
            "phone": lambda cell: isinstance(numbers.read(cell), str),
            "timezone": lambda cell: zone_of(cell) is not None and ("/" in cell or cell == "UTC"),
            "consent": lambda cell: consent_of(cell) is not None,
            "priority": lambda cell: priority_of(cell) is not None,
            "agent": agents.__contains__,
        }
        self._notes: list[Note] = []
        self._why: dict[str, str] = {}

    def mapping(self) -> Mapping:
        self._insist(*self._said.phone, *(getattr(self._said, role) for role in (*NAMED, "key")))
        nested = self._said.metadata if isinstance(self._said.metadata, str) else None
        sent = None if isinstance(self._said.metadata, str) else self._said.metadata
        self._insist(nested)
        roles: dict[str, list[str]] = {}
        for header in self._table.headers:
            if role := role_of(header):
                roles.setdefault(role, []).append(header)
        phone = self._said.phone or self._phone(roles.get("phone", []))
        self._why |= dict.fromkeys(phone, "[columns]" if self._said.phone else self._why.get(phone[0], "header"))
        named: dict[str, Any] = {role: self._one(role, roles.get(role, []), phone) for role in NAMED}
        self._names(named)
        self._suggest_key(phone)
        found = replace(Mapping(phone, key=self._said.key, nested=nested, sent=sent), **named)
        return replace(found, columns=tuple(self._columns(found)), notes=tuple(self._notes))

    def _insist(self, *headers: str | None) -> None:
        for header in headers:
            if header is not None and header not in self._table.headers:
                raise ContactsError(
                    f"{self._table.shown}: there is no column '{header}'; "
                    f"the columns are: {_named(self._table.headers)}"
                )

    def _note(self, code: str, text: str) -> None:
        self._notes.append(Note(self._table.name, code, f"{self._table.shown}: {text}"))

    # --- numbers ----------------------------------------------------------------------------------------------------

    def _phone(self, named: list[str]) -> tuple[str, ...]:
        if len(named) == 1 and not self._contradicts(named[0]):
            named = [*named, *self._like_phones(named[0])]
        if len(named) == 1 and not self._contradicts(named[0]):
            return (named[0],)
        if len(named) > 1:
            raise UnclearColumns(
                f"{self._table.shown}: {len(named)} columns may hold the phone number ({_listed(named)}); say in the "
                f"campaign file which to try first: [columns] phone = [{_listed(named)}]",
                named,
            )
        headers = self._table.headers
        if any(self._is["phone"](header) for header in headers):
            raise ContactsError(
                f"{self._table.shown}: row 1 holds a phone number; the list needs a header row above it"
            )
        found = [header for header in headers if self._share("phone", header) >= _SHARE]
        if len(found) == 1:
            self._why[found[0]] = "cells"
            return (found[0],)
        choice = found or named or [header for header in headers if is_weak(header)] or list(headers)
        raise UnclearColumns(
            f"{self._table.shown}: no column is known to hold phone numbers (columns: {_named(headers)}); "
            f"name it in the campaign file: [columns] phone = {quoted(choice[0])}",
            choice,
        )

    def _like_phones(self, phone: str) -> list[str]:
        """Further columns that are full of numbers to call, by their signs and not by their headers alone."""
        found: list[str] = []
        for header in self._table.headers:
            if header == phone or role_of(header) or is_key(header) or self._share("phone", header) < _SHARE:
                continue
            cells = self._cells[header]
            if says_phone(header) or sum(cell.startswith(("+", "00")) for cell in cells) >= _SHARE * len(cells):
                found.append(header)
            else:
                self._note(
                    "phone_possible",
                    f"the column '{header}' may hold phone numbers too; if it does, say which to try first: [columns] "
                    f"phone = [{_listed((phone, header))}]",
                )
        return found

    def _contradicts(self, header: str) -> bool:
        """Whether a column is called a phone, and holds none while another one does."""
        cells = self._cells[header]
        if len(cells) < 2 or any(sum(mark.isdigit() for mark in cell) >= _DIGITS_LEAST for cell in cells):
            return False
        return any(self._share("phone", other) >= _SHARE for other in self._table.headers if other != header)

    # --- everything else --------------------------------------------------------------------------------------------

    def _one(self, role: str, headers: Sequence[str], phone: Sequence[str]) -> str | None:
        if (said := getattr(self._said, role)) is not None:
            self._why[said] = "[columns]"
            return str(said)
        free = [header for header in headers if header not in phone and header not in self._why]
        if role in {"consent", "priority", "agent"}:
            fitting = [header for header in free if not self._cells[header] or self._share(role, header) >= _SHARE]
            if free and not fitting:
                what = {"consent": "yes or no", "priority": "whole numbers", "agent": "ids of this campaign's agents"}
                self._note(
                    f"{role}_not_understood",
                    f"the column '{free[0]}' does not hold {what[role]} and is taken as metadata; if it is meant, say "
                    f"[columns] {role} = {quoted(free[0])}",
                )
            free = fitting
        if not free and role == "timezone":
            free = [header for header in self._table.headers if self._share(role, header) >= _SHARE]
            free = free if len(free) == 1 else []
            self._why |= dict.fromkeys(free, "cells")
        if len(free) > 1:
            self._note(
                "several_columns", f"{_listed(free)} may all be the {role.replace('_', ' ')}; the first is taken"
            )
        if free:
            self._why.setdefault(free[0], "header")
            return free[0]
        return None

    def _names(self, named: dict[str, str | None]) -> None:
        """One name column alone holds full names where most of its cells are several words."""
        for role, other in (("first_name", "last_name"), ("last_name", "first_name")):
            header = named[role]
            if header is None or named[other] or named["full_name"] or self._why.get(header) == "[columns]":
                continue
            cells = self._cells[header]
            if cells and sum(" " in cell for cell in cells) / len(cells) >= _SHARE:
                named[role], named["full_name"] = None, header
                self._why[header] = "cells"

    def _suggest_key(self, phone: Sequence[str]) -> None:
        if self._said.key is not None:
            self._why.setdefault(self._said.key, "[columns]")
            return
        for header in self._table.headers:
            cells = self._cells[header]
            if is_key(header) and header not in phone and len(set(cells)) == len(cells) > 1:
                self._note(
                    "key_possible",
                    f"if '{header}' names the same person in every list, say [columns] key = {quoted(header)}: "
                    "then a corrected number is known for the same person's",
                )
                return

    def _share(self, role: str, header: str) -> float:
        cells = self._cells[header]
        return sum(map(self._is[role], cells)) / len(cells) if cells else 0.0

    def _columns(self, mapping: Mapping) -> Iterable[Column]:
        roles = {header: role for role in (*NAMED, "key", "nested") if (header := getattr(mapping, role))}
        roles |= dict.fromkeys(mapping.phone, "phone")
        for header in self._table.headers:
            role = roles.get(header, "metadata")
            cells = self._cells[header]
            fits = self._is.get(role)
            fitting = sum(map(fits, cells)) if fits else len(cells)
            yield Column(header, role, self._why.get(header, ""), len(cells), fitting, tuple(cells[:2]))


def quoted(header: str) -> str:
    """A header as a campaign file would write it."""
    escaped = header.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(mark if mark.isprintable() else f"\\U{ord(mark):08x}" for mark in escaped) + '"'


def _listed(headers: Iterable[str]) -> str:
    return ", ".join(map(quoted, headers))


def _named(headers: Sequence[str]) -> str:
    names = ("".join(mark if mark.isprintable() else "?" for mark in header[:_NAME_MOST]) for header in headers)
    return ", ".join(islice(names, _NAMES_MOST)) + (", ..." if len(headers) > _NAMES_MOST else "")
