"""Campaigns in virtual time, at real scale: the real switchboard, runner, ledger and client against the sandbox app.

A call lasts as long as it lasts, an hour passes in seconds. What is read off is the pretend network's own record beside
the ledger: how busy the slots were, how late each end was noticed, what a call took in requests. Peer (a) runs the same
way, against a sandbox of its own with the same rules and the same list.

``python -m benchmarks.virtual_time SLOTS,PER_MINUTE,PER_DAY,CONTACTS ...`` measures single campaigns; 0 is no limit.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx

from benchmarks.network import numbers, slots_busy
from benchmarks.peers import asyncio_script
from dialer.rehearsal.answers import SandboxRules
from dialer.rehearsal.exchange import Exchange, PretendCall
from dialer.rehearsal.sandbox import Sandbox
from dialer.runner import Runner
from tests.support.house import MONDAY_NOON, House, campaign
from tests.support.virtual import VirtualClock, most_turns, run_virtually

DAY_S = 86_400.0
_MIDNIGHT = MONDAY_NOON - 12 * 3600
_UNLIMITED = 10_000_000
_MOST_TURNS = 100_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What the account allows. 0 is no limit."""

    slots: int
    per_minute: int = 0
    per_day: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What a campaign took. Shares of one, seconds."""

    calls: int
    requests_per_call: float
    busy: float
    noticed_s: float
    """How long after its end a call was seen to have ended, on average."""
    refused: float
    hours: float
    """From the first create to the last."""


def measure(
    plan: Plan, contacts: int, *, seed: int = 11, speed: float = 1.0, most_s: float | None = None, **switches: object
) -> Figures:
    """Run one campaign to its end, to the end of the day's quota, or for ``most_s`` seconds. Nobody is called twice."""
    api = {
        "base_url": "sandbox",
        "requests_per_minute": plan.per_minute or 60_000,
        "requests_per_day": plan.per_day or _UNLIMITED,
    }
    retry: dict[str, object] = {"busy": [], "no_answer": []}
    said = campaign(api=api, retry=retry, pacing={"max_concurrent": plan.slots * 2})
    with tempfile.TemporaryDirectory() as directory:
        house = House(Path(directory), said, _rules(plan, seed, speed, switches), start=_MIDNIGHT)
        house.enroll(numbers(contacts))
        with most_turns(_MOST_TURNS):
            house.run(beside=None if most_s is None else _leaving_after(most_s), wait=False)
        return read(house, plan)


def measure_peer(
    plan: Plan,
    contacts: int,
    *,
    seed: int = 11,
    speed: float = 1.0,
    most_s: float | None = None,
    look_every_s: float = 5.0,
    **switches: object,
) -> Figures:
    """The same campaign by peer (a), which knows the number of slots in advance."""
    rules = _rules(plan, seed, speed, switches)
    clock, exchange, noticed = VirtualClock(_MIDNIGHT), Exchange(rules), dict[str, float]()
    sandbox = Sandbox(exchange, rules, clock.wall)

    def note(call_id: str) -> None:
        noticed[call_id] = clock.wall()

    async def main() -> asyncio_script.Figures:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=sandbox.app),
            base_url="http://127.0.0.1/v1",
            headers={"Authorization": "Bearer rehearsal"},
        ) as client:
            return await asyncio_script.run(
                client,
                numbers(contacts),
                slots=plan.slots,
                per_minute=plan.per_minute,
                per_day=plan.per_day,
                look_every=look_every_s / speed,
                most_s=most_s,
                on_end=note,
            )

    with most_turns(_MOST_TURNS):
        found = run_virtually(main)
    late = [moment - exchange.calls[call_id].ends_at() for call_id, moment in noticed.items()]
    return _figures(list(exchange.calls.values()), plan, found.requests, found.refused, late)


def _rules(plan: Plan, seed: int, speed: float, switches: dict[str, object]) -> SandboxRules:
    limits = {"slots": plan.slots, "requests_per_minute": plan.per_minute, "requests_per_day": plan.per_day}
    return SandboxRules.model_validate({**limits, "seed": seed, "speed": speed, **switches})


def _leaving_after(seconds: float) -> Callable[[Runner], Coroutine[Any, Any, None]]:
    async def leave(runner: Runner) -> None:
        await anyio.sleep(seconds)
        runner.stop()
        runner.stop()  # at once: the live ones are not waited for

    return leave


def read(house: House, plan: Plan) -> Figures:
    """The figures of a house whose campaign has run."""
    calls = list(house.exchange.calls.values())
    db = sqlite3.connect(house.ledger_path)
    noticed = dict(db.execute("SELECT attempt, at FROM event WHERE kind = 'ended'"))
    keys = dict(db.execute("SELECT call_id, key FROM attempt WHERE call_id IS NOT NULL"))
    refused = db.execute("SELECT count(*) FROM attempt WHERE code = 'no_available_slots'").fetchone()[0]
    requests = db.execute("SELECT sum(requests) FROM spent").fetchone()[0]
    db.close()
    late = [noticed[keys[call.id]] - call.ends_at() for call in calls if keys.get(call.id) in noticed]
    return _figures(calls, plan, requests, refused, late)


def _figures(calls: list[PretendCall], plan: Plan, requests: int, refused: int, late: list[float]) -> Figures:
    first, last = min(call.created_at for call in calls), max(call.created_at for call in calls)
    return Figures(
        calls=len(calls),
        requests_per_call=requests / len(calls),
        busy=slots_busy(calls, plan.slots),
        noticed_s=sum(late) / len(late),
        refused=refused / (len(calls) + refused),
        hours=(last - first) / 3600,
    )


def main() -> int:
    """Measure the campaigns named on the command line, ours and the peer's."""
    for line in sys.argv[1:]:
        slots, minute, day, contacts = (int(word) for word in line.split(","))
        for who, how in (("ours", measure), ("peer", measure_peer)):
            begun = time.process_time()
            found = how(Plan(slots, minute, day), contacts, most_s=DAY_S)
            print(
                f"{line} {who}: calls {found.calls}  requests/call {found.requests_per_call:.3f}  busy {found.busy:.3f}"
                f"  noticed {found.noticed_s:.2f} s  refused {found.refused:.4f}  hours {found.hours:.2f}"
                f"  ({time.process_time() - begun:.1f} s)",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
