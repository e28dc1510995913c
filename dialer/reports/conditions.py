"""``--where``: conditions on the columns of a table, in words: ``state=waiting,dialing``, ``attempts>=2``."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import ge, gt, le, lt
from typing import Any, Final

from dialer.core.errors import UserError
from dialer.reports.columns import Column, Kind
from dialer.reports.values import texts

_SIGN: Final = re.compile(r">=|<=|!=|=|>|<")
_ORDER: Final[Mapping[str, Callable[[float, float], bool]]] = {">=": ge, "<=": le, ">": gt, "<": lt}
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?P<clock>[T ]\d\d:\d\d(?P<second>:\d\d(?P<part>\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"
)
_FORM: Final = "column=value[,value], or != >= <= > <"
Test = Callable[[Any], bool]
"""Whether a cell, as it is in memory, is meant."""


Tests = tuple[tuple[int, Test], ...]
"""What all must hold of a row of a table, each by the place of its column."""


def compiled(said: Iterable[str], tables: Mapping[str, Sequence[Column]]) -> dict[str, Tests]:
    """Conditions in words, as tests for each of ``tables`` that has all of the columns they name.

    Raises :class:`UserError` for what is no condition, for columns, words and values that there are not, and where no
    table has all of the columns.
    """
    known = list(dict.fromkeys(column.name for columns in tables.values() for column in columns))
    conditions = [read_condition(words, known) for words in said]
    for condition in conditions:
        _check_words(condition, tables)
    found = {name: tests for name, fields in tables.items() if (tests := _tests(conditions, fields)) is not None}
    if not found:
        raise UserError(f"--where: no table has all of the columns {', '.join(each.column for each in conditions)}")
    return found


def _check_words(condition: Condition, tables: Mapping[str, Sequence[Column]]) -> None:
    """Refuse words that no table's column knows."""
    columns = [column for fields in tables.values() for column in fields if column.name == condition.column]
    if not any(words_fit(condition, column) for column in columns):
        words = "; or ".join(", ".join(column.words) for column in dict.fromkeys(columns))
        raise UserError(f"--where '{condition.said}': {condition.column} is one of: {words}")


def _tests(conditions: Sequence[Condition], fields: Sequence[Column]) -> Tests | None:
    """The conditions as tests of a table's columns; None where they do not speak of this table."""
    places = {column.name: place for place, column in enumerate(fields)}
    found = []
    for condition in conditions:
        place = places.get(condition.column)
        if place is None or not words_fit(condition, fields[place]):
            return None
        found.append((place, test_of(condition, fields[place])))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a column must be."""

    said: str
    column: str
    sign: str
    values: tuple[str, ...]


def read_condition(said: str, known: Sequence[str]) -> Condition:
    """A condition in words; ``known`` are the columns that there are. Raises :class:`UserError` where it is none."""
    found = [(said[: sign.start()].strip(), sign) for sign in _SIGN.finditer(said)]
    if not found or not found[0][0]:
        raise UserError(f"--where '{said}': a condition is {_FORM}")
    column, sign = next((pair for pair in found if pair[0] in known), found[0])
    if column not in known:
        raise UserError(f"--where '{said}': there is no column '{column}'; there are: {', '.join(known)}")
    try:
        values = tuple(
            value.strip() for value in next(csv.reader([said[sign.end() :]], skipinitialspace=True), [])
        ) or ("",)
    except csv.Error as error:
        raise UserError(f"--where '{said}': {error}") from None
    if sign[0] in _ORDER and len(values) != 1:
        raise UserError(f"--where '{said}': {sign[0]} compares with one value")
    return Condition(said, column, sign[0], values)


def words_fit(condition: Condition, column: Column) -> bool:
    """Whether a column knows the words that a condition names."""
    return not column.words or all(value in {"", *column.words} for value in condition.values)


def test_of(condition: Condition, column: Column) -> Test:
    """What tells whether a cell of ``column`` is meant.

    An empty value means an empty cell; no order holds for one. Raises :class:`UserError` for what cannot be compared.
    """
    if condition.sign in _ORDER:
        return _ordered(condition, column)
    spans = [_Span(*_span(condition, column, value)) for value in condition.values if value and _is_measured(column)]
    wanted = set(condition.values)
    empty = "" in wanted

    def meant(cell: Any) -> bool:
        if cell is None or cell == "":
            return empty
        return any(span.holds(cell) for span in spans) if _is_measured(column) else _text(cell) in wanted

    return meant if condition.sign == "=" else lambda cell: not meant(cell)


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else texts([cell])[0]


def _is_measured(column: Column) -> bool:
    return column.kind in {Kind.COUNT, Kind.AMOUNT, Kind.MOMENT}


@dataclass(frozen=True, slots=True)
class _Span:
    """What a value stands for: a number itself; of a day, a minute or a second all that is in it."""

    low: float
    high: float

    def holds(self, cell: float) -> bool:
        return self.low <= cell < self.high or cell == self.low


def _ordered(condition: Condition, column: Column) -> Test:
    (value,) = condition.values
    if column.kind not in {Kind.COUNT, Kind.AMOUNT, Kind.MOMENT, Kind.GIVEN, Kind.GIVEN_PHONE}:
        raise UserError(f"--where '{condition.said}': '{column.name}' is text, which = and != compare")
    span = _Span(*_span(condition, column, value))
    edge = span.high if condition.sign in {">", "<="} and span.high > span.low else span.low
    order = {">": ge, "<=": lt}.get(condition.sign) if edge != span.low else None
    compare = order or _ORDER[condition.sign]
    if _is_measured(column):
        return lambda cell: cell is not None and compare(cell, edge)
    read = _moment_of if _MOMENT.fullmatch(value) else _number_of

    def holds(cell: Any) -> bool:
        measure = read(cell) if isinstance(cell, str) else None
        return measure is not None and compare(measure, edge)

    return holds


def _span(condition: Condition, column: Column, value: str) -> tuple[float, float]:
    """What a value stands for: from, and up to but not with. Numbers stand for themselves."""
    if column.kind not in {Kind.COUNT, Kind.AMOUNT} and (found := _moment_span(value)) is not None:
        return found
    number = _number_of(value) if column.kind is not Kind.MOMENT else None
    if number is None:
        wants = {Kind.MOMENT: "a moment like 2026-02-25 or 2026-02-25T12:00 (UTC)", Kind.COUNT: "a number"}
        fits = wants.get(column.kind, "a number" if column.kind is Kind.AMOUNT else "a number or a day like 2026-02-25")
        raise UserError(f"--where '{condition.said}': '{column.name}' is compared with {fits}, not with '{value}'")
    return number, number


def _number_of(text: str) -> float | None:
    found = text.strip()
    return float(found) if re.fullmatch(r"[+-]?\d{1,300}(?:\.\d{1,300})?", found, re.ASCII) else None


def _moment_of(text: str) -> float | None:
    span = _moment_span(text)
    return None if span is None else span[0]


def _moment_span(text: str) -> tuple[float, float] | None:
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[0])
        start = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    if found["part"]:
        return start, start
    length = timedelta(seconds=1) if found["second"] else timedelta(minutes=1) if found["clock"] else timedelta(days=1)
    return start, start + length.total_seconds()
