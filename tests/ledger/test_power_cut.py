"""The power fails, at any moment: what a commit confirmed is there afterwards, and nothing else is half there.

The real ledger and the real SQLite write to a disk that remembers (``tests/support/powercut.py``), in a process of its
own. The images of power cuts are then opened here, by a ledger that knows nothing of it.
"""

from __future__ import annotations

import shutil
import sqlite3
from bisect import bisect_right
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dialer.core.errors import ExitCode, LedgerUnusable
from dialer.ledger.sqlite import SqliteLedger
from tests.support.powercut import JOURNAL, SECTOR, Disk
from tests.support.powercut_scenes import AS_IT_IS, LEDGER, RECORD, play, told
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

    def started(self, cut: int) -> set[str]:
        """What those might tell that had begun to write and had not returned."""
        on = self.acknowledged(cut)
        return {state for begun, state in zip(self.begun[on:], self.states[on:], strict=True) if begun < cut}

    def cuts(self, number: int, chance: Random) -> list[int]:
        """Moments anywhere, and as many about the moment at which a commit returned, in rising order."""
        anywhere = [chance.randint(0, self.disk.operations) for _ in range(number // 2)]
        about = [chance.choice(self.done) + chance.choice((-2, -1, 0, 0, 1, 2)) for _ in range(number - number // 2)]
        return sorted(min(cut, self.disk.operations) for cut in anywhere + about)


def _scene(home: Path, steps: list[tuple[int, int, str]]) -> Scene:
    (home / "empty").mkdir()
    disk = Disk.load(home / RECORD, home / "empty")
    begun, done, states = zip(*steps, strict=True)
    return Scene(disk, list(begun), list(done), list(states))


def _judged(scene: Scene, cut: int, directory: Path) -> str:
    """What a new runner finds in this image, compared with what may lie on a disk after that cut."""
    try:
        ledger = SqliteLedger(directory / LEDGER)
        try:
            return _compared(scene, cut, ledger)
        finally:
            ledger.close()
    except (LedgerUnusable, sqlite3.DatabaseError):
        return "corrupt"


def _compared(scene: Scene, cut: int, ledger: SqliteLedger) -> str:
    with closing(sqlite3.connect(ledger.path)) as db:
        if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            return "corrupt"
    if getattr(ledger, "healed", 0):  # a journal beside it may know what it has lost: lost it is all the same
        return "lost"
    # Before the first transaction there is no ledger, and opening one makes it: the state after the first.
    confirmed = scene.states[: max(scene.acknowledged(cut), 1)]
    state = told(ledger.path)
    if state == confirmed[-1]:
        return "kept"
    if state in scene.started(cut):
        return "kept, and one more that nobody had heard of"
    return "lost" if state in confirmed else "half"


def _cut_turns(home: Path, synchronous: str, number: int, *, alone: bool = False) -> Counter[str]:
    verdicts = _cut_often(_scene(home, play("turns", home, TURNS, synchronous)), home, number, alone=alone)
    print(f"synchronous {synchronous}: {dict(verdicts)}")
    return verdicts


def _cut_often(scene: Scene, home: Path, number: int, *, alone: bool = False) -> Counter[str]:
    """Verdicts on so many cuts; ``alone``: on the database without the journal that might make up for its losses."""
    chance = Random(number)
    verdicts: Counter[str] = Counter()
    for cut in scene.cuts(number, chance):
        image = home / "image"
        scene.disk.image(cut, chance, image)
        if alone:
            (image / f"{LEDGER}{JOURNAL}").unlink(missing_ok=True)
        verdicts[_judged(scene, cut, image)] += 1
        shutil.rmtree(image)
    print(f"{number} power cuts in {scene.disk.operations} operations of {len(scene.done)} commits")
    return verdicts


def test_no_power_cut_takes_back_what_a_commit_confirmed_or_leaves_half_of_one(tmp_path: Path) -> None:
    verdicts = _cut_turns(tmp_path, AS_IT_IS, CUTS)
    assert verdicts.total() == CUTS
    assert not {"lost", "half", "corrupt"} & set(verdicts), verdicts


def test_a_ledger_that_does_not_sync_each_commit_loses_some_and_is_found_out(tmp_path: Path) -> None:
    verdicts = _cut_turns(tmp_path, "NORMAL", CUTS // 5, alone=True)
    assert verdicts["lost"] > 0
    assert not {"half", "corrupt"} & set(verdicts), verdicts


def test_a_ledger_that_never_syncs_is_found_corrupt(tmp_path: Path) -> None:
    verdicts = _cut_turns(tmp_path, "OFF", CUTS // 5, alone=True)
    assert verdicts["corrupt"] > 0


def test_when_a_create_leaves_its_intent_is_on_the_disk(tmp_path: Path) -> None:
    saw = play("creates", tmp_path, "honest")
    assert saw["exit_code"] == ExitCode.DONE
    assert len(saw["seen"]) >= saw["calls"] >= 30
    assert set(saw["seen"]) == {"intended"}


def test_on_a_disk_that_lies_about_syncs_creates_leave_whose_intent_is_not_there(tmp_path: Path) -> None:
    saw = play("creates", tmp_path, "lying")
    assert set(saw["seen"]) != {"intended"}, "the test before would notice nothing"


def test_a_campaign_whose_power_fails_again_and_again_calls_nobody_twice_and_forgets_nobody(tmp_path: Path) -> None:
    saw = play("outages", tmp_path, 20, "honest", 7)
    assert saw.get("refused") is None
    assert saw["broken"] == ""
    assert saw["outages"] >= 15


def test_on_a_disk_that_lies_about_syncs_power_cuts_break_the_law(tmp_path: Path) -> None:
    saw = play("outages", tmp_path, 8, "lying", 7)
    assert saw.get("refused") or saw["broken"], "the test before would notice nothing"


def test_a_commit_whose_sync_fails_says_that_the_ledger_is_unusable(tmp_path: Path) -> None:
    saw = play("bad_sync_of_a_commit", tmp_path)
    assert saw["disk"] > 0
    assert "cannot be used" in saw["said"]


@pytest.mark.parametrize("good", [1, 10, 40])
def test_no_create_leaves_once_a_sync_has_failed(tmp_path: Path, good: int) -> None:
    saw = play("bad_sync_of_a_run", tmp_path, good)
    assert saw["ended_by"] == ["LedgerUnusable"]
    assert saw["after"] == 0
    assert saw["before"] > 0 or good == 1


def test_commits_confirmed_after_a_sync_failed_for_a_moment_survive_a_power_cut(tmp_path: Path) -> None:
    saw = play("bad_syncs", tmp_path, 150)
    verdicts = _cut_often(_scene(tmp_path, saw["steps"]), tmp_path, 150)
    print(f"{saw['failed']} syncs failed: {dict(verdicts)}")
    assert saw["failed"] > 10
    assert not {"lost", "half", "corrupt"} & set(verdicts), verdicts


def test_a_power_cut_while_the_journal_grows_leaves_one_that_can_be_read_to_its_end(tmp_path: Path) -> None:
    journal = pytest.importorskip("dialer.ledger.journal", reason="no journal beside the ledger")
    scene = _scene(tmp_path, play("turns", tmp_path, TURNS // 5, AS_IT_IS))
    verdicts: Counter[str] = Counter()
    for cut in scene.disk.cuts_after_writes(JOURNAL, longer_than=2 * SECTOR):
        for seed in range(6):
            scene.disk.image(cut, Random(cut + seed), tmp_path / "image")
            verdicts[_judged(scene, cut, tmp_path / "image")] += 1
            verdicts[_read_to_its_end(tmp_path / "image" / LEDGER, journal)] += 1
            shutil.rmtree(tmp_path / "image")
    print(dict(verdicts))
    assert set(verdicts) <= {"kept", "kept, and one more that nobody had heard of", "all events"}


def _read_to_its_end(ledger: Path, journal: Any) -> str:
    """Whether the journal beside a ledger tells of all its events."""
    with closing(sqlite3.connect(ledger)) as db:
        (last,) = db.execute("SELECT max(id) FROM event").fetchone()
    try:
        told_of = [entry.number for entry in journal.read_journal(ledger.with_name(f"{LEDGER}{JOURNAL}"))]
    except journal.JournalBroken:
        return "broken"
    return "all events" if told_of == list(range(1, (last or 0) + 1)) else "not all events"


# --- the model itself ------------------------------------------------------------------------------------------------


def _images(disk: Disk, name: str, tries: int = 1000) -> set[bytes | None]:
    """All that may become of a file when the power fails now."""
    return {disk.files(disk.operations, Random(seed)).get(name) for seed in range(tries)}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    (tmp_path / "disk").mkdir()
    return Disk(tmp_path / "disk")


def test_what_was_synced_stays_and_what_was_not_may_be_there_in_any_part(tmp_path: Path, disk: Disk) -> None:
    disk.wrote("a", 0, b"1" * 1024)
    disk.synced("a")
    disk.wrote("a", 0, b"2" * 1024)
    disk.wrote("a", 1024, b"3" * 8)
    old, new, end = b"1" * 512, b"2" * 512, b"3" * 8
    assert _images(disk, "a") == {
        head + tail + more for head in (old, new) for tail in (old, new) for more in (b"", end)
    }
    disk.synced_image(disk.operations, tmp_path / "harsh")
    assert (tmp_path / "harsh" / "a").read_bytes() == old + old


def test_the_end_of_a_journal_may_be_torn_at_any_byte(disk: Disk) -> None:
    disk.wrote("l.journal", 0, b"one\n")
    disk.synced("l.journal")
    disk.wrote("l.journal", 4, b"two\n")
    found = _images(disk, "l.journal")
    assert {b"one\n", b"one\nt", b"one\ntw", b"one\ntwo", b"one\ntwo\n"} <= found
    disk.wrote("l.journal", 8, b"3" * 503 + b"\n" + b"four\n")
    found = _images(disk, "l.journal")
    assert b"one\ntwo\n" + bytes(504) + b"four\n" in found  # the second sector arrived before the first


def test_a_file_is_there_when_its_name_is_and_gone_when_that_was_synced(disk: Disk) -> None:
    disk.wrote("a", 0, b"1")
    assert None in _images(disk, "a")
    disk.synced("a")
    assert _images(disk, "a") == {b"1"}
    disk.deleted("a")
    assert _images(disk, "a") == {b"1", None}
    disk.wrote("a", 0, b"2")  # another file of that name
    assert _images(disk, "a") == {b"1", None, b"", b"2"}
    disk.deleted("a")
    disk.synced_names()
    assert _images(disk, "a") == {None}


def test_a_renamed_file_takes_the_place_of_another_at_once(disk: Disk) -> None:
    for name in ("a", "b"):
        disk.wrote(name, 0, name.encode())
        disk.synced(name)
    disk.renamed("b", "a")
    assert _images(disk, "a") == {b"a", b"b"}
    disk.synced_names()
    assert _images(disk, "a") == {b"b"}
    assert _images(disk, "b") == {None}


def test_what_a_failed_sync_could_not_write_is_not_written_by_the_next(disk: Disk) -> None:
    disk.wrote("a", 0, b"1")
    disk.synced("a")
    disk.wrote("a", 0, b"2")
    disk.fail_syncs(after=0, times=1)
    assert disk.sync_fails("a")
    assert not disk.sync_fails("a")
    disk.synced("a")
    assert _images(disk, "a") == {b"1"}


def test_a_disk_with_little_room_says_so_to_sqlite_and_to_us(tmp_path: Path) -> None:
    saw = play("little_room", tmp_path)
    assert (saw["fits"], saw["does not"], saw["in part"], saw["not at all"]) == (10, "ENOSPC", 5, "ENOSPC")
    assert saw["sqlite"] == "SQLITE_FULL"
    assert saw["journal"] == 15
