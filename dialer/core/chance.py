"""Seeded chance: the same words give the same number, on every machine and after every restart."""

from __future__ import annotations

from hashlib import blake2b


def chance(*words: object) -> float:
    """A number in [0, 1) that depends on ``words`` alone."""
    digest = blake2b("\x1f".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def stretched(length_s: float, by: float, *words: object) -> float:
    """``length_s`` made longer by up to the share ``by``, never shorter: a wait that was promised is kept."""
    return length_s * (1 + by * chance(*words))
