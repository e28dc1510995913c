"""The contacts inside the page: all of them, or a sample, packed so that no parser of HTML sees their text."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from dialer.core.lifecycle import LeadState
from dialer.core.masks import masked, masked_numbers
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.page.words import shown

MOST_ROWS: Final = 100_000
SAMPLE_ROWS: Final = 20_000
"""Drawn from a campaign of more than :data:`MOST_ROWS`, beside its unresolved contacts."""
COLUMNS: Final = (
    "row",
    "name",
    "phone",
    "state",
    "disposition",
    "attempts",
    "agent",
    "last_at",
    "next_at",
    "duration_s",
    "cost",
    "note",
)
"""What a packed row holds, in this order. Times are whole UTC seconds."""
_BATCH: Final = 500
_CHUNK: Final = 48 * 1024
"""A multiple of three: base64 of the pieces is base64 of the whole."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which contacts the page holds: ``ids`` of ``total``."""

    ids: list[int]
    total: int
    unresolved: int
    """Of all contacts."""
    unresolved_here: int
    """Of those in the page; they were taken without drawing."""

    @property
    def is_sample(self) -> bool:
        """Some contacts stay out."""
        return len(self.ids) < self.total


def choose(
    reader: LedgerReader,
    record: CampaignRecord,
    states: Mapping[str, int],
    most: int = MOST_ROWS,
    sample: int = SAMPLE_ROWS,
) -> Choice:
    """All contacts of a campaign, if they are no more than ``most``; else a sample.

    That is: the unresolved, and ``sample`` others that are drawn with equal chances; never more than ``most`` in all.
    The draw is seeded with the campaign's name: the same ledger gives the same page. ``states``: contacts by state.
    """
    total, unresolved = sum(states.values()), states[LeadState.UNRESOLVED]
    room = most if total <= most else max(most - sample, 0)
    doubts = [lead for (lead,) in islice(reader.rows("page_unresolved", campaign=record.id), room)]
    others = (lead for (lead,) in reader.rows("page_others", campaign=record.id))
    wanted = most if total <= most else min(sample, most)
    drawn = _drawn(others, total - unresolved, wanted, Random(record.name))
    return Choice(sorted([*doubts, *drawn]), total, unresolved, len(doubts))


def _drawn(ids: Iterable[int], count: int, most: int, chance: Random) -> Iterable[int]:
    """``most`` of ``count`` ids, each with the same chance; only what was drawn is held."""
    if count <= most:
        return ids
    places = sorted(chance.sample(range(count), most))
    steps = (place - before - 1 for place, before in zip(places, [-1, *places], strict=False))
    walk = iter(ids)
    return (next(islice(walk, step, None)) for step in steps)


def packed(reader: LedgerReader, record: CampaignRecord, choice: Choice, *, mask: bool = False) -> Iterator[str]:
    """The rows of ``choice`` as JSON lists (:data:`COLUMNS`), gzipped, in base64: in pieces, never whole in memory."""
    found = reader.rows("page_contacts", campaign=record.id, ids=json.dumps(choice.ids))
    return _base64(_gzip(_json(found, mask=mask)))


def _json(found: Iterable[tuple[Any, ...]], *, mask: bool) -> Iterator[str]:
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    opening, walk = "[", iter(found)
    while some := list(islice(walk, _BATCH)):
        yield opening + encode([_row(row, mask=mask) for row in some])[1:-1]
        opening = ","
    yield "[]" if opening == "[" else "]"


def _row(found: tuple[Any, ...], *, mask: bool) -> list[Any]:
    number, first, last, phone, state, disposition, attempts, last_at, next_at, length, cost, agent, *why = found
    name, note = f"{first or ''} {last or ''}".strip(), next(filter(None, why), "")
    if mask:
        name, phone, note = masked_numbers(name), masked(phone), masked_numbers(note)
    facts = state, disposition, attempts, shown(agent), last_at, next_at, length, cost
    return [number, shown(name), phone, *facts, shown(note)]


def _gzip(texts: Iterable[str]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(5, zlib.DEFLATED, 31)
    for text in texts:
        yield squeeze.compress(text.encode())
    yield squeeze.flush()


def _base64(pieces: Iterable[bytes]) -> Iterator[str]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= _CHUNK:
            yield base64.b64encode(held[:_CHUNK]).decode()
            del held[:_CHUNK]
    yield base64.b64encode(held).decode()
