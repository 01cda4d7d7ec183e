"""A service of its own, in memory, whose time stands still whenever its scheduler has something to do."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import resources
from typing import Self

import attrs

from application.people_file import read_people
from application.people_rows import RowProblem
from application.statistics import SchedulerStatistics, Statistics
from application.texts import Text, WriteText
from domain.due import SendPolicy
from domain.events import Event, MessagesChanged, UserCreated
from domain.message import MessageKey, Status
from domain.plan import Owed
from entrypoints.container.families import MemoryAdapters
from entrypoints.container.opening import start_cache
from entrypoints.container.wiring import Service
from entrypoints.settings import Settings

_PEOPLE = "people_of_the_demo.csv"
_LOOK_AHEAD_DAYS = 366


@attrs.frozen
class SentMessage:
    """A message that has left, with the occasion that it was owed for, and what is to be read in it."""

    owed: Owed
    text: Text
    due_at: datetime
    sent_at: datetime


@attrs.define
class World:
    """The real scheduler and use cases over the memory adapters, and the one hand that moves their clock.

    Planning takes some 25 ms, a whole morning of a year that passes in a minute. So the clock does not run:
    it is moved, and never past the instant of a message that has not left. It goes on when the scheduler
    has planned, sent and written down all that it had to by then.
    """

    policy: SendPolicy
    service: Service
    _adapters: MemoryAdapters
    _write: WriteText
    sent: list[SentMessage] = attrs.field(factory=list)
    coming: Sequence[Owed] = ()
    _owed: dict[MessageKey, Owed] = attrs.field(factory=dict)
    _next_due_at: datetime | None = None
    _reached: int = 0
    _has_changed: bool = False

    @classmethod
    def starting(cls, at: datetime, settings: Settings) -> Self:
        adapters = MemoryAdapters(settings=settings, clock_start=at, clock_speed=0.0)
        write = WriteText(adapters.texts(), settings.policy, adapters.clock().now)
        return cls(settings.policy, Service(settings=settings, adapters=adapters), adapters, write)

    @property
    def now(self) -> datetime:
        return self._adapters.clock().now()

    async def populate(self) -> Sequence[RowProblem]:
        """Import the people; return why rows were left out."""
        people = read_people(resources.files("entrypoints.cli").joinpath(_PEOPLE).read_bytes())
        problems: Sequence[RowProblem] = ()
        async for report in self.service.http().import_users(people):
            problems = report.errors
        await self._look_ahead()
        return problems

    async def run(self, stopping: asyncio.Event) -> None:
        """Run the scheduler, and what keeps the cache true, until *stopping* is set."""
        scheduler = self.service.scheduler()
        self._adapters.announcer().subscribe(scheduler.wake)
        self._adapters.announcer().subscribe(self._notice)
        await start_cache(self.service, self._adapters.announcer())
        async with asyncio.TaskGroup() as jobs:
            jobs.create_task(self.service.cached.upkeep().run(stopping))
            jobs.create_task(scheduler.run(stopping))

    async def advance(self, until: datetime, within_s: float, *, is_over: Callable[[], bool]) -> None:
        """Go on to *until*, message by message; give up after *within_s* real seconds, or when it *is_over*.

        What is due now has left afterwards, and ``sent`` and ``coming`` are true.
        """
        deadline_s = time.monotonic() + within_s
        await self._settle(is_over)
        while self.now < until and time.monotonic() < deadline_s and not is_over():
            # What is due within the time planned ahead stands in the ledger: further nobody may look.
            stops = [until, self.now + self.policy.planned_ahead]
            if self._next_due_at is not None:
                stops.append(self._next_due_at)
            self._adapters.clock().move_to(min(stops))
            await self._settle(is_over)

    async def statistics(self) -> Statistics:
        # Not from the cache: whether time may go on hangs on it.
        return await SchedulerStatistics(self._adapters.message_reader(), self.service.state())()

    async def _settle(self, is_over: Callable[[], bool]) -> None:
        """Wait until the scheduler has nothing left to do at this instant."""
        while not await self._is_settled():
            if is_over():
                return
            await asyncio.sleep(0.001)
        await self._look()

    async def _is_settled(self) -> bool:
        planned_at = self.service.state().last_plan_at
        if planned_at is None or planned_at < self.now.replace(minute=0, second=0, microsecond=0):
            return False
        self._next_due_at = await self.service.scheduler().next_due()
        if self._next_due_at is not None and self._next_due_at <= self.now:
            return False
        return not (await self.statistics()).counts[Status.SENDING]

    async def _look(self) -> None:
        """Note what has left since the last look, and what comes next."""
        if self._has_changed:
            await self._look_ahead()
        left = self._adapters.channel().reached[self._reached :]
        self._reached += len(left)
        for delivery in left:
            message = await self.service.http().get_message(delivery.key)
            if message.sent_at is None:
                raise RuntimeError("A message has left and the ledger does not say so.")
            owed = self._owed.get(delivery.key)
            if owed is not None:  # else it was due before anybody could look ahead
                self.sent.append(SentMessage(owed, self._write(delivery), message.due_at, message.sent_at))
        if left:
            await self._look_ahead()

    async def _notice(self, events: Sequence[Event]) -> None:
        """Look ahead anew once somebody has changed what is owed, from a browser say; an event handler."""
        self._has_changed |= any(isinstance(event, MessagesChanged | UserCreated) for event in events)

    async def _look_ahead(self) -> None:
        self._has_changed = False
        self.coming = await self.service.upcoming_messages()(_LOOK_AHEAD_DAYS)
        self._owed.update((one.message.key, one) for one in self.coming)
