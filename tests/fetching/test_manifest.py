"""The memory of fetching: what is damaged in it is passed over, and nothing of it keeps the next one out."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from dialer.core.errors import UserError
from dialer.fetching.manifest import NAME, Kind, Manifest

GOOD: dict[str, Any] = {"call": "call_1", "kind": "summary", "outcome": "fetched", "at": 1.7e9, "bytes": 3, "text": "x"}


DAMAGED = [
    *(json.dumps({**GOOD, "call": "call_2", **bad}) for bad in (
        {"bytes": float("inf")}, {"bytes": float("nan")}, {"bytes": "many"}, {"at": float("inf")},
        {"at": float("nan")}, {"at": 1e300}, {"at": -1}, {"at": None}, {"kind": "song"}, {"outcome": 5},
    )),
    '{"call": "call_2", "at": 1' + "0" * 400 + ', "kind": "summary", "outcome": "fetched"}',
    "[]", "5", "null", '"text"', "[" * 100_000, '{"call": "call_2", "kind": "tr', "\x00\x00",
]  # fmt: skip


@pytest.mark.parametrize("line", DAMAGED, ids=[f"line{nth}" for nth in range(len(DAMAGED))])
def test_a_damaged_line_is_passed_over_and_the_others_hold(tmp_path: Path, line: str) -> None:
    (tmp_path / NAME).write_text(f"{line}\n{json.dumps(GOOD)}\n")
    manifest = Manifest(tmp_path)
    try:
        assert list(manifest.entries) == [("call_1", Kind.SUMMARY)]
    finally:
        manifest.close()


def test_a_disk_without_room_is_one_line_and_leaves_no_file_open(tmp_path: Path) -> None:
    torn = b'{"call": "call_2", "kind": "tr'
    (tmp_path / NAME).write_bytes(torn)
    before, (soft, hard) = len(list(Path("/proc/self/fd").iterdir())), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(torn), hard))
    try:
        with pytest.raises(UserError, match="File too large"):
            Manifest(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    Manifest(tmp_path).close()
