"""What the scheduler is doing, in numbers."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import attrs

from application.cached_values import CachedValues, Read
from application.invalidation import SCHEDULER_STATISTICS
from application.observing import Source
from application.ports import Clock, MessageReader
from application.scheduler_observing import Backlog
from application.upkeep import CLOCK_OFFSET_MAX
from domain.brake import Braked
from domain.message import Status

FAILURES_MAX = 3
SILENT_AFTER = timedelta(minutes=15)
"""Three times as long as the scheduler ever sleeps."""
LATE_AFTER = timedelta(minutes=10)


@attrs.define
class SchedulerState:
    """What the scheduler of this process last did; it writes, everybody else reads. Instants are its clock's."""

    started_at: datetime | None = None
    last_plan_at: datetime | None = None
    planned_until: date | None = None
    last_tick_at: datetime | None = None
    next_due_at: datetime | None = None
    failures_in_a_row: int = 0
    clock_offset_s: float = 0.0
    """By how much this machine's clock is ahead of the database's; negative if it is behind."""
    is_paused: bool = False
    """Whether the channel takes nothing now: the far side or an operator asked for a pause, or a limit is reached."""
    refused_since: datetime | None = None
    """Since when the channel has taken none of the messages that this process has tried."""
    braked: Braked | None = None
    """Why the brake has stopped the channel, if it has."""
    waiting_since: datetime | None = None
    """Since when a message that could be sent has been waiting."""

    @property
    def is_clock_doubted(self) -> bool:
        """Whether this machine's clock is so far from the database's that nothing may be planned by it."""
        return abs(self.clock_offset_s) > CLOCK_OFFSET_MAX.total_seconds()

    def complaint(self, now: datetime) -> str | None:
        """Return what keeps messages from leaving, as a sentence for an operator; None if nothing does."""
        planned_until, ticked_at, waiting = self.planned_until, self.last_tick_at, self.waiting_since
        refused = self.refused_since
        complaints = (
            (
                self.is_clock_doubted,
                "This machine's clock differs from the database's, so nothing is planned here.",
            ),
            (self.last_plan_at is None, "The scheduler has not planned yet."),
            (
                self.failures_in_a_row >= FAILURES_MAX,
                "The scheduler fails again and again; the log tells why.",
            ),
            (
                planned_until is not None and planned_until <= now.date(),
                "The plan does not reach beyond today; the log tells why none was made.",
            ),
            (
                ticked_at is not None and now - ticked_at > SILENT_AFTER,
                "The scheduler has not looked for due messages lately; restart the service.",
            ),
            (
                self.braked is not None,
                "Far more messages are due than usual: the brake has stopped the channel until somebody confirms.",
            ),
            (
                refused is not None and now - refused > LATE_AFTER and self.is_paused,
                "The channel has taken nothing for more than ten minutes; the log tells what it answers.",
            ),
            (
                waiting is not None and now - waiting > LATE_AFTER and not self.is_paused,
                "A message has been due for more than ten minutes; the log tells what the channel answers.",
            ),
        )
        return next((complaint for is_so, complaint in complaints if is_so), None)


@attrs.frozen
class LookAtLedger:
    """How the whole ledger stands, and what of it is due; cheap however large it is."""

    reader: MessageReader
    clock: Clock

    async def __call__(self) -> tuple[Mapping[Status, int], Backlog]:
        return await self.reader.counts(), await self.reader.backlog(self.clock.now())


@attrs.frozen
class Statistics:
    """Counts per status, where they came from, and the scheduler's state."""

    counts: Mapping[Status, int]
    source: Source
    state: SchedulerState


@attrs.frozen
class SchedulerStatistics:
    """How many messages are in which state, which may come from the cache, and how the scheduler is now."""

    reader: MessageReader
    state: SchedulerState
    cached: CachedValues[Mapping[Status, int]] | None = None

    async def __call__(self) -> Statistics:
        if self.cached is None:
            read: Read[Mapping[Status, int] | None] = Read(await self.reader.counts(), Source.BYPASS)
        else:
            read = await self.cached.read(SCHEDULER_STATISTICS, self.reader.counts)
        counts = read.value or {}
        return Statistics(
            {status: counts.get(status, 0) for status in Status}, read.source, attrs.evolve(self.state)
        )
