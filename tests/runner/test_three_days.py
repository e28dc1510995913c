"""Days in milliseconds: the real switchboard, ledger, client and sandbox app in virtual time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from dialer.core.errors import ExitCode
from dialer.rehearsal.answers import SandboxRules
from tests.support.house import House, campaign, number
from tests.support.laws import check_ledger, check_network

ZONES = ("America/New_York", "America/Los_Angeles", "Europe/London", "Australia/Sydney")


def test_a_three_day_campaign_with_closed_nights_calls_everybody_in_their_own_day(tmp_path: Path) -> None:
    house = House(
        tmp_path,
        campaign(
            retry={"max_attempts": 3, "busy": ["15m", "30m", "1h"], "no_answer": ["4h", "24h"], "voicemail": ["24h"]},
            hours={"weekdays": "09:00-20:00", "timezone": "contact"},
            pacing={"max_concurrent": 10},
            api={"base_url": "sandbox", "requests_per_minute": 60, "requests_per_day": 10_000},
        ),
        SandboxRules(slots=6, requests_per_minute=60),
    )
    phones = [number(index) for index in range(200)]
    house.enroll(phones, [ZONES[index % len(ZONES)] for index in range(len(phones))])
    zone_of = {phone: ZoneInfo(ZONES[index % len(ZONES)]) for index, phone in enumerate(phones)}

    result = house.run()

    assert result.exit_code is ExitCode.DONE
    assert house.clock.start - house.start > 2 * 86_400
    check_network(house.exchange.calls.values(), 3)
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
    for call in house.exchange.calls.values():
        local = datetime.fromtimestamp(call.created_at, UTC).astimezone(zone_of[call.phone])
        assert 9 <= local.hour < 20, f"{call.phone} was called at {local}"
        assert local.weekday() < 5
    assert not house.rows("SELECT 1 FROM attempt WHERE code = 'rate_limited'")


def test_retries_wait_as_long_as_the_campaign_says_and_no_sooner(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(retry={"busy": ["15m"], "no_answer": ["4h", "24h"], "max_attempts": 3}))
    house.enroll(["+12125550101", "+12125550104"])
    assert house.run().exit_code is ExitCode.DONE
    calls = {
        phone: [c for c in house.exchange.calls.values() if c.phone == phone]
        for phone in ("+12125550101", "+12125550104")
    }
    busy, silent = calls["+12125550101"], calls["+12125550104"]
    assert len(busy) == 2
    assert 900 <= busy[1].created_at - busy[0].ends_at() <= 1.15 * 900
    assert len(silent) == 3
    assert 4 * 3600 <= silent[1].created_at - silent[0].ends_at() <= 1.15 * 4 * 3600
    assert 24 * 3600 <= silent[2].created_at - silent[1].ends_at() <= 1.15 * 24 * 3600
    assert house.lead("+12125550104") == ("exhausted", "no_answer", 3)
    assert house.lead("+12125550101") == ("reached", "completed", 2)


def test_without_waiting_a_run_ends_when_the_next_call_is_hours_away(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(retry={"no_answer": ["4h"], "max_attempts": 2}))
    house.enroll(["+12125550104"])
    result = house.run(wait=False)
    assert result.exit_code is ExitCode.WORK_LEFT
    assert result.snapshot.next_due_at is not None
    assert result.snapshot.next_due_at > house.clock.start + 3 * 3600
    assert house.lead("+12125550104") == ("waiting", "no_answer", 1)
    assert house.run().exit_code is ExitCode.DONE
    assert len(house.exchange.calls) == 2


def test_the_days_quota_holds_across_restarts_and_the_next_day_brings_a_new_one(tmp_path: Path) -> None:
    house = House(
        tmp_path,
        campaign(api={"base_url": "sandbox", "requests_per_minute": 600, "requests_per_day": 60}),
        SandboxRules(slots=20, requests_per_day=60),
    )
    house.enroll(number(index) for index in range(70))
    first = house.run(wait=False)
    assert first.exit_code is ExitCode.WORK_LEFT
    assert house.run(wait=False).exit_code is ExitCode.WORK_LEFT
    assert house.sandbox.requests <= 60
    assert house.run().exit_code is ExitCode.DONE
    assert house.clock.start - house.start > 86_400 / 2
    assert not house.rows("SELECT 1 FROM attempt WHERE code = 'rate_limited'")
    check_ledger(house.ledger_path, house.exchange.calls, finished=True)
