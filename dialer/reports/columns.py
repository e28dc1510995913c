"""Every column of every table: its name, what kind of thing stands in it, and what it means. The one place that knows.

Headers of the files, the schema of Parquet, data frames, messages about unknown columns and ``docs/columns.md`` are
drawn from here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from dialer.core.lifecycle import AttemptState, Disposition, LeadState


class Kind(Enum):
    """What stands in a column, in memory; an empty cell is None. The value is for people."""

    TEXT = "text"
    WORD = "word"
    """One of the column's own words."""
    PHONE = "number to call, E.164"
    COUNT = "whole number"
    AMOUNT = "number"
    """Float."""
    MOMENT = "moment, UTC"
    """Float: seconds since 1970."""
    GIVEN = "as the list has it"
    """A column of the input: text, or nested JSON as dict and list."""
    GIVEN_PHONE = "as the list has it, may be a number to call"
    SAID = "text that others wrote"
    """Names of the list, words of the API: numbers may stand in it."""
    RAW = "a row of the list as CSV text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    meaning: str
    words: tuple[str, ...] = ()


_STATES: Final = tuple(state.value for state in LeadState)
_ENDS: Final = tuple(word.value for word in Disposition)
_PHONE: Final = Column("phone", Kind.PHONE, "the number that is called")
_DISPOSITION: Final = Column("disposition", Kind.WORD, "how the last attempt ended", _ENDS)
_ATTEMPTS: Final = Column("attempts", Kind.COUNT, "attempts at which a phone may have rung")
_NEXT: Final = Column("next_attempt_at", Kind.MOMENT, "when the contact is due again, if it is")
_CALL: Final = Column("call_id", Kind.TEXT, "the API's id of the call")
_AGENT: Final = Column("agent_id", Kind.TEXT, "the agent that spoke")
_DURATION: Final = Column("duration_s", Kind.AMOUNT, "length of the call in seconds, as the API tells it")
_SENTIMENT: Final = Column("sentiment", Kind.TEXT, "the API's word for the mood of the call")
_COST: Final = Column("cost", Kind.AMOUNT, "cost of the call in the API's units; empty where it does not tell")
_ROW: Final = Column("row_number", Kind.COUNT, "row of the list, as a spreadsheet counts: the header is row 1")

OUTCOMES: Final = (
    _PHONE,
    Column("state", Kind.WORD, "where the contact stands in the campaign", _STATES),
    _DISPOSITION,
    _ATTEMPTS,
    _CALL,
    _AGENT,
    Column("first_attempt_at", Kind.MOMENT, "when the first attempt began"),
    Column("last_attempt_at", Kind.MOMENT, "when the last attempt began"),
    _NEXT,
    _DURATION,
    _SENTIMENT,
    Column("cost", Kind.AMOUNT, "cost of all calls to the contact in the API's units"),
    Column("reason", Kind.SAID, "why it ended so, where there is more to say"),
)
"""After the columns of the input. Call, agent, length and mood are the last attempt's."""
ATTEMPTS: Final = (
    Column("attempt", Kind.TEXT, "key of the attempt; it travels with the call"),
    _ROW,
    _PHONE,
    Column("number", Kind.COUNT, "counts the contact's attempts, refused ones too"),
    Column("state", Kind.WORD, "where the attempt stands", tuple(state.value for state in AttemptState)),
    Column("disposition", Kind.WORD, "how the attempt ended", _ENDS),
    Column("status", Kind.TEXT, "the API's last word on the call"),
    _CALL,
    _AGENT,
    Column("intended_at", Kind.MOMENT, "when the attempt was written down, before anything was sent"),
    Column("placed_at", Kind.MOMENT, "when the API had said that it placed the call"),
    Column("created_at", Kind.MOMENT, "when the call was made, by the API's clock"),
    Column("ended_at", Kind.MOMENT, "when the call ended, or its end was noticed"),
    _DURATION,
    _SENTIMENT,
    _COST,
    Column("code", Kind.TEXT, "the API's code, where it refused"),
    Column("reason", Kind.SAID, "why, where there is more to say"),
)
RETRY_QUEUE: Final = (
    _ROW,
    _PHONE,
    _DISPOSITION,
    _ATTEMPTS,
    _NEXT,
    Column("timezone", Kind.TEXT, "the contact's time zone, or those it may be in with & between them"),
    Column("first_name", Kind.SAID, "as the list has it"),
    Column("last_name", Kind.SAID, "as the list has it"),
)
REJECTED: Final = (
    _ROW,
    Column("reason", Kind.TEXT, "why the row cannot be called, as a word"),
    Column("detail", Kind.SAID, "the same as a sentence"),
    Column("file", Kind.TEXT, "the list that the row is in"),
    Column("raw", Kind.RAW, "the row as CSV text"),
)
TABLES: Final[Mapping[str, Sequence[Column]]] = {
    "outcomes": OUTCOMES,
    "attempts": ATTEMPTS,
    "retry_queue": RETRY_QUEUE,
    "rejected": REJECTED,
}


def names(columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of columns."""
    return tuple(column.name for column in columns)


_OUTCOMES: Final = frozenset(column.name for column in OUTCOMES)


def given(headers: Sequence[str], understood: Sequence[str], ours: Collection[str] = _OUTCOMES) -> tuple[Column, ...]:
    """The columns of the input with these headers; one of the same name as one of ``ours`` becomes ``input_<name>``.

    ``understood`` are those that are no metadata: numbers to call may stand in them.
    """
    found: dict[str, Column] = {}
    for header in headers:
        name = header
        while name in ours or name in found or (name != header and name in headers):
            name = f"input_{name}"
        kind = Kind.GIVEN_PHONE if header in understood else Kind.GIVEN
        found[name] = Column(name, kind, f"column '{header}' of the list")
    return tuple(found.values())


def as_markdown() -> str:
    """All of this as a page for people."""
    lines = ["# The columns of all tables", "", _PREFACE]
    for table, columns in TABLES.items():
        lines += ["", f"## {table}", "", "| column | type | meaning |", "|---|---|---|"]
        for column in columns:
            words = f": {', '.join(f'`{word}`' for word in column.words)}" if column.words else ""
            lines.append(f"| `{column.name}` | {column.kind.value} | {column.meaning}{words} |")
    return "\n".join(lines) + "\n"


_PREFACE: Final = """\
`outcomes` begins with the columns of the list; one of the same name as one of ours is called `input_<name>` there.
Call, agent, length and mood of an outcome are those of its last attempt; a refused call is none.

| type | CSV | JSON lines | workbook | Parquet | data frame |
|---|---|---|---|---|---|
| text, as the list has it, that others wrote | text | string | text | `string` | `string` |
| as the list has it, nested | JSON | object, array | JSON | JSON, `string` | objects |
| word | text | string | text | `string` | `category` |
| number to call | `+12125550100` | string | text | `string` | `string` |
| whole number | `3` | number | number | `int64` | `Int64` |
| number | `30.5` | number | number | `double` | `Float64` |
| moment, UTC | `2026-02-25T12:00:00+00:00` | the same | date, in UTC | `timestamp[us, UTC]` | `datetime64[us, UTC]` |

An empty cell is an empty cell, `null`, and `NA`; in columns of the list, which may hold it, an empty text. What a
workbook cannot hold is cut (32,767 characters a cell), and that is said."""
