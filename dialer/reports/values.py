"""Values of tables as people read them, a column at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from dialer.reports.columns import Column, Kind

_T = TypeVar("_T")
_MINUTES_KEPT: Final = 100_000
_SECONDS: Final = tuple(f"{second:02}+00:00" for second in range(60))


def iso(moment: float | None) -> str | None:
    """UTC seconds as ISO 8601."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


class _Minutes(dict[int, str]):
    """ISO 8601 up to the minute, by minutes since 1970: a campaign has few of them, and each is written once."""

    def __missing__(self, minute: int) -> str:
        if len(self) > _MINUTES_KEPT:
            self.clear()
        said = self[minute] = datetime.fromtimestamp(minute * 60, UTC).isoformat(timespec="seconds")[:17]
        return said


_MINUTES: Final = _Minutes()


def isos(moments: Sequence[float | None]) -> list[str | None]:
    """The same as :func:`iso` for each, in a fifth of the time."""
    return [
        None if moment is None else _MINUTES[(whole := int(moment)) // 60] + _SECONDS[whole % 60] for moment in moments
    ]


def by_value(amounts: Sequence[float | None], say: Callable[[float], _T]) -> list[_T | None]:
    """What ``say`` makes of each amount, None of None. It is asked once for each value: a column has few of them."""
    said = {amount: None if amount is None else say(amount) for amount in set(amounts)}
    return [said[amount] for amount in amounts]


def wholes(amounts: Sequence[float | None]) -> list[float | int | None]:
    """Numbers without the ".0" of whole ones."""
    return by_value(amounts, _whole)


def _whole(amount: float) -> float | int:
    return int(amount) if amount == amount // 1 and abs(amount) < 1e15 else amount


def texts(cells: Sequence[Any]) -> Sequence[str]:
    """Cells of the list as they stood there; nested ones as JSON."""
    if set(map(type, cells)) <= {str}:
        return cells
    return [cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells]


def as_text(field: Column, cells: Sequence[Any]) -> Sequence[Any]:
    """A column as people read it; numbers stay numbers, and nothing is made inert yet."""
    match field.kind:
        case Kind.MOMENT:
            return isos(cells)
        case Kind.AMOUNT:
            return wholes(cells)
        case Kind.GIVEN | Kind.GIVEN_PHONE:
            return texts(cells)
        case _:
            return cells
