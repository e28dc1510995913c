"""A ledger of a million contacts: how soon a run starts on it, what it holds in memory, and whether a call costs more.

The ledger class makes the schema and the campaign; the rows come by SQL, as an import of a million would take longer
than everything that is measured here. The lists exist as well, with the fingerprints that the ledger remembers, so
``dialer run`` starts as it does for a user who runs a campaign again. Everything is read off from outside the process.
"""

from __future__ import annotations

import csv
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.end_to_end import campaign_text
from benchmarks.network import write_list
from benchmarks.processes import Usage, run, sandbox
from dialer.core.campaign import load_campaign
from dialer.core.errors import ExitCode
from dialer.intake import Intake
from dialer.ledger.sqlite import SqliteLedger

MILLION = 1_000_000
CALLS = 1_000
ROUNDS = 3
_SLOTS = 100
_SPEED = 60.0
ROW_SQL = """
WITH RECURSIVE row(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM row WHERE i + 1 < :count)
INSERT INTO contact (campaign_id, phone, file, row_number, first_name, cells, intake)
SELECT :campaign, '+1' || (212 + i / 7000000) || (2300000 + i % 7000000), 'contacts.csv', i + 2, 'Person ' || i,
       json_object('phone', '+1' || (212 + i / 7000000) || (2300000 + i % 7000000), 'first_name', 'Person ' || i,
                   'note', 'row ' || i), 1
FROM row
"""
LEAD_SQL = """
INSERT INTO lead (id, campaign_id, phone, zone, state, due_at)
SELECT id, campaign_id, phone, 'America/New_York', 'queued', :now FROM contact WHERE campaign_id = :campaign
"""


@dataclass(frozen=True, slots=True)
class Start:
    """From the start of the process until its first call was on the network."""

    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """A million contacts beside a few thousand."""

    start: Start
    start_few: Start
    memory_mb: float
    """Peak until the last call had ended."""
    memory_reports_mb: float
    """Peak of the whole run, reports included."""
    cpu_ms_many: float
    cpu_ms_few: float
    report_s: float
    report_limit_s: float
    """What the csv module alone takes to read and write the same rows."""

    @property
    def growth(self) -> float:
        """How many times as much a call costs on the big ledger."""
        return self.cpu_ms_many / self.cpu_ms_few


class Home:
    """A directory with a campaign, its list and its ledger, and the sandbox that it is run against."""

    def __init__(self, path: Path, contacts: int, url: str) -> None:
        """Make list and ledger; nothing has been dialed."""
        self.path = path
        self._contacts = contacts
        write_list(path / "contacts.csv", contacts)
        (path / "campaign.toml").write_text(campaign_text(url, 2 * _SLOTS), encoding="utf-8")
        campaign = load_campaign(path / "campaign.toml")
        intake, now = Intake(campaign), time.time()
        ledger = SqliteLedger(path / ".dialer" / "ledger.db")
        try:
            file = str((path / "campaign.toml").resolve())
            record = ledger.put_campaign(campaign.name, file, campaign.source, campaign.digest(), now)
            with ledger.enroll(record.id, intake.headers, intake.understood, intake.digest(), now):
                pass  # the rows follow
        finally:
            ledger.close()
        self._fill(ledger.path, record.id, now)

    def _fill(self, ledger: Path, campaign: int, now: float) -> None:
        db = sqlite3.connect(ledger)
        with db:
            db.execute(ROW_SQL, {"campaign": campaign, "count": self._contacts})
            db.execute(LEAD_SQL, {"campaign": campaign, "now": now})
        db.close()

    @property
    def reports(self) -> Path:
        """Where the reports of its runs lie."""
        return self.path / "reports" / "bench"

    def run(self, calls: int) -> Usage:
        """Run until ``calls`` more calls have ended."""
        command = ["-m", "dialer", "run", "campaign.toml", "--quiet", "--limit", str(calls)]
        usage = run(command, self.path, store=_store(self.path), reports=self.reports)
        assert usage.exit_code in {ExitCode.DONE, ExitCode.WORK_LEFT}, usage.complaints
        return usage


def _store(path: Path) -> Path:
    return path / "network.jsonl"


@contextmanager
def home(contacts: int) -> Iterator[Home]:
    """A home of its own, with a network of its own: calls of another one would be taken for somebody else's."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        with sandbox(_SLOTS, _SPEED, _store(path)) as url:
            yield Home(path, contacts, url)


def few(calls: int = CALLS, rounds: int = ROUNDS) -> int:
    """The contacts of the small ledger."""
    return calls * (rounds + 1)


def measure(many: int = MILLION, calls: int = CALLS, rounds: int = ROUNDS) -> Figures:
    """Run both, turn and turn about, and take medians: the machine is never quiet.

    The small ledger has as many contacts as that uses up, and a last thousand that wait.
    """
    found: dict[str, list[Usage]] = {"many": [], "few": []}
    with home(many) as big, home(few(calls, rounds)) as small:
        for which in (big, small):
            which.run(1)  # after the making of the rows the disk is busy for a while
        for _ in range(rounds):
            found["few"].append(small.run(calls))
            found["many"].append(big.run(calls))
        report_limit_s = _copied_s(big.reports / "outcomes.csv")

    def median(which: str, what: Callable[[Usage], float]) -> float:
        return statistics.median(map(what, found[which]))

    return Figures(
        start=Start(median("many", _start_s), median("many", _start_cpu_s)),
        start_few=Start(median("few", _start_s), median("few", _start_cpu_s)),
        memory_mb=max(map(_memory_mb, found["many"])),
        memory_reports_mb=max(usage.end.memory_mb for usage in found["many"]),
        cpu_ms_many=1000 / calls * median("many", _cpu_s),
        cpu_ms_few=1000 / calls * median("few", _cpu_s),
        report_s=median("many", _report_s),
        report_limit_s=report_limit_s,
    )


def _copied_s(path: Path) -> float:
    """The seconds the csv module takes to read a report and to write it again."""
    begun = time.monotonic()
    with path.open(newline="", encoding="utf-8") as read, path.with_suffix(".copy").open("w", newline="") as write:
        csv.writer(write).writerows(csv.reader(read))
    return time.monotonic() - begun


def _start_s(usage: Usage) -> float:
    assert usage.first_call is not None
    return usage.first_call.seconds


def _start_cpu_s(usage: Usage) -> float:
    assert usage.first_call is not None
    return usage.first_call.cpu_s


def _cpu_s(usage: Usage) -> float:
    assert usage.first_call is not None
    assert usage.reports is not None
    return usage.reports.cpu_s - usage.first_call.cpu_s


def _memory_mb(usage: Usage) -> float:
    assert usage.reports is not None
    return usage.reports.memory_mb


def _report_s(usage: Usage) -> float:
    assert usage.reports is not None
    return usage.end.seconds - usage.reports.seconds
