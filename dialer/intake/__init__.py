"""Contact lists in, contacts and rejected rows out: every row is exactly one of the two.

A list goes through these doors, one module each: ``sources`` (what ``contacts`` names, as bytes), ``decode`` (bytes as
text), ``csvfile`` and ``xlsxfile`` (rows), ``columns`` over ``synonyms`` (what each column means), ``rows`` (each row
judged) over ``phones``, ``numbering``, ``names`` and ``values``. What was understood on the way are plain values for
people to read: :class:`~dialer.intake.columns.Column`, :class:`~dialer.intake.tables.Note`,
:class:`~dialer.intake.rows.Tally`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from dialer.core.campaign import Campaign
from dialer.core.columns import Columns
from dialer.core.errors import ContactsError
from dialer.intake.columns import Mapping, understand
from dialer.intake.csvfile import CsvFile
from dialer.intake.phones import check_region
from dialer.intake.rows import Judge, Tally
from dialer.intake.sources import Source, find
from dialer.intake.tables import Note, Table
from dialer.ledger import CampaignRecord, EnrollResult, Ledger, NewContact, RejectedRow

TELL_EVERY: Final = 5_000
Progress = Callable[[int, float], None]
"""Hears now and then how many rows have been read, and what share of the lists (0 to 1)."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list whose columns are understood."""

    table: Table
    mapping: Mapping

    @property
    def name(self) -> str:
        """How reports call the file."""
        return self.table.name


def open_table(source: Source, columns: Columns) -> Table:
    """A list with its header read."""
    if source.is_workbook:
        from dialer.intake.xlsxfile import XlsxFile  # only for whoever has one

        return XlsxFile(source, columns.sheet)
    return CsvFile(source, columns.encoding, columns.delimiter)


class Intake:
    """The contact lists of one campaign."""

    def __init__(self, campaign: Campaign) -> None:
        """Open all lists and understand their columns.

        Raises :class:`~dialer.core.errors.ContactsError` for a list that is missing, empty, broken, or unclear.
        """
        check_region(campaign.columns.region)
        self._columns = campaign.columns
        self._hours = campaign.rules().hours
        self._agents = frozenset(agent.id for agent in campaign.agents)
        sources = find(zip(campaign.contacts, campaign.contact_files, strict=True))
        tables = [open_table(source, campaign.columns) for source in sources]
        self.files = [ListFile(table, understand(table, campaign.columns, self._agents)) for table in tables]
        self._check_sent()
        self._duplicates = campaign.duplicates
        self._settings = campaign.model_dump(mode="json", include={"columns", "duplicates", "hours", "contacts"})
        if any(file.mapping.agent for file in self.files):
            self._settings["agents"] = sorted(self._agents)
        self.tally = Tally(bytes=sum(table.size for table in tables))
        """What the last reading has counted so far."""

    def _check_sent(self) -> None:
        sent = self._columns.metadata
        for header in () if sent is None or isinstance(sent, str) else sent:
            if header not in self.headers:
                raise ContactsError(f"{self._names()}: [columns] metadata names '{header}', which no list has")

    def _names(self) -> str:
        return ", ".join(file.table.shown for file in self.files)

    @property
    def headers(self) -> tuple[str, ...]:
        """All headers of all lists, in order, each once."""
        return tuple(dict.fromkeys(header for file in self.files for header in file.table.headers))

    @property
    def understood(self) -> tuple[str, ...]:
        """The headers that are not metadata."""
        return tuple(
            dict.fromkeys(header for file in self.files for header in file.mapping.understood(file.table.headers))
        )

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the owner of the lists should know of how they are read."""
        return tuple(note for file in self.files for note in (*file.table.notes, *file.mapping.notes))

    def digest(self) -> str:
        """A fingerprint of the lists and of how they are read."""
        found = sha256(json.dumps(self._settings, sort_keys=True).encode())
        for file in self.files:
            found.update(f"\n{file.name}\n{file.table.digest}".encode())
        return found.hexdigest()

    def read(
        self, now: float, progress: Progress = lambda _rows, _share: None, skip: int = 0
    ) -> Iterator[NewContact | RejectedRow]:
        """Every row of every list, judged, but for the first ``skip``. Duplicates are found by whoever enrolls them."""
        tally = self.tally = Tally(bytes=self.tally.bytes)
        for file in self.files:
            before, table = tally.bytes_read, file.table
            judge = Judge(table, file.mapping, self._columns, self._hours, self._agents, now)
            for row in table.rows():
                if tally.rows >= skip:
                    yield judge.judge(row)
                tally.rows += 1
                if tally.rows % TELL_EVERY == 0:
                    tally.bytes_read = before + table.position
                    progress(tally.rows, tally.share)
            tally.bytes_read = before + table.size
            tally.blank += table.blank
            tally.notes += judge.notes
            tally.columns += judge.columns

    def enroll(
        self,
        ledger: Ledger,
        record: CampaignRecord,
        now: float,
        progress: Progress = lambda _rows, _share: None,
    ) -> EnrollResult | None:
        """Bring the ledger up to date with the lists; None where nothing has changed since.

        Who is killed on the way goes on where the import was; until it is finished nobody can be called.
        """
        digest = self.digest()
        if record.list_digest == digest and not record.importing:
            return None
        rule = self._duplicates.in_other_campaigns
        with ledger.enroll(record.id, self.headers, self.understood, digest, now, rule) as enrollment:
            for item in self.read(now, progress, enrollment.taken):
                if isinstance(item, NewContact):
                    enrollment.add(item)
                else:
                    enrollment.reject(item)
            result = enrollment.result()
            self._check(result)
        return result

    def _check(self, result: EnrollResult) -> None:
        if self._duplicates.in_list == "refuse" and (count := result.rejected.get("duplicate", 0)):
            raise ContactsError(
                f'{self._names()}: rows that come twice: {count}; see `dialer check`, or set in_list = "first" in '
                "[duplicates]"
            )
        if result.added + result.known:
            return
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(result.rejected.items()))
        hint = ""
        if "in_other_campaign" in result.rejected:
            hint = '; `dialer check` says in which, and in_other_campaigns = "allow" in [duplicates] takes them'
        raise ContactsError(f"{self._names()}: no row can be called ({why or 'there are no rows'}){hint}")
