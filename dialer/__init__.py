"""A bulk outbound dialer campaign runner.

The house, by floors. A module imports only from floors below its own; ``tests/test_floors.py`` holds the table and
enforces it.

====== ==============================================================================================
floor  rooms
====== ==============================================================================================
0      ``core.wire`` ``core.errors`` ``core.lifecycle`` ``core.chance`` ``core.columns``
1      ``core.messages`` ``core.lengths`` ``core.fuel`` ``core.listing`` · ``rehearsal.script``
2      ``rehearsal.exchange`` · ``core.retry`` ``core.hours`` ``core.caps`` ``core.pacing`` ``core.tracking``
       ``core.reconcile`` ``core.lines`` ``core.settling`` ``core.halts`` ``core.trust``
3      ``core.campaign`` ``core.doubts`` ``core.strangers`` ``core.catchup``
4      ``core.switchboard`` ``core.revision``
5      ``client`` · ``ledger``
6      ``intake`` · ``reports`` · ``runner`` · ``rehearsal`` (the sandbox)
7      ``fetching``
8      ``commands``
9      ``cli``
====== ==============================================================================================
"""

__version__ = "0.1.0"
