"""Reading lists as it is seen: a bar on a terminal, silence where nobody asked, and what must be known before calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.cli import main
from dialer.commands.display import BarDisplay, PlainDisplay, QuietDisplay
from dialer.commands.importing import import_progress, loud
from dialer.intake.tables import Note


def test_a_bar_shows_how_much_of_the_lists_is_read_and_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    with import_progress(BarDisplay()) as progress:
        progress(5_000, 0.25)
        progress(20_000, 1.0)
    shown = capsys.readouterr().err
    assert "100%" in shown
    assert "20,000 rows" in shown
    assert shown.rstrip(" ").endswith("\r")


@pytest.mark.parametrize("display", [None, QuietDisplay(), PlainDisplay()])
def test_elsewhere_a_short_import_says_nothing(
    display: PlainDisplay | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with import_progress(display) as progress:
        progress(5_000, 0.5)
    assert capsys.readouterr().err == ""


def test_a_run_says_what_could_call_somebody_wrongly_and_leaves_the_rest_to_check() -> None:
    notes = [Note("a.csv", "read_as_cp1252", "a.csv is\nnot UTF-8"), Note("a.csv", "key_possible", "say key")]
    assert loud(notes) == ["a.csv is?not UTF-8"]


def test_check_shows_how_a_list_was_understood_and_what_was_read_kindly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "name;Handy;customer_id\nZoë;(212) 555-0100;1\nBen;+12125550101;2\n"
    (tmp_path / "list.csv").write_bytes(rows.encode("cp1252"))
    text = 'name = "x"\ncontacts = "*.csv"\nagents = "a"\nhours = "always"\n[columns]\nregion = "US"\n'
    (tmp_path / "x.toml").write_text(text)
    assert main(["check", "x.toml"]) == 0
    shown = capsys.readouterr().out
    for understood in ("name -> full_name", "Handy -> phone", "customer_id -> metadata"):
        assert understood in shown
    assert "does this line read right: 'Zoë;(212) •••-••00;1'" in " ".join(shown.split())
    assert 'key = "customer_id"' in shown
    assert "read kindly 1 assumed_national" in shown
