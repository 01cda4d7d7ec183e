"""What the scheduler is doing, in numbers."""

from collections.abc import Mapping
from datetime import date, datetime

import attrs

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


@attrs.frozen
class Statistics:
    """Counts per status and the scheduler's state."""

    counts: Mapping[Status, int]
    state: SchedulerState


@attrs.frozen
class SchedulerStatistics:
    """How many messages are in which state, and how the scheduler is."""

    reader: MessageReader
    state: SchedulerState

    async def __call__(self) -> Statistics:
        counts = await self.reader.counts()
        return Statistics({status: counts.get(status, 0) for status in Status}, attrs.evolve(self.state))
