"""Fetching, whole: the program against the sandbox, over real HTTP, with things going wrong, and really killed.

How: one campaign is run once against the embedded sandbox, which remembers its calls; each test takes a copy of it, and
exchanges the campaign file in the ledger for one with other faults. The ledger tells how many requests were made.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

import dialer.client.media
import dialer.fetching
from dialer.cli import main
from dialer.core.errors import ExitCode
from dialer.fetching.manifest import Manifest
from dialer.ledger.lock import runner_of
from dialer.ledger.sqlite import SqliteLedger
from tests.support.processes import Process, finish, sandbox_process, start_dialer, start_run

TALKS, MACHINE, NOBODY = ("+12125550100", "+12125550109", "+12125550110"), "+12125550105", "+12125550104"
CAMPAIGN = """
name = "spring"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "{url}"
requests_per_minute = {per_minute}
requests_per_day = {per_day}
timeout = "2s"
[retry]
max_attempts = 1
uncertain_horizon = "1s"
{sandbox}
"""
KINDS = ("--transcripts", "--summaries", "--recordings")
Done = subprocess.CompletedProcess[str]
_certificates = cache(httpx.create_ssl_context)


def _text(*, url: str = "sandbox", per_minute: int = 6000, per_day: int = 10_000, rules: str = "") -> str:
    sandbox = "" if url != "sandbox" else f"[sandbox]\nspeed = 200\nmean_talk = 20\n{rules}"
    return CAMPAIGN.format(url=url, per_minute=per_minute, per_day=per_day, sandbox=sandbox)


def _write(home: Path, text: str, phones: tuple[str, ...]) -> None:
    (home / "contacts.csv").write_text("phone,city\n" + "".join(f"{phone},Paris\n" for phone in phones))
    (home / "campaign.toml").write_text(text)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished campaign: calls that were answered, one by a machine, one by nobody, one that failed."""
    home = tmp_path_factory.mktemp("played")
    _write(home, _text(), (*TALKS, MACHINE, NOBODY))
    code, said = finish(start_run(home))
    assert code == 0, said
    return home


