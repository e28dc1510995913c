"""The one table that the benchmarks print: ours, what stands beside it in the same run, and what was wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import ge, le, lt


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure must reach: itself, or its ratio to what stands beside it."""

    said: str
    holds: Callable[[float, float], bool]
    value: float
    of_ratio: bool = False


def at_least(value: float, said: str) -> Bound:
    """Ours is ``value`` or more; ``said`` is how to write the value."""
    return Bound(f">= {said}", ge, value)


def at_most(value: float, said: str) -> Bound:
    """Ours is ``value`` or less."""
    return Bound(f"<= {said}", le, value)


def below(value: float, said: str) -> Bound:
    """Ours is less than ``value``."""
    return Bound(f"< {said}", lt, value)


def times_at_least(value: float) -> Bound:
    """Ours is so many times what stands beside it, or more."""
    return Bound(f">= {value:g} x", ge, value, of_ratio=True)


def times_at_most(value: float) -> Bound:
    """Ours is so many times what stands beside it, or less."""
    return Bound(f"<= {value:g} x", le, value, of_ratio=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. ``show`` writes it and what stands beside it; ``name`` says what that is, a peer or a limit."""

    what: str
    ours: float
    show: Callable[[float], str]
    beside: float | None = None
    name: str = ""
    wanted: tuple[Bound, ...] = field(default=())

    @property
    def ratio(self) -> float | None:
        """Ours to what stands beside it."""
        return self.ours / self.beside if self.beside else None

    @property
    def ok(self) -> bool | None:
        """Whether everything that is wanted is reached; None where nothing is."""
        return all(map(self._holds, self.wanted)) if self.wanted else None

    def _holds(self, bound: Bound) -> bool:
        found = self.ratio if bound.of_ratio else self.ours
        return found is not None and bound.holds(found, bound.value)

    def cells(self) -> tuple[str, ...]:
        """The row as text: what, ours, beside, ratio, wanted, verdict."""
        beside = "" if self.beside is None else f"{self.show(self.beside)} {self.name}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {None: "", True: "ok", False: "short"}[self.ok]
        return (
            self.what,
            self.show(self.ours),
            beside,
            ratio,
            " and ".join(bound.said for bound in self.wanted),
            verdict,
        )


HEADER = ("", "ours", "peer or limit", "ratio", "wanted", "")


def written(rows: Iterable[Row]) -> str:
    """The table as text that Markdown takes for one as well."""
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = tuple("-" * width for width in widths)
    padded = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join(f"| {line} |" for line in padded)


# --- how figures are written ----------------------------------------------------------------------------------------


def count(value: float) -> str:
    """6,170."""
    return f"{value:,.0f}"


def decimal(value: float) -> str:
    """1.73."""
    return f"{value:.2f}"


def share(value: float) -> str:
    """95.9 %."""
    return f"{value:.1%}".replace("%", " %")


def seconds(value: float) -> str:
    """2.31 s."""
    return f"{value:.2f} s"


def milliseconds(value: float) -> str:
    """4.12 ms."""
    return f"{value:.2f} ms"


def megabytes(value: float) -> str:
    """104 MB."""
    return f"{value:.0f} MB"


def rate(value: float) -> str:
    """412 a second."""
    return f"{value:.0f}/s"
