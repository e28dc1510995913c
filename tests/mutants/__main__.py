"""``python -m tests.mutants``: apply each mutation to a copy, run the tests that guard against it, expect red."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SEEDS = "tests/simulation/test_simulation.py::test_campaigns_on_bad_days_call_nobody_twice_and_forget_nobody"
SIMULATION = (f"{_SEEDS}[0]", f"{_SEEDS}[500]")


@dataclass(frozen=True)
class Mutant:
    """One mutation: texts to exchange, and the tests that must notice."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "no intent before the create",
        (
            (
                "dialer/runner/__init__.py",
                "        self._ledger.commit(self._record.id, self._account, changes)\n        if self._ledger.full:",
                """\
        for order in orders:
            tasks.start_soon(self._act, order, self._clock.boot())
        orders = []
        await anyio.sleep(0.001)
        self._ledger.commit(self._record.id, self._account, changes)
        if self._ledger.full:""",
            ),
        ),
        SIMULATION,
    ),
    Mutant(
        "synchronous = NORMAL",
        (("dialer/ledger/store.py", "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"),),
        (
            "tests/ledger/test_power_cut.py",
            "-k",
            "no_power_cut_takes_back or when_a_create_leaves",
        ),
    ),
    Mutant(
        "a horizon shorter than the list's lag",
        (
            (
                "dialer/core/doubts.py",
                "late_enough = began_api >= doubt.waits_from_api + policy.horizon_s",
                "late_enough = began_api >= doubt.waits_from_api - 1e9",
            ),
        ),
        SIMULATION,
    ),
    Mutant(
        "a create that is sent again after a 5xx",
        (
            (
                "dialer/runner/act.py",
                "    except ApiError as error:\n        return NotAccepted(order.attempt, error)",
                """\
    except ApiError as error:
        if (error.http_status or 0) >= 500:
            return Accepted(order.attempt, await client.create_call(call, attempt=order.attempt))
        return NotAccepted(order.attempt, error)""",
            ),
        ),
        SIMULATION,
    ),
    Mutant(
        "no unique index on open calls",
        (("dialer/ledger/schema/001_initial.sql", "CREATE UNIQUE INDEX attempt_open ", "CREATE INDEX attempt_open "),),
        ("tests/ledger/test_sqlite.py",),
    ),
    Mutant(
        "attempts that are not counted while uncertain",
        (
            (
                "dialer/ledger/statements.sql",
                "-- :name doubted",
                "-- :name uncharge\nUPDATE lead SET attempts = attempts - 1 WHERE id = :lead;\n\n-- :name doubted",
            ),
            (
                "dialer/ledger/changes.py",
                '    writer.event(change.at, "uncertain", why, change.attempt)',
                """\
    writer.one("uncharge", lead=change.attempt.lead.id)
    writer.event(change.at, "uncertain", why, change.attempt)""",
            ),
        ),
        SIMULATION,
    ),
    Mutant(
        "a lock that is not taken",
        (
            (
                "dialer/ledger/lock.py",
                "        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
                "        pass",
            ),
        ),
        ("tests/ledger/test_sqlite.py",),
    ),
)


def suite_is_green(tree: Path, tests: tuple[str, ...]) -> bool:
    """Run tests in a tree of their own."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(f"the tests did not run ({done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


def copy_of_the_project(place: Path) -> Path:
    """What the tests need, and nothing else."""
    tree = place / "copy"
    for name in ("dialer", "tests", "campaigns"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "sample_contacts.csv"):
        shutil.copy(ROOT / name, tree / name)
    return tree


def apply(mutant: Mutant, tree: Path) -> None:
    """Exchange the texts. Each must stand in its file exactly once, else the mutation is out of date."""
    for file, before, after in mutant.changes:
        path = tree / file
        text = path.read_text("utf-8")
        if text.count(before) != 1:
            raise SystemExit(f"{mutant.name}: {file} does not hold exactly once: {before!r}")
        path.write_text(text.replace(before, after), "utf-8")


def main() -> int:
    """Exits with 1 if a mutant survives, or if the unchanged copy is not green."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--only", metavar="WORD", default="", help="mutations whose name holds this")
    chosen = [mutant for mutant in MUTANTS if parser.parse_args().only in mutant.name]
    survivors = 0
    for tests in dict.fromkeys(mutant.tests for mutant in chosen):
        with tempfile.TemporaryDirectory() as place:
            if not suite_is_green(copy_of_the_project(Path(place)), tests):
                raise SystemExit(f"not even the unchanged copy passes {' '.join(tests)}")
    for mutant in chosen:
        with tempfile.TemporaryDirectory() as place:
            tree = copy_of_the_project(Path(place))
            apply(mutant, tree)
            red = not suite_is_green(tree, mutant.tests)
        survivors += not red
        print(f"{'red' if red else 'SURVIVED':<10}{mutant.name}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
