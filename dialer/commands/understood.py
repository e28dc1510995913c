"""How lists were understood, as lines for a screen: files, columns with masked samples, rows, first calls."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from dialer.commands.common import plain, plural
from dialer.commands.masks import cut, first_few, initials, masked_phone, sample, without_numbers
from dialer.commands.survey import Survey
from dialer.core.campaign import Campaign
from dialer.core.reconcile import ATTEMPT_KEY, CAMPAIGN_KEY
from dialer.intake import Intake, ListFile
from dialer.intake.columns import Column, Mapping
from dialer.ledger import NewContact

WIDTH: Final = 100
_LABEL: Final = 12
_FILES: Final = 3
_COLUMNS: Final = 10
_HEADER: Final = 24
_SAMPLE: Final = 24
_COUNTRIES: Final = 8
_KEYS: Final = 8
_COPIED: Final = re.compile(r'\[columns\] \w+ = (?:"[^"]*"|\[[^\]]*\])')
_GLUE: Final = "\0"
_IN_LIST_LINE: Final = frozenset({"encoding", "sheet"})
_WHY: Final = {"header": " by its header", "cells": " by its cells", "[columns]": " as [columns] says", "": ""}
_JUDGED: Final = frozenset({"phone", "timezone", "consent", "priority", "agent"})
"""Roles that not every cell fits."""


def line(label: str, text: str) -> str:
    """A labelled line, broken where it is wider than the screen; but never within what is to be copied."""
    glued = _COPIED.sub(lambda found: found[0].replace(" ", _GLUE), text)
    lines = textwrap.wrap(glued, WIDTH - _LABEL, break_on_hyphens=False) or [""]
    return "".join(f"{'' if at else label:{_LABEL}}{part.replace(_GLUE, ' ')}\n" for at, part in enumerate(lines))


def one(label: str, text: str) -> str:
    """A labelled line, cut where it is wider than the screen."""
    return f"{label:{_LABEL}}{cut(text, WIDTH - _LABEL)}\n"


def lists(intake: Intake, survey: Survey) -> str:
    """The files, and how each is read."""
    said = [
        one(
            "list",
            f"{plain(file.table.shown)}: {plural(survey.rows_of[file.name], 'row')}, {plain(file.table.read_as)}",
        )
        for file in intake.files[:_FILES]
    ]
    if more := len(intake.files) - _FILES:
        said += [one("", f"and {plural(more, 'more file')}")] if more > 0 else []
    notes = [note.text for note in intake.notes if note.code not in _IN_LIST_LINE]
    said += [line("note", without_numbers(text)) for text in notes[:_FILES]]
    if len(notes) > _FILES:
        said.append(one("", f"and {plural(len(notes) - _FILES, 'more note')} of the other files"))
    return "".join(said)


def columns(intake: Intake) -> str:
    """Each column once: where several files say the same, it is said of the first."""
    kinds: dict[tuple[tuple[str, str], ...], ListFile] = {}
    for file in intake.files:
        kinds.setdefault(tuple((column.header, column.role) for column in file.mapping.columns), file)
    shown = list(kinds.values())[:2]
    said = "".join(_columns(file.mapping, _COLUMNS // len(shown)) for file in shown)
    more = len(kinds) - len(shown)
    return said + (one("", f"and {plural(more, 'list')} with other columns") if more else "")


def _columns(mapping: Mapping, most: int) -> str:
    ranked = sorted(mapping.columns, key=lambda column: column.role == "metadata")  # those with roles first
    shown, more = ranked[:most], ranked[most:]
    said = [one("" if at else "columns", _column(column, mapping)) for at, column in enumerate(shown)]
    if more:
        names = first_few((cut(plain(column.header), _HEADER) for column in more), _KEYS)
        said.append(one("", f"and {plural(len(more), 'more column')}: {names}"))
    return "".join(said)


def _column(column: Column, mapping: Mapping) -> str:
    unsent = column.role == "metadata" and mapping.sent is not None and column.header not in mapping.sent
    said = f"{cut(plain(column.header), _HEADER)} -> {'not sent' if unsent else column.role}{_WHY[column.why]}"
    if column.role in _JUDGED and column.fitting < column.filled:
        said += f", {column.fitting} of the first {column.filled} fit"
    shown = ", ".join(cut(sample(cell, column.role), _SAMPLE) for cell in column.samples)
    return f"{said}: {shown}" if shown else f"{said}: no cell is filled"


def rows(intake: Intake, survey: Survey) -> str:
    """Accepted and rejected, an example of each reason, and what was read with good will."""
    refused = survey.rejected
    why = f" ({', '.join(f'{count:,} {reason}' for reason, count in refused.most_common())})" if refused else ""
    said = line(
        "rows", f"{survey.rows:,}: {plural(survey.contacts, 'contact')} to call, {refused.total():,} rejected{why}"
    )
    for row in survey.examples:
        said += line("", without_numbers(f"row {row.row_number}: {row.reason}: {row.detail}"))
    kindly = ", ".join(f"{count:,} {code}" for code, count in intake.tally.notes.most_common())
    said += line("read kindly", kindly) if kindly else ""
    return said + (one("blank", f"{plural(intake.tally.blank, 'row')} passed over") if intake.tally.blank else "")


def countries(survey: Survey) -> str:
    """Contacts by country, the most first."""
    found = (f"{country or 'unknown'} {count:,}" for country, count in survey.countries.most_common())
    return one("countries", first_few(found, _COUNTRIES)) if survey.countries else ""


def first_calls(campaign: Campaign, intake: Intake, contacts: Sequence[NewContact]) -> str:
    """What the first rows would send."""
    understood = frozenset(intake.understood)
    agents = plain(first_few((agent.id for agent in campaign.agents), 3, "or"))
    said, before = "", ""
    for row in contacts:
        sent = _sent(row, understood)
        metadata = "the same metadata" if sent == before else f"metadata {sent}"
        said += line(
            "" if said else "would send", f"{masked_phone(row.phone)} by {agents}, {_contact(row)}, {metadata}"
        )
        before = sent
    return said


def _contact(row: NewContact) -> str:
    names = [initials(name) for name in (row.first_name, row.last_name) if name]
    return f"contact {' '.join(names)}" if names else "no name"


def _sent(row: NewContact, understood: frozenset[str]) -> str:
    def keys() -> Iterator[str]:
        for header, cell in row.cells.items():
            if cell and header not in understood:
                yield cut(plain(header), _HEADER)
        yield from (CAMPAIGN_KEY, ATTEMPT_KEY)

    return first_few(keys(), _KEYS)
