"""Contact lists as they come out of the world: another writing each time, some of them damaged."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dialer.core.campaign import Campaign, read_campaign
from dialer.core.errors import CampaignFileError, ContactsError
from dialer.intake import Intake
from dialer.ledger import NewContact, RejectedRow

_PHONES = (
    "+12125550100", "+1 (212) 555-0101", "2125550102", "0821234567", "+442079460958", "+49 30 23125 012", "12",
    "1.2E+10", "+12125550103.0", "", "n/a", "+1 900 234 5678", "0221/9876543", "+12125550104 x9", "O82 123 4567",
    "+12125550105 / +12125550106", '="+12125550107"', "+12125550108\u202c", "１２１２５５５０１０９", "+1212555011O",
)  # fmt: skip
_NAMES = ("Ada", "Zoë", "van der Berg, Jan", 'Ben "B" Hansen', "電話", "O'Neil", "=1+1", " ", "Ana\nLuz", "\u202eevil")
_OTHERS = (
    "Paris",
    "Europe/London",
    "yes",
    "no",
    "3",
    "{}",
    '{"a": [1]}',
    "1,50",
    "x;y",
    "a|b",
    "\t",
    "2026-12-01",
    "sep=;",
)
_HEADERS = ("phone", "Name", "Time Zone", "consent", "priority", "city", "", "Phone", "extra", "Téléphone", "id")
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1")
_STREWN = (b'"', b"\0", b"\r", b"\n", b"\xff", b"\xc3", b'""', b",,,", b"\xef\xbb\xbf", b"PK")
_SETTINGS = (
    "", "", 'region = "US"', 'region = "DE"\nphone = "phone"', 'phone = "phone"\nmetadata = "extra"',
    'phone = "phone"\nkey = "id"', 'delimiter = ";"', 'encoding = "shift_jis"', "vanity = true\nallow_possible = true",
    'extensions = "strip"\nline_types = ["mobile"]', 'phone = ["phone", "Phone"]', "metadata = []",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """A list: its bytes, what the campaign says of it, and, unless it was damaged, how many rows it has."""

    content: bytes
    columns: str
    rows: int | None


def some_list(rng: random.Random) -> Written:
    """A list of up to a dozen rows under up to six headers."""
    headers = ["phone", *rng.sample(_HEADERS[1:], rng.randint(0, 5))]
    rng.shuffle(headers)
    columns = rng.choice(_SETTINGS)
    mark = ";" if "delimiter" in columns else rng.choice(",,;;\t|") if len(headers) > 1 else ","
    end = rng.choice(["\n", "\n", "\r\n", "\r"])
    rows = [_row(rng, len(headers)) for _ in range(rng.randint(0, 12))]
    lines = [mark.join(_cell(rng, cell, mark) for cell in row) for row in [headers, *rows]]
    count = sum(bool(line) for line in lines[1:])
    text = (f"sep={mark}{end}" if rng.random() < 0.1 else "") + end.join(lines) + (end if rng.random() < 0.8 else "")
    content = text.encode(rng.choice(_ENCODINGS), "replace")
    if rng.random() < 0.5:
        return Written(_packed(rng, content), columns, count)
    return Written(_damaged(rng, content), columns, None)


def _row(rng: random.Random, width: int) -> list[str]:
    if rng.random() < 0.1:
        width = rng.randint(0, width + 2)
    return [rng.choice(rng.choice((_PHONES, _PHONES, _NAMES, _OTHERS))) for _ in range(width)]


def _cell(rng: random.Random, cell: str, mark: str) -> str:
    if rng.random() < 0.2 or any(sign in cell for sign in (mark, '"', "\n", "\r")):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _packed(rng: random.Random, content: bytes) -> bytes:
    if rng.random() < 0.8:
        return content
    if rng.random() < 0.5:
        return gzip.compress(content, mtime=0)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("list.csv"), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _damaged(rng: random.Random, content: bytes) -> bytes:
    """Bytes flipped, cut out, doubled, or strewn in: quotation marks, NULs, line ends, halves of characters."""
    found = bytearray(_packed(rng, content))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(4):
            case 0:
                found[at:at] = rng.choice(
                    [b'"', b"\0", b"\r", b"\n", b"\xff", b"\xc3", b'""', b",,,", b"\xef\xbb\xbf", b"PK"]
                )
            case 1:
                del found[at : at + rng.randint(1, 8)]
            case 2 if at < len(found):
                found[at] = rng.randrange(256)
            case _:
                found[at:at] = found[at : at + rng.randint(1, 40)]
    return bytes(found)


def campaign_of(directory: Path, written: Written, hours: str = 'hours = "always"') -> Campaign:
    """A campaign in ``directory`` that reads this list."""
    (directory / "list.csv").write_bytes(written.content)
    head = f'name = "any"\ncontacts = "list.csv"\nagents = ["agent_a"]\n{hours}\n[columns]\n{written.columns}\n'
    return read_campaign(head, directory / "campaign.toml")


def try_list(directory: Path, written: Written) -> tuple[int, Intake] | None:
    """Read a list to its end. Returns how many rows it had, or None where it was refused, in one line that names it.

    Whatever else escapes is a bug, and so is a row that is neither a contact nor rejected.
    """
    try:
        intake = Intake(campaign_of(directory, written))
        found = list(_all(intake))
    except (ContactsError, CampaignFileError) as error:
        said = str(error)
        assert "\n" not in said, said
        assert "\r" not in said, said
        assert "list.csv" in said or "[columns]" in said, said
        return None
    assert len(found) == intake.tally.rows
    if written.rows is not None:
        assert len(found) == written.rows, (written, found)
    return len(found), intake


def _all(intake: Intake) -> Iterator[NewContact | RejectedRow]:
    for item in intake.read(1_772_020_800.0):
        if isinstance(item, NewContact):
            assert item.phone[0] == "+"
            assert item.phone[1:].isascii()
            assert item.phone[1:].isdigit()
        else:
            assert item.reason
            assert "\n" not in item.detail
        yield item
