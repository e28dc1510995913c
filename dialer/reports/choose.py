"""What of the tables is wanted: rows that meet conditions, some columns in an order, numbers masked.

Conditions and columns hold for every table that has all of the columns they name; each other table is written whole,
and that is said. So a table never holds half of what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final

from dialer.core.errors import UserError
from dialer.core.masks import masked, masked_cell, masked_numbers, masked_phone_cell, masked_row
from dialer.reports.columns import Column, Kind
from dialer.reports.conditions import Tests, compiled
from dialer.reports.tables import Batch, Table
from dialer.reports.values import texts

_MASKS: Final[Mapping[Kind, Callable[[str], str]]] = {
    Kind.PHONE: masked,
    Kind.GIVEN: masked_cell,
    Kind.GIVEN_PHONE: masked_phone_cell,
    Kind.SAID: masked_numbers,
    Kind.RAW: masked_row,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user asked for, as it was said."""

    where: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    mask_phones: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """What becomes of one table."""

    tests: Tests = ()
    places: tuple[int, ...] | None = None
    mask_phones: bool = False

    def of(self, table: Table) -> Table:
        """The table as it is wanted."""
        places = range(len(table.fields)) if self.places is None else self.places
        fields = tuple(table.fields[place] for place in places)
        return Table(table.name, fields, self._batches(table.batches, places, fields))

    def _batches(self, batches: Iterator[Batch], places: Sequence[int], fields: Sequence[Column]) -> Iterator[Batch]:
        for batch in batches:
            if not (found := self._rows(batch)):
                continue
            columns = [found[place] for place in places]
            if self.mask_phones:
                columns = [_masked(field, cells) for field, cells in zip(fields, columns, strict=True)]
            yield columns

    def _rows(self, batch: Batch) -> Batch:
        """The rows that meet all conditions; nothing where none does."""
        if not self.tests:
            return batch
        met = [True] * len(batch[0])
        for place, test in self.tests:
            met = [so_far and test(cell) for so_far, cell in zip(met, batch[place], strict=True)]
        return [list(compress(cells, met)) for cells in batch] if any(met) else []


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every table, and what the user should know of it."""

    cuts: Mapping[str, Cut]
    notes: tuple[str, ...] = field(default=())


def plan(choice: Choice, tables: Mapping[str, Sequence[Column]]) -> Plan:
    """What becomes of each of ``tables``. Raises :class:`UserError` for columns and values that there are not."""
    known = list(dict.fromkeys(column.name for columns in tables.values() for column in columns))
    tested = compiled(choice.where, tables)
    _check_columns(choice.columns, known)
    picked = {name: _places(choice.columns, fields) for name, fields in tables.items()}
    if choice.columns and not any(picked.values()):
        raise UserError(f"--columns: no table has all of the columns {', '.join(choice.columns)}")
    cuts = {name: Cut(tested.get(name, ()), picked[name], choice.mask_phones) for name in tables}
    return Plan(cuts, tuple(_notes(choice, tables, tested, picked)))


def _check_columns(wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise UserError(f"--columns: there is no column '{name}'; there are: {', '.join(known)}")
    if len(set(wanted)) < len(wanted):
        raise UserError("--columns: a column is named twice")


def _places(wanted: Sequence[str], fields: Sequence[Column]) -> tuple[int, ...] | None:
    places = {column.name: place for place, column in enumerate(fields)}
    return tuple(places[name] for name in wanted) if wanted and set(wanted) <= places.keys() else None


def _notes(
    choice: Choice,
    tables: Mapping[str, Sequence[Column]],
    tested: Mapping[str, object],
    picked: Mapping[str, tuple[int, ...] | None],
) -> Iterator[str]:
    all_rows = [name for name in tables if name not in tested]
    if all_rows:
        yield f"--where does not speak of {' and '.join(all_rows)}: all of their rows are written"
    all_columns = [name for name in tables if choice.columns and picked[name] is None]
    if all_columns:
        yield f"--columns names columns that {' and '.join(all_columns)} have not: all of theirs are written"


def _masked(column: Column, cells: Sequence[Any]) -> Sequence[Any]:
    mask = _MASKS.get(column.kind)
    if mask is None:
        return cells
    shown = texts(cells) if column.kind in {Kind.GIVEN, Kind.GIVEN_PHONE} else cells
    return [cell and mask(cell) for cell in shown]
