"""``dialer demo``: the bundled campaign against the embedded sandbox, then where its report lies."""

from __future__ import annotations

import re
from importlib.resources import as_file, files
from pathlib import Path

from dialer.commands.common import Options, ledger_path
from dialer.commands.run import RunOptions, run
from dialer.ledger.reading import LedgerReader, open_reader
from dialer.reports.files import make_private_dir


def demo(flags: RunOptions, options: Options) -> int:
    """Run the bundled campaign, or go on with it where it was interrupted; a finished one is played anew."""
    ledger = ledger_path(options)
    name = _name(ledger)
    make_private_dir(ledger.parent)
    with as_file(files("dialer.rehearsal") / "demo") as bundled:
        home = ledger.parent / "demo"
        for file in ("campaigns/demo.toml", "sample_contacts.csv"):
            target = home / file
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = (bundled / file).read_text("utf-8")
            if file.endswith(".toml"):
                text = re.sub(r'(?m)^name = "demo"', f'name = "{name}"', text)
            target.write_text(text, "utf-8")
    return run(home / "campaigns" / "demo.toml", flags, options)


def _name(ledger: Path) -> str:
    """``demo``, or the next of its kind when the last one is finished."""
    if not ledger.is_file():
        return "demo"
    with open_reader(ledger) as reader:
        names = [name for name in reader.campaign_names() if re.fullmatch(r"demo(-\d+)?", name)]
        if not names:
            return "demo"
        return f"demo-{len(names) + 1}" if _finished(reader, names[-1]) else names[-1]


def _finished(reader: LedgerReader, name: str) -> bool:
    states: dict[str, int] = dict(reader.rows("counts", campaign=reader.campaign(name).id))
    return bool(states) and not any(states.get(state) for state in ("queued", "waiting", "dialing"))
