"""What may be spent. Money in flight counts: a call that is live has not told its cost yet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Purse:
    """The campaign's money, in the API's cost units."""

    limit: float | None
    spent: float = 0.0
    costed_calls: int = 0

    def expected(self) -> float:
        """What a call is expected to cost: the mean of those that told, or nothing before any did."""
        return self.spent / self.costed_calls if self.costed_calls else 0.0

    def pay(self, cost: float | None) -> None:
        """An ended call told its cost."""
        if cost is not None:
            self.spent += cost
            self.costed_calls += 1

    def allows(self, in_flight: int) -> bool:
        """Whether one more call beside ``in_flight`` live ones stays within the limit."""
        return self.limit is None or self.spent + (in_flight + 1) * self.expected() <= self.limit
