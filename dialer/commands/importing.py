"""Reading contact lists as it is seen: a bar on a terminal, a line now and then elsewhere, and what must be known."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Never

from dialer.commands.common import plain
from dialer.commands.display import BarDisplay, PlainDisplay, QuietDisplay
from dialer.core.masks import masked_numbers
from dialer.intake import Progress
from dialer.intake.tables import Note

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_EVERY_S: Final = 10.0
_LOUD: Final = frozenset({"read_as_cp1252", "consent_not_understood", "agent_not_understood", "several_columns"})
"""Notes that a run says as well: by them people might be called wrongly. ``dialer check`` says all."""


@contextmanager
def import_progress(display: BarDisplay | PlainDisplay | None = None) -> Iterator[Progress]:
    """Shows how far the lists have been read. Without a ``display`` only a bar, and only on a terminal."""
    if (display is None and sys.stderr.isatty()) or isinstance(display, BarDisplay):
        with _bar() as bar:

            def move(rows: int, share: float) -> None:
                bar.set_postfix_str(f"{rows:,} rows", refresh=False)
                bar.update(share - bar.n)

            yield move
    elif display is None or isinstance(display, QuietDisplay):
        yield lambda _rows, _share: None
    else:
        yield _lines(display)


def _bar() -> tqdm[Never]:
    from tqdm import tqdm  # only for a terminal

    return tqdm(
        total=1.0,
        file=sys.stderr,
        leave=False,
        mininterval=0,  # it is moved every few thousand rows only
        miniters=0,
        dynamic_ncols=True,
        bar_format="Contacts {percentage:3.0f}% |{bar:20}|{postfix}, {remaining} left",
    )


def _lines(display: PlainDisplay) -> Progress:
    told_at = time.monotonic()

    def tell(rows: int, share: float) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= LINE_EVERY_S:
            told_at = time.monotonic()
            display.notice(f"Contacts: {rows:,} rows read ({share:.0%})")

    return tell


def loud(notes: Iterable[Note]) -> list[str]:
    """What a run should say of its lists before it dials, fit for a terminal."""
    return [masked_numbers(plain(note.text)) for note in notes if note.code in _LOUD]
