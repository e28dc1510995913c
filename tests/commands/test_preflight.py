"""The first question of a run, to a server that drops connections."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from dialer.client import CallsClient
from dialer.commands.preflight import DROPPED_TRIES, first_question
from dialer.core.errors import UserError
from dialer.core.wire import CallPage
from tests.client.raw_server import CLOSES_AFTER_READING, NEVER_ANSWERS, Behaviour, answers, serving
from tests.support.house import campaign

EMPTY = {"data": [], "meta": {"total": 0, "page": 1, "per_page": 100}}


def _ask(*script: Behaviour, timeout: str = "10s") -> tuple[CallPage | UserError | None, int]:
    async def main() -> tuple[CallPage | UserError | None, int]:
        async with serving(*script) as server:
            said = campaign(api={"base_url": server.url, "timeout": timeout})
            async with CallsClient(server.url, SecretStr("rehearsal"), timeout_s=said.api.timeout) as client:
                try:
                    return await first_question(client, said), len(server.heard)
                except UserError as error:
                    return error, len(server.heard)

    return asyncio.run(main())


def test_a_connection_dropped_at_the_start_does_not_end_a_run() -> None:
    found, asked = _ask(CLOSES_AFTER_READING, answers(200, EMPTY))
    assert isinstance(found, CallPage)
    assert asked == 2


@pytest.mark.parametrize(
    ("behaviour", "timeout", "times"), [(CLOSES_AFTER_READING, "10s", DROPPED_TRIES), (NEVER_ANSWERS, "300ms", 1)]
)
def test_who_never_answers_is_said_in_one_line_and_not_asked_for_ever(
    behaviour: Behaviour, timeout: str, times: int
) -> None:
    found, asked = _ask(behaviour, timeout=timeout)
    assert isinstance(found, UserError)
    assert "does not answer" in str(found)
    assert asked == times
