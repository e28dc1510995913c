"""Ledgers of campaigns that have been: any size in a moment, written by SQL, with every kind of contact in them.

The ledger's class makes the schema, its constraints judge the rows; chance is seeded. What a campaign does while it
runs is tested elsewhere: this is for what is read afterwards.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.support_rows import NOON, opened

HOSTILE: Final = (
    "<img src=x onerror=alert(1)>",
    "</script><script>document.title='taken'</script>",
    "{{7*7}}",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x1b[0m\x07",
    "Ada \u202eettobbA",
    "<!--<script>",
    "&lt;b&gt; ' \" `",
)
"""Names that must come out as text."""
SOURCE: Final = 'name = "{name}"\n[pacing]\nmax_concurrent = 20\n'
ZONES: Final = ("America/New_York", "America/Chicago", "Europe/Berlin", "Asia/Kolkata", None)
_FIRST: Final = ("Ada", "Grace", "Linus", "Edsger", "Barbara", "Ken", "Radia", "Zoë", "José", "李")
_LAST: Final = ("Abbott", "Hopper", "Dijkstra", "Liskov", "Thompson", "Perlman", "Müller", "王")
_ENDS: Final = ("completed", "no_answer", "voicemail", "busy", "failed")
_CONTACT: Final = "INSERT INTO contact VALUES (?, ?, ?, 'people.csv', ?, ?, ?, ?, 1, NULL)"
_LEAD: Final = """
INSERT INTO lead (id, campaign_id, phone, zone, state, due_at, attempts, submissions, disposition, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ATTEMPT: Final = """
INSERT INTO attempt (key, campaign_id, lead_id, number, phone, agent_id, state, intended_at, gave_up_at, placed_at,
                     ended_at, call_id, disposition, duration_s, cost, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_REJECTED: Final = (
    "INSERT INTO rejected (campaign_id, intake, file, row_number, reason, detail, raw) VALUES (?, 1, ?, ?, ?, ?, '')"
)


def past_campaign(
    directory: Path,
    contacts: int,
    *,
    name: str = "spring",
    done: float = 1.0,
    names: Sequence[str] = HOSTILE,
    seed: int = 1,
) -> Path:
    """A ledger with one campaign of so many contacts, of whom the share ``done`` was called; returns its path.

    The first contacts bear ``names``; one called contact of 40 is unresolved.
    """
    with opened(directory) as ledger:
        record = ledger.put_campaign(name, "campaign.toml", SOURCE.format(name=name), "digest", NOON)
        path = ledger.path
    db = sqlite3.connect(path)
    with db:
        chance = Random(seed)
        for index in range(contacts):
            _person(db, record.id, index, contacts, done, names, chance)
        db.executemany(_REJECTED, _rejected(record.id, contacts, names))
    db.close()
    return path


def _person(
    db: sqlite3.Connection, campaign: int, index: int, contacts: int, done: float, names: Sequence[str], chance: Random
) -> None:
    lead, phone = index + 1, f"+1212{2_000_000 + index:07d}"
    first = names[index] if index < len(names) else chance.choice(_FIRST)
    last = "" if index < len(names) else chance.choice(_LAST)
    called = chance.random() < done
    state, due, disposition, reason, tries = _fate(chance) if called else ("queued", NOON, None, "", [])
    db.execute(_CONTACT, (lead, campaign, phone, index + 2, first, last, json.dumps({"phone": phone, "name": first})))
    zone = ZONES[index % len(ZONES)]
    db.execute(_LEAD, (lead, campaign, phone, zone, state, due, len(tries), len(tries), disposition, reason))
    begins = NOON - 6 * 86_400 + 5 * 86_400 * (index / contacts) + 9 * 3600 * chance.random()
    rows = _attempts(campaign, lead, phone, begins, tries, chance)
    db.executemany(_ATTEMPT, rows)


def _fate(chance: Random) -> tuple[str, float | None, str | None, str, list[str]]:
    """State, due, disposition, reason, and how each attempt ended."""
    tries: list[str] = []
    for _ in range(3):
        tries.append(chance.choices(_ENDS, (40, 30, 15, 10, 5))[0])
        if tries[-1] == "completed":
            return "reached", None, "completed", "", tries
        if chance.random() < 0.15:
            return "waiting", NOON + 3600 * (1 + 40 * chance.random()), tries[-1], "", tries
        if chance.random() < 0.03:
            return "unresolved", None, "unknown", "not in the list of calls after 3 complete looks", [*tries, "unknown"]
    return "exhausted", None, tries[-1], f"no retry after {tries[-1]}", tries


def _attempts(
    campaign: int, lead: int, phone: str, begins: float, tries: list[str], chance: Random
) -> Iterator[tuple[Any, ...]]:
    for number, end in enumerate(tries, 1):
        at = begins + (number - 1) * 14_400
        lost, agent = end == "unknown", f"agent_{'ab'[lead % 2]}"
        length = None if lost else round(chance.expovariate(1 / 90), 1) if end == "completed" else 0.0
        cost = None if lost or chance.random() < 0.02 else round(0.01 + (length or 0) / 1000, 4)
        yield (
            f"try-{lead}-{number}", campaign, lead, number, phone, agent, "lost" if lost else "ended", at,
            at + 30 if lost else None, None if lost else at + 1, at + 60 if lost else at + 20 + (length or 0),
            None if lost else f"call-{lead}-{number}", end, length, cost, "no answer within 30 s" if lost else "",
        )  # fmt: skip


def _rejected(campaign: int, contacts: int, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    reasons = ("phone_missing", "phone_invalid", "phone_invalid", "duplicate")
    for index in range(min(contacts // 10, 200)):
        detail = names[index % len(names)] if names else "the cell is empty"
        yield campaign, "people.csv", contacts + 2 + index, reasons[index % 4], detail
