"""Two campaigns or two agents beside each other: one screen, plain sentences, and warnings where it is not fair."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dialer.cli import main
from dialer.reports.compare import Row, Side, compare, conclusion
from dialer.reports.intervals import Sample
from tests.support_rows import enroll, opened, person, put

_ATTEMPT = """
INSERT INTO attempt (key, campaign_id, lead_id, number, phone, agent_id, state, intended_at, placed_at, ended_at,
                     call_id, disposition, duration_s, cost)
SELECT 'try-' || id, campaign_id, id, 1, phone, :agent, 'ended', 1.7720208e9, 1.7720208e9, 1.7720209e9, 'call-' || id,
       :disposition, :length, :cost FROM lead WHERE id BETWEEN :first AND :last
"""


def _called(
    path: Path,
    first: int,
    last: int,
    agent: str,
    disposition: str,
    length: float | None = None,
    cost: float | None = 0.1,
) -> None:
    """People of these numbers in the ledger were called once. By SQL: hundreds of calls, each alike."""
    state = "reached" if disposition == "completed" else "exhausted"
    values = {"agent": agent, "disposition": disposition, "length": length, "cost": cost, "first": first, "last": last}
    with sqlite3.connect(path) as db:
        db.execute(_ATTEMPT, values)
        db.execute(
            "UPDATE lead SET state = ?, due_at = NULL, attempts = 1, submissions = 1, disposition = ? "
            "WHERE id BETWEEN ? AND ?",
            (state, disposition, first, last),
        )
    db.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Agent a: 120 of 200 answered. Agent b: 60 of 200, in another zone. A second campaign: nobody called."""
    with opened(tmp_path) as made:
        record = put(made)
        zones = ["America/New_York"] * 200 + ["Europe/Paris"] * 200
        enroll(made, record, [person(index, zone=zone) for index, zone in enumerate(zones)])
        enroll(made, put(made, "autumn"), [person(index) for index in range(3)])
        path = made.path
    _called(path, 1, 119, "agent_a", "completed", 60.0)
    _called(path, 120, 120, "agent_a", "completed", 66.0, None)
    _called(path, 121, 200, "agent_a", "no_answer")
    _called(path, 201, 260, "agent_b", "completed", 61.0)
    _called(path, 261, 400, "agent_b", "no_answer")
    return path


def _screen(ledger: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["report", *arguments, "--ledger", str(ledger)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_two_agents_stand_on_one_screen_of_eighty_columns(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _screen(ledger, capsys, "spring", "--compare", "agent_a", "agent_b")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) <= 35
    assert "A 60.0 % (120/200)                    B 30.0 % (60/200)" in out
    assert "A's answer rate is higher by 30.0 points: between 20.4 and 38.8 points." in out
    assert "in other time zones: 100% of A's and 0% of B's" in out
    assert "The cost of 1 of A's and 0 of B's calls is not known." in out


def test_the_comparison_comes_as_json_too(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _screen(ledger, capsys, "spring", "--compare", "agent_a", "agent_b", "--json")
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    rate = found["rates"]["answer_rate"]
    assert rate["a"] == {"value": 0.6, "numerator": 120, "denominator": 200, "in_doubt": 0}
    assert (rate["difference"], found["compared"], found["level"]) == (0.3, "agents", 0.95)
    assert rate["low"] == pytest.approx(0.2036, abs=1e-3)
    assert any("time zones" in note for note in found["notes"])


def test_two_campaigns_are_compared_even_before_the_first_call(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _screen(ledger, capsys, "--compare", "spring", "autumn")
    assert code == 0
    assert out.count("Nothing can be said: there are no such calls on both sides.") == 6
    assert "The same number is in both lists: 3 times." in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["spring", "--compare", "agent_a", "agent_c"], "no agent 'agent_c' has called for 'spring'"),
        (["spring", "--compare", "agent_a", "agent_a"], "name two different ones"),
        (["--compare", "spring", "winter"], "knows no campaign 'winter'"),
        ([], "which campaign?"),
        (["spring", "--json"], "--json goes with --compare"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(
    ledger: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code, out, err = _screen(ledger, capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def _side(people: int, answered: int, doubts: int = 0, talk_s: float = 0.0) -> Side:
    """Everybody was called once, and those who answered talked equally long and cost the same."""
    calls = Sample(people, people, answered, people, answered, answered)
    once = Sample(people, people, people, people, people, people)
    talk = Sample(people, answered, answered * talk_s, answered, answered * talk_s**2, answered * talk_s)
    return Side("x", people, answered, doubts, doubts, 0, calls, Sample(people), once, talk, talk)


def test_few_calls_tell_no_difference_and_how_many_would() -> None:
    row = compare(_side(40, 12), _side(40, 14))[0]
    assert row.sign == 0
    assert conclusion(row) == "No difference can be told; to see 5.0 points, about 1,413 calls each are needed."


def test_many_calls_tell_how_large_a_difference_can_be_at_most() -> None:
    row = compare(_side(50_000, 15_000), _side(50_000, 15_100))[0]
    assert conclusion(row) == "No difference can be told; it is 0.8 points at most, either way."


def test_what_is_in_doubt_makes_the_interval_wider() -> None:
    sure, unsure = compare(_side(400, 200), _side(400, 150))[0], compare(_side(400, 200, 40), _side(400, 150))[0]
    assert sure.interval[0] is not None
    assert unsure.interval[0] is not None
    assert unsure.interval[0] < sure.interval[0]
    assert unsure.interval[1] is not None
    assert sure.interval[1] is not None
    assert unsure.interval[1] > sure.interval[1]
    assert sure.sign == 1


def _means(people: int, answered: int) -> list[Row]:
    rows = compare(_side(people, answered, talk_s=60.0), _side(people, answered, talk_s=30.0))
    return [row for row in rows if row.name in {"average_call_length", "cost_per_reached", "attempts_per_contact"}]


def test_a_mean_of_few_has_no_interval_however_alike_they_are() -> None:
    for row in _means(2, 1):
        assert (row.interval, row.sign, conclusion(row)) == ((None, None), 0, "Nothing can be told from so few.")
    assert [row.gap for row in _means(2, 1)] == [30.0, 30.0, 0.0]


def test_a_mean_without_spread_is_not_sure_either() -> None:
    length, cost, attempts = _means(20, 8)
    for row in (length, cost):
        assert (row.interval, row.sign) == ((None, None), 0)
        assert conclusion(row).startswith("Nothing can be told: on one side all are alike")
    assert conclusion(attempts) == "No difference can be told; it is 0.000 at most, either way."
