"""``dialer init``: five questions, or flags, and a campaign file that ``dialer check`` accepts. Calls nobody."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from dialer.commands.common import plain, plural
from dialer.commands.draft import Draft, understood_lines
from dialer.commands.understood import line
from dialer.core.campaign import SANDBOX, read_campaign
from dialer.core.errors import ContactsError, ExitCode, UserError
from dialer.intake import Intake
from dialer.intake.columns import UnclearColumns
from dialer.intake.sources import STANDARD_INPUT
from dialer.ledger import NewContact
from dialer.reports.files import write_text

HOURS: Final = "09:00-20:00"
NO_REGION: Final = "none"
_ROWS: Final = 1_000
_CHOICES: Final = 12
_Key = Literal["agent", "hours", "base_url"]


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The flags of ``init``."""

    contacts: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    agent: str | None = None
    """One, or several with commas."""
    region: str | None = None
    """Two letters, or "none": numbers without a country code are rejected."""
    hours: str | None = None
    base_url: str | None = None
    name: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """What the first rows of the lists are."""

    intake: Intake
    rows: int
    contacts: int
    rejected: Counter[str]


def init(file: Path | None, flags: InitOptions) -> int:
    """Ask what the flags do not say, read the list, and write the campaign file.

    Raises :class:`UserError` where nobody is there to be asked, where the file exists, and where the list does not say
    which column holds the numbers: then the file is written all the same, with the lines to choose from.
    """
    asks = sys.stdin.isatty()
    if not asks:
        _insist(flags)
    if file is not None:
        _spare(file, flags)
    draft, target = _begin(file, flags)
    draft, found = _columns(draft, target, flags, asks=asks)
    draft = _rest(draft, target, flags, asks=asks)
    if isinstance(found, UnclearColumns):
        _write(target, draft.text(found.choice), flags)
        raise ContactsError(f"{found}; {target} is written with the lines to choose from")
    found = _look(draft, target)  # once more: by calling hours a row may be rejected
    rows = plural(found.rows, "row")
    if not found.contacts:
        why = ", ".join(f"{count:,} {reason}" for reason, count in found.rejected.most_common())
        raise ContactsError(f"none of the first {rows} can be called ({why or 'there are none'})")
    _write(target, draft.text(comments=understood_lines(found.intake)), flags)
    sys.stdout.write(line("written", f"{target}: {found.contacts:,} of the first {rows} can be called"))
    sys.stdout.write(line("next", f"dialer check {target}"))
    return ExitCode.DONE


def _begin(file: Path | None, flags: InitOptions) -> tuple[Draft, Path]:
    """The lists and their country, and where the file goes."""
    contacts = flags.contacts or (_ask("Contact list (a file, or a pattern like lists/*.csv)", _readable),)
    for said in contacts:
        _readable(said)
    name = flags.name or _slug((file or Path(contacts[0])).stem)
    target = file or Path(f"{name}.toml")
    _spare(target, flags)
    region = None if flags.region is None else _region(flags.region)
    return Draft(name, tuple(_from(target, said) for said in contacts), flags.phone, region), target


def _insist(flags: InitOptions) -> None:
    missing = [option for option, value in (("--contacts", flags.contacts), ("--agent", flags.agent)) if not value]
    if missing:
        raise UserError(f"init: without a terminal to ask on, say {' and '.join(missing)} (see: dialer init --help)")


def _spare(target: Path, flags: InitOptions) -> None:
    if target.suffix != ".toml":
        raise UserError(f"{target}: a campaign file ends in .toml; name a contact list with --contacts")
    if not target.parent.is_dir():
        raise UserError(f"cannot write {target}: there is no directory {target.parent}")
    if target.exists() and (not flags.force or target.is_dir()):
        raise UserError(f"{target} is there already; name another file, or write over it with --force")


def _readable(said: str) -> None:
    """Raise :class:`UserError` where ``said`` is no list that can be read a second time."""
    if said == STANDARD_INPUT:
        raise UserError("init: standard input can be read only once; name a file")
    with suppress(UnclearColumns):  # it can be read; what it means is asked next
        Intake(read_campaign(Draft("x", (said,)).text(), Path("init")))


