"""Loads the SQL that lies beside this module, so that SQL is read, checked and explained as SQL."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_MARK = "-- :name "
_FILES = ("statements.sql", "figures.sql")


@cache
def statements() -> dict[str, str]:
    """All statements of :data:`_FILES` by name."""
    found: dict[str, str] = {}
    for file in _FILES:
        text = files("dialer.ledger").joinpath(file).read_text("utf-8")
        for chunk in text.split(_MARK)[1:]:
            name, _, sql = chunk.partition("\n")
            assert name.strip() not in found, name
            found[name.strip()] = sql.strip()
    return found


@cache
def migrations() -> list[tuple[int, str]]:
    """The schema's versions and the SQL that leads to each, in order."""
    schema = files("dialer.ledger").joinpath("schema")
    found = [
        (int(item.name.split("_")[0]), item.read_text("utf-8")) for item in schema.iterdir() if ".sql" in item.name
    ]
    return sorted(found)
