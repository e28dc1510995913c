"""Data frames for notebooks: typed, consistent, and the README's example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dialer import open_ledger
from dialer.core.errors import UserError
from dialer.reports.columns import ATTEMPTS, OUTCOMES, REJECTED, RETRY_QUEUE, names
from tests.support.people import TEXTS, eight_people, enrolled
from tests.support_rows import NOON, person, phone

README = Path(__file__).parents[2] / "README.md"


def test_outcomes_are_a_frame_with_types(tmp_path: Path) -> None:
    with open_ledger(eight_people(tmp_path)) as ledger:
        assert ledger.campaigns() == ["spring"]
        frame = ledger.outcomes("spring")
    assert list(frame.columns) == ["input_phone", "note", "points", *names(OUTCOMES)]
    assert list(frame["note"]) == list(TEXTS)
    assert {name: str(frame[name].dtype) for name in ("phone", "note", "state", "attempts", "cost")} == {
        "phone": "string",
        "note": "string",
        "state": "category",
        "attempts": "Int64",
        "cost": "Float64",
    }
    assert str(frame["last_attempt_at"].dtype) == "datetime64[us, UTC]"
    assert frame["last_attempt_at"][0] == pd.Timestamp(NOON, unit="s", tz="UTC")
    assert frame["next_attempt_at"].notna().sum() == 1
    assert frame["cost"].sum() == pytest.approx(0.45)
    assert frame["disposition"].value_counts()["no_answer"] == 1


def test_every_table_is_a_frame_also_where_it_is_empty(tmp_path: Path) -> None:
    enrolled(tmp_path, f"phone\n{phone(0)}\n").close()
    with open_ledger(tmp_path / "spring.db") as ledger:
        frames = {
            ATTEMPTS: ledger.attempts(),
            RETRY_QUEUE: ledger.retry_queue(),
            REJECTED: ledger.rejected("spring"),
        }
        assert len(ledger.outcomes()) == 1
    for columns, frame in frames.items():
        assert list(frame.columns) == list(names(columns))
        assert len(frame) == 0
    assert str(frames[ATTEMPTS]["intended_at"].dtype) == "datetime64[us, UTC]"


def test_nested_cells_are_objects(tmp_path: Path) -> None:
    rows = f'phone,extra\n{phone(0)},"{{""plan"": [1, 2]}}"\n'
    enrolled(tmp_path, rows, '[columns]\nmetadata = "extra"\n').close()
    with open_ledger(tmp_path / "spring.db") as ledger:
        assert ledger.outcomes()["extra"][0] == {"plan": [1, 2]}


def test_what_is_open_is_one_state_while_a_runner_writes(tmp_path: Path) -> None:
    writer = enrolled(tmp_path, f"phone\n{phone(0)}\n")
    try:
        with open_ledger(tmp_path / "spring.db") as ledger:
            assert len(ledger.outcomes()) == 1
            record = writer.campaign("spring")
            assert record is not None
            with writer.enroll(record.id, ["phone"], ["phone"], "longer", NOON) as enrollment:
                enrollment.add(person(1))
            assert len(ledger.outcomes()) == 1
        with open_ledger(tmp_path / "spring.db") as ledger:
            assert len(ledger.outcomes()) == 2
    finally:
        writer.close()


def test_a_ledger_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no ledger at"):
        open_ledger(tmp_path / "none.db")


def test_importing_dialer_loads_nothing_heavy() -> None:
    code = "import sys, dialer, dialer.cli; print([m for m in ('pandas', 'pyarrow', 'xlsxwriter') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    eight_people(tmp_path)
    (tmp_path / ".dialer").mkdir()
    for file in tmp_path.glob("spring.db*"):
        file.rename(tmp_path / ".dialer" / file.name.replace("spring", "ledger"))
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(compile(example.replace("spring-reminders", "spring"), "README.md", "exec"), found)  # noqa: S102 - our own
    assert found["by_hour"].sum() == 5
