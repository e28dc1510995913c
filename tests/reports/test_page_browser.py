"""The page in a real browser: quiet, alone, usable with keyboard and ears, and nothing in it but what we wrote runs.

Its looks are kept in ``build/screenshots/`` (light, dark, phone, print) for whoever wants to see what was tested.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Page, expect

from dialer.reports.page.words import shown
from tests.support.browsers import ABSENT, browser, find_browser
from tests.support.pages import page_of
from tests.support.past_campaigns import HOSTILE, past_campaign

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason=ABSENT)
SCREENSHOTS: Final = Path(__file__).parents[2] / "build" / "screenshots"
CONTACTS: Final = 150
AXE: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    assert PROGRAM is not None
    with browser(PROGRAM) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a campaign with contacts of every kind, some of whom bear names that mean harm."""
    directory = tmp_path_factory.mktemp("page")
    return page_of(past_campaign(directory, CONTACTS, done=0.9), directory / "report.html")


@contextmanager
def opened(
    running: Browser, report: Path, scheme: Scheme = "light", width: int = 1200
) -> Iterator[tuple[Page, list[str]]]:
    """The page, with its table ready, and what it complained of or asked for."""
    context = running.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(20_000)
    page = context.new_page()
    said = _listened(page)
    page.goto(report.as_uri())
    page.wait_for_selector("#people[data-ready]")
    assert said.pop(0) == f"request: {report.as_uri()}"
    try:
        yield page, said
    finally:
        context.close()


def _listened(page: Page) -> list[str]:
    said: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: said.append(f"request: {request.url}"))
    page.on("dialog", dismiss)
    return said


def _column(page: Page, key: str) -> list[str]:
    found: list[str] = page.locator(f'#people td[data-key="{key}"]').all_text_contents()
    return found


def _count(page: Page) -> str:
    return page.locator(".dt-info").inner_text()


def test_it_opens_without_a_word_on_the_console_and_without_a_single_request(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, said):
        page.mouse.wheel(0, 20_000)
        page.locator("summary").first.click()
        assert page.locator("h1").inner_text() == "spring"
        assert said == []


def test_the_policy_lets_no_other_script_run_and_nothing_be_fetched(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, said):
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'taken = 1'}))")
        page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://127.0.0.1:9/x'}))")
        reached = page.evaluate("fetch('https://127.0.0.1:9/x').then(() => 'yes', () => 'no')")
        assert (page.evaluate("typeof taken"), reached) == ("undefined", "no")
        assert sum("Content Security Policy" in line for line in said) >= 3


def test_names_that_mean_harm_come_out_as_text(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, said):
        assert _column(page, "name")[: len(HOSTILE)] == [shown(name) for name in HOSTILE]
        text = page.evaluate("document.body.textContent")
        assert page.title() == "spring: campaign report"
        assert page.locator("img").count() == 0
        assert page.locator("script:not([type])").count() == 5
        assert not set(text) & set("\x1b\x07\u202e")
        assert "{{7*7}}" in text
        assert "49" not in _column(page, "name")[2]
        assert said == []


def test_the_table_searches_as_people_write_names_and_numbers(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, _):
        find = page.get_by_label("Search")
        find.fill("hopper")
        assert all("Hopper" in name for name in _column(page, "name"))
        assert 0 < len(_column(page, "name")) < CONTACTS
        find.fill("(212) 200-0017")
        assert _column(page, "phone") == ["+12122000017"]
        find.fill("no such person")
        assert "Nobody fits" in page.locator("#people").inner_text()
        page.get_by_role("button", name="Clear").click()
        page.wait_for_function("document.querySelector('.dt-info').textContent.includes('150')")
        assert "1 to 25 of 150" in _count(page)


def test_the_table_filters_by_state_outcome_and_agent_at_once(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, _):
        page.locator("#by-state").select_option("reached")
        page.locator("#by-agent").select_option("agent_a")
        assert set(_column(page, "state")) == {"reached"}
        assert set(_column(page, "agent")) == {"agent_a"}
        page.locator("#by-disposition").select_option("busy")
        assert _column(page, "name") == []


def test_the_table_sorts_by_keyboard_and_says_so(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, _):
        heading = page.locator("#people thead th", has_text="Length")
        heading.locator("[tabindex], button").first.focus()
        page.keyboard.press("Enter")
        expect(heading).to_have_attribute("aria-sort", "ascending")
        page.keyboard.press("Enter")
        expect(heading).to_have_attribute("aria-sort", "descending")
        minutes = [text.split(":") for text in _column(page, "duration_s")]
        lengths = [60 * int(whole) + int(rest) for whole, rest in minutes]
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] > 0


def test_every_picture_has_words_and_numbers_beside_it(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, _):
        charts = page.locator("[data-chart]")
        keys = [chart.get_attribute("data-chart") for chart in charts.all()]
        assert keys == ["funnel", "outcomes", "hours", "attempts", "lengths", "agents", "slots", "retry"]
        for chart in charts.all():
            assert chart.get_attribute("role") == "img"
            assert len(chart.get_attribute("aria-label") or "") > 30
            assert chart.locator("svg[aria-hidden=true] :is(rect, path, circle)").count() > 1
            assert chart.locator("xpath=..").locator("details table tbody tr").count() > 0


def test_the_hours_are_read_out_to_whoever_walks_through_them_by_keyboard(running: Browser, report: Path) -> None:
    with opened(running, report) as (page, _):
        page.locator("[data-chart=hours]").focus()
        page.keyboard.press("ArrowRight")
        first = page.locator("#hours-help").inner_text()
        page.keyboard.press("ArrowDown")
        second = page.locator("#hours-help").inner_text()
        assert "of" in first
        assert "calls answered" in first
        assert (first.split()[0], second.split()[0]) == ("Monday", "Tuesday")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_axe_finds_no_serious_fault(running: Browser, report: Path, scheme: Scheme, width: int) -> None:
    with opened(running, report, scheme, width) as (page, _):
        for details in page.locator(".tile details, footer details, #funnel details").all():
            details.evaluate("(one) => { one.open = true; }")
        found: dict[str, Any] = Axe().run(page, options=AXE).response
        faults = [fault for fault in found["violations"] if fault["impact"] in {"serious", "critical"}]
        assert [(fault["id"], [node["html"] for node in fault["nodes"]][:3]) for fault in faults] == []
        assert found["testEngine"]["name"] == "axe-core"


@pytest.mark.parametrize("look", ["light", "dark", "phone", "print"])
def test_its_looks_are_kept_and_nothing_runs_over_the_edge(running: Browser, report: Path, look: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    width, scheme = (360 if look == "phone" else 794 if look == "print" else 1200), "light"
    with opened(running, report, "dark" if look in {"dark", "print"} else "light", width) as (page, _):
        if look == "print":
            page.emulate_media(media="print")
            assert not page.get_by_label("Search").is_visible()
        scheme = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.screenshot(path=SCREENSHOTS / f"{look}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    shade = sum(int(part) for part in scheme[4:-1].split(","))
    assert shade < 150 if look == "dark" else shade > 700
    assert (SCREENSHOTS / f"{look}.png").stat().st_size > 50_000
