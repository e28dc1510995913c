"""`dialer check` on one screen: what was understood, without a number or a name that anybody could read off it."""

from __future__ import annotations

import csv
import os
import stat
import subprocess
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dialer.cli import main
from dialer.core.lifecycle import Disposition, LeadState
from dialer.ledger.sqlite import SqliteLedger
from dialer.reports.tables import REJECTED_COLUMNS
from tests.support_rows import ACCOUNT, NOON, enroll, person, phone, put, whole_call

Done = subprocess.CompletedProcess[str]
LIST = (
    "full name;Mobile;City;Plan\n"
    "Ada Abbott;+12125550100;New York;pro\n"
    "Ben Hansen;+49 30 23125 012;Berlin;basic\n"
    "Cleo Ito;;Osaka;pro\n"
    "Dan Vargas;(212) 555-0100;New York;pro\n"
    "Eve Abbott;+1 212 555 0100;New York;=1+1\n"
)


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """`dialer check spring.toml` in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIALER_LEDGER", raising=False)

    def run(content: str, *arguments: object, text: str = "", hours: str = '"always"') -> Done:
        (tmp_path / "list.csv").write_text(content, "utf-8")
        head = f'name = "spring"\ncontacts = "list.csv"\nagents = ["agent_a"]\nhours = {hours}\n'
        (tmp_path / "spring.toml").write_text(head + text, "utf-8")
        code = main(["check", "spring.toml", *map(str, arguments)])
        shown = capsys.readouterr()
        return subprocess.CompletedProcess([], code, shown.out, shown.err)

    return run


def _values(shown: str, label: str) -> list[str]:
    """The lines under a label."""
    lines = shown.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith(f"{label} "))
    found = [lines[at][12:]]
    for line in lines[at + 1 :]:
        if line[:12].strip():
            break
        found.append(line[12:])
    return found


def test_the_screen_says_what_was_read_and_how_each_column_was_understood(check: Callable[..., Done]) -> None:
    done = check(LIST)
    assert done.returncode == 0, done.stderr
    assert _values(done.stdout, "list") == ["list.csv: 5 rows, utf-8, semicolons between cells"]
    assert _values(done.stdout, "columns") == [
        "full name -> full_name by its header: A. A., B. H.",
        "Mobile -> phone by its header, 3 of the first 4 fit: +1212•••••00, +49 30 ••••• •12",
        "City -> metadata: N•• Y•••, B•••••",
        "Plan -> metadata: p••, b••••",
    ]
    assert _values(done.stdout, "rows") == [
        "5: 2 contacts to call, 3 rejected (1 phone_missing, 1 phone_no_country, 1 duplicate)",
        "row 4: phone_missing: the phone cell is empty",
        "row 5: phone_no_country: '(212) •••-••00' has no country code; write +..., or set region",
        "in [columns]",
        "row 6: duplicate: the number +1212•••••00 is already in row 2",
    ]


def test_countries_zones_and_what_the_first_rows_would_send_are_shown(check: Callable[..., Done]) -> None:
    shown = check(LIST).stdout
    assert _values(shown, "countries") == ["US 1, DE 1"]
    assert _values(shown, "zones") == ["America/New_York 1", "Europe/Berlin 1"]
    assert _values(shown, "would send") == [
        "+1 212 ••• ••00 by agent_a, contact A. A., metadata City, Plan, dialer_campaign,",
        "dialer_attempt",
        "+49 302 ••• ••12 by agent_a, contact B. H., the same metadata",
    ]


def test_nobody_can_be_recognised_on_the_screen(check: Callable[..., Done]) -> None:
    shown = check(LIST, text='[columns]\nkey = "full name"\nphone = "Mobile"\n').stdout
    for word in ("Ada", "Abbott", "5550100", "555-0100", "555 0100", "23125", "New York;"):
        assert word not in shown


def test_each_zone_says_whether_it_may_be_called_now(check: Callable[..., Done]) -> None:
    """Open all week but for a day that is far off in every zone: whole days all week would need no zone."""
    far_off = (datetime.now(UTC) + timedelta(days=3)).strftime("%A").lower()
    windows = dict.fromkeys(("weekdays", "saturday", "sunday"), "00:00-24:00") | {far_off: "closed"}
    said = ", ".join(f'{day} = "{window}"' for day, window in windows.items())
    shown = check(LIST, hours=f"{{ {said} }}").stdout
    assert all(", open until " in line for line in _values(shown, "zones"))
    assert _values(shown, "hours") == ["2 contacts now (times of this machine's clock)"]


def test_a_wide_list_of_many_faults_still_fits_one_screen(check: Callable[..., Done], tmp_path: Path) -> None:
    headers = ["phone", *(f"a rather long header of column {index}" for index in range(60))]
    rows = [[f"+1212555{index:04d}", *["some cell with words"] * 60] for index in range(20)]
    for number, cell in enumerate(("", "call me", "1.5E+10", "+1212555", "212 555 0100"), 3):
        rows[number][0] = cell
    content = "\n".join(",".join(cells) for cells in (headers, *rows)) + "\n"
    (tmp_path / "more.csv").write_text(content)
    done = check(content)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 40
    assert "and 51 more columns: a rather long header of…" in done.stdout


def test_rejected_rows_are_written_for_their_owner_only_and_run_nothing(
    check: Callable[..., Done], tmp_path: Path
) -> None:
    done = check(LIST.replace("Cleo Ito", "=HYPERLINK(1)"), "--rejected", "no.csv")
    assert _values(done.stdout, "rejected") == ["3 rows written to no.csv"]
    with (tmp_path / "no.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == REJECTED_COLUMNS
    assert [(row[0], row[1]) for row in rows] == [("4", "phone_missing"), ("5", "phone_no_country"), ("6", "duplicate")]
    assert rows[0][4] == "'=HYPERLINK(1);;Osaka;pro"
    assert rows[2][4] == "Eve Abbott,+1 212 555 0100,New York,=1+1"
    assert stat.S_IMODE((tmp_path / "no.csv").stat().st_mode) == 0o600


def test_rejected_rows_never_take_the_place_of_a_list_or_stand_there_half(
    check: Callable[..., Done], tmp_path: Path
) -> None:
    done = check(LIST, "--rejected", "./list.csv")
    assert done.returncode == 2
    assert (tmp_path / "list.csv").read_text("utf-8") == LIST
    for target in ("spring.toml", ".dialer/ledger.db", ".dialer/ledger.db.journal", os.devnull, "."):
        assert "--rejected" in check(LIST, "--rejected", target).stderr, target
    assert not Path(os.devnull).is_file()
    broken = 'phone\n+12125550100\nnone\n"open\n'
    done = check(LIST, "--rejected", "gone/no.csv")
    assert (done.returncode, "another place with --rejected" in done.stderr) == (2, True)
    assert check(broken, "--rejected", "no.csv").returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.csv", "spring.toml"]


@pytest.mark.parametrize(("most", "code"), [("60%", 0), ("59.9%", 2), ("3", 0), ("2", 2), ("0", 2)])
def test_more_rejected_rows_than_allowed_are_a_mistake(check: Callable[..., Done], most: str, code: int) -> None:
    done = check(LIST, "--max-rejected", most)
    assert done.returncode == code
    said = "dialer: spring.toml: 3 of 5 rows rejected (60.0%), more than --max-rejected"
    assert done.stderr == (f"{said} {most} allows\n" if code else "")
    assert "would send" in done.stdout


@pytest.mark.parametrize("most", ["many", "-1", "5.5", "%", "1e3", "5%%"])
def test_what_is_no_limit_is_refused(most: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["check", "x.toml", f"--max-rejected={most}"])
    assert left.value.code == 2
    assert "neither a number of rows nor a share" in capsys.readouterr().err


def test_where_nobody_can_be_called_the_rejected_rows_are_written_all_the_same(
    check: Callable[..., Done], tmp_path: Path
) -> None:
    done = check("phone\nnone\n", "--rejected", "no.csv")
    assert done.returncode == 2
    assert done.stderr == "dialer: spring.toml: no row of the list can be called\n"
    assert "holds no number" in (tmp_path / "no.csv").read_text("utf-8")


def test_a_key_that_came_before_is_a_duplicate_too(check: Callable[..., Done]) -> None:
    done = check("phone,id\n+12125550100,c7\n+12125550101,c7\n", text='[columns]\nkey = "id"\n')
    assert "row 3: duplicate: the key 'c7' is already in row 2" in done.stdout


def test_numbers_that_another_unfinished_campaign_has_are_told_and_nothing_is_written(
    check: Callable[..., Done], tmp_path: Path
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    for name in ("winter", "autumn"):
        enroll(ledger, record := put(ledger, name), [person(0), person(1)])
        leads = [lead for lead in ledger.claim(record.id, NOON, 10) if name == "autumn" or lead.phone == phone(0)]
        for lead in leads:
            ledger.commit(record.id, ACCOUNT, whole_call(lead, Disposition.COMPLETED, LeadState.REACHED))
    ledger.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    content = f"phone\n{phone(0)}\n{phone(1)}\n{phone(2)}\n"
    done = check(content, "--ledger", "ledger.db", text='[duplicates]\nin_other_campaigns = "allow"\n')
    assert _values(done.stdout, "elsewhere") == [
        "numbers that are contacts of campaigns not finished too: 2 of 'winter' (1 still to be",
        "called there)",
    ]
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    done = check(content, "--ledger", "ledger.db", "--rejected", "no.csv")
    assert "elsewhere" not in done.stdout
    (row,) = csv.DictReader((tmp_path / "no.csv").read_text("utf-8").splitlines())
    assert (row["reason"], row["detail"]) == (
        "in_other_campaign",
        f"the number {phone(1)} is still to be called by the campaign 'winter'",
    )
    _enroll_into_spring(tmp_path)
    assert "in_other_campaign" not in check(content, "--ledger", "ledger.db").stdout  # it is known here already


def _enroll_into_spring(directory: Path) -> None:
    ledger = SqliteLedger(directory / "ledger.db")
    enroll(ledger, put(ledger), [person(1)])
    ledger.close()


def test_a_check_keeps_few_bytes_of_each_contact(check: Callable[..., Done]) -> None:
    def peak(count: int) -> int:
        content = "phone,note\n" + "".join(f"+1212{2_000_000 + index},{'x' * 200}\n" for index in range(count))
        tracemalloc.start()
        try:
            assert check(content).returncode == 0
            return tracemalloc.get_traced_memory()[1] - 2 * len(content)
        finally:
            tracemalloc.stop()

    small = peak(500)
    assert peak(4_000) - small < 3_500 * 64
