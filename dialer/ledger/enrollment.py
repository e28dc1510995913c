"""Importing a list into the SQLite ledger: people are recognised by number, never by row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from dialer.core.lifecycle import LeadState
from dialer.ledger import EnrollResult, NewContact, RejectedRow
from dialer.ledger.statements import statements


class SqliteEnrollment:
    """One import within a transaction that its ledger holds open. Implements :class:`dialer.ledger.Enrollment`."""

    def __init__(
        self,
        db: sqlite3.Connection,
        campaign_id: int,
        now: float,
        ids: Callable[[str], int | None] = lambda _phone: None,
    ) -> None:
        """``ids`` gives the id of a new contact by its number; None leaves it to the database."""
        self._db = db
        self._ids = ids
        self._campaign_id = campaign_id
        self._now = now
        self._result = EnrollResult()
        row = db.execute("SELECT intake FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
        self._intake = row[0] + 1

    def _execute(self, name: str, values: dict[str, Any]) -> sqlite3.Cursor:
        return self._db.execute(statements()[name], values)

    def add(self, contact: NewContact) -> None:
        """See :meth:`dialer.ledger.Enrollment.add`."""
        values = self._values(contact)
        values["ident"] = self._ids(contact.phone)
        cursor = self._execute("enroll_contact", values)
        if cursor.rowcount == 1:
            lead = {"contact": cursor.lastrowid, "zone": contact.zone, "due_at": self._now}
            self._execute("enroll_lead", {**values, **lead})
            self._result.added += 1
            return
        self._known(contact, values)

    def _values(self, contact: NewContact) -> dict[str, Any]:
        return {
            "campaign": self._campaign_id,
            "phone": contact.phone,
            "file": contact.file,
            "row_number": contact.row_number,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "cells": json.dumps(contact.cells, ensure_ascii=False),
            "intake": self._intake,
        }

    def _known(self, contact: NewContact, values: dict[str, Any]) -> None:
        row = self._execute("known_contact", {"campaign": self._campaign_id, "phone": contact.phone}).fetchone()
        ident, intake, file, row_number, state, submissions, _ = row
        if intake == self._intake:
            where = f"row {row_number}" if file == contact.file else f"row {row_number} of {file}"
            self.reject(
                RejectedRow(
                    contact.file,
                    contact.row_number,
                    "duplicate",
                    f"the number {contact.phone} is already in {where}",
                    contact.raw,
                )
            )
            return
        self._result.known += 1
        values["contact"] = ident
        self._execute("see_contact_again", values)
        self._execute("change_zone", {**values, "zone": contact.zone})  # a campaign without hours had not looked it up
        if not submissions:
            self._execute("change_contact", values)
        if state == LeadState.CANCELLED:
            self._execute("back_in_list", {**values, "due_at": self._now})

    def reject(self, row: RejectedRow) -> None:
        """See :meth:`dialer.ledger.Enrollment.reject`."""
        values = {"campaign": self._campaign_id, "intake": self._intake, "file": row.file, "row_number": row.row_number}
        self._execute("reject", {**values, "reason": row.reason, "detail": row.detail, "raw": row.raw})
        self._result.rejected[row.reason] = self._result.rejected.get(row.reason, 0) + 1

    def result(self) -> EnrollResult:
        """See :meth:`dialer.ledger.Enrollment.result`."""
        return self._result

    def finish(self, columns: Sequence[str], understood: Sequence[str], list_digest: str) -> dict[str, Any]:
        """The list is read to its end: rows that are gone cancel their contacts, old rejections are forgotten.

        Returns what the journal should know of it.
        """
        values: dict[str, Any] = {"campaign": self._campaign_id, "intake": self._intake}
        self._result.cancelled = self._execute("cancel_gone", values).rowcount
        self._execute("forget_rejected", values)
        known = json.loads(
            self._db.execute("SELECT columns FROM campaign WHERE id = ?", (self._campaign_id,)).fetchone()[0]
        )
        merged = [*columns, *(header for header in known if header not in columns)]
        lists = {"columns": json.dumps(merged), "understood": json.dumps(list(understood)), "list_digest": list_digest}
        self._execute("intake_done", {**values, **lists})
        return {
            "added": self._result.added,
            "known": self._result.known,
            "rejected": self._result.rejected,
            "cancelled": self._result.cancelled,
            "list_digest": list_digest,
        }
