"""The two ends of every benchmark: a list of people to call, and the pretend network's own record of their calls."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from dialer.rehearsal.exchange import Exchange, PretendCall
from dialer.rehearsal.store import CallStore

_PER_AREA = 7_000_000


def number_of(index: int) -> str:
    """The ``index``-th number; none of them has a part in the sandbox's script."""
    return f"+1{212 + index // _PER_AREA}{2_300_000 + index % _PER_AREA}"


def numbers(count: int) -> Iterator[str]:
    """The first ``count`` numbers."""
    return map(number_of, range(count))


def write_list(path: Path, contacts: int) -> None:
    """A list of ``contacts`` rows with a name and a note."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["phone", "first_name", "note"])
        for index, phone in enumerate(numbers(contacts)):
            writer.writerow([phone, f"Person {index}", f"row {index}"])


def recorded(store: Path) -> list[PretendCall]:
    """The calls in the file that a sandbox keeps."""
    exchange = Exchange()
    CallStore(store).load(exchange, time.time())
    return list(exchange.calls.values())


def slots_busy(calls: Iterable[PretendCall], slots: int) -> float:
    """The share of slot time in use from the first call until the last contact was called for the first time."""
    calls = list(calls)
    first = min(call.created_at for call in calls)
    dry = max(call.created_at for call in calls if call.nth == 0)
    steps = [(call.created_at, 1) for call in calls] + [(call.ends_at(), -1) for call in calls] + [(dry, 0)]
    live, used = 0, 0.0
    for (moment, change), (then, _) in pairwise(sorted(steps)):
        live += change
        used += live * max(min(then, dry) - min(moment, dry), 0.0)
    return used / (slots * (dry - first))
