"""Which calls ``fetch --where`` means: columns and words are checked as those of reports are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.core.errors import UserError
from dialer.core.lifecycle import Disposition, LeadState
from dialer.fetching.calls import finished_calls, wanted
from dialer.ledger.reading import open_reader
from tests.support_rows import ACCOUNT, NOON, enroll, opened, person, phone, put, whole_call

COLUMNS = ["phone", "status", "number", "row_number", "reason", "city"]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three calls to people of a list whose columns have names of ours."""
    with opened(tmp_path_factory.mktemp("wanted")) as made:
        record = put(made)
        said = {"city": "Paris", "reason": "renewal", "row_number": "x"}
        cells = [{"phone": phone(nth), "status": f"vip{nth}", "number": f"{nth}7", **said} for nth in range(3)]
        people = [person(index)._replace(cells=cells[index]) for index in range(3)]
        enroll(made, record, people, columns=COLUMNS)
        for index, lead in enumerate(sorted(made.claim(record.id, NOON, 9), key=lambda lead: lead.phone)):
            end, state = (
                (Disposition.COMPLETED, LeadState.REACHED) if index else (Disposition.BUSY, LeadState.EXHAUSTED)
            )
            made.commit(record.id, ACCOUNT, whole_call(lead, end, state))
        return made.path


def _meant(ledger: Path, *said: str) -> set[str]:
    with open_reader(ledger) as reader:
        record = reader.campaign("spring")
        return {call.phone for call in finished_calls(reader, record, wanted(record, said))}


@pytest.mark.parametrize(
    ("said", "people"),
    [
        (["disposition=completed"], {1, 2}),
        (["input_status=vip1"], {1}),
        (["input_number=27"], {2}),
        (["input_number>=17"], {1, 2}),
        (["number=1", "row_number>=2"], {0, 1, 2}),
        (["input_row_number=x", "city=Paris", "input_reason=renewal"], {0, 1, 2}),
        (["state=exhausted"], {0}),
    ],
)
def test_calls_are_meant_by_columns_of_ours_and_of_the_list(ledger: Path, said: list[str], people: set[int]) -> None:
    assert _meant(ledger, *said) == {phone(index) for index in people}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("disposition=complete", "disposition is one of: completed, "),
        ("state=reached,ringing", "state is one of: queued, "),
        ("input_city=Paris", "there is no column 'input_city'"),
        ("reason=renewal", "there is no column 'reason'"),
        ("cost=dear", "'cost' is compared with a number"),
    ],
)
def test_a_condition_that_could_match_nothing_is_refused(ledger: Path, condition: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        _meant(ledger, condition)
