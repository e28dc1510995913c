"""Some rows, some columns, masked numbers; and lists for the campaigns that follow."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialer.core.errors import UserError
from dialer.core.lifecycle import Disposition, LeadState
from dialer.intake import Intake
from dialer.ledger import NewContact
from dialer.ledger.reading import open_reader
from dialer.reports import Wish, Written, write_reports
from dialer.reports.choose import Choice
from tests.support.pages import rows_of
from tests.support.people import TEXTS, eight_people, enrolled
from tests.support_rows import ACCOUNT, NOON, campaign_in, phone, whole_call

ALL = tuple(range(len(TEXTS)))


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return eight_people(tmp_path_factory.mktemp("people"))


def _write(ledger: Path, out: Path, wish: Wish) -> tuple[Written, list[str]]:
    said: list[str] = []
    with open_reader(ledger) as reader:
        return write_reports(reader, "spring", out, NOON + 100, wish, said.append), said


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.mark.parametrize(
    ("where", "people"),
    [
        (["state=waiting"], {1}),
        (["state=waiting,queued"], {1, 5, 6, 7}),
        (["state!=waiting,queued"], {0, 2, 3, 4}),
        (["disposition="], {5, 6, 7}),
        (["disposition!="], {0, 1, 2, 3, 4}),
        (["state=exhausted", "disposition=no_answer"], {4}),
        (["attempts>=2"], {4}),
        (["attempts < 1"], {2, 5, 6, 7}),
        (["attempts=1,2"], {0, 1, 3, 4}),
        (["cost>0.1"], {4}),
        (["cost<=0.1"], {0, 1}),
        (["duration_s=30.5"], {0}),
        (["next_attempt_at>=2026-02-25T12:15"], {1}),
        (["next_attempt_at>2026-02-25T12:15"], set()),
        (["next_attempt_at=2026-02-25"], {1}),
        (["last_attempt_at>2026-02-25"], set()),
        (["last_attempt_at<=2026-02-25"], {0, 1, 3, 4}),
        (["last_attempt_at=2026-02-25T12:00:00Z"], {0, 1, 3, 4}),
        (["note=O'Hara"], {3}),
        (["note==1+1"], {0}),
        (["points>=50"], {5, 6, 7}),
        (['note="=1+1","@SUM(1+1)"'], {0, 7}),
        ([f"phone={phone(2)}"], {2}),
        (["sentiment=positive", "state=queued"], set()),
    ],
)
def test_only_rows_that_meet_every_condition_are_written(
    ledger: Path, tmp_path: Path, where: list[str], people: set[int]
) -> None:
    _write(ledger, tmp_path, Wish(choice=Choice(tuple(where))))
    found = {row["phone"] for row in _csv(tmp_path / "outcomes.csv")}
    assert found == {phone(index) for index in people}


def test_a_condition_holds_for_every_table_that_it_speaks_of_and_the_others_are_whole(
    ledger: Path, tmp_path: Path
) -> None:
    written, said = _write(ledger, tmp_path, Wish(choice=Choice(("disposition=no_answer",))))
    assert written.rows == {"outcomes.csv": 1, "attempts.csv": 2, "retry_queue.csv": 0, "rejected.csv": 1}
    assert said == ["--where does not speak of rejected: all of their rows are written"]
    written, said = _write(ledger, tmp_path, Wish(choice=Choice(("state=waiting",))))
    assert written.rows["outcomes.csv"] == 1
    assert written.rows["attempts.csv"] == 6
    assert said == ["--where does not speak of attempts and retry_queue and rejected: all of their rows are written"]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(("colour=red",)), r"there is no column 'colour'; there are: input_phone, note, points, phone, state,"),
        (Choice(("state",)), r"a condition is column=value"),
        (Choice(("=waiting",)), r"a condition is column=value"),
        (Choice(("state=sleeping",)), r"state is one of: queued, dialing, .*; or intended, placed"),
        (Choice(("state>waiting",)), r"'state' is text, which = and != compare"),
        (Choice(("attempts>=two",)), r"'attempts' is compared with a number, not with 'two'"),
        (Choice(("attempts=",)), None),
        (Choice(("cost=cheap",)), r"'cost' is compared with a number"),
        (Choice(("next_attempt_at>=soon",)), r"a moment like 2026-02-25"),
        (Choice(("next_attempt_at>=2026-02-30",)), r"a moment like 2026-02-25"),
        (Choice(("points>=many",)), r"a number or a day like"),
        (Choice(("attempts>=1,2",)), r">= compares with one value"),
        (Choice(columns=("phone", "colour")), r"--columns: there is no column 'colour'"),
        (Choice(columns=("phone", "phone")), r"named twice"),
        (Choice(columns=("note", "status")), r"no table has all of the columns note, status"),
        (Choice(("note=x", "status=y")), r"no table has all of the columns note, status"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line_before_anything_is_written(
    ledger: Path, tmp_path: Path, choice: Choice, said: str | None
) -> None:
    if said is None:
        _write(ledger, tmp_path / "out", Wish(choice=choice))
        return
    with pytest.raises(UserError, match=said):
        _write(ledger, tmp_path / "out", Wish(choice=choice))
    assert not (tmp_path / "out").exists()


def test_columns_are_picked_and_ordered(ledger: Path, tmp_path: Path) -> None:
    _, said = _write(ledger, tmp_path, Wish(choice=Choice(columns=("state", "phone", "note"))))
    assert list(_csv(tmp_path / "outcomes.csv")[0]) == ["state", "phone", "note"]
    assert len(_csv(tmp_path / "attempts.csv")[0]) > 3
    assert said == [
        "--columns names columns that attempts and retry_queue and rejected have not: all of theirs are written"
    ]


def test_masked_reports_show_no_number_anywhere(ledger: Path, tmp_path: Path) -> None:
    _write(ledger, tmp_path, Wish(("csv", "jsonl"), Choice(mask_phones=True)))
    rows = _csv(tmp_path / "outcomes.csv")
    assert (rows[0]["phone"], rows[0]["input_phone"]) == ("+1212•••0000", "+1212•••0000")
    assert "•" in _csv(tmp_path / "rejected.csv")[0]["raw"]
    for path in tmp_path.iterdir():
        text = path.read_text("utf-8")
        assert not [index for index in ALL if phone(index)[4:] in text], path.name
        assert "555 7777" not in text


def test_masked_reports_hide_what_the_importer_dials_in_any_writing_and_in_every_table(tmp_path: Path) -> None:
    seen = (
        "212–555–0100",
        "212\xa0555\u20110101",
        "２１２－５５５－０１０２",
        "212  -  555  -  0103",
        "Tel. 212\t555\t0104",
    )
    rows = [f'"{cell}",Ada 212 555 0199,Abbott,{cell}' for cell in (*seen, *seen)]  # the second time they are rejected
    ledger = enrolled(
        tmp_path, "\r\n".join(["phone,first_name,last_name,note", *rows]) + "\r\n", '[columns]\nregion = "US"\n'
    )
    try:
        record = ledger.campaign("spring")
        assert record is not None
        leads = ledger.claim(record.id, NOON, 100)
        assert len(leads) == len(seen)
        busy = [whole_call(lead, Disposition.BUSY, LeadState.WAITING, NOON + 900) for lead in leads]
        ledger.commit(record.id, ACCOUNT, [change for changes in busy for change in changes])
    finally:
        ledger.close()
    out = tmp_path / "out"
    _write(ledger.path, out, Wish(("csv", "jsonl"), Choice(mask_phones=True)))
    assert {row["first_name"] for row in _csv(out / "retry_queue.csv")} == {"Ada 212 ••• ••99"}
    assert len(_csv(out / "rejected.csv")) == len(seen)
    for path in (*out.glob("*.csv"), *out.glob("*.jsonl"), out / "summary.json"):
        digits = re.sub(r"[^\w\n,{}]", "", unicodedata.normalize("NFKC", path.read_text("utf-8")))
        assert not re.findall(r"555\D{0,4}01\d\d", digits), path.name
    page = json.dumps(rows_of(out / "report.html"), ensure_ascii=False)
    assert "•" in page
    assert "555" not in page


# --- lists for later campaigns -------------------------------------------------------------------------------------


def _read_again(directory: Path, file: Path, text: str = "") -> list[NewContact]:
    (directory / "list.csv").write_bytes(file.read_bytes())
    rows = list(Intake(campaign_in(directory, text)).read(NOON))
    assert all(isinstance(row, NewContact) for row in rows)
    return [row for row in rows if isinstance(row, NewContact)]


def test_contacts_that_did_not_answer_are_a_list_that_a_campaign_reads(ledger: Path, tmp_path: Path) -> None:
    written, said = _write(ledger, tmp_path / "out", Wish(as_contacts=("no_answer", "busy", "voicemail")))
    assert written.rows["contacts_no_answer_busy_voicemail.csv"] == 3
    assert said == ["contacts_no_answer_busy_voicemail.csv: 1 of these contacts are still due in 'spring' itself"]
    found = _read_again(tmp_path, tmp_path / "out" / "contacts_no_answer_busy_voicemail.csv")
    assert [(row.phone, row.cells["note"], row.cells["points"]) for row in found] == [
        (phone(index), TEXTS[index], str(index * 10)) for index in (1, 3, 4)
    ]


def test_contacts_go_by_state_as_well_and_by_conditions(ledger: Path, tmp_path: Path) -> None:
    wish = Wish(choice=Choice(("points>=60",), ("phone",)), as_contacts=("queued",))
    written, _ = _write(ledger, tmp_path, wish)
    assert written.rows["contacts_queued.csv"] == 2
    assert list(_csv(tmp_path / "contacts_queued.csv")[0]) == ["phone", "note", "points"]


def test_contacts_by_a_word_that_is_neither_or_with_numbers_hidden_are_refused(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--as-contacts 'asleep': contacts go by disposition or state: completed"):
        _write(ledger, tmp_path / "out", Wish(as_contacts=("asleep",)))
    with pytest.raises(UserError, match=r"--mask-phones would hide"):
        _write(ledger, tmp_path / "out", Wish(choice=Choice(mask_phones=True), as_contacts=("busy",)))
    assert not (tmp_path / "out").exists()


_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10) | st.text(
    "='+-@\t,;|\"\r\n %＝a1\u200b", max_size=10
)
_DECLARED = ["", '[columns]\ndelimiter = ";"\n', '[columns]\nencoding = "utf-7"\n', '[columns]\ndelimiter = "tab"\n']


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_CELLS, min_size=1, max_size=4), st.sampled_from(["note", "=note", "a;b;c", "a|b\tc"]), st.data())
def test_any_cell_comes_back_from_a_list_of_contacts_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], header: str, data: st.DataObject
) -> None:
    here = tmp_path_factory.mktemp("again")
    declared = data.draw(st.sampled_from(_DECLARED))
    mark = ";" if '";"' in declared else "\t" if "tab" in declared else ","
    lines = [["phone", header], *([phone(index), cell] for index, cell in enumerate(cells))]
    quoted = "\r\n".join(mark.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in line) for line in lines)
    enrolled(
        here, ("\ufeff" if "utf-7" in declared else "") + ("sep=,\r\n" if not declared else "") + quoted, declared
    ).close()
    with open_reader(here / "spring.db") as reader:
        (before,) = [[row[0] for row in batch] for batch in reader.batches("outcomes", campaign=1)]
        write_reports(reader, "spring", here / "out", NOON, Wish(as_contacts=("queued",)))
    again = here / "next"
    again.mkdir()
    (again / "list.csv").write_bytes((here / "out" / "contacts_queued.csv").read_bytes())
    enrolled_again = _read_again(again, here / "out" / "contacts_queued.csv", declared)
    assert [row.cells for row in enrolled_again] == [json.loads(row) for row in before]
