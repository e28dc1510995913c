"""A full name as first and last name. Whatever is not understood is kept: nobody loses a part of their name."""

from __future__ import annotations

from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PARTICLES: Final = _set(
    "van von vom zu zum zur der den des de del della dello di da das do dos du d' la le les los las el al "
    "af av ten ter te op 't bin bint ibn abu ben mac mc st st. san santa"
)
"""Small words that begin a last name: van der Berg, de la Cruz, dos Santos, bin Rashid."""
_SUFFIXES: Final = _set("jr jr. sr sr. i ii iii iv v phd ph.d. md m.d. dds esq esq. cpa rn jd mba")


def split_name(full: str) -> tuple[str, str]:
    """First and last name of a full name; either may be empty. Together they hold every word of it."""
    words = full.split()
    if "," in full:
        before, _, after = (part.strip() for part in " ".join(words).partition(","))
        if before and after and "," not in after and after.lower() not in _SUFFIXES:
            return after, before
    if len(words) < 2:
        return " ".join(words), ""
    at = _last_name_at(words)
    return " ".join(words[:at]), " ".join(words[at:])


def _last_name_at(words: list[str]) -> int:
    """Where the last name begins: at its first particle, else with the second word (the third behind a title)."""
    for index in range(1, len(words) - 1):
        if words[index].lower() in _PARTICLES:
            return index
    titled = words[0].endswith(".") and len(words[0]) > 2 and len(words) > 2
    return 2 if titled else 1
