"""``dialer sandbox``: the pretend API over HTTP, for rehearsals."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from dialer.commands.common import sandbox_rules
from dialer.core.errors import ExitCode, UserError
from dialer.rehearsal import script
from dialer.rehearsal.answers import SandboxRules
from dialer.rehearsal.server import listen, make_sandbox, serve


def sandbox(host: str, port: int, store: Path | None, switches: dict[str, Any], settings: Sequence[str]) -> int:
    """Serve until interrupted. ``switches`` come from flags, ``settings`` from ``--set key=value``."""
    rules = sandbox_rules({**switches, **dict(map(_setting, settings))}, "--set ")
    with listen(host, port) as listener:
        port = listener.getsockname()[1]
        sys.stdout.write(f"http://{host}:{port}/v1\n")
        sys.stdout.flush()
        anyio.run(serve, make_sandbox(rules, store), listener)
    return ExitCode.DONE


def print_script() -> int:
    """The numbers whose outcome is known in advance, and the switches."""
    sys.stdout.write(script.table() + "\n\nswitches for --set:\n")
    for name, field in SandboxRules.model_fields.items():
        sys.stdout.write(f"  {name:<20} {field.description or ''} (default: {field.default})\n")
    return ExitCode.DONE


def _setting(text: str) -> tuple[str, Any]:
    key, mark, value = text.partition("=")
    if not mark or not key:
        raise UserError(f"--set {text}: it is key=value, like order=oldest or status_of.no_available_slots=503")
    table, dot, entry = key.partition(".")
    parsed = _parsed(value)
    return (table, {entry: parsed}) if dot else (key, parsed)


def _parsed(value: str) -> Any:  # whatever TOML knows
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
