"""Whether this machine's clock may be believed: calling hours and windows of doubt hang on it.

It is compared with the API's ``Date``. While the two are further apart than the campaign tolerates, or since this clock
was set and no answer has confirmed it, no call is placed; live ones are followed, and a cheap look asks again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ASK_EVERY_S: Final = 30.0
PATIENCE_S: Final = 300.0
"""How long a run waits for the clocks to agree again before it gives up."""

_WIDEST_S: Final = 60.0


@dataclass(slots=True)
class ClockTrust:
    """What is known of this machine's clock. ``off_s``: the API's clock minus ours, where that is too much."""

    tolerance_s: float
    off_s: float | None = None
    unconfirmed: bool = False
    """The clock was set, and no answer has come since."""
    doubted_at: float = float("inf")
    _asked_at: float = float("-inf")

    @property
    def good(self) -> bool:
        """Whether calls may be placed as far as the clock is concerned."""
        return self.off_s is None and not self.unconfirmed

    def compare(self, low_s: float, high_s: float, now: float) -> None:
        """An answer told the API's clock: its distance from ours lies between these.

        Bounds wider than what is tolerated tell nothing: our clock was set while the answer was on its way.
        """
        if high_s - low_s > max(self.tolerance_s, _WIDEST_S):
            return
        off_s = low_s if low_s > self.tolerance_s else high_s if high_s < -self.tolerance_s else None
        if self.good and off_s is not None:
            self.doubted_at = now
        self.off_s, self.unconfirmed = off_s, False

    def answered(self) -> None:
        """An answer came that tells no time: nothing contradicts a clock that was set."""
        self.unconfirmed = False

    def was_set(self, by_s: float, now: float) -> None:
        """This machine's clock was set."""
        if self.good:
            self.doubted_at = now
        else:
            self.doubted_at += by_s
        self._asked_at = float("-inf")
        self.unconfirmed = True
        if self.off_s is not None:
            self.off_s -= by_s

    def wants_to_ask(self, now: float) -> bool:
        """Whether it is time to look at the API's clock again."""
        return not self.good and now - self._asked_at >= ASK_EVERY_S

    def asks(self, now: float) -> None:
        """A look at the API's clock leaves."""
        self._asked_at = now

    def ask_at(self) -> float:
        """When the API's clock should be looked at again."""
        return float("inf") if self.good else self._asked_at + ASK_EVERY_S

    def hopeless(self, now: float) -> bool:
        """Whether the clocks have disagreed for so long that waiting leads nowhere."""
        return not self.good and now - self.doubted_at >= PATIENCE_S
