"""One seed: a small campaign on a bad day, through crashes, and the laws that must hold after every commit."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from random import Random

import anyio

from dialer.commands.preflight import Hearing
from dialer.core.campaign import Campaign
from dialer.core.errors import ApiError, ExitCode, LedgerHeld
from dialer.core.lifecycle import ATTEMPT_STEPS, LEAD_STEPS, AttemptState, LeadState
from dialer.core.messages import Change
from dialer.ledger import NewContact
from dialer.ledger.sqlite import SqliteLedger
from dialer.rehearsal.answers import SandboxRules
from dialer.runner import Runner, RunResult
from tests.simulation.world import Crash, Fuse, MemoryStore, PretendClient, PretendClock, Weather, World, fuses
from tests.support.virtual import run_virtually

START = 1_795_435_200.0
MOST_RUNS = 12


class Broken(AssertionError):
    """A law does not hold."""


@dataclass(frozen=True)
class Case:
    """What a seed draws."""

    seed: int
    contacts: int
    policy: str
    max_attempts: int
    horizon_s: float
    crashes: int
    restores: bool
    restores_journal: bool
    jumps: bool
    """The machine's clock is set between two runs. Without a ``Date`` nothing tells that: the limit is documented."""
    second_runner: bool
    steals: bool
    rules: SandboxRules
    weather: Weather
    api_off_s: float


def case_of(seed: int) -> Case:
    """The case of a seed: every draw in a fixed order, so that the seed alone tells all."""
    draw = Random(seed)
    horizon_s = draw.choice([60.0, 120.0, 300.0])
    echo = draw.choice(["none", "get", "both"])
    order = draw.choice(["newest", "newest", "newest", "oldest", "random"])
    lag_s = draw.choice([0.0, 0.0, 2.0, horizon_s * 0.7])
    restores = draw.random() < 0.1
    dates = draw.random() < 0.9
    return Case(
        seed=seed,
        contacts=draw.choice([1, 1, 1, 2, 2, 3]),
        policy=draw.choice(["hold", "retry_absent"]),
        max_attempts=draw.randint(1, 3),
        horizon_s=horizon_s,
        crashes=draw.choice([0, 1, 1, 1, 2]) + restores,
        restores=restores,
        restores_journal=draw.random() < 0.5,
        jumps=draw.random() < 0.15 and dates and not restores,
        second_runner=draw.random() < 0.1,
        steals=draw.random() < 0.1,
        rules=SandboxRules.model_validate(
            {
                "seed": seed,
                "speed": 10.0,
                "echo": echo,
                "order": order,
                "lag": lag_s,
                "slots": draw.randint(1, 4),
                "filters": draw.random() < 0.9,
                "per_page_most": draw.choice([100, 100, 3]),
            }
        ),
        weather=Weather(
            lost=draw.choice([0.0, 0.1, 0.3, 0.6]),
            unsent=draw.choice([0.0, 0.1]),
            refused=draw.choice([0.0, 0.05]),
            wrong_id=draw.choice([0.0, 0.0, 0.0, 0.05]),
            looks_fail=draw.choice([0.0, 0.1]),
            lists_fail=draw.choice([0.0, 0.1]),
            late_s=min(30.0, horizon_s / 3),
            dates=dates,
        ),
        api_off_s=draw.uniform(-30.0, 30.0),
    )


def campaign_of(case: Case) -> Campaign:
    """The campaign file of a case."""
    return Campaign.model_validate(
        {
            "name": "simulated",
            "contacts": ["contacts.csv"],
            "agents": ["agent_a"],
            "api": {"base_url": "sandbox", "requests_per_minute": 6000, "timeout": "10s", "clock_tolerance": "9h"},
            "pacing": {"max_concurrent": 4, "longest_call": "10m"},
            "retry": {
                "max_attempts": case.max_attempts,
                "busy": ["30s"],
                "no_answer": ["1m"],
                "on_uncertain": case.policy,
                "uncertain_horizon": f"{case.horizon_s:g}s",
                "uncertain_scans": 2,
                "uncertain_scan_gap": "5s",
            },
            "hours": "always",
        }
    )


@cache
def _template() -> bytes:
    """A ledger with its schema and nothing in it: to be copied, since making one takes longer than a campaign."""
    store = MemoryStore()
    SqliteLedger(store.session(Fuse())).close()
    store.db.execute("DELETE FROM meta")
    content = store.db.serialize()
    store.destroy()
    return content


def phone(index: int) -> str:
    """A number without a part in the script."""
    return f"+121255{60000 + index}"


