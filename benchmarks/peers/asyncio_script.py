"""Peer (a): the script a competent user writes. asyncio, httpx, a semaphore of call slots, aiolimiter for the minute.

Every contact is called once: create, then look at the call every few seconds until its status is final. It knows the
number of slots in advance, spreads its requests evenly over the minute, honours ``Retry-After`` and stops where the
day's quota is used. It remembers nothing: killed, it calls everybody anew.

``python -m benchmarks.peers.asyncio_script URL contacts.csv --slots N --per-minute R --look-every S`` prints one line
of JSON. :func:`run` is the same as a coroutine, for a client that speaks to an application in the same process.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from aiolimiter import AsyncLimiter

FINAL = {"completed", "voicemail", "no_answer", "busy", "failed"}
AGENT = "agent_a"


@dataclass
class Figures:
    """What a run took: calls placed and seen to their end, requests sent, creates refused for want of a slot."""

    placed: int = 0
    calls: int = 0
    requests: int = 0
    refused: int = 0
    seconds: float = 0.0


class QuotaUsed(Exception):
    """The day's requests are spent."""


class Script:
    """One run. ``per_minute`` and ``per_day`` 0 are no limit; ``on_end`` hears the id of a call seen to have ended."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        slots: int,
        per_minute: int = 0,
        per_day: int = 0,
        look_every: float = 5.0,
        on_end: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.figures = Figures()
        self._client = client
        self._slots = asyncio.Semaphore(slots)
        # not AsyncLimiter(R, 60): a bucket that starts full lets twice as many through in the first minute
        self._limiter = AsyncLimiter(1, 60 / per_minute) if per_minute else nullcontext()
        self._per_day = per_day
        self._look_every = look_every
        self._on_end = on_end

    async def call_all(self, phones: Iterable[str]) -> None:
        """Call everybody, or as many as the day's quota lets."""
        with suppress(QuotaUsed):
            try:
                async with asyncio.TaskGroup() as tasks:
                    for phone in phones:
                        tasks.create_task(self._call(phone))
            except* QuotaUsed:
                raise QuotaUsed from None

    async def _call(self, phone: str) -> None:
        async with self._slots:
            call_id = await self._create(phone)
            if call_id is None:
                return
            status = ""
            while status not in FINAL:
                await asyncio.sleep(self._look_every)
                status = await self._look(call_id)
            self.figures.calls += 1
            self._on_end(call_id)

    async def _look(self, call_id: str) -> str:
        """The status of a call; "" where no answer came: the next look will tell."""
        try:
            answer = await self._ask("GET", f"/calls/{call_id}")
        except httpx.TransportError:
            return ""
        return str(answer.json()["data"]["status"]) if answer.is_success else ""

    async def _create(self, phone: str) -> str | None:
        """The id of the call; None where the number is refused for good, or where nothing tells what became of it."""
        while True:
            try:
                answer = await self._ask("POST", "/calls", json={"agent_id": AGENT, "phone_number": phone})
            except httpx.TransportError:
                return None
            if answer.is_success:
                self.figures.placed += 1
                ident: str = answer.json()["data"]["id"]
                return ident
            if answer.json()["error"]["code"] != "no_available_slots":
                return None
            self.figures.refused += 1
            await asyncio.sleep(self._look_every)

    async def _ask(self, method: str, path: str, **what: Any) -> httpx.Response:  # whatever httpx takes
        """One request within the limits; where there were too many, again when the server says."""
        while True:
            async with self._limiter:
                if self._per_day and self.figures.requests >= self._per_day:
                    raise QuotaUsed
                self.figures.requests += 1
                answer = await self._client.request(method, path, **what)
            if answer.status_code != 429 or "retry-after" not in answer.headers:
                return answer
            await asyncio.sleep(float(answer.headers["retry-after"]))


async def run(
    client: httpx.AsyncClient,
    phones: Iterable[str],
    *,
    slots: int,
    per_minute: int = 0,
    per_day: int = 0,
    look_every: float = 5.0,
    most_s: float | None = None,
    on_end: Callable[[str], None] = lambda _: None,
) -> Figures:
    """Call everybody; leave at once after ``most_s`` seconds, if they are given. ``client`` has the API's base URL."""
    script = Script(client, slots=slots, per_minute=per_minute, per_day=per_day, look_every=look_every, on_end=on_end)
    begun = asyncio.get_running_loop().time()
    with suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            await script.call_all(phones)
    script.figures.seconds = asyncio.get_running_loop().time() - begun
    return script.figures


def phones_in(path: Path) -> list[str]:
    """The column ``phone`` of a list."""
    with path.open(newline="", encoding="utf-8") as file:
        return [row["phone"] for row in csv.DictReader(file)]


def arguments() -> argparse.Namespace:
    """What a peer is told on its command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("contacts", type=Path)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--per-minute", type=int, default=0)
    parser.add_argument("--per-day", type=int, default=0)
    parser.add_argument("--look-every", type=float, default=5.0)
    parser.add_argument("--most-seconds", type=float, default=None)
    return parser.parse_args()


async def main() -> int:
    """The script."""
    said = arguments()
    headers = {"Authorization": "Bearer rehearsal"}
    patience = httpx.Timeout(30, pool=None)  # with more slots than connections, requests queue for one
    few = httpx.Limits(max_connections=20)  # five times as fast as the default 100: the pool costs their square
    async with httpx.AsyncClient(base_url=said.url, headers=headers, timeout=patience, limits=few) as client:
        figures = await run(
            client,
            phones_in(said.contacts),
            slots=said.slots,
            per_minute=said.per_minute,
            per_day=said.per_day,
            look_every=said.look_every,
            most_s=said.most_seconds,
        )
    print(json.dumps(asdict(figures) | {"cpu_s": time.process_time()}))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
