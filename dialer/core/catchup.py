"""What happened since this ledger last heard of its campaign: one walk over the list before anything is dialed.

A ledger that was restored from a copy, or a second host, shows there: calls to our contacts that no attempt holds. The
walk itself only sees that the list is read to its end; the strangers on its pages go to :mod:`dialer.core.strangers`.
"""

from __future__ import annotations

from typing import Final

from dialer.core.messages import Reconcile
from dialer.core.reconcile import Scan, SkewMeter
from dialer.core.wire import CallPage

SCAN_ID: Final = 0
"""The scans of doubts are numbered from 1."""
MARGIN_S: Final = 600.0
"""How much before the last activity the walk begins: the list may have lagged then."""
TRIES: Final = 3
"""A list that never adds up is believed after this many walks: it would hold up the campaign for ever."""
AGAIN_S: Final = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)


class CatchUp:
    """The walk of one runner; nothing to do where the ledger never heard of an attempt of the campaign."""

    scan_id = SCAN_ID

    def __init__(
        self,
        active_at: float | None,
        skew_s: float | None,
        agents: frozenset[str],
        meter: SkewMeter,
        horizon_s: float,
    ) -> None:
        """``active_at`` is on our clock as it was then, ``skew_s`` what the API's clock was ahead of that, if known."""
        self._skew_s = skew_s
        self._since = None if active_at is None else active_at - max(MARGIN_S, min(horizon_s, 3600.0))
        self._agent = next(iter(agents)) if len(agents) == 1 else None
        self._meter = meter
        self.under_way = active_at is not None
        self._scan: Scan | None = None
        self._asking = False
        self._tries = 0
        self._failures = 0
        self._next_at = float("-inf")

    def next_order(self, now: float) -> Reconcile | None:
        """The next page, if it is time."""
        if not self.under_way or self._asking or now < self._next_at or self._since is None:
            return None
        if self._scan is None:
            skew = self._meter.skew
            low = self._since + (skew.low_s if self._skew_s is None else min(self._skew_s, skew.low_s))
            self._scan = Scan(SCAN_ID, self._agent, low, now + skew.high_s + 86_400.0, low, now)
        self._asking = True
        return Reconcile(SCAN_ID, self._scan.agent_id, self._scan.from_at, self._scan.to_at, self._scan.page)

    def absorb(self, page: CallPage, now: float) -> None:
        """A page of the walk."""
        self._asking = False
        self._failures = 0
        scan = self._scan
        if scan is None:
            return
        scan.absorb(page, ())
        if not scan.done:
            return
        self._scan = None
        self._tries += 1
        self.under_way = not scan.complete and self._tries < TRIES
        self._next_at = now + AGAIN_S[1]

    def failed(self, now: float, *, agent_gone: bool = False) -> None:
        """A page did not come: the walk begins anew, later, and for all agents where the API knows ours no more."""
        self._agent = None if agent_gone else self._agent
        self._asking = False
        self._scan = None
        self._next_at = now + AGAIN_S[min(self._failures, len(AGAIN_S) - 1)]
        self._failures += 1

    def wake_at(self) -> float:
        """When there is something to ask."""
        return float("inf") if not self.under_way or self._asking else self._next_at

    def shift(self, by_s: float) -> None:
        """This machine's clock was set."""
        self._next_at += by_s
        if self._since is not None and self._meter.known is None:
            self._since += by_s
