"""Two fetches at one ledger ask one after the other, and together no faster than the plan allows.

How: real locks and the real ledger on disk, the real budget; only the clock is virtual.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from dialer.core.campaign import Api
from dialer.core.errors import LedgerHeld, LedgerUnusable
from dialer.fetching.budget import Budget
from dialer.fetching.turn import turn
from tests.support.virtual import VirtualClock, run_virtually
from tests.support_rows import ACCOUNT, NOON, opened, put


class _Notes(list[str]):
    def notice(self, text: str) -> None:
        self.append(text)


def test_two_fetches_at_once_make_no_more_requests_a_minute_than_one(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        put(ledger)
    path, clock, left = tmp_path / "ledger.db", VirtualClock(NOON), list[tuple[float, str]]()
    notes = {"first": _Notes(), "second": _Notes()}

    async def fetch(name: str) -> None:
        async with turn(path, notes[name], wait=True):
            budget = Budget(path, ACCOUNT, Api(requests_per_minute=60), [], clock, notes[name])
            for _ in range(40):
                await budget.ticket()
                left.append((clock.wall(), name))
            budget.close()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch, "first")
            await anyio.sleep(0.5)
            tasks.start_soon(fetch, "second")

    run_virtually(main)
    assert [name for _, name in left] == ["first"] * 40 + ["second"] * 40
    assert all(later - first >= 59.0 for (first, _), (later, _) in zip(left, left[60:], strict=False))
    assert notes["first"] == []
    assert ["another fetch is asking" in said for said in notes["second"]] == [True]


def test_who_does_not_wait_is_told_and_the_turn_is_free_afterwards(tmp_path: Path) -> None:
    notes, ledger = _Notes(), tmp_path / "ledger.db"

    async def main() -> None:
        async with turn(ledger, notes, wait=False):
            with pytest.raises(LedgerHeld, match="another fetch"):
                async with turn(ledger, notes, wait=False):
                    pass
        async with turn(ledger, notes, wait=False):
            pass

    run_virtually(main)
    assert notes == []


def test_a_place_beside_the_ledger_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    async def main() -> None:
        async with turn(tmp_path / "gone" / "ledger.db", _Notes(), wait=True):
            pass

    with pytest.raises(LedgerUnusable, match=r"ledger\.db\.fetch: No such file"):
        run_virtually(main)
