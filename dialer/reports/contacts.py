"""A list for a later campaign: contacts that ended so or so, as ``dialer run`` reads them with the same ``[columns]``.

Every cell comes back as the value that it is in the ledger; see :mod:`dialer.core.cells` for how that goes with cells
that begin like formulas.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer.core.campaign import read_campaign
from dialer.core.cells import inert
from dialer.core.columns import Columns
from dialer.core.errors import CampaignFileError, UserError
from dialer.core.lifecycle import OPEN_LEADS, Disposition, LeadState
from dialer.ledger import CampaignRecord
from dialer.reports import csvfile
from dialer.reports.columns import OUTCOMES
from dialer.reports.files import whole_file
from dialer.reports.tables import Table

_STATES: Final = tuple(state.value for state in LeadState)
_ENDS: Final = tuple(word.value for word in Disposition)
_NOT_BY_END: Final = frozenset({LeadState.DIALING, LeadState.SUPPRESSED, LeadState.CANCELLED})
"""Who is on the line, must not be called, or is in the list no more: however the last call ended, only by name."""
_OTHER_MARKS: Final = frozenset(";\t|")


@dataclass(frozen=True, slots=True)
class WrittenList:
    """A list for another campaign: its rows, and those of them that this campaign will still call itself."""

    file: str
    rows: int
    still_due: int


def file_name(words: Sequence[str]) -> str:
    """The file for the contacts of these states and dispositions. Raises :class:`UserError` for any other word."""
    known = (*_ENDS, *_STATES)
    for word in words:
        if word not in known:
            raise UserError(f"--as-contacts '{word}': contacts go by disposition or state: {', '.join(known)}")
    return f"contacts_{'_'.join(dict.fromkeys(words))}.csv"


def write(path: Path, outcomes: Table, record: CampaignRecord, words: Iterable[str]) -> WrittenList:
    """Write the contacts of ``outcomes`` whose state or disposition is one of ``words``, as a list."""
    wanted = frozenset(words)
    columns = _columns_of(record)
    delimiter = columns.delimiter or ","
    theirs = outcomes.fields[: len(record.columns)]
    state_at, end_at = (len(theirs) + OUTCOMES.index(c) for c in OUTCOMES if c.name in {"state", "disposition"})
    count = due = 0
    encoding = "utf-8-sig" if columns.encoding else "utf-8"  # proof against an encoding that the campaign declares
    with whole_file(path, encoding=encoding) as file:
        if not columns.delimiter and any(_OTHER_MARKS & set(header) for header in record.columns):
            file.write("sep=,\r\n")  # nothing else tells such a header's marks from what is between cells
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow(list(map(inert, record.columns)))
        for batch in outcomes.batches:
            shown = [csvfile.column(field, cells) for field, cells in zip(theirs, batch, strict=False)]
            for state, end, *cells in zip(batch[state_at], batch[end_at], *shown, strict=True):
                if state in wanted or (end in wanted and state not in _NOT_BY_END):
                    writer.writerow(cells)
                    count += 1
                    due += state in OPEN_LEADS
    return WrittenList(path.name, count, due)


def _columns_of(record: CampaignRecord) -> Columns:
    """How the campaign reads its lists."""
    try:
        return read_campaign(record.source, Path(record.file)).columns
    except CampaignFileError:  # of an older dialer, say
        return Columns()
