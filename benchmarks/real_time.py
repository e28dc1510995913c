"""The parts of the table that are measured in real processes on this machine, one after the other."""

from __future__ import annotations

from benchmarks import big_ledger, importing, throughput
from benchmarks.end_to_end import QUEUE, SCRIPT, Figures, Scene, measure, measure_peer
from benchmarks.table import (
    Row,
    at_least,
    at_most,
    decimal,
    megabytes,
    milliseconds,
    rate,
    seconds,
    share,
    times_at_most,
)

_NAMES = {SCRIPT: "peer (a)", QUEUE: "peer (b)"}


def http(*, quick: bool) -> list[Row]:
    """The small plan on 20 slots, beside both peers."""
    scene = Scene(100 if quick else 600, 20, per_minute=60)
    return _beside("20 slots, 60 a minute, HTTP at 60 times the speed", scene, 30)


def many_slots(*, quick: bool) -> list[Row]:
    """A thousand slots, so that processor time is the limit, beside what the peers get done in a while."""
    scene = Scene(1_500 if quick else 8_000, 1_000)
    place = "1,000 slots, HTTP at 60 times the speed"
    ours = measure(scene)
    script = measure_peer(SCRIPT, scene, 10 if quick else 20)
    queue = measure_peer(QUEUE, scene, 10 if quick else 20)
    what = f"processor time per call, {place}"
    bound = (at_most(5.0, "5 ms"),)
    return [
        Row(what, ours.cpu_ms_per_call, milliseconds, script.cpu_ms_per_call, "peer (a)", bound),
        Row(what, ours.cpu_ms_per_call, milliseconds, queue.cpu_ms_per_call, "peer (b)", bound),
        Row("the same with start-up, import, reports", ours.whole_ms_per_call, milliseconds),
        Row(f"calls a second, {place}", ours.per_s, rate, script.per_s, "peer (a)"),
        Row(f"calls a second, {place}", ours.per_s, rate, queue.per_s, "peer (b)"),
    ]


def _beside(place: str, scene: Scene, most_s: float) -> list[Row]:
    ours = measure(scene)
    found: list[Row] = []
    for module, name in _NAMES.items():
        theirs = measure_peer(module, scene, most_s)
        found += _pair(place, ours, theirs, name)
    return sorted(found, key=lambda row: row.what)


def _pair(place: str, ours: Figures, theirs: Figures, name: str) -> list[Row]:
    return [
        Row(f"requests per call, {place}", ours.requests_per_call, decimal, theirs.requests_per_call, name),
        Row(f"slots busy, {place}", ours.busy, share, theirs.busy, name),
        Row(f"processor time per call, {place}", ours.cpu_ms_per_call, milliseconds, theirs.cpu_ms_per_call, name),
        Row(f"peak memory, {place}", ours.memory_mb, megabytes, theirs.memory_mb, name),
    ]


def instant(*, quick: bool) -> list[Row]:
    """One runner against a server that answers at once."""
    found = throughput.measure(2_000 if quick else 10_000, 1 if quick else 4, 4 if quick else 15)
    place = "no slots, no plan, instant server"
    return [
        Row(f"calls a second, {place}", found.ours, rate, found.creates, "creates alone", (at_least(400, "400/s"),)),
        Row(f"calls a second, {place}", found.ours, rate, found.peer, "peer (a)"),
        Row(f"requests per call, {place}", found.requests_per_call, decimal, 1.0, "a create"),
        Row("looks a second by the client alone", found.looks, rate),
    ]


def ledger(*, quick: bool) -> list[Row]:
    """A million contacts; quick: a tenth of them."""
    many = big_ledger.MILLION // (10 if quick else 1)
    rounds = 1 if quick else big_ledger.ROUNDS
    found = big_ledger.measure(many, rounds=rounds)
    few = f"with {big_ledger.few(rounds=rounds):,}"
    place = f"{many:,} contacts"
    return [
        Row(
            f"start to first create, {place}",
            found.start.seconds,
            seconds,
            found.start_few.seconds,
            few,
            (at_most(3.0, "3 s"),),
        ),
        Row(f"processor time of that, {place}", found.start.cpu_s, seconds, found.start_few.cpu_s, few),
        Row(f"peak memory while calling, {place}", found.memory_mb, megabytes, wanted=(at_most(200, "200 MB"),)),
        Row(f"the same with reports, {place}", found.memory_reports_mb, megabytes, wanted=(at_most(200, "200 MB"),)),
        Row(
            f"processor time per call, {place}",
            found.cpu_ms_many,
            milliseconds,
            found.cpu_ms_few,
            few,
            (times_at_most(1.1),),
        ),
        Row(f"reports, {place}", found.report_s, seconds, found.report_limit_s, "csv alone"),
    ]


def imports(*, quick: bool) -> list[Row]:
    """Importing a list."""
    found = importing.measure(5_000 if quick else 20_000, 1 if quick else 3)
    scale = 100_000 / found.rows
    limit = found.limit_s * scale
    return [
        Row("import of 100,000 rows, processor time", found.import_s * scale, seconds, limit, "csv + phonenumbers"),
        Row("the same with hours in their zones", found.zoned_s * scale, seconds, limit, "csv + phonenumbers"),
    ]
