"""What every ledger can do, whatever it is made of. One ledger serves all campaigns of a workspace.

The protocol speaks of claims and holders already: a ledger for many machines will lease what it hands out and check the
holder at every write. A ledger of one machine has one writer, whose operating system lock is the lease of everything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dialer.core.lifecycle import Attempt, Lead, Number
from dialer.core.messages import Change, Restored

if TYPE_CHECKING:
    from dialer.core.columns import Elsewhere


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign as the ledger remembers it."""

    id: int
    name: str
    digest: str
    list_digest: str
    intake: int
    columns: tuple[str, ...]
    understood: tuple[str, ...]
    file: str
    source: str
    importing: bool = False
    """An import was begun and is not finished: nobody is called before it is."""


class NewContact(NamedTuple):  # a million of them are made in an import, and a frozen dataclass takes thrice as long
    """A row of a list that can be called. ``cells`` is the whole row, header to cell (text, or nested JSON)."""

    phone: str
    file: str
    row_number: int
    cells: dict[str, Any]
    first_name: str | None = None
    last_name: str | None = None
    zone: str | None = None
    raw: str = ""
    """The row as CSV text, in case it proves a duplicate; where it is empty, the cells are written instead."""
    key: str | None = None
    """What tells the person apart beside the number, where the list says it."""
    priority: int = 0
    """The higher the sooner, before the first attempt."""
    agent: str | None = None
    """The agent that the list wants for this person."""
    further: tuple[Number, ...] = ()
    """Further numbers of the person, in the order in which they are to be used."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of a list that cannot be called, and why. ``raw`` is the row as CSV text."""

    file: str
    row_number: int
    reason: str
    detail: str
    raw: str


@dataclass(slots=True)
class EnrollResult:
    """What an import brought. Every row is counted in exactly one of ``added``, ``known`` and ``rejected``."""

    added: int = 0
    known: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    cancelled: int = 0

    @property
    def rows(self) -> int:
        """All rows of the lists."""
        return self.added + self.known + sum(self.rejected.values())


class Enrollment(Protocol):
    """One import: rows go in, in the order of the lists. It is kept piece by piece, and valid when it is finished."""

    @property
    def taken(self) -> int:
        """How many rows are in the ledger already, from an import of the same lists that was interrupted: those that
        come first are not to be given again."""

    def add(self, contact: NewContact) -> None:
        """Enroll a contact, recognise one of an earlier import, or reject a duplicate within this import."""

    def reject(self, row: RejectedRow) -> None:
        """Keep a row that cannot be called."""

    def result(self) -> EnrollResult:
        """What has been enrolled so far."""


class Ledger(Protocol):
    """The writer's side. Every method that writes is one transaction, durable when it returns.

    Raises :class:`~dialer.core.errors.LedgerUnusable` when the disk does not take it; then nothing of it is written.
    """

    @property
    def workspace(self) -> str:
        """A short random word, one for each ledger: it makes attempts unique across ledgers."""

    @property
    def held(self) -> bool:
        """Whether this process may still write: it holds the lock, or the lease, of what it runs."""

    def campaign(self, name: str) -> CampaignRecord | None:
        """The campaign of this name, or None."""

    def campaign_names(self) -> list[str]:
        """All campaigns, the oldest first."""

    def put_campaign(self, name: str, file: str, source: str, digest: str, now: float) -> CampaignRecord:
        """Remember a campaign, or that its file has changed."""

    def enroll(
        self,
        campaign_id: int,
        columns: Sequence[str],
        understood: Sequence[str],
        list_digest: str,
        now: float,
        in_other_campaigns: Elsewhere = "allow",
    ) -> AbstractContextManager[Enrollment]:
        """Import a list within the context: rows that are gone from it cancel contacts not yet called.

        Where the process ends on the way, the same lists go on where they were. Where the context is left by an error
        during the campaign's first import, nothing of it is kept.
        """

    def restore(self, campaign_id: int, account: str, now: float, grace_s: float) -> Restored:
        """What a runner starts from. Every ``intended`` attempt of an earlier runner becomes ``uncertain`` first:
        it was given up ``grace_s`` after its intent."""

    def claim(
        self, campaign_id: int, now: float, limit: int, only: str | None = None, held: Collection[str] = ()
    ) -> list[Lead]:
        """Up to ``limit`` due leads: retries first, then by priority, then in the order of their times.

        Of this number ``only``, if any; none that wishes for an agent who is ``held``. Claims nothing durably: only
        the intent does.
        """

    def next_due(self, campaign_id: int, only: str | None = None) -> float | None:
        """When the next lead is due, UTC seconds."""

    def bound(self, call_ids: Iterable[str]) -> frozenset[str]:
        """Those of these calls that attempts hold, in any campaign."""

    def leads_of(self, campaign_id: int, phones: Iterable[str]) -> dict[str, Lead]:
        """The campaign's leads at these numbers (E.164), by number."""

    @property
    def full(self) -> bool:
        """The disk is full, and the reserve that was kept for the last outcomes is in use."""

    def unresolved(self, campaign_id: int) -> list[Attempt]:
        """The attempts that left the campaign's contacts unresolved, the oldest first."""

    def open_at(self, phone: str) -> str | None:
        """The campaign that has an open attempt at this number, if any has."""

    def last_account(self, campaign_id: int) -> str | None:
        """The account of the campaign's latest attempt; None before the first."""

    def calls_of(self, account: str, limit: int) -> list[str]:
        """The latest calls that were made with an account, the newest first."""

    def learned(self, account: str, topic: str) -> dict[str, Any]:
        """What was learnt of an account under a topic; empty where nothing was."""

    def learn(self, account: str, topic: str, data: Mapping[str, Any], now: float) -> None:
        """Remember what was learnt of an account."""

    def same_account(self, campaign_id: int, before: str, now_called: str, now: float) -> None:
        """The key was exchanged and opens the same account: its attempts and requests go under the new fingerprint."""

    def commit(self, campaign_id: int, account: str, changes: Sequence[Change]) -> None:
        """Write all changes, or none. Raises :class:`LedgerConflict` where one is not legal."""

    def close(self) -> None:
        """Let the next runner in."""


class LedgerConflict(AssertionError):
    """A change did not fit what the ledger holds: our bug, and nothing of that commit was written."""
