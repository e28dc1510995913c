"""A table as Parquet: columns with their types, written in groups of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from dialer.reports.columns import Column, Kind
from dialer.reports.files import whole_bytes
from dialer.reports.tables import Table
from dialer.reports.values import texts

_GROUP: Final = 65_536


def write(path: Path, table: Table) -> int:
    """Write a table. Returns the number of its rows."""
    import pyarrow as pa  # half a second and 60 MB: for whoever asks for it
    import pyarrow.parquet as pq

    count = 0
    schema = pa.schema([_field(column) for column in table.fields])
    # A dictionary of each column takes half of the writing, and makes the file larger: only words have few values.
    words = [column.name for column in table.fields if column.kind is Kind.WORD]
    with (
        whole_bytes(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", compression_level=1, use_dictionary=words) as writer,
    ):
        for group in _groups(table):
            rows = pa.Table.from_batches(group, schema)
            writer.write_table(rows)
            count += rows.num_rows
    return count


def arrow_type(column: Column) -> Any:
    """The type of a column."""
    import pyarrow as pa

    match column.kind:
        case Kind.COUNT:
            return pa.int64()
        case Kind.AMOUNT:
            return pa.float64()
        case Kind.MOMENT:
            return pa.timestamp("us", "UTC")
        case _:
            return pa.string()


def _field(column: Column) -> Any:
    import pyarrow as pa

    return pa.field(column.name, arrow_type(column), metadata={"description": column.meaning})


def _groups(table: Table) -> Iterator[list[Any]]:
    import pyarrow as pa

    types = [arrow_type(column) for column in table.fields]
    group: list[Any] = []
    rows = 0
    for batch in table.batches:
        arrays = [_array(field, cells, kind) for field, cells, kind in zip(table.fields, batch, types, strict=True)]
        group.append(pa.RecordBatch.from_arrays(arrays, table.columns))
        rows += len(batch[0])
        if rows >= _GROUP:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _array(field: Column, cells: Sequence[Any], kind: Any) -> Any:
    import pyarrow as pa

    if field.kind is Kind.MOMENT:
        return _microseconds(cells).cast(kind)
    return pa.array(texts(cells) if field.kind in {Kind.GIVEN, Kind.GIVEN_PHONE} else cells, kind)


def _microseconds(moments: Sequence[float | None]) -> Any:
    """Whole microseconds, rounded as Python's own ``round`` does, which would be a call for each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    exact = pc.multiply(pa.array(moments, pa.float64()), 1_000_000.0)
    return pc.round(exact, round_mode="half_to_even").cast(pa.int64())
