"""A campaign file in the making: what is known of it, and its text with comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from dialer.commands.common import plain
from dialer.core.campaign import SANDBOX, Hours
from dialer.core.errors import UserError
from dialer.core.hours import ALWAYS
from dialer.intake import Intake
from dialer.intake.columns import quoted

_COMMENT_AT: Final = 39
_DAYS: Final = frozenset(Hours.model_fields) - {"timezone"}
_CHOICES: Final = 12


@dataclass(frozen=True, slots=True)
class Draft:
    """What is known so far; what is not, stands for something that can be read."""

    name: str
    contacts: tuple[str, ...]
    phone: tuple[str, ...] = ()
    region: str | None = None
    agent: str = "agent"
    base_url: str = SANDBOX
    hours: str = ALWAYS

    def _agents(self) -> list[str]:
        return [agent for one in self.agent.split(",") if (agent := one.strip())]

    def having(self, key: Literal["agent", "hours", "base_url"], value: str) -> Draft:
        """The draft with another value. Raises :class:`UserError` for hours that name no day."""
        match key:
            case "agent":
                return replace(self, agent=value)
            case "base_url":
                return replace(self, base_url=value)
            case "hours":
                _week(value)
                return replace(self, hours=value.strip())

    def text(self, choice: Sequence[str] = (), comments: Iterable[str] = ()) -> str:
        """The file. ``choice``: columns that may hold the number, to choose from; ``comments``: more to say."""
        lists = ", ".join(map(quoted, self.contacts))
        said = [
            "# Written by dialer init. Every key is explained in campaigns/example.toml.",
            "",
            _key("name", quoted(self.name), "the key in the ledger: keep it, or everybody is called again"),
            _key("contacts", lists if len(self.contacts) == 1 else f"[{lists}]", "relative to this file"),
            _key("agents", f"[{', '.join(map(quoted, self._agents()))}]", "several share the work"),
        ]
        if self.hours == ALWAYS:
            said.append(_key("hours", quoted(ALWAYS), "rehearsals only"))
        said += ["", "[api]", _key("base_url", quoted(self.base_url), '"sandbox": a pretend network, nobody is called')]
        said.append(_key("requests_per_minute", "60", "your plan's limits; the strictest plan is the default"))
        said += [_key("requests_per_day", "10000", ""), "", "[columns]", *(f"# {comment}" for comment in comments)]
        said += [*self._phone(choice), self._region()]
        if self.hours != ALWAYS:
            said += ["", _key("[hours]", "", "in each contact's own time zone")]
            said += [_key(day, quoted(window), "") for day, window in _week(self.hours).items()]
        return "\n".join(said) + "\n"

    def _phone(self, choice: Sequence[str]) -> list[str]:
        if self.phone:
            return [_key("phone", _one_or_list(self.phone), "tried in this order" if len(self.phone) > 1 else "")]
        if not choice:
            return []
        lines = ['# Which column holds the phone number? Keep one of these lines, without its "# ":']
        lines += [f"# phone = {quoted(header)}" for header in choice[:_CHOICES]]
        return [*lines, f"# phone = {_one_or_list(choice[:2])}"] if len(choice) > 1 else lines

    def _region(self) -> str:
        why = "for numbers without a country code; without it they are rejected"
        return _key("region", quoted(self.region), why) if self.region else _key("# region", '"US"', why)


def understood_lines(intake: Intake) -> list[str]:
    """What the columns of the first list were taken for, as comments."""
    columns = [column for column in intake.files[0].mapping.columns if column.role != "metadata"]
    return [f"{plain(column.header)} -> {column.role}" for column in columns]


def _one_or_list(headers: Sequence[str]) -> str:
    return quoted(headers[0]) if len(headers) == 1 else f"[{', '.join(map(quoted, headers))}]"


def _key(key: str, value: str, comment: str) -> str:
    said = f"{key} = {value}" if value else key
    return f"{said:{_COMMENT_AT - 1}} # {comment}" if comment else said


def _week(said: str) -> dict[str, str]:
    """The windows in "09:00-20:00, saturday 10:00-14:00" by the keys of ``[hours]``. What is not said is closed."""
    if said.strip().lower() == ALWAYS:
        return {}
    found = {"weekdays": "closed", "saturday": "closed", "sunday": "closed"}
    for part in re.sub(r"\s*-\s*", "-", said).split(","):
        day, _, window = part.strip().rpartition(" ")
        day = day.strip().lower() or "weekdays"
        if day not in _DAYS:
            raise UserError(f"hours: '{plain(day)}' is none of weekdays, monday, ... sunday")
        found[day] = window
    return found
