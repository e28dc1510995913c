"""Requests booked between runs, and a lock that is held for an instant only."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from dialer.core.errors import LedgerHeld
from dialer.core.messages import Spend
from dialer.core.pacing import DAY_S
from dialer.ledger import lock
from dialer.ledger.booking import Day, book, give_back
from dialer.ledger.lock import WriterLock, holder_of, runner_of
from dialer.ledger.reading import open_reader
from dialer.ledger.sqlite import SqliteLedger
from tests.support_rows import ACCOUNT, NOON, enroll, intended, opened, person, put


def _spent(path: Path, at: float = NOON) -> int:
    with open_reader(path) as reader:
        return int(reader.one("spent", account=ACCOUNT, day=int(at // DAY_S))[0])


def test_what_is_booked_is_spent_and_what_is_given_back_is_not(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        ledger.commit(put(ledger).id, ACCOUNT, [Spend(10, NOON)])
    path = tmp_path / "ledger.db"
    assert book(path, ACCOUNT, NOON, [], lambda day: day.spent + 5) == 15
    assert _spent(path) == 25
    give_back(path, ACCOUNT, NOON, 4)
    assert _spent(path) == 21
    assert book(path, ACCOUNT, NOON, [], lambda _: -3) == 0
    assert _spent(path) == 21
    give_back(path, ACCOUNT, NOON, 1000)
    assert _spent(path) == 0
    with opened(tmp_path) as ledger:
        assert ledger.healed == 0  # the journal has nothing to say of it


def test_calls_that_are_due_before_the_day_ends_are_counted_and_those_of_other_campaigns_are_not(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(index) for index in range(5)])
        intend, _ = intended(ledger.claim(record.id, NOON, 1)[0])
        ledger.commit(record.id, ACCOUNT, [intend])
        tomorrow = put(ledger, "tomorrow")
        enroll(ledger, tomorrow, [person(7)], at=(NOON // DAY_S + 1) * DAY_S)
    seen: list[Day] = []

    def wanted(day: Day) -> int:
        seen.append(day)
        return 0

    for campaigns in ([record.id, tomorrow.id], [tomorrow.id], []):
        book(tmp_path / "ledger.db", ACCOUNT, NOON, campaigns, wanted)
    assert [day.due for day in seen] == [5, 0, 0]


def test_nothing_is_booked_while_a_runner_holds_the_ledger(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        put(ledger)
        assert runner_of(ledger.path) == str(os.getpid())
        with pytest.raises(LedgerHeld):
            book(ledger.path, ACCOUNT, NOON, [], lambda _: 1)
    assert _spent(tmp_path / "ledger.db") == 0
    assert runner_of(tmp_path / "ledger.db") is None


def test_a_run_that_starts_while_requests_are_booked_waits_an_instant_and_is_not_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    path = tmp_path / "ledger.db"
    brief = WriterLock(path, brief=True)
    brief.acquire()
    assert holder_of(path) == f"{os.getpid()} fetch"
    assert runner_of(path) is None
    threading.Timer(0.3, brief.release).start()
    SqliteLedger(path).close()


def test_a_run_is_refused_soon_where_another_runs_and_in_the_end_where_a_booking_never_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "BRIEF_WAIT_S", 1.2)
    for brief, least_s, most_s in ((False, 0.0, 1.0), (True, 1.2, 5.0)):
        holder = WriterLock(tmp_path / "ledger.db", brief=brief)
        holder.acquire()
        began = time.monotonic()
        with pytest.raises(LedgerHeld, match=str(os.getpid())):
            WriterLock(tmp_path / "ledger.db").acquire()
        assert least_s <= time.monotonic() - began < most_s
        holder.release()
