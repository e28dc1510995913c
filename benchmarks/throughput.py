"""How many calls a second one runner finishes where nothing but itself is the limit: no slots, no plan, a server that
answers at once. Beside it, against the same server in the same run: what the client and its transport can do alone, one
create a call and nothing else, and what peer (a) does.

``python -m benchmarks.throughput [--profile FILE] [CONTACTS]`` prints the figures; with ``--profile`` the runner runs
under cProfile, and the functions that took most of its time are written to FILE.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import pstats
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from benchmarks.end_to_end import SCRIPT, campaign_text
from benchmarks.network import number_of, write_list
from benchmarks.processes import peer, run, server
from dialer.client import CallsClient
from dialer.core.wire import NewCall

_SERVER = ("-m", "benchmarks.instant_server")
_AT_ONCE = 50
_PEER_SLOTS = 100
_PEER_LOOKS_EVERY_S = 1.05
_TOP = 30


@dataclass(frozen=True, slots=True)
class Figures:
    """Per second: calls finished by the runner and by the peer; creates and looks by the client alone."""

    ours: float
    requests_per_call: float
    creates: float
    looks: float
    peer: float


def measure(contacts: int, client_s: float = 3.0, peer_s: float = 15.0) -> Figures:
    """Everything in one run, one after the other."""
    ours, requests_per_call = measure_runner(contacts)
    with server(*_SERVER) as url:
        creates, looks = asyncio.run(_client_alone(url, client_s))
    with server(*_SERVER) as url:
        theirs = _peer(url, peer_s)
    return Figures(ours, requests_per_call, creates, looks, theirs)


def measure_runner(contacts: int, profile: Path | None = None) -> tuple[float, float]:
    """Calls that the runner finishes a second, and requests per call. ``profile`` gets what cProfile saw."""
    with tempfile.TemporaryDirectory() as directory, server(*_SERVER) as url:
        home = Path(directory)
        write_list(home / "contacts.csv", contacts)
        (home / "campaign.toml").write_text(campaign_text(url, slots=100_000), encoding="utf-8")
        under = ["-m", "cProfile", "-o", str(home / "profile")] if profile else []
        usage = run([*under, "-m", "dialer", "run", "campaign.toml", "--quiet"], home)
        assert usage.exit_code == 0, usage.complaints
        if profile:
            profile.write_text(_top(home / "profile"), encoding="utf-8")
        return _finished(home / ".dialer" / "ledger.db")


def _finished(ledger: Path) -> tuple[float, float]:
    db = sqlite3.connect(ledger)
    try:
        first, last, calls = db.execute(
            "SELECT (SELECT min(intended_at) FROM attempt), max(at), count(*) FROM event WHERE kind = 'ended'"
        ).fetchone()
        requests = db.execute("SELECT sum(requests) FROM spent").fetchone()[0]
        return calls / (last - first), requests / calls
    finally:
        db.close()


def _top(profile: Path) -> str:
    said = io.StringIO()
    pstats.Stats(str(profile), stream=said).strip_dirs().sort_stats("tottime").print_stats(_TOP)
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines() if str(profile) not in line).strip() + "\n"


async def _client_alone(url: str, seconds: float) -> tuple[float, float]:
    async with CallsClient(url, SecretStr("rehearsal")) as client:
        await client.create_call(NewCall(agent_id="agent_a", phone_number=number_of(0)))

        async def create(index: int) -> None:
            await client.create_call(NewCall(agent_id="agent_a", phone_number=number_of(index)))

        async def look(_: int) -> None:
            await client.get_call("call_1")

        return await _rate(create, seconds), await _rate(look, seconds)


async def _rate(ask: Callable[[int], Awaitable[None]], seconds: float) -> float:
    """How often a second ``ask`` comes back, with so many at once."""
    done, until = 0, time.monotonic() + seconds

    async def keep_asking() -> None:
        nonlocal done
        while time.monotonic() < until:
            await ask(done)
            done += 1

    begun = time.monotonic()
    await asyncio.gather(*(keep_asking() for _ in range(_AT_ONCE)))
    return done / (time.monotonic() - begun)


def _peer(url: str, seconds: float) -> float:
    with tempfile.TemporaryDirectory() as directory:
        contacts = Path(directory) / "contacts.csv"
        write_list(contacts, 10_000)
        flags = ["--slots", _PEER_SLOTS, "--look-every", _PEER_LOOKS_EVERY_S, "--most-seconds", seconds]
        said, _ = peer(SCRIPT, url, contacts, *flags)
        return said["calls"] / said["seconds"]


def main() -> int:
    """Print the figures, or write the profile."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput")
    parser.add_argument("contacts", type=int, nargs="?", default=10_000)
    parser.add_argument("--profile", type=Path)
    said = parser.parse_args()
    if said.profile:
        rate, _ = measure_runner(said.contacts, said.profile)
        print(f"{rate:.0f} calls a second under cProfile; see {said.profile}")
        return 0
    found = measure(said.contacts)
    print(f"ours {found.ours:.0f} calls/s, {found.requests_per_call:.2f} requests/call; the client alone:")
    print(f"{found.creates:.0f} creates/s, {found.looks:.0f} looks/s; peer (a): {found.peer:.0f} calls/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