class Laws:
    """Checks after every commit: nobody is missing, no legal step is skipped, nothing final changes."""

    def __init__(self, store: MemoryStore, contacts: int) -> None:
        self._store = store
        self._contacts = contacts
        self._leads: dict[int, str] = {}
        self._attempts: dict[str, str] = {}

    def forget(self) -> None:
        """The ledger was put back to an older state."""
        self._leads, self._attempts = {}, {}

    def check(self, *, steps: bool = True) -> None:
        leads: dict[int, str] = {}
        for lead, state, attempts, charged in self._store.db.execute(_LEADS):
            leads[lead] = state
            if attempts != charged:
                raise Broken(f"lead {lead}: {attempts} charged, {charged} attempts")
            before = self._leads.get(lead, state)
            if steps and state != before and not _reachable(before, state):
                raise Broken(f"lead {lead}: {before} -> {state}")
        if len(leads) != self._contacts:
            raise Broken(f"{len(leads)} leads of {self._contacts}")
        attempts_now = dict(self._store.db.execute("SELECT key, state FROM attempt"))
        for key, before in self._attempts.items():
            after = attempts_now.get(key)
            if after is None or (after != before and not _attempt_reachable(before, after)):
                raise Broken(f"attempt {key}: {before} -> {after}")
        self._leads, self._attempts = leads, attempts_now


_LEADS = """
SELECT lead.id, lead.state, lead.attempts, (SELECT count(*) FROM attempt WHERE lead_id = lead.id AND state <> 'void')
FROM lead
"""


@cache
def _reachable(before: str, after: str) -> bool:
    """Whether one commit may lead from one state to the other: it may hold several legal steps."""
    seen, front = {LeadState(before)}, [LeadState(before)]
    while front:
        for state in LEAD_STEPS[front.pop()] - seen:
            seen.add(state)
            front.append(state)
    return LeadState(after) in seen


@cache
def _attempt_reachable(before: str, after: str) -> bool:
    seen, front = {AttemptState(before)}, [AttemptState(before)]
    while front:
        for state in ATTEMPT_STEPS[front.pop()] - seen:
            seen.add(state)
            front.append(state)
    return AttemptState(after) in seen


class WatchedLedger(SqliteLedger):
    """The real ledger; the process may die before and after each commit, and the laws are checked after it."""

    laws: Laws
    fuse: Fuse

    def commit(self, campaign_id: int, account: str, changes: Sequence[Change]) -> None:
        if changes:
            self.fuse.step()
        super().commit(campaign_id, account, changes)
        if changes:
            self.laws.check()
            self.fuse.step()


