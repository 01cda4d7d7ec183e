"""What the scheduler is doing, in numbers."""

from collections.abc import Mapping
from datetime import date, datetime

import attrs

from application.cached_values import CachedValues, Read
from application.invalidation import SCHEDULER_STATISTICS
from application.observing import Source
from application.ports import MessageReader
from domain.message import Status


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