@pytest.fixture
def home(played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the program works without long pauses."""
    shutil.copytree(played, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name in ("SMARTALEX_API_KEY", "DIALER_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(dialer.fetching, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(httpx, "create_ssl_context", _certificates)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The program, in this process and in ``home``."""

    def run(*arguments: object) -> Done:
        code = main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return subprocess.CompletedProcess([*map(str, arguments)], code, shown.out, shown.err)

    return run


def _now_with(home: Path, faults: str = "", **limits: Any) -> None:
    """Exchange the campaign in the ledger: other faults, other limits, another address."""
    ledger = SqliteLedger(home / ".dialer" / "ledger.db")
    try:
        text = _text(rules=f"faults = {{ {faults} }}\n" if faults else "", **limits)
        ledger.put_campaign("spring", str(home / "campaign.toml"), text, "other", time.time())
    finally:
        ledger.close()


def _spent(home: Path) -> int:
    with closing(sqlite3.connect(home / ".dialer" / "ledger.db")) as db:
        return int(db.execute("SELECT coalesce(sum(requests), 0) FROM spent").fetchone()[0])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _outcomes(home: Path) -> dict[str, list[str]]:
    """The outcomes of each kind in fetched.csv, sorted."""
    rows = _rows(home / "reports" / "spring" / "fetched.csv")
    return {
        kind: sorted(row["outcome"] for row in rows if row["kind"] == kind) for kind in {row["kind"] for row in rows}
    }


def _files(home: Path, folder: str) -> list[Path]:
    return sorted((home / "reports" / "spring" / folder).iterdir())


# --- what is fetched ------------------------------------------------------------------------------------------------


def test_everything_is_fetched_once_for_its_owners_eyes_and_a_second_start_asks_for_nothing(
    home: Path, run: Callable[..., Done]
) -> None:
    before = _spent(home)
    done = run("fetch", "spring", *KINDS)
    assert done.returncode == 0, done.stderr
    assert "fetched: 4 transcripts, 4 summaries, 4 recordings" in done.stdout
    assert "not asked for, since nobody answered" in done.stdout
    assert _spent(home) - before == 8  # one for the words of a call, one for its sound
    out = home / "reports" / "spring"
    for folder in ("transcripts", "recordings"):
        assert stat.S_IMODE((out / folder).stat().st_mode) == 0o700
    files = [*_files(home, "transcripts"), *_files(home, "recordings"), *out.glob("fetched.*"), out / "summaries.csv"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    said = json.loads(_files(home, "transcripts")[0].read_text("ascii"))
    assert said["phone"] in {*TALKS, MACHINE}
    assert {*said["transcript"][0]} == {"speaker", "text", "timestamp"}
    assert {path.read_bytes()[:4] for path in _files(home, "recordings")} == {b"RIFF"}
    assert min(row["summary"] for row in _rows(out / "summaries.csv")).startswith("The agent")
    assert len(_rows(out / "fetched.csv")) == 5 * 3

    again = run("fetch", "spring", *KINDS)
    assert (again.returncode, "already there: 4 transcripts, 4 summaries, 4 recordings" in again.stdout) == (0, True)
    assert _spent(home) - before == 8


def test_a_transcript_that_a_hand_has_damaged_is_fetched_anew(home: Path, run: Callable[..., Done]) -> None:
    condition = ("--where", "disposition=voicemail", "--transcripts")
    assert run("fetch", "spring", *condition).returncode == 0
    (path,) = _files(home, "transcripts")
    whole = json.loads(path.read_text("ascii"))
    path.write_text(json.dumps({**whole, "transcript": 5}))
    (home / "reports" / "spring" / "fetched.jsonl").unlink()
    assert "fetched: 1 transcript" in run("fetch", "spring", *condition).stdout
    assert json.loads(path.read_text("ascii"))["transcript"] == whole["transcript"]


def test_without_a_kind_words_are_fetched_and_no_sound_and_conditions_choose_calls(
    home: Path, run: Callable[..., Done]
) -> None:
    done = run("fetch", "spring", "--where", "state=reached", "--where", "city=Paris", "--where", "duration_s>=1")
    assert done.returncode == 0, done.stderr
    assert _outcomes(home) == {"transcript": ["fetched"] * 3, "summary": ["fetched"] * 3}
    assert not (home / "reports" / "spring" / "recordings").exists()
    assert run("fetch", "spring", "--where", "disposition=voicemail", "--summaries").returncode == 0
    assert len(_files(home, "transcripts")) == 3  # whoever wants summaries gets no transcripts
    assert len(_rows(home / "reports" / "spring" / "summaries.csv")) == 4


def test_a_mistake_is_one_line_before_anything_is_made(home: Path, run: Callable[..., Done]) -> None:
    for arguments, said in [
        (("nobody",), "knows no campaign"),
        (("spring", "--where", "mood=good"), "no column 'mood'"),
        (("spring", "--where", "what"), "--where 'what'"),
    ]:
        done = run("fetch", *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert said in done.stderr
    assert not (home / "reports" / "nobody").exists()
    assert not (home / "reports" / "spring" / "fetched.jsonl").exists()


def test_what_there_is_not_is_an_outcome_and_is_asked_for_again_only_while_it_may_come_or_where_one_says_so(
    home: Path, run: Callable[..., Done]
) -> None:
    _now_with(home, "recording_not_available = 1")
    done = run("fetch", "spring", "--recordings")
    assert (done.returncode, "not available: 4 recordings" in done.stdout) == (0, True)
    with closing(sqlite3.connect(home / ".dialer" / "ledger.db")) as db:
        db.execute("UPDATE attempt SET ended_at = ended_at - 7200")
        db.commit()
    _now_with(home)
    before = _spent(home)
    assert "not available: 4 recordings" in run("fetch", "spring", "--recordings").stdout
    assert _spent(home) == before
    assert "fetched: 4 recordings" in run("fetch", "spring", "--recordings", "--again").stdout
    _files(home, "recordings")[0].unlink()
    done = run("fetch", "spring", "--recordings")
    assert "already there: 4 recordings" in done.stdout  # it was taken away on purpose, as far as anybody can tell
    assert "1 file of them are gone" in done.stdout
    assert "fetched: 1 recording" in run("fetch", "spring", "--recordings", "--again").stdout


# --- recordings that are none ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome", "why", "requests"),
    [
        ("recording_404 = 1", "not_available", "HTTP 404, at 3 addresses", 3),
        ("recording_expired = 1", "not_available", "HTTP 410, at 3 addresses", 3),
        ("recording_private_ip = 1", "refused", "169.254.169.254", 1),
        ("recording_other_host = 1", "refused", "recordings.invalid", 1),
        ("recording_html = 1", "refused", "text/html", 1),
        ("recording_redirect = 1", "refused", "not followed", 1),
        ("recording_huge = 1", "refused", "larger than", 1),
        ("recording_endless = 1", "refused", "larger than", 1),
        ('"audio:gzip_bomb" = 1', "refused", "larger than", 1),
        ('"audio:wrong_type" = 1', "refused", "text/plain", 1),
    ],
)
def test_what_lies_in_the_place_of_a_recording_is_not_kept(
    home: Path,
    run: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    outcome: str,
    why: str,
    requests: int,
) -> None:
    monkeypatch.setattr("dialer.commands.fetch.MediaClient", _small_media)
    _now_with(home, fault)
    before = _spent(home)
    done = run("fetch", "spring", "--recordings", "--where", "disposition=voicemail")
    assert done.returncode == 0, done.stderr
    rows = [row for row in _rows(home / "reports" / "spring" / "fetched.csv") if row["outcome"] != "unanswered"]
    assert {row["outcome"] for row in rows} == {outcome}
    assert all(why in row["why"] for row in rows)
    assert _files(home, "recordings") == []
    assert _spent(home) - before == requests


def _small_media(rules: dialer.client.media.Rules) -> dialer.client.media.MediaClient:
    """Recordings of the rehearsal are below 2 MB."""
    return dialer.client.media.MediaClient(rules, most_bytes=2 << 20)


@pytest.mark.parametrize(
    "faults",
    [
        'recording_expired = "@1-2"',
        '"audio:error_503_before" = "@1-3"',
        '"audio:truncated_body" = "@1-2"',
        '"recording:error_503_before" = "@1-3", "recording:retry_after_negative" = "@5"',
        '"recording:truncated_json" = "@2", "recording:accept_then_close" = "@3"',
        "recording_octets = 1",
    ],
)
def test_what_passes_is_tried_again_until_it_is_whole(home: Path, run: Callable[..., Done], faults: str) -> None:
    _now_with(home, faults)
    done = run("fetch", "spring", "--recordings")
    assert done.returncode == 0, done.stderr
    assert _outcomes(home) == {"recording": ["fetched"] * 4 + ["unanswered"]}
    for path in _files(home, "recordings"):
        raw = path.read_bytes()
        assert int.from_bytes(raw[4:8], "little") + 8 == len(raw)


def test_a_name_that_leads_elsewhere_leads_nowhere(home: Path, run: Callable[..., Done]) -> None:
    _now_with(home, "recording_bad_name = 1")

    def others() -> set[Path]:
        return {path for path in home.rglob("*") if {"reports", ".dialer"}.isdisjoint(path.relative_to(home).parts)}

    before = others()
    run("fetch", "spring", "--recordings", "--where", "disposition=voicemail")
    assert others() == before
    assert _files(home, "recordings") == []


def test_an_api_that_is_away_ends_it_soon_and_the_next_start_goes_on(home: Path, run: Callable[..., Done]) -> None:
    _now_with(home, '"transcript:error_500_before" = 1')
    done = run("fetch", "spring")
    assert done.returncode == ExitCode.WORK_LEFT
    assert "left: 4 transcripts, 4 summaries" in done.stdout
    assert "go on with the same command" in done.stderr
    assert _outcomes(home)["summary"] == ["left"] * 4 + ["unanswered"]
    _now_with(home)
    assert "fetched: 4 transcripts" in run("fetch", "spring").stdout


@pytest.mark.parametrize("code", ["unauthorized", "forbidden"])
def test_a_key_that_is_refused_is_one_line(home: Path, run: Callable[..., Done], code: str) -> None:
    _now_with(home, f"{code} = 1")
    done = run("fetch", "spring")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert code in done.stderr


def test_the_words_of_another_call_are_not_taken_for_this_ones(home: Path, run: Callable[..., Done]) -> None:
    _now_with(home, "other_transcript = 1")
    done = run("fetch", "spring")
    assert "refused: 4 transcripts, 4 summaries (8: the answer is about another call)" in done.stdout
    assert _files(home, "transcripts") == []


def test_a_place_that_cannot_be_written_is_one_line_and_nothing_half_stays(
    home: Path, run: Callable[..., Done]
) -> None:
    out = home / "reports" / "spring"
    out.mkdir(parents=True, exist_ok=True)
    (out / "transcripts").symlink_to("/tmp")  # noqa: S108  # nothing goes there
    done = run("fetch", "spring", "--transcripts")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "leads elsewhere" in done.stderr
    (out / "transcripts").unlink()
    (out / "transcripts").write_text("in the way")
    done = run("fetch", "spring", "--transcripts")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("kind", ["--transcripts", "--recordings"])
def test_a_full_disk_is_one_line_and_the_next_start_goes_on(
    home: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with monkeypatch.context() as narrow:
        narrow.setattr("dialer.fetching.shelf.Part.write", _no_room)
        done = run("fetch", "spring", kind)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "No space left" in done.stderr
    assert not _files(home, kind[2:])
    assert f"fetched: 4 {kind[2:]}" in run("fetch", "spring", kind).stdout


def _no_room(_part: object, _data: bytes) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# --- budget and runs ------------------------------------------------------------------------------------------------


def test_a_day_that_is_used_up_ends_it_with_work_left_where_nobody_waits(home: Path, run: Callable[..., Done]) -> None:
    _now_with(home, per_day=_spent(home) + 3)
    done = run("fetch", "spring", "--no-wait")
    assert done.returncode == ExitCode.WORK_LEFT
    assert "fetched: 3 transcripts, 3 summaries" in done.stdout
    assert "requests are spent" in done.stderr


def test_while_a_run_holds_the_ledger_nothing_is_asked_and_no_wait_says_so(
    home: Path, run: Callable[..., Done]
) -> None:
    ledger = SqliteLedger(home / ".dialer" / "ledger.db")
    before = _spent(home)
    try:
        done = run("fetch", "spring", "--no-wait")
    finally:
        ledger.close()
    assert done.returncode == ExitCode.HELD
    assert "dialing goes first" in done.stderr
    assert _spent(home) == before


def test_two_fetches_do_not_write_into_one_directory(home: Path, run: Callable[..., Done]) -> None:
    (home / "reports" / "spring").mkdir(parents=True, exist_ok=True)
    manifest = Manifest(home / "reports" / "spring")
    try:
        done = run("fetch", "spring")
    finally:
        manifest.close()
    assert (done.returncode, "another fetch" in done.stderr) == (5, True)


def test_while_another_fetch_asks_into_another_directory_no_wait_says_so_and_nothing_is_asked(
    home: Path, run: Callable[..., Done]
) -> None:
    before = _spent(home)
    with (home / ".dialer" / "ledger.db.fetch").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = run("fetch", "spring", "--out", "elsewhere", "--no-wait")
    assert (done.returncode, len(done.stderr.splitlines())) == (ExitCode.HELD, 1)
    assert "another fetch is asking" in done.stderr
    assert _spent(home) == before
    assert run("fetch", "spring", "--out", "elsewhere", "--no-wait").returncode == 0


def _lines(home: Path) -> list[dict[str, Any]]:
    path = home / "reports" / "spring" / "fetched.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def _until_lines(home: Path, count: int, process: Process) -> None:
    deadline = time.monotonic() + 30
    while len(_lines(home)) < count:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A finished campaign at a sandbox that stays, slow to answer, and its address."""
    home = tmp_path_factory.mktemp("many")
    with sandbox_process("--speed", "500", "--set", "mean_talk=5", "--set", "delay=0.05") as url:
        _write(home, _text(url=url), tuple(f"+1212556{index:04d}" for index in range(14)))
        code, said = finish(start_run(home))
        assert code == 0, said
        yield home, url


def test_killed_at_any_instant_it_goes_on_and_fetches_nothing_twice(many: tuple[Path, str], tmp_path: Path) -> None:
    home, _ = many
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    kept: dict[str, tuple[int, int]] = {}
    for so_many in (1, 8):
        process = start_dialer(tmp_path, "fetch", "spring", *KINDS)
        _until_lines(tmp_path, so_many, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for entry in _lines(tmp_path):
            path = tmp_path / "reports" / "spring" / entry.get("file", "")
            assert not entry.get("file") or path.stat().st_size == entry["bytes"]
        for name, stood in _stand(tmp_path).items():
            assert kept.setdefault(name, stood) == stood
    torn = tmp_path / "reports" / "spring" / "fetched.jsonl"
    with torn.open("a") as file:
        file.write('{"call": "call_torn", "kind": "trans')
    part = tmp_path / "reports" / "spring" / "recordings" / ".call_1.0123abcd.part"
    part.write_bytes(b"half")
    process = start_dialer(tmp_path, "fetch", "spring", *KINDS)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 0, complained
    assert not list((tmp_path / "reports").rglob("*.part"))
    things = [(entry["call"], entry["kind"]) for entry in _whole_lines(torn)]
    assert len(things) == len(set(things))
    for name, stood in _stand(tmp_path).items():
        assert kept.get(name, stood) == stood
    assert "left" not in said


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def _stand(home: Path) -> dict[str, tuple[int, int]]:
    """The files that are whole, with what changes when they are written anew."""
    folders = [home / "reports" / "spring" / folder for folder in ("transcripts", "recordings")]
    files = [path for folder in folders if folder.exists() for path in folder.iterdir() if path.suffix != ".part"]
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_a_run_that_starts_while_things_are_fetched_goes_first_and_fetching_goes_on_after_it(
    many: tuple[Path, str], tmp_path: Path
) -> None:
    home, url = many
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    _now_with(tmp_path, url=url, per_minute=30)
    people = tuple(f"+1212556{index:04d}" for index in range(40))
    _write(tmp_path, _text(url=url, per_minute=600), people)  # some seconds: longer than from one request to the next
    process = start_dialer(tmp_path, "fetch", "spring")
    try:
        _until_lines(tmp_path, 2, process)
        runner = start_run(tmp_path)
        kept = _while_it_holds(tmp_path, runner)
        code, said = finish(runner)
        assert code == 0, said
        assert kept[-1] == kept[len(kept) // 2]  # what was on its way came; nothing else was asked for meanwhile
        _until_lines(tmp_path, kept[-1] + 2, process)  # and then it goes on
    finally:
        process.kill()
        _, complained = process.communicate()
    assert "dialing goes first" in complained


def _while_it_holds(home: Path, runner: Process) -> list[int]:
    """How many outcomes there were, looked at over and over while the runner held the ledger."""
    seen: list[int] = []
    while runner.poll() is None:
        if runner_of(home / ".dialer" / "ledger.db") is not None:
            seen.append(len(_lines(home)))
        time.sleep(0.02)
    return seen
