"""The house keeps its floors: a module imports only from floors below its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "dialer"

FLOORS = {
    "dialer": 10,
    "dialer.version": 0,
    "dialer.core": 0,
    "dialer.core.wire": 0,
    "dialer.core.errors": 0,
    "dialer.core.lifecycle": 0,
    "dialer.core.chance": 0,
    "dialer.core.messages": 1,
    "dialer.core.lengths": 1,
    "dialer.core.fuel": 1,
    "dialer.core.listing": 1,
    "dialer.rehearsal": 0,
    "dialer.rehearsal.script": 1,
    "dialer.rehearsal.faults": 1,
    "dialer.rehearsal.exchange": 2,
    "dialer.core.columns": 0,
    "dialer.core.cells": 0,
    "dialer.core.masks": 0,
    "dialer.core.retry": 2,
    "dialer.core.hours": 2,
    "dialer.core.caps": 2,
    "dialer.core.pacing": 2,
    "dialer.core.tracking": 2,
    "dialer.core.reconcile": 2,
    "dialer.core.lines": 2,
    "dialer.core.settling": 2,
    "dialer.core.halts": 2,
    "dialer.core.trust": 2,
    "dialer.core.strangers": 3,
    "dialer.core.catchup": 3,
    "dialer.core.campaign": 3,
    "dialer.core.doubts": 3,
    "dialer.core.switchboard": 4,
    "dialer.core.revision": 4,
    "dialer.client": 5,
    "dialer.ledger": 5,
    "dialer.intake": 6,
    "dialer.reports": 6,
    "dialer.runner": 6,
    "dialer.rehearsal.": 6,
    "dialer.fetching": 7,
    "dialer.commands": 8,
    "dialer.arguments": 8,
    "dialer.cli": 9,
    "dialer.__main__": 10,
}
"""A room's floor holds for everything in it that is not named itself; inside a room modules may use each other."""


def _name(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(module: str) -> str:
    if module in FLOORS:
        return module
    parent = module.rpartition(".")[0]
    return f"{parent}." if f"{parent}." in FLOORS else _room(parent)


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            modules = {
                name for name in submodules if (HOUSE.parent / name.replace(".", "/")).with_suffix(".py").exists()
            }
            found |= modules or {base}
    return found


MODULES = sorted(HOUSE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_imports_only_from_floors_below(path: Path) -> None:
    room = _room(_name(path))
    for imported in _imports(path):
        if not imported.startswith("dialer") or _room(imported) == room:
            continue
        assert FLOORS[_room(imported)] < FLOORS[room], f"{_name(path)} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    allowed = {
        "httpx": ("dialer.client",),
        "httpcore2": ("dialer.client",),
        "aiolimiter": ("dialer.runner",),
        "phonenumbers": ("dialer.intake",),
        "python_calamine": ("dialer.intake",),
        "pandas": ("dialer.reports",),
        "jinja2": ("dialer.reports",),
        "markupsafe": ("dialer.reports",),
        "numpy": ("dialer.reports",),
        "pyarrow": ("dialer.reports.parquetfile",),
        "xlsxwriter": ("dialer.reports.xlsxfile",),
        "tqdm": ("dialer.commands",),
        "starlette": ("dialer.rehearsal",),
        "uvicorn": ("dialer.rehearsal",),
        "h11": ("dialer.client", "dialer.rehearsal"),
        "sqlite3": ("dialer.ledger",),
        "anyio": ("dialer.client", "dialer.runner", "dialer.rehearsal", "dialer.fetching", "dialer.commands"),
    }
    for imported in _imports(path):
        rooms = allowed.get(imported.split(".")[0])
        assert rooms is None or _name(path).startswith(rooms), f"{_name(path)} imports {imported}"


@pytest.mark.parametrize("path", sorted((HOUSE / "core").rglob("*.py")), ids=_name)
def test_the_core_reads_no_clock_and_awaits_nothing(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Await | ast.AsyncFunctionDef)]
    assert not _imports(path) & {"time", "asyncio", "anyio", "random"}
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not calls & {"now", "utcnow", "today"}
