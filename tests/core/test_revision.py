"""Which changes of a campaign file ask a person before calls are placed by it."""

from __future__ import annotations

from typing import Any

import pytest

from dialer.core.revision import revisions
from tests.support.house import campaign


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [
        ({}, {"columns": {"region": "US"}}, True),
        ({}, {"columns": {"phone": "Mobile"}}, True),
        ({}, {"columns": {"allow_possible": True}}, True),
        ({}, {"columns": {"first_name": "Given"}}, False),
        ({}, {"columns": {"encoding": "cp1252"}}, False),
        ({}, {"pacing": {"max_concurrent": 5}}, False),
        ({"pacing": {"max_concurrent": 5}}, {}, True),
        ({}, {"hours": {"weekdays": "09:00-17:00"}}, False),
        ({"hours": {"weekdays": "09:00-17:00"}}, {}, True),
    ],
)
def test_what_may_place_another_call_asks_and_what_cannot_does_not(
    before: dict[str, Any], after: dict[str, Any], asks: bool
) -> None:
    found = revisions(campaign(**before), campaign(**after))
    assert found
    assert any(item.asks for item in found) is asks
