"""``dialer report`` from the shell: what its flags say, and one line for what they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.cli import main
from dialer.core.errors import ExitCode
from tests.support.people import eight_people


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return str(eight_people(tmp_path))


def test_formats_come_with_commas_or_one_by_one_and_every_file_is_told(
    ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--format", "jsonl, csv", "--format", "parquet", "--where", "state=waiting", "--where", "attempts>=1"]
    assert main(["report", "spring", "--ledger", ledger, *flags]) == ExitCode.DONE
    said = capsys.readouterr()
    files = [Path(line.split("  ")[0]).name for line in said.out.splitlines()]
    tables = ("outcomes", "attempts", "retry_queue", "rejected")
    assert files == [
        *(f"{table}.{suffix}" for suffix in ("jsonl", "csv", "parquet") for table in tables),
        "summary.json",
        "report.html",
    ]
    assert "reports/spring/outcomes.csv  1 rows\n" in said.out
    assert said.err.startswith("dialer: --where does not speak of attempts")
    assert all((Path("reports/spring") / file).is_file() for file in files)


def test_columns_contacts_and_masks_are_flags(ledger: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--columns", 'state,"phone"', "--as-contacts", "no_answer,busy"]
    assert main(["report", "spring", "--ledger", ledger, *flags]) == ExitCode.DONE
    assert "contacts_no_answer_busy.csv  2 rows" in capsys.readouterr().out
    assert main(["report", "spring", "--ledger", ledger, "--mask-phones"]) == ExitCode.DONE
    text = Path("reports/spring/outcomes.csv").read_text("utf-8")
    assert text.splitlines()[0].endswith("reason")
    assert ",+1212•••0000," in text


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--format", "pdf"], "--format 'pdf': there are csv, parquet, xlsx, jsonl"),
        (["--format", ""], "--format: a name is missing"),
        (["--columns", "phone,,state"], "--columns: a name is missing"),
        (["--columns", '"phone'], "--columns: unexpected end of data"),
        (["--columns", "fone"], "--columns: there is no column 'fone'; there are: input_phone"),
        (["--where", "state=waitng"], "--where 'state=waitng': state is one of: queued"),
        (["--where", "\x1b[2J=1"], "there is no column"),
        (["--as-contacts", "nobody"], "--as-contacts 'nobody'"),
        (["--as-contacts", "busy", "--mask-phones"], "ask for one of them"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    ledger: str, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert main(["report", "spring", "--ledger", ledger, *flags]) == ExitCode.USER
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "\x1b" not in error
    assert not Path("reports").exists()


def test_a_condition_that_leaves_no_contact_out_makes_no_list_to_call(
    ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--as-contacts", "no_answer", "--where", "ended_at>=2030-01-01"]
    assert main(["report", "spring", "--ledger", ledger, *flags]) == ExitCode.USER
    said = capsys.readouterr().err
    assert "--where does not speak of contacts" in said
    assert not list(Path().glob("reports/spring/contacts*"))
