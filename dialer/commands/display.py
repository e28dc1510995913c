"""How a run looks: a progress bar on a terminal, plain lines elsewhere. Everything goes to standard error."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Never

from dialer.commands.common import length, local_time

if TYPE_CHECKING:
    from tqdm import tqdm

    from dialer.runner.watch import Snapshot

PLAIN_EVERY_S: Final = 10.0
RATE_OVER_S: Final = 60.0


class _Rate:
    """Calls a minute, over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def add(self, snapshot: Snapshot) -> None:
        self._seen.append((snapshot.at, snapshot.placed, snapshot.done))
        while self._seen[0][0] < snapshot.at - RATE_OVER_S:
            self._seen.popleft()

    def calls_a_minute(self) -> float:
        (since, before, _), (until, now, _) = self._seen[0], self._seen[-1]
        return 60.0 * (now - before) / (until - since) if until > since else 0.0

    def left_s(self, contacts: int) -> float | None:
        (since, _, before), (until, _, now) = self._seen[0], self._seen[-1]
        return (contacts - now) * (until - since) / (now - before) if now > before else None


def describe(snapshot: Snapshot, rate: _Rate) -> str:
    """Everything but the bar itself, in one line."""
    parts = [
        f"live {snapshot.live}/{snapshot.slots}",
        f"{rate.calls_a_minute():.0f} calls/min",
    ]
    if snapshot.waiting:
        due = "" if snapshot.next_due_at is None else f", next {local_time(snapshot.next_due_at, snapshot.at)}"
        parts.append(f"{snapshot.waiting} to retry{due}")
    if snapshot.in_doubt:
        parts.append(f"{snapshot.in_doubt} in doubt")
    if snapshot.spent:
        parts.append(f"spent {snapshot.spent:.2f}")
    left_s = rate.left_s(snapshot.contacts)
    if left_s is not None and snapshot.done < snapshot.contacts:
        parts.append(f"about {length(max(left_s, 1.0))} left")
    return " · ".join(parts)


class _Sentences:
    """What every display says in the same words."""

    def notice(self, text: str) -> None:
        """See :class:`dialer.runner.watch.Watch`."""
        raise NotImplementedError

    def idle(self, until: float) -> None:
        """See :class:`dialer.runner.watch.Watch`."""
        when = local_time(until, time.time())
        self.notice(f"Nothing to do until {when}; waiting. (Ctrl-C stops, --no-wait does not wait.)")

    def in_doubt(self, reason: str, until: float) -> None:
        """See :class:`dialer.runner.watch.Watch`."""
        self.notice(
            f"A call may or may not have been placed ({reason}). It is searched for in the API's list until "
            f"{local_time(until, time.time())}; its contact waits, others go on."
        )


class BarDisplay(_Sentences):
    """A tqdm bar for a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[Never] | None = None
        self._rate = _Rate()

    def progress(self, snapshot: Snapshot) -> None:
        """See :class:`dialer.runner.watch.Watch`."""
        self._rate.add(snapshot)
        if self._bar is None:
            from tqdm import tqdm  # only for a terminal

            self._bar = tqdm(
                total=snapshot.contacts,
                initial=snapshot.done,
                file=sys.stderr,
                dynamic_ncols=True,
                bar_format="{desc}{percentage:3.0f}% |{bar:20}| {n_fmt}/{total_fmt} contacts{postfix}",
            )
        self._bar.n = snapshot.done
        self._bar.set_postfix_str(describe(snapshot, self._rate), refresh=False)
        self._bar.refresh()

    def notice(self, text: str) -> None:
        """See :class:`dialer.runner.watch.Watch`."""
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)

    def close(self) -> None:
        """Leave the bar as it is and go to the next line."""
        if self._bar is not None:
            self._bar.close()


class PlainDisplay(_Sentences):
    """Lines for a file or a pipe."""

    def __init__(self) -> None:
        self._rate = _Rate()
        self._told_at = float("-inf")

    def progress(self, snapshot: Snapshot) -> None:
        """See :class:`dialer.runner.watch.Watch`."""
        self._rate.add(snapshot)
        if snapshot.at - self._told_at >= PLAIN_EVERY_S:
            self._told_at = snapshot.at
            self.notice(f"{snapshot.done}/{snapshot.contacts} contacts · {describe(snapshot, self._rate)}")

    def notice(self, text: str) -> None:
        """See :class:`dialer.runner.watch.Watch`."""
        with suppress(OSError):  # nobody reads on; the campaign goes on all the same
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def close(self) -> None:
        """Nothing to clean up."""


class QuietDisplay(PlainDisplay):
    """Only what must be said."""

    def progress(self, snapshot: Snapshot) -> None:
        """See :class:`dialer.runner.watch.Watch`."""


def choose_display(*, quiet: bool) -> BarDisplay | PlainDisplay:
    """The display that fits where standard error goes."""
    if quiet:
        return QuietDisplay()
    return BarDisplay() if sys.stderr.isatty() else PlainDisplay()