def _from(target: Path, said: str) -> str:
    """A list as the campaign file must name it: from the file's own directory."""
    if said.startswith("~") or Path(said).is_absolute():
        return said
    return os.path.relpath(Path.cwd() / said, target.parent.resolve())


def _slug(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._*")[:64] or "campaign"


# --- the list -------------------------------------------------------------------------------------------------------


def _columns(draft: Draft, target: Path, flags: InitOptions, *, asks: bool) -> tuple[Draft, _Found | UnclearColumns]:
    """The draft with what the list does not say itself, and its first rows; the error where nobody can be asked."""
    try:
        found = _look(draft, target)
    except UnclearColumns as error:
        if not asks:
            return draft, error
        draft = replace(draft, phone=_ask_phone(error))
        found = _look(draft, target)
    count = found.rejected["phone_no_country"]
    if not count or flags.region is not None:
        return draft, found
    said = f"{count:,} of the first {plural(found.rows, 'row')} {'has' if count == 1 else 'have'} no country code"
    if not asks:
        raise UserError(f"init: {said}: say --region, like US, or --region {NO_REGION} to have them rejected")
    sys.stderr.write(f"{said}.\n")
    region = _ask(
        "Their country, two letters (none: they are rejected)",
        lambda answer: _look(replace(draft, region=_region(answer)), target),
        NO_REGION,
    )
    draft = replace(draft, region=_region(region))
    return draft, _look(draft, target)


def _region(answer: str) -> str | None:
    return None if answer.lower() == NO_REGION else answer.upper()


def _look(draft: Draft, target: Path) -> _Found:
    intake = Intake(read_campaign(draft.text(), target))
    rejected: Counter[str] = Counter()
    contacts = 0
    for row in islice(intake.read(time.time()), _ROWS):
        if isinstance(row, NewContact):
            contacts += 1
        else:
            rejected[row.reason] += 1
    return _Found(intake, contacts + rejected.total(), contacts, rejected)


def _ask_phone(error: UnclearColumns) -> tuple[str, ...]:
    choice = error.choice[:_CHOICES]
    listed = ", ".join(f"{number} {plain(header)}" for number, header in enumerate(choice, 1))

    def chosen(answer: str) -> tuple[str, ...]:
        numbers = [part.strip() for part in answer.split(",")]
        if not all(number.isdecimal() and 0 < int(number) <= len(choice) for number in numbers):
            raise UserError(f"numbers from 1 to {len(choice)} are meant")
        return tuple(dict.fromkeys(choice[int(number) - 1] for number in numbers))

    sys.stderr.write(f"Which column holds the phone number? {listed}\n")
    return chosen(_ask("Its number; several in the order in which to try them, like 2,1", chosen))


# --- the other questions --------------------------------------------------------------------------------------------


def _rest(draft: Draft, target: Path, flags: InitOptions, *, asks: bool) -> Draft:
    """The draft with agent, hours and address: from the flags, from the terminal, or as they are by default."""
    questions: tuple[tuple[_Key, str | None, str, str | None], ...] = (
        ("agent", flags.agent, "Agent (its id; several with commas)", None),
        ("hours", flags.hours, "Calling hours on the contacts' clocks, like 9:00-17:00, saturday 10:00-14:00", HOURS),
        ("base_url", flags.base_url, "Address of the API, or sandbox to rehearse", SANDBOX),
    )
    for key, said, question, default in questions:

        def check(answer: str, key: _Key = key, before: Draft = draft) -> None:
            read_campaign(before.having(key, answer).text(), target)

        answer = said or (_ask(question, check, default) if asks else default)
        assert answer is not None, key
        check(answer)
        draft = draft.having(key, answer)
    return draft


def _ask(question: str, check: Callable[[str], object], default: str | None = None) -> str:
    """An answer that ``check`` raises no :class:`UserError` for. Asked until there is one."""
    while True:
        sys.stderr.write(f"{question}{f' [{default}]' if default else ''}: ")
        sys.stderr.flush()
        said = sys.stdin.readline()
        if not said:
            raise UserError("init: no answer; nothing was written")
        answer = said.strip() or default
        if answer is None:
            continue
        try:
            check(answer)
        except UserError as error:
            sys.stderr.write(f"  {plain(str(error))}\n")
            continue
        return answer


def _write(target: Path, text: str, flags: InitOptions) -> None:
    _spare(target, flags)
    write_text(target, text, option="FILE")
