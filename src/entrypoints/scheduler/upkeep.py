"""What keeps the cache true in one process, and what is added up in the database small."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import structlog

from application.access import NoteUses
from application.access_ports import Answers
from application.auditing import AuditHits
from application.cache_ports import SHARDS, CachePort, CacheUnavailable
from application.counting import MessageCounts
from application.errors import StoreUnavailable
from application.occasions import RefreshTodaysLists, next_day
from application.ports import Clock
from application.processes import BEAT_EVERY_S, Process, Processes
from application.retention import ForgetWhatIsOld
from application.sweeping import BATCH, SWEEP_EVERY_S, InvalidateAtOnce, SweepInvalidations, TidyOutbox
from application.trust import POLL_EVERY_S, Trust
from entrypoints.scheduler.bounds import TRUST_WITHIN_S, in_time

log = structlog.get_logger()

PROBE_EVERY_S = 0.25
TIDY_EVERY_S = 30.0
NOTE_EVERY_S = 60.0
FOLD_EVERY_S = 2.0
FOLD_MAX = 10_000
FORGET_EVERY_S = 3600.0
_PAUSE_AFTER_FAILURE_S = 0.5


@attrs.frozen
class CacheUpkeep:
    """The jobs of the cache. Every process runs them; whoever is first sweeps for all."""

    trust: Trust
    at_once: InvalidateAtOnce
    sweep: SweepInvalidations
    auditor: AuditHits
    refresh: RefreshTodaysLists
    clock: Clock
    cache: CachePort

    async def begin(self) -> None:
        """Compare the cache with the store before anything is served: one of them may have been put back.

        Where one of them is away, the first sweep that finds both does it.
        """
        for shard in range(SHARDS):
            await _attempt(partial(self.sweep, shard))

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep the cache true until *stopping* is set."""
        async with asyncio.TaskGroup() as jobs:
            auditing = jobs.create_task(self.auditor.run())
            refreshing = jobs.create_task(self._refresh_daily())
            jobs.create_task(_repeat(self._renew, POLL_EVERY_S, stopping))
            # So that a server which is back is found out by this, and not by a request that waits for it.
            jobs.create_task(_repeat(self.cache.is_healthy, PROBE_EVERY_S, stopping))
            await _repeat(self._sweep, SWEEP_EVERY_S, stopping, self.at_once.overdue)
            auditing.cancel()
            refreshing.cancel()

    async def _refresh_daily(self) -> None:
        """Replace today's lists at every 00:00 UTC, for ever."""
        midnight = next_day(self.clock.now())
        while True:
            while self.clock.now() < midnight:
                await self.clock.sleep_until(midnight)
            midnight = next_day(self.clock.now())
            await _attempt(self.refresh)

    async def _renew(self) -> None:
        await in_time(self.trust.try_to_renew(), TRUST_WITHIN_S)

    async def _sweep(self) -> None:
        self.at_once.overdue.clear()
        for shard in range(SHARDS):
            while await self.sweep(shard) == BATCH:
                pass


@attrs.frozen
class OutboxUpkeep:
    """Keeps the outbox small, also where no cache is configured any more."""

    tidy: TidyOutbox

    async def run(self, stopping: asyncio.Event) -> None:
        """Tidy every now and then until *stopping* is set."""
        await _repeat(self.tidy, TIDY_EVERY_S, stopping)


@attrs.frozen
class AccessUpkeep:
    """Writes down when keys were last used, and forgets sessions and answers that are over."""

    note_uses: NoteUses
    answers: Answers

    async def run(self, stopping: asyncio.Event) -> None:
        """Do it every minute until *stopping* is set, and once more then."""
        await _repeat(self._tidy, NOTE_EVERY_S, stopping)
        with contextlib.suppress(StoreUnavailable):
            await self.note_uses()

    async def _tidy(self) -> None:
        await self.note_uses()
        await self.answers.forget_old()


@attrs.frozen
class Heartbeat:
    """Says to all others that this process is there, and at its end that it is not."""

    processes: Processes
    process: Process

    async def run(self, stopping: asyncio.Event) -> None:
        """Say it every now and then until *stopping* is set."""
        await _repeat(self._beat, BEAT_EVERY_S, stopping)
        with contextlib.suppress(StoreUnavailable):
            await self.processes.leave(self.process)

    async def _beat(self) -> None:
        await self.processes.beat(self.process)


@attrs.frozen
class RetentionUpkeep:
    """Forgets what is not needed any more."""

    forget: ForgetWhatIsOld

    async def run(self, stopping: asyncio.Event) -> None:
        """Forget at the start, and every hour until *stopping* is set."""
        await _repeat(self._forget, FORGET_EVERY_S, stopping)

    async def _forget(self) -> None:
        if erased := await self.forget():
            log.info("people_forgotten", people=erased)


@attrs.frozen
class CountsUpkeep:
    """Keeps a look at the ledger's counts as cheap after a day of work as after none."""

    counts: MessageCounts

    async def run(self, stopping: asyncio.Event) -> None:
        """Fold every now and then until *stopping* is set."""
        await _repeat(self._fold, FOLD_EVERY_S, stopping)

    async def _fold(self) -> None:
        while await self.counts.fold(FOLD_MAX) == FOLD_MAX:
            pass


async def _repeat(
    job: Callable[[], Awaitable[object]],
    every_s: float,
    stopping: asyncio.Event,
    waker: asyncio.Event | None = None,
) -> None:
    """Do *job* every *every_s* seconds, or earlier when *waker* is set; one that fails is tried again."""
    while not stopping.is_set():
        pause_s = every_s if await _attempt(job) else max(every_s, _PAUSE_AFTER_FAILURE_S)
        waiting = [asyncio.create_task(event.wait()) for event in (stopping, waker) if event is not None]
        try:
            await asyncio.wait(waiting, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waiting)


async def _attempt(job: Callable[[], Awaitable[object]]) -> bool:
    """Do *job* and tell whether it went well; a job that fails must not end the others."""
    try:
        await in_time(job())
    except (CacheUnavailable, StoreUnavailable, TimeoutError) as error:
        # The breaker and the scheduler have told the log, once; here it would be told every second.
        log.debug("upkeep_failed", error=type(error).__name__)
        return False
    except Exception:
        log.exception("upkeep_failed")
        return False
    return True
