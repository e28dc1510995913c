"""Bare sockets for a server that misbehaves: a connection that can be reset, and a door that can be shut."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

import anyio
import anyio.lowlevel

_CHUNK: Final = 65_536
_BACKLOG: Final = 1024
_ENOUGH: Final = 4
"""Connections that fill a queue of length 0."""


class Line:
    """One connection, as bytes. Raises :class:`OSError` where the other side has gone."""

    def __init__(self, peer: socket.socket) -> None:
        peer.setblocking(False)  # as the library spells it
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peer = peer

    async def receive(self) -> bytes:
        """What comes next; nothing once the other side has closed."""
        while True:
            try:
                return self._peer.recv(_CHUNK)
            except BlockingIOError:
                await anyio.wait_readable(self._peer)

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await anyio.lowlevel.checkpoint()
        left = memoryview(data)
        while left:
            try:
                left = left[self._peer.send(left) :]
            except BlockingIOError:
                await anyio.wait_writable(self._peer)

    async def until_gone(self, most_s: float) -> None:
        """Say nothing until the other side goes."""
        with anyio.move_on_after(most_s):
            while await self.receive():
                pass

    def reset(self) -> None:
        """Hang up so that the other side sees a reset."""
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._peer.close()


class Door:
    """Where connections come in. Its address stays taken while it is shut."""

    def __init__(self, listener: socket.socket) -> None:
        listener.setblocking(False)  # as the library spells it
        self.address: Any = listener.getsockname()
        self._family = listener.family
        self._listener = listener
        self._crowd: list[socket.socket] = []

    async def next(self) -> socket.socket:
        """The next connection."""
        while True:
            await anyio.wait_readable(self._listener)
            try:
                return self._listener.accept()[0]
            except (BlockingIOError, ConnectionError):
                continue
            except OSError:  # no more files: those who are here must go first
                await anyio.sleep(0.05)

    def refuse(self) -> None:
        """From here on connecting is refused."""
        self._replace()

    def block(self) -> None:
        """From here on connecting comes to no end."""
        self._replace()
        self._listener.listen(0)
        for _ in range(_ENOUGH):
            visitor = socket.socket(self._family, socket.SOCK_STREAM)
            visitor.setblocking(False)  # as the library spells it
            visitor.connect_ex(self.address)
            self._crowd.append(visitor)

    def open(self) -> None:
        """Connections come in again."""
        self._replace()
        self._listener.listen(_BACKLOG)

    def _replace(self) -> None:
        self.close()
        self._listener = socket.socket(self._family, socket.SOCK_STREAM)
        self._listener.setblocking(False)  # as the library spells it
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self.address)  # a socket that is bound and does not listen refuses, and keeps the port

    def close(self) -> None:
        """Shut for good."""
        self._listener.close()
        for visitor in self._crowd:
            visitor.close()
        self._crowd.clear()
