"""An import is kept piece by piece: who is killed on the way goes on where it was."""

from __future__ import annotations

import csv
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dialer.cli import main
from dialer.core.errors import ContactsError
from dialer.core.lifecycle import Disposition, LeadState
from dialer.intake import Intake
from dialer.ledger import EnrollResult, NewContact, RejectedRow
from dialer.ledger.sqlite import SqliteLedger
from tests.support.processes import finish, start_dialer
from tests.support_rows import ACCOUNT, NOON, campaign_in, enroll, list_of, opened, person, phone, put, whole_call


class _Killed(Exception):
    """Stands for whatever ends a process."""


def _content(count: int, bad: int = 7) -> str:
    return "phone\n" + "".join(f"{phone(index) if index % bad else 'none'}\n" for index in range(count))


def _import(directory: Path, killed_at: int | None = None, piece: int = 10, text: str = "") -> EnrollResult | None:
    """Import ``list.csv``; what is written is what a killed process would have written."""

    class Killing(Intake):
        def read(self, *arguments: object, **flags: object) -> Iterator[NewContact | RejectedRow]:
            for count, row in enumerate(super().read(*arguments, **flags)):  # type: ignore[arg-type]
                if count == killed_at:
                    raise _Killed
                yield row

    with opened(directory) as ledger:
        ledger.piece = piece
        return Killing(campaign_in(directory, text)).enroll(ledger, put(ledger), NOON)


def _counts(directory: Path) -> tuple[int, int, int]:
    with closing(sqlite3.connect(directory / "ledger.db")) as db:
        tables = ("contact", "lead", "rejected")
        first, second, third = (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)  # noqa: S608
        return first, second, third


@pytest.mark.parametrize("killed_at", [0, 9, 10, 35, 69])
def test_who_is_killed_in_an_import_goes_on_where_it_was(tmp_path: Path, killed_at: int) -> None:
    list_of(tmp_path, _content(70))
    with pytest.raises(_Killed):
        _import(tmp_path, killed_at)
    kept = _counts(tmp_path)
    assert kept[0] + kept[2] == killed_at // 10 * 10
    with opened(tmp_path) as ledger:
        record = ledger.campaign("spring")
        assert record is not None
        assert record.importing == (killed_at >= 10)
        assert not record.intake
    result = _import(tmp_path)
    assert result is not None
    assert (result.rows, result.added, result.rejected) == (70, 60, {"phone_invalid": 10})
    assert _counts(tmp_path) == (60, 60, 10)
    assert _import(tmp_path) is None


def test_a_list_that_changed_in_the_meantime_is_read_from_its_beginning(tmp_path: Path) -> None:
    list_of(tmp_path, _content(70))
    with pytest.raises(_Killed):
        _import(tmp_path, 45)
    list_of(tmp_path, "phone\n" + "".join(f"{phone(index)}\n" for index in range(60, 30, -1)))
    result = _import(tmp_path)
    assert result is not None
    assert result.rows == 30
    assert not result.rejected
    with opened(tmp_path) as ledger:
        record = ledger.campaign("spring")
        assert record is not None
        due = {lead.phone for lead in ledger.claim(record.id, NOON, 100)}
    assert due == {phone(index) for index in range(31, 61)}


def test_a_duplicate_of_a_row_before_the_kill_is_found_behind_it(tmp_path: Path) -> None:
    list_of(tmp_path, _content(30, 99) + f"{phone(3)}\n{phone(29)}\n")
    with pytest.raises(_Killed):
        _import(tmp_path, 25)
    result = _import(tmp_path)
    assert result is not None
    assert result.rejected == {"duplicate": 2, "phone_invalid": 1}


def test_a_first_list_that_proves_broken_leaves_nothing_behind(tmp_path: Path) -> None:
    list_of(tmp_path, _content(8_000, 99) + '"never closed\n')  # too long for the first look to see its end
    with pytest.raises(ContactsError, match="quot"):
        _import(tmp_path, piece=1_000)
    assert _counts(tmp_path) == (0, 0, 0)
    list_of(tmp_path, _content(40, 99))
    result = _import(tmp_path)
    assert result is not None
    assert result.added == 39


