"""What a user can get wrong: one line that says what to mend, exit code 2, nobody called and nothing lost."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dialer.cli import main
from dialer.ledger.sqlite import SqliteLedger
from tests.support.processes import DIALER, dialer, finish, sandbox_process, start_dialer
from tests.support_rows import enroll, person, put

ROOT = Path(__file__).parents[2]
LIST = "phone,name\n+12125550100,Ada\n+12125550101,Ben\n+12125550104,Cleo\n"
REAL = "https://api.getsmartalex.com/v1"
Done = subprocess.CompletedProcess[str]


def _environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "TZ": "UTC", **more}


def _dialer(home: Path, *arguments: object, **environment: str) -> Done:
    return dialer(home, *arguments, env=_environment(home, **environment), timeout_s=30)


def _from_the_shell(home: Path, *arguments: object, **environment: str) -> Done:
    """The same, started as its users start it."""
    return subprocess.run(
        [*DIALER, *map(str, arguments)],
        cwd=home,
        env=_environment(home, **environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The same program without a process of its own, for mistakes that come in many kinds."""
    monkeypatch.chdir(tmp_path)
    for name in ("SMARTALEX_API_KEY", "DIALER_LEDGER"):
        monkeypatch.delenv(name, raising=False)

    def dialer(*arguments: object) -> Done:
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return subprocess.CompletedProcess([*map(str, arguments)], code, shown.out, shown.err)

    return dialer


def _all_of(home: Path, *commands: tuple[object, ...]) -> list[Done]:
    """Several commands at once: they do not touch each other."""
    processes = [start_dialer(home, *command, env=_environment(home)) for command in commands]
    ended = [finish(process, 30) for process in processes]
    return [
        subprocess.CompletedProcess([*map(str, command)], code, process.stdout, said)
        for command, process, (code, said) in zip(commands, processes, ended, strict=True)
    ]


