"""Which column is what: by the headers people really use, by content where they are silent, and by asking otherwise."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from dialer.core.campaign import Columns
from dialer.core.errors import ContactsError
from dialer.intake.csvfile import CsvFile
from dialer.intake.phones import to_e164

_SYNONYMS: Final[dict[str, str]] = {
    "phone": "phone phone1 phonenumber phoneno mobile mobilephone mobilenumber mobileno mobilephonenumber cell "
    "cellphone cellnumber cellphonenumber tel telephone telephonenumber telno msisdn gsm contactnumber contactno "
    "contactphone primaryphone number e164 dialnumber telefon telefono telefone telephon telefonnummer handy "
    "handynummer mobilnummer mobiltelefon movil celular selfoon selfoonnommer foonnommer numerodetelephone portable "
    "telefoonnummer mobiel puhelin 電話 電話番号 手机",
    "first_name": "firstname first givenname forename fname vorname prenom nombre nome voornaam imie",
    "last_name": "lastname last surname familyname lname nachname nom apellido apellidos cognome sobrenome achternaam",
    "name": "name fullname contactname customername contact clientname",
    "timezone": "timezone tz zeitzone fuseau fusohorario tijdsone iana ianatimezone",
}
_ROLE_OF: Final = {word: role for role, words in _SYNONYMS.items() for word in words.split()}
_REPEATED: Final = re.compile(r" \(\d+\)$")
"""What a header got that stands there twice."""
_SAMPLE_ROWS: Final = 200
_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Mapping:
    """The columns that are understood, by header; all others are metadata."""

    phone: tuple[str, ...]
    """In the order in which they are tried."""
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    timezone: str | None = None

    def understood(self) -> tuple[str, ...]:
        """Every header that is not metadata."""
        others = (self.first_name, self.last_name, self.name, self.timezone)
        return (*self.phone, *(header for header in others if header))


def understand(table: CsvFile, said: Columns) -> Mapping:
    """What each column of a list means. Raises :class:`~dialer.core.errors.ContactsError` where that must be asked."""
    for header in (*said.phone, said.first_name, said.last_name, said.timezone):
        if header is not None and header not in table.headers:
            raise ContactsError(
                f"{table.path}: there is no column '{header}'; the columns are: {', '.join(table.headers)}"
            )
    roles: dict[str, list[str]] = {}
    for header in table.headers:
        if role := _ROLE_OF.get(_folded(_REPEATED.sub("", header))):
            roles.setdefault(role, []).append(header)
    phone = said.phone or _phone(table, roles.get("phone", []), said.region)
    roles = {role: [header for header in headers if header not in phone] for role, headers in roles.items()}
    return Mapping(
        phone,
        said.first_name or _first(roles, "first_name"),
        said.last_name or _first(roles, "last_name"),
        _first(roles, "name"),
        said.timezone or _first(roles, "timezone"),
    )


def _first(roles: dict[str, list[str]], role: str) -> str | None:
    return next(iter(roles.get(role, [])), None)


def _folded(header: str) -> str:
    text = unicodedata.normalize("NFKD", header).casefold()
    return re.sub(r"[\W_]+", "", "".join(mark for mark in text if not unicodedata.combining(mark)))


def _phone(table: CsvFile, named: list[str], region: str | None) -> tuple[str, ...]:
    if len(named) == 1:
        return (named[0],)
    if named:
        listed = ", ".join(f'"{header}"' for header in named)
        raise ContactsError(
            f"{table.path}: {len(named)} columns may hold the phone number ({listed}); say in the campaign file which "
            f"to try first: [columns] phone = [{listed}]"
        )
    if any(isinstance(to_e164(header, region), str) for header in table.headers):
        raise ContactsError(f"{table.path}: row 1 holds a phone number; the list needs a header row above it")
    found = _by_content(table, region)
    if len(found) == 1:
        return (found[0],)
    choice = f'"{found[0] if found else table.headers[0]}"'
    raise ContactsError(
        f"{table.path}: no column is known to hold phone numbers (columns: {', '.join(table.headers)}); "
        f"name it in the campaign file: [columns] phone = {choice}"
    )


def _by_content(table: CsvFile, region: str | None) -> list[str]:
    hits = dict.fromkeys(table.headers, 0)
    filled = dict.fromkeys(table.headers, 0)
    for index, row in enumerate(table.rows()):
        if index >= _SAMPLE_ROWS:
            break
        for header, cell in zip(table.headers, row.cells, strict=False):
            if cell.strip():
                filled[header] += 1
                hits[header] += isinstance(to_e164(cell, region), str)
    return [header for header in table.headers if filled[header] and hits[header] / filled[header] >= _SHARE]
