"""Every scenario runs in a world of its own, once on the adapters in memory and once on PostgreSQL."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date, datetime
from functools import cache

import pytest
from sqlalchemy import text

from adapters.clock import MovableClock
from adapters.memory.message_reader import MemoryMessageReader
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from adapters.postgres.database import set_clock
from adapters.postgres.message_reader import PostgresMessageReader
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from application import planning
from application.announcer import Announcer
from domain.due import SendPolicy, ZoneRow, zone_table
from tests.features.words import CITIES
from tests.features.world import START, Adapters, World
from tests.servers import fresh_engine


def pytest_bdd_before_step_call(step_func: Callable[..., object]) -> None:
    """Refuse what would pass without having run."""
    assert not inspect.iscoroutinefunction(step_func), f"{step_func.__name__}: steps are synchronous"
    assert not inspect.isasyncgenfunction(step_func), f"{step_func.__name__}: steps are synchronous"


@asynccontextmanager
async def memory_world() -> AsyncIterator[Adapters]:
    clock = MovableClock(START, speed=0)
    passed_s = 0.0
    store = MemoryStore(clock, monotonic=lambda: passed_s)

    async def set_now(instant: datetime) -> None:
        clock.move_to(instant)

    async def expire_leases() -> None:
        nonlocal passed_s
        passed_s += 86_400

    yield Adapters(
        unit_of_work=lambda: MemoryUnitOfWork(store),
        user_reader=MemoryUserReader(store),
        message_reader=MemoryMessageReader(store),
        set_now=set_now,
        expire_leases=expire_leases,
    )


@asynccontextmanager
async def postgres_world(url: str) -> AsyncIterator[Adapters]:
    async with fresh_engine(url) as engine:

        async def set_now(instant: datetime) -> None:
            await set_clock(engine, instant, speed=0)

        async def expire_leases() -> None:
            async with engine.begin() as connection:
                await connection.execute(
                    text("UPDATE messages SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL")
                )

        await set_now(START)
        yield Adapters(
            unit_of_work=lambda: PostgresUnitOfWork(engine, Announcer()),
            user_reader=PostgresUserReader(engine),
            message_reader=PostgresMessageReader(engine),
            set_now=set_now,
            expire_leases=expire_leases,
        )


@cache
def _zone_table(policy: SendPolicy, first: date, last: date) -> Sequence[ZoneRow]:
    return zone_table(policy, first, last, CITIES.values())


@pytest.fixture(autouse=True)
def _zones_of_cities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reckon with the zones in which people of the features live: with all there are it takes longer than all else."""
    monkeypatch.setattr(planning, "zone_table", _zone_table)


@pytest.fixture(autouse=True, params=("memory", pytest.param("postgres", marks=pytest.mark.servers)))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world on a loop of its own; used by every scenario, so that each runs on all adapters."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        adapters = (
            memory_world()
            if request.param == "memory"
            else postgres_world(request.getfixturevalue("postgres_url"))
        )
        world = World(runner, runner.run(stack.enter_async_context(adapters)))
        try:
            yield world
        finally:
            runner.run(stack.aclose())
