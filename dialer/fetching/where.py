"""``--where``: conditions on columns, like ``disposition=completed,voicemail`` or ``duration_s>=30``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dialer.core.errors import UserError

_FORM: Final = re.compile(r"\s*([^=!<>]+?)\s*(!=|>=|<=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. Of ``=`` and ``!=`` several values may be named; an empty cell fits the empty value."""

    column: str
    sign: str
    values: tuple[str, ...]

    def fits(self, cell: object) -> bool:
        """Whether a cell fits. Numbers are compared as numbers, moments (ISO 8601, UTC) as text, in their order."""
        if self.sign in _ORDER:
            return _in_order(_ORDER[self.sign], cell, self.values[0])
        return any(_same(cell, value) for value in self.values) == (self.sign == "=")


def parse(text: str) -> Condition:
    """The condition in ``text``. Raises :class:`~dialer.core.errors.UserError` where there is none."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UserError(f"--where {text}: it is a column, one of = != >= <= > <, and a value, like state=reached")
    column, sign, value = found.groups()
    if sign in _ORDER and not value:
        raise UserError(f"--where {text}: nothing to compare with; give a value, like duration_s>=30")
    return Condition(column, sign, (value,) if sign in _ORDER else tuple(part.strip() for part in value.split(",")))


def check_columns(conditions: Iterable[Condition], known: Sequence[str]) -> None:
    """Raise :class:`~dialer.core.errors.UserError` where a condition is on a column that is not there."""
    for condition in conditions:
        if condition.column not in known:
            raise UserError(f"--where {condition.column}: no such column; known here: {', '.join(known)}")


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]  # whatever float() accepts is a number here
    except (TypeError, ValueError, OverflowError):
        return None


def _same(cell: object, value: str) -> bool:
    if cell is None:
        return value == ""
    if isinstance(cell, int | float):
        return _number(value) == cell
    return str(cell) == value


def _in_order(fits: Callable[[Any, Any], bool], cell: object, value: str) -> bool:
    if cell is None:
        return False
    number, other = _number(cell), _number(value)
    if number is not None and other is not None:
        return fits(number, other)
    return isinstance(cell, str) and number is None and fits(cell, value)
