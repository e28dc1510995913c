"""A bulk outbound dialer campaign runner.

The house, by floors. A module imports only from floors below its own; ``tests/test_floors.py`` holds the table and
enforces it.

====== ==============================================================================================
floor  rooms
====== ==============================================================================================
0      ``core.wire`` ``core.errors`` ``core.lifecycle`` ``core.chance``
1      ``core.messages`` · ``rehearsal.script`` ``rehearsal.exchange``
2      ``core.retry`` ``core.hours`` ``core.caps`` ``core.pacing`` ``core.tracking`` ``core.reconcile``
3      ``core.campaign`` ``core.doubts``
4      ``core.switchboard``
5      ``intake`` · ``client`` · ``ledger`` · ``reports``
6      ``runner`` · ``rehearsal`` (the sandbox)
7      ``commands``
8      ``cli``
====== ==============================================================================================
"""

__version__ = "0.1.0"
