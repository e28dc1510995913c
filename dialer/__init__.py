"""A bulk outbound dialer campaign runner.

The house, by floors. A module imports only from floors below its own; ``tests/test_floors.py`` holds the table and
enforces it.

====== ==============================================================================================
floor  rooms
====== ==============================================================================================
0      ``version`` · ``core.wire`` ``core.errors`` ``core.lifecycle`` ``core.chance`` ``core.columns`` ``core.cells``
       ``core.masks``
1      ``core.messages`` ``core.lengths`` ``core.fuel`` ``core.listing`` · ``rehearsal.script``
2      ``rehearsal.exchange`` · ``core.retry`` ``core.hours`` ``core.caps`` ``core.pacing`` ``core.tracking``
       ``core.reconcile`` ``core.lines`` ``core.settling`` ``core.halts`` ``core.trust``
3      ``core.campaign`` ``core.doubts`` ``core.strangers`` ``core.catchup``
4      ``core.switchboard`` ``core.revision``
5      ``client`` · ``ledger``
6      ``intake`` · ``reports`` · ``runner`` · ``rehearsal`` (the sandbox)
7      ``commands``
8      ``cli``
9      ``dialer`` itself: the front door for notebooks
====== ==============================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dialer import version

if TYPE_CHECKING:
    from dialer.reports.frames import OpenLedger, open_ledger

__version__ = version.VERSION
__all__ = ["OpenLedger", "__version__", "open_ledger"]


def __getattr__(name: str) -> Any:
    """What notebooks import is loaded when it is asked for, so that the command line starts at once."""
    if name in {"OpenLedger", "open_ledger"}:
        from dialer.reports import frames

        return getattr(frames, name)
    raise AttributeError(f"module 'dialer' has no attribute '{name}'")
