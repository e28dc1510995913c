"""``dialer calls transcript``: a call as a conversation, from the disk or from the API, and inert on a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dialer.cli import main
from dialer.commands.calls import conversation
from dialer.rehearsal.spoiling import HOSTILE
from tests.support.processes import finish, sandbox_process, start_run

TURNS = [
    {"speaker": "agent", "text": "Hello, this is Alex with a short reminder about your appointment.", "timestamp": 0},
    {"speaker": "caller", "text": "Yes?\nGo ahead.", "timestamp": 65.4},
    {"speaker": "agent", "text": "Goodbye.", "timestamp": 3725},
    {"speaker": None, "text": None, "timestamp": None},
]  # fmt: skip


def test_a_call_reads_as_a_conversation_wrapped_to_the_width() -> None:
    said = {
        "call_id": "call_1",
        "phone": "+12125550100",
        "duration_s": 245,
        "transcript": TURNS,
        "summary": "Booked. " * 12,
    }
    lines = "\n".join(conversation(said, 60)).splitlines()
    assert lines[0] == "call_1  +1212•••0100  4.1 min"
    assert lines[1].startswith("  00:00  agent   Hello, this is Alex")
    assert lines[2].startswith(" " * 17)
    assert "  01:05  caller  Yes? Go ahead." in lines
    assert "1:02:05  agent   Goodbye." in lines
    assert "  --:--  ?" in [line.rstrip() for line in lines]  # no words, no time
    assert any(line.startswith("Summary: Booked.") for line in lines)
    assert max(map(len, lines)) <= 60


def test_a_call_in_which_nothing_was_said_says_so() -> None:
    assert list(conversation({"call_id": "call_1", "transcript": []}, 80))[1].startswith("(nothing was said")


@pytest.mark.parametrize("field", ["call_id", "agent_id", "disposition", "created_at", "summary", "phone"])
def test_whatever_steers_a_terminal_is_text(field: str) -> None:
    turn = {"speaker": HOSTILE, "text": HOSTILE, "timestamp": HOSTILE}
    shown = "\n".join(conversation({field: HOSTILE, "transcript": [turn]}, 80))
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert "<script>alert(1)</script>" in shown


def test_hostile_words_are_inert_wherever_they_come_out_and_the_call_is_found_fetched_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SMARTALEX_API_KEY", "DIALER_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    with sandbox_process("--speed", "200", "--fault", "hostile_words") as url:
        (tmp_path / "contacts.csv").write_text("phone\n+12125550100\n")
        api = f'[api]\nbase_url = "{url}"\nrequests_per_minute = 6000\n[retry]\nuncertain_horizon = "1s"\n'
        head = 'name = "spring"\ncontacts = "contacts.csv"\nagents = ["agent_a"]\nhours = "always"\n'
        (tmp_path / "campaign.toml").write_text(head + api)
        assert finish(start_run(tmp_path))[0] == 0
        assert main(["fetch", "spring", "--quiet"]) == 0
        out = tmp_path / "reports" / "spring"
        path = next((out / "transcripts").iterdir())
        capsys.readouterr()
        shown = []
        for more in ([], ["--out", "nowhere"]):  # from the disk, and from the API
            assert main(["calls", "transcript", path.stem, *more]) == 0
            shown.append(capsys.readouterr().out)
            assert main(["calls", "transcript", path.stem, "--json", *more]) == 0
            raw = capsys.readouterr().out
            assert raw.isascii()
            assert json.loads(raw)["summary"] == HOSTILE
            assert "\x1b" not in raw
        assert shown[0] == shown[1]
        assert all(character.isprintable() or character == "\n" for character in shown[0])
        _still_read_when_something_is_in_the_way(path, shown[0], capsys)
        assert main(["calls", "transcript", "call_nobody", "--base-url", url]) == 2
        said = capsys.readouterr().err
        assert (said.count("\n"), "knows no call call_nobody" in said) == (1, True)
    for file in (path, out / "fetched.jsonl"):
        assert file.read_bytes().isascii()
        assert b"\x1b" not in file.read_bytes()
    assert ",\"'=HYPERLINK" in (out / "summaries.csv").read_text("utf-8")
    assert main(["calls", "transcript", path.stem, "--out", "nowhere"]) == 2  # the sandbox is gone
    assert main(["calls", "transcript", "../../etc/passwd"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def _still_read_when_something_is_in_the_way(path: Path, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The file was damaged by hand, the ledger takes no booking, the ledger cannot even be read."""
    ledger, whole = Path(".dialer/ledger.db"), path.read_bytes()
    damaged: list[dict[str, Any]] = [
        {"transcript": 5},
        {"transcript": ["Hello"]},
        {"transcript": [], "summary": 5},
        {"transcript": None},
        {},
    ]
    for said in damaged:
        path.write_text(json.dumps({"call_id": path.stem, **said}))
        assert main(["calls", "transcript", path.stem]) == 0
        assert capsys.readouterr().out == shown
    path.write_text(json.dumps({"call_id": path.stem, "transcript": [], "duration_s": 10**400}))
    assert main(["calls", "transcript", path.stem]) == 0
    path.write_bytes(whole)
    lock = ledger.with_name("ledger.db.lock")
    lock.unlink()
    lock.mkdir()
    capsys.readouterr()
    assert main(["calls", "transcript", path.stem, "--out", "nowhere"]) == 0  # from the API, booked nowhere
    assert capsys.readouterr().out == shown
    lock.rmdir()
    ledger.rename("aside.db")
    assert main(["calls", "transcript", path.stem]) == 0  # from the disk
    assert capsys.readouterr().out == shown
    Path("aside.db").rename(ledger)
