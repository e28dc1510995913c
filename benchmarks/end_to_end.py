"""One campaign over real HTTP against a sandbox process, by the runner and by both peers: what it took.

The network is ``speed`` times faster than real, and so is everything else: calls, plan, and how often peers look. Busy
slots are read off the sandbox's own record, requests and refusals off the ledger or the peer's own count, processor
time and memory off the operating system.
"""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.network import recorded, slots_busy, write_list
from benchmarks.processes import Usage, peer, run, sandbox

SCRIPT = "benchmarks.peers.asyncio_script"
QUEUE = "benchmarks.peers.task_queue"
_LOOK_EVERY_S = 5.0
_UNLIMITED = 6_000_000
_CAMPAIGN = """
name = "bench"
contacts = "contacts.csv"
agents = ["agent_a"]
[api]
base_url = "{url}"
requests_per_minute = {per_minute}
requests_per_day = 1000000000
[pacing]
max_concurrent = {most}
[retry]
busy = []
no_answer = []
[hours]
weekdays = "00:00-24:00"
saturday = "00:00-24:00"
sunday = "00:00-24:00"
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A campaign: a list, slots, and a plan's requests a minute in real-time scale (0: no limit)."""

    contacts: int
    slots: int
    speed: float = 60.0
    per_minute: int = 0

    @property
    def scaled_per_minute(self) -> int:
        """The plan as the sandbox has to enforce it."""
        return round(self.per_minute * self.speed)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took. ``calls`` were placed, ``finished`` seen to their end; ``busy`` and ``refused`` are shares.

    ``cpu_ms_per_call`` is for finished ones and between the first call and the end of the last; ``around_s`` is the
    processor time before and after: start-up, import, reports.
    """

    calls: int
    finished: int
    busy: float
    requests_per_call: float
    refused: float
    memory_mb: float
    cpu_ms_per_call: float
    around_s: float
    seconds: float

    @property
    def per_s(self) -> float:
        """Calls finished a second."""
        return self.finished / self.seconds

    @property
    def whole_ms_per_call(self) -> float:
        """Processor time of the whole process per finished call."""
        return self.cpu_ms_per_call + 1000 * self.around_s / self.finished


def campaign_text(url: str, slots: int, per_minute: int = 0) -> str:
    """A campaign file: everybody once, at any hour. ``slots`` is the ceiling, ``per_minute`` 0 is no limit."""
    return _CAMPAIGN.format(url=url, most=slots, per_minute=per_minute or _UNLIMITED)


def measure(scene: Scene) -> Figures:
    """Run the campaign with the runner."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        store = home / "network.jsonl"
        write_list(home / "contacts.csv", scene.contacts)
        with sandbox(scene.slots, scene.speed, store, f"requests_per_minute={scene.scaled_per_minute}") as url:
            text = campaign_text(url, scene.slots * 2, scene.scaled_per_minute)
            (home / "campaign.toml").write_text(text, encoding="utf-8")
            command = ["-m", "dialer", "run", "campaign.toml", "--quiet"]
            usage = run(command, home, store=store, reports=home / "reports" / "bench")
        assert usage.exit_code == 0, usage.complaints
        return _figures(scene, store, *ledger_figures(home / ".dialer" / "ledger.db"), usage)


def measure_peer(module: str, scene: Scene, most_s: float = 60.0) -> Figures:
    """Run the campaign with a peer, for ``most_s`` seconds at most."""
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        store = home / "network.jsonl"
        write_list(home / "contacts.csv", scene.contacts)
        with sandbox(scene.slots, scene.speed, store, f"requests_per_minute={scene.scaled_per_minute}") as url:
            flags = ["--slots", scene.slots, "--per-minute", scene.scaled_per_minute, "--most-seconds", most_s]
            flags += ["--look-every", _LOOK_EVERY_S / scene.speed]
            said, usage = peer(module, url, home / "contacts.csv", *flags, store=store)
        finished, requests, refused = (int(said[name]) for name in ("calls", "requests", "refused"))
        return _figures(scene, store, finished, requests, refused, usage)


def _figures(scene: Scene, store: Path, finished: int, requests: int, refused: int, usage: Usage) -> Figures:
    calls = recorded(store)
    begun, ended = usage.first_call, usage.reports or usage.end
    assert begun is not None, "no call was placed"
    assert finished, "no call was followed to its end"
    busy_s = ended.cpu_s - begun.cpu_s
    return Figures(
        calls=len(calls),
        finished=finished,
        busy=slots_busy(calls, scene.slots),
        requests_per_call=requests / len(calls),
        refused=refused / (len(calls) + refused),
        memory_mb=usage.end.memory_mb,
        cpu_ms_per_call=1000 * busy_s / finished,
        around_s=usage.end.cpu_s - busy_s,
        seconds=ended.seconds - begun.seconds,
    )


def ledger_figures(path: Path) -> tuple[int, int, int]:
    """Calls ended, requests sent and creates refused for want of a slot, as the ledger has them."""
    db = sqlite3.connect(path)
    try:
        requests: int = db.execute("SELECT sum(requests) FROM spent").fetchone()[0]
        refused: int = db.execute("SELECT count(*) FROM attempt WHERE code = 'no_available_slots'").fetchone()[0]
        ended: int = db.execute("SELECT count(*) FROM attempt WHERE state = 'ended'").fetchone()[0]
        return ended, requests, refused
    finally:
        db.close()
