"""The power fails, at any moment: what a commit confirmed is there afterwards, and nothing else is half there.

The real ledger and the real SQLite write to a disk that remembers (``tests/support/powercut.py``), in a process of its
own. The images of power cuts are then opened here, by a ledger that knows nothing of it.
"""

from __future__ import annotations

import shutil
import sqlite3
from bisect import bisect_left, bisect_right
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from dialer.core.errors import ExitCode, LedgerUnusable
from dialer.ledger.sqlite import SqliteLedger
from tests.support.powercut import Disk
from tests.support.powercut_scenes import LEDGER, RECORD, play, told
from tests.support.powercut_tap import STATIC, shared_library

pytestmark = pytest.mark.skipif(shared_library() is None, reason=STATIC)

CUTS = 300
TURNS = 300


@dataclass(frozen=True)
class Scene:
    """What was done to a disk, and what the ledger told after each transaction: states[n] after n of them."""

    disk: Disk
    begun: list[int]
    done: list[int]
    states: list[str]

    def acknowledged(self, cut: int) -> int:
        """How many transactions had returned when the power failed."""
        return bisect_right(self.done, cut)

    def started(self, cut: int) -> int:
        """How many had at least begun to write."""
        return bisect_left(self.begun, cut)

    def cuts(self, number: int, chance: Random) -> list[int]:
        """Moments anywhere, and as many about the moment at which a commit returned, in rising order."""
        anywhere = [chance.randint(0, self.disk.operations) for _ in range(number // 2)]
        about = [chance.choice(self.done) + chance.choice((-2, -1, 0, 0, 1, 2)) for _ in range(number - number // 2)]
        return sorted(min(cut, self.disk.operations) for cut in anywhere + about)


def _scene(home: Path, synchronous: str) -> Scene:
    steps = play("turns", home, TURNS, synchronous)
    (home / "empty").mkdir()
    disk = Disk.load(home / RECORD, home / "empty")
    begun, done, states = zip(*steps, strict=True)
    return Scene(disk, list(begun), list(done), list(states))


def _found(directory: Path) -> str | None:
    """What the ledger tells a new runner, or None where it is corrupt."""
    try:
        ledger = SqliteLedger(directory / LEDGER)
        try:
            with closing(sqlite3.connect(ledger.path)) as db:
                verdict = db.execute("PRAGMA integrity_check").fetchone()
            return told(ledger.path) if verdict == ("ok",) else None
        finally:
            ledger.close()
    except (LedgerUnusable, sqlite3.DatabaseError):
        return None


def _judged(scene: Scene, cut: int, state: str | None) -> str:
    """Whether this state is one that may lie on a disk after that cut."""
    if state is None:
        return "corrupt"
    # Before the first transaction there is no ledger, and opening one makes it: the state after the first.
    least, most = max(scene.acknowledged(cut), 1), max(scene.started(cut), 1)
    if state in scene.states[least - 1 : most]:
        return "kept" if state == scene.states[least - 1] else "kept, and one more that nobody had heard of"
    return "lost" if state in scene.states[:least] else "half"


def _cut_often(home: Path, synchronous: str, number: int) -> Counter[str]:
    scene, chance = _scene(home, synchronous), Random(number)
    verdicts: Counter[str] = Counter()
    for cut in scene.cuts(number, chance):
        image = home / "image"
        scene.disk.image(cut, chance, image)
        verdicts[_judged(scene, cut, _found(image))] += 1
        shutil.rmtree(image)
    written = f"{scene.disk.operations} operations of {len(scene.done)} commits"
    print(f"{synchronous}: {number} power cuts in {written}: {dict(verdicts)}")
    return verdicts


def test_no_power_cut_takes_back_what_a_commit_confirmed_or_leaves_half_of_one(tmp_path: Path) -> None:
    verdicts = _cut_often(tmp_path, "FULL", CUTS)
    assert verdicts.total() == CUTS
    assert not {"lost", "half", "corrupt"} & set(verdicts), verdicts


def test_a_ledger_that_does_not_sync_each_commit_loses_some_and_is_found_out(tmp_path: Path) -> None:
    verdicts = _cut_often(tmp_path, "NORMAL", CUTS // 3)
    assert verdicts["lost"] > 0
    assert not {"half", "corrupt"} & set(verdicts), verdicts


def test_a_ledger_that_never_syncs_is_found_corrupt(tmp_path: Path) -> None:
    verdicts = _cut_often(tmp_path, "OFF", CUTS // 3)
    assert verdicts["corrupt"] > 0


def test_when_a_create_leaves_its_intent_is_on_the_disk(tmp_path: Path) -> None:
    told = play("creates", tmp_path, "honest")
    assert told["exit_code"] == ExitCode.DONE
    assert len(told["seen"]) >= told["calls"] >= 30
    assert set(told["seen"]) == {"intended"}


def test_on_a_disk_that_lies_about_syncs_creates_leave_whose_intent_is_not_there(tmp_path: Path) -> None:
    told = play("creates", tmp_path, "lying")
    assert set(told["seen"]) != {"intended"}, "the test before would notice nothing"


def test_a_commit_whose_sync_fails_says_that_the_ledger_is_unusable(tmp_path: Path) -> None:
    told = play("bad_sync_of_a_commit", tmp_path)
    assert told["disk"] > 0
    assert "cannot be used" in told["said"]


@pytest.mark.parametrize("good", [1, 10, 40])
def test_no_create_leaves_once_a_sync_has_failed(tmp_path: Path, good: int) -> None:
    told = play("bad_sync_of_a_run", tmp_path, good)
    assert told["ended_by"] == ["LedgerUnusable"]
    assert told["after"] == 0
    assert told["before"] > 0 or good == 1