class Simulation:
    """Plays one case to its end."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.chance = Random(case.seed ^ 0x5EED)
        self.campaign = campaign_of(case)
        self.clock = PretendClock(START)
        self.world = World(self.chance, case.rules, self.clock, case.weather, api_off_s=case.api_off_s)
        self.store = MemoryStore(_template())
        self.laws = Laws(self.store, case.contacts)
        self.kills = 0
        self.result: RunResult | None = None
        self.broken = ""
        self._left: set[str] = set()
        self._snapshot: tuple[bytes, int] | None = None

    def play(self) -> None:
        """All of it. Raises :class:`Broken` where a law does not hold."""
        try:
            self._enroll()
            for fuse in fuses(self.chance, self.case.crashes, 60):
                self._one_process(fuse)
                self._between()
            self._to_the_end()
            self._check_end()
        finally:
            self.store.destroy()

    def _enroll(self) -> None:
        ledger = SqliteLedger(self.store.session(Fuse()))
        record = ledger.put_campaign("simulated", "c.toml", "", self.campaign.digest(), START)
        with ledger.enroll(record.id, ["phone"], ["phone"], "digest", START) as enrollment:
            for index in range(self.case.contacts):
                row = {"phone": phone(index)}
                enrollment.add(NewContact(phone(index), "contacts.csv", index + 2, row))
        ledger.close()

    def _to_the_end(self) -> None:
        for _ in range(MOST_RUNS):
            if self.result is not None and self.result.exit_code in {ExitCode.DONE, ExitCode.UNRESOLVED}:
                return
            self._one_process(Fuse())
            self._rest(60.0)
        raise Broken(f"no end after {MOST_RUNS} runs: {self.result and self.result.reason}")

    def _rest(self, seconds: float) -> None:
        self.clock.start += seconds

    def _between(self) -> None:
        """What may happen while no process runs."""
        self._rest(self.chance.choice([0.0, 1.0, 40.0, 900.0]))
        if self.case.jumps:
            self.clock.set_back_s += self.chance.uniform(-4000.0, 4000.0)
        if not self.case.restores:
            return
        if self._snapshot is None:
            self._snapshot = (self.store.db.serialize(), len(self.store.kept_journal.entries))
        elif self.chance.random() < 0.6:
            self._restore(*self._snapshot)

    def _restore(self, content: bytes, entries: int) -> None:
        """Somebody puts an old copy of the ledger back, with or without its journal. The list has caught up by then."""
        self._rest(self.case.rules.lag + self.case.weather.late_s + 1.0)
        self.store.put_back(content)
        if self.case.restores_journal:
            del self.store.kept_journal.entries[entries:]
            self.store.kept_journal.last = entries
        self.laws.forget()
        self.result = None

    # --- one process ------------------------------------------------------------------------------------------------

    def _one_process(self, fuse: Fuse) -> None:
        try:
            self.result = run_virtually(self._process, fuse)
        except BaseException as error:
            if not _only(error, (Crash, LedgerHeld)):
                raise
            self.kills += 1
            self.result = None
        self.store.holder = None

    async def _process(self, fuse: Fuse) -> RunResult:
        ledger = WatchedLedger.__new__(WatchedLedger)
        ledger.laws, ledger.fuse = self.laws, fuse
        try:
            ledger.__init__(self.store.session(fuse))  # type: ignore[misc]  # the fuse burns while it opens, too
            record = ledger.campaign("simulated")
            assert record is not None
            client = PretendClient(self.world, fuse, self._may_leave)
            hearing = Hearing()
            client.on_note = hearing
            await self._first_question(client)
            runner = Runner(
                self.campaign,
                record,
                ledger,
                client,  # type: ignore[arg-type]
                account="account",
                clock=self.clock,
            )
            for note in hearing.notes:
                runner.hear(note)
            async with anyio.create_task_group() as tasks:
                if self.case.second_runner or (self.case.steals and self.kills < 3):
                    tasks.start_soon(self._intrude)
                result = await runner.run()
                tasks.cancel_scope.cancel()
            return result
        finally:
            self.clock.start = self.clock.wall() + self.clock.set_back_s
            if hasattr(ledger, "_db"):
                ledger._db.close()  # a process that dies closes nothing but its transaction

    async def _first_question(self, client: PretendClient) -> None:
        """As the command does it: nothing is intended before the API has told its time, if it does."""
        for _ in range(20):
            with suppress(ApiError):
                await client.list_calls()
                return
        raise Broken("the list never came")

    async def _intrude(self) -> None:
        """A second runner is started on the same ledger; or somebody removes the lock first."""
        await anyio.sleep(self.chance.uniform(0.0, 120.0))
        if self.case.steals and self.kills < 3:
            self.store.holder = None
        elif self.store.holder is not None:
            try:
                SqliteLedger(self.store.session(Fuse()))
            except LedgerHeld:
                return
            raise Broken("two runners hold one ledger")

    def _may_leave(self, key: str) -> None:
        """A create leaves: its intent is durable, and none of it left before."""
        row = self.store.db.execute("SELECT state FROM attempt WHERE key = ?", (key,)).fetchone()
        if row is None or row[0] != "intended" or self.store.db.in_transaction:
            self._break(f"the create of {key} left before its intent was durable")
        if key in self._left and not self.case.restores:  # a ledger put back, journal and all, cannot know
            self._break(f"a second create of {key}")
        self._left.add(key)

    def _break(self, law: str) -> None:
        self.broken = law
        raise Crash

    # --- the end ----------------------------------------------------------------------------------------------------

    def _check_end(self) -> None:
        if self.broken:
            raise Broken(self.broken)
        self.laws.check()
        self.world.api_now()
        db = self.store.db
        left = db.execute("SELECT count(*) FROM lead WHERE state IN ('queued', 'waiting', 'dialing')").fetchone()[0]
        if left:
            raise Broken(f"{left} contacts are not settled")
        calls = self.world.exchange.calls
        bound = dict(db.execute("SELECT call_id, phone FROM attempt WHERE call_id IS NOT NULL"))
        for call_id, number in bound.items():
            if calls[call_id].phone != number:
                raise Broken(f"{call_id} is bound to the wrong number")
        told = {row[0] for row in db.execute("SELECT data ->> 'call_id' FROM event WHERE kind = 'foreign_call'")}
        unknown = [call for call_id, call in calls.items() if call_id not in bound and call_id not in told]
        if unknown:
            raise Broken(f"calls that nobody knows of: {[(call.id, call.phone) for call in unknown]}")
        self._check_people()
        if len(self.store.kept_journal.entries) != db.execute("SELECT count(*) FROM event").fetchone()[0]:
            raise Broken("ledger and journal tell different stories")

    def _check_people(self) -> None:
        by_phone: dict[str, list[tuple[float, float, str]]] = {}
        for call in self.world.exchange.calls.values():
            life = (call.created_at, call.ends_at(), call.status(call.ends_at()))
            by_phone.setdefault(call.phone, []).append(life)
        for number, made in by_phone.items():
            made.sort()
            if len(made) > self.case.max_attempts:
                raise Broken(f"{number} was called {len(made)} times")
            for (_, ended_at, status), (created_at, _, _) in pairwise(made):
                if ended_at > created_at:
                    raise Broken(f"{number} was called while a call to it was live")
                if status == "completed":
                    raise Broken(f"{number} was called after a completed call")


def _only(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only(item, kinds) for item in error.exceptions)
    return isinstance(error, kinds)


def play(seed: int) -> Simulation:
    """Play one seed. A failure names the line that replays it."""
    if seed % 50 == 0:
        gc.collect()  # by hand: the collector takes a third of the time, and a seed leaves little
    simulation = Simulation(case_of(seed))
    try:
        simulation.play()
    except BaseException as error:
        error.add_note(f"replay: python -m tests.simulation --seed {seed}")
        raise
    return simulation


__all__ = ["Broken", "Case", "Simulation", "case_of", "play", "replace"]
