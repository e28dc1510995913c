"""``dialer status``: where a campaign stands, also while it runs."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

from dialer.commands.common import Options, ledger_path, local_time, plural
from dialer.core.errors import ExitCode
from dialer.ledger.reading import open_reader
from dialer.reports.counts import counts

_BEGUN: Final = "  import      not finished: the next run goes on with it before it calls anybody\n"


def status(name: str | None, options: Options, *, as_json: bool = False) -> int:
    """Counts per state and disposition, the retry queue, live calls and money: of one campaign, or of all."""
    with open_reader(ledger_path(options)) as reader:
        names = [name] if name is not None else reader.campaign_names()
        records = [reader.campaign(each) for each in names]
        found = [counts(reader, record) for record in records]
        due = {record.name: reader.one("next_due", campaign=record.id, only=None)[0] for record in records}
    if as_json:
        sys.stdout.write(json.dumps(found[0] if name is not None or len(found) == 1 else found, indent=2) + "\n")
    else:
        texts = [
            _text(figures, due[record.name]) + (_BEGUN if record.importing else "")
            for figures, record in zip(found, records, strict=True)
        ]
        sys.stdout.write("\n".join(texts))
    return ExitCode.DONE


def _text(figures: dict[str, Any], due_at: float | None) -> str:
    rows = figures["rows"]
    if not rows["input"]:
        return f"{figures['campaign']}\n  the list is not imported yet\n"
    lines = [
        figures["campaign"],
        f"  rows        {rows['input']:,} = {plural(rows['contacts'], 'contact')} + {rows['rejected']:,} rejected",
        _listed("contacts", figures["contacts"]["by_state"]),
        _listed("outcomes", figures["contacts"]["by_disposition"]),
    ]
    waiting = figures["retry_queue"]["waiting"]
    if waiting:
        lines.append(_listed("to retry", waiting))
    if due_at is not None:
        now = time.time()
        lines.append(f"  next call   {'now' if due_at <= now else local_time(due_at, now)}")
    lines.append(f"  attempts    {figures['attempts']['charged']:,} charged, {figures['attempts']['void']:,} void")
    lines.append(f"  calls live  {figures['calls_live']:,}, in doubt {figures['in_doubt']:,}")
    lines.append(f"  spent       {figures['cost']['total']:.2f} API cost units")
    return "\n".join(lines) + "\n"


def _listed(title: str, numbers: dict[str, int]) -> str:
    said = ", ".join(f"{count:,} {word}" for word, count in numbers.items() if count) or "none"
    return f"  {title:<11} {said}"
