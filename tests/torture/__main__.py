"""``python -m tests.torture``: both policies at once, a thousand kills each, and one table of what became of it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.torture.harness import Count, table, torture

POLICIES = ("hold", "retry_absent")


def main() -> int:
    """Run it. Exits with 1 where the promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", choices=[*POLICIES, "both"], default="both")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.policy == "both":
        counts = both(arguments.kills, arguments.seed)
    else:
        with tempfile.TemporaryDirectory() as home:
            count = torture(Path(home), policy=arguments.policy, kills=arguments.kills, seed=arguments.seed)
        counts = {arguments.policy: count}
    if arguments.json:
        print(json.dumps({policy: asdict(count) for policy, count in counts.items()}))
    else:
        print(table(counts))
        for policy, count in counts.items():
            for said in count.found:
                print(f"{policy}: {said}")
    return 0 if all(count.good for count in counts.values()) else 1


def both(kills: int, seed: int) -> dict[str, Count]:
    """Each policy in a process of its own, at the same time."""
    command = [sys.executable, "-m", "tests.torture", "--json", "--kills", str(kills), "--seed", str(seed)]
    processes = {
        policy: subprocess.Popen([*command, "--policy", policy], stdout=subprocess.PIPE, text=True)
        for policy in POLICIES
    }
    counts: dict[str, Count] = {}
    try:
        for policy, process in processes.items():
            said, _ = process.communicate()
            counts[policy] = Count(**json.loads(said)[policy])
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    return counts


if __name__ == "__main__":
    sys.exit(main())
