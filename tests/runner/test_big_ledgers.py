"""Ten thousand open attempts after a crash: what recovery costs does not run away with their number.

No clock is asserted here: the work is counted in requests, and turns of the virtual loop are bounded by the loop
itself. ``benchmarks`` has the seconds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dialer.core.errors import ExitCode
from dialer.core.lifecycle import Attempt, AttemptState, LeadState
from dialer.core.messages import Intend, MarkUncertain
from dialer.ledger.sqlite import SqliteLedger
from dialer.rehearsal.answers import SandboxRules
from tests.support.house import ACCOUNT, House, campaign
from tests.support.laws import check_ledger, check_network

OPEN = 2_000


def crashed(house: House, count: int, placed: int) -> None:
    """``count`` creates were never answered; every ``placed``-th of them made a call."""
    ledger = SqliteLedger(house.ledger_path)
    try:
        record = ledger.campaign(house.campaign.name)
        assert record is not None
        now = house.start
        for index, lead in enumerate(ledger.claim(record.id, now, count)):
            key = f"{ledger.workspace}{lead.id}.1"
            begun = replace(lead, submissions=1)
            attempt = Attempt(key, begun, "agent_a", AttemptState.INTENDED, now + index * 0.05)
            said = [Intend(key, begun, "agent_a", attempt.intended_at, 0.0, 1.0)]
            ledger.commit(
                record.id, ACCOUNT, [*said, MarkUncertain(attempt, attempt.intended_at + 1, "gone", now + index)]
            )
            if index % placed == 0:
                house.exchange.create("agent_a", lead.phone, None, {"dialer_attempt": key}, attempt.intended_at + 0.5)
    finally:
        ledger.close()


@pytest.mark.parametrize("echo", ["none", "both"])
def test_thousands_of_open_attempts_are_settled_with_few_requests_each(tmp_path: Path, echo: str) -> None:
    rules = SandboxRules.model_validate({"slots": 100_000, "echo": echo})
    house = House(
        tmp_path,
        campaign(
            api={"base_url": "sandbox", "requests_per_minute": 60_000, "requests_per_day": 1_000_000, "timeout": "10s"},
            retry={"busy": [], "no_answer": [], "uncertain_horizon": "2m", "uncertain_scan_gap": "10s"},
        ),
        rules,
    )
    house.enroll(f"+1212{2_300_000 + index}" for index in range(OPEN))
    crashed(house, OPEN, placed=2)
    house.clock.start += 3600
    result = house.run()
    assert result.exit_code is ExitCode.UNRESOLVED
    states = house.states()
    assert states[LeadState.UNRESOLVED] == OPEN // 2
    assert states.get(LeadState.DIALING, 0) == 0
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
    check_network(house.exchange.calls.values(), 1)
    assert house.sandbox.requests < 1.2 * OPEN
