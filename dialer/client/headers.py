"""What the API says in headers: the time, and how long to be silent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER_LEAST_S: Final = 1.0
RETRY_AFTER_MOST_S: Final = 900.0
_EPOCH_FROM: Final = 1e9
_WINDOW_MOST_S: Final = 31 * 86_400.0
"""A reset above this is a moment, below it a length."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a limit header says: requests ``left``, and in how many seconds they are counted anew."""

    left: float
    reset_s: float


@dataclass(frozen=True, slots=True)
class AnswerNote:
    """Beside the answer itself: bounds of the API's clock minus ours, a wish for silence, in seconds, if any, and what
    the API says that is left of its limit."""

    skew_low_s: float | None = None
    skew_high_s: float | None = None
    hold_s: float | None = None
    allowance: Allowance | None = None


def http_date(text: str | None) -> float | None:
    """The UTC seconds in an HTTP date."""
    if not text:
        return None
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that ``Retry-After`` asks for, as a number or as a date, within sane bounds; None without it."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        wait_s = float(text)
    except ValueError:
        moment = http_date(text)
        if moment is None:
            return None
        served_at = http_date(headers.get("date"))
        wait_s = moment - (now if served_at is None else served_at)
    if math.isnan(wait_s):
        return None
    return min(max(wait_s, RETRY_AFTER_LEAST_S), RETRY_AFTER_MOST_S)


def allowance(headers: Mapping[str, str], now: float) -> Allowance | None:
    """What the limit headers say, the tightest where there are several; None without any.

    Reads the families ``X-RateLimit-Remaining``/``-Reset``, ``RateLimit-Remaining``/``-Reset`` and the draft's
    ``RateLimit: "default";r=0;t=30``.
    """
    found = []
    for prefix in ("x-ratelimit-", "ratelimit-", "x-rate-limit-"):
        left, reset = _number(headers.get(prefix + "remaining")), _number(headers.get(prefix + "reset"))
        if left is not None and reset is not None:
            found.append(Allowance(left, min(reset - now if reset > _EPOCH_FROM else reset, _WINDOW_MOST_S)))
    for policy in headers.get("ratelimit", "").split(","):
        left_match, reset_match = re.search(r"\br=(\d+)", policy), re.search(r"\bt=(\d+)", policy)
        if left_match and reset_match:
            found.append(Allowance(float(left_match[1]), min(float(reset_match[1]), _WINDOW_MOST_S)))
    return min(found, key=lambda item: max(item.left, 0.0) / max(item.reset_s, 1e-3), default=None)


def wished_silence(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the limit resets, where a limit header says that nothing is left."""
    return _silence(allowance(headers, now))


def _silence(told: Allowance | None) -> float | None:
    return _bounded(told.reset_s) if told is not None and told.left <= 0 else None


def _bounded(wait_s: float) -> float | None:
    return min(wait_s, RETRY_AFTER_MOST_S) if wait_s > 0 else None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def note(headers: Mapping[str, str], asked_at: float, came_at: float, status: int = 200) -> AnswerNote:
    """What the headers of an answer say. ``Date`` is cut to the second; a 503 may say when to come back."""
    date = http_date(headers.get("date"))
    told = allowance(headers, came_at)
    hold_s = _silence(told)
    if hold_s is None and status == 503:
        hold_s = retry_after(headers, came_at)
    left = told if told is not None and told.left > 0 and told.reset_s > 0 else None
    if date is None:
        return AnswerNote(hold_s=hold_s, allowance=left)
    return AnswerNote(date - came_at, date + 1.0 - asked_at, hold_s, left)
