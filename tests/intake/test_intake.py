"""Every row of every list is exactly one contact or one rejected row with its reason."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.core.campaign import read_campaign
from dialer.core.errors import ContactsError
from dialer.intake import Intake
from tests.support_rows import NOON, campaign_in, judged, list_of, opened, put

DAYTIME = '[hours]\nweekdays = "09:00-20:00"\n'
NARROW = '[hours]\nweekdays = "09:00-09:30"\n'


def _reasons(content: str | bytes, directory: Path, text: str = "", hours: str = 'hours = "always"') -> list[str]:
    return [row.reason for row in judged(directory, content, text, hours)[1]]


def test_a_contact_carries_its_whole_row_under_its_headers(tmp_path: Path) -> None:
    ((ada,), refused) = judged(tmp_path, "first_name,phone,city\n Ada ,+1 212 555 0100, New York \n")
    assert refused == []
    assert (ada.phone, ada.file, ada.row_number) == ("+12125550100", "list.csv", 2)
    assert ada.cells == {"first_name": "Ada", "phone": "+1 212 555 0100", "city": "New York"}
    assert (ada.first_name, ada.last_name, ada.zone) == ("Ada", None, None), "without hours nobody's zone is looked up"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",", "row_empty"),
        ("  , \t", "row_empty"),
        ("+12125550100\0,Ada", "row_damaged"),
        ("+12125550100,Ada,more", "row_ragged"),
        ("phone,name", "row_header"),
        (",Ada", "phone_missing"),
        ("1.2E+10,Ada", "phone_scientific"),
        ("212-555-0100,Ada", "phone_no_country"),
        ("+1 212 555 0100 x9,Ada", "phone_extension"),
        ("+1 212 KLM 0100,Ada", "phone_letters"),
        ("+1212,Ada", "phone_invalid"),
        ("+1 900 234 5678,Ada", "phone_kind"),
    ],
)
def test_each_fault_of_a_row_has_its_reason_and_the_row_is_kept(tmp_path: Path, row: str, reason: str) -> None:
    contacts, (refused,) = judged(tmp_path, f"phone,name\n{row}\n+12125550177,Ben\n")
    assert [contact.phone for contact in contacts] == ["+12125550177"]
    assert (refused.reason, refused.row_number, refused.file) == (reason, 2, "list.csv")
    assert refused.detail
    kept, given_cells = (next(csv.reader(io.StringIO(text), skipinitialspace=True)) for text in (refused.raw, row))
    assert kept == given_cells


def test_a_row_that_is_too_short_only_lacks_its_last_cells(tmp_path: Path) -> None:
    ((ada,), refused) = judged(tmp_path, "phone,name,city\n+12125550100,Ada\n")
    assert refused == []
    assert ada.cells == {"phone": "+12125550100", "name": "Ada", "city": ""}


def test_empty_cells_beyond_the_header_do_no_harm(tmp_path: Path) -> None:
    contacts, refused = judged(tmp_path, "phone,name\n+12125550100,Ada,,  ,\n")
    assert len(contacts) == 1
    assert refused == []


def test_the_next_phone_column_is_tried_where_the_first_is_unusable(tmp_path: Path) -> None:
    content = "Mobile,Home\n,+12125550101\n12,+12125550102\n+12125550103,+12125550104\n12,\n,\n,13\n"
    contacts, refused = judged(tmp_path, content, '[columns]\nphone = ["Mobile", "Home"]\n')
    assert [contact.phone for contact in contacts] == ["+12125550101", "+12125550102", "+12125550103"]
    assert [row.reason for row in refused] == ["phone_no_country", "row_empty", "phone_no_country"]


def test_a_region_reads_national_numbers(tmp_path: Path) -> None:
    contacts, _ = judged(tmp_path, "phone\n(212) 555-0100\n", '[columns]\nregion = "US"\n')
    assert [contact.phone for contact in contacts] == ["+12125550100"]


@pytest.mark.parametrize(
    ("content", "first", "last"),
    [
        ("first_name,last_name,phone\nAda,Abbott,+12125550100\n", "Ada", "Abbott"),
        ("last_name,phone\nAbbott,+12125550100\n", None, "Abbott"),
        ("name,phone\nAda Byron King,+12125550100\n", "Ada", "Byron King"),
        ("name,phone\nAda,+12125550100\n", "Ada", None),
        ("name,first_name,phone\nAda Abbott,,+12125550100\n", "Ada", "Abbott"),
        ("name,first_name,phone\nAda Abbott,Augusta,+12125550100\n", "Augusta", None),
        ("phone\n+12125550100\n", None, None),
    ],
)
def test_names_come_from_their_columns_or_from_the_full_name(
    tmp_path: Path, content: str, first: str | None, last: str | None
) -> None:
    ((contact,), _) = judged(tmp_path, content)
    assert (contact.first_name, contact.last_name) == (first, last)


def test_the_time_zone_column_outranks_the_number(tmp_path: Path) -> None:
    content = "phone,timezone\n+12125550100,Europe/London\n+12125550101,\n"
    contacts, _ = judged(tmp_path, content, hours=DAYTIME)
    assert [contact.zone for contact in contacts] == ["Europe/London", "America/New_York"]


@pytest.mark.parametrize("hours", [DAYTIME, 'hours = "always"'])
def test_a_zone_that_does_not_exist_is_told(tmp_path: Path, hours: str) -> None:
    content = "phone,timezone\n+12125550100,Atlantis/Poseidon\n+12125550101,../../etc/passwd\n+12125550102,America\n"
    assert _reasons(content, tmp_path, hours=hours) == ["zone_unknown"] * 3


def test_a_number_whose_zones_are_never_open_together_needs_a_zone_column(tmp_path: Path) -> None:
    australian = "+61412345678"
    assert _reasons(f"phone\n{australian}\n", tmp_path, hours=NARROW) == ["no_calling_hours"]
    assert _reasons(f"phone,timezone\n{australian},Australia/Perth\n", tmp_path, hours=NARROW) == []
    assert _reasons(f"phone\n{australian}\n", tmp_path, hours=NARROW + 'timezone = "Australia/Perth"\n') == []
    assert _reasons(f"phone\n{australian}\n", tmp_path) == []


def test_several_lists_are_read_one_after_the_other_with_all_their_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("phone,city\n+12125550100,Paris\n")
    (tmp_path / "b.csv").write_text("Mobile;city;plan\n+12125550101;Rome;pro\n")
    text = 'name = "two"\ncontacts = ["a.csv", "b.csv"]\nagents = "x"\nhours = "always"\n'
    intake = Intake(read_campaign(text, tmp_path / "two.toml"))
    assert intake.headers == ("phone", "city", "Mobile", "plan")
    assert intake.understood == ("phone", "Mobile")
    assert [(row.file, row.row_number) for row in intake.read(NOON)] == [("a.csv", 2), ("b.csv", 2)]


def test_the_digest_follows_the_list_and_how_it_is_read(tmp_path: Path) -> None:
    list_of(tmp_path, "phone\n+12125550100\n")
    first = Intake(campaign_in(tmp_path)).digest()
    assert Intake(campaign_in(tmp_path, "[pacing]\nmax_concurrent = 3\n")).digest() == first
    assert Intake(campaign_in(tmp_path, '[columns]\nregion = "US"\n')).digest() != first
    assert Intake(campaign_in(tmp_path, hours=DAYTIME)).digest() != first
    list_of(tmp_path, "phone\n+12125550101\n")
    assert Intake(campaign_in(tmp_path)).digest() != first


def test_a_list_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    list_of(tmp_path, "phone\n+12125550100\n+12125550100\n\n12\n")
    intake = Intake(campaign_in(tmp_path))
    with opened(tmp_path) as ledger:
        result = intake.enroll(ledger, put(ledger), NOON)
        assert result is not None
        assert (result.added, result.known, result.rejected) == (1, 0, {"duplicate": 1, "phone_no_country": 1})
        assert result.rows == 3
        assert intake.enroll(ledger, put(ledger), NOON) is None


@pytest.mark.parametrize("content", ["phone,name\n", "phone\n12\nabc\n"], ids=["header only", "nothing usable"])
def test_a_list_in_which_nobody_can_be_called_leaves_the_ledger_as_it_was(tmp_path: Path, content: str) -> None:
    list_of(tmp_path, content)
    with opened(tmp_path) as ledger:
        record = put(ledger)
        with pytest.raises(ContactsError, match="no row can be called"):
            Intake(campaign_in(tmp_path)).enroll(ledger, record, NOON)
        assert put(ledger).intake == 0
        assert ledger.claim(record.id, NOON, 10) == []


def test_long_lists_tell_how_far_they_are(tmp_path: Path) -> None:
    list_of(
        tmp_path, "phone\n" + "".join(f"+1212{200 + index // 10_000}{index % 10_000:04d}\n" for index in range(20_001))
    )
    told: list[tuple[int, float]] = []
    with opened(tmp_path) as ledger:
        Intake(campaign_in(tmp_path)).enroll(ledger, put(ledger), NOON, lambda *now: told.append(now))
    assert [rows for rows, _ in told] == [5_000, 10_000, 15_000, 20_000]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1


_CELL = st.one_of(
    st.sampled_from(
        ["", " ", "+12125550100", "+12125550101", "2125550100", "1.2E+10", "phone", "Ada", "Europe/London"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=6),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_CELL, min_size=1, max_size=5), max_size=8), st.booleans())
def test_rows_in_are_contacts_and_rejected_rows_always(rows: list[list[str]], always: bool) -> None:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL)
    writer.writerows([["phone", "name", "timezone"], *rows])
    with tempfile.TemporaryDirectory() as home:
        hours = 'hours = "always"' if always else DAYTIME
        content = written.getvalue()
        contacts, refused = judged(Path(home), content, '[columns]\nphone = "phone"\n', hours=hours)
        numbers = [row.row_number for row in contacts] + [row.row_number for row in refused]
        assert sorted(numbers) == list(range(2, len(rows) + 2))
        if not contacts:
            return
        with opened(Path(home)) as ledger:
            result = Intake(campaign_in(Path(home), '[columns]\nphone = "phone"\n', hours=hours)).enroll(
                ledger, put(ledger), NOON
            )
            assert result is not None
            assert result.rows == len(rows)
            assert result.added == len({contact.phone for contact in contacts})


def test_noon_is_where_these_tests_think_it_is() -> None:
    assert datetime.fromtimestamp(NOON, UTC) == datetime(2026, 2, 25, 12, tzinfo=UTC)


_HALF = """
import sys
from pathlib import Path
from dialer.intake import Intake
from tests.support_rows import NOON, campaign_in, opened, put
home = Path(sys.argv[1])
def halfway(rows, share):
    print(rows, flush=True)
    sys.stdin.read()
with opened(home) as ledger:
    Intake(campaign_in(home)).enroll(ledger, put(ledger), NOON, halfway)
"""


def test_an_import_that_is_killed_halfway_has_changed_nothing_and_begins_anew(tmp_path: Path) -> None:
    numbers = [f"+1212{200 + index // 10_000}{index % 10_000:04d}" for index in range(7_000)]
    list_of(tmp_path, "phone\n" + "\n".join(numbers))
    command = [sys.executable, "-c", _HALF, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as half:
        assert half.stdout is not None
        assert half.stdout.readline() == "5000\n"
        half.kill()
    with opened(tmp_path) as ledger:
        record = put(ledger)
        assert (record.intake, record.list_digest) == (0, "")
        assert ledger.claim(record.id, NOON, 10) == []
        result = Intake(campaign_in(tmp_path)).enroll(ledger, record, NOON)
        assert result is not None
        assert (result.added, result.rows) == (7_000, 7_000)
