"""Remembers the calls of an exchange in a file, so that an interrupted rehearsal resumes truthfully."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dialer.rehearsal.exchange import Exchange, PretendCall


class CallStore:
    """An append-only file of JSON lines: one when a call is made, one more when somebody ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def load(self, exchange: Exchange, now: float) -> int:
        """Give the exchange all calls of the file, and keep the file up to date from here on. Returns their number."""
        found: dict[str, PretendCall] = {}
        if self.path.exists():
            for line in self.path.read_text("utf-8").splitlines():
                call = _call(line)
                if call is not None:
                    found[call.id] = call
        for call in found.values():
            exchange.put(call, now)
        if self.path.exists() and not self.path.read_bytes().endswith(b"\n"):
            with self.path.open("ab") as file:
                file.write(b"\n")  # a torn line must not swallow the next one
        exchange.on_change = self.append
        return len(found)

    def append(self, call: PretendCall) -> None:
        """Remember a call as it is now. One write, so that a killed process leaves whole lines."""
        line = json.dumps(asdict(call)) + "\n"
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)


def _call(line: str) -> PretendCall | None:
    try:
        data: dict[str, Any] = json.loads(line)
    except ValueError:
        return None  # the line that a power cut tore
    data["steps"] = [(float(at), str(status)) for at, status in data["steps"]]
    return PretendCall(**data)
