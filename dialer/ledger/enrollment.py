"""Importing a list into the SQLite ledger: people are recognised by number and by key, never by row.

Rows are taken in batches: one look-up of everybody who is known already, a verdict for each row in order
(:mod:`dialer.ledger.people`), and one statement of each kind for all of them. Batches are kept in pieces: who is killed
on the way goes on behind the last piece, if the lists are still the same.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

from dialer.core.lifecycle import LeadState
from dialer.ledger import EnrollResult, NewContact, RejectedRow
from dialer.ledger.people import Known, Other, People, Verdict, in_row
from dialer.ledger.statements import statements

if TYPE_CHECKING:
    from dialer.core.columns import Elsewhere

BATCH: Final = 5_000
TAKEN: Final = 0
"""No id: the number is another contact's, who went on to it."""
PIECE: Final = 50_000
"""Rows that are kept together: with each piece the disk is waited for, and by a kill as many are read again."""
_CACHE_KB: Final = 96 << 10
"""Numbers arrive in no order: an index that does not fit into the cache is written to disk over and over."""


def _as_they_come(_phone: str) -> None:
    return None


class SqliteEnrollment:
    """One import within transactions that its ledger holds. Implements :class:`dialer.ledger.Enrollment`."""

    def __init__(
        self,
        db: sqlite3.Connection,
        campaign_id: int,
        now: float,
        list_digest: str,
        *,
        ids: Callable[[str], int | None] = _as_they_come,
        person: Callable[[str], str] = str,
        keep: Callable[[], None] | None = None,
        piece: int = PIECE,
        elsewhere: Elsewhere = "allow",
    ) -> None:
        """``ids`` gives the id of a new contact by its number; None leaves it to the database.

        ``person`` gives what the journal may know of a number. ``keep`` makes durable what was written since the last
        time; without it, all of it is one transaction.
        """
        self._db = db
        self._ids = ids
        self._person = person
        self._campaign_id = campaign_id
        self._now = now
        self._digest = list_digest
        self._keep = keep
        self._piece = piece
        self._result = EnrollResult()
        self._same: dict[str, int] = {}
        self._comes_back = False
        self.taken = 0
        self._intake = self._begin()
        self._given = self._kept = self.taken
        self._next = self._one("SELECT coalesce(max(id), 0) FROM contact") + 1
        self._waiting: list[NewContact] = []
        self._contacts: list[tuple[Any, ...]] = []
        self._leads: list[tuple[Any, ...]] = []
        self._wished: list[tuple[Any, ...]] = []
        self._lists: dict[str, list[Any]] = {}
        self._rule = elsewhere
        self._others = self._other_campaigns()
        self._moves = bool(self._one("SELECT EXISTS (SELECT 1 FROM further_number WHERE campaign_id = ?)", campaign_id))
        self._cache_size = self._one("PRAGMA cache_size")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")

    def _one(self, sql: str, *values: object) -> Any:
        return self._db.execute(sql, values).fetchone()[0]

    def _execute(self, name: str, values: dict[str, Any]) -> sqlite3.Cursor:
        return self._db.execute(statements()[name], {"campaign": self._campaign_id, **values})

    def _later(self, name: str, values: dict[str, Any]) -> None:
        self._lists.setdefault(name, []).append(values)

    # --- where it begins, and pieces --------------------------------------------------------------------------------

    def _begin(self) -> int:
        """The number of this import: that of one of the same lists that was interrupted, or a new one."""
        intake, told = self._db.execute(
            "SELECT intake, importing FROM campaign WHERE id = ?", (self._campaign_id,)
        ).fetchone()
        if told is None:
            return int(intake) + 1
        was = json.loads(told)
        if was["digest"] != self._digest:
            self._execute("forget_import", {"intake": was["intake"]})
            return int(was["intake"]) + 1
        self.taken = was["taken"]
        self._result = EnrollResult(was["added"], was["known"], was["rejected"])
        self._same, self._comes_back = was["same"], was["comes_back"]
        return int(was["intake"])

    def _remember(self) -> None:
        result = self._result
        told = {
            "digest": self._digest,
            "intake": self._intake,
            "taken": self._given,
            "added": result.added,
            "known": result.known,
            "rejected": result.rejected,
            "same": self._same,
            "comes_back": self._comes_back,
        }
        self._execute("importing", {"importing": json.dumps(told)})

    def _count_row(self) -> None:
        self._given += 1
        if self._keep is not None and self._given - self._kept >= self._piece:
            self._kept = self._given
            self._flush()
            self._remember()
            self._keep()

    def forget(self) -> None:
        """The import failed: of a first one nothing is kept, of a later one no rejected row."""
        self._execute("forget_import", {"intake": self._intake})
        if self._one("SELECT intake FROM campaign WHERE id = ?", self._campaign_id) == 0:
            self._execute("forget_leads", {})
            self._execute("forget_contacts", {})
            self._execute("importing", {"importing": None})
        else:  # what was kept of it is to be gone through again, whatever list comes next
            told = self._one("SELECT importing FROM campaign WHERE id = ?", self._campaign_id)
            if told is not None:
                self._execute("importing", {"importing": json.dumps({**json.loads(told), "digest": None})})

    # --- rows -------------------------------------------------------------------------------------------------------

    def add(self, contact: NewContact) -> None:
        """See :meth:`dialer.ledger.Enrollment.add`."""
        self._waiting.append(contact)
        if len(self._waiting) >= BATCH:
            self._flush()
        self._count_row()

    def reject(self, row: RejectedRow) -> None:
        """See :meth:`dialer.ledger.Enrollment.reject`."""
        self._reject(row)
        if len(self._lists["reject"]) >= BATCH:
            self._flush()
        self._count_row()

    def _reject(self, row: RejectedRow) -> None:
        values = {"campaign": self._campaign_id, "intake": self._intake, "file": row.file, "row_number": row.row_number}
        self._later("reject", {**values, "reason": row.reason, "detail": row.detail, "raw": row.raw})
        self._result.rejected[row.reason] = self._result.rejected.get(row.reason, 0) + 1

    def result(self) -> EnrollResult:
        """See :meth:`dialer.ledger.Enrollment.result`."""
        self._flush()
        return self._result

    # --- a batch ----------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        if batch:
            people = self._people(batch)
            for contact in batch:
                self._take(contact, people)
        self._write("move_contact", "move_lead")  # who moves makes room before anybody takes it
        self._db.executemany(statements()["enroll_contact"], self._contacts)
        self._queue()
        self._contacts, self._leads, self._wished = [], [], []
        self._write("see_contact_again", "change_zone", "change_contact", "change_wishes", "back_in_list", "reject")
        assert not self._lists, self._lists.keys()

    def _write(self, *names: str) -> None:
        for name in names:
            if rows := self._lists.pop(name, None):
                self._db.executemany(statements()[name], rows)

    def _queue(self) -> None:
        """New leads: queued, never tried, due now. They are legal by their statement; to prove each takes SQLite longer
        than to write it."""
        self._db.execute("PRAGMA ignore_check_constraints = ON")
        try:
            self._db.executemany(statements()["enroll_lead"], self._leads)
            self._db.executemany(statements()["enroll_wished_lead"], self._wished)
        finally:
            self._db.execute("PRAGMA ignore_check_constraints = OFF")

    def _people(self, batch: Sequence[NewContact]) -> People:
        """Everybody who is known by a number or a key of the batch."""
        phones = json.dumps([contact.phone for contact in batch])
        asked = [("known_by_number", phones)]
        if self._moves:
            asked.append(("known_by_further", phones))
        if keys := [contact.key for contact in batch if contact.key is not None]:
            asked.append(("known_by_key", json.dumps(keys)))
        people = People(self._elsewhere(phones))
        for name, values in asked:
            for ident, phone, key, intake, file, row_number, state, submissions in self._execute(
                name, {"values": values}
            ):
                seen = intake == self._intake
                people.put(Known(ident, phone, key, file, row_number, LeadState(state), submissions > 0, seen))
        return people

    def _other_campaigns(self) -> list[tuple[int, str]]:
        if self._rule == "allow":
            return []
        name = "live_campaigns" if self._rule == "reject_live" else "other_campaigns"
        return self._execute(name, {}).fetchall()

    def _elsewhere(self, phones: str) -> dict[str, Other]:
        """Those of the numbers that other campaigns have, as far as that matters by the campaign's rule."""
        found: dict[str, Other] = {}
        for ident, name in self._others:
            values = {"campaign": ident, "values": phones, "called": self._rule == "reject_called"}
            for phone, is_open in self._execute("elsewhere", values):
                found.setdefault(phone, Other(name, bool(is_open)))
        return found

    def _take(self, contact: NewContact, people: People) -> None:
        verdict, known = people.judge(contact.phone, contact.key)
        if verdict is Verdict.NEW:
            self._new(contact, people)
        elif verdict is Verdict.ELSEWHERE:
            self._refuse_for(contact, people.elsewhere[contact.phone])
        elif known is None or verdict not in {Verdict.KNOWN, Verdict.MOVED}:
            self._refuse(contact, verdict, known)
        else:
            self._again(contact, verdict, known, people)

    def _new(self, contact: NewContact, people: People) -> None:
        ident = self._ids(contact.phone)
        if ident == TAKEN:
            self._reject_contact(contact, Verdict.DUPLICATE, f"the number {contact.phone} was called for another row")
            return
        if ident is None:
            ident, self._next = self._next, self._next + 1
        phone = contact.phone
        told = (contact.file, contact.row_number, contact.first_name, contact.last_name, _as_json(contact.cells))
        self._contacts.append((ident, self._campaign_id, phone, contact.key, *told, self._intake))
        lead = (ident, self._campaign_id, phone, contact.zone, self._now)
        if contact.priority or contact.agent or contact.further:
            self._wished.append((*lead, contact.priority, contact.agent or "", json.dumps(contact.further)))
        else:
            self._leads.append(lead)
        queued = LeadState.QUEUED
        people.put(Known(ident, contact.phone, contact.key, contact.file, contact.row_number, queued, False, True))
        self._result.added += 1

    def _values(self, contact: NewContact) -> dict[str, Any]:
        return {
            "campaign": self._campaign_id,
            "phone": contact.phone,
            "key": contact.key,
            "file": contact.file,
            "row_number": contact.row_number,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "cells": _as_json(contact.cells),
            "intake": self._intake,
            "priority": contact.priority,
            "agent": contact.agent or "",
            "further": json.dumps(contact.further),
        }

    def _again(self, contact: NewContact, verdict: Verdict, known: Known, people: People) -> None:
        values = {**self._values(contact), "contact": known.id, "zone": contact.zone, "due_at": self._now}
        if verdict is Verdict.MOVED:
            self._later("move_contact", values)
            self._later("move_lead", values)
        self._later("see_contact_again", values)
        self._later("change_zone", values)  # a campaign without hours had not looked it up
        self._later("change_wishes", values)
        if not known.tried:
            self._later("change_contact", values)
        if known.state is LeadState.CANCELLED:
            self._later("back_in_list", values)
        key = known.key or contact.key if known.tried else contact.key or known.key
        people.forget(known)
        people.put(
            Known(known.id, contact.phone, key, contact.file, contact.row_number, known.state, known.tried, True)
        )
        self._result.known += 1

    def _refuse(self, contact: NewContact, verdict: Verdict, known: Known | None) -> None:
        assert known is not None
        if verdict is Verdict.DUPLICATE:
            by_number = known.phone == contact.phone
            what = f"the number {contact.phone}" if by_number else f"the key '{contact.key}'"
            detail = in_row(what, (known.file, known.row_number), contact.file)
        else:
            detail = _WHY[verdict].format(phone=known.phone)
            self._same[self._person(contact.phone)] = known.id
            self._comes_back = self._comes_back or verdict is Verdict.IN_DOUBT
        self._reject_contact(contact, verdict, detail)

    def _refuse_for(self, contact: NewContact, other: Other) -> None:
        if other.is_open and self._rule == "reject_live":
            self._comes_back = True  # that campaign will be finished one day
        self._reject_contact(contact, Verdict.ELSEWHERE, other.why(contact.phone))

    def _reject_contact(self, contact: NewContact, verdict: Verdict, detail: str) -> None:
        raw = contact.raw or as_csv(contact.cells)
        self._reject(RejectedRow(contact.file, contact.row_number, verdict.value, detail, raw))

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self, columns: Sequence[str], understood: Sequence[str]) -> dict[str, Any]:
        """The list is read to its end: rows that are gone cancel their contacts, old rejections are forgotten.

        Returns what the journal should know of it. A list in which somebody had to wait is read again next time.
        """
        self._flush()
        list_digest = "" if self._comes_back else self._digest
        values: dict[str, Any] = {"campaign": self._campaign_id, "intake": self._intake}
        if self._intake > 1:
            self._result.cancelled = self._execute("cancel_gone", values).rowcount
        self._execute("forget_rejected", values)
        known = json.loads(self._one("SELECT columns FROM campaign WHERE id = ?", self._campaign_id))
        merged = [*columns, *(header for header in known if header not in columns)]
        lists = {"columns": json.dumps(merged), "understood": json.dumps(list(understood)), "list_digest": list_digest}
        self._execute("intake_done", {**values, **lists})
        self._db.execute(f"PRAGMA cache_size = {self._cache_size}")
        return {
            "added": self._result.added,
            "known": self._result.known,
            "rejected": self._result.rejected,
            "cancelled": self._result.cancelled,
            "list_digest": list_digest,
            **({"same": self._same} if self._same else {}),
        }


_WHY: Final = {
    Verdict.REACHED: "the same person (by key) was reached at {phone} already",
    Verdict.IN_DOUBT: "the same person (by key) may be on the line at {phone}; taken up again when that is known",
    Verdict.SUPPRESSED: "the same person (by key) must not be called, at {phone} or elsewhere",
}


def _as_json(cells: dict[str, Any]) -> str:
    try:  # by hand, since an encoder takes twice as long to begin
        return (
            "{"
            + ", ".join([f"{encode_basestring(name)}: {encode_basestring(cell)}" for name, cell in cells.items()])
            + "}"
        )
    except TypeError:  # nested metadata
        return json.dumps(cells, ensure_ascii=False)


def as_csv(cells: dict[str, Any]) -> str:
    """A row of a list as CSV text."""
    line = io.StringIO()
    csv.writer(line).writerow(
        cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells.values()
    )
    return line.getvalue().removesuffix("\r\n")
