"""A whole house in one process and in virtual time: the real switchboard, runner, ledger, client and sandbox app."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
from pydantic import SecretStr

from dialer.client import CallsClient
from dialer.core.campaign import Campaign
from dialer.ledger import NewContact
from dialer.ledger.sqlite import SqliteLedger
from dialer.rehearsal.answers import SandboxRules
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.sandbox import Sandbox
from dialer.runner import Runner, RunResult
from tests.support.virtual import VirtualClock, run_virtually

# httpx's transport to an application tries to import it at every request, and where it is missing looks for it in every
# directory of the path; whoever has it has it loaded by now.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # so a module is told to be missing

MONDAY_NOON = datetime.fromisoformat("2026-11-23T12:00:00+00:00").timestamp()
ACCOUNT = "account"


def number(index: int) -> str:
    """The ``index``-th number without a part in the script."""
    return f"+1212556{index:04d}"


def campaign(**tables: Any) -> Campaign:  # tables of a campaign file
    """A campaign of short waits; each table given replaces the default one."""
    said: dict[str, Any] = {
        "name": "test",
        "contacts": ["contacts.csv"],
        "agents": ["agent_a"],
        "api": {"base_url": "sandbox", "requests_per_minute": 600, "timeout": "10s"},
        "retry": {"busy": ["1m"], "no_answer": ["2m"], "uncertain_horizon": "5m", "uncertain_scan_gap": "10s"},
        "hours": "always",
    }
    return Campaign.model_validate({**said, **tables})


@dataclass
class House:
    """One campaign, one ledger on disk, one pretend network. Runs may follow each other."""

    path: Path
    campaign: Campaign
    rules: SandboxRules = field(default_factory=SandboxRules)
    start: float = MONDAY_NOON
    zone: str | None = "America/New_York"
    wrap: Callable[[httpx.ASGITransport], httpx.AsyncBaseTransport] = lambda transport: transport
    """Puts something between client and sandbox."""

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.start)
        self.exchange = Exchange(self.rules)
        self.sandbox = Sandbox(self.exchange, self.rules, self.clock.wall)
        self.runner: Runner | None = None

    @property
    def ledger_path(self) -> Path:
        return self.path / "ledger.db"

    def enroll(self, phones: Iterable[str], zones: Iterable[str | None] | None = None) -> None:
        """Put contacts into the ledger, in this order."""
        phones = list(phones)
        zones = [self.zone] * len(phones) if zones is None else list(zones)
        ledger = SqliteLedger(self.ledger_path)
        try:
            now = self.start
            record = ledger.put_campaign(self.campaign.name, "test.toml", "", self.campaign.digest(), now)
            with ledger.enroll(record.id, ["phone"], ["phone"], "digest", now) as enrollment:
                for row, (phone, zone) in enumerate(zip(phones, zones, strict=True), 2):
                    enrollment.add(NewContact(phone, "contacts.csv", row, {"phone": phone}, zone=zone))
        finally:
            ledger.close()

    def run(self, beside: Callable[[Runner], Coroutine[Any, Any, None]] | None = None, **flags: Any) -> RunResult:
        """Run the campaign to its end in virtual time; ``beside`` runs along with it. Time goes on from run to run."""

        async def main() -> RunResult:
            ledger = SqliteLedger(self.ledger_path)
            try:
                record = ledger.campaign(self.campaign.name)
                assert record is not None
                transport = self.wrap(httpx.ASGITransport(app=self.sandbox.app))
                client = CallsClient(
                    "http://127.0.0.1/v1",
                    SecretStr("rehearsal"),
                    timeout_s=self.campaign.api.timeout,
                    transport=transport,
                    now=self.clock.wall,
                )
                async with client:
                    self.runner = Runner(
                        self.campaign, record, ledger, client, account=ACCOUNT, clock=self.clock, **flags
                    )
                    async with anyio.create_task_group() as tasks:
                        if beside is not None:
                            tasks.start_soon(beside, self.runner)
                        result = await self.runner.run()
                        tasks.cancel_scope.cancel()
                return result
            finally:
                self.clock.start = self.clock.wall()
                ledger.close()

        return run_virtually(main)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the ledger."""
        import sqlite3

        db = sqlite3.connect(self.ledger_path)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def states(self) -> dict[str, int]:
        """Contacts by state."""
        return dict(self.rows("SELECT state, count(*) FROM lead GROUP BY state"))

    def lead(self, phone: str) -> tuple[str, str | None, int]:
        """State, disposition and charged attempts of one contact."""
        return self.rows("SELECT state, disposition, attempts FROM lead WHERE phone = ?", phone)[0]
