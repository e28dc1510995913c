"""Events back into rows: how a ledger that is older than its journal, or gone, catches up with what was done.

Each kind of event writes what its change wrote (:mod:`dialer.ledger.changes`); the people are already enrolled, under
the numbers they had. Notes of anomalies, scans and postponements change no row and are only kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from dialer.core.lifecycle import LeadState
from dialer.ledger.changes import Execute, event_row
from dialer.ledger.journal import Entry


class ReplayFailed(Exception):
    """An event does not fit the rows it is about."""


class Replay:
    """Writes events of one journal into a ledger, within a transaction that its caller holds.

    ``phone_of`` gives that number of an enrolled lead which is the ``person`` of the event, else None.
    """

    def __init__(self, execute: Execute, phone_of: Callable[[int, str | None], str | None]) -> None:
        self._execute = execute
        self._phone_of = phone_of
        self.strangers: set[str] = set()
        """Attempts of people who are not enrolled: nothing can be written of them."""

    def all(self, entries: Iterable[Entry]) -> int:
        """Write them. Returns how many there were. Raises :class:`ReplayFailed` where one does not fit."""
        count = 0
        for entry in entries:
            self.one(entry)
            count += 1
        return count

    def one(self, entry: Entry) -> None:
        """Write one."""
        step = _STEPS.get(entry.kind)
        if step is not None and entry.attempt not in self.strangers:
            step(self, entry)
        self._execute("event", event_row(entry))

    def check_complete(self) -> None:
        """Raise :class:`ReplayFailed` where attempts were left out because their people are not enrolled."""
        if self.strangers:
            raise ReplayFailed("it tells of people who are not in the ledger")

    def _must(self, entry: Entry, statement: str, /, **values: Any) -> None:
        if self._execute(statement, {"campaign": entry.campaign, **values}) != 1:
            raise ReplayFailed(f"event {entry.number} ({entry.kind}) does not fit the ledger")

    # --- campaigns --------------------------------------------------------------------------------------------------

    def _campaign(self, entry: Entry) -> None:
        said = entry.data
        values = {"name": said["name"], "file": said.get("file", ""), "source": said["source"], "digest": ""}
        if entry.kind == "campaign_added":
            self._must(entry, "restore_campaign", **values, at=entry.at)
        else:
            self._must(entry, "change_campaign", **values)

    def _walk(self, entry: Entry) -> None:
        self._must(entry, "walk", since=entry.data.get("since"))

    # --- attempts ---------------------------------------------------------------------------------------------------

    def _intended(self, entry: Entry) -> None:
        said = entry.data
        phone = None if entry.lead is None else self._phone_of(entry.lead, entry.person)
        if phone is None:
            self.strangers.add(entry.attempt or "")
            return
        self._must(entry, "intend_lead", lead=entry.lead, number=said["number"])
        told = {name: said.get(name) for name in ("number", "agent", "skew_low", "skew_high")}
        account = said.get("account", "")
        self._must(
            entry, "intend", attempt=entry.attempt, lead=entry.lead, phone=phone, at=entry.at, account=account, **told
        )

    def _placed(self, entry: Entry) -> None:
        said = entry.data
        told = {name: said.get(name) for name in ("call", "created_at")}
        code, status = said.get("code", ""), said.get("status", "")
        self._must(entry, "placed", attempt=entry.attempt, at=entry.at, code=code, status=status, **told)
        if entry.kind == "found":
            self._must(entry, "found_lead", lead=entry.lead)

    def _void(self, entry: Entry) -> None:
        said = entry.data
        self._must(
            entry, "void", attempt=entry.attempt, at=entry.at, code=said.get("code", ""), reason=said.get("reason", "")
        )
        goes = {name: said.get(name) for name in ("due_at", "disposition")}
        reason = said.get("reason", "") if goes["disposition"] else ""
        self._must(entry, "void_lead", lead=entry.lead, state=said["state"], lead_reason=reason, **goes)
        phone = self._phone_of(entry.lead, said["next"]) if entry.lead is not None and "next" in said else None
        if phone is not None:  # else the list has lost that number since
            self._must(entry, "next_number", lead=entry.lead, phone=phone, zone=said.get("zone"))
            self._must(entry, "hold_number", lead=entry.lead, phone=phone)

    def _uncertain(self, entry: Entry) -> None:
        said = entry.data
        gave_up_at = said.get("gave_up_at", entry.at)
        self._must(entry, "uncertain", attempt=entry.attempt, gave_up_at=gave_up_at, reason=said.get("reason", ""))

    def _doubted(self, entry: Entry) -> None:
        self._must(entry, "doubted", attempt=entry.attempt, reason=entry.data.get("reason", ""))

    def _ended(self, entry: Entry) -> None:
        said = entry.data
        names = ("status", "duration_s", "sentiment", "cost", "created_at", "ended_at", "disposition")
        self._must(entry, "ended", attempt=entry.attempt, **{name: said.get(name) for name in names})
        goes = {name: said.get(name) for name in ("state", "due_at", "disposition")}
        self._must(entry, "ended_lead", lead=entry.lead, reason=said.get("reason", ""), **goes)

    def _lost(self, entry: Entry) -> None:
        reason = entry.data.get("reason", "")
        self._must(entry, "lost", attempt=entry.attempt, reason=reason, at=entry.at)
        self._must(entry, "unresolved_lead", lead=entry.lead, reason=reason)

    def _unresolved(self, entry: Entry) -> None:
        self._must(entry, "unresolved_lead", lead=entry.lead, reason=entry.data.get("reason", ""))

    def _settled(self, entry: Entry) -> None:
        reason = entry.data.get("reason", "")
        self._execute("settle_attempt", {"attempt": entry.attempt, "reason": reason, "at": entry.at})
        self._must(entry, "settle_lead", lead=entry.lead, reason=reason)

    def _amended(self, entry: Entry) -> None:
        said = entry.data
        names = ("status", "duration_s", "sentiment", "cost", "created_at", "disposition")
        self._must(entry, "amend", attempt=entry.attempt, **{name: said.get(name) for name in names})
        disposition = said.get("disposition")
        self._execute("amend_disposition", {"attempt": entry.attempt, "lead": entry.lead, "disposition": disposition})
        if said.get("state"):
            self._must(entry, "amend_lead", lead=entry.lead, state=LeadState(said["state"]), disposition=disposition)


_STEPS: Final[dict[str, Callable[[Replay, Entry], None]]] = {
    "campaign_added": Replay._campaign,
    "campaign_changed": Replay._campaign,
    "walk": Replay._walk,
    "intended": Replay._intended,
    "placed": Replay._placed,
    "found": Replay._placed,
    "void": Replay._void,
    "uncertain": Replay._uncertain,
    "doubted": Replay._doubted,
    "ended": Replay._ended,
    "lost": Replay._lost,
    "unresolved": Replay._unresolved,
    "settled": Replay._settled,
    "amended": Replay._amended,
}
"""What each kind of event writes. A kind that is missing here writes nothing but itself."""
