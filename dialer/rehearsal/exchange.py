"""The exchange: a pretend telephone network. Seeded and pure; the caller brings the time, and nothing here waits.

How a call goes is settled when it is made: its whole life is a few moments in order, and its state at any time is read
off them. So a restart only needs to remember which calls were made, when, and which were ended early.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from dialer.core import errors
from dialer.core.chance import chance
from dialer.core.errors import Refused, refusal
from dialer.core.wire import CallStatus, JsonObject, is_final
from dialer.rehearsal.script import MISSING_AGENT, SCRIPT, SLEEPS_S, SLEEPY_AGENT, Part, outcome

RECORDING_URL_S: Final = 3600.0
_MEAN_TALK_S: Final = 48.0


class ExchangeRules(BaseModel):
    """How this network behaves. What the API's documentation leaves open is a switch here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    speed: float = Field(1.0, gt=0, description="calls are this many times shorter")
    slots: int = Field(20, ge=0, description="calls that may be live at once")
    others: int = Field(0, ge=0, description="slots that other users of the account hold at times")
    agents: tuple[str, ...] = Field((), description="the agents that exist; none named: any but agent_missing")
    mean_talk: float = Field(_MEAN_TALK_S, gt=0, description="mean seconds of talk, before speed")
    echo: Literal["none", "get", "both"] = Field("get", description="where metadata comes back")
    order: Literal["newest", "oldest", "random"] = Field("newest", description="order of the list")
    lag: float = Field(0.0, ge=0, description="seconds until a new call shows in the list (of real time)")
    inclusive: bool = Field(True, description="from_date and to_date include their own moment")
    filters: bool = Field(True, description="whether the list heeds its filters")
    per_page_most: int = Field(100, ge=1, description="the largest page the list gives")
    details_lag: float = Field(
        0.0, ge=0, description="seconds until length, cost, sentiment follow an end, before speed"
    )
    end_twice: Literal["ok", "error"] = Field("ok", description="ending a call that has ended")


