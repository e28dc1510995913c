"""The tables of a ledger as pandas data frames, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from dialer.ledger.reading import LedgerReader, open_reader
from dialer.reports.columns import Column, Kind
from dialer.reports.tables import ALL, Table

if TYPE_CHECKING:
    import pandas as pd


def open_ledger(path: str | PathLike[str]) -> OpenLedger:
    """A look at the ledger at ``path`` (``.dialer/ledger.db``, mostly): read-only, and also while a runner writes.

    Use it with ``with``. Raises :class:`~dialer.core.errors.UserError` where there is no ledger, or a damaged one.
    """
    return OpenLedger(Path(path).expanduser())


class OpenLedger:
    """One state of a ledger: everything that is read until it is closed adds up.

    Open it anew to see what has happened since. Do not keep it open for hours while a campaign runs: the ledger's
    log grows for as long.

    A data frame has the columns of the CSV file of the same name, documented in ``docs/columns.md``: text, numbers to
    call and cells of the list as ``string``, columns of the list with nested JSON as objects, states and dispositions
    as ``category``, counts as ``Int64``, other numbers as ``Float64``, moments as ``datetime64[us, UTC]``. What is
    empty is ``NA``; columns of the list hold what it holds, which may be an empty text.
    """

    def __init__(self, path: Path) -> None:
        self._open = ExitStack()
        self._reader: LedgerReader = self._open.enter_context(open_reader(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; it cannot be read any more."""
        self._open.close()

    def campaigns(self) -> list[str]:
        """The names of all campaigns, the oldest first."""
        return self._reader.campaign_names()

    def outcomes(self, name: str | None = None) -> pd.DataFrame:
        """One row a contact: the columns of the list, then ours. ``name`` may be left out if there is one."""
        return self._frame("outcomes", name)

    def attempts(self, name: str | None = None) -> pd.DataFrame:
        """One row an attempt, refused ones too."""
        return self._frame("attempts", name)

    def retry_queue(self, name: str | None = None) -> pd.DataFrame:
        """One row a contact that waits for its next attempt, the next one first."""
        return self._frame("retry_queue", name)

    def rejected(self, name: str | None = None) -> pd.DataFrame:
        """One row for each row of the list that cannot be called."""
        return self._frame("rejected", name)

    def _frame(self, table: str, name: str | None) -> pd.DataFrame:
        return frame(ALL[table](self._reader, self._reader.campaign(name)))


def frame(table: Table) -> pd.DataFrame:
    """A table as a data frame. Reads its batches."""
    import pandas as pd

    columns: list[list[Any]] = [[] for _ in table.fields]
    for batch in table.batches:
        for column, cells in zip(columns, batch, strict=True):
            column.extend(cells)
    series = (_series(field, cells) for field, cells in zip(table.fields, columns, strict=True))
    return pd.DataFrame(dict(zip(table.columns, series, strict=True)))


def _series(field: Column, cells: Sequence[Any]) -> pd.Series[Any]:
    import pandas as pd

    match field.kind:
        case Kind.COUNT:
            return pd.Series(pd.array(cells, dtype="Int64"))
        case Kind.AMOUNT:
            return pd.Series(pd.array(cells, dtype="Float64"))
        case Kind.WORD:
            return pd.Series(pd.Categorical(cells, categories=list(field.words)))
        case Kind.MOMENT:
            micros = pd.array([None if cell is None else round(cell * 1_000_000) for cell in cells], dtype="Int64")
            return _moments(pd.Series(micros))
        case Kind.GIVEN | Kind.GIVEN_PHONE if not set(map(type, cells)) <= {str}:
            return pd.Series(cells, dtype="object")
        case _:
            return pd.Series(cells, dtype="string")


def _moments(micros: pd.Series[Any]) -> pd.Series[Any]:
    import numpy as np
    import pandas as pd

    plain = micros.fillna(np.iinfo(np.int64).min).to_numpy("int64").view("datetime64[us]")  # the least is NaT
    return pd.Series(pd.DatetimeIndex(plain, tz="UTC"))
