"""The SQLite ledger: what is written is there, what is not legal is not, and one process at a time writes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dialer.core.errors import LedgerHeld, LedgerUnusable
from dialer.core.lifecycle import ATTEMPT_STEPS, Attempt, AttemptState, Disposition, Lead, LeadState
from dialer.core.messages import (
    Amend,
    Change,
    Intend,
    MarkDoubted,
    MarkLost,
    MarkUncertain,
    MarkUnresolved,
    MarkVoid,
    Note,
    Postpone,
    PostponeLead,
    Spend,
)
from dialer.core.pacing import DAY_S
from dialer.core.wire import Call, read_call, read_object
from dialer.ledger import CampaignRecord, LedgerConflict, RejectedRow
from dialer.ledger.lock import WriterLock
from dialer.ledger.reading import open_reader
from dialer.ledger.sqlite import SCHEMA_VERSION, SqliteLedger
from dialer.ledger.statements import migrations, statements
from tests.support_rows import (
    ACCOUNT,
    NEW_YORK,
    NOON,
    ended,
    enroll,
    intended,
    opened,
    person,
    phone,
    placed,
    put,
    whole_call,
)

_A, _L = AttemptState, LeadState
_ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    with opened(tmp_path) as found:
        yield found


@pytest.fixture
def spring(ledger: SqliteLedger) -> CampaignRecord:
    """A campaign with five people."""
    record = put(ledger)
    enroll(ledger, record, [person(index) for index in range(5)])
    return record


def _query(ledger: SqliteLedger, sql: str, *values: object) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(ledger.path)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(sql, values)]


def _one(ledger: SqliteLedger, table: str, **where: object) -> dict[str, Any]:
    conditions = " AND ".join(f"{column} = ?" for column in where)
    (row,) = _query(ledger, f"SELECT * FROM {table} WHERE {conditions}", *where.values())  # noqa: S608  # our names
    return row


def _dump(ledger: SqliteLedger) -> list[str]:
    with closing(sqlite3.connect(ledger.path)) as db:
        return list(db.iterdump())


def _commit(ledger: SqliteLedger, record: CampaignRecord, *changes: Change) -> None:
    ledger.commit(record.id, ACCOUNT, changes)


def _lead(ledger: SqliteLedger, record: CampaignRecord, index: int = 0, at: float = NOON) -> Lead:
    (lead,) = ledger.claim(record.id, at, 1, only=phone(index))
    return lead


def _void(attempt: Attempt, state: LeadState = _L.QUEUED, due_at: float | None = NOON + 9, **more: Any) -> MarkVoid:
    return MarkVoid(attempt, state, due_at, "no_available_slots", "all lines are busy", NOON + 2, **more)


def _uncertain(attempt: Attempt) -> MarkUncertain:
    return MarkUncertain(attempt, NOON + 30, "no answer within 30 s", NOON + 31)


# --- every change, written and read back ---------------------------------------------------------------------------


def test_an_intent_makes_a_lead_dial_and_is_charged(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change)
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["state"], row["phone"], row["agent_id"], row["number"]) == ("intended", phone(0), "agent_a", 1)
    assert row["intended_at"] == NOON
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["attempts"], lead["submissions"]) == ("dialing", 1, 1)
    assert ledger.claim(spring.id, NOON, 10, only=phone(0)) == []


def test_a_placed_call_keeps_its_id_and_times(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, placed(attempt, "call-7"))
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["state"], row["call_id"], row["status"]) == ("placed", "call-7", "initiating")
    assert (row["created_at"], row["placed_at"]) == (NOON + 1, NOON + 1)
    assert ledger.bound(["call-7", "call-8"]) == {"call-7"}
    assert ledger.bound([]) == frozenset()


def test_a_void_attempt_takes_its_charge_back_and_leaves_a_number_used(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, _void(attempt))
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["state"], row["code"], row["reason"]) == ("void", "no_available_slots", "all lines are busy")
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["attempts"], lead["submissions"], lead["due_at"]) == ("queued", 0, 1, NOON + 9)
    assert (lead["disposition"], lead["reason"]) == (None, "")


def test_a_number_the_api_refuses_is_rejected_with_its_reason(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, _void(attempt, _L.REJECTED, None, disposition=Disposition.INVALID))
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["disposition"], lead["reason"]) == ("rejected", "invalid", "all lines are busy")
    assert (lead["attempts"], lead["due_at"]) == (0, None)


def test_an_attempt_without_an_answer_is_uncertain_and_its_lead_stays_dialing(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, _uncertain(attempt))
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["state"], row["gave_up_at"], row["reason"]) == ("uncertain", NOON + 30, "no answer within 30 s")
    assert _one(ledger, "lead", id=attempt.lead.id)["state"] == "dialing"


def test_an_unresolved_lead_dials_again_when_its_call_is_found(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, _uncertain(attempt), MarkUnresolved(attempt, "nobody knows", NOON + 90))
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["disposition"], lead["reason"]) == ("unresolved", "unknown", "nobody knows")
    assert _one(ledger, "attempt", key=attempt.key)["state"] == "uncertain"
    _commit(ledger, spring, placed(attempt, found=True))
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["reason"], lead["attempts"]) == ("dialing", "", 1)
    assert _query(ledger, "SELECT kind FROM event ORDER BY id DESC LIMIT 1") == [{"kind": "found"}]


def test_a_lost_attempt_stays_charged_and_its_lead_is_unresolved(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, placed(attempt), MarkLost(attempt, "the API forgot it", NOON + 60))
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["state"], row["disposition"], row["reason"]) == ("lost", "unknown", "the API forgot it")
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["attempts"], lead["due_at"]) == ("unresolved", 1, None)


def test_an_ended_call_keeps_what_the_api_told_of_it(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    told: dict[str, Any] = {
        "duration": 245,
        "sentiment": "positive",
        "cost": 0.45,
        "created_at": NOON - 3,
        "ended_at": NOON + 55,
    }
    _commit(ledger, spring, change, placed(attempt), ended(attempt, Disposition.COMPLETED, _L.REACHED, **told))
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["state"], row["status"], row["disposition"]) == ("ended", "completed", "completed")
    assert (row["duration_s"], row["sentiment"], row["cost"]) == (245, "positive", 0.45)
    assert (row["created_at"], row["ended_at"]) == (NOON - 3, NOON + 55)
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["disposition"], lead["due_at"]) == ("reached", "completed", None)
    restored = ledger.restore(spring.id, ACCOUNT, NOON, 40)
    assert (restored.cost, restored.costed_calls) == (0.45, 1)
    assert restored.counts == {_L.REACHED: 1, _L.QUEUED: 4}


def test_an_ended_call_that_tells_no_end_ended_when_it_was_noticed(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, placed(attempt), ended(attempt, Disposition.BUSY, _L.WAITING, NOON + 900))
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["ended_at"], row["created_at"]) == (NOON + 60, NOON + 1)
    lead = _lead(ledger, spring, at=NOON + 900)
    assert (lead.state, lead.attempts, lead.submissions) == (_L.WAITING, 1, 1)
    assert (lead.due_at, lead.disposition) == (NOON + 900, Disposition.BUSY)


def test_what_an_ended_call_shows_later_is_added_and_nothing_is_forgotten(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, placed(attempt))
    _commit(ledger, spring, ended(attempt, Disposition.COMPLETED, _L.REACHED, duration=30))
    later = Call.model_validate({"id": f"call-{attempt.key}", "status": "completed", "cost": 0.2})
    _commit(ledger, spring, Amend(attempt, later, NOON + 99))
    row = _one(ledger, "attempt", key=attempt.key)
    assert (row["duration_s"], row["cost"]) == (30, 0.2)
    assert _one(ledger, "lead", id=attempt.lead.id)["state"] == "reached"


def test_the_api_may_correct_how_a_call_ended(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, placed(attempt), ended(attempt, Disposition.BUSY, _L.WAITING, NOON + 900))
    right = Call.model_validate({"id": f"call-{attempt.key}", "status": "completed"})
    _commit(ledger, spring, Amend(attempt, right, NOON + 99, _L.REACHED))
    lead = _one(ledger, "lead", id=attempt.lead.id)
    assert (lead["state"], lead["disposition"], lead["due_at"]) == ("reached", "completed", None)
    assert _one(ledger, "attempt", key=attempt.key)["disposition"] == "completed"


def test_a_correction_of_an_earlier_call_does_not_touch_what_the_later_one_said(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    lead = _lead(ledger, spring)
    change, first = intended(lead)
    _commit(ledger, spring, change, placed(first), ended(first, Disposition.BUSY, _L.WAITING, NOON + 1))
    change, second = intended(_lead(ledger, spring, at=NOON + 1))
    _commit(ledger, spring, change, placed(second), ended(second, Disposition.NO_ANSWER, _L.EXHAUSTED))
    corrected = Call.model_validate({"id": f"call-{first.key}", "status": "voicemail"})
    _commit(ledger, spring, Amend(first, corrected, NOON + 99))
    assert _one(ledger, "attempt", key=first.key)["disposition"] == "voicemail"
    assert _one(ledger, "lead", id=lead.id)["disposition"] == "no_answer"


def test_a_zone_waits_for_its_hours_and_nobody_elsewhere_does(ledger: SqliteLedger) -> None:
    record = put(ledger)
    enroll(ledger, record, [person(0), person(1, zone="Europe/Paris"), person(2, zone=None), person(3)])
    busy = _lead(ledger, record, 3)
    _commit(ledger, record, *whole_call(busy, Disposition.BUSY, _L.WAITING, NOON + 9_000))
    _commit(ledger, record, Postpone(NEW_YORK, NOON + 3600, NOON))
    due = {row["phone"]: row["due_at"] for row in _query(ledger, "SELECT phone, due_at FROM lead")}
    assert due == {phone(0): NOON + 3600, phone(1): NOON, phone(2): NOON, phone(3): NOON + 9_000}
    _commit(ledger, record, Postpone(None, NOON + 60, NOON))
    assert _one(ledger, "lead", phone=phone(2))["due_at"] == NOON + 60


def test_one_lead_waits_while_its_number_is_busy_elsewhere(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    lead = _lead(ledger, spring)
    _commit(ledger, spring, PostponeLead(lead, NOON + 5, "busy elsewhere", NOON))
    assert _one(ledger, "lead", id=lead.id)["due_at"] == NOON + 5
    assert ledger.claim(spring.id, NOON, 10, only=phone(0)) == []
    assert ledger.next_due(spring.id, phone(0)) == NOON + 5


def test_requests_count_for_their_account_and_day(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    _commit(ledger, spring, Spend(3, NOON), Spend(4, NOON + 1), Spend(5, NOON + DAY_S))
    ledger.commit(spring.id, "another", [Spend(11, NOON)])
    other = put(ledger, "autumn")
    assert ledger.restore(spring.id, ACCOUNT, NOON, 40).requests_today == 7
    assert ledger.restore(other.id, ACCOUNT, NOON, 40).requests_today == 7
    assert ledger.restore(spring.id, ACCOUNT, NOON + DAY_S, 40).requests_today == 5
    assert ledger.restore(spring.id, "another", NOON, 40).requests_today == 11
    assert ledger.restore(spring.id, ACCOUNT, NOON + 2 * DAY_S, 40).requests_today == 0


def test_a_note_is_a_line_of_the_journal(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    _, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, Note("scan", NOON, {"pages": 3}, attempt))
    row = _one(ledger, "event", kind="scan")
    assert (row["at"], row["lead_id"], row["attempt"]) == (NOON, attempt.lead.id, attempt.key)
    assert json.loads(row["data"]) == {"pages": 3}


def test_no_changes_write_nothing(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    before = _dump(ledger)
    _commit(ledger, spring)
    assert _dump(ledger) == before


def test_an_answer_with_half_a_character_can_be_written(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring))
    _commit(ledger, spring, change, placed(attempt))
    body = json.dumps({"data": {"id": f"call-{attempt.key}", "status": "completed", "sentiment": "\ud83d"}})
    call = read_call(read_object(body.encode()))
    _commit(ledger, spring, ended(attempt, Disposition.COMPLETED, _L.REACHED, sentiment=call.sentiment))


# --- the law -------------------------------------------------------------------------------------------------------


def _way_to(state: AttemptState, lead: Lead) -> tuple[Attempt, list[Change]]:
    """The changes that bring a new attempt at ``lead`` to ``state``."""
    change, attempt = intended(lead)
    ways: dict[AttemptState, list[Change]] = {
        _A.INTENDED: [],
        _A.PLACED: [placed(attempt)],
        _A.ENDED: [placed(attempt), ended(attempt, Disposition.BUSY, _L.WAITING, NOON + 9)],
        _A.VOID: [_void(attempt)],
        _A.UNCERTAIN: [_uncertain(attempt)],
        _A.LOST: [_uncertain(attempt), MarkLost(attempt, "", NOON + 60)],
    }
    return attempt, [change, *ways[state]]


def _step_to(state: AttemptState, attempt: Attempt, before: AttemptState) -> Change:
    doubt = MarkDoubted(attempt, "gone", NOON + 60) if before is _A.PLACED else _uncertain(attempt)
    steps: dict[AttemptState, Change] = {
        _A.INTENDED: Intend(attempt.key, attempt.lead, "agent_a", NOON),
        _A.PLACED: placed(attempt, "another-call"),
        _A.ENDED: ended(attempt, Disposition.COMPLETED, _L.REACHED),
        _A.VOID: _void(attempt),
        _A.UNCERTAIN: doubt,
        _A.LOST: MarkLost(attempt, "", NOON + 60),
    }
    return steps[state]


@pytest.mark.parametrize("before", list(AttemptState))
@pytest.mark.parametrize("after", list(AttemptState))
def test_the_ledger_takes_the_legal_steps_of_an_attempt_and_no_others(
    ledger: SqliteLedger, spring: CampaignRecord, before: AttemptState, after: AttemptState
) -> None:
    attempt, way = _way_to(before, _lead(ledger, spring))
    _commit(ledger, spring, *way)
    step = _step_to(after, attempt, before)
    if after in ATTEMPT_STEPS[before]:
        _commit(ledger, spring, step)
        assert _one(ledger, "attempt", key=attempt.key)["state"] == after
        return
    written = _dump(ledger)
    with pytest.raises(LedgerConflict):
        _commit(ledger, spring, Note("anomaly", NOON), Spend(1, NOON), step)
    assert _dump(ledger) == written


@pytest.mark.parametrize("state", sorted(set(LeadState) - {_L.QUEUED, _L.WAITING}))
def test_only_a_due_lead_can_be_dialed(ledger: SqliteLedger, spring: CampaignRecord, state: LeadState) -> None:
    lead = _lead(ledger, spring)
    with closing(sqlite3.connect(ledger.path)) as db, db:
        db.execute("UPDATE lead SET state = ?, attempts = 1, submissions = 1 WHERE id = ?", (state, lead.id))
    written = _dump(ledger)
    intend, _ = intended(Lead(lead.id, lead.phone, _L.QUEUED, NOON, 1, 1))
    with pytest.raises(LedgerConflict):
        _commit(ledger, spring, intend)
    assert _dump(ledger) == written


@pytest.mark.parametrize("open_state", [_A.INTENDED, _A.PLACED, _A.UNCERTAIN])
def test_a_number_has_one_open_attempt_whatever_campaign_it_belongs_to(
    ledger: SqliteLedger, spring: CampaignRecord, open_state: AttemptState
) -> None:
    autumn = put(ledger, "autumn")
    enroll(ledger, autumn, [person(0)])
    attempt, way = _way_to(open_state, _lead(ledger, spring))
    _commit(ledger, spring, *way)
    other = _lead(ledger, autumn)
    assert other.blocked
    written = _dump(ledger)
    with pytest.raises(LedgerConflict):
        _commit(ledger, autumn, Note("anomaly", NOON), intended(other)[0])
    assert _dump(ledger) == written
    if open_state is _A.PLACED:
        _commit(ledger, spring, ended(attempt, Disposition.COMPLETED, _L.REACHED))
        free = _lead(ledger, autumn)
        assert not free.blocked
        _commit(ledger, autumn, intended(free)[0])


def test_one_call_belongs_to_one_attempt(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    (begin, first), (begin_too, second) = (intended(_lead(ledger, spring, index)) for index in (0, 1))
    _commit(ledger, spring, begin, begin_too, placed(first, "call-1"))
    with pytest.raises(LedgerConflict):
        _commit(ledger, spring, placed(second, "call-1"))
    assert _one(ledger, "attempt", key=second.key)["state"] == "intended"


@pytest.mark.parametrize("sql", ["UPDATE event SET data = '{}'", "DELETE FROM event"])
def test_the_journal_is_append_only(ledger: SqliteLedger, spring: CampaignRecord, sql: str) -> None:
    _commit(ledger, spring, Note("scan", NOON))
    with closing(sqlite3.connect(ledger.path)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(sql)


# --- at start ------------------------------------------------------------------------------------------------------


def test_intents_of_an_earlier_runner_are_in_doubt_in_every_campaign(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        spring, autumn = put(ledger), put(ledger, "autumn")
        enroll(ledger, spring, [person(0), person(1)])
        enroll(ledger, autumn, [person(2)])
        begin, live = intended(_lead(ledger, spring, 1))
        stale, doubted = intended(_lead(ledger, spring, 0))
        _commit(ledger, spring, stale, begin, placed(live))
        _commit(ledger, autumn, intended(_lead(ledger, autumn, 2))[0])
    with opened(tmp_path) as ledger:
        restored = ledger.restore(spring.id, ACCOUNT, NOON + 500, 42.0)
        found = {attempt.key: attempt for attempt in restored.open_attempts}
        assert set(found) == {doubted.key, live.key}
        again = found[doubted.key]
        assert (again.state, again.gave_up_at, again.intended_at) == (_A.UNCERTAIN, NOON + 42.0, NOON)
        assert (again.lead.state, again.lead.attempts, again.lead.submissions) == (_L.DIALING, 0, 1)
        assert (found[live.key].state, found[live.key].call_id) == (_A.PLACED, f"call-{live.key}")
        states = _query(ledger, "SELECT state, count(*) AS n FROM attempt GROUP BY state ORDER BY state")
        assert states == [{"state": "placed", "n": 1}, {"state": "uncertain", "n": 2}]
        assert len(_query(ledger, "SELECT 1 FROM event WHERE kind = 'uncertain'")) == 2
        written = _dump(ledger)
        assert ledger.restore(spring.id, ACCOUNT, NOON + 900, 42.0) == restored
        assert _dump(ledger) == written


# --- claims --------------------------------------------------------------------------------------------------------


def _set_due(ledger: SqliteLedger, state: str, **due: float) -> None:
    with closing(sqlite3.connect(ledger.path)) as db, db:
        for index, at in due.items():
            made = 0 if state == "queued" else 1
            db.execute(
                "UPDATE lead SET state = ?, due_at = ?, attempts = ?, submissions = ? WHERE phone = ?",
                (state, at, made, made, phone(int(index.removeprefix("p")))),
            )


def test_retries_are_claimed_before_new_people_and_each_by_its_time(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    _set_due(ledger, "queued", p0=NOON - 5, p1=NOON - 50, p2=NOON + 1)
    _set_due(ledger, "waiting", p3=NOON - 1, p4=NOON - 2)
    claimed = [phone(4), phone(3), phone(1), phone(0)]
    for limit in range(6):
        assert [lead.phone for lead in ledger.claim(spring.id, NOON, limit)] == claimed[:limit]
    assert ledger.next_due(spring.id) == NOON - 50
    assert ledger.next_due(spring.id, phone(2)) == NOON + 1
    assert ledger.next_due(spring.id, "+12125559999") is None


def test_a_claim_writes_nothing_and_stays_within_its_campaign(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    autumn = put(ledger, "autumn")
    enroll(ledger, autumn, [person(8)])
    before = _dump(ledger)
    assert [lead.phone for lead in ledger.claim(autumn.id, NOON, 10)] == [phone(8)]
    assert ledger.claim(spring.id, NOON, 10) == ledger.claim(spring.id, NOON, 10)
    assert [lead.phone for lead in ledger.claim(spring.id, NOON, 10, only=phone(3))] == [phone(3)]
    assert _dump(ledger) == before


def test_a_claimed_lead_brings_names_zone_and_the_columns_that_are_metadata(ledger: SqliteLedger) -> None:
    record = put(ledger)
    who = person(0, first_name="Ada", last_name="Abbott", city="Paris", plan="")
    with ledger.enroll(record.id, list(who.cells), ["phone", "first_name", "last_name"], "d", NOON) as enrollment:
        enrollment.add(who)
    (lead,) = ledger.claim(record.id, NOON, 1)
    assert (lead.first_name, lead.last_name, lead.zone) == ("Ada", "Abbott", NEW_YORK)
    assert lead.extra == {"city": "Paris"}


@pytest.mark.parametrize(("name", "index"), [("claim_waiting", "lead_waiting"), ("claim_queued", "lead_queued")])
def test_claims_walk_their_partial_index_and_sort_nothing(
    ledger: SqliteLedger, spring: CampaignRecord, name: str, index: str
) -> None:
    values = {"campaign": spring.id, "now": NOON, "only": None, "limit": 10, "held": "[]"}
    with closing(sqlite3.connect(ledger.path)) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statements()[name]}", values)]
    assert any(f"SEARCH lead USING INDEX {index} (campaign_id=? AND due_at<?)" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step or "SCAN lead" in step for step in plan), plan


def _steps_of_a_claim(ledger: SqliteLedger, record: CampaignRecord) -> int:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(ledger.path)) as db:
        values = {"campaign": record.id, "now": NOON, "only": None, "limit": 10}
        sql = statements()["claim_queued"]
        db.set_progress_handler(count, 1)
        assert len(db.execute(sql, values).fetchall()) == 10
    return steps


def test_a_claim_costs_the_same_among_few_people_and_among_many(ledger: SqliteLedger) -> None:
    record = put(ledger)
    enroll(ledger, record, [person(index) for index in range(20)])
    few = _steps_of_a_claim(ledger, record)
    enroll(ledger, record, [person(index) for index in range(4_000)])
    assert _steps_of_a_claim(ledger, record) == few


# --- imports -------------------------------------------------------------------------------------------------------


def _states(ledger: SqliteLedger) -> dict[str, str]:
    return {row["phone"]: row["state"] for row in _query(ledger, "SELECT phone, state FROM lead ORDER BY id")}


def test_a_longer_list_adds_only_its_new_rows(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    _commit(ledger, spring, *whole_call(_lead(ledger, spring), Disposition.COMPLETED, _L.REACHED))
    result = enroll(ledger, spring, [person(index, 10 - index) for index in range(7)], at=NOON + 5)
    assert (result.added, result.known, result.rejected, result.cancelled) == (2, 5, {}, 0)
    assert result.rows == 7
    assert _states(ledger)[phone(0)] == "reached"
    assert _one(ledger, "contact", phone=phone(0))["row_number"] == 10
    found = ledger.campaign("spring")
    assert found is not None
    assert (found.intake, found.list_digest) == (2, "list")


def test_people_whose_rows_are_gone_are_cancelled_unless_they_were_settled(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    _commit(ledger, spring, *whole_call(_lead(ledger, spring, 0), Disposition.COMPLETED, _L.REACHED))
    _commit(ledger, spring, *whole_call(_lead(ledger, spring, 1), Disposition.BUSY, _L.WAITING, NOON + 9))
    _commit(ledger, spring, intended(_lead(ledger, spring, 2))[0])
    result = enroll(ledger, spring, [person(4)])
    assert (result.known, result.cancelled) == (1, 2)
    assert list(_states(ledger).values()) == ["reached", "cancelled", "dialing", "cancelled", "queued"]
    gone = _one(ledger, "lead", phone=phone(3))
    assert (gone["due_at"], gone["reason"]) == (None, "the row is no longer in the list")


def test_people_whose_rows_are_back_return_to_where_they_stood(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    _commit(ledger, spring, *whole_call(_lead(ledger, spring, 1), Disposition.BUSY, _L.WAITING, NOON + 9))
    enroll(ledger, spring, [person(4)])
    result = enroll(ledger, spring, [person(index) for index in range(5)], at=NOON + 77)
    assert (result.added, result.known, result.cancelled) == (0, 5, 0)
    assert list(_states(ledger).values()) == ["queued", "waiting", "queued", "queued", "queued"]
    back = _one(ledger, "lead", phone=phone(1))
    assert (back["attempts"], back["due_at"], back["reason"]) == (1, NOON + 77, "")


def test_the_second_row_of_a_number_is_rejected_and_names_the_first(ledger: SqliteLedger) -> None:
    record = put(ledger)
    twice = [person(0, 2), person(1, 3), person(0, 4, city="Paris")]
    for _ in range(2):
        result = enroll(ledger, record, twice)
        assert result.rejected == {"duplicate": 1}
        assert result.rows == 3
    (row,) = _query(ledger, "SELECT row_number, reason, detail FROM rejected")
    assert (row["row_number"], row["reason"]) == (4, "duplicate")
    assert row["detail"] == f"the number {phone(0)} is already in row 2"


def test_a_rejected_duplicate_keeps_its_raw_row(ledger: SqliteLedger) -> None:
    record = put(ledger)
    raw = f'{phone(0)},"Paris, Texas"'
    enroll(ledger, record, [person(0, 2), person(0, 3, city="Paris, Texas")._replace(raw=raw)])
    (row,) = _query(ledger, "SELECT raw FROM rejected")
    assert row["raw"] == raw


def test_rejected_rows_are_those_of_the_last_import(ledger: SqliteLedger) -> None:
    record = put(ledger)
    bad = RejectedRow("list.csv", 9, "phone_missing", "empty", ",")
    assert enroll(ledger, record, [person(0), bad, bad]).rejected == {"phone_missing": 2}
    enroll(ledger, record, [person(0), bad])
    assert _query(ledger, "SELECT row_number, raw FROM rejected") == [{"row_number": 9, "raw": ","}]


def test_a_changed_row_changes_only_people_who_were_not_tried(ledger: SqliteLedger) -> None:
    record = put(ledger)
    enroll(ledger, record, [person(0, city="Paris"), person(1, city="Paris"), person(2, city="Paris")])
    _commit(ledger, record, *whole_call(_lead(ledger, record, 0), Disposition.BUSY, _L.WAITING, NOON + 9))
    change, attempt = intended(_lead(ledger, record, 1))
    _commit(ledger, record, change, _void(attempt))
    enroll(ledger, record, [person(index, city="Rome", zone="Europe/Rome") for index in range(3)])
    cities = [json.loads(row["cells"])["city"] for row in _query(ledger, "SELECT cells FROM contact ORDER BY id")]
    zones = [row["zone"] for row in _query(ledger, "SELECT zone FROM lead ORDER BY id")]
    assert cities == ["Paris", "Paris", "Rome"]
    assert zones == [NEW_YORK, NEW_YORK, "Europe/Rome"]


def test_columns_of_earlier_lists_stay_known(ledger: SqliteLedger) -> None:
    record = put(ledger)
    enroll(ledger, record, [person(0)], columns=["phone", "city"])
    enroll(ledger, record, [person(0)], columns=["name", "phone"])
    found = ledger.campaign("spring")
    assert found is not None
    assert found.columns == ("name", "phone", "city")


def test_an_import_that_breaks_off_leaves_nothing_behind(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    before = _dump(ledger)

    def pulled() -> None:
        with ledger.enroll(spring.id, ["x"], [], "new", NOON) as enrollment:
            enrollment.add(person(50))
            raise RuntimeError("pulled")

    with pytest.raises(RuntimeError, match="pulled"):
        pulled()
    assert _dump(ledger) == before


def test_a_campaign_is_remembered_and_its_changes_noticed(ledger: SqliteLedger) -> None:
    first = put(ledger)
    assert put(ledger) == first
    changed = ledger.put_campaign("spring", "campaign.toml", "other", "digest 2", NOON)
    assert (changed.id, changed.source, changed.digest) == (first.id, "other", "digest 2")
    put(ledger, "autumn")
    assert ledger.campaign_names() == ["spring", "autumn"]
    assert ledger.campaign("winter") is None
    kinds = [row["kind"] for row in _query(ledger, "SELECT kind FROM event ORDER BY id")]
    assert kinds == ["campaign_added", "campaign_changed", "campaign_added"]


# --- the file ------------------------------------------------------------------------------------------------------


def test_every_commit_is_synced_to_a_write_ahead_log(ledger: SqliteLedger) -> None:
    db = ledger._db
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_only_its_owner_reads_the_ledger(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path / "new" / "place") as ledger:
            put(ledger)
            with open_reader(ledger.path) as reader:
                assert reader.campaign_names() == ["spring"]
                found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ledger.path.parent.iterdir()}
    finally:
        os.umask(before)
    beside = {"", "-wal", "-shm", ".lock", ".journal", ".salt", ".ballast"}
    assert set(found) == {f"ledger.db{ending}" for ending in beside}
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "new" / "place").stat().st_mode) == 0o700


def test_a_workspace_keeps_its_word_and_no_two_share_one(tmp_path: Path) -> None:
    with opened(tmp_path / "a") as ledger:
        word = ledger.workspace
    with opened(tmp_path / "a") as ledger, opened(tmp_path / "b") as other:
        assert ledger.workspace == word != other.workspace


def test_a_ledger_of_a_newer_dialer_is_refused_and_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        path = ledger.path
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(LedgerUnusable, match="newer dialer"):
        SqliteLedger(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    SqliteLedger(path).close()  # the refusal let the lock go


def _refused(path: Path) -> str:
    with pytest.raises(LedgerUnusable) as caught:
        SqliteLedger(path)
    said = str(caught.value)
    assert "\n" not in said
    assert str(path.name) in said or str(path.parent) in said
    return said


def test_a_file_that_is_no_ledger_is_refused_in_one_line_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("Dear diary, " * 100)
    assert "no ledger" in _refused(path)
    assert path.read_text() == "Dear diary, " * 100


def test_a_place_where_no_file_can_be_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    _refused(tmp_path / "file.txt" / "ledger.db")
    (tmp_path / "dir").mkdir()
    _refused(tmp_path / "dir")


@pytest.mark.skipif(os.geteuid() == 0, reason="read-only directories do not bind root")
def test_a_read_only_directory_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir(mode=0o500)
    _refused(tmp_path / "ro" / "ledger.db")


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from dialer.core.errors import LedgerUnusable
from tests.support_rows import enroll, opened, person, put
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
home = Path(sys.argv[1])
with opened(home) as ledger:
    record = put(ledger)
    enroll(ledger, record, [person(0)])
    most = max(path.stat().st_size for path in home.iterdir()) + 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        enroll(ledger, record, [person(index, note="x" * 500) for index in range(3_000)])
    except LedgerUnusable as error:
        print(error)
    print(len(ledger.claim(record.id, 9e9, 10)))
"""


