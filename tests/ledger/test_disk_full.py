"""A disk that fills up in mid-campaign: the reserve takes the last outcomes, and the run says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialer.core.errors import ExitCode
from tests.support.powercut_scenes import play
from tests.support.powercut_tap import shared_library

pytestmark = pytest.mark.skipif(
    shared_library() is None, reason="SQLite is part of Python's own module here: no file system can be put under it"
)


@pytest.mark.parametrize("room", [20_000, 150_000, 333_000])
def test_the_last_outcomes_are_written_nothing_further_is_begun_and_with_room_it_goes_on(
    tmp_path: Path, room: int
) -> None:
    saw = play("full_disk", tmp_path, room)
    assert saw["exit_code"] == ExitCode.USER
    assert "the disk is full" in saw["reason"]
    assert "free some space" in saw["reason"]
    assert saw["unknown"] == 0, "the last outcomes found room"
    assert saw["doubtful"] == 0
    assert not saw["reserve"]
    assert "free some space" in saw["next"], "on a disk that is still full nothing is begun"
    assert saw["with room"] == ExitCode.DONE
    assert saw["broken"] == ""
