"""Contact lists in, contacts and rejected rows out: every row is exactly one of the two."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from dialer.core.campaign import Campaign
from dialer.core.errors import ContactsError
from dialer.core.hours import CallingHours, zone_of
from dialer.intake.columns import Mapping, understand
from dialer.intake.csvfile import CsvFile, Row
from dialer.intake.phones import Unusable, check_region, to_e164, zones_of
from dialer.ledger import CampaignRecord, EnrollResult, Ledger, NewContact, RejectedRow

_CHUNK = 1 << 20
TELL_EVERY = 5_000


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list whose columns are understood."""

    table: CsvFile
    mapping: Mapping

    @property
    def name(self) -> str:
        """How reports call the file."""
        return self.table.path.name


class Intake:
    """The contact lists of one campaign."""

    def __init__(self, campaign: Campaign) -> None:
        """Open all lists and understand their columns.

        Raises :class:`~dialer.core.errors.ContactsError` for a list that is missing, empty, broken, or unclear.
        """
        check_region(campaign.columns.region)
        self._columns = campaign.columns
        self._hours = campaign.rules().hours
        self._paths = campaign.contact_files
        self.files = [ListFile(table, understand(table, campaign.columns)) for table in map(CsvFile, self._paths)]
        self._settings = campaign.model_dump(mode="json", include={"columns", "hours", "contacts"})

    @property
    def headers(self) -> tuple[str, ...]:
        """All headers of all lists, in order, each once."""
        return tuple(dict.fromkeys(header for file in self.files for header in file.table.headers))

    @property
    def understood(self) -> tuple[str, ...]:
        """The headers that are not metadata."""
        return tuple(dict.fromkeys(header for file in self.files for header in file.mapping.understood()))

    def digest(self) -> str:
        """A fingerprint of the files and of how they are read."""
        found = sha256(json.dumps(self._settings, sort_keys=True).encode())
        for path in self._paths:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    found.update(chunk)
        return found.hexdigest()

    def read(self, now: float) -> Iterator[NewContact | RejectedRow]:
        """Every row of every list, judged. Duplicates are found by whoever enrolls them."""
        for file in self.files:
            judge = _Judge(file, self._columns.region, self._hours, now)
            for row in file.table.rows():
                yield judge.judge(row)

    def enroll(
        self, ledger: Ledger, record: CampaignRecord, now: float, tell: Callable[[int], None] = lambda _: None
    ) -> EnrollResult | None:
        """Bring the ledger up to date with the lists, in one transaction; None where nothing has changed since.

        ``tell`` hears now and then how many rows have been read.
        """
        digest = self.digest()
        if record.list_digest == digest:
            return None
        with ledger.enroll(record.id, self.headers, self.understood, digest, now) as enrollment:
            for number, item in enumerate(self.read(now), 1):
                if isinstance(item, NewContact):
                    enrollment.add(item)
                else:
                    enrollment.reject(item)
                if number % TELL_EVERY == 0:
                    tell(number)
            result = enrollment.result()
            if not result.added + result.known:
                why = ", ".join(f"{count} {reason}" for reason, count in sorted(result.rejected.items()))
                names = ", ".join(str(path) for path in self._paths)
                raise ContactsError(f"{names}: no row can be called ({why or 'there are no rows'})")
        return result


class _Judge:
    """Judges the rows of one list."""

    def __init__(self, file: ListFile, region: str | None, hours: CallingHours, now: float) -> None:
        self._file = file
        self._region = region
        self._hours = hours
        self._now = now

    def judge(self, row: Row) -> NewContact | RejectedRow:
        table = self._file.table
        fault = self._shape(row)
        if fault is not None:
            return self._reject(row, fault)
        padded = (*row.cells, *[""] * (len(table.headers) - len(row.cells)))
        cells = {header: cell.strip() for header, cell in zip(table.headers, padded, strict=False)}
        phone = self._phone(cells)
        if isinstance(phone, Unusable):
            return self._reject(row, phone)
        zone = self._zone(cells, phone)
        if isinstance(zone, Unusable):
            return self._reject(row, zone)
        first, last = self._names(cells)
        return NewContact(phone, self._file.name, row.number, cells, first, last, zone, row.raw)

    def _reject(self, row: Row, fault: Unusable) -> RejectedRow:
        return RejectedRow(self._file.name, row.number, fault.reason, fault.detail, row.raw)

    def _shape(self, row: Row) -> Unusable | None:
        if not any(cell.strip() for cell in row.cells):
            return Unusable("row_empty", "the row has no content")
        if any("\0" in cell for cell in row.cells):
            return Unusable("row_damaged", "the row holds NUL characters")
        if any(cell.strip() for cell in row.cells[len(self._file.table.headers) :]):
            return Unusable("row_ragged", f"{len(row.cells)} cells under {len(self._file.table.headers)} headers")
        if self._file.table.is_header(row):
            return Unusable("row_header", "the header is repeated")
        return None

    def _phone(self, cells: dict[str, str]) -> str | Unusable:
        fault: Unusable | None = None
        for header in self._file.mapping.phone:
            found = to_e164(cells[header], self._region)
            if isinstance(found, str):
                return found
            if fault is None or fault.reason == "phone_missing":
                fault = found
        assert fault is not None
        return fault

    def _zone(self, cells: dict[str, str], phone: str) -> str | Unusable | None:
        header = self._file.mapping.timezone
        named = cells[header] if header else ""
        if named and zone_of(named) is None:
            return Unusable("zone_unknown", f"'{named}' is no IANA time zone like Europe/London")
        if self._hours.week is None or self._hours.timezone != "contact":
            return named or None  # whose clock it is does not matter: the look-up is dear
        zone = named or zones_of(phone)
        if self._hours.opening(zone, self._now).until == float("inf"):
            return Unusable(
                "no_calling_hours", "its time zone is not certain enough for [hours]; add a timezone column"
            )
        return zone

    def _names(self, cells: dict[str, str]) -> tuple[str | None, str | None]:
        mapping = self._file.mapping
        first = cells[mapping.first_name] if mapping.first_name else ""
        last = cells[mapping.last_name] if mapping.last_name else ""
        if not first and not last and mapping.name:
            first, _, last = cells[mapping.name].partition(" ")
        return first or None, last.strip() or None