def _python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_a_full_disk_is_one_line_and_what_was_written_before_stays(tmp_path: Path) -> None:
    command = _python(_FULL_DISK, tmp_path)
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said, people = done.stdout.splitlines()
    assert "cannot be used" in said
    assert people == "1"
    with opened(tmp_path) as ledger:
        assert _states(ledger) == {phone(0): "queued"}


# --- one writer ----------------------------------------------------------------------------------------------------

_HOLD = """
import sys, time
from pathlib import Path
from tests.support_rows import enroll, opened, person, put
with opened(Path(sys.argv[1])) as ledger:
    enroll(ledger, put(ledger), [person(0)])
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_runner_waits_outside_until_the_first_is_gone_even_if_it_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        _python(_HOLD, tmp_path), cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(LedgerHeld, match=rf"another runner holds the ledger .*ledger\.db .*{holder.pid}"):
                SqliteLedger(tmp_path / "ledger.db")
            with open_reader(tmp_path / "ledger.db") as reader:  # readers are never kept out
                assert reader.campaign_names() == ["spring"]
            holder.send_signal(signal.SIGKILL)
            holder.wait(timeout=10)
        finally:
            holder.kill()
    with opened(tmp_path) as ledger:
        assert ledger.held
        assert _states(ledger) == {phone(0): "queued"}


def test_a_writer_whose_lock_was_removed_knows_that_it_holds_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        assert ledger.held
        (tmp_path / "ledger.db.lock").unlink()
        assert not ledger.held
        (tmp_path / "ledger.db.lock").touch()
        assert not ledger.held


def test_a_reader_sees_one_state_while_the_writer_goes_on(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    with open_reader(ledger.path) as reader:
        seen: Sequence[tuple[Any, ...]] = list(reader.rows("counts", campaign=spring.id))
        _commit(ledger, spring, *whole_call(_lead(ledger, spring), Disposition.COMPLETED, _L.REACHED))
        assert list(reader.rows("counts", campaign=spring.id)) == seen == [("queued", 5)]
    with open_reader(ledger.path) as reader:
        assert dict(reader.rows("counts", campaign=spring.id)) == {"queued": 4, "reached": 1}


def _of_an_older_dialer(path: Path) -> None:
    """A ledger as the last version but one left it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for number, script in migrations()[:-1]:
            db.executescript(script)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("INSERT INTO meta VALUES ('workspace', 'abcd-'), ('salt', 'ab')")
        db.execute("INSERT INTO campaign (name, file, source, digest, created_at) VALUES ('old', 'f', '', 'd', 1.0)")
        db.execute("INSERT INTO contact VALUES (1, 1, '+12125550100', 'l', 2, NULL, NULL, '{}', 1, NULL)")
        db.execute(
            "INSERT INTO lead (id, campaign_id, phone, state, due_at) VALUES (1, 1, '+12125550100', 'queued', 1.0)"
        )


def test_who_reads_the_ledger_of_an_older_dialer_first_brings_it_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    _of_an_older_dialer(path)
    with open_reader(path) as reader:
        assert reader.campaign("old").importing is False
    ledger = SqliteLedger(path)
    try:
        assert [lead.phone for lead in ledger.claim(1, NOON, 10)] == ["+12125550100"]
    finally:
        ledger.close()


def test_a_ledger_that_an_older_dialer_is_running_cannot_be_read_yet(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    _of_an_older_dialer(path)
    lock = WriterLock(path)
    lock.acquire()
    try:
        with pytest.raises(LedgerUnusable, match="of an older dialer and in use"), open_reader(path):
            pass
    finally:
        lock.release()
