"""Whether the files of a written report tell one story: every total the same everywhere, and all of them the input."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from dialer.reports.summary import schema_json
from tests.support.pages import rows_of

Rows = list[dict[str, str]]


def check_report(directory: Path, input_rows: int) -> dict[str, Any]:
    """Check a directory of reports against ``input_rows``, the rows of the list. Returns the summary."""
    tables = {path.stem: _table(path) for path in directory.glob("*.csv")}
    summary: dict[str, Any] = json.loads((directory / "summary.json").read_text("utf-8"))
    check_schema(summary)
    _check_rows(summary, tables, input_rows)
    _check_attempts(summary, tables["attempts"])
    _check_money(summary, tables)
    _check_charts(summary, tables)
    _check_funnel(summary)
    _check_rates(summary)
    _check_page(directory / "report.html", summary, tables["outcomes"])
    return summary


def check_schema(summary: dict[str, Any]) -> None:
    """The summary is as its published schema says."""
    faults = [f"{list(fault.path)}: {fault.message}" for fault in _validator().iter_errors(summary)]
    assert faults == []


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(schema_json())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def _table(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def _counts(rows: Rows, column: str) -> dict[str, int]:
    return dict(Counter(row[column] for row in rows if row[column]))


def _nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def _check_rows(summary: dict[str, Any], tables: dict[str, Rows], input_rows: int) -> None:
    outcomes, rejected, waiting = tables["outcomes"], tables["rejected"], tables["retry_queue"]
    rows, contacts, queue = summary["rows"], summary["contacts"], summary["retry_queue"]
    assert input_rows == rows["input"] == len(outcomes) + len(rejected)
    assert (rows["contacts"], rows["rejected"]) == (len(outcomes), len(rejected))
    assert rows["rejected_reasons"] == _counts(rejected, "reason")
    assert {item["reason"]: item["rows"] for item in summary["rejected"]} == rows["rejected_reasons"]
    assert all(len(item["examples"]) == min(item["rows"], 3) for item in summary["rejected"])
    assert _nonzero(contacts["by_state"]) == _counts(outcomes, "state")
    assert contacts["by_disposition"] == _counts(outcomes, "disposition")
    assert queue["waiting"] == _counts(waiting, "disposition")
    due = queue["due"]
    assert due["overdue"] + sum(bucket["contacts"] for bucket in due["buckets"]) == len(waiting)
    assert len(queue["next"]) == min(len(waiting), 20)
    doubts = summary["unresolved"]
    assert doubts["total"] == contacts["by_state"]["unresolved"]
    assert len(doubts["contacts"]) == min(doubts["total"] + doubts["looked_for"], 50)


def _check_attempts(summary: dict[str, Any], attempts: Rows) -> None:
    told, ended = summary["attempts"], [row for row in attempts if row["state"] == "ended"]
    assert told["by_state"] == _counts(attempts, "state")
    assert told["charged"] == len(attempts) - told["void"]
    agents: Counter[str] = Counter()
    for agent in summary["agents"]:
        agents.update(agent["by_disposition"])
        assert sum(agent["by_disposition"].values()) == agent["ended"]
    assert agents == _counts(ended, "disposition")
    lost = sum(row["state"] == "lost" for row in attempts)
    over_time: Counter[str] = Counter()
    for bucket in summary["outcomes_over_time"]["buckets"]:
        over_time.update(bucket["counts"])
        assert sum(bucket["counts"].values()) == bucket["total"]
    assert over_time.total() == len(ended) + lost
    assert over_time == Counter(row["disposition"] for row in attempts if row["state"] in {"ended", "lost"})


def _check_money(summary: dict[str, Any], tables: dict[str, Rows]) -> None:
    cost, attempts = summary["cost"], tables["attempts"]
    for rows in (attempts, tables["outcomes"]):
        assert abs(sum(float(row["cost"] or 0) for row in rows) - cost["total"]) < 1e-4
    for amounts in (cost["by_agent"], summary["agents"]):
        assert sum(item["calls_with_cost"] for item in amounts) == cost["calls_with_cost"]
    assert abs(sum(item["total"] for item in cost["by_agent"]) - cost["total"]) < 1e-4
    assert cost["calls_with_cost"] == sum(bool(row["cost"]) for row in attempts)
    unknown = [row for row in attempts if row["state"] in {"ended", "lost", "uncertain"} and not row["cost"]]
    assert cost["calls_without_cost"] == len(unknown)


def _check_charts(summary: dict[str, Any], tables: dict[str, Rows]) -> None:
    ended = sum(row["state"] == "ended" for row in tables["attempts"])
    doubtful = sum(row["state"] in {"lost", "uncertain"} for row in tables["attempts"])
    answered = [row for row in tables["attempts"] if (row["state"], row["disposition"]) == ("ended", "completed")]
    for part in ("cells", "hours", "weekdays"):
        cells = summary["by_hour"][part]
        assert sum(cell["ended"] for cell in cells) == ended
        assert sum(cell["answered"] for cell in cells) == len(answered)
        assert sum(cell["in_doubt"] for cell in cells) == doubtful
    assert sum(summary["by_hour"]["calls_by_clock"].values()) == ended + doubtful
    lengths = summary["lengths"]
    assert lengths["calls"] == sum(bool(row["duration_s"]) for row in answered)
    assert lengths["calls"] + lengths["calls_without_length"] == len(answered)
    assert sum(item["calls"] for item in lengths["bins"]) == lengths["calls"]
    slots = summary["slots_busy"]
    assert slots["calls"] == sum(row["state"] in {"ended", "placed"} for row in tables["attempts"])
    assert max((bucket["most"] for bucket in slots["buckets"]), default=0) == (slots["most"] or 0)
    wrong = [bucket for bucket in slots["buckets"] if not 0 <= bucket["mean"] <= bucket["most"]]
    assert not wrong, wrong


def _check_funnel(summary: dict[str, Any]) -> None:
    steps = summary["funnel"]
    for step, after in pairwise(steps):
        assert step["count"] - sum(item["count"] for item in step["fell_away"]) == after["count"]
    assert all(step["low"] <= step["count"] <= step["high"] for step in steps)
    assert steps[0]["count"] == summary["rows"]["input"]
    assert steps[-1]["count"] == summary["contacts"]["by_state"]["reached"]
    tries = summary["attempts_until_reached"]
    assert sum(step["reached"] for step in tries) == steps[-1]["count"]
    assert (tries[0]["contacts"] if tries else 0) == steps[2]["count"]
    assert sum(step["contacts"] for step in tries) == summary["attempts"]["charged"]


def _check_page(page: Path, summary: dict[str, Any], outcomes: Rows) -> None:
    """The page's rows are the outcomes, and what it prints of the funnel and the rates is the summary's."""
    rows, text = rows_of(page), page.read_text("utf-8")
    assert len(rows) == len(outcomes)
    of = {row["phone"]: row for row in outcomes}
    for row in rows:
        theirs = of[row["phone"]]
        ours = (row["state"], row["disposition"] or "", str(row["attempts"]), row["agent"])
        assert ours == tuple(theirs[name] for name in ("state", "disposition", "attempts", "agent_id"))
    tiles = re.findall(r'<p class="of">(.*?)</p>', text)
    rate = summary["rates"]["contact_rate"]
    assert f"{rate['numerator']:,} of {rate['denominator']:,} persons dialed were reached" in tiles
    assert f"Of {summary['rows']['input']:,} row" in text


def _check_rates(summary: dict[str, Any]) -> None:
    for name, rate in summary["rates"].items():
        value, low, high = rate["value"], rate["low"], rate["high"]
        assert value is None or abs(value - rate["numerator"] / rate["denominator"]) < 1e-6, name
        assert value is None or low is None or low <= value + 1e-6, name
        assert value is None or high is None or value <= high + 1e-6, name
    shares = [summary["rates"][f"{kind}_share"]["numerator"] for kind in ("voicemail", "no_answer", "busy", "failed")]
    answer = summary["rates"]["answer_rate"]
    assert sum(shares) + answer["numerator"] <= answer["denominator"]
