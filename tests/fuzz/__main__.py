"""Reads damaged lists and strange numbers for as long as it is told: ``python -m tests.fuzz --lists N --numbers N``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from dialer.core.columns import Columns
from dialer.core.errors import ContactsError
from dialer.intake import open_table
from dialer.intake.phones import Numbers
from dialer.intake.sources import find
from tests.support.lists import some_list, try_list
from tests.support.numbers import REGIONS, dialed_by_the_library, written

CORPORA = Path(__file__).parents[1] / "intake" / "corpora"


def numbers(count: int, seed: int) -> int:
    """What would be dialed equals phonenumbers' E.164. Returns how many numbers were taken."""
    readers = {region: Numbers(Columns(region=region)) for region in REGIONS}
    taken = 0
    for cell, region in written(random.Random(seed), count):
        found = readers[region].read(cell)
        dialed = found if isinstance(found, str) else None
        assert dialed == dialed_by_the_library(cell, region), (cell, region, found)
        taken += dialed is not None
    return taken


def lists(count: int, seed: int) -> int:
    """No list does more harm than one line. Returns how many were read to their end."""
    read = 0
    with tempfile.TemporaryDirectory() as home:
        for number in range(seed, seed + count):
            try:
                read += try_list(Path(home), some_list(random.Random(number))) is not None
            except BaseException:
                sys.stderr.write(f"list {number}\n")
                raise
    return read


def corpora(count: int, seed: int) -> int:
    """Files of the corpora with some bytes changed. Returns how many were read to their end."""
    files = [path for path in sorted(CORPORA.rglob("*")) if path.is_file() and path.suffix not in {".json", ".md"}]
    read = 0
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "list"
        for number in range(seed, seed + count):
            rng = random.Random(number)
            content = bytearray(rng.choice(files).read_bytes())
            for _ in range(rng.randint(1, 6) if content else 0):
                content[rng.randrange(len(content))] = rng.randrange(256)
            path.write_bytes(content)
            try:
                for source in find([("list", path)]):
                    for _row in open_table(source, Columns()).rows():
                        pass
                read += 1
            except ContactsError as error:
                if "\n" in str(error):
                    raise AssertionError(error) from error
            except BaseException:
                sys.stderr.write(f"file {number}\n")
                raise
    return read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=100_000)
    parser.add_argument("--lists", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    print(f"numbers {said.numbers:,}: {numbers(said.numbers, said.seed):,} dialed as phonenumbers would")
    print(f"lists {said.lists:,}: {lists(said.lists, said.seed):,} read, the others refused in one line")
    print(f"files {said.files:,}: {corpora(said.files, said.seed):,} read, the others refused in one line")


if __name__ == "__main__":
    main()
