"""``report.html``: a whole campaign in one file, which asks nobody for anything when it is opened."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dialer.core.masks import masked, masked_numbers
from dialer.ledger import CampaignRecord
from dialer.ledger.reading import LedgerReader
from dialer.reports.files import whole_file
from dialer.reports.page import pictures, story
from dialer.reports.page.rows import MOST_ROWS, SAMPLE_ROWS, Choice, choose, packed
from dialer.reports.page.words import (
    SAID_OF_OUTCOMES,
    SAID_OF_STATES,
    moment_iso,
    plural,
    shown,
    whole,
)

if TYPE_CHECKING:
    from jinja2 import Template

SCRIPTS: Final = ("vendor/d3.min.js", "vendor/plot.umd.min.js", "vendor/dataTables.min.js", "charts.js", "table.js")
"""In the order in which they run."""
LICENCES: Final = ("vendor/d3.LICENSE.txt", "vendor/plot.LICENSE.txt", "vendor/dataTables.LICENSE.txt")
PLOT_STYLE: Final = "sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww="
"""Plot puts this one style sheet into every picture; the policy lets it and ours through, and no other."""

Json = dict[str, Any]


def write_page(
    reader: LedgerReader,
    record: CampaignRecord,
    summary: Json,
    path: Path,
    *,
    mask_phones: bool = False,
    most_rows: int = MOST_ROWS,
    sample_rows: int = SAMPLE_ROWS,
) -> int:
    """Write the page of a campaign: whole or not at all, mode 0600. ``summary`` is version 2. Returns the rows in it.

    Above ``most_rows`` contacts it holds a sample of them (:func:`dialer.reports.page.rows.choose`) and says so.
    """
    choice = choose(reader, record, summary["contacts"]["by_state"], most_rows, sample_rows)
    page = {
        **_words(summary, choice, _people(reader, summary, mask=mask_phones), mask=mask_phones),
        **_shell(),
        "rows": packed(reader, record, choice, mask=mask_phones),
    }
    with whole_file(path) as file:
        file.writelines(_template().generate(page))
    return len(choice.ids)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # only reports pay for it

    rooms = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return rooms.from_string(_read("template.html"))


def _people(reader: LedgerReader, summary: Json, *, mask: bool) -> dict[int, str]:
    """Name and number of those contacts that the page names."""
    ids = [one["contact"] for one in [*summary["unresolved"]["contacts"], *summary["retry_queue"]["next"]]]
    found = reader.rows("page_people", ids=json.dumps(ids))
    people = {lead: (f"{first or ''} {last or ''}".strip(), phone) for lead, first, last, phone in found}
    hidden = {lead: (masked_numbers(name), masked(phone)) for lead, (name, phone) in people.items()} if mask else people
    return {lead: f"{shown(name)} {phone}".lstrip() for lead, (name, phone) in hidden.items()}


def _words(summary: Json, choice: Choice, people: Mapping[int, str], *, mask: bool) -> Json:
    name, told = shown(summary["campaign"]), summary["unresolved"]
    pile, due = [pictures.funnel(summary), *pictures.charts(summary)], pictures.due(summary)
    more = told["total"] + told["looked_for"] - len(told["contacts"])
    return {
        "title": f"{name}: campaign report",
        "name": name,
        "made": f"Made {moment_iso(summary['generated_at'])} UTC from the campaign's ledger. Times are UTC.",
        "state": story.state(summary),
        "doubts_total": told["total"] + told["looked_for"],
        "doubts_title": story.doubts_title(summary),
        "doubts_words": _DOUBTS,
        "doubts": story.doubts(summary, people),
        "doubts_more": f"And {whole(more)} more: all of them are in the table below." if more > 0 else "",
        "doubts_command": f"dialer resolve {shlex.quote(name)}",
        "steps": story.steps(summary),
        "funnel": pile[0],
        "tiles": story.tiles(summary),
        "charts": pile[1:],
        "retry": {"finding": story.retry_words(summary), "chart": due, "next": story.retry_next(summary, people)},
        "rejected": {"finding": story.rejected_words(summary), "facts": story.rejected_facts(summary, mask=mask)},
        "contacts_words": _contacts(choice),
        "foot": _FOOT + (" Phone numbers are masked." if mask else ""),
        "definitions": [(one["title"], _meaning(one)) for one in summary["definitions"].values()],
        "drawn": {
            **{chart.key: chart.drawn for chart in [*pile, *([due] if due else [])] if chart.facts.rows},
            "words": {"states": SAID_OF_STATES, "outcomes": SAID_OF_OUTCOMES},
        },
    }


_DOUBTS: Final = (
    "A call was asked for, and nothing tells whether a phone rang. These people are not called again by themselves: "
    "a person decides."
)
_FOOT: Final = (
    "Every row of the list stands in exactly one of outcomes.csv and rejected.csv beside this file; attempts.csv has "
    "every attempt and summary.json every figure of this page. This page holds people's data: share it as you would "
    "the list."
)


def _meaning(definition: Json) -> str:
    return "{meaning} {numerator} / {denominator} ({unit})".format(**definition)


def _contacts(choice: Choice) -> str:
    held = len(choice.ids)
    if not choice.is_sample:
        return (
            f"All {plural(choice.total, 'contact')} of the campaign." if held else "The campaign has no contacts yet."
        )
    here, every = choice.unresolved_here, "all" if choice.unresolved_here == choice.unresolved else "the first"
    first = f"{every} {whole(here)} that nobody can tell about, and " if here else ""
    return (
        f"A sample of {whole(held)} of {plural(choice.total, 'contact')}: {first}{whole(held - here)} drawn from the "
        "others, each with the same chance (the same ones whenever this page is made). The figures above count "
        "everybody, and outcomes.csv has everybody."
    )


def _read(name: str) -> str:
    return files("dialer.reports.page").joinpath(name).read_text("utf-8")


def _shell() -> Json:
    """Style, scripts and licences as they stand in the page, and the policy that lets nothing else run.

    The scripts, a megabyte in memory, are read when it is their turn and not kept: a run would hold them at its peak.
    """
    from markupsafe import Markup

    return {
        "policy": Markup(_policy()),  # noqa: S704  quotes and hashes
        "style": Markup(_read("page.css")),  # noqa: S704  a file of this package, which a test reads for end tags
        "scripts": (Markup(_read(name)) for name in SCRIPTS),  # noqa: S704  the same
        "licences": [_read(name) for name in LICENCES],
    }


@cache
def _policy() -> str:
    allowed = " ".join(f"'{digest(_read(name))}'" for name in SCRIPTS)
    return (
        f"default-src 'none'; script-src {allowed}; style-src '{digest(_read('page.css'))}' '{PLOT_STYLE}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    """What a content security policy calls this text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