def test_a_later_list_that_proves_broken_keeps_who_was_there(tmp_path: Path) -> None:
    list_of(tmp_path, _content(20, 99))
    _import(tmp_path)
    list_of(tmp_path, _content(8_000, 99) + '"never closed\n')  # too long for the first look to see its end
    with pytest.raises(ContactsError, match="quot"):
        _import(tmp_path, piece=1_000)
    with opened(tmp_path) as ledger:
        record = ledger.campaign("spring")
        assert record is not None
        assert record.importing
        assert {phone(index) for index in range(1, 20)} <= {lead.phone for lead in ledger.claim(record.id, NOON, 9_000)}
    list_of(tmp_path, _content(20, 99))
    _import(tmp_path)
    with opened(tmp_path) as ledger:
        assert {lead.phone for lead in ledger.claim(record.id, NOON, 9_000)} == {phone(index) for index in range(1, 20)}


def test_where_duplicates_are_to_be_refused_nothing_is_imported(tmp_path: Path) -> None:
    list_of(tmp_path, f"phone\n{phone(0)}\n{phone(1)}\n{phone(0)}\n")
    with pytest.raises(ContactsError, match=r"rows that come twice: 1; .*in_list"):
        _import(tmp_path, text='[duplicates]\nin_list = "refuse"\n')
    assert _counts(tmp_path) == (0, 0, 0)


def test_a_process_that_is_really_killed_in_its_import_loses_no_row_and_takes_none_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = 80_000
    with (tmp_path / "list.csv").open("w") as file:
        file.write("phone\n")
        file.writelines(f"+1212{2_000_000 + index}\n" for index in range(rows))
    head = 'name = "spring"\ncontacts = "list.csv"\nagents = ["agent_a"]\nhours = "always"\n'
    (tmp_path / "spring.toml").write_text(head)
    first = start_dialer(tmp_path, "run", "spring.toml", "--quiet")
    try:
        _until_a_piece_is_kept(tmp_path / ".dialer" / "ledger.db")
    finally:
        first.kill()
        finish(first)
    assert main(["status", "spring", "--ledger", str(tmp_path / ".dialer" / "ledger.db")]) == 0
    assert "import      not finished" in capsys.readouterr().out
    with closing(SqliteLedger(tmp_path / ".dialer" / "ledger.db")) as ledger:
        record = ledger.campaign("spring")
        assert record is not None
        assert record.importing
        result = Intake(campaign_in(tmp_path)).enroll(ledger, record, NOON)
        assert result is not None
        assert result.added == rows
        assert not result.rejected
    with closing(sqlite3.connect(tmp_path / ".dialer" / "ledger.db")) as db:
        assert db.execute("SELECT count(*), count(DISTINCT phone) FROM lead").fetchone() == (rows, rows)


def _until_a_piece_is_kept(ledger: Path) -> None:
    gives_up_at = time.monotonic() + 60
    while time.monotonic() < gives_up_at:
        if ledger.is_file():
            with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)) as db:
                try:
                    if db.execute("SELECT count(*) FROM campaign WHERE importing IS NOT NULL").fetchone()[0]:
                        return
                except sqlite3.OperationalError:
                    pass  # it is just being made
        time.sleep(0.05)
    raise AssertionError("no piece was kept")


# --- people of other campaigns --------------------------------------------------------------------------------------


def _spring(directory: Path, rule: str | None = None) -> EnrollResult | None:
    text = "" if rule is None else f'[duplicates]\nin_other_campaigns = "{rule}"\n'
    with opened(directory) as ledger:
        return Intake(campaign_in(directory, text)).enroll(ledger, put(ledger), NOON)


