"""The figures behind the report: hours on people's own clocks, slots, lengths, bounds of doubt, the schema."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dialer.cli import main
from dialer.core.lifecycle import Disposition, LeadState
from dialer.core.messages import MarkLost, MarkUncertain, MarkVoid
from dialer.ledger.reading import open_reader
from dialer.reports.figures.clocks import Clock, ContactClocks
from dialer.reports.figures.rates import DEFINITIONS, Basis, rates
from dialer.reports.figures.shapes import lengths
from dialer.reports.figures.slots import busy
from dialer.reports.figures.tally import tallied
from dialer.reports.figures.timeline import Timeline, timeline
from dialer.reports.summary import schema_json, summarise
from tests.reports.totals import check_schema
from tests.support_rows import ACCOUNT, NOON, enroll, intended, opened, person, phone, put, whole_call

# --- clocks and buckets --------------------------------------------------------------------------------------------


def _quarter(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() // 900)


@pytest.mark.parametrize(
    ("zone", "moment", "hour", "clock"),
    [
        ("America/New_York", "2026-03-08T06:45+00:00", (6, 1), Clock.OWN),  # the last quarter before the clocks go on
        ("America/New_York", "2026-03-08T07:00+00:00", (6, 3), Clock.OWN),
        ("America/New_York", "2026-11-01T05:30+00:00", (6, 1), Clock.OWN),  # half past one comes twice that night
        ("America/New_York", "2026-11-01T06:30+00:00", (6, 1), Clock.OWN),
        ("Asia/Kathmandu", "2026-02-25T12:15+00:00", (2, 18), Clock.OWN),
        ("America/Phoenix&America/Denver", "2026-02-25T12:00+00:00", (2, 5), Clock.OWN),  # they agree in winter
        ("America/Phoenix&America/Denver", "2026-07-22T12:00+00:00", (2, 14), Clock.SEVERAL),
        (None, "2026-02-25T12:00+00:00", (2, 13), Clock.NONE),
        ("Mars/Olympus", "2026-02-25T12:00+00:00", (2, 13), Clock.NONE),
    ],
)
def test_an_hour_is_told_by_the_contacts_own_clock(
    zone: str | None, moment: str, hour: tuple[int, int], clock: Clock
) -> None:
    clocks = ContactClocks("Europe/Paris")
    assert clocks.hour(zone, _quarter(moment), 3) == hour
    assert clocks.calls_by_clock == {clock: 3}


@pytest.mark.parametrize("span_s", [0, 59, 3600, 86_400, 7 * 86_400, 40 * 86_400, 5_000 * 86_400])
def test_any_span_of_time_is_cut_into_at_most_two_hundred_buckets(span_s: int) -> None:
    line = timeline(NOON + 7, NOON + 7 + span_s)
    assert line is not None
    assert 1 <= line.buckets <= 200
    assert line.begin_of(0) <= NOON + 7 < line.begin_of(1)
    assert line.begin_of(line.buckets - 1) <= NOON + 7 + span_s < line.begin_of(line.buckets)
    assert timeline(None, None) is None


# --- slots ---------------------------------------------------------------------------------------------------------


def test_a_slot_that_is_taken_over_at_once_is_one_slot() -> None:
    line = Timeline(0.0, 60, 3)
    found = busy([(0.0, 30.0), (10.0, 90.0), (30.0, 60.0)], line)
    assert found.most == [2, 1, 0]
    assert found.live_s == [30.0 + 50.0 + 30.0, 30.0, 0.0]


def test_slots_are_as_a_count_at_every_instant_says() -> None:
    chance = Random(5)
    line = Timeline(0.0, 10, 12)
    for _ in range(50):
        calls = sorted((start, start + chance.randint(-1, 40)) for start in (chance.randrange(110) for _ in range(30)))
        found = busy([(float(start), float(end)) for start, end in calls], line)
        live = [sum(start <= second < end for start, end in calls) for second in range(120)]
        parts = [live[index : index + 10] for index in range(0, 120, 10)]
        assert found.live_s == [float(sum(part)) for part in parts]
        instants = [  # a call of no length holds its slot for the instant in which it began
            max(sum(one <= start < max(end, one + 1) for one, end in calls) for start in range(index, index + 10))
            for index in range(0, 120, 10)
        ]
        assert all(low <= most <= high for low, most, high in zip(map(max, parts), found.most, instants, strict=True))


# --- lengths -------------------------------------------------------------------------------------------------------


def test_lengths_have_a_median_a_ninetieth_percentile_and_bins() -> None:
    chance = Random(3)
    for calls in (1, 2, 9, 10, 11, 200):
        told = sorted(float(chance.randint(0, 4000)) for _ in range(calls))
        found = lengths(iter(sorted(Counter(told).items())), calls, calls + 3)
        assert found["median_s"] == told[(calls + 1) // 2 - 1]
        assert found["p90_s"] == told[-(-9 * calls // 10) - 1]
        assert found["total_s"] == sum(told)
        assert found["calls_without_length"] == 3
        for item in found["bins"]:
            end = float("inf") if item["to_s"] is None else item["to_s"]
            assert item["calls"] == sum(item["from_s"] <= length < end for length in told)
    assert lengths(iter(()), 0, 0)["median_s"] is None


# --- doubt ---------------------------------------------------------------------------------------------------------

WAYS = ["no phone rang", Disposition.COMPLETED, Disposition.VOICEMAIL, Disposition.NO_ANSWER]


def _basis(**said: Any) -> Basis:
    plain: dict[str, Any] = {
        "dispositions": {"completed": 4, "no_answer": 3, "voicemail": 2},
        "doubtful_calls": 0,
        "rows": 12,
        "contacts": 10,
        "rejected_rows": 2,
        "dialed": 7,
        "callable": 9,
        "reached": 4,
        "refused": 1,
        "refused_undialed": 1,
        "charged": 9,
        "doubtful_people": 0,
        "only_doubtful": 0,
        "again_doubtful": 0,
        "answered_s": 240.0,
        "lengths": 4,
        "longest_call_s": 100.0,
        "cost": 2.0,
        "uncosted": 0,
    }
    return Basis(**{**plain, **said})


def _went(ways: tuple[str, ...]) -> Basis:
    """Three attempts are in doubt, two of them the only ones of their people; and it went like this."""
    calls = Counter({"completed": 4, "no_answer": 3, "voicemail": 2})
    calls.update(way for way in ways if way != WAYS[0])
    unrung = [way == WAYS[0] for way in ways]
    answered = sum(way == Disposition.COMPLETED for way in ways)
    return _basis(
        dispositions=dict(calls),
        dialed=10 - unrung[0] - unrung[1],
        charged=12 - sum(unrung),
        reached=4 + answered,
        answered_s=240.0 + 50.0 * answered,
        lengths=4 + answered,
        cost=2.0,
    )


def test_the_bounds_hold_whichever_way_attempts_in_doubt_went() -> None:
    doubt = {"dialed": 10, "charged": 12, "doubtful_calls": 3, "doubtful_people": 3}
    told = rates(_basis(**doubt, only_doubtful=2, again_doubtful=1, uncosted=3))
    found = [rates(_went(ways)) for ways in product(WAYS, repeat=3)]
    for name in DEFINITIONS:
        values = [each[name]["value"] for each in found]
        low, high = told[name]["low"], told[name]["high"]
        assert low <= min(values) + 1e-6, name
        assert high is None or max(values) <= high + 1e-6, name
    for name in ("answer_rate", "voicemail_share", "attempts_per_contact", "penetration"):  # and no wider than that
        values = [each[name]["value"] for each in found]
        assert (told[name]["low"], told[name]["high"]) == pytest.approx((min(values), max(values))), name


def test_without_doubt_there_is_no_range_and_without_calls_no_rate() -> None:
    for name, rate in rates(_basis()).items():
        assert rate["low"] == rate["value"] == rate["high"], name
    nothing = _basis(
        dispositions={}, rows=0, contacts=0, rejected_rows=0, dialed=0, callable=0, reached=0, refused_undialed=0,
        charged=0, answered_s=0.0, lengths=0, cost=0.0,
    )  # fmt: skip
    assert {rate["value"] for rate in rates(nothing).values()} == {None}


def test_a_missing_cost_is_not_nothing() -> None:
    rate = rates(_basis(uncosted=2))["cost_per_answered"]
    assert (rate["value"], rate["low"], rate["high"], rate["missing"]) == (0.5, 0.5, None, 2)


def test_an_average_length_is_no_higher_than_its_own_bound_where_calls_outlasted_the_longest() -> None:
    for doubt in ({"doubtful_calls": 2}, {"lengths": 3, "answered_s": 540.0}, {}):
        rate = rates(_basis(**{"answered_s": 720.0, "longest_call_s": 100.0, **doubt}))["average_call_length"]
        assert (rate["value"], rate["high"]) == (180.0, 180.0)
        assert rate["low"] <= 180.0


def test_counts_are_the_same_however_often_they_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(9)
    rows = [
        ("a" if chance.random() < 0.5 else "b", "ended", "busy", "Asia/Tokyo", chance.randrange(900), 1, None, 0.25)
        for _ in range(500)
    ]
    whole = tallied(rows, ContactClocks(None))
    monkeypatch.setattr("dialer.reports.figures.tally._AT_ONCE", 7)
    monkeypatch.setattr("dialer.reports.figures.tally._MOST_GROUPS", 10)
    assert tallied(rows, ContactClocks(None)) == whole


# --- a whole summary -----------------------------------------------------------------------------------------------


@pytest.fixture
def summary(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Three reached, one to retry, one refused, one lost, one looked for, one not called."""
    with opened(tmp_path) as ledger:
        record = put(ledger)
        enroll(ledger, record, [person(index) for index in range(8)])
        leads = {lead.phone: lead for lead in ledger.claim(record.id, NOON, 100)}
        changes: list[Any] = []
        for index, told in enumerate(({"duration": 30.0, "cost": 0.5}, {"duration": 90.0}, {"cost": 0.25})):
            changes += whole_call(leads[phone(index)], Disposition.COMPLETED, LeadState.REACHED, **told)
        changes += whole_call(leads[phone(3)], Disposition.BUSY, LeadState.WAITING, NOON + 900)
        begin, refused = intended(leads[phone(4)])
        changes += [begin, MarkVoid(refused, LeadState.REJECTED, None, "no", "no", NOON, Disposition.INVALID)]
        begin, lost = intended(leads[phone(5)])
        changes += [begin, MarkUncertain(lost, NOON + 30, "silence", NOON), MarkLost(lost, "nobody knows", NOON + 60)]
        begin, sought = intended(leads[phone(6)])
        changes += [begin, MarkUncertain(sought, NOON + 30, "silence", NOON)]
        ledger.commit(record.id, ACCOUNT, changes)
        with open_reader(ledger.path) as reader:
            yield summarise(reader, record, NOON + 100)


