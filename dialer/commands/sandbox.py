"""``dialer sandbox``: the pretend API over HTTP, for rehearsals."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from dialer.commands.address import sandbox_rules
from dialer.core.errors import ExitCode, UserError
from dialer.rehearsal import faults, script
from dialer.rehearsal.answers import SandboxRules
from dialer.rehearsal.server import address, listen, make_sandbox, serve

_FAULTS = (
    """
faults for --fault [OPERATION:]NAME[=HOW_OFTEN], as often as you like; in a campaign file:
  [sandbox]
  faults = { reset_after = 0.05, "get:html_200" = "@3" }
HOW_OFTEN: a chance like 0.05, or @7 (the seventh), @7+ (from the seventh on), @7-12; without it: always
OPERATION: """
    + ", ".join(faults.PREFIXES)
    + """; without it: the one in the third column

"""
)


def sandbox(
    host: str,
    port: int,
    store: Path | None,
    switches: dict[str, Any],
    settings: Sequence[str],
    going_wrong: Sequence[str] = (),
) -> int:
    """Serve until interrupted. ``switches`` come from flags, ``settings`` from ``--set key=value``.

    ``going_wrong`` are the faults, as ``--fault`` names them.
    """
    values = {**switches, **dict(map(_setting, settings))}
    if going_wrong:
        values["faults"] = {**values.get("faults", {}), **_faults(going_wrong)}
    rules = sandbox_rules(values, "--set ")
    with listen(host, port) as listener:
        sys.stdout.write(address(rules, host, listener.getsockname()[1]) + "\n")
        sys.stdout.flush()
        anyio.run(serve, make_sandbox(rules, store), listener)
    return ExitCode.DONE


def print_script() -> int:
    """The numbers whose outcome is known in advance, the switches, and everything that can go wrong."""
    sys.stdout.write(script.table() + "\n\nswitches for --set:\n")
    for name, field in SandboxRules.model_fields.items():
        sys.stdout.write(f"  {name:<20} {field.description or ''} (default: {field.default})\n")
    sys.stdout.write(_FAULTS + faults.table() + "\n")
    return ExitCode.DONE


def _faults(texts: Sequence[str]) -> dict[str, str]:
    """The table that repeated ``--fault`` flags stand for. The same name twice is both."""
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        try:
            faults.parse(name, value if mark else True)
        except ValueError as error:
            raise UserError(f"--fault {text}: {error}") from None
        found[name] = f"{found[name]},{value or 1}" if name in found else value or "1"
    return found


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
