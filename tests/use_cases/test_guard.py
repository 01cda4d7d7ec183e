"""The cache is never asked inside a unit of work, wherever from, and always may be outside one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.clock import MovableClock
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.ports import EventHandler, UnitOfWork
from application.transaction_guard import CacheInTransaction, TransactionMark, refuse_in_transaction
from domain.events import Event
from tests.contract.adapters import START
from tests.contract.people import person

Begin = Callable[[EventHandler], UnitOfWork]
Inside = Callable[[], Awaitable[object]]


async def ask_the_cache() -> None:
    """Stand for any method of the cache."""
    await asyncio.sleep(0)
    refuse_in_transaction()


async def ask_in_a_task() -> None:
    await asyncio.create_task(ask_the_cache())


async def ask_in_a_task_group() -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ask_the_cache())
    except* CacheInTransaction as found:
        raise found.exceptions[0] from None


async def ask_in_gather() -> None:
    await asyncio.gather(ask_the_cache(), asyncio.sleep(0))


async def ask_in_a_thread() -> None:
    await asyncio.to_thread(refuse_in_transaction)


async def ask_under_a_timeout() -> None:
    await asyncio.wait_for(ask_in_a_task(), timeout=5)


async def tell_nobody(events: Sequence[Event]) -> None:
    """Let events pass."""


class GuardContract:
    """What the mark of a unit of work reaches, and when it ends."""

    @pytest.mark.parametrize(
        "ask",
        (
            ask_the_cache,
            ask_in_a_task,
            ask_in_a_task_group,
            ask_in_gather,
            ask_in_a_thread,
            ask_under_a_timeout,
        ),
    )
    async def test_inside_it_is_refused_and_afterwards_not(self, begin: Begin, ask: Inside) -> None:
        await ask()
        async with begin(tell_nobody) as uow:
            with pytest.raises(CacheInTransaction):
                await ask()
            async with uow.savepoint():
                with pytest.raises(CacheInTransaction):
                    await ask()
            with pytest.raises(CacheInTransaction):
                await ask()
        await ask()

    async def test_after_the_commit_it_is_allowed_before_the_block_ends(self, begin: Begin) -> None:
        async with begin(tell_nobody) as uow:
            await uow.users.add([person()])
            await uow.commit()
            await ask_in_a_task()
        await ask_in_a_task()

    async def test_who_is_told_of_the_commit_may_ask(self, begin: Begin) -> None:
        asked = list[Sequence[Event]]()

        async def ask(events: Sequence[Event]) -> None:
            await ask_in_a_task_group()
            asked.append(events)

        async with begin(ask) as uow:
            await uow.users.add([person()])
            await uow.commit()
        assert len(asked) == 1

    async def test_others_are_not_caught_by_it(self, begin: Begin) -> None:
        opened, go = asyncio.Event(), asyncio.Event()

        async def elsewhere() -> None:
            await opened.wait()
            await ask_in_a_task()
            go.set()

        async def work() -> None:
            async with begin(tell_nobody):
                opened.set()
                await go.wait()
                with pytest.raises(CacheInTransaction):
                    await ask_the_cache()

        began_before = asyncio.create_task(elsewhere())
        await asyncio.gather(work(), elsewhere())
        await began_before

    async def test_a_task_started_inside_is_free_when_the_unit_of_work_has_ended(self, begin: Begin) -> None:
        ended = asyncio.Event()

        async def outlive() -> None:
            with pytest.raises(CacheInTransaction):
                await ask_the_cache()
            await ended.wait()
            await ask_the_cache()

        async with begin(tell_nobody):
            task = asyncio.create_task(outlive())
            await asyncio.sleep(0.01)
        ended.set()
        await task

    async def test_after_an_exception_it_is_off(self, begin: Begin) -> None:
        with pytest.raises(ZeroDivisionError):
            async with begin(tell_nobody):
                raise ZeroDivisionError
        await ask_the_cache()

    async def test_after_a_cancellation_it_is_off(self, begin: Begin) -> None:
        opened = asyncio.Event()

        async def work() -> None:
            try:
                async with begin(tell_nobody):
                    opened.set()
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                await ask_the_cache()
                raise

        task = asyncio.create_task(work())
        await opened.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ask_the_cache()

    async def test_one_unit_of_work_after_the_other(self, begin: Begin) -> None:
        for _ in range(3):
            async with begin(tell_nobody):
                with pytest.raises(CacheInTransaction):
                    await ask_the_cache()
            await ask_the_cache()


class TestInMemory(GuardContract):
    @pytest.fixture
    def begin(self) -> Begin:
        store = MemoryStore(MovableClock(START, speed=0))
        return lambda handler: MemoryUnitOfWork(store, handler)


@pytest.mark.servers
class TestOnPostgres(GuardContract):
    @pytest.fixture
    def begin(self, engine: AsyncEngine) -> Begin:
        return lambda handler: PostgresUnitOfWork(engine, handler)


def test_an_outer_transaction_still_refuses_after_an_inner_one_has_ended() -> None:
    outer, inner = TransactionMark(), TransactionMark()
    outer.begin()
    inner.begin()
    inner.end()
    with pytest.raises(CacheInTransaction):
        refuse_in_transaction()
    outer.end()
    refuse_in_transaction()
