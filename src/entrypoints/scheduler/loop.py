"""The scheduler of one process: plans, sends what is due, and keeps the ledger, until it is told to stop."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import attrs
import structlog
from structlog.contextvars import bound_contextvars

from application.dispatch import DispatchReport, KeepLedger, NextDue, SendDueMessages
from application.errors import StoreUnavailable
from application.occasions import RefreshTodaysLists
from application.planning import PlanMessages, PlanOpenAnew
from application.ports import Clock
from application.scheduler_observing import SchedulerObserver
from application.statistics import LookAtLedger, SchedulerState
from application.together import together
from application.upkeep import CompareClocks, DropOldMonths
from domain.due import SendPolicy
from domain.events import Event, MessagesChanged
from domain.message import Status
from entrypoints.scheduler.bounds import in_time

log = structlog.get_logger()

PLAN_EVERY = timedelta(hours=1)
PLAN_GIVES_WAY = timedelta(minutes=1)
"""For how long at most the plan of an hour waits for those who are due as it begins: it looks two days ahead."""
KEEP_EVERY_S = 2.0
REAP_SHARE = 0.1
"""How much of its time a process looks for lost leases at most: it looks through all that is due."""
REAP_WITHIN_S = 30.0
CLOCK_CHECK_EVERY_S = 60.0
LOOK_EVERY_S = 5.0
SLEEP_MAX = timedelta(minutes=5)
"""How long at most it sleeps without asking for the next due instant."""
PAUSE_MAX_S = 5.0
BREATH_S = 0.02
"""A pause before it asks again for what is due and could not be claimed: somebody has locked it."""
LANES = 2
"""How many batches of this process are on their way at once: PostgreSQL works on one while the other is sent."""
_PAUSE_AFTER_FAILURE_S = (0.5, 1, 2, 5, 10)


@attrs.define
class Scheduler:
    """The jobs and what wakes them. Every process may run one; nothing needs a leader."""

    plan: PlanMessages
    plan_open_anew: PlanOpenAnew
    drop_old_months: DropOldMonths
    compare_clocks: CompareClocks
    send_due: SendDueMessages
    keep: KeepLedger
    next_due: NextDue
    policy: SendPolicy
    clock: Clock
    state: SchedulerState
    look_at_ledger: LookAtLedger
    observer: SchedulerObserver
    refresh_lists: RefreshTodaysLists | None = None
    """For what was planned late: today's lists may be computed already."""
    _poke: asyncio.Event = attrs.field(factory=asyncio.Event)
    _drained: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set whenever nothing is due any more."""
    _failures: dict[str, int] = attrs.field(factory=dict)
    _reap_from: float = 0.0
    """When lost leases are looked for again, by the monotonic clock."""

    async def wake(self, events: Sequence[Event]) -> None:
        """Look for due messages anew after a commit that changed some; an event handler."""
        if any(isinstance(event, MessagesChanged) for event in events):
            self._poke.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Run the jobs until *stopping* is set; what is being sent then is finished and written down."""
        self.state.started_at = self.clock.now()
        async with asyncio.TaskGroup() as jobs:
            jobs.create_task(self._repeat("plan", self._plan_tick, stopping))
            jobs.create_task(self._repeat("dispatch", self._dispatch_tick, stopping))
            jobs.create_task(self._repeat("keep", self._keep_tick, stopping))
            jobs.create_task(self._repeat("look", self._look_tick, stopping))

    async def plan_now(self) -> bool:
        """Plan the window, and tell whether that was done: not by a clock that nobody can trust."""
        if await self._doubts_clock():
            log.error("clock_doubted", offset_s=self.state.clock_offset_s)
            return False
        now = self.clock.now()
        moved = await in_time(self.plan_open_anew())
        report = await in_time(self.plan())
        self.state.last_plan_at = now
        self.state.planned_until = self.policy.plan_dates(now)[1]
        log.info(
            "messages_planned",
            scheduled=report.scheduled,
            skipped=report.skipped,
            expired=report.expired,
            moved=moved,
        )
        if self.refresh_lists is not None and (report.scheduled or moved):
            await in_time(self.refresh_lists())
        return True

    async def _doubts_clock(self) -> bool:
        self.state.clock_offset_s = (await in_time(self.compare_clocks())).total_seconds()
        return self.state.is_clock_doubted

    async def _plan_tick(self, stopping: asyncio.Event) -> None:
        now = self.clock.now()
        last = self.state.last_plan_at
        if last is None or _plan_due(last) <= now or last > now:
            if last is not None and last <= now:
                await self._give_way(_plan_due(last), stopping)
            if stopping.is_set():
                return
            if not await self.plan_now():
                await _wait_for(CLOCK_CHECK_EVERY_S, stopping)
                return
            if months := await in_time(self.drop_old_months()):
                log.info("months_dropped", months=months)
        await self._sleep_until(_plan_due(self.state.last_plan_at or now), stopping)

    async def _give_way(self, hour: datetime, stopping: asyncio.Event) -> None:
        """Wait for those who were to be greeted by *hour*, for a minute from then at most: most are due at a full one.

        Nor for more than a minute of real time, since the service's clock may stand still or be put back.
        """
        due_at = self.state.next_due_at
        if due_at is not None and due_at <= self.clock.now() and not self.state.is_paused:
            self._drained.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PLAN_GIVES_WAY.total_seconds()):
                    await self._sleep_until(hour + PLAN_GIVES_WAY, stopping, self._drained)

    async def _dispatch_tick(self, stopping: asyncio.Event) -> None:
        self._poke.clear()
        pause = await self._drain(stopping)
        now = self.clock.now()
        self.state.last_tick_at = now
        self.state.is_paused = pause is not None
        if pause is not None:
            # Of real time, and an operator may end it: it is looked at again now and then.
            await _wait_for(min(pause.total_seconds(), PAUSE_MAX_S), stopping)
            return
        self.state.next_due_at = await in_time(self.next_due())
        if self.state.next_due_at is None or self.state.next_due_at > self.clock.now():
            self._drained.set()
        wake_at = now + SLEEP_MAX
        if self.state.next_due_at is not None:
            # By the database's clock: whoever is ahead of it would ask without a pause, and nothing would be due.
            offset = timedelta(seconds=self.state.clock_offset_s)
            wake_at = min(wake_at, self.state.next_due_at + offset)
        if wake_at <= self.clock.now():
            await _wait_for(BREATH_S, stopping)
        await self._sleep_until(wake_at, stopping, self._poke)

    async def _drain(self, stopping: asyncio.Event) -> timedelta | None:
        """Send until nothing is due; return for how long the channel takes nothing.

        While one lane sends, another one claims or completes.
        """
        first = await self._send_batch()
        if not first.goes_on:
            return first.pause
        pauses = await together(*(self._run_lane(stopping) for _ in range(LANES)))
        return next((pause for pause in pauses if pause is not None), None)

    async def _run_lane(self, stopping: asyncio.Event) -> timedelta | None:
        while not stopping.is_set():
            report = await self._send_batch()
            if not report.goes_on:
                return report.pause
        return None

    async def _send_batch(self) -> DispatchReport:
        # What is claimed has the time of its lease to be sent and written down.
        report = await in_time(self.send_due(), more_s=self.send_due.lease.total_seconds())
        if report.braked is not None and self.state.braked != report.braked:
            log.warning(
                "channel_braked",
                due_hour=report.braked.hour.isoformat(),
                messages=report.braked.messages,
                allowed=report.braked.allowed,
            )
        self.state.braked = report.braked
        if report.claimed:
            now = self.state.last_tick_at = self.clock.now()
            late = {(kind, (now - due).total_seconds()): n for (kind, due), n in report.accepted.items()}
            if Status.SENT in report.settled:
                self.state.refused_since = None
            elif Status.RETRYING in report.settled:
                self.state.refused_since = self.state.refused_since or now
            self.observer.messages_accepted(late)
            self.observer.batch_settled(report.settled, report.lost)
            log.info(
                "batch_settled",
                claimed=report.claimed,
                lost=report.lost,
                stale=report.stale,
                **{status.lower(): count for status, count in report.settled.items()},
            )
        return report

    async def _keep_tick(self, stopping: asyncio.Event) -> None:
        began = time.monotonic()
        reaps = began >= self._reap_from
        report = await in_time(self.keep(reaps=reaps))
        if reaps:
            ended = time.monotonic()
            pause_s = 0 if report.has_more_leases else min((ended - began) / REAP_SHARE, REAP_WITHIN_S)
            self._reap_from = ended + pause_s
        if report.changed:
            self.observer.ledger_kept(
                retrying=report.retrying, unknown=report.unknown, expired=report.expired
            )
            log.warning(
                "ledger_kept", retrying=report.retrying, unknown=report.unknown, expired=report.expired
            )
            self._poke.set()
            return  # there may be more
        # Leases are of real time, whatever the service's clock shows.
        await _wait_for(KEEP_EVERY_S, stopping)

    async def _look_tick(self, stopping: asyncio.Event) -> None:
        was_doubted = self.state.is_clock_doubted
        if await self._doubts_clock() and not was_doubted:  # it was right when the last plan was made
            log.error("clock_doubted", offset_s=self.state.clock_offset_s)
        if self.state.is_clock_doubted:
            self._poke.set()  # what is due by the database's clock need not be by this one
        counts, backlog = await in_time(self.look_at_ledger())
        self.state.waiting_since = backlog.oldest_at
        if not (counts.get(Status.RETRYING) or counts.get(Status.SENDING)):
            self.state.refused_since = None  # nobody is left whom the channel has refused
        self.observer.ledger_looked_at(counts, backlog)
        if backlog.messages:
            # Also what another process has planned since this one went to sleep, and not lived to send.
            self._poke.set()
        await _wait_for(LOOK_EVERY_S, stopping)

    async def _sleep_until(self, instant: datetime, *wakers: asyncio.Event) -> None:
        """Sleep until *instant* by the service's clock, or until one of *wakers* is set."""
        while self.clock.now() < instant and not any(waker.is_set() for waker in wakers):
            sleepers = [asyncio.ensure_future(self.clock.sleep_until(instant))]
            sleepers += [asyncio.ensure_future(_wait(waker)) for waker in wakers]
            try:
                await asyncio.wait(sleepers, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for sleeper in sleepers:
                    sleeper.cancel()
                await asyncio.gather(*sleepers, return_exceptions=True)

    async def _repeat(
        self, job: str, tick: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event
    ) -> None:
        """Run *tick* again and again; a tick that fails is logged once and tried again after a pause."""
        failures = 0
        while not stopping.is_set():
            with bound_contextvars(job=job):
                try:
                    await tick(stopping)
                    failures = 0
                except Exception as error:  # A bad tick must not end the loop.
                    pause_s = _PAUSE_AFTER_FAILURE_S[min(failures, len(_PAUSE_AFTER_FAILURE_S) - 1)]
                    failures += 1
                    if isinstance(error, StoreUnavailable | TimeoutError):
                        log.warning("tick_failed", error=type(error).__name__, failures=failures)
                    else:
                        log.exception("tick_failed", failures=failures)
                    await _wait_for(pause_s, stopping)
                self._failures[job] = failures
                self.state.failures_in_a_row = max(self._failures.values())


async def _wait_for(seconds: float, stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


async def _wait(waker: asyncio.Event) -> None:
    await waker.wait()


def _plan_due(last: datetime) -> datetime:
    """Return the next full hour: 00:00 UTC is one of them."""
    hour = last.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour + PLAN_EVERY
