"""Which numbers and keys of a list came already, in as few bytes as that takes: a list may have millions of rows."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Final

_SMALLEST: Final = 1 << 10
_FULLEST: Final = 0.7
_ROW_BITS: Final = 40
_SPREAD: Final = 0x9E3779B97F4A7C15
"""An odd number near 2^64 divided by the golden ratio: numbers that differ in their last digits land far apart."""
_WORD: Final = (1 << 64) - 1


class Seen:
    """Whole numbers above zero, each with the place in the lists where it came first. Sixteen bytes a slot.

    An open-addressing table in two arrays: a dict takes ten times as much.
    """

    def __init__(self) -> None:
        self._bits = _SMALLEST.bit_length() - 1
        self._slots = array("Q", [0]) * _SMALLEST
        self._places = array("Q", [0]) * _SMALLEST
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, value: int) -> bool:
        return bool(self._slots[self._slot(value)])

    def first(self, value: int) -> tuple[int, int] | None:
        """File and row (numbers) where ``value`` came first; None where it never did."""
        slot = self._slot(value)
        if not self._slots[slot]:
            return None
        return self._places[slot] >> _ROW_BITS, self._places[slot] & ((1 << _ROW_BITS) - 1)

    def add(self, value: int, file: int, row: int) -> None:
        """Remember a value that is new."""
        if self._count >= _FULLEST * len(self._slots):
            self._grow()
        slot = self._slot(value)
        self._slots[slot], self._places[slot] = value, file << _ROW_BITS | row
        self._count += 1

    def _slot(self, value: int) -> int:
        slots, mask = self._slots, len(self._slots) - 1
        at = (value * _SPREAD & _WORD) >> (64 - self._bits)
        while (found := slots[at]) and found != value:
            at = (at + 1) & mask
        return at

    def _grow(self) -> None:
        slots, places = self._slots, self._places
        self._bits += 1
        self._slots = array("Q", [0]) * (1 << self._bits)
        self._places = array("Q", [0]) * (1 << self._bits)
        for value, place in zip(slots, places, strict=True):
            if value:
                at = self._slot(value)
                self._slots[at], self._places[at] = value, place


def of_phone(phone: str) -> int:
    """An E.164 number as a number: nothing of it is lost."""
    return int(phone[1:])


def of_key(key: str) -> int:
    """A key as 64 bits of a hash: of five million, two are taken for one with a chance below a millionth."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()) or 1
