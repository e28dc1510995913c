"""Peer (b): the same on a task queue. huey with SqliteHuey, its consumer with one worker thread for each call slot.

Why huey: it is well kept (3.5.4 is of November 2026) and keeps its tasks in SQLite, where the other queues that are
well kept want a server: Redis, RabbitMQ or PostgreSQL. Written as its documentation shows: a task, a queue in a file, a
consumer of threads. A task is one person's call, from create to end.

The minute's limit is a small pacer shared by the threads: huey's own ``rate_limit`` counts whole tasks, and runs one
that was held back again from its start, which would place its call twice.

``python -m benchmarks.peers.task_queue URL contacts.csv --slots N ...`` takes what the other peer takes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from huey import SqliteHuey
from huey.signals import SIGNAL_COMPLETE, SIGNAL_ERROR

from benchmarks.peers.asyncio_script import AGENT, FINAL, Figures, arguments, phones_in


class QuotaUsed(Exception):
    """The day's requests are spent."""


class Api:
    """The Calls API for many threads, within the limits."""

    def __init__(self, said: argparse.Namespace) -> None:
        patience = httpx.Timeout(30, pool=None)  # with more slots than connections, requests queue for one
        headers = {"Authorization": "Bearer rehearsal"}
        self._client = httpx.Client(base_url=said.url, headers=headers, timeout=patience)
        self._look_every: float = said.look_every
        self._spacing_s = 60 / said.per_minute if said.per_minute else 0.0
        self._per_day: int = said.per_day
        self._next = time.monotonic()
        self._lock = threading.Lock()
        self.figures = Figures()

    def call(self, phone: str) -> None:
        """Place one call and follow it to its end."""
        call_id = self._create(phone)
        status = "" if call_id else "failed"
        while status not in FINAL:
            time.sleep(self._look_every)
            try:
                answer = self._ask("GET", f"/calls/{call_id}")
                status = answer.json()["data"]["status"] if answer.is_success else ""
            except httpx.TransportError:
                status = ""
        self._count("calls", 1 if call_id else 0)

    def _create(self, phone: str) -> str | None:
        while True:
            try:
                answer = self._ask("POST", "/calls", json={"agent_id": AGENT, "phone_number": phone})
            except httpx.TransportError:
                return None
            if answer.is_success:
                self._count("placed", 1)
                return str(answer.json()["data"]["id"])
            if answer.json()["error"]["code"] != "no_available_slots":
                return None
            self._count("refused", 1)
            time.sleep(self._look_every)

    def _ask(self, method: str, path: str, **what: Any) -> httpx.Response:  # whatever httpx takes
        while True:
            self._pace()
            answer = self._client.request(method, path, **what)
            if answer.status_code != 429 or "retry-after" not in answer.headers:
                return answer
            time.sleep(float(answer.headers["retry-after"]))

    def _pace(self) -> None:
        """Wait for this thread's turn in the minute."""
        with self._lock:
            if self._per_day and self.figures.requests >= self._per_day:
                raise QuotaUsed
            self.figures.requests += 1
            turn = max(self._next, time.monotonic())
            self._next = turn + self._spacing_s
        time.sleep(max(turn - time.monotonic(), 0.0))

    def _count(self, what: str, by: int) -> None:
        with self._lock:
            setattr(self.figures, what, getattr(self.figures, what) + by)


def main() -> int:
    """Enqueue everybody, run the consumer until all tasks are done or time is up, and print the figures."""
    said = arguments()
    api = Api(said)
    with tempfile.TemporaryDirectory() as directory:
        huey = SqliteHuey("calls", filename=str(Path(directory) / "queue.db"), results=False)

        @huey.task()  # type: ignore[untyped-decorator]  # huey has no types
        def call(phone: str) -> None:
            api.call(phone)

        phones = phones_in(said.contacts)
        ended, done = itertools.count(1), threading.Event()

        @huey.signal(SIGNAL_COMPLETE, SIGNAL_ERROR)  # type: ignore[untyped-decorator]
        def count(*_: object) -> None:
            if next(ended) == len(phones):
                done.set()

        call.map(phones)
        consumer = huey.create_consumer(workers=said.slots, worker_type="thread", periodic=False)
        begun = time.monotonic()
        consumer.start()
        finished = done.wait(said.most_seconds)
        api.figures.seconds = time.monotonic() - begun
        print(json.dumps(asdict(api.figures) | {"cpu_s": time.process_time()}), flush=True)
        consumer.stop(graceful=finished)
    return 0


if __name__ == "__main__":
    sys.exit(main())
