"""Counts of a list that is read but not imported: whatever its length, in a few bytes a contact and no name kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from dialer.intake import Intake
from dialer.intake.phones import region_of, zones_of
from dialer.intake.seen import Seen, of_key, of_phone
from dialer.ledger import NewContact, RejectedRow
from dialer.ledger.enrollment import as_csv
from dialer.ledger.people import Other, Verdict, in_row

FIRST: Final = 3
_EXAMPLES: Final = 4


class Survey:
    """What a reading of the lists found. Rows are judged as an import into a new campaign would judge them.

    ``elsewhere`` are the numbers that other campaigns keep from this one, with the place of the campaign in ``others``.
    """

    def __init__(self, intake: Intake, elsewhere: Seen | None = None, others: Sequence[Other] = ()) -> None:
        self._elsewhere = Seen() if elsewhere is None else elsewhere
        self._others = others
        self._names = [file.name for file in intake.files]
        self._numbers = {name: index for index, name in enumerate(self._names)}
        self.contacts = 0
        self.rejected: Counter[str] = Counter()
        self.rows_of: Counter[str] = Counter()
        """All rows, by file."""
        self.countries: Counter[str] = Counter()
        self.zones: Counter[str | None] = Counter()
        """Contacts by the zone of their clock, or the zones it may be ("&" between them)."""
        self.first: list[NewContact] = []
        self.examples: list[RejectedRow] = []
        """The first row of each of the first reasons."""
        self.phones, self._keys = Seen(), Seen()

    @property
    def rows(self) -> int:
        """All rows that were judged."""
        return self.contacts + self.rejected.total()

    def take(self, row: NewContact | RejectedRow) -> RejectedRow | None:
        """Count a row; what is returned would be rejected."""
        self.rows_of[row.file] += 1
        refused = row if isinstance(row, RejectedRow) else self._known(row)
        if refused is None:
            assert isinstance(row, NewContact)
            self._accept(row)
            return None
        if refused.reason not in self.rejected and len(self.examples) < _EXAMPLES:
            self.examples.append(refused)
        self.rejected[refused.reason] += 1
        return refused

    def _known(self, contact: NewContact) -> RejectedRow | None:
        what, found = f"the number {contact.phone}", self.phones.first(of_phone(contact.phone))
        if found is None and contact.key is not None:
            what, found = f"the key '{contact.key}'", self._keys.first(of_key(contact.key))
        if found is not None:
            first = (self._names[found[0]], found[1])
            return _refused(contact, Verdict.DUPLICATE, in_row(what, first, contact.file))
        kept = self._elsewhere.first(of_phone(contact.phone))
        if kept is None:
            return None
        return _refused(contact, Verdict.ELSEWHERE, self._others[kept[0]].why(contact.phone))

    def _accept(self, contact: NewContact) -> None:
        file = self._numbers[contact.file]
        self.phones.add(of_phone(contact.phone), file, contact.row_number)
        if contact.key is not None:
            self._keys.add(of_key(contact.key), file, contact.row_number)
        self.contacts += 1
        self.countries[region_of(contact.phone)] += 1
        self.zones[contact.zone or zones_of(contact.phone)] += 1
        if len(self.first) < FIRST:
            self.first.append(contact)


def _refused(contact: NewContact, verdict: Verdict, detail: str) -> RejectedRow:
    raw = contact.raw or as_csv(contact.cells)
    return RejectedRow(contact.file, contact.row_number, verdict.value, detail, raw)
