"""What a list wishes for its people: who is first, by which agent, at which further numbers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dialer.core.lifecycle import Disposition, LeadState, Number
from dialer.core.messages import MarkVoid
from dialer.ledger import NewContact
from dialer.ledger.statements import statements
from tests.support_rows import ACCOUNT, NEW_YORK, NOON, enroll, intended, opened, person, phone, put, whole_call


def _wished(index: int, priority: int = 0, agent: str | None = None, *further: int) -> NewContact:
    numbers = tuple(Number(phone(other), NEW_YORK) for other in further)
    return person(index)._replace(priority=priority, agent=agent, further=numbers)


def test_leads_come_by_priority_and_within_one_in_the_order_of_the_list(tmp_path: Path) -> None:
    people = [_wished(0), _wished(1, -5), _wished(2, 7), _wished(3, 0, "ann"), _wished(4, 7, "bob"), _wished(5)]
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, people)
        order = [lead.phone for lead in ledger.claim(record.id, NOON, 10)]
        assert order == [phone(index) for index in (2, 4, 0, 3, 5, 1)]
        assert [lead.phone for lead in ledger.claim(record.id, NOON, 3)] == order[:3]
        assert [lead.agent_id for lead in ledger.claim(record.id, NOON, 4)] == [None, "bob", None, "ann"]


def test_who_wishes_for_an_agent_that_takes_no_call_waits_and_holds_up_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(0, 9, "ann"), _wished(1, 0, "ann"), _wished(2), _wished(3, -1, "bob")])
        assert [lead.phone for lead in ledger.claim(record.id, NOON, 10, None, {"ann"})] == [phone(2), phone(3)]
        (lead,) = ledger.claim(record.id, NOON, 10, phone(0))
        ledger.commit(record.id, ACCOUNT, whole_call(lead, Disposition.BUSY, LeadState.WAITING, NOON))
        assert phone(0) not in {lead.phone for lead in ledger.claim(record.id, NOON, 10, None, {"ann"})}
        assert ledger.claim(record.id, NOON, 1)[0].phone == phone(0)


def test_a_later_list_may_wish_otherwise(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(0), _wished(1, 5, "ann", 7)])
        enroll(ledger, record, [_wished(0, 6, None, 8), _wished(1)], digest="later")
        first, second = ledger.claim(record.id, NOON, 10)
        assert (first.phone, first.further) == (phone(0), (Number(phone(8), NEW_YORK),))
        assert (second.phone, second.agent_id, second.further) == (phone(1), None, ())


def test_a_number_that_is_somebody_elses_is_nobodys_further_number(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(0, 0, None, 1, 8), _wished(1), _wished(2, 0, None, 8, 9)])
        leads = {lead.phone: lead for lead in ledger.claim(record.id, NOON, 10)}
        assert [number.phone for number in leads[phone(0)].further] == [phone(8)]
        intend, attempt = intended(leads[phone(0)])
        to = Number(phone(8), "Europe/London")
        void = MarkVoid(attempt, LeadState.QUEUED, NOON, "invalid_phone_number", "no", NOON, goes_on_to=to)
        ledger.commit(record.id, ACCOUNT, [intend, void])
        leads = {lead.phone: lead for lead in ledger.claim(record.id, NOON, 10)}
        assert leads[phone(8)].zone == "Europe/London"
        assert leads[phone(8)].further == ()
        assert [number.phone for number in leads[phone(2)].further] == [phone(9)]
        assert ledger.leads_of(record.id, [phone(8)])[phone(8)].id == leads[phone(8)].id
        assert ledger.leads_of(record.id, [phone(0)])[phone(0)].phone == phone(8)


def test_a_row_at_a_number_that_somebody_went_on_to_is_that_person_and_only_once(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(0, 0, None, 8)])
        (lead,) = ledger.claim(record.id, NOON, 10)
        intend, attempt = intended(lead)
        to = Number(phone(8), NEW_YORK)
        void = MarkVoid(attempt, LeadState.QUEUED, NOON, "invalid_phone_number", "no", NOON, goes_on_to=to)
        ledger.commit(record.id, ACCOUNT, [intend, void])
        again = enroll(ledger, record, [_wished(0, 0, None, 8), person(8, 3)], digest="later")
        assert (again.added, again.known, again.rejected) == (0, 1, {"duplicate": 1})
        assert [lead.phone for lead in ledger.claim(record.id, NOON, 10)] == [phone(8)]


@pytest.mark.parametrize(
    ("name", "index"),
    [("claim_wished", "lead_wished"), ("next_lane", "lead_wished"), ("next_due", "lead_wished_due")],
)
def test_wishes_cost_a_look_into_an_index_and_no_more(tmp_path: Path, name: str, index: str) -> None:
    with opened(tmp_path):
        pass
    values = {"campaign": 1, "now": NOON, "limit": 10, "only": None, "priority": 1, "agent": ""}
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statements()[name], values)]
    assert any(f"USING INDEX {index} " in step or f"USING COVERING INDEX {index} " in step for step in plan), plan
    assert not any(step.startswith("SCAN lead") or "TEMP B-TREE" in step for step in plan), plan


def _gone_on(directory: Path) -> None:
    """Somebody is at the second of three numbers."""
    with opened(directory) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(0, 0, None, 8, 9)])
        (lead,) = ledger.claim(record.id, NOON, 10)
        intend, attempt = intended(lead)
        to = Number(phone(8), "Europe/London")
        void = MarkVoid(attempt, LeadState.QUEUED, NOON, "invalid_phone_number", "no", NOON, goes_on_to=to)
        ledger.commit(record.id, ACCOUNT, [intend, void])


def test_a_later_list_changes_neither_the_clock_of_the_number_gone_on_to_nor_gives_back_those_it_withdrew(
    tmp_path: Path,
) -> None:
    _gone_on(tmp_path)
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(0, 0, None, 8)], digest="later")
        (lead,) = ledger.claim(record.id, NOON, 10)
    assert (lead.phone, lead.zone, lead.further) == (phone(8), "Europe/London", ())


def test_a_key_at_the_number_that_its_own_person_went_on_to_is_that_person(tmp_path: Path) -> None:
    _gone_on(tmp_path)
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(0, 0, None, 8)._replace(key="ada")], digest="later")
        (lead,) = ledger.claim(record.id, NOON, 10)
        ledger.commit(record.id, ACCOUNT, whole_call(lead, Disposition.COMPLETED, LeadState.REACHED))
        result = enroll(ledger, record, [person(8)._replace(key="ada")], digest="mended")
    assert (result.known, result.rejected) == (1, {})


def test_many_priorities_cost_nothing_while_none_of_them_is_due(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [_wished(index, index + 1) for index in range(300)], at=NOON + 60)
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        ledger._db.set_progress_handler(count, 10)
        assert not ledger.claim(record.id, NOON, 10)
        ledger._db.set_progress_handler(None, 0)
        assert steps < 60
        assert len(ledger.claim(record.id, NOON + 60, 400)) == 300
