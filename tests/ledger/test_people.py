"""Who a row is: by number, and by key where a list has one. A corrected number never rings somebody twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dialer.core.lifecycle import Disposition, Lead, LeadState
from dialer.core.messages import MarkLost, MarkUncertain
from dialer.ledger import CampaignRecord, EnrollResult, NewContact
from dialer.ledger import rebuild as rebuilding
from dialer.ledger.people import Known, People, Verdict
from dialer.ledger.rebuild import Builder, ContactLists
from dialer.ledger.sqlite import SqliteLedger
from dialer.ledger.store import journal_path, read_salt
from tests.support_rows import ACCOUNT, NOON, enroll, intended, opened, person, phone, put, whole_call

_L = LeadState


def _keyed(index: int, key: str | None, row: int | None = None, **cells: str) -> NewContact:
    return person(index, row, **cells)._replace(key=key)


# --- the rule, without a ledger ------------------------------------------------------------------------------------


def _known(ident: int, number: int, key: str | None, state: LeadState = _L.QUEUED, **told: bool) -> Known:
    tried = told.get("tried", state not in {_L.QUEUED, _L.CANCELLED, _L.SUPPRESSED})
    return Known(ident, phone(number), key, "list.csv", ident, state, tried, told.get("seen", False))


@pytest.mark.parametrize(
    ("contacts", "verdict", "ident"),
    [
        ([], Verdict.NEW, None),
        ([_known(1, 0, None)], Verdict.KNOWN, 1),
        ([_known(1, 0, "other")], Verdict.KNOWN, 1),
        ([_known(1, 0, None, seen=True)], Verdict.DUPLICATE, 1),
        ([_known(1, 9, "ada", seen=True)], Verdict.DUPLICATE, 1),
        ([_known(1, 9, "ada")], Verdict.MOVED, 1),
        ([_known(1, 9, "ada", _L.CANCELLED)], Verdict.MOVED, 1),
        ([_known(1, 9, "ada", _L.CANCELLED, tried=True)], Verdict.NEW, None),
        ([_known(1, 9, "ada", _L.WAITING)], Verdict.NEW, None),
        ([_known(1, 9, "ada", _L.EXHAUSTED)], Verdict.NEW, None),
        ([_known(1, 9, "ada", _L.REJECTED)], Verdict.NEW, None),
        ([_known(1, 9, "ada", _L.REACHED)], Verdict.REACHED, 1),
        ([_known(1, 9, "ada", _L.DIALING)], Verdict.IN_DOUBT, 1),
        ([_known(1, 9, "ada", _L.UNRESOLVED)], Verdict.IN_DOUBT, 1),
        ([_known(1, 9, "ada", _L.SUPPRESSED)], Verdict.SUPPRESSED, 1),
        ([_known(1, 9, "ada", _L.REACHED), _known(2, 0, "ben")], Verdict.REACHED, 1),
        ([_known(1, 9, "ada", _L.WAITING), _known(2, 8, "ada", _L.REACHED)], Verdict.REACHED, 2),
        ([_known(1, 9, "ada"), _known(2, 0, "ben")], Verdict.KNOWN, 2),
        ([_known(1, 9, "ben", _L.REACHED)], Verdict.NEW, None),
    ],
)
def test_a_row_of_ada_at_number_0_is_judged_by_all_that_is_known_of_her(
    contacts: list[Known], verdict: Verdict, ident: int | None
) -> None:
    people = People()
    for known in contacts:
        people.put(known)
    found, who = people.judge(phone(0), "ada")
    assert (found, None if who is None else who.id) == (verdict, ident)


def test_without_a_key_only_the_number_counts() -> None:
    people = People()
    people.put(_known(1, 9, "ada", _L.REACHED))
    assert people.judge(phone(0), None) == (Verdict.NEW, None)


# --- in a ledger ---------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """An empty ledger."""
    with opened(tmp_path) as found:
        yield found


@pytest.fixture
def spring(ledger: SqliteLedger) -> CampaignRecord:
    """A campaign with ada at number 0 and ben at number 1."""
    record = put(ledger)
    _import(ledger, record, _keyed(0, "ada"), _keyed(1, "ben"))
    return record


def _import(ledger: SqliteLedger, record: CampaignRecord, *people: NewContact) -> EnrollResult:
    result = enroll(ledger, record, people, columns=["phone", "city"])
    assert result.rows == len(people)
    return result


def _table(ledger: SqliteLedger) -> dict[str, tuple[str | None, str]]:
    """Key and state by number."""
    with closing(sqlite3.connect(ledger.path)) as db:
        rows = db.execute(
            "SELECT contact.phone, key, state, lead.phone FROM contact JOIN lead ON lead.id = contact.id"
        ).fetchall()
    assert all(row[0] == row[3] for row in rows)
    return {row[0]: (row[1], row[2]) for row in rows}


def _lead(ledger: SqliteLedger, record: CampaignRecord, number: int) -> Lead:
    return next(lead for lead in ledger.claim(record.id, NOON, 10) if lead.phone == phone(number))


def _call(ledger: SqliteLedger, record: CampaignRecord, number: int, state: LeadState) -> None:
    disposition = Disposition.COMPLETED if state is _L.REACHED else Disposition.BUSY
    due = NOON + 9 if state is _L.WAITING else None
    ledger.commit(record.id, ACCOUNT, whole_call(_lead(ledger, record, number), disposition, state, due))


def test_a_sorted_and_grown_list_changes_nobody(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    result = _import(ledger, spring, _keyed(2, "cleo", 2), _keyed(1, "ben", 3), _keyed(0, "ada", 4))
    assert (result.added, result.known, result.cancelled) == (1, 2, 0)


def test_a_corrected_number_before_any_attempt_moves_the_contact(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    result = _import(ledger, spring, _keyed(5, "ada", city="Rome"), _keyed(1, "ben"))
    assert (result.added, result.known, result.cancelled) == (0, 2, 0)
    assert _table(ledger) == {phone(5): ("ada", "queued"), phone(1): ("ben", "queued")}
    assert _lead(ledger, spring, 5).extra == {"city": "Rome"}


def test_two_people_who_swap_numbers_have_each_others(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    _import(ledger, spring, _keyed(1, "ada", city="Rome"), _keyed(0, "ben", city="Oslo"))
    assert _table(ledger) == {phone(0): ("ben", "queued"), phone(1): ("ada", "queued")}
    assert _lead(ledger, spring, 1).extra == {"city": "Rome"}


def test_who_moves_makes_room_for_who_comes_after_whatever_the_order(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    _import(ledger, spring, _keyed(5, "ada"), _keyed(0, "cleo"), _keyed(1, "ben"))
    assert _table(ledger) == {phone(5): ("ada", "queued"), phone(0): ("cleo", "queued"), phone(1): ("ben", "queued")}
    _import(ledger, spring, _keyed(5, "cleo"), _keyed(6, "ada"), _keyed(1, "ben"))
    found = {number: told for number, told in _table(ledger).items() if told[1] == "queued"}
    assert found == {phone(5): ("cleo", "queued"), phone(6): ("ada", "queued"), phone(1): ("ben", "queued")}


def test_who_was_reached_is_not_called_at_a_corrected_number(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    _call(ledger, spring, 0, _L.REACHED)
    for _ in range(2):
        result = _import(ledger, spring, _keyed(5, "ada"), _keyed(1, "ben"))
        assert result.rejected == {"already_reached": 1}
    assert _table(ledger) == {phone(0): ("ada", "reached"), phone(1): ("ben", "queued")}
    assert put(ledger).list_digest == "list"


def test_who_was_tried_in_vain_is_called_at_the_corrected_number_and_no_more_at_the_old(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    _call(ledger, spring, 0, _L.WAITING)
    result = _import(ledger, spring, _keyed(5, "ada"), _keyed(1, "ben"))
    assert (result.added, result.known, result.cancelled) == (1, 1, 1)
    table = _table(ledger)
    assert (table[phone(0)], table[phone(5)]) == (("ada", "cancelled"), ("ada", "queued"))
    _call(ledger, spring, 5, _L.REACHED)
    assert _import(ledger, spring, _keyed(0, "ada"), _keyed(1, "ben")).rejected == {"already_reached": 1}
    assert _table(ledger)[phone(0)] == ("ada", "cancelled"), "the old number is not taken up again"


def test_who_may_be_on_the_line_waits_and_the_list_is_read_again(ledger: SqliteLedger, spring: CampaignRecord) -> None:
    change, attempt = intended(_lead(ledger, spring, 0))
    ledger.commit(spring.id, ACCOUNT, [change])
    corrected = (_keyed(5, "ada"), _keyed(1, "ben"))
    assert _import(ledger, spring, *corrected).rejected == {"person_in_doubt": 1}
    assert put(ledger).list_digest == ""
    ledger.commit(
        spring.id, ACCOUNT, [MarkUncertain(attempt, NOON + 30, "", NOON + 31), MarkLost(attempt, "gone", NOON + 60)]
    )
    assert _import(ledger, spring, *corrected).rejected == {"person_in_doubt": 1}
    assert _table(ledger)[phone(0)] == ("ada", "unresolved")


def test_the_same_key_twice_in_a_list_is_one_person(ledger: SqliteLedger) -> None:
    record = put(ledger)
    result = _import(ledger, record, _keyed(0, "ada", 2), _keyed(1, "ada", 3), _keyed(0, "ben", 4), _keyed(2, None, 5))
    assert (result.added, result.rejected) == (2, {"duplicate": 2})
    with closing(sqlite3.connect(ledger.path)) as db:
        details = [row[0] for row in db.execute("SELECT detail FROM rejected ORDER BY id")]
    assert details == ["the key 'ada' is already in row 2", f"the number {phone(0)} is already in row 2"]


def test_a_key_that_a_later_list_brings_is_kept_for_who_was_called_without_one(ledger: SqliteLedger) -> None:
    record = put(ledger)
    _import(ledger, record, _keyed(0, None))
    _call(ledger, record, 0, _L.REACHED)
    _import(ledger, record, _keyed(0, "ada"))
    assert _import(ledger, record, _keyed(5, "ada"), _keyed(6, "ben")).rejected == {"already_reached": 1}


def test_a_duplicate_without_a_raw_row_keeps_its_cells(ledger: SqliteLedger) -> None:
    record = put(ledger)
    nested = person(0, 3, city="Paris, Texas")
    nested.cells["extra"] = {"a": [1]}
    _import(ledger, record, person(0, 2), nested)
    with closing(sqlite3.connect(ledger.path)) as db:
        assert db.execute("SELECT raw FROM rejected").fetchall() == [(f'{phone(0)},"Paris, Texas","{{""a"": [1]}}"',)]


def test_an_import_of_many_batches_finds_what_an_earlier_batch_brought(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dialer.ledger.enrollment.BATCH", 3)
    record = put(ledger)
    people = [_keyed(index % 10, str(index % 10), index + 2) for index in range(25)]
    assert _import(ledger, record, *people).rejected == {"duplicate": 15}
    assert len(_table(ledger)) == 10


def test_leads_that_an_import_would_make_illegal_are_refused_by_the_ledger_still(
    ledger: SqliteLedger, spring: CampaignRecord
) -> None:
    for sql in ("UPDATE lead SET state = 'lost'", "UPDATE lead SET attempts = 3"):
        with pytest.raises(sqlite3.IntegrityError):
            ledger._db.execute(sql)
    assert ledger._db.execute("PRAGMA ignore_check_constraints").fetchone() == (0,)
    assert ledger._db.execute("PRAGMA cache_size").fetchone() == (-2000,)
    assert spring.id


def test_a_rebuilt_ledger_knows_who_was_reached_at_a_number_that_is_corrected_since(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        _import(ledger, record, _keyed(0, "ada"), _keyed(1, "ben"))
        _call(ledger, record, 0, _L.REACHED)
        corrected = [_keyed(5, "ada"), _keyed(1, "ben")]
        _import(ledger, record, *corrected)
        path = ledger.path
    journal = journal_path(path).read_text()
    assert not any(phone(number) in journal for number in (0, 1, 5))
    story = rebuilding.read_story(journal_path(path))
    salt = read_salt(path)
    assert salt is not None
    built = tmp_path / "built.db"
    lists = ContactLists(corrected, ("phone",), ("phone",), "list", "digest")
    assert Builder(built, story, salt, NOON).build({record.id: lists}).strangers == 0
    with closing(sqlite3.connect(built)) as db:
        rows = db.execute("SELECT phone, state FROM lead ORDER BY phone").fetchall()
        assert rows == [(phone(1), "queued"), (phone(5), "reached")]
        told = [json.loads(row[0]) for row in db.execute("SELECT data FROM event WHERE kind = 'import'")]
    assert [len(item.get("same", {})) for item in told] == [0, 1]
