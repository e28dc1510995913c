"""What fetching came to, as tables: nothing of what was asked for is missing in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Final

from dialer.fetching.calls import FinishedCall
from dialer.fetching.manifest import Entry, Kind, Manifest, Outcome
from dialer.reports.files import write_csv
from dialer.reports.tables import iso

COLUMNS: Final = (
    "call_id", "phone", "agent_id", "disposition", "kind", "outcome", "file", "bytes", "fetched_at", "why",
)  # fmt: skip
SUMMARY_COLUMNS: Final = (
    "call_id",
    "phone",
    "agent_id",
    "disposition",
    "ended_at",
    "duration_s",
    "sentiment",
    "summary",
)


def standing(manifest: Manifest, call: FinishedCall, kind: Kind) -> Entry:
    """How it stands with one thing of a call: remembered, or why not."""
    known = manifest.entries.get((call.id, kind))
    outcome = Outcome.LEFT if call.answered else Outcome.UNANSWERED
    return known or Entry(call.id, kind, outcome, 0.0)


def write_listing(
    root: Path, calls: Iterable[FinishedCall], chosen: Container[str], kinds: frozenset[Kind], manifest: Manifest
) -> None:
    """Write ``fetched.csv``: a row for each call and kind that was ever asked for, or is asked for now (``chosen``)."""

    def rows() -> Iterator[tuple[object, ...]]:
        for call in calls:
            for kind in Kind:
                if (call.id in chosen and kind in kinds) or (call.id, kind) in manifest.entries:
                    it = standing(manifest, call, kind)
                    when = iso(it.at) if it.at else None
                    about = (call.id, call.phone, call.agent_id, call.disposition)
                    yield (*about, kind.value, it.outcome.value, it.file, it.size_bytes or None, when, it.why)

    write_csv(root / "fetched.csv", COLUMNS, rows())


def write_summaries(root: Path, calls: Iterable[FinishedCall], manifest: Manifest) -> None:
    """Write ``summaries.csv``: all summaries that were fetched."""

    def rows() -> Iterator[tuple[object, ...]]:
        for call in calls:
            entry = manifest.entries.get((call.id, Kind.SUMMARY))
            if entry is not None and entry.outcome is Outcome.FETCHED:
                about = (call.id, call.phone, call.agent_id, call.disposition, iso(call.ended_at))
                yield (*about, call.duration_s, call.sentiment, entry.text)

    write_csv(root / "summaries.csv", SUMMARY_COLUMNS, rows())


def count(
    calls: Iterable[FinishedCall], kinds: frozenset[Kind], manifest: Manifest, fetched: set[tuple[str, Kind]]
) -> tuple[Counter[tuple[str, Kind]], Counter[str]]:
    """How many things there are by outcome and kind ("there" for those that were fetched before), and why some were
    refused."""
    found: Counter[tuple[str, Kind]] = Counter()
    why: Counter[str] = Counter()
    for call in calls:
        for kind in kinds:
            entry = standing(manifest, call, kind)
            before = entry.outcome is Outcome.FETCHED and (call.id, kind) not in fetched
            found["there" if before else entry.outcome.value, kind] += 1
            if entry.outcome is Outcome.REFUSED:
                why[entry.why] += 1
    return found, why
