"""One row judged: which number was taken, whose zone, consent and agent count, and what is sent along."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.core.campaign import read_campaign
from dialer.core.errors import ContactsError
from dialer.intake import Intake
from tests.support_rows import NOON, campaign_in, judged, list_of


def _reasons(directory: Path, content: str, text: str = "") -> list[str]:
    return [row.reason for row in judged(directory, content, text)[1]]


def test_it_is_said_which_phone_column_was_used(tmp_path: Path) -> None:
    list_of(tmp_path, "Mobile,Home\n,+12125550101\n12,+12125550102\n+12125550103,+12125550104\n")
    intake = Intake(campaign_in(tmp_path, '[columns]\nphone = ["Mobile", "Home"]\n'))
    assert [row.phone for row in intake.read(NOON)] == ["+12125550101", "+12125550102", "+12125550103"]  # type: ignore[union-attr]
    assert intake.tally.columns == {"Home": 2, "Mobile": 1}
    assert intake.tally.notes == {"second_number": 2}


def test_rows_and_blank_lines_are_counted(tmp_path: Path) -> None:
    list_of(tmp_path, "phone\n+12125550101\n\n12\n\n")
    intake = Intake(campaign_in(tmp_path))
    assert len(list(intake.read(NOON))) == intake.tally.rows == 2
    assert intake.tally.blank == 2
    assert intake.tally.share == 1


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("yes", None), ("2026-01-31", None), ("no", "no_consent"), ("", "no_consent"), ("perhaps", "consent_unclear")],
)
def test_who_has_not_consented_is_not_called(tmp_path: Path, cell: str, reason: str | None) -> None:
    content = f"phone,opt-in\n+12125550100,{cell}\n" + "+12125550101,yes\n" * 3
    assert _reasons(tmp_path, content) == ([reason] if reason else [])


def test_a_consent_column_that_holds_something_else_is_no_consent_column_unless_it_is_named(tmp_path: Path) -> None:
    content = "phone,consent\n+12125550100,form 12\n+12125550101,form 13\n"
    list_of(tmp_path, content)
    intake = Intake(campaign_in(tmp_path))
    assert [note.code for note in intake.notes] == ["consent_not_understood"]
    assert 'consent = "consent"' in intake.notes[0].text
    assert _reasons(tmp_path, content) == []
    assert _reasons(tmp_path, content, '[columns]\nconsent = "consent"\n') == ["consent_unclear"] * 2


def test_an_agent_that_the_campaign_does_not_have_calls_nobody(tmp_path: Path) -> None:
    content = "phone,agent\n+12125550100,agent_a\n+12125550101,\n+12125550102,agent_b\n+12125550103,agent_a\n"
    contacts, (refused,) = judged(tmp_path, content)
    assert [contact.agent for contact in contacts] == ["agent_a", None, "agent_a"]
    assert (refused.reason, refused.row_number) == ("agent_unknown", 4)


def test_a_column_of_salespeople_is_no_column_of_agents(tmp_path: Path) -> None:
    contacts, refused = judged(tmp_path, "phone,agent\n+12125550100,Ada\n+12125550101,Ben\n")
    assert refused == []
    assert [contact.agent for contact in contacts] == [None, None]


def test_a_priority_is_read_and_one_that_is_none_costs_nobody_the_call(tmp_path: Path) -> None:
    list_of(tmp_path, "phone,prio\n+12125550100,5\n+12125550101,-1\n+12125550102,soon\n+12125550103,\n")
    intake = Intake(campaign_in(tmp_path))
    assert [row.priority for row in intake.read(NOON)] == [5, -1, 0, 0]  # type: ignore[union-attr]
    assert intake.tally.notes == {"priority_unreadable": 1}


def test_a_key_is_one_only_where_the_campaign_says_so_and_is_suggested_otherwise(tmp_path: Path) -> None:
    content = "phone,customer_id\n+12125550100,c1\n+12125550101,c2\n+12125550102, \n"
    list_of(tmp_path, content)
    intake = Intake(campaign_in(tmp_path))
    assert [row.key for row in intake.read(NOON)] == [None] * 3  # type: ignore[union-attr]
    assert [note.code for note in intake.notes] == ["key_possible"]
    contacts, _ = judged(tmp_path, content, '[columns]\nkey = "customer_id"\n')
    assert [contact.key for contact in contacts] == ["c1", "c2", None]


def test_nested_json_is_sent_as_what_it_is_and_broken_json_rejects_its_row(tmp_path: Path) -> None:
    content = 'phone,extra\n+12125550100,"{""plan"": {""seats"": 2}}"\n+12125550101,\n+12125550102,{\n'
    contacts, (refused,) = judged(tmp_path, content, '[columns]\nmetadata = "extra"\n')
    assert [contact.cells["extra"] for contact in contacts] == [{"plan": {"seats": 2}}, ""]
    assert refused.reason == "metadata_invalid"


def test_a_campaign_may_say_which_columns_are_sent(tmp_path: Path) -> None:
    list_of(tmp_path, "phone,city,plan,notes\n+12125550100,Paris,pro,x\n")
    understood = {
        said: Intake(campaign_in(tmp_path, f"[columns]\nmetadata = {said}\n")).understood
        for said in ("[]", '["city", "plan"]')
    }
    assert understood == {"[]": ("phone", "city", "plan", "notes"), '["city", "plan"]': ("phone", "notes")}
    with pytest.raises(ContactsError, match="metadata names 'town'"):
        Intake(campaign_in(tmp_path, '[columns]\nmetadata = ["town"]\n'))


def test_state_postal_code_and_the_like_are_known_and_sent_all_the_same(tmp_path: Path) -> None:
    list_of(tmp_path, "phone,PLZ,Bundesland,prio\n+12125550100,10115,Berlin,1\n")
    intake = Intake(campaign_in(tmp_path))
    (file,) = intake.files
    assert (file.mapping.postal_code, file.mapping.state, file.mapping.priority) == ("PLZ", "Bundesland", "prio")
    assert intake.understood == ("phone",)


def test_people_swallowed_by_two_quotation_marks_are_found(tmp_path: Path) -> None:
    swallowed = 'phone,size\n+12125550100,"5\n+12125550101,6\n+12125550102,7"\n+12125550103,8\n'
    (contact,), (refused,) = judged(tmp_path, swallowed)
    assert contact.phone == "+12125550103"
    assert (refused.reason, refused.row_number) == ("row_damaged", 2)
    assert "2 more rows" in refused.detail
    contacts, refused_none = judged(tmp_path, 'phone,note\n+12125550100,"Hello,\nplease, call\nbye, now"\n')
    assert (len(contacts), refused_none) == (1, [])


def test_details_are_one_line_whatever_stands_in_the_cells(tmp_path: Path) -> None:
    _, refused = judged(tmp_path, 'phone,timezone\n+12125550100,"Europe\n\x1b[31m/x"\n"1\n\u202e2",\n')
    assert [row.reason for row in refused] == ["zone_unknown", "phone_invalid"]
    assert all(row.detail.isprintable() for row in refused)


def test_notes_of_all_lists_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("phone,city\n+12125550100,Zürich\n".encode("cp1252"))
    (tmp_path / "b.csv").write_bytes("phone,city\n+12125550101,Rom\n".encode("utf-16"))
    text = 'name = "two"\ncontacts = "*.csv"\nagents = "x"\nhours = "always"\n'
    intake = Intake(read_campaign(text, tmp_path / "two.toml"))
    assert [(note.file, note.code) for note in intake.notes] == [("a.csv", "read_as_cp1252"), ("b.csv", "encoding")]


def test_further_numbers_are_kept_in_the_order_of_the_columns_each_with_its_own_clock(tmp_path: Path) -> None:
    text = '[columns]\nphone = ["Mobile", "Home", "Work"]\nregion = "US"\n'
    content = (
        "Mobile,Home,Work\n"
        "(212) 555-0100,+44 7911 123456,(212) 555-0100\n"
        "none,(312) 555-0101 / (212) 555-0102,\n"
        "(212) 555-0103,,not known\n"
        '"(212) 555-0104; (312) 555-0105",,+1 900 555 0100\n'
    )
    contacts, rejected = judged(tmp_path, content, text, hours='[hours]\nweekdays = "09:00-20:00"')
    assert not rejected
    assert [(contact.phone, [number.phone for number in contact.further]) for contact in contacts] == [
        ("+12125550100", ["+447911123456"]),
        ("+13125550101", ["+12125550102"]),
        ("+12125550103", []),
        ("+12125550104", ["+13125550105"]),
    ]
    assert contacts[0].zone == "America/New_York"
    assert "Europe/London" in (contacts[0].further[0].zone or "")


def test_a_cell_of_which_nobody_can_tell_how_many_numbers_it_holds_gives_none_to_go_on_to(tmp_path: Path) -> None:
    text = '[columns]\nphone = ["a", "b"]\nregion = "ZA"\n'
    contacts, _ = judged(tmp_path, "a,b\n+12125550100,082 123 4567 / 8\n", text)
    assert [number.phone for number in contacts[0].further] == ["+27821234567"] or not contacts[0].further
    contacts, _ = judged(tmp_path, "a,b\n+12125550100,+1 212 555 0101 x9\n", text)
    assert contacts[0].further == ()


def test_a_priority_beyond_all_others_is_as_urgent_as_can_be(tmp_path: Path) -> None:
    contacts, _ = judged(tmp_path, "phone,priority\n+12125550100,999999\n+12125550101,-999999\n+12125550102,12\n")
    assert [contact.priority for contact in contacts] == [1000, -1000, 12]


def test_an_extension_a_fax_and_the_rest_of_another_number_are_no_numbers_to_go_on_to(tmp_path: Path) -> None:
    text = '[columns]\nphone = ["a", "b"]\nextensions = "strip"\n'
    cells = ['"+1 212 555 0100,,4155550123"', "+43 1 58858 / +43 1 5885 / 80", "+12125550101; fax +12125550102"]
    contacts, _ = judged(tmp_path, "a,b\n" + "".join(f"{cell},\n" for cell in cells), text)
    assert [contact.further for contact in contacts] == [(), (), ()]