def test_a_summary_says_what_became_of_everybody(summary: dict[str, Any]) -> None:
    check_schema(summary)
    steps = {step["step"]: (step["count"], step["low"], step["high"]) for step in summary["funnel"]}
    assert steps == {"rows": (8, 8, 8), "accepted": (8, 8, 8), "dialed": (6, 4, 6), "reached": (3, 3, 5)}
    answer = summary["rates"]["answer_rate"]
    assert (answer["numerator"], answer["denominator"], answer["in_doubt"]) == (3, 4, 2)
    assert (answer["low"], answer["high"]) == (0.5, 0.833333)
    assert summary["lengths"]["calls_without_length"] == 1
    assert (summary["cost"]["total"], summary["cost"]["calls_without_cost"]) == (0.75, 4)
    assert summary["slots_busy"]["most"] == 4
    assert summary["attempts_until_reached"][0] == {
        "attempt": 1, "contacts": 6, "reached": 3, "open": 2, "reached_so_far": 3,
    }  # fmt: skip
    assert summary["by_hour"]["cells"][0]["hour"] == 7  # noon in UTC is seven in New York


def test_the_unresolved_come_first_and_in_plain_words(summary: dict[str, Any]) -> None:
    doubts = summary["unresolved"]
    assert (doubts["total"], doubts["looked_for"]) == (1, 1)
    first, second = doubts["contacts"]
    assert (first["row_number"], first["state"], first["reason"]) == (7, "unresolved", "nobody knows")
    assert "no answer came until 2026-02-25T12:00:30+00:00. A phone may have rung." in first["what_is_known"]
    assert first["what_to_do"] == "Close it: dialer resolve spring NUMBER --placed"
    assert second["what_to_do"].startswith("Nothing yet")


def test_a_summary_holds_no_phone_number(summary: dict[str, Any]) -> None:
    assert not [index for index in range(8) if phone(index) in json.dumps(summary)]


def test_the_schema_is_strict_and_says_of_every_field_what_it_is() -> None:
    schema = json.loads(schema_json())
    fields = 0
    for part in _parts(schema):
        if part.get("type") == "object":
            assert "additionalProperties" in part, part["description"]
        for name, field in part.get("properties", {}).items():
            assert field.get("description"), name
            fields += 1
    assert fields > 150
    assert set(schema["required"]) == set(schema["properties"])
    with pytest.raises(AssertionError):
        check_schema({"surprise": 1})


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _parts(value)


def test_the_schema_is_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == "urn:dialer:summary:2"