@pytest.fixture
def winter(tmp_path: Path) -> Path:
    """A ledger in which another campaign has reached one person and has yet to call another; and a list with both."""
    with opened(tmp_path) as ledger:
        record = put(ledger, "winter")
        enroll(ledger, record, [person(0), person(1)])
        (lead,) = ledger.claim(record.id, NOON, 1)
        ledger.commit(record.id, ACCOUNT, whole_call(lead, Disposition.COMPLETED, LeadState.REACHED))
    list_of(tmp_path, f"phone\n{phone(0)}\n{phone(1)}\n{phone(2)}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("rule", "added", "rejected"),
    [
        (None, 2, {"in_other_campaign": 1}),
        ("reject_live", 2, {"in_other_campaign": 1}),
        ("reject_called", 1, {"in_other_campaign": 2}),
        ("allow", 3, {}),
    ],
)
def test_nobody_is_in_two_live_campaigns_unless_the_campaign_says_so(
    winter: Path, rule: str | None, added: int, rejected: dict[str, int]
) -> None:
    result = _spring(winter, rule)
    assert result is not None
    assert (result.added, result.rejected) == (added, rejected)


def test_who_was_kept_back_is_taken_up_when_the_other_campaign_is_done(winter: Path) -> None:
    _spring(winter)
    with opened(winter) as ledger:
        record = ledger.campaign("winter")
        assert record is not None
        (lead,) = ledger.claim(record.id, NOON, 9)
        ledger.commit(record.id, ACCOUNT, whole_call(lead, Disposition.COMPLETED, LeadState.REACHED))
    result = _spring(winter)
    assert result is not None
    assert (result.added, result.known, result.rejected) == (1, 2, {})
    assert _spring(winter) is None


def test_a_campaign_under_another_name_calls_nobody_a_second_time_by_mistake(winter: Path) -> None:
    list_of(winter, f"phone\n{phone(1)}\n")
    with pytest.raises(ContactsError, match=r"no row can be called \(1 in_other_campaign\); .*in_other_campaigns"):
        _spring(winter)


def test_the_rejected_row_names_the_other_campaign(winter: Path) -> None:
    _spring(winter)
    with closing(sqlite3.connect(winter / "ledger.db")) as db:
        ((detail, raw),) = db.execute("SELECT detail, raw FROM rejected").fetchall()
    assert detail == f"the number {phone(1)} is still to be called by the campaign 'winter'"
    assert next(csv.reader([raw])) == [phone(1)]


def test_who_went_and_comes_back_belongs_to_the_campaign_that_took_them_up_meanwhile(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        enroll(ledger, put(ledger), [person(1), person(2)])
        enroll(ledger, put(ledger), [person(2)], digest="without")
        enroll(ledger, put(ledger, "winter"), [person(1)])
    list_of(tmp_path, f"phone\n{phone(1)}\n{phone(2)}\n")
    result = _spring(tmp_path)
    assert result is not None
    assert (result.known, result.rejected) == (1, {"in_other_campaign": 1})


def test_an_import_that_failed_is_gone_through_again_even_where_the_list_is_the_same(tmp_path: Path) -> None:
    list_of(tmp_path, _content(20, 99))
    _import(tmp_path)
    list_of(tmp_path, _content(70))

    class Failing(Intake):
        def read(self, *arguments: object, **flags: object) -> Iterator[NewContact | RejectedRow]:
            for count, row in enumerate(super().read(*arguments, **flags)):  # type: ignore[arg-type]
                if count == 45:
                    raise ContactsError("list.csv: the disk would not give it")
                yield row

    with opened(tmp_path) as ledger:
        ledger.piece = 10
        record, intake = put(ledger), Failing(campaign_in(tmp_path))
        with pytest.raises(ContactsError, match="disk"):
            intake.enroll(ledger, record, NOON)
    result = _import(tmp_path)
    assert result is not None
    assert (result.rows, sum(result.rejected.values())) == (70, 10)
    assert _counts(tmp_path)[2] == 10
