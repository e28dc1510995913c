"""Importing a list: seconds for 100,000 rows, beside what nobody can do without, on the same rows in the same run.

The limit is the csv module, and ``phonenumbers`` to parse each number, judge whether it is valid, and write it as
E.164. Calling hours in each contact's own zone ask for the zone of every number as well, which is as dear again.
"""

from __future__ import annotations

import csv
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import phonenumbers

from benchmarks.network import write_list
from dialer.core.campaign import load_campaign
from dialer.intake import Intake
from dialer.ledger.sqlite import SqliteLedger

_CAMPAIGN = """
name = "import"
contacts = "{contacts}"
agents = ["agent_a"]
hours = {hours}
"""
_ALWAYS = '"always"'
_IN_THEIR_ZONE = '{ weekdays = "09:00-20:00" }'


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of processor time for so many rows: the import into a ledger, without and with zones, and the limit."""

    rows: int
    import_s: float
    zoned_s: float
    limit_s: float


def measure(rows: int, rounds: int = 3) -> Figures:
    """Walk over the list and import it twice, into ledgers of their own; the least of some rounds of each."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        write_list(home / "warm.csv", 10)
        write_list(home / "contacts.csv", rows)

        def seconds(name: str) -> tuple[float, float, float]:
            moments = [time.process_time()]
            for judge in (_walk, partial(_import, _ALWAYS), partial(_import, _IN_THEIR_ZONE)):
                judge(home / name)
                moments.append(time.process_time())
            walked, plain, zoned = (then - before for before, then in pairwise(moments))
            return walked, plain, zoned

        seconds("warm.csv")  # what phonenumbers knows of a region is read at its first number
        walked, plain, zoned = (min(found) for found in zip(*map(seconds, ["contacts.csv"] * rounds), strict=True))
        return Figures(rows, plain, zoned, walked)


def _walk(path: Path) -> int:
    valid = 0
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            number = phonenumbers.parse(row["phone"])
            if phonenumbers.is_valid_number(number):
                phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                valid += 1
    return valid


def _import(hours: str, contacts: Path) -> int:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "campaign.toml"
        file.write_text(_CAMPAIGN.format(contacts=contacts, hours=hours), encoding="utf-8")
        campaign, now = load_campaign(file), time.time()
        ledger = SqliteLedger(Path(directory) / "ledger.db")
        try:
            record = ledger.put_campaign(campaign.name, str(file), campaign.source, campaign.digest(), now)
            result = Intake(campaign).enroll(ledger, record, now)
            assert result is not None
            assert result.added == result.rows
            return result.added
        finally:
            ledger.close()
