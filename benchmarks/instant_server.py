"""A server that is no limit: the three operations a campaign needs, answered at once from bytes that are made once.

HTTP/1.1 with keep-alive on a bare asyncio protocol. Every call is completed a second after its creation; the list is
newest first and heeds no filter. There are no slots, no limits and no faults: for those there is the sandbox.

``python -m benchmarks.instant_server`` prints its base URL and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs

_LASTS_S = 1.0
_LIVE = b"in_progress"
_ENDED = b'completed","duration":1,"sentiment":"neutral","cost":0.01,"was":"'
"""A status that closes its own quotes: what the end of a call tells comes with it, and one template does for both."""


class Calls:
    """All calls: the JSON of each around its status, and when it was made."""

    def __init__(self) -> None:
        self._parts: list[tuple[bytes, bytes, float]] = []

    def create(self, body: bytes) -> bytes:
        """Make a call; its JSON."""
        asked = json.loads(body)
        now = time.time()
        head = b'{"id":"call_%d","direction":"outbound","agent_id":"%s","phone_number":"%s","status":"' % (
            len(self._parts) + 1,
            asked["agent_id"].encode(),
            asked["phone_number"].encode(),
        )
        tail = b'","created_at":"%s"}' % datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
        self._parts.append((head, tail, now))
        return b"%sinitiating%s" % (head, tail)

    def shown(self, index: int, now: float) -> bytes:
        """The JSON of a call; the first one is 0. Raises :class:`IndexError` where there is none."""
        head, tail, created_at = self._parts[index]
        return b"%s%s%s" % (head, _ENDED if now - created_at >= _LASTS_S else _LIVE, tail)

    def page(self, query: str) -> bytes:
        """A page of the list, newest first."""
        asked = parse_qs(query)
        page, per_page = int(asked.get("page", ["1"])[0]), int(asked.get("per_page", ["20"])[0])
        now, total = time.time(), len(self._parts)
        newest = total - 1 - (page - 1) * per_page
        items = b",".join(self.shown(index, now) for index in range(newest, max(newest - per_page, -1), -1))
        meta = b'{"total":%d,"page":%d,"per_page":%d}' % (total, page, per_page)
        return b'{"data":[%s],"meta":%s}' % (items, meta)


class Connection(asyncio.Protocol):
    """One connection."""

    _date: tuple[int, bytes] = (0, b"")

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while self._waiting:
            head, mark, rest = self._waiting.partition(b"\r\n\r\n")
            size = _length(head)
            if not mark or len(rest) < size:
                return
            self._waiting = rest[size:]
            self._answer(head, rest[:size])

    def _answer(self, head: bytes, body: bytes) -> None:
        method, target = head.split(b" ", 2)[:2]
        path, _, query = target.decode().partition("?")
        status, said = b"200 OK", b""
        try:
            if method == b"POST":
                status, said = b"201 Created", b'{"data":%s}' % self._calls.create(body)
            elif path == "/v1/calls":
                said = self._calls.page(query)
            else:
                index = int(path.removeprefix("/v1/calls/call_")) - 1
                said = b'{"data":%s}' % self._calls.shown(index, time.time())
        except (IndexError, ValueError):
            status, said = b"404 Not Found", b'{"error":{"code":"call_not_found","message":"no such call"}}'
        self._transport.write(
            b"HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (status, _date(), len(said), said)
        )
        if b"\r\nconnection: close" in head.lower():
            self._transport.close()


def _length(head: bytes) -> int:
    found = head.lower().partition(b"\r\ncontent-length:")[2]
    return int(found.partition(b"\r\n")[0]) if found else 0


def _date() -> bytes:
    second = int(time.time())
    if Connection._date[0] != second:
        said = datetime.fromtimestamp(second, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        Connection._date = (second, said.encode())
    return Connection._date[1]


async def serve() -> None:
    """Serve on a free port of this machine, for ever."""
    calls = Calls()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(calls), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1", flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
