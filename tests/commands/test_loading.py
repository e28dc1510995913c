"""What a command loads: nobody waits for a web server, a table of pandas or a template who asked for something else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.processes import environment, sandbox_process

_TOLD = (
    "import json, sys; from dialer.cli import main\n"
    "try:\n    code = main(sys.argv[1:])\n"
    "except SystemExit as end:\n    code = end.code\n"
    "print(json.dumps([code, sorted(sys.modules)]))"
)
"""A command as ``dialer`` runs it, and at its end its exit code and everything it has loaded."""
TABLES = {"numpy", "pandas", "pyarrow", "python_calamine", "xlsxwriter"}
SERVER = {"starlette", "uvicorn", "dialer.rehearsal.exchange", "dialer.rehearsal.server"}
NETWORK = {"anyio", "asyncio", "h11", "httpcore2", "httpx", "ssl"}
LISTS = {"phonenumbers", "dialer.intake"}
PAGE = {"jinja2", "dialer.reports.page"}
FILE = {"pydantic", "dialer.core.campaign", "dialer.core.wire"}


def _loaded(home: Path, *arguments: str) -> set[str]:
    """The modules that a command has loaded at its end, in a process of its own; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", _TOLD, *arguments],
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of two people at a real address, called and finished; what that loaded lies in ``run.json``."""
    path = tmp_path_factory.mktemp("home")
    (path / "contacts.csv").write_text("phone\n+12125550100\n+12125550105\n")
    with sandbox_process("--speed", "500") as url:
        (path / "campaign.toml").write_text(
            f'name = "first"\ncontacts = "contacts.csv"\nagents = ["agent_a"]\nhours = "always"\n'
            f'[api]\nbase_url = "{url}"\n[retry]\nbusy = []\nno_answer = []\n'
        )
        loaded = _loaded(path, "run", "campaign.toml", "--quiet")
    (path / "run.json").write_text(json.dumps(sorted(loaded)))
    return path


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (["--version"], TABLES | SERVER | NETWORK | LISTS | PAGE | FILE | {"tqdm", "sqlite3"}),
        (["status"], TABLES | SERVER | NETWORK | LISTS | PAGE | FILE | {"tqdm"}),
        (["report", "first"], TABLES | SERVER | NETWORK | LISTS | {"tqdm"}),
        (["check", "campaign.toml"], TABLES | SERVER | NETWORK | PAGE | {"tqdm", "dialer.core.wire"}),
        (["resolve", "first"], TABLES | SERVER | NETWORK | LISTS | PAGE | {"tqdm"}),
    ],
    ids=["version", "status", "report", "check", "resolve"],
)
def test_a_command_loads_only_what_it_needs(home: Path, arguments: Sequence[str], unneeded: set[str]) -> None:
    assert not _loaded(home, *arguments) & unneeded


def test_a_run_at_a_real_address_loads_neither_the_sandbox_nor_what_other_files_and_screens_need(home: Path) -> None:
    loaded = set(json.loads((home / "run.json").read_text()))
    assert not loaded & (TABLES | SERVER | {"tqdm"})
    assert loaded & PAGE  # this is what the end of the run has loaded: its reports are written
