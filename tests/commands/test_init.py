"""`dialer init`: whatever is asked or said, the file it writes is one that `dialer check` accepts."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dialer.cli import main
from tests.support.processes import DIALER, environment

Done = subprocess.CompletedProcess[str]
PLAIN = "name,phone\nAda Abbott,+12125550100\nBen Hansen,+49 30 23125 012\n"
NATIONAL = "name,phone\nAda Abbott,(212) 555-0100\n"
TWO_PHONES = "name,Mobile,Phone\nAda Abbott,,(212) 555-0100\nBen Hansen,+12125550101,\n"


@pytest.fixture
def dialer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The program without a terminal, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIALER_LEDGER", raising=False)

    def run(*arguments: str) -> Done:
        code = main(arguments)
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, shown.out, shown.err)

    return run


def _list(home: Path, content: str = PLAIN, name: str = "list.csv") -> None:
    (home / name).parent.mkdir(exist_ok=True)
    (home / name).write_text(content, "utf-8")


def _said(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def test_flags_alone_make_a_file_that_check_accepts(tmp_path: Path, dialer: Callable[..., Done]) -> None:
    _list(tmp_path)
    done = dialer("init", "spring.toml", "--contacts", "list.csv", "--agent", "agent_a")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].endswith("spring.toml: 2 of the first 2 rows can be called")
    assert done.stdout.splitlines()[-1].endswith("dialer check spring.toml")
    said = _said(tmp_path / "spring.toml")
    assert (said["name"], said["contacts"], said["agents"]) == ("spring", "list.csv", ["agent_a"])
    assert said["api"]["base_url"] == "sandbox"
    assert said["hours"] == {"weekdays": "09:00-20:00", "saturday": "closed", "sunday": "closed"}
    assert "# phone -> phone" in (tmp_path / "spring.toml").read_text("utf-8")
    assert dialer("check", "spring.toml").returncode == 0


def test_every_flag_is_in_the_file_and_lists_are_named_from_where_it_lies(
    tmp_path: Path, dialer: Callable[..., Done]
) -> None:
    _list(tmp_path, TWO_PHONES, "lists/a.csv")
    (tmp_path / "campaigns").mkdir()
    flags = {"agent": 'a"b', "region": "US", "hours": "9:00 - 17:00, Saturday 10:00-12:00", "name": "spring-2"}
    more = ("--base-url", "https://api.example.com/v1", "--phone", "Phone", "--phone", "Mobile")
    said = [part for key, value in flags.items() for part in (f"--{key}", value)]
    done = dialer("init", "campaigns/x.toml", "--contacts", "lists/*.csv", *said, *more)
    assert done.returncode == 0, done.stderr
    found = _said(tmp_path / "campaigns" / "x.toml")
    assert (found["name"], found["contacts"], found["agents"]) == ("spring-2", "../lists/*.csv", ['a"b'])
    assert found["columns"] == {"phone": ["Phone", "Mobile"], "region": "US"}
    assert found["hours"] == {"weekdays": "9:00-17:00", "saturday": "10:00-12:00", "sunday": "closed"}
    assert found["api"]["base_url"] == "https://api.example.com/v1"
    assert dialer("check", "campaigns/x.toml").returncode == 0


def test_the_file_is_named_after_the_list_where_nobody_names_it(tmp_path: Path, dialer: Callable[..., Done]) -> None:
    _list(tmp_path, name="Spring List (2).csv")
    arguments = ("init", "--contacts", "Spring List (2).csv", "--agent", "a", "--hours", "always")
    assert dialer(*arguments).returncode == 0
    found = _said(tmp_path / "Spring-List-2.toml")
    assert (found["name"], found["hours"]) == ("Spring-List-2", "always")


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (PLAIN, (), "say --contacts and --agent"),
        (PLAIN, ("--contacts", "list.csv"), "say --agent"),
        (PLAIN, ("--contacts", "gone.csv", "--agent", "a"), "there is no such contact list"),
        (PLAIN, ("--contacts", "-", "--agent", "a"), "standard input can be read only once"),
        (
            NATIONAL,
            ("--contacts", "list.csv", "--agent", "a"),
            "1 of the first 1 row has no country code: say --region",
        ),
        (NATIONAL, ("--contacts", "list.csv", "--agent", "a", "--region", "none"), "(1 phone_no_country)"),
        (NATIONAL, ("--contacts", "list.csv", "--agent", "a", "--region", "XX"), '"XX" is no country'),
        (PLAIN, ("--contacts", "list.csv", "--agent", "a", "--hours", "9-5"), "hours are"),
        (PLAIN, ("--contacts", "list.csv", "--agent", "a", "--hours", "caturday 09:00-10:00"), "'caturday' is none of"),
        (PLAIN, ("--contacts", "list.csv", "--agent", "a", "--base-url", "http://x.test"), "only https"),
        (PLAIN, ("--contacts", "list.csv", "--agent", "a", "--name", "a b"), "letters, digits"),
        (PLAIN, ("list.csv", "--contacts", "list.csv", "--agent", "a", "--force"), "ends in .toml"),
        (PLAIN, ("gone/x.toml", "--contacts", "list.csv", "--agent", "a"), "cannot write"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    tmp_path: Path, dialer: Callable[..., Done], content: str, arguments: tuple[str, ...], said: str
) -> None:
    _list(tmp_path, content)
    done = dialer("init", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]
    assert (tmp_path / "list.csv").read_text("utf-8") == content


def test_a_file_that_is_there_is_written_over_only_with_force(tmp_path: Path, dialer: Callable[..., Done]) -> None:
    _list(tmp_path)
    (tmp_path / "x.toml").write_text("mine")
    arguments = ("init", "x.toml", "--contacts", "list.csv", "--agent", "a")
    done = dialer(*arguments)
    assert (done.returncode, "--force" in done.stderr) == (2, True)
    assert (tmp_path / "x.toml").read_text() == "mine"
    assert dialer(*arguments, "--force").returncode == 0
    assert _said(tmp_path / "x.toml")["name"] == "x"


def test_without_a_terminal_an_unclear_list_leaves_a_file_with_lines_to_choose_from(
    tmp_path: Path, dialer: Callable[..., Done]
) -> None:
    _list(tmp_path, TWO_PHONES)
    done = dialer("init", "x.toml", "--contacts", "list.csv", "--agent", "a", "--region", "US")
    assert done.returncode == 2
    assert "2 columns may hold the phone number" in done.stderr
    assert "x.toml is written" in done.stderr
    text = (tmp_path / "x.toml").read_text("utf-8")
    for line in ('# phone = "Mobile"', '# phone = "Phone"', '# phone = ["Mobile", "Phone"]'):
        assert f"{line}\n" in text
    (tmp_path / "x.toml").write_text(text.replace("# phone = [", "phone = ["), "utf-8")
    assert dialer("check", "x.toml").returncode == 0


def _asked(home: Path, *arguments: str, answers: str) -> Done:
    """The program on a terminal on which ``answers`` are typed."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answers.encode())
        return subprocess.run(
            [*DIALER, "init", *arguments],
            cwd=home,
            env=environment(),
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


def test_on_a_terminal_it_asks_what_it_must_know_and_again_where_an_answer_cannot_be(
    tmp_path: Path, dialer: Callable[..., Done]
) -> None:
    _list(tmp_path, TWO_PHONES)
    done = _asked(tmp_path, answers="gone.csv\nlist.csv\n3\n1,2\nxx\nus\nagent_a\n\nftp://x\n\n")
    assert done.returncode == 0, done.stderr
    for said in ("no such contact list", "1 Mobile, 2 Phone", "from 1 to 2", '"XX" is no country', "[09:00-20:00]"):
        assert said in done.stderr
    found = _said(tmp_path / "list.toml")
    assert found["columns"] == {"phone": ["Mobile", "Phone"], "region": "US"}
    assert (found["agents"], found["api"]["base_url"]) == (["agent_a"], "sandbox")
    assert dialer("check", "list.toml").returncode == 0


def test_who_stops_answering_has_nothing_written(tmp_path: Path) -> None:
    _list(tmp_path)
    done = _asked(tmp_path, answers="list.csv\n\x04")
    assert (done.returncode, "nothing was written" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]
