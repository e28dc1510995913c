"""One row of a list as a contact or as a rejected row with its reason: exactly one of the two."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from dialer.core.cells import as_meant
from dialer.core.columns import Columns
from dialer.core.hours import CallingHours, zone_of
from dialer.intake.columns import Mapping
from dialer.intake.names import split_name
from dialer.intake.phones import Numbers, Unusable, zones_of
from dialer.intake.tables import Row, Table
from dialer.intake.values import consent_of, nested, priority_of
from dialer.ledger import NewContact, RejectedRow

_NEVER: Final = float("inf")


@dataclass(slots=True)
class Tally:
    """What the reading of the lists has counted so far, for people to read."""

    rows: int = 0
    """Rows that were judged: contacts and rejected ones together."""
    blank: int = 0
    """Rows without any content, which are neither."""
    notes: Counter[str] = field(default_factory=Counter)
    """Numbers that were read with good will, by how: assumed_national, letter_o, ...; and other things taken kindly."""
    columns: Counter[str] = field(default_factory=Counter)
    """Contacts by the phone column that their number came from, by header."""
    bytes_read: int = 0
    bytes: int = 0

    @property
    def share(self) -> float:
        """How much of the lists has been read, 0 to 1."""
        return min(1.0, self.bytes_read / self.bytes) if self.bytes else 1.0


class Judge:
    """Judges the rows of one list at the moment ``now`` (UTC seconds)."""

    def __init__(
        self, table: Table, mapping: Mapping, columns: Columns, hours: CallingHours, agents: frozenset[str], now: float
    ) -> None:
        self._table = table
        self._file = table.name
        self._headers = table.headers
        self._width = len(table.headers)
        self._numbers = Numbers(columns)
        self._hours = hours
        self._asks_hours = hours.week is not None and hours.timezone == "contact"
        self._agents = agents
        self._now = now
        self._opens: dict[str | None, bool] = {}
        self.notes = self._numbers.notes
        self.columns: Counter[str] = Counter()
        at = {header: index for index, header in enumerate(table.headers)}

        def place(header: str | None) -> int | None:
            return None if header is None else at[header]

        self._phones = tuple(at[header] for header in mapping.phone)
        self._first, self._last = place(mapping.first_name), place(mapping.last_name)
        self._full, self._zone_at, self._key = map(place, (mapping.full_name, mapping.timezone, mapping.key))
        self._consent, self._priority = place(mapping.consent), place(mapping.priority)
        self._agent, self._nested = place(mapping.agent), place(mapping.nested)

    def judge(self, row: Row) -> NewContact | RejectedRow:
        """What a row is."""
        cells = [cell.strip() for cell in row.cells]
        if "'" in {cell[:1] for cell in cells}:
            cells = list(map(as_meant, cells))
        if len(cells) != self._width:
            if any(cells[self._width :]):
                fault = Unusable("row_ragged", f"{len(cells)} cells under {self._width} headers")
                return self._reject(row, fault)
            cells = [*cells[: self._width], *[""] * (self._width - len(cells))]
        if (damage := self._damage(row, cells)) is not None:
            return self._reject(row, damage)
        phone = self._phone(cells)
        if isinstance(phone, Unusable):
            return self._reject(row, phone)
        zone = self._zone(cells, phone)
        if isinstance(zone, Unusable):
            return self._reject(row, zone)
        if (wish := self._wishes(cells)) is not None:
            return self._reject(row, wish)
        said: dict[str, Any] = dict(zip(self._headers, cells, strict=True))
        if self._nested is not None and cells[self._nested]:
            try:
                said[self._headers[self._nested]] = nested(cells[self._nested])
            except ValueError as error:
                return self._reject(row, Unusable("metadata_invalid", f"the cell holds no JSON: {error}"))
        first, last = self._names(cells)
        return NewContact(
            phone,
            self._file,
            row.number,
            said,
            first,
            last,
            zone,
            key=(cells[self._key] or None) if self._key is not None else None,
            priority=self._priority_of(cells),
            agent=(cells[self._agent] or None) if self._agent is not None else None,
        )

    def _reject(self, row: Row, fault: Unusable) -> RejectedRow:
        detail = " ".join("".join(mark if mark.isprintable() else " " for mark in fault.detail).split())
        return RejectedRow(self._file, row.number, fault.reason, detail, self._table.raw(row.cells))

    def _damage(self, row: Row, cells: list[str]) -> Unusable | None:
        if not any(cells):
            return Unusable("row_empty", "the row has no content")
        if self._table.holds_nul and any("\0" in cell for cell in row.cells):
            return Unusable("row_damaged", "the row holds NUL characters")
        if self._table.is_header(row.cells):
            return Unusable("row_header", "the header is repeated")
        if row.lines > 1 and (swallowed := self._swallowed(cells)):
            return Unusable(
                "row_damaged", f"a cell holds {swallowed} more rows; a quotation mark was opened and not closed"
            )
        return None

    def _swallowed(self, cells: list[str]) -> int:
        """How many rows of people lie within one cell, between two quotation marks that were never meant as a pair."""
        found = 0
        for cell in cells:
            lines = cell.splitlines()[1:] if "\n" in cell or "\r" in cell else ()
            for line in lines:
                inner = self._table.cut(line)
                found += len(inner) == self._width > 1 and isinstance(self._phone(inner, count=False), str)
        return found

    def _phone(self, cells: list[str], *, count: bool = True) -> str | Unusable:
        fault: Unusable | None = None
        for at in self._phones:
            found = self._numbers.read(cells[at])
            if isinstance(found, str):
                if count and len(self._phones) > 1:
                    self.columns[self._headers[at]] += 1
                    if at != self._phones[0]:
                        self.notes["second_number"] += 1
                return found
            if fault is None or fault.reason == "phone_missing":
                fault = found
        assert fault is not None
        return fault

    def _zone(self, cells: list[str], phone: str) -> str | Unusable | None:
        named = cells[self._zone_at] if self._zone_at is not None else ""
        if named and zone_of(named) is None:
            return Unusable("zone_unknown", f"'{named[:40]}' is no IANA time zone like Europe/London")
        if not self._asks_hours:
            return named or None  # whose clock it is does not matter: the look-up is dear
        zone = named or zones_of(phone)
        opens = self._opens.get(zone)
        if opens is None:
            opens = self._opens[zone] = self._hours.opening(zone, self._now).until != _NEVER
        if not opens:
            return Unusable(
                "no_calling_hours", "its time zone is not certain enough for [hours]; add a timezone column"
            )
        return zone

    def _wishes(self, cells: list[str]) -> Unusable | None:
        """What consent and agent of the row say against a call."""
        if self._consent is not None and not consent_of(cells[self._consent]):
            said = cells[self._consent][:40]
            if consent_of(said) is False or not said:
                return Unusable("no_consent", f"the consent column says '{said}'" if said else "consent is not given")
            return Unusable(
                "consent_unclear", f"'{said}' in the consent column is neither yes, no nor a day (ISO 8601)"
            )
        if self._agent is not None and cells[self._agent] and cells[self._agent] not in self._agents:
            return Unusable("agent_unknown", f"'{cells[self._agent][:40]}' is no agent of this campaign")
        return None

    def _priority_of(self, cells: list[str]) -> int:
        if self._priority is None or not cells[self._priority]:
            return 0
        found = priority_of(cells[self._priority])
        if found is None:
            self.notes["priority_unreadable"] += 1
            return 0
        return found

    def _names(self, cells: list[str]) -> tuple[str | None, str | None]:
        first = cells[self._first] if self._first is not None else ""
        last = cells[self._last] if self._last is not None else ""
        if not first and not last and self._full is not None:
            first, last = split_name(cells[self._full])
        return first or None, last or None
