"""The cache's jobs, on the adapters of a demonstration."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import MovableClock
from application.observing import Source
from domain.occasion import AnnualDate, Kind
from domain.user import UserId
from entrypoints.container.families import MemoryAdapters
from entrypoints.container.wiring import Service
from entrypoints.settings import Settings
from tests.contract.people import person

NOON = datetime(2027, 3, 13, 12, tzinfo=UTC)
PI_DAY = date(2027, 3, 14)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """One with Ada, born on 14 March, on the noon before, whose cache is kept true."""
    settings = Settings.from_environment({"BIRTHDAYS_DATA_DIR": str(tmp_path)})
    adapters = MemoryAdapters(settings=settings, clock_start=NOON, clock_speed=0.0)
    service = Service(settings=settings, adapters=adapters)
    adapters.announcer().subscribe(service.cached.at_once())
    stopping = asyncio.Event()
    upkeep = asyncio.create_task(service.cached.upkeep().run(stopping))
    await service.http().register_user(
        {
            "first_name": "Ada",
            "last_name": "L",
            "email": "ada@example.com",
            "timezone": "Europe/London",
            "birthday": "1990-03-14",
        }
    )
    await service.plan_messages()()
    yield service
    stopping.set()
    await asyncio.wait_for(upkeep, 5)


async def first_hit(service: Service, day: date) -> int:
    """Ask for the list of *day* until it comes from the cache; return how many are in it."""
    async with asyncio.timeout(10):
        while True:
            read = await service.http().todays_list(Kind.BIRTHDAY)
            assert read.value.day == day
            if read.source is Source.HIT:
                return read.value.count
            await asyncio.sleep(0.01)


async def test_at_midnight_the_lists_are_replaced_and_nobody_is_shown_yesterdays(service: Service) -> None:
    assert await first_hit(service, NOON.date()) == 0
    clock = service.http().clock
    assert isinstance(clock, MovableClock)
    clock.move_to(NOON + timedelta(hours=12))
    assert await first_hit(service, PI_DAY) == 1


async def test_at_midnight_the_lists_are_there_before_anybody_asks(service: Service) -> None:
    assert await first_hit(service, NOON.date()) == 0
    clock = service.http().clock
    assert isinstance(clock, MovableClock)
    clock.move_to(NOON + timedelta(hours=12))
    await asyncio.sleep(0.3)
    read = await service.http().todays_list(Kind.BIRTHDAY)
    assert (read.source, read.value.day, read.value.count) == (Source.HIT, PI_DAY, 1)


async def test_who_moves_a_birthday_is_on_the_list_at_once(service: Service) -> None:
    assert await first_hit(service, NOON.date()) == 0
    page = await service.http().list_users(None, 1)
    await service.http().change_user(
        UserId(page.items[0].id), {"timezone": "America/Los_Angeles", "birthday": "1990-03-13"}
    )
    assert (await service.http().todays_list(Kind.BIRTHDAY)).value.count == 1


async def test_who_is_planned_late_is_on_the_list_then(service: Service) -> None:
    assert await first_hit(service, NOON.date()) == 0
    async with service.unit_of_work()() as uow:
        await uow.users.add([person(timezone="America/Los_Angeles", birthday=AnnualDate(3, 13, 1990))])
        await uow.commit()
    await asyncio.sleep(0.5)  # the lists are swept, and computed before anybody has planned
    assert await first_hit(service, NOON.date()) == 0
    await service.scheduler().plan_now()
    assert await first_hit(service, NOON.date()) == 1
