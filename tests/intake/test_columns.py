"""Which column is what, in the words people use; and a question where nobody can know."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dialer.core.columns import Columns
from dialer.core.errors import ContactsError
from dialer.intake import Intake
from dialer.intake.columns import Column, Mapping, understand
from dialer.intake.csvfile import CsvFile
from dialer.intake.sources import find
from dialer.intake.synonyms import role_of
from tests.support_rows import campaign_in, list_of, phone


def _understood(directory: Path, content: str, **said: object) -> Mapping:
    path = list_of(directory, content)
    (source,) = find([(str(path), path)])
    return understand(CsvFile(source), Columns.model_validate(said), ["agent_a", "agent_b"])


def _question(directory: Path, content: str, **said: object) -> str:
    with pytest.raises(ContactsError) as caught:
        _understood(directory, content, **said)
    asked = str(caught.value)
    assert "\n" not in asked
    return asked


@pytest.mark.parametrize(
    "header",
    [
        "phone",
        "PHONE",
        " Phone Number ",
        "phone_number",
        "Phone-No.",
        "Mobile Phone Number",
        "Cell",
        "MSISDN",
        "GSM",
        "contact_number",
        "Téléphone",
        "numéro de téléphone",
        "Telefonnummer",
        "Handy",
        "Teléfono",
        "Móvil",
        "Telefone",
        "Selfoon",
        "telefoonnummer",
        "電話番号",
        "手机",
        "ｐｈｏｎｅ",
    ],
)
def test_the_phone_column_is_known_in_many_languages(tmp_path: Path, header: str) -> None:
    mapping = _understood(tmp_path, f"id,{header}\n1,+12125550100\n")
    assert mapping.phone == (header.strip(),)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("first_name", "last_name"),
        ("First Name", "Surname"),
        ("given-name", "family-name"),
        ("Vorname", "Nachname"),
        ("Prénom", "Nom"),
        ("Nombre", "Apellidos"),
        ("Voornaam", "Achternaam"),
        ("Nome", "Sobrenome"),
    ],
)
def test_the_names_are_known_in_many_languages(tmp_path: Path, first: str, last: str) -> None:
    mapping = _understood(tmp_path, f"{first},{last},phone\nAda,Abbott,+12125550100\n")
    assert (mapping.first_name, mapping.last_name) == (first, last)
    assert mapping.understood() == ("phone", first, last)


def test_a_full_name_and_a_time_zone_are_known_and_all_else_is_metadata(tmp_path: Path) -> None:
    mapping = _understood(tmp_path, "Full Name,Time Zone,phone,city\nAda Abbott,Europe/London,+442079460958,London\n")
    assert mapping == Mapping(("phone",), full_name="Full Name", timezone="Time Zone")
    assert mapping.understood() == ("phone", "Full Name", "Time Zone")


def test_two_phone_columns_are_a_question_that_brings_its_answer(tmp_path: Path) -> None:
    asked = _question(tmp_path, "name,Mobile,Telephone\nAda,+12125550100,+12125550101\n")
    assert "2 columns" in asked
    line = asked[asked.index("[columns] ") + len("[columns] ") :]
    answer = tomllib.loads(line)
    assert answer == {"phone": ["Mobile", "Telephone"]}
    assert _understood(tmp_path, "name,Mobile,Telephone\nAda,+12125550100,+12125550101\n", **answer).phone == (
        "Mobile",
        "Telephone",
    )


def test_the_same_phone_header_twice_is_a_question_too(tmp_path: Path) -> None:
    assert "2 columns" in _question(tmp_path, "phone,phone\n+12125550100,+12125550101\n")


def test_a_phone_column_with_a_strange_name_is_found_by_its_content(tmp_path: Path) -> None:
    assert _understood(tmp_path, "id,reach_at\n1,+12125550100\n2,\n3,+12125550101\n4,n/a\n").phone == ("reach_at",)
    national = "id,reach_at\n1,2125550100\n2,2125550101\n"
    assert _understood(tmp_path, national, region="US").phone == ("reach_at",)
    assert "no column is known" in _question(tmp_path, national)


def test_two_columns_full_of_numbers_under_strange_names_are_not_guessed(tmp_path: Path) -> None:
    asked = _question(tmp_path, "id,a,b\n1,+12125550100,+12125550101\n2,+12125550102,+12125550103\n")
    assert tomllib.loads(asked[asked.index("[columns] ") + len("[columns] ") :]) == {"phone": "a"}


def test_a_list_without_any_phone_column_says_what_to_write_and_which_columns_there_are(tmp_path: Path) -> None:
    asked = _question(tmp_path, "name,city\nAda,Paris\n")
    assert "no column is known to hold phone numbers" in asked
    assert "name, city" in asked
    assert "[columns] phone =" in asked


def test_a_list_that_starts_with_a_person_needs_a_header(tmp_path: Path) -> None:
    asked = _question(tmp_path, "Ada,+12125550100\nBen,+12125550101\n")
    assert "header row" in asked


@pytest.mark.parametrize("key", ["phone", "first_name", "last_name", "timezone"])
def test_a_column_that_is_named_but_not_there_is_told_with_those_that_are(tmp_path: Path, key: str) -> None:
    asked = _question(tmp_path, "phone,city\n+12125550100,Paris\n", **{key: "Nope"})
    assert "'Nope'" in asked
    assert "phone, city" in asked


def test_what_the_campaign_says_outranks_what_the_headers_say(tmp_path: Path) -> None:
    content = "phone,Home,first_name,Rufname,tz,where\n+12125550100,+12125550101,A,B,UTC,Europe/London\n"
    mapping = _understood(tmp_path, content, phone=["Home", "phone"], first_name="Rufname", timezone="where")
    assert mapping.phone == ("Home", "phone")
    assert mapping.first_name == "Rufname"
    assert mapping.timezone == "where"


@pytest.mark.parametrize(
    ("header", "role"),
    [
        ("Teléfono móvil", "phone"),
        ("Numer telefonu", "phone"),
        ("携帯電話", "phone"),
        ("Phone 2", "phone"),
        ("Customer Name", "full_name"),
        ("Nazwisko", "last_name"),
        ("Strefa czasowa", "timezone"),
        ("タイムゾーン", "timezone"),
        ("Código Postal", "postal_code"),
        ("Województwo", "state"),
        ("Einwilligung", "consent"),
        ("iPhone", None),
        ("phone_type", None),
        ("telephonist", None),
    ],
)
def test_headers_mean_what_people_mean_by_them(header: str, role: str | None) -> None:
    assert role_of(header) == role


def test_a_column_of_full_names_under_the_header_of_a_first_name_is_split(tmp_path: Path) -> None:
    full = _understood(tmp_path, "Nome,phone\nAna Luz,+12125550100\nIvo dos Santos,+12125550101\n")
    assert (full.first_name, full.full_name) == (None, "Nome")
    first = _understood(tmp_path, "Nome,Sobrenome,phone\nAna Maria,Luz,+12125550100\n")
    assert (first.first_name, first.last_name, first.full_name) == ("Nome", "Sobrenome", None)
    said = _understood(tmp_path, "Nome,phone\nAna Luz,+12125550100\n", first_name="Nome")
    assert (said.first_name, said.full_name) == ("Nome", None)


def test_a_column_of_zones_is_found_by_its_cells(tmp_path: Path) -> None:
    mapping = _understood(tmp_path, "phone,where\n+12125550100,Europe/London\n+12125550101,\n")
    assert mapping.timezone == "where"
    assert _understood(tmp_path, "phone,where\n+12125550100,London\n").timezone is None


def test_a_column_that_is_only_called_a_phone_is_none_where_another_holds_the_numbers(tmp_path: Path) -> None:
    mapping = _understood(tmp_path, "phone,reach\niPhone 12,+12125550100\nPixel,+12125550101\n")
    assert mapping.phone == ("reach",)
    assert mapping.columns[1].why == "cells"


def test_a_contact_or_a_number_is_told_by_its_cells(tmp_path: Path) -> None:
    assert _understood(tmp_path, "id,Number\n1,+12125550100\n").phone == ("Number",)
    assert _understood(tmp_path, "Contact,Kontakt\nAda,+12125550100\n").phone == ("Kontakt",)


def test_how_each_column_was_understood_is_a_plain_value(tmp_path: Path) -> None:
    content = "Vorname,Handy,city\nAda,+12125550100,Paris\nBen,12,\nCleo,+12125550101,Rome\n"
    first, phone, city = _understood(tmp_path, content).columns
    assert first == Column("Vorname", "first_name", "header", 3, 3, ("Ada", "Ben"))
    assert phone == Column("Handy", "phone", "header", 3, 2, ("+12125550100", "12"))
    assert city == Column("city", "metadata", "", 2, 2, ("Paris", "Rome"))
    named = _understood(tmp_path, content, phone="Handy", state="city").columns
    assert [(column.role, column.why) for column in named[1:]] == [("phone", "[columns]"), ("state", "[columns]")]


@pytest.mark.parametrize(
    "key", ["full_name", "state", "postal_code", "consent", "priority", "agent", "key", "metadata"]
)
def test_each_further_column_that_is_named_must_be_there(tmp_path: Path, key: str) -> None:
    assert "'Nope'" in _question(tmp_path, "phone,city\n+12125550100,Paris\n", **{key: "Nope"})


def test_two_columns_of_one_meaning_are_told(tmp_path: Path) -> None:
    mapping = _understood(tmp_path, "phone,First,Given Name\n+12125550100,A,B\n")
    assert mapping.first_name == "First"
    assert [note.code for note in mapping.notes] == ["several_columns"]


def test_the_answer_to_a_question_can_be_pasted_whatever_the_header_holds(tmp_path: Path) -> None:
    asked = _question(tmp_path, '"Tel. "" \\ \x1b",Mobile\n+12125550100,+12125550101\n')
    assert asked.isprintable()
    assert tomllib.loads(asked[asked.index("[columns] ") + len("[columns] ") :]) == {
        "phone": ['Tel. " \\ \x1b', "Mobile"]
    }


def test_a_second_column_of_numbers_is_asked_for_whatever_it_is_called(tmp_path: Path) -> None:
    rows = "".join(f"{phone(index)},{phone(index + 50)}\n" for index in range(4))
    for header in ("Telefon privat", "Reserve"):
        list_of(tmp_path, f"Mobil,{header}\n{rows}")
        with pytest.raises(ContactsError, match=rf'phone = \["Mobil", "{header}"\]'):
            Intake(campaign_in(tmp_path))


def test_a_column_that_may_hold_numbers_without_saying_so_is_told(tmp_path: Path) -> None:
    list_of(tmp_path, "Phone,Order\n" + "".join(f"(212) 555-010{index},2125550{index}99\n" for index in range(4)))
    intake = Intake(campaign_in(tmp_path, '[columns]\nregion = "US"\n'))
    assert [note.code for note in intake.notes] == ["phone_possible"]
    assert intake.files[0].mapping.phone == ("Phone",)
