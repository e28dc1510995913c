"""What strangers stumbled over, once: each answer comes before the first call, in one line that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import dialer

CAMPAIGN = """
name = "first"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "sandbox"
timeout = "1s"
[retry]
uncertain_horizon = "1s"
uncertain_scans = 1
uncertain_scan_gap = "1s"
[sandbox]
speed = 200
"""


def _home(path: Path, *phones: str) -> Path:
    (path / "contacts.csv").write_text("phone\n" + "\n".join(phones) + "\n")
    (path / "campaign.toml").write_text(CAMPAIGN)
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "+19999999999"], "no contact of the list has this number"),
        (["--only", "2125550100"], "as +E164"),
        (["--out", "contacts.csv"], "choose another place with --out"),
        (["--ledger", "."], "is a directory"),
    ],
)
def test_what_cannot_work_is_said_before_anybody_is_called(tmp_path: Path, arguments: list[str], said: str) -> None:
    home = _home(tmp_path, "+12125550100")
    done = dialer(home, "run", "campaign.toml", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    store = home / ".dialer" / "sandbox.jsonl"
    assert not store.exists()


def test_a_fresh_sandbox_gives_fresh_ids_so_that_the_next_campaign_is_not_in_doubt(tmp_path: Path) -> None:
    home = _home(tmp_path, "+12125550100", "+12125550105")
    assert dialer(home, "run", "campaign.toml").returncode == 0
    (home / ".dialer" / "sandbox.jsonl").unlink()
    (home / "campaign.toml").write_text(CAMPAIGN.replace('"first"', '"second"'))
    done = dialer(home, "run", "campaign.toml")
    assert done.returncode == 0, done.stderr
    assert "may or may not" not in done.stderr


def test_a_create_in_doubt_says_why_and_until_when(tmp_path: Path) -> None:
    home = _home(tmp_path, "+12125550111", "+12125550100")
    done = dialer(home, "run", "campaign.toml")
    assert done.returncode == 0, done.stderr
    assert "may or may not have been placed (no answer within 1 s)" in done.stderr


def test_a_region_nobody_knows_and_hours_that_are_no_hours_are_told_in_plain_words(tmp_path: Path) -> None:
    home = _home(tmp_path, "+12125550100")
    (home / "campaign.toml").write_text(CAMPAIGN + '[columns]\nregion = "XX"\n')
    assert '"XX" is no country' in dialer(home, "check", "campaign.toml").stderr
    (home / "campaign.toml").write_text(CAMPAIGN.replace('"always"', '"sometimes"'))
    assert 'it is "always" or a table [hours]' in dialer(home, "check", "campaign.toml").stderr


def test_check_says_who_would_be_cancelled_since_their_row_is_gone(tmp_path: Path) -> None:
    home = _home(tmp_path, "+12125550100", "+12125550101", "+12125550105")
    assert dialer(home, "run", "campaign.toml", "--limit", "1").returncode == 3
    _home(home, "+12125550100", "+12125550101")
    done = dialer(home, "check", "campaign.toml")
    assert done.returncode == 0, done.stderr
    assert "1 waiting whose rows are gone would be cancelled" in " ".join(done.stdout.split())
