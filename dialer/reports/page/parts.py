"""What the page is made of: figures with their words, before anything is HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tile:
    """One key figure: what it is, of what, between which bounds where something is not known, and what it means."""

    title: str
    value: str
    of: str
    between: str
    definition: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A table for whoever does not see the picture, or wants the numbers. The first cell of a row names it."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: ``finding`` says in words what it shows; ``drawn`` is what ``charts.js`` draws it from."""

    key: str
    title: str
    finding: str
    facts: Facts
    drawn: dict[str, Any]
    legend: tuple[tuple[str, str], ...] = ()
    """Colour (a class of ``page.css``) and what it stands for."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An unresolved contact in plain words."""

    who: str
    known: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do next, and the command for it."""

    words: str
    command: str