def _campaign(home: Path, text: str = "", content: str | bytes | None = LIST, *, head: str = "") -> Path:
    """A campaign file and its list; ``head`` are more keys of the file itself, ``text`` more tables."""
    if content is not None:
        (home / "list.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    path = home / "spring.toml"
    start = 'name = "spring"\ncontacts = "list.csv"\nagents = ["agent_a"]\nhours = "always"\n'
    path.write_text(f"{start}{head}\n{text}\n", "utf-8")
    return path


def _at(base_url: str) -> str:
    return f'[api]\nbase_url = "{base_url}"\ntimeout = "5s"\n'


def _mended_by_the_user(done: Done, code: int = 2) -> str:
    """The one line of a mistake. There is nothing else on standard error."""
    said = done.stderr.splitlines()
    assert done.returncode == code, done.stderr
    assert len(said) == 1, done.stderr
    assert said[0].startswith("dialer: ")
    assert len(said[0]) > len("dialer: ")
    return said[0]


def _mended_after_the_import(done: Done) -> str:
    """The line of a mistake that shows only when the API is asked: what was imported is told before it."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("dialer: ")]
    return said


def _nothing_was_begun(home: Path) -> None:
    assert not (home / ".dialer").exists()
    assert not (home / "reports").exists()


def _all_are_queued(home: Path) -> None:
    """Everybody is in the ledger and still to be called; nobody is charged."""
    with closing(sqlite3.connect(home / ".dialer" / "ledger.db")) as db:
        assert db.execute("SELECT state, attempts, count(*) FROM lead GROUP BY 1, 2").fetchall() == [("queued", 0, 3)]
        assert db.execute("SELECT count(*) FROM attempt WHERE state <> 'void'").fetchone() == (0,)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """The base URL of a sandbox in a process of its own."""
    with sandbox_process("--speed", "1000") as url:
        assert url.startswith("http://127.0.0.1:")
        yield url


def _calls_at(base_url: str) -> int:
    address = urlsplit(base_url)
    assert address.hostname is not None
    with closing(http.client.HTTPConnection(address.hostname, address.port, timeout=10)) as connection:
        connection.request("GET", f"{address.path}/calls", headers={"Authorization": "Bearer any"})
        total: int = json.loads(connection.getresponse().read())["meta"]["total"]
    return total


# --- the command line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["dial"], "invalid choice: 'dial'"),
        (["run"], "CAMPAIGN"),
        (["run", "spring.toml", "--limit", "0"], "'0' is not a whole number above zero"),
        (["run", "spring.toml", "--limit", "-3"], "--limit"),
        (["run", "spring.toml", "--limt", "3"], "unrecognized arguments: --limt"),
    ],
    ids=["nothing", "unknown command", "no campaign", "limit 0", "limit -3", "unknown flag"],
)
def test_a_mistyped_command_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    shown = capsys.readouterr()
    assert (left.value.code, shown.out) == (2, "")
    assert shown.err.startswith("dialer: ")
    assert said in shown.err
    assert shown.err.endswith("--help)\n")
    assert shown.err.count("\n") == 1


def test_a_limit_of_no_calls_is_refused_before_anything_begins(tmp_path: Path) -> None:
    done = _from_the_shell(tmp_path, "run", _campaign(tmp_path), "--limit", "0")
    assert done.returncode == 2
    _mended_by_the_user(done)
    assert "argument --limit: '0' is not a whole number above zero" in done.stderr
    _nothing_was_begun(tmp_path)


# --- the campaign file ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "text", "said"),
    [
        ("", "[pacing]\nmax_concurent = 3", "unknown key 'pacing.max_concurent'; did you mean 'max_concurrent'?"),
        ("contact = 1", "", "unknown key 'contact'; did you mean 'contacts'?"),
        ("", '[pacing]\nmax_concurrent = "three"', "'pacing.max_concurrent'"),
        ("", "[retry]\nbusy = [15]", "'retry.busy"),
        ("", "[api\n", "not valid TOML"),
        ("", '[api]\nbase_url = "http://example.com/v1"', "only https"),
        ("", "[sandbox]\nslotz = 3", "sandbox.slotz"),
    ],
    ids=["key of a table", "key of the file", "type", "duration", "TOML", "plain http", "sandbox"],
)
def test_a_mistake_in_the_campaign_file_is_named_with_its_key(
    tmp_path: Path, here: Callable[..., Done], head: str, text: str, said: str
) -> None:
    line = _mended_by_the_user(here("run", _campaign(tmp_path, text, head=head)))
    assert said in line
    assert "spring" in line
    _nothing_was_begun(tmp_path)


def test_an_unknown_key_and_a_missing_list_and_a_missing_ledger_leave_a_process_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    typo = _campaign(tmp_path, "[pacing]\nmax_concurent = 3")
    no_list = _campaign(tmp_path / "other", content=None)
    for done in _all_of(tmp_path, ("run", typo), ("run", no_list), ("resume", "spring"), ("status", "spring")):
        _mended_by_the_user(done)
    _nothing_was_begun(tmp_path)


def test_a_campaign_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone, directory = _all_of(tmp_path, ("run", "gone.toml"), ("check", tmp_path))
    assert "gone.toml: there is no such campaign file" in _mended_by_the_user(gone)
    assert "directory" in _mended_by_the_user(directory)
    _nothing_was_begun(tmp_path)


# --- the list ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such contact list"),
        ("", "the list is empty"),
        ("name,city\nAda,Paris\n", "[columns] phone ="),
        ("phone,mobile\n+12125550100,+12125550101\n", '[columns] phone = ["phone", "mobile"]'),
        (b"phone,name\n+12125550100,\x81\x8d\n", "not UTF-8"),
        (LIST + '+12125550105,"Dan\n', "line 5"),
    ],
    ids=["missing", "empty", "no phone column", "two phone columns", "no encoding", "open quote at the end"],
)
def test_a_list_that_cannot_be_read_is_one_line_before_anything_begins(
    tmp_path: Path, here: Callable[..., Done], content: str | bytes | None, said: str
) -> None:
    line = _mended_by_the_user(here("run", _campaign(tmp_path, content=content)))
    assert said in line
    assert "list.csv" in line
    _nothing_was_begun(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("phone,name\n", "no row can be called"),
        ("phone,name\n12,Ada\n", "no row can be called"),
        ("phone\n" + "+12125550100\n" * 300 + '"+12125550105\n', "line 302"),
    ],
    ids=["header only", "no usable row", "open quote far below"],
)
def test_a_list_that_cannot_be_imported_enrolls_nobody(
    tmp_path: Path, here: Callable[..., Done], content: str, said: str
) -> None:
    done = here("run", _campaign(tmp_path, content=content))
    assert said in _mended_by_the_user(done)
    with closing(sqlite3.connect(tmp_path / ".dialer" / "ledger.db")) as db:
        assert db.execute("SELECT (SELECT count(*) FROM lead), (SELECT count(*) FROM rejected)").fetchone() == (0, 0)


# --- the key -------------------------------------------------------------------------------------------------------


def test_real_calls_need_a_key(tmp_path: Path) -> None:
    line = _mended_by_the_user(_dialer(tmp_path, "run", _campaign(tmp_path, _at(REAL)), "--yes"))
    assert "SMARTALEX_API_KEY" in line
    assert "--api-key-file" in line
    _nothing_was_begun(tmp_path)


@pytest.mark.parametrize(
    ("mode", "content", "said"),
    [(0o644, "secret-1", "chmod 600"), (0o600, " \n", "holds no API key"), (None, "", "No such file")],
    ids=["others can read it", "empty", "missing"],
)
def test_a_key_file_that_will_not_do_says_why(
    tmp_path: Path, here: Callable[..., Done], mode: int | None, content: str, said: str
) -> None:
    if mode is not None:
        (tmp_path / "key").write_text(content)
        (tmp_path / "key").chmod(mode)
    done = here("run", _campaign(tmp_path, _at(REAL)), "--yes", "--api-key-file", "key")
    assert said in _mended_by_the_user(done)
    assert "secret-1" not in done.stdout + done.stderr
    _nothing_was_begun(tmp_path)


def test_real_calls_need_a_yes_where_nobody_can_be_asked(tmp_path: Path) -> None:
    done = _dialer(tmp_path, "run", _campaign(tmp_path, _at(REAL)), SMARTALEX_API_KEY="secret-1")
    assert "--yes" in _mended_by_the_user(done)
    assert "secret-1" not in done.stdout + done.stderr
    _nothing_was_begun(tmp_path)


@pytest.mark.parametrize("key", ["wrong-key", "forbidden-key"])
def test_a_key_the_api_does_not_accept_calls_nobody_and_loses_nobody(tmp_path: Path, sandbox: str, key: str) -> None:
    before = _calls_at(sandbox)
    done = _dialer(tmp_path, "run", _campaign(tmp_path, _at(sandbox)), SMARTALEX_API_KEY=key)
    assert "the API does not accept the key" in _mended_after_the_import(done)
    assert key not in done.stdout + done.stderr
    _all_are_queued(tmp_path)
    assert _calls_at(sandbox) == before
    written = b"".join(path.read_bytes() for path in (tmp_path / ".dialer").iterdir())
    assert key.encode() not in written


# --- the API -------------------------------------------------------------------------------------------------------


def test_a_host_that_cannot_be_reached_calls_nobody_and_loses_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = _dialer(tmp_path, "run", _campaign(tmp_path, _at(f"http://127.0.0.1:{port}/v1")))
    line = _mended_after_the_import(done)
    assert f"cannot reach http://127.0.0.1:{port}/v1" in line
    _all_are_queued(tmp_path)


def test_an_agent_that_does_not_exist_stops_the_run_and_loses_nobody(tmp_path: Path, sandbox: str) -> None:
    before = _calls_at(sandbox)
    path = _campaign(tmp_path, _at(sandbox))
    path.write_text(path.read_text().replace("agent_a", "agent_missing"))
    assert "agent" in _mended_after_the_import(_dialer(tmp_path, "run", path))
    _all_are_queued(tmp_path)
    assert _calls_at(sandbox) == before


def test_a_mended_agent_goes_on_with_everybody(tmp_path: Path, sandbox: str) -> None:
    path = _campaign(tmp_path, _at(sandbox), "phone,name\n+12125550100,Ada\n")
    right = path.read_text()
    path.write_text(right.replace("agent_a", "agent_missing"))
    assert _dialer(tmp_path, "run", path).returncode == 2
    path.write_text(right)
    done = _dialer(tmp_path, "run", path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(_dialer(tmp_path, "status", "spring", "--json").stdout)
    assert figures["contacts"]["by_state"]["reached"] == 1
    assert figures["attempts"]["charged"] == 1


# --- the ledger ----------------------------------------------------------------------------------------------------


def test_a_ledger_that_cannot_be_is_one_line(tmp_path: Path, here: Callable[..., Done]) -> None:
    path = _campaign(tmp_path)
    (tmp_path / "file.txt").write_text("Dear diary, " * 100)
    (tmp_path / "dir").mkdir()
    for ledger in ("dir", "file.txt/ledger.db", "file.txt", "postgresql://host/db"):
        for done in (_dialer(tmp_path, "run", path, "--ledger", ledger), here("status", "--ledger", ledger)):
            assert ledger.split("/", maxsplit=1)[0].split(":", maxsplit=1)[0] in _mended_by_the_user(done)
    assert (tmp_path / "file.txt").read_text() == "Dear diary, " * 100
    assert not list((tmp_path / "dir").iterdir())
    assert not (tmp_path / "reports").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="read-only directories do not bind root")
def test_a_ledger_in_a_read_only_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ro").mkdir(mode=0o500)
    _mended_by_the_user(_dialer(tmp_path, "run", _campaign(tmp_path), "--ledger", "ro/ledger.db"))


def test_a_second_runner_on_the_same_ledger_stays_outside(tmp_path: Path) -> None:
    path = _campaign(tmp_path)
    ledger = SqliteLedger(tmp_path / "ledger.db")
    try:
        record = put(ledger)
        enroll(ledger, record, [person(0)])
        place = ("--ledger", "ledger.db")
        *kept_out, reader = _all_of(tmp_path, ("run", path, *place), ("resume", "spring", *place), ("status", *place))
        for done in kept_out:
            line = _mended_by_the_user(done, 5)
            assert "another runner holds the ledger" in line
            assert str(os.getpid()) in line
        assert len(ledger.claim(record.id, 9e9, 10)) == 1
        assert (reader.returncode, reader.stderr) == (0, "")
    finally:
        ledger.close()


def test_going_on_without_a_ledger_makes_none(tmp_path: Path, here: Callable[..., Done]) -> None:
    for command in (("resume",), ("resume", "spring"), ("status",), ("report", "spring")):
        assert "there is no ledger" in _mended_by_the_user(here(*command))
    _nothing_was_begun(tmp_path)


def test_a_campaign_the_ledger_does_not_know_is_told_with_those_it_knows(
    tmp_path: Path, here: Callable[..., Done]
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    enroll(ledger, put(ledger), [person(0)])
    put(ledger, "autumn")
    ledger.close()
    place = ("--ledger", "ledger.db")
    named = [(command, "winter", *place) for command in ("status", "report", "resume")]
    status, report, resume, unnamed = (_mended_by_the_user(here(*command)) for command in (*named, ("resume", *place)))
    for line in (status, report, resume):
        assert "knows no campaign 'winter' (known: spring, autumn)" in line
    assert "which campaign? The ledger ledger.db knows: spring, autumn" in unnamed


def test_reports_that_cannot_be_written_are_one_line(tmp_path: Path, here: Callable[..., Done]) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    enroll(ledger, put(ledger), [person(0)])
    ledger.close()
    (tmp_path / "file.txt").write_text("x")
    done = here("report", "spring", "--ledger", "ledger.db", "--out", "file.txt/out")
    assert "--out" in _mended_by_the_user(done)


# --- known bugs: a traceback where one line is due -----------------------------------------------------------------


def test_a_list_in_the_home_of_nobody_is_one_line(tmp_path: Path, here: Callable[..., Done]) -> None:
    path = _campaign(tmp_path)
    path.write_text(path.read_text().replace("list.csv", "~nobody-here/list.csv"))
    _mended_by_the_user(here("check", path))


def test_a_list_whose_name_no_file_can_have_is_one_line(tmp_path: Path, here: Callable[..., Done]) -> None:
    path = _campaign(tmp_path)
    path.write_text(path.read_text().replace("list.csv", r"a\u0000b.csv"))
    _mended_by_the_user(here("check", path))


def test_a_ledger_in_the_home_of_nobody_is_one_line(here: Callable[..., Done]) -> None:
    _mended_by_the_user(here("status", "--ledger", "~nobody-here/ledger.db"))


def test_a_ledger_with_a_name_too_long_is_one_line(here: Callable[..., Done]) -> None:
    _mended_by_the_user(here("status", "--ledger", "x" * 300))


def test_a_sandbox_on_a_port_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    _mended_by_the_user(_dialer(tmp_path, "sandbox", "--port", "99999"))


def test_an_address_with_a_port_that_cannot_be_is_one_line(tmp_path: Path, here: Callable[..., Done]) -> None:
    done = here("run", _campaign(tmp_path, _at("http://127.0.0.1:99999/v1")))
    assert "base_url" in _mended_by_the_user(done)


# --- and when all is well ------------------------------------------------------------------------------------------


def test_a_check_of_the_sample_list_says_what_would_happen_and_does_nothing(tmp_path: Path) -> None:
    done = _from_the_shell(tmp_path, "check", ROOT / "campaigns" / "demo.toml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "phone -> phone" in done.stdout
    contacts, refused = map(int, re.findall(r"rows +60: (\d+) contacts to call, (\d+) rejected", done.stdout)[0])
    assert contacts + refused == 60
    assert "+12125550100" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_status_can_be_read_by_machines(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    enroll(ledger, put(ledger), [person(0), person(1)])
    ledger.close()
    done = _from_the_shell(tmp_path, "status", "--json", DIALER_LEDGER="ledger.db")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    assert figures["campaign"] == "spring"
    assert figures["contacts"]["by_state"]["queued"] == 2
    assert figures["rows"] == {"input": 2, "contacts": 2, "rejected": 0, "rejected_reasons": {}}
