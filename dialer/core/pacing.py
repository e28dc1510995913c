"""How fast: slots, agents, request limits and the breaker. Each learns from answers and says whether a call may go.

Free slots cannot be read, only learnt from refusals, and other users of the account take and give them back. None of
these refusals is anybody's attempt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, isqrt, sqrt
from typing import Final

from dialer.core.chance import chance

DAY_S: Final = 86_400.0
LONG_WINDOW_S: Final = 600.0
"""A limit that is counted over longer than this is a quota to husband; a shorter one, a pace to keep."""
SURE: Final = 1.2
"""Of a Poisson number with the mean m at least (sqrt(m) - 1.2) ** 2 come, in 99 of 100 cases."""
CREATES_PER_PROBE: Final = 110.0
"""In the long run about so many calls are placed for each probe above a ceiling that stands still."""
CREATES_TO_FIRST_PROBE: Final = 45.0
"""And so many until the first one."""
_FALLEN: Final = 0.9
"""A ceiling that is found so much lower has moved; one or two calls less may be chance."""


@dataclass(slots=True)
class Pause:
    """A growing, jittered pause: ``first_s`` doubled at each failure in a row, at most ``most_s``."""

    first_s: float
    most_s: float
    name: str
    failures: int = 0
    until: float = float("-inf")

    def fail(self, now: float, least_s: float = 0.0, most_s: float = float("inf")) -> None:
        """One more failure: pause longer. Between half and all of the nominal length, by seeded chance."""
        nominal = max(least_s, self.first_s * 2.0 ** min(self.failures, 30))
        nominal = min(nominal, most_s, self.most_s)
        self.failures += 1
        self.until = now + nominal * (0.5 + 0.5 * chance(self.name, self.failures, round(now, 3)))

    def clear(self) -> None:
        """It works again."""
        self.failures = 0
        self.until = float("-inf")

    def shift(self, by_s: float) -> None:
        """The clock was set."""
        self.until += by_s

    def over(self, now: float) -> bool:
        """Whether the pause, if there was one, has passed."""
        return now >= self.until


@dataclass(slots=True)
class Slots:
    """What is known of the account's call slots.

    ``most`` is the user's ceiling, ``learned`` the number of calls that were live when the API last said that all slots
    are taken (None before it ever did). Creates unanswered at once grow with the square root of what was accepted,
    so the ceiling is met softly. Below the learned ceiling a call that ends is a reason to try at once; above it only
    single probes go, ever more seldom while they are refused. Where so many calls are up that some have ended unnoticed
    almost certainly, their slots are taken without waiting for the look that tells which.
    """

    most: int
    learned: int | None = None
    held_until: float = float("-inf")
    probe: Pause = field(default_factory=lambda: Pause(2.0, 600.0, "slots"))
    accepted_in_row: int = 0
    trust: float = 1.0
    """How much is given on what is expected to have ended: less after each refusal at the ceiling, more after each call
    that was up above it."""
    _refused_at: float = float("-inf")

    def ceiling(self) -> int:
        """How many calls may be live as far as is known."""
        return self.most if self.learned is None else min(self.most, self.learned)

    def ended(self, expected: float) -> int:
        """So many calls have ended unnoticed almost certainly, where ``expected`` are to be expected on average."""
        if self.learned is None:
            return 0
        return int(max(sqrt(self.trust * max(expected, 0.0)) - SURE, 0.0) ** 2)

    def takes(self, count: int) -> float:
        """How many calls must be expected to have ended for ``count`` of them to be certain."""
        return (SURE + sqrt(count)) ** 2 / self.trust

    def room(
        self,
        now: float,
        occupied: int,
        unanswered: int,
        expected: float = 0.0,
        may_probe: Callable[[], bool] = lambda: True,
    ) -> int:
        """How many creates may leave now. ``occupied`` counts live, unanswered and freshly uncertain calls, and
        ``expected`` those of the live ones that are expected to have ended unnoticed. Unless it ``may_probe``, none
        goes above the ceiling to find out whether it has risen."""
        if now < self.held_until:
            return 0
        at_once = isqrt(self.accepted_in_row)
        if self.learned is None:  # of those on their way when the ceiling is met, all but the first are refused
            at_once //= 2
        free = min(self.ceiling() + self.ended(expected), self.most) - occupied
        room = min(free, 1 + at_once - unanswered)
        if room <= 0 and self._may_probe(now, occupied, unanswered) and may_probe():
            return 1
        return max(room, 0)

    def _may_probe(self, now: float, occupied: int, unanswered: int) -> bool:
        return self.learned is not None and unanswered == 0 and occupied < self.most and self.probe.over(now)

    def accepted(self, live: int, unnoticed: Callable[[], float] = lambda: 0.0, expected: float = 0.0) -> None:
        """A create was accepted; ``live`` calls are up with it.

        ``unnoticed`` tells how many of them are expected to have ended: their slots were free all along. ``expected``
        is the same without those that are being looked at, known without weighing every call.
        """
        self.accepted_in_row += 1
        if self.learned is None or live <= self.learned:
            return
        if live <= self.learned + expected:
            self.trust = min(1.0, 1.02 * self.trust)
            return
        ended = unnoticed()
        truly = live - ceil(ended + 2 * sqrt(ended))  # it takes more than chance to believe in a slot more
        if truly > self.learned:
            self.learned = truly
            self.probe.until = float("-inf")  # one more may fit
            self.probe.failures = max(self.probe.failures - 2, 0)

    def refused(self, now: float, intended_at: float, live: int, call_length_s: float, expected: float = 0.0) -> None:
        """The API had no slot while ``live`` of our calls were up: hold all lines, longer each time."""
        if self.learned is not None and self.learned <= live < self.learned + expected:
            self.trust = max(0.3, 0.7 * self.trust)
        before, self.learned = self.learned, live if self.learned is None else min(live, self.learned)
        self.accepted_in_row = 0
        if intended_at <= self._refused_at:
            return  # it was on its way already when its sibling was refused
        self._refused_at = now
        if before is None:  # nothing says that it will move: a short list must not be spent on probes
            self.probe.first_s = call_length_s * min(CREATES_TO_FIRST_PROBE / max(live, 1), 2.0)
        elif live < _FALLEN * before:  # somebody took slots, and may give them back as quickly
            self.probe.first_s, self.probe.failures = call_length_s / 4, 0
        most_s = call_length_s * max(4.0, CREATES_PER_PROBE / live) if live else min(30.0, 4 * call_length_s)
        self.probe.fail(now, most_s=max(2.0, most_s))
        self.held_until = self.probe.until

    def shift(self, by_s: float) -> None:
        """The clock was set."""
        self.held_until += by_s
        self._refused_at += by_s
        self.probe.shift(by_s)

    def freed(self) -> None:
        """One of our calls ended: a reason to try at once, below the ceiling."""
        self.held_until = float("-inf")

    def next_try_at(self, occupied: int) -> float | None:
        """When a create may be tried, if only time is in the way."""
        if self.learned is not None and occupied >= self.ceiling():
            return max(self.probe.until, self.held_until) if occupied < self.most else None
        return self.held_until


@dataclass(slots=True)
class Desk:
    """One agent: its share of the work, and how long it is held."""

    agent_id: str
    weight: float
    pause: Pause
    given: float = 0.0
    unanswered: int = 0


class Agents:
    """Shares calls among agents by weight, and holds each one alone while it is not ready."""

    def __init__(self, weights: Sequence[tuple[str, float]]) -> None:
        self.desks = {
            agent_id: Desk(agent_id, weight, Pause(10.0, 300.0, f"agent {agent_id}")) for agent_id, weight in weights
        }

    def pick(self, now: float, wish: str | None = None) -> str | None:
        """The ready agent furthest behind its share, or the one that is wished for if it is ready.

        One that was not ready gets a single probe. A wish for an agent that the campaign does not have is none.
        """
        wished = self.desks.get(wish) if wish else None
        ready = [desk for desk in ([wished] if wished else self.desks.values()) if self._is_ready(desk, now)]
        if not ready:
            return None
        return min(ready, key=lambda desk: ((desk.given + 1) / desk.weight, desk.agent_id)).agent_id

    @staticmethod
    def _is_ready(desk: Desk, now: float) -> bool:
        return desk.pause.over(now) and not (desk.pause.failures and desk.unanswered)

    def held(self, now: float) -> frozenset[str]:
        """The agents that take no call now: who wishes for one of them has to wait."""
        return frozenset(desk.agent_id for desk in self.desks.values() if not self._is_ready(desk, now))

    def gave(self, agent_id: str) -> None:
        """A create with this agent leaves."""
        self.desks[agent_id].given += 1
        self.desks[agent_id].unanswered += 1

    def answered(self, agent_id: str, *, charged: bool) -> None:
        """A create with this agent is no longer awaited; without a charge its share is given back."""
        desk = self.desks.get(agent_id)
        if desk is None:  # an agent of an earlier campaign file
            return
        desk.unanswered = max(desk.unanswered - 1, 0)
        desk.given -= 0.0 if charged else 1.0

    def ready(self, agent_id: str) -> None:
        """A create was accepted."""
        if agent_id in self.desks:
            self.desks[agent_id].pause.clear()

    def not_ready(self, agent_id: str, now: float) -> None:
        """The API says the agent is not ready: hold it, longer each time."""
        if agent_id in self.desks and self.desks[agent_id].pause.over(now):
            self.desks[agent_id].pause.fail(now)

    def shift(self, by_s: float) -> None:
        """The clock was set."""
        for desk in self.desks.values():
            desk.pause.shift(by_s)

    def ready_at(self) -> list[float]:
        """When each of the agents may be tried."""
        return [desk.pause.until for desk in self.desks.values()]


@dataclass(slots=True)
class Requests:
    """The day's quota, the API's wish for silence, and what its limit headers say is left.

    The minute's limit of the plan is kept by the runner's limiter; where the API says that less is left, because the
    plan is smaller than was thought or others use the key, requests are spread until its count begins anew.
    """

    per_day: int
    spent: int = 0
    day: int = -1
    hush: Pause = field(default_factory=lambda: Pause(2.0, 60.0, "hush"))
    _quota: float = float("inf")
    """Left of a limit that is counted over hours, as the API told, less what was spent since."""
    _quota_until: float = float("-inf")
    _pace_s: float = 0.0
    """Seconds a request, as long as ``_paced_until`` is not over."""
    _paced_until: float = float("-inf")
    _next_at: float = float("-inf")

    def turn(self, now: float) -> None:
        """A new day (UTC) has a new quota."""
        day = int(now // DAY_S)
        if day > self.day:  # a clock that was set back gives no second quota
            self.spent = 0 if self.day >= 0 else self.spent
            self.day = day
        if now >= self._quota_until:
            self._quota = float("inf")

    def spend(self, count: int, now: float) -> None:
        """So many requests leave now."""
        self.spent += count
        self._quota -= count
        if now < self._paced_until:
            self._next_at = max(self._next_at, now) + count * self._pace_s

    def told(self, now: float, left: float, reset_at: float) -> None:
        """The API says how many requests are left until a moment."""
        if reset_at - now > LONG_WINDOW_S:
            self._quota, self._quota_until = left, reset_at
        else:
            self._pace_s, self._paced_until = (reset_at - now) / max(left, 1.0), reset_at

    def left(self) -> int:
        """Requests left of the day."""
        return int(max(min(self.per_day - self.spent, self._quota), 0))

    def limited(self, now: float, retry_after_s: float | None) -> None:
        """The API said 429: nothing leaves until it allows, or for a growing pause where it does not say."""
        if retry_after_s is None:
            if self.hush.over(now):
                self.hush.fail(now)
        else:
            self.hush.failures += 1
            self.hush.until = max(self.hush.until, now + retry_after_s)

    def opens_at(self, now: float) -> float:
        """When a request may leave: now, or after the silence, or when the next count begins."""
        opens_at = max(self.hush.until, now, min(self._next_at, self._paced_until))
        if self.left():
            return opens_at
        return max(opens_at, self._quota_until if self._quota < 1 else self.next_day_at(now))

    def shift(self, by_s: float) -> None:
        """The clock was set."""
        self.hush.shift(by_s)
        self._quota_until += by_s
        self._paced_until += by_s
        self._next_at += by_s

    @staticmethod
    def next_day_at(now: float) -> float:
        """When the quota is new: midnight, UTC."""
        return (now // DAY_S + 1) * DAY_S


def breaker_pause(horizon_s: float) -> Pause:
    """The breaker's pause: 10 s to 300 s beside a horizon of half an hour, shorter in rehearsals with a shorter one."""
    scale = min(1.0, horizon_s / 1800.0)
    return Pause(max(10.0 * scale, 0.2), max(300.0 * scale, 5.0), "breaker")


@dataclass(slots=True)
class Breaker:
    """Stops creates when too many of them get no answer: three in a row, or over a fifth of the last twenty."""

    pause: Pause = field(default_factory=lambda: Pause(10.0, 300.0, "breaker"))
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=20))

    def answered(self) -> None:
        """A create was answered, yes or no."""
        self.recent.append(True)
        self.pause.clear()

    def unanswered(self, now: float) -> bool:
        """A create was not answered. Returns whether that opened the breaker."""
        self.recent.append(False)
        in_row = list(self.recent)[-3:] == [False] * 3
        share = len(self.recent) == self.recent.maxlen and self.recent.count(False) > len(self.recent) / 5
        if (in_row or share or self.pause.failures) and self.pause.over(now):
            self.pause.fail(now)
            self.recent.clear()
            return True
        return False

    def room(self, now: float, unanswered: int) -> bool:
        """Whether a create may leave: closed, or half-open with none on its way."""
        return self.pause.over(now) and not (self.pause.failures and unanswered)
