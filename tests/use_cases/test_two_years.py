"""Two years of the service in minutes, in all zones, while it is killed and away at random moments."""

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Self, TypeVar
from uuid import UUID

import attrs
import pytest

from adapters.clock import MovableClock
from adapters.memory.channel import MemoryChannel
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from application.deliveries import Delivery, Outcome
from domain.due import NINE, SendPolicy
from domain.message import MessageKey, Reason, RetryPolicy, Status
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import User, UserId
from tests.cache.intercepting import Around, Intercepted
from tests.contract.people import person
from tests.contract.process import Process
from tests.domain.calendar_pages import every_date, kept
from tests.domain.wall_clock import (
    Stretch,
    distinct_zones,
    raw_zone,
    showing_among,
    stretches,
    wall_seconds,
)

T = TypeVar("T")

FIRST, LAST = date(2027, 1, 1), date(2028, 12, 31)
BEGIN, END = datetime(2026, 12, 28, tzinfo=UTC), datetime(2029, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = SendPolicy(planned_ahead=timedelta(days=5))
PLANNED_EVERY = timedelta(days=4)
"""Seldom, since most days are nobody's."""


class Killed(BaseException):
    """The process ends here."""


@attrs.define(eq=False)
class Fate(Around):
    """Kills the process now and then, before one of its calls or when that was answered."""

    random: random.Random
    chance: float
    kills: int = 0

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self._strike()
        answer = await call()
        self._strike()
        return answer

    def _strike(self) -> None:
        if self.random.random() < self.chance:
            self.kills += 1
            raise Killed


class MortalUnitOfWork(MemoryUnitOfWork):
    """A transaction in which the process may be killed."""

    __slots__ = ("_around",)

    def __init__(self, store: MemoryStore, around: Around) -> None:
        super().__init__(store)
        self._around = around

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        for name in ("users", "messages", "upkeep"):
            setattr(self, name, Intercepted(getattr(self, name), self._around))
        return self

    async def commit(self) -> None:
        await self._around("commit", super().commit)


@attrs.define(eq=False)
class Service:
    """The service in memory: one process after the other, each with the same ledger and the same provider."""

    fate: Fate
    clock: MovableClock = attrs.field(factory=lambda: MovableClock(BEGIN, speed=0))
    leases_passed_s: float = 0.0
    store: MemoryStore = attrs.field(init=False)
    channel: MemoryChannel = attrs.field(init=False)
    arrivals: dict[MessageKey, list[datetime]] = attrs.field(factory=dict)
    planned_at: datetime | None = None
    seen_through: list[datetime] = attrs.field(factory=list)
    """The instants at which it has done all that there was to do."""

    def __attrs_post_init__(self) -> None:
        self.store = MemoryStore(self.clock, monotonic=lambda: self.leases_passed_s)
        service = self

        class Channel(MemoryChannel):
            async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
                return await service.fate("send", lambda: self._take_all(deliveries))

            async def _take_all(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
                before = len(self.reached)
                outcomes = await super().send_many(deliveries)
                for one in self.reached[before:]:
                    service.arrivals.setdefault(one.key, []).append(service.clock.now())
                return outcomes

        self.channel = Channel()

    @cached_property
    def process(self) -> Process:
        return Process(
            unit_of_work=lambda: MortalUnitOfWork(self.store, self.fate),
            channel=self.channel,
            policy=POLICY,
            retry_policy=RetryPolicy(),  # it takes more than a few deaths to use the attempts up
        )

    async def add(self, people: Sequence[User]) -> None:
        async with MemoryUnitOfWork(self.store) as uow:
            await uow.users.add(people)
            await uow.commit()

    async def look(self, now: datetime) -> datetime:
        """Do what there is to do, also if it takes several processes; return when to look again."""
        self.clock.move_to(now)
        while True:
            try:
                if self.planned_at is None or now - self.planned_at >= PLANNED_EVERY:
                    await self.process.plan()
                    self.planned_at = now
                await self.process.keep()
                await self.process.send_all()
            except Killed:
                self.planned_at = None  # the next one plans when it starts
                self.leases_passed_s += 86_400
            else:
                break
        self.seen_through.append(now)
        async with MemoryUnitOfWork(self.store) as uow:
            next_due_at = await uow.messages.next_due_at()
        wake_at = self.planned_at + PLANNED_EVERY
        return wake_at if next_due_at is None else min(wake_at, max(next_due_at, now + timedelta(seconds=1)))


def people() -> Iterator[User]:
    """Yield two people by all rules that zones have: of one rule or another for 29 February, and of New Year or a changing clock.

    Some of the latter were hired in the first of the years, on their birthday.
    """
    rules = (None, *LeapDayRule)
    for number, name in enumerate(distinct_zones()):
        odd_days = [date(1990, 1, 1), date(1992, 12, 31), *sorted(changes_of_clocks(name))]
        birthdays = (
            AnnualDate(2, 29, 2000),
            AnnualDate.of(odd_days[number % len(odd_days)].replace(year=1990)),
        )
        for place, birthday in enumerate(birthdays):
            user_id = UserId(UUID(int=2 * number + place + 1))
            rule = rules[number % len(rules)]
            hired = date(FIRST.year, birthday.month, birthday.day) if place and number % 5 == 0 else None
            yield person(id=user_id, timezone=name, birthday=birthday, anniversary=hired, leap_day_rule=rule)


def changes_of_clocks(name: str) -> set[date]:
    walked = stretches(
        raw_zone(name), wall_seconds(FIRST, time(0)), wall_seconds(date(2027, 12, 31), time(0))
    )
    return {datetime.fromtimestamp(one.starts + one.offset, UTC).date() for one in walked[1:]}


def reckoned(everybody: Sequence[User]) -> Mapping[MessageKey, datetime]:
    """Return every message that there should be, and when it is nine, found without the code under test."""
    found: dict[MessageKey, datetime] = {}
    days = list(every_date(FIRST, LAST))
    dates: dict[Any, list[date]] = {}
    around: dict[str, list[Stretch]] = {}
    for user in everybody:
        assert user.birthday is not None
        born = (user.birthday.month, user.birthday.day, user.leap_day_rule)
        if born not in dates:
            rule = user.leap_day_rule or LeapDayRule.FEB28
            dates[born] = [on for on in days if kept(user.birthday, rule, on)]
        if user.timezone not in around:
            begins, ends = wall_seconds(BEGIN.date(), time(0)), wall_seconds(END.date(), time(0))
            around[user.timezone] = stretches(raw_zone(user.timezone), begins, ends, step_s=86_400)
        for on in dates[born]:
            nine = showing_among(around[user.timezone], on, NINE).at
            found[MessageKey(on, Kind.BIRTHDAY, user.id)] = nine
            if user.anniversary is not None and on > user.anniversary:
                found[MessageKey(on, Kind.ANNIVERSARY, user.id)] = nine
    return found


def first_days(everybody: Sequence[User]) -> set[MessageKey]:
    """Return what there should be of the days on which people were hired: a row that says why nothing comes."""
    return {
        MessageKey(user.anniversary, Kind.ANNIVERSARY, user.id)
        for user in everybody
        if user.anniversary is not None
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", (1,))
async def test_nobody_is_forgotten_or_greeted_twice_in_two_years_of_accidents(seed: int) -> None:
    chosen = random.Random(seed)
    service = Service(Fate(chosen, chance=0.004))
    everybody = list(people())
    await service.add(everybody)
    now, absences = BEGIN, 0
    while now < END:
        now = await service.look(now)
        if chosen.random() < 0.04:
            now += timedelta(minutes=chosen.randint(1, 60 * chosen.choice((1, 10, 100))))
            service.planned_at = None
            absences += 1
    await service.look(max(now, END))
    rows = {
        key: row for key, row in service.store.committed.messages.items() if FIRST <= key.occasion_on <= LAST
    }
    expected = reckoned(everybody)
    unsent = first_days(everybody)
    assert len(unsent) > 50
    assert rows.keys() == expected.keys() | unsent
    assert not unsent & (expected.keys() | service.arrivals.keys())
    assert {(rows[key].status, rows[key].reason, rows[key].years) for key in unsent} == {
        (Status.SKIPPED, Reason.ZERO_YEARS, 0)
    }
    missed = 0
    for key, due_at in expected.items():
        seen_at = next(at for at in service.seen_through if at >= due_at)
        arrivals = service.arrivals.get(key, [])
        if seen_at < due_at + DAY:
            assert len(arrivals) == 1, (key, arrivals)
            assert due_at <= arrivals[0] <= seen_at
        elif arrivals:
            assert due_at <= arrivals[0] < due_at + DAY
            assert len(arrivals) == 1
        else:
            assert rows[key].status in {Status.EXPIRED, Status.UNKNOWN}
            missed += 1
    assert service.fate.kills > 30
    assert absences > 10
    assert 0 < missed < len(expected) / 5
