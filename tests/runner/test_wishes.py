"""Wishes of a list at work: the next number where the API refuses the first, the wished agent, the urgent first."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from dialer.cli import main
from dialer.core.errors import ExitCode
from dialer.core.lifecycle import Number
from dialer.ledger import NewContact
from dialer.ledger.sqlite import SqliteLedger
from dialer.rehearsal.sandbox import Sandbox
from tests.support.house import House, campaign, number

REFUSED, FINE = "+12125550107", "+12125550100"
CAMPAIGN = """
name = "further"
contacts = "contacts.csv"
agents = ["agent_a"]
hours = "always"
[api]
base_url = "sandbox"
requests_per_minute = 12000
[columns]
phone = ["Mobile", "Home"]
[sandbox]
speed = 200
"""


def _enroll(house: House, people: list[NewContact]) -> None:
    ledger = SqliteLedger(house.ledger_path)
    try:
        record = ledger.put_campaign(house.campaign.name, "test.toml", "", house.campaign.digest(), house.start)
        with ledger.enroll(record.id, ["phone"], ["phone"], "digest", house.start) as enrollment:
            for contact in people:
                enrollment.add(contact)
    finally:
        ledger.close()


def _contact(phone: str, row: int = 2, *further: str, **told: Any) -> NewContact:
    numbers = tuple(Number(one, "America/New_York") for one in further)
    return NewContact(phone, "list.csv", row, {"phone": phone}, zone="America/New_York", further=numbers)._replace(
        **told
    )


def test_the_next_number_is_called_where_the_api_refuses_the_first_and_nobody_is_charged_for_that(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, campaign())
    _enroll(house, [_contact(REFUSED, 2, FINE), _contact("+12125550101", 3, number(3))])
    assert house.run().exit_code is ExitCode.DONE
    assert house.lead(FINE) == ("reached", "completed", 1)
    assert _called(house) == {FINE, "+12125550101"}
    assert house.rows("SELECT phone, state, number FROM attempt WHERE lead_id = 1 ORDER BY number") == [
        (REFUSED, "void", 1),
        (FINE, "ended", 2),
    ]


class Refusing(httpx.AsyncBaseTransport):
    """An API to which these numbers are none."""

    def __init__(self, inner: httpx.AsyncBaseTransport, phones: set[str]) -> None:
        self._inner = inner
        self._phones = phones

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and json.loads(request.content).get("phone_number") in self._phones:
            return httpx.Response(400, json={"error": {"code": "invalid_phone_number"}}, request=request)
        return await self._inner.handle_async_request(request)


def test_two_people_with_the_same_further_number_do_not_both_get_called_at_it(tmp_path: Path) -> None:
    none = {number(index) for index in range(9)}
    house = House(tmp_path, campaign(), wrap=lambda inner: Refusing(inner, none))
    _enroll(house, [_contact(number(index), index + 2, number(index + 1), FINE) for index in range(8)])
    assert house.run().exit_code is ExitCode.DONE
    assert [call.phone for call in house.exchange.calls.values()] == [FINE]
    assert house.states() == {"reached": 1, "rejected": 7}
    assert house.run().exit_code is ExitCode.DONE


def _called(house: House) -> set[str]:
    return {call.phone for call in house.exchange.calls.values()}


def test_the_next_number_is_called_at_once_even_where_nothing_else_is_left_to_do(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    _enroll(house, [_contact(REFUSED, 2, FINE)])
    assert house.run().exit_code is ExitCode.DONE
    refused, called = (row[0] for row in house.rows("SELECT intended_at FROM attempt ORDER BY id"))
    assert called - refused < 1


def test_where_all_numbers_are_refused_the_contact_is_rejected(tmp_path: Path) -> None:
    house = House(tmp_path, campaign())
    _enroll(house, [_contact(REFUSED, 2)])
    assert house.run().exit_code is ExitCode.DONE
    assert house.lead(REFUSED) == ("rejected", "invalid", 0)


def test_the_urgent_are_called_first_and_each_by_the_agent_who_was_wished_for(tmp_path: Path) -> None:
    house = House(tmp_path, campaign(agents=["ann", "bob"], pacing={"max_concurrent": 1}))
    people = [
        _contact(number(index), index + 2, priority=index % 3, agent="bob" if index % 2 else None) for index in range(9)
    ]
    _enroll(house, people)
    assert house.run().exit_code is ExitCode.DONE
    placed = house.rows("SELECT phone, agent_id FROM attempt WHERE number = 1 ORDER BY id")
    order = [int(phone[-4:]) for phone, _ in placed]
    assert sorted(order, key=lambda index: (-(index % 3), index)) == order
    assert all(agent == "bob" for phone, agent in placed if int(phone[-4:]) % 2)
    assert {agent for _, agent in placed} == {"ann", "bob"}


def test_a_ledger_rebuilt_from_its_journal_knows_the_number_that_was_gone_on_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SMARTALEX_API_KEY", "DIALER_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "contacts.csv").write_text(f"Mobile,Home\n{REFUSED},{FINE}\n+12125550101,\n")
    (tmp_path / "campaign.toml").write_text(CAMPAIGN)
    assert main(["run", "campaign.toml", "--quiet", "--no-wait"]) in {0, 3}
    assert _phones(tmp_path) == {FINE, "+12125550101"}
    assert main(["doctor"]) == 0, capsys.readouterr().out
    (tmp_path / ".dialer" / "ledger.db").unlink()
    for ending in ("-wal", "-shm"):
        (tmp_path / ".dialer" / f"ledger.db{ending}").unlink(missing_ok=True)
    assert main(["doctor", "--recover", "--yes"]) == 0, capsys.readouterr()
    assert main(["report", "further"]) == 0
    assert _phones(tmp_path) == {FINE, "+12125550101"}
    assert main(["doctor"]) == 0, capsys.readouterr().out


def _phones(directory: Path) -> set[str]:
    with (directory / "reports" / "further" / "outcomes.csv").open(newline="") as file:
        rows = {row["phone"]: row for row in csv.DictReader(file)}
    assert rows[FINE]["state"] == "reached"
    assert rows[FINE]["Mobile"] == REFUSED
    assert json.loads((directory / "reports" / "further" / "summary.json").read_text())["rows"]["contacts"] == 2
    return set(rows)


def test_a_further_number_that_another_campaign_has_yet_to_call_is_left_to_it(tmp_path: Path) -> None:
    spring, winter = House(tmp_path, campaign(name="spring")), House(tmp_path, campaign(name="winter"))
    winter.exchange, winter.sandbox, winter.clock = spring.exchange, spring.sandbox, spring.clock
    _enroll(spring, [_contact(REFUSED, 2, FINE)])
    _enroll(winter, [_contact(FINE, 2)])
    assert spring.run().exit_code is ExitCode.DONE
    assert spring.exchange.calls == {}
    winter.run()
    assert [call.phone for call in spring.exchange.calls.values()] == [FINE]


def test_a_ledger_put_back_from_a_copy_goes_on_to_no_number_that_was_called_since(tmp_path: Path) -> None:
    (tmp_path / "now").mkdir()
    house = House(tmp_path / "now", campaign())
    _enroll(house, [_contact(REFUSED, 2, FINE), _contact("+12125550101", 3)])
    shutil.copytree(tmp_path / "now", tmp_path / "copy")
    house.run()
    assert _called(house) == {FINE, "+12125550101"}
    made = len(house.exchange.calls)
    restored = House(tmp_path / "copy", campaign(), start=house.clock.start + 3600)
    restored.exchange = house.exchange
    restored.sandbox = Sandbox(house.exchange, house.rules, restored.clock.wall)
    restored.run()
    assert len(house.exchange.calls) == made


def _lose_the_ledger(directory: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        (directory / ".dialer" / f"ledger.db{ending}").unlink(missing_ok=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SMARTALEX_API_KEY", "DIALER_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_rebuilt_ledger_calls_nobody_at_a_number_that_another_row_had_gone_on_to(home: Path) -> None:
    (home / "contacts.csv").write_text(f"Mobile,Home\n{REFUSED},{FINE}\n")
    (home / "campaign.toml").write_text(CAMPAIGN)
    assert main(["run", "campaign.toml", "--quiet", "--no-wait"]) == 0
    (home / "contacts.csv").write_text(f"Mobile,Home\n{REFUSED},{FINE}\n{FINE},\n")
    assert main(["run", "campaign.toml", "--quiet", "--no-wait"]) == 0
    _lose_the_ledger(home)
    assert main(["doctor", "--recover", "--yes"]) == 0
    assert main(["run", "campaign.toml", "--quiet", "--no-wait"]) == 0
    with (home / "reports" / "further" / "attempts.csv").open(newline="") as file:
        assert [(row["phone"], row["state"]) for row in csv.DictReader(file)] == [(REFUSED, "void"), (FINE, "ended")]
    with (home / "reports" / "further" / "rejected.csv").open(newline="") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == ["duplicate"]


def test_a_rebuilt_ledger_keeps_campaigns_apart_as_they_were(home: Path) -> None:
    waits = "+12125550102"  # busy at first: it stays in winter's retry queue
    (home / "contacts.csv").write_text(f"Mobile,Home\n{waits},\n")
    (home / "winter.toml").write_text(CAMPAIGN.replace('"further"', '"winter"'))
    assert main(["run", "winter.toml", "--quiet", "--no-wait"]) == 3
    (home / "contacts.csv").write_text(f"Mobile,Home\n{waits},\n{FINE},\n")
    (home / "spring.toml").write_text(CAMPAIGN.replace('"further"', '"spring"'))
    assert main(["run", "spring.toml", "--quiet", "--no-wait"]) == 0
    _lose_the_ledger(home)
    assert main(["doctor", "--recover", "--yes"]) == 0
    for _ in range(2):
        assert main(["run", "spring.toml", "--quiet", "--no-wait"]) == 0
        with (home / "reports" / "spring" / "rejected.csv").open(newline="") as file:
            assert [row["reason"] for row in csv.DictReader(file)] == ["in_other_campaign"]
