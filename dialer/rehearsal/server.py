"""Serves the sandbox: embedded beside a runner for one run, or by itself until it is stopped.

uvicorn does it where everything goes well; where faults are switched on, a server that can misbehave.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import uvicorn
from starlette.types import ASGIApp

from dialer.core.errors import UserError
from dialer.rehearsal.answers import SandboxRules
from dialer.rehearsal.exchange import Exchange
from dialer.rehearsal.sandbox import Sandbox
from dialer.rehearsal.store import CallStore
from dialer.rehearsal.wire import Wire


class _Embedded(uvicorn.Server):
    """A server that leaves the signals to the program it is part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        access_log=False,
        log_level="critical",
        lifespan="off",
        ws="none",
        http="h11",
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def make_sandbox(rules: SandboxRules, store: Path | None) -> Sandbox:
    """A sandbox on the real clock, with the calls of ``store`` where it is named."""
    exchange = Exchange(rules)
    if store is not None:
        try:
            CallStore(store).load(exchange, time.time() + rules.skew)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(f"cannot use {store} to remember the sandbox's calls: {error}") from None
    return Sandbox(exchange, rules, time.time)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises :class:`~dialer.core.errors.UserError` where the port is taken."""
    try:
        listener = socket.create_server((host, port), backlog=1024)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else a body waits 40 ms behind its headers
        return listener
    except OSError as error:
        raise UserError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None


def address(rules: SandboxRules, host: str, port: int) -> str:
    """The base URL to tell: the true one, but for the faults that are in the address itself."""
    plan = rules.plan()
    if plan.has("dns"):
        return f"https://sandbox.invalid:{port}/v1"
    return f"{'https' if plan.has('tls') else 'http'}://{host}:{port}/v1"


@asynccontextmanager
async def embedded(rules: SandboxRules, store: Path | None) -> AsyncIterator[str]:
    """Serve for the length of the context; yields the base URL."""
    sandbox = make_sandbox(rules, store)
    with listen("127.0.0.1", 0) as listener:
        url = address(rules, "127.0.0.1", listener.getsockname()[1])
        async with anyio.create_task_group() as tasks:
            if rules.faults:
                tasks.start_soon(Wire(sandbox, listener).serve)
                try:
                    yield url
                finally:
                    tasks.cancel_scope.cancel()
                return
            server = _Embedded(_config(sandbox.app))
            tasks.start_soon(server.serve, [listener])
            while not server.started:  # noqa: ASYNC110  # uvicorn offers a flag, no event
                await anyio.sleep(0.005)
            try:
                yield url
            finally:
                server.should_exit = True


async def serve(sandbox: Sandbox, listener: socket.socket) -> None:
    """Serve until interrupted."""
    if not sandbox.rules.faults:
        await uvicorn.Server(_config(sandbox.app)).serve([listener])
        return
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Wire(sandbox, listener).serve)
            async for _ in signals:
                tasks.cancel_scope.cancel()
                break
