"""The ledger on SQLite: write-ahead log, every commit synced (FULL), one read-write connection under an OS lock."""

from __future__ import annotations

import errno
import json
import secrets
import sqlite3
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dialer.core.errors import ContactsError, LedgerDamaged, LedgerFull, LedgerHeld, LedgerUnusable
from dialer.core.lengths import LENGTHS
from dialer.core.lifecycle import Attempt, AttemptState, Disposition, Lead, LeadState, Number
from dialer.core.messages import Change, Restored
from dialer.core.pacing import DAY_S
from dialer.ledger import CampaignRecord, Enrollment, LedgerConflict
from dialer.ledger.changes import SHADOWED, IllegalChange, Writer, event_row, write
from dialer.ledger.enrollment import PIECE, SqliteEnrollment
from dialer.ledger.journal import Entry, Journal, Pending, chunked, person_of
from dialer.ledger.replay import Replay, ReplayFailed
from dialer.ledger.statements import migrations, statements
from dialer.ledger.store import RECOVER, DiskStore, Store

if TYPE_CHECKING:
    from dialer.core.columns import Elsewhere

_HIGHEST: Final = (1 << 62, "")
SCHEMA_VERSION: Final = max(version for version, _ in migrations())
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """SQLite's complaints as one line that says which file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        said = str(error)
        if isinstance(error, sqlite3.IntegrityError):
            raise LedgerConflict(said) from error
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF == sqlite3.SQLITE_BUSY:
            raise LedgerHeld(
                f"another process is in the middle of writing to the ledger {path}; wait for it or stop it"
            ) from error
        if code == sqlite3.SQLITE_FULL:
            raise LedgerFull(f"the ledger {path} cannot be used: {said}; free some space and run again") from error
        if code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise LedgerDamaged(
                f"the ledger {path} is damaged or no ledger ({said}); nothing is dialed from it: {RECOVER}"
            ) from error
        if code == sqlite3.SQLITE_ERROR and "no such table" not in said:
            raise  # a statement of ours is wrong: no user can mend that
        remedy = "make it readable and writable, and run again"
        raise LedgerUnusable(f"the ledger {path} cannot be used: {said}; {remedy}") from error


class SqliteLedger:
    """One workspace's ledger, opened for writing. Implements :class:`dialer.ledger.Ledger`."""

    def __init__(self, place: Path | Store) -> None:
        """Open or create the ledger at ``place`` and hold its lock.

        Raises :class:`~dialer.core.errors.LedgerHeld` while another process does,
        :class:`~dialer.core.errors.LedgerUnusable` where the file or its disk cannot be used, and
        :class:`~dialer.core.errors.LedgerDamaged` where it must not be dialed from.
        """
        self._store = DiskStore(place) if isinstance(place, Path) else place
        self.path = self._store.path
        self.piece = PIECE
        """Rows of an import that are kept together."""
        self.full = False
        """The disk is full and the reserve is in use: nothing further should be begun."""
        self.healed = 0
        """Events that this ledger, older than its journal, took over from it when it was opened."""
        self._journal: Journal | None = None
        self._store.acquire()
        try:
            with plain_errors(self.path):
                self._db = self._store.connect()
        except BaseException:
            self._store.release()
            raise
        try:
            with plain_errors(self.path):
                self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._check()
        self._migrate()
        self.workspace = self._meta("workspace") or self._keep_meta("workspace", f"{secrets.token_hex(4)}-")
        known = self._meta("salt")
        self._salt = self._store.salt(known)
        if known is None:
            self._keep_meta("salt", self._salt)
        self._holder = self._keep_meta("holder", secrets.token_hex(8))
        self._journal = self._store.journal(self.workspace)
        self._pending = Pending(self._db.execute(statements()["last_event"]).fetchone()[0])
        self._agree()

    def _check(self) -> None:
        # the structure only: weighing every row against its CHECKs again would take a big ledger six times as long
        self._db.execute("PRAGMA ignore_check_constraints = ON")
        found = " ".join(self._db.execute("PRAGMA quick_check(1)").fetchone()[0].split())  # one line of it
        self._db.execute("PRAGMA ignore_check_constraints = OFF")
        if found != "ok":
            raise LedgerDamaged(f"the ledger {self.path} is damaged ({found}); nothing is dialed from it: {RECOVER}")

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise LedgerUnusable(f"{self.path} is another program's database; name another ledger with --ledger")
        if version > SCHEMA_VERSION:
            raise LedgerUnusable(
                f"the ledger {self.path} was written by a newer dialer (schema {version}, known here "
                f"{SCHEMA_VERSION}); use that one"
            )
        for number, script in migrations():
            if number > version:
                self._db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")

    def _meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _keep_meta(self, key: str, value: str) -> str:
        self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
        return value

    @property
    def held(self) -> bool:
        """Whether this process still holds the lock."""
        return self._store.held

    def close(self) -> None:
        """Close the files and let the next runner in."""
        self._db.close()
        if self._journal is not None:
            self._journal.close()
        self._store.release()

    # --- the journal ------------------------------------------------------------------------------------------------

    def _agree(self) -> None:
        """Ledger and journal hold the same events: the shorter one catches up, unless they tell different stories."""
        assert self._journal is not None
        ours, theirs = self._pending.last, self._journal.last
        if getattr(self._journal, "torn", 0) > ours:
            raise LedgerDamaged(f"the ledger {self.path} is older than its journal, and that is damaged; {RECOVER}")
        if theirs > ours:
            self._catch_up(ours)
        elif ours > theirs:
            for entries in chunked(self._events_after(theirs)):
                self._to_journal(entries)

    def _events_after(self, number: int) -> Iterator[Entry]:
        for ident, at, kind, campaign, lead, attempt, data, phone in self._db.execute(
            statements()["events_after"], {"number": number}
        ):
            person = None if phone is None else person_of(phone, self._salt)
            yield Entry(ident, at, kind, campaign, lead, person, attempt, json.loads(data))

    def _catch_up(self, ours: int) -> None:
        """This ledger was restored from a copy: what was done since stands in the journal."""
        assert self._journal is not None
        older = f"the ledger {self.path} is older than its journal and does not fit it"
        try:
            with self._transaction():
                replay = Replay(self._execute, self._phone_of)
                for entry in self._journal.read():
                    if entry.number == ours:
                        self._check_same(entry)
                    elif entry.number > ours:
                        replay.one(entry)
                        self.healed += 1
                replay.check_complete()
        except (ReplayFailed, ValueError, LedgerConflict) as error:
            raise LedgerDamaged(f"{older} ({error}); {RECOVER}") from None
        self._pending = Pending(self._journal.last)

    def _check_same(self, entry: Entry) -> None:
        row = self._db.execute(statements()["event_at"], {"number": entry.number}).fetchone()
        if (entry.at, entry.kind, entry.attempt) != row:
            raise ReplayFailed(f"event {entry.number} is another one")

    def _phone_of(self, lead: int, person: str | None) -> str | None:
        numbers = self._db.execute(statements()["lead_numbers"], {"lead": lead})
        return next((phone for (phone,) in numbers if person == person_of(phone, self._salt)), None)

    def _to_journal(self, entries: Sequence[Entry]) -> None:
        assert self._journal is not None
        try:
            self._journal.append(entries)
        except OSError as error:
            if error.errno not in _NO_ROOM or not self._jettison():
                self._refuse(error)
            try:
                self._journal.append(entries)
            except OSError as again:
                self._refuse(again)

    def _refuse(self, error: OSError) -> None:
        kind = LedgerFull if error.errno in _NO_ROOM else LedgerUnusable
        raise kind(
            f"the journal of the ledger {self.path} cannot be written: {error.strerror}; mend that and run again"
        )

    def _jettison(self) -> bool:
        """The disk is full: free the reserve, for the last outcomes only."""
        self.full = True
        return self._store.jettison()

    # --- reading ----------------------------------------------------------------------------------------------------

    def _rows(self, name: str, /, **values: object) -> list[tuple[Any, ...]]:
        with plain_errors(self.path):
            return self._db.execute(statements()[name], values).fetchall()

    def campaign(self, name: str) -> CampaignRecord | None:
        """See :meth:`dialer.ledger.Ledger.campaign`."""
        rows = self._rows("campaign_by_name", name=name)
        return campaign_record(name, rows[0]) if rows else None

    def campaign_names(self) -> list[str]:
        """See :meth:`dialer.ledger.Ledger.campaign_names`."""
        return [name for (name,) in self._rows("campaigns")]

    def claim(
        self, campaign_id: int, now: float, limit: int, only: str | None = None, held: Collection[str] = ()
    ) -> list[Lead]:
        """See :meth:`dialer.ledger.Ledger.claim`."""
        values = {"campaign": campaign_id, "now": now, "only": only}
        rows = self._rows("claim_waiting", **values, held=json.dumps(list(held)), limit=limit)
        for priority, agents in self._lanes(campaign_id, now):
            if len(rows) >= limit:
                break
            ready = [agent for agent in agents if agent not in held]
            rows += self._claim_lanes(values, priority, ready, limit - len(rows))
        understood = self._understood(campaign_id) if rows else frozenset()
        return [_lead(row, understood, self._free(campaign_id, row[13])) for row in rows]

    def _lanes(self, campaign_id: int, now: float) -> Iterator[tuple[int, list[str]]]:
        """The priorities that wait, the highest first, each with the agents who are wished for; "" is any."""
        due = self._rows("wished_due", campaign=campaign_id, now=now)[0][0]
        lane: tuple[int, str] | None = self._lane_below(campaign_id, _HIGHEST) if due else None
        passed = False
        while lane is not None:
            priority, agents = lane[0], [] if lane[0] else [""]
            if priority < 0 and not passed:
                yield 0, [""]
            passed = priority <= 0
            while lane is not None and lane[0] == priority:
                agents.append(lane[1])
                lane = self._lane_below(campaign_id, lane)
            yield priority, agents
        if not passed:
            yield 0, [""]

    def _lane_below(self, campaign_id: int, lane: tuple[int, str]) -> tuple[int, str] | None:
        rows = self._rows("next_lane", campaign=campaign_id, priority=lane[0], agent=lane[1])
        return rows[0] if rows else None

    def _claim_lanes(self, values: Mapping[str, Any], priority: int, agents: Iterable[str], limit: int) -> list[Any]:
        found: list[tuple[Any, ...]] = []
        for agent in agents:
            if priority or agent:
                found += self._rows("claim_wished", **values, priority=priority, agent=agent, limit=limit)
            else:
                found += self._rows("claim_queued", **values, limit=limit)
        return sorted(found, key=lambda row: (row[3], row[0]))[:limit]

    def _free(self, campaign_id: int, further: str) -> tuple[Number, ...]:
        """Those of a lead's further numbers that are nobody's yet."""
        if further == "[]":
            return ()
        numbers = [Number(*item) for item in json.loads(further)]
        phones = json.dumps([number.phone for number in numbers])
        free = {phone for (phone,) in self._rows("free_numbers", campaign=campaign_id, phones=phones)}
        return tuple(number for number in numbers if number.phone in free)

    def _understood(self, campaign_id: int) -> frozenset[str]:
        row = self._db.execute("SELECT understood FROM campaign WHERE id = ?", (campaign_id,)).fetchone()
        return frozenset(json.loads(row[0]))

    def next_due(self, campaign_id: int, only: str | None = None) -> float | None:
        """See :meth:`dialer.ledger.Ledger.next_due`."""
        due: float | None = self._rows("next_due", campaign=campaign_id, only=only)[0][0]
        return due

    def bound(self, call_ids: Iterable[str]) -> frozenset[str]:
        """See :meth:`dialer.ledger.Ledger.bound`."""
        return frozenset(call_id for (call_id,) in self._rows("bound_calls", calls=json.dumps(list(call_ids))))

    def leads_of(self, campaign_id: int, phones: Iterable[str]) -> dict[str, Lead]:
        """See :meth:`dialer.ledger.Ledger.leads_of`."""
        rows = self._rows("leads_of_numbers", campaign=campaign_id, phones=json.dumps(list(phones)))
        understood = self._understood(campaign_id) if rows else frozenset()
        return {row[-1]: _lead(row[:-1], understood) for row in rows}

    def unresolved(self, campaign_id: int) -> list[Attempt]:
        """See :meth:`dialer.ledger.Ledger.unresolved`."""
        return [_attempt(row, row[-1]) for row in self._rows("unresolved", campaign=campaign_id)]

    def open_at(self, phone: str) -> str | None:
        """See :meth:`dialer.ledger.Ledger.open_at`."""
        rows = self._rows("open_at_number", phone=phone)
        return rows[0][0] if rows else None

    def last_account(self, campaign_id: int) -> str | None:
        """See :meth:`dialer.ledger.Ledger.last_account`."""
        rows = self._rows("last_account", campaign=campaign_id)
        return rows[0][0] if rows else None

    def calls_of(self, account: str, limit: int) -> list[str]:
        """See :meth:`dialer.ledger.Ledger.calls_of`."""
        return [call_id for (call_id,) in self._rows("calls_of_account", account=account, limit=limit)]

    def learned(self, account: str, topic: str) -> dict[str, Any]:
        """See :meth:`dialer.ledger.Ledger.learned`."""
        rows = self._rows("learned", account=account, topic=topic)
        found: dict[str, Any] = json.loads(rows[0][0]) if rows else {}
        return found

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and only while this is still the ledger's one writer. Its events then go to the journal."""
        db = self._db
        with plain_errors(self.path):
            db.execute("BEGIN IMMEDIATE")
            try:
                self._insist()
                yield
                db.executemany(statements()["event"], map(event_row, self._pending.entries))
                db.execute("COMMIT")
            except BaseException:
                self._pending.drop()
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._to_journal(self._pending.take())

    def _insist(self) -> None:
        """A lock can be stolen; whoever opened the ledger last left its word there, and writes alone."""
        if self._meta("holder") != self._holder:
            raise LedgerHeld("another runner took the ledger over; nothing more is written. Run again to go on")

    def _execute(self, name: str, values: Mapping[str, Any]) -> int:
        return self._db.execute(statements()[name], values).rowcount

    def _writer(self, campaign_id: int, account: str = "") -> Writer:
        return Writer(self._execute, campaign_id, account, self._pending, self._salt)

    def commit(self, campaign_id: int, account: str, changes: Sequence[Change]) -> None:
        """See :meth:`dialer.ledger.Ledger.commit`."""
        if not changes:
            return
        try:
            self._commit(campaign_id, account, changes)
        except LedgerFull:
            if not self._jettison():
                raise
            self._commit(campaign_id, account, changes)

    def _commit(self, campaign_id: int, account: str, changes: Sequence[Change]) -> None:
        writer = self._writer(campaign_id, account)
        with self._transaction():
            for change in changes:
                try:
                    write(change, writer)
                except IllegalChange as error:
                    raise LedgerConflict(str(error)) from None

    def learn(self, account: str, topic: str, data: Mapping[str, Any], now: float) -> None:
        """See :meth:`dialer.ledger.Ledger.learn`."""
        with self._transaction():
            self._execute("learn", {"account": account, "topic": topic, "at": now, "data": json.dumps(data)})

    def same_account(self, campaign_id: int, before: str, now_called: str, now: float) -> None:
        """See :meth:`dialer.ledger.Ledger.same_account`."""
        with self._transaction():
            values = {"before": before, "account": now_called}
            self._execute("move_attempts", values)
            self._execute("move_spent", values)
            self._execute("forget_spent", values)
            self._writer(campaign_id).event(now, "account_renamed", values)

    def put_campaign(self, name: str, file: str, source: str, digest: str, now: float) -> CampaignRecord:
        """See :meth:`dialer.ledger.Ledger.put_campaign`."""
        known = self.campaign(name)
        if known is None or known.digest != digest or known.source != source or known.file != file:
            values = {"name": name, "file": file, "source": source, "digest": digest, "at": now}
            with self._transaction():
                if known is None:
                    self._execute("add_campaign", values)
                else:
                    self._execute("change_campaign", {**values, "campaign": known.id})
                row = self._db.execute("SELECT id FROM campaign WHERE name = ?", (name,)).fetchone()
                kind = "campaign_changed" if known else "campaign_added"
                self._writer(row[0]).event(now, kind, {"name": name, "file": file, "source": source})
        found = self.campaign(name)
        assert found is not None
        return found

    @contextmanager
    def enroll(
        self,
        campaign_id: int,
        columns: Sequence[str],
        understood: Sequence[str],
        list_digest: str,
        now: float,
        in_other_campaigns: Elsewhere = "allow",
    ) -> Iterator[Enrollment]:
        """See :meth:`dialer.ledger.Ledger.enroll`."""
        with ExitStack() as transaction:
            transaction.enter_context(self._transaction())

            def keep() -> None:
                transaction.close()
                transaction.enter_context(self._transaction())

            enrollment = SqliteEnrollment(
                self._db,
                campaign_id,
                now,
                list_digest,
                person=lambda phone: person_of(phone, self._salt),
                keep=keep,
                piece=self.piece,
                elsewhere=in_other_campaigns,
            )
            try:
                yield enrollment
            except ContactsError:  # whatever else ends an import, it is to go on
                transaction.pop_all().__exit__(*sys.exc_info())
                with self._transaction():
                    enrollment.forget()
                raise
            told = enrollment.finish(columns, understood)
            self._writer(campaign_id).event(now, "import", told)

    def restore(self, campaign_id: int, account: str, now: float, grace_s: float) -> Restored:
        """See :meth:`dialer.ledger.Ledger.restore`."""
        self._doubt_stale_intents(now, grace_s)
        money = self._rows("money", campaign=campaign_id)[0]
        activity = self._rows("last_activity", campaign=campaign_id)
        began_at, walking_since = self._rows("began", campaign=campaign_id)[0]
        return Restored(
            open_attempts=tuple(_attempt(row, account) for row in self._rows("open_attempts", campaign=campaign_id)),
            counts={LeadState(state): count for state, count in self._rows("counts", campaign=campaign_id)},
            requests_today=self._rows("spent", account=account, day=int(now // DAY_S))[0][0],
            cost=money[0],
            costed_calls=money[1],
            began_at=began_at,
            active_at=activity[0][0] if activity else None,
            active_skew_s=activity[0][1] if activity else None,
            walking_since=walking_since,
            lengths=self.learned(account, LENGTHS),
        )

    def _doubt_stale_intents(self, now: float, grace_s: float) -> None:
        with self._transaction():
            stale = self._db.execute(statements()["stale_intents"], {"grace": grace_s}).fetchall()
            for key, campaign_id, lead_id, phone, gave_up_at in stale:
                lead = Lead(lead_id, phone, LeadState.DIALING, now)
                told = {"gave_up_at": gave_up_at, "reason": "found intended at start"}
                self._writer(campaign_id).event(now, "uncertain", told, lead=lead, key=key)


def campaign_record(name: str, row: tuple[Any, ...]) -> CampaignRecord:
    """The record in a row of ``campaign_by_name``."""
    ident, digest, list_digest, intake, columns, understood, file, source, importing = row
    return CampaignRecord(
        ident,
        name,
        digest,
        list_digest,
        intake,
        tuple(json.loads(columns)),
        tuple(json.loads(understood)),
        file,
        source,
        importing is not None,
    )


def _lead(row: tuple[Any, ...], understood: frozenset[str], further: tuple[Number, ...] = ()) -> Lead:
    ident, phone, state, due_at, attempts, submissions, disposition, zone, first, last, cells, blocked, agent, _ = row
    return Lead(
        id=ident,
        phone=phone,
        state=LeadState(state),
        due_at=due_at,
        attempts=attempts,
        submissions=submissions,
        disposition=Disposition(disposition) if disposition else None,
        zone=zone,
        first_name=first,
        last_name=last,
        extra={header: cell for header, cell in json.loads(cells).items() if cell and header not in understood},
        blocked=bool(blocked),
        agent_id=agent or None,
        further=further,
    )


def _attempt(row: tuple[Any, ...], account: str) -> Attempt:
    key, agent, state, intended_at, gave_up_at, call_id, placed_at, status, *rest = row
    lead_id, phone, lead_state, due_at, attempts, number, disposition, zone, code, skew_low, skew_high, made_by = rest
    lead = Lead(
        id=lead_id,
        phone=phone,
        state=LeadState(lead_state),
        due_at=due_at,
        attempts=attempts,
        submissions=number,
        disposition=Disposition(disposition) if disposition else None,
        zone=zone,
    )
    told = (intended_at, gave_up_at, call_id, placed_at, status, code == SHADOWED, skew_low, skew_high)
    elsewhere = made_by not in {"", account}
    return Attempt(key, lead, agent, AttemptState(state), *told, elsewhere)
