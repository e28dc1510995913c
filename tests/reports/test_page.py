"""The page as a file: what it is made of, whom it holds, what it says. How it behaves is tested in a browser."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from dialer.ledger.reading import open_reader
from dialer.reports import write_reports
from dialer.reports.page import LICENCES, SCRIPTS, story
from dialer.reports.page.words import decimal, length, listed, moments_in, plural, shown
from tests.support.pages import page_of, rows_of
from tests.support.past_campaigns import HOSTILE, past_campaign
from tests.support_rows import NOON

ROOM = Path(__file__).parents[2] / "dialer" / "reports" / "page"
MOST_BYTES = 3_000_000


def test_the_page_is_one_small_file_for_its_owners_eyes(tmp_path: Path) -> None:
    page = page_of(past_campaign(tmp_path, 300), tmp_path / "report.html")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert page.stat().st_size < MOST_BYTES
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".html") == ["report.html"]


def test_the_page_holds_every_contact_once_and_its_states_are_the_summarys(tmp_path: Path) -> None:
    ledger = past_campaign(tmp_path, 500, done=0.8)
    with open_reader(ledger) as reader:
        write_reports(reader, "spring", tmp_path / "out", NOON)
    rows = rows_of(tmp_path / "out" / "report.html")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert [row["row"] for row in rows] == list(range(2, 502))
    states = {state: count for state, count in summary["contacts"]["by_state"].items() if count}
    assert Counter(row["state"] for row in rows) == states
    assert sum(row["cost"] or 0 for row in rows) == pytest.approx(summary["cost"]["total"])
    assert sum(row["attempts"] for row in rows) == summary["attempts"]["charged"]


def test_a_large_campaign_leaves_a_sample_that_is_the_same_each_time_and_holds_all_unresolved(tmp_path: Path) -> None:
    ledger = past_campaign(tmp_path, 1000)
    first, again = (page_of(ledger, tmp_path / name, most_rows=500, sample_rows=170) for name in ("a.html", "b.html"))
    rows = rows_of(first)
    everybody = Counter(row["state"] for row in rows_of(page_of(ledger, tmp_path / "all.html")))
    counts = Counter(row["state"] for row in rows)
    assert counts["unresolved"] == everybody["unresolved"] > 10
    assert len(rows) == len({row["row"] for row in rows}) == 170 + counts["unresolved"]
    assert rows == rows_of(again)
    said = f"A sample of {len(rows)} of 1,000 contacts: all {counts['unresolved']} that nobody can tell about, and 170"
    assert said in first.read_text("utf-8")
    assert max(row["row"] for row in rows) > 900
    assert min(row["row"] for row in rows) < 100


def test_a_sample_has_no_more_than_it_may_however_many_are_unresolved(tmp_path: Path) -> None:
    page = page_of(past_campaign(tmp_path, 400), tmp_path / "report.html", most_rows=5, sample_rows=2)
    states = [row["state"] for row in rows_of(page)]
    assert states.count("unresolved") == 3
    assert len(states) == 5
    assert "the first 3 that nobody can tell about, and 2 drawn" in page.read_text("utf-8")


@pytest.mark.parametrize(("contacts", "done"), [(0, 0.0), (30, 0.0), (60, 0.5)])
def test_a_campaign_that_has_not_begun_or_is_half_done_has_a_page(tmp_path: Path, contacts: int, done: float) -> None:
    page = page_of(past_campaign(tmp_path, contacts, done=done), tmp_path / "report.html")
    assert len(rows_of(page)) == contacts
    text = page.read_text("utf-8")
    said = {0: "The campaign has no contacts yet", 30: "The campaign has not begun", 60: "The campaign is under way"}
    assert said[contacts] in text
    assert not re.search(r"\b(None|nan|NaN|undefined)\b", text[text.index("<main") : text.index("</main>")])


def test_names_that_mean_harm_are_nowhere_in_the_source_as_they_were(tmp_path: Path) -> None:
    page = page_of(past_campaign(tmp_path, 100), tmp_path / "report.html").read_text("utf-8")
    main = page[page.index("<body") : page.index('<script type="application/json"')]
    assert not re.search(r"<(img|script|b)\b", main)
    assert not set(page) & set("\x1b\x07\u202e")
    assert "&lt;img src=x onerror=alert(1)&gt;" in main, "a rejected row has it"


def test_masked_numbers_are_masked_everywhere(tmp_path: Path) -> None:
    names = ("+12122000000", "call (212) 200-0001")
    page = page_of(past_campaign(tmp_path, 200, names=names), tmp_path / "report.html", mask_phones=True)
    rows, text = rows_of(page), page.read_text("utf-8")
    assert rows[5]["phone"] == "+1212•••0005"
    ours = text[: text.index("<script>")] + json.dumps(rows, ensure_ascii=False)  # libraries hold numbers of their own
    assert re.findall(r".{20}2000\d{3}.{9}|.{20}200-000", ours) == []


def test_unresolved_contacts_stand_before_every_figure(tmp_path: Path) -> None:
    text = page_of(past_campaign(tmp_path, 300), tmp_path / "report.html").read_text("utf-8")
    order = ["unresolved", "next", "funnel", "rates", "outcomes", "hours", "attempts", "lengths", "agents", "slots"]
    places = [text.index(f'id="{part}"') for part in [*order, "retry", "rejected", "contacts"]]
    assert places == sorted(places)
    assert "dialer resolve spring" in text[places[0] : places[1]]
    assert "dialer resume spring" in text[places[1] : places[2]]


def test_a_campaigns_name_is_quoted_in_commands() -> None:
    states = dict.fromkeys(("queued", "waiting", "dialing", "exhausted"), 0) | {"unresolved": 1}
    summary = {"campaign": "a b'; rm -rf", "contacts": {"by_state": states}, "rows": {"rejected": 0, "contacts": 1}}
    assert story.steps(summary)[0].command == """dialer resolve 'a b'"'"'; rm -rf' --look"""


def test_other_peoples_software_is_as_they_published_it_with_its_licence() -> None:
    told = tomllib.loads((ROOM / "vendor" / "VERSIONS.toml").read_text("utf-8"))
    assert {f"vendor/{name}" for name in told} == {name for name in SCRIPTS if name.startswith("vendor/")}
    for name, item in told.items():
        data = (ROOM / "vendor" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == item["sha256"], name
        assert item["version"].encode() in data[:200], name
    assert all("ermission" in (ROOM / name).read_text("utf-8") for name in LICENCES)


@pytest.mark.parametrize("name", [*SCRIPTS, "page.css"])
def test_nothing_that_is_put_into_the_page_ends_its_element(name: str) -> None:
    text = (ROOM / name).read_text("utf-8")
    assert "</script" not in text.lower()
    assert "</style" not in text.lower()
    assert "<!--" not in text
    assert "\r" not in text, "a browser would count other bytes than we"


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_shown_steers_no_screen(name: str) -> None:
    assert shown(name).isprintable()


def test_letters_that_need_joiners_keep_them() -> None:
    assert shown("می\u200cخواهم") == "می\u200cخواهم"
    assert shown("a\nb\tc") == "a b c"
    assert shown(None) == ""


def test_numbers_and_times_are_written_for_people() -> None:
    assert [decimal(n) for n in (0.09604, 1.283, 1234.56, 7.0)] == ["0.0960", "1.28", "1,234.6", "7"]
    assert [length(n) for n in (0, 59.4, 200, 14_700)] == ["0 s", "59 s", "3 min 20 s", "4 h 05 min"]
    assert (plural(1, "row"), plural(1200, "row")) == ("1 row", "1,200 rows")
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b and c")
    assert moments_in("at 2026-02-20T04:30:42+00:00.") == "at 2026-02-20 04:30 UTC."