@dataclass(slots=True)
class PretendCall:
    """One call. ``steps`` are (moment, status) in order of time; ``cut_at`` is when somebody ended it."""

    id: str
    agent_id: str
    phone: str
    nth: int
    created_at: float
    contact: JsonObject | None
    metadata: JsonObject | None
    steps: list[tuple[float, str]]
    talk_s: float
    sentiment: str | None
    details_at: float
    cut_at: float | None = None

    def status(self, now: float) -> str:
        """The status at ``now``."""
        if self.was_cut() and now >= self.ends_at():
            assert self.cut_at is not None
            return CallStatus.COMPLETED if self._connected(self.cut_at) else CallStatus.NO_ANSWER
        return self.steps[max(bisect_right(self.steps, now, key=lambda step: step[0]) - 1, 0)][1]

    def _connected(self, moment: float) -> bool:
        return any(status == CallStatus.IN_PROGRESS and at <= moment for at, status in self.steps)

    def _natural_end(self) -> float:
        return self.steps[-1][0] if is_final(self.steps[-1][1]) else float("inf")

    def was_cut(self) -> bool:
        """Whether somebody ended it before its natural end."""
        return self.cut_at is not None and self.cut_at < self._natural_end()

    def ends_at(self) -> float:
        """When it ends or ended; infinity for a call that is stuck."""
        natural = self._natural_end()
        return natural if self.cut_at is None else min(natural, self.cut_at)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is asked for; None is no wish."""

    agent_id: str | None = None
    status: str | None = None
    sentiment: str | None = None
    from_at: float | None = None
    to_at: float | None = None
    nothing: bool = False
    """The filter names something no call here ever has."""

    def by_date_only(self) -> bool:
        """Whether only dates are asked for."""
        return not (self.agent_id or self.status or self.sentiment or self.nothing)

    def fits(self, call: PretendCall, now: float) -> bool:
        """Whether a call is what was asked for, dates aside."""
        return (
            not self.nothing
            and self.agent_id in {None, call.agent_id}
            and self.status in {None, call.status(now)}
            and self.sentiment in {None, call.sentiment if call.ends_at() <= now else None}
        )


@dataclass(frozen=True, slots=True)
class ListTwist:
    """What a fault does to a list: calls it hides, and by how many calls a page is off."""

    shift: int = 0
    hides: Callable[[PretendCall], bool] | None = None


def _created(call: PretendCall) -> float:
    return call.created_at


@dataclass(slots=True)
class Exchange:
    """All calls of one pretend account. Raises the same :class:`~dialer.core.errors.Refused` that clients meet."""

    rules: ExchangeRules = field(default_factory=ExchangeRules)
    calls: dict[str, PretendCall] = field(default_factory=dict)
    on_change: Callable[[PretendCall], None] = field(default=lambda _: None)
    """Hears of every call that is made or ended, so that it can be remembered."""
    _per_phone: dict[str, int] = field(default_factory=dict)
    _live: dict[str, PretendCall] = field(default_factory=dict)
    _order: list[PretendCall] = field(default_factory=list)
    _first_asked: dict[str, float] = field(default_factory=dict)

    # --- operations -------------------------------------------------------------------------------------------------

    def create(
        self, agent_id: str, phone: str, contact: JsonObject | None, metadata: JsonObject | None, now: float
    ) -> PretendCall:
        """Make a call, or refuse it as the specification says."""
        self._check_agent(agent_id, now)
        if not _is_e164(phone) or SCRIPT.get(phone, Part((), "")).refuses:
            raise refused(errors.BAD_NUMBER, f"{phone} is not a number that can be called")
        if self.live(now) + self._held_by_others(now) >= self.rules.slots:
            raise refused(errors.NO_SLOTS, "all call slots are taken")
        nth = self._per_phone.get(phone, 0)
        tail = int(chance(self.rules.seed, len(self.calls), now, "id") * 16**8)  # another one after every restart
        ident = f"call_{len(self.calls) + 1:06d}{tail:08x}"
        call = self._scripted(ident, agent_id, phone, nth, contact, metadata, now)
        self.put(call, now)
        self.on_change(call)
        return call

    def put(self, call: PretendCall, now: float) -> None:
        """Take in a call that was made: just now, or before a restart."""
        self.calls[call.id] = call
        self._order.append(call)
        self._per_phone[call.phone] = max(self._per_phone.get(call.phone, 0), call.nth + 1)
        if call.ends_at() > now:
            self._live[call.id] = call

    def get(self, call_id: str) -> PretendCall:
        """One call."""
        if call_id not in self.calls:
            raise refused(errors.CALL_NOT_FOUND, f"there is no call {call_id}")
        return self.calls[call_id]

    def end(self, call_id: str, now: float) -> PretendCall:
        """End a live call."""
        call = self.get(call_id)
        if call.ends_at() <= now:
            if self.rules.end_twice == "error":
                raise refused(errors.INVALID_REQUEST, "the call has ended already")
            return call
        call.cut_at = now
        self.on_change(call)
        return call

    def select(
        self, chosen: Filter, now: float, page: int, per_page: int, twist: ListTwist | None = None
    ) -> tuple[list[PretendCall], int]:
        """One page of the calls a list shows, in its order, and how many there are in all."""
        twist = twist or ListTwist()
        low, high = 0, bisect_right(self._order, now - self.rules.lag, key=_created)
        if self.rules.filters:
            side = bisect_left if self.rules.inclusive else bisect_right
            low = 0 if chosen.from_at is None else side(self._order, chosen.from_at, key=_created)
            side = bisect_right if self.rules.inclusive else bisect_left
            high = high if chosen.to_at is None else min(high, side(self._order, chosen.to_at, key=_created))
        wanted = range(high - 1, low - 1, -1) if self.rules.order == "newest" else range(low, high)
        start = max((page - 1) * per_page + twist.shift, 0)
        plain = self.rules.order != "random" and twist.hides is None
        if plain and (not self.rules.filters or chosen.by_date_only()):
            return [self._order[index] for index in wanted[start : start + per_page]], len(wanted)
        found = [self._order[index] for index in wanted]
        if twist.hides is not None:
            found = [call for call in found if not twist.hides(call)]
        if self.rules.filters:
            found = [call for call in found if chosen.fits(call, now)]
        if self.rules.order == "random":
            found.sort(key=lambda call: chance(self.rules.seed, call.id, int(now)))
        return found[start : start + per_page], len(found)

    def live(self, now: float) -> int:
        """How many calls are live."""
        for call_id in [ident for ident, call in self._live.items() if call.ends_at() <= now]:
            del self._live[call_id]
        return len(self._live)

    def agent_exists(self, agent_id: str) -> bool:
        """Whether the account has this agent."""
        return agent_id in self.rules.agents if self.rules.agents else agent_id != MISSING_AGENT

    # --- how things go ----------------------------------------------------------------------------------------------

    def _check_agent(self, agent_id: str, now: float) -> None:
        if not self.agent_exists(agent_id):
            raise refused(errors.AGENT_NOT_FOUND, f"there is no agent {agent_id}")
        asked_at = self._first_asked.setdefault(agent_id, now)
        if agent_id == SLEEPY_AGENT and now < asked_at + SLEEPS_S / self.rules.speed:
            raise refused(errors.AGENT_NOT_READY, f"{agent_id} is not in ready status")

    def _held_by_others(self, now: float) -> int:
        if not self.rules.others:
            return 0
        phase = int(now * self.rules.speed // 90)
        return round(chance(self.rules.seed, "others", phase) * self.rules.others)

    def _scripted(
        self,
        ident: str,
        agent_id: str,
        phone: str,
        nth: int,
        contact: JsonObject | None,
        metadata: JsonObject | None,
        now: float,
    ) -> PretendCall:
        part = SCRIPT.get(phone, Part((), ""))
        end = outcome(self.rules.seed, phone, nth)
        draw = [chance(self.rules.seed, phone, nth, what) for what in ("ring", "talk", "mood")]
        ring_s, talk_s = 2.0 + 4.0 * draw[0], 0.0
        moments: list[tuple[float, str]] = [(0.0, CallStatus.INITIATING)]
        if end in {CallStatus.COMPLETED, CallStatus.VOICEMAIL}:
            talk_s = self._talk_s(end, draw[1])
            moments += [(1.0, CallStatus.RINGING), (1.0 + ring_s, CallStatus.IN_PROGRESS)]
            if part.odd_status:
                moments.append((1.0 + ring_s + talk_s / 2, part.odd_status))
            if not part.stuck:
                moments.append((1.0 + ring_s + talk_s, end))
        elif end == CallStatus.NO_ANSWER:
            moments += [(1.0, CallStatus.RINGING), (20.0 + 10.0 * draw[0], end)]
        else:
            moments += [(1.0 + ring_s / 2, end)]
        steps = [(now + at / self.rules.speed, str(status)) for at, status in moments]
        late_s = max(self.rules.details_lag, 20.0 if part.late_details else 0.0)
        return PretendCall(
            id=ident,
            agent_id=agent_id,
            phone=phone,
            nth=nth,
            created_at=now,
            contact=contact,
            metadata=metadata,
            steps=steps,
            talk_s=float(round(talk_s)),
            sentiment=_mood(draw[2]) if end == CallStatus.COMPLETED else None,
            details_at=steps[-1][0] + late_s / self.rules.speed,
        )

    def _talk_s(self, end: CallStatus, draw: float) -> float:
        if end == CallStatus.VOICEMAIL:
            return 12.0 + 10.0 * draw
        spread = exp(1.2 * (draw + chance(self.rules.seed, draw, "spread") - 1.0))  # long tail, short head
        return max(4.0, self.rules.mean_talk * 0.888 * spread)

    def shows_details(self, call: PretendCall, now: float) -> bool:
        """Whether length, cost and sentiment of an ended call are there."""
        return now >= (call.ends_at() if call.was_cut() else call.details_at)

    def talked_s(self, call: PretendCall) -> float:
        """Seconds of talk of an ended call, before speed."""
        if call.cut_at is None or not call.was_cut():
            return call.talk_s
        talked = [call.cut_at - at for at, status in call.steps if status == CallStatus.IN_PROGRESS]
        return float(round(max(talked, default=0.0) * self.rules.speed)) if talked else 0.0


def refused(code: str, message: str) -> Refused:
    """The refusal a code stands for, under the HTTP status that fits it best."""
    status = {errors.NO_SLOTS: 429, errors.AGENT_NOT_READY: 409, errors.BAD_NUMBER: 422, errors.RATE_LIMITED: 429}
    gone = {errors.CALL_NOT_FOUND, errors.AGENT_NOT_FOUND, errors.RECORDING_NOT_AVAILABLE}
    error = refusal(code, 404 if code in gone else status.get(code, 400), message, None)
    assert isinstance(error, Refused)
    return error


def _is_e164(phone: str) -> bool:
    return phone.startswith("+") and phone[1:].isdigit() and 8 <= len(phone) <= 16 and phone[1] != "0"


def _mood(draw: float) -> str:
    return "positive" if draw < 0.45 else "neutral" if draw < 0.8 else "negative" if draw < 0.97 else "flagged"
