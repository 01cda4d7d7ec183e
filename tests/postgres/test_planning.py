"""PlanMessages on a real PostgreSQL: two shards at once, whatever becomes of one of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected, open_engine
from adapters.postgres.partitions import held_months
from adapters.postgres.statements import SHARD_OF_ID
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.errors import StoreUnavailable
from application.ledger import PlanReport
from application.planning import PlanMessages
from application.ports import SHARDS_MAX, Shard
from domain.due import zone_table
from domain.user import User, UserId
from tests.contract.adapters import POLICY, Adapters
from tests.contract.people import BERLIN, PI_DAY, born_on_pi_day
from tests.contract.plan_at_once import last_of_window, planned_until
from tests.contract.test_postgres import postgres_adapters
from tests.postgres.waiting import WAITING, until, until_waiting

pytestmark = pytest.mark.servers

_EVEN, _ODD = (
    [born_on_pi_day(f"P{number}", id=UserId(UUID(int=number))) for number in range(first, 21, 2)]
    for first in (2, 1)
)


@pytest.fixture
async def adapters(engine: AsyncEngine) -> Adapters:
    adapters = await postgres_adapters(engine)
    await adapters.add(*_EVEN, *_ODD)
    return adapters


@pytest.fixture
def plan(adapters: Adapters) -> PlanMessages:
    return PlanMessages(adapters.unit_of_work, POLICY)


async def test_a_shard_that_fails_leaves_the_other_its_work_and_the_bookmark_where_it_was(
    engine: AsyncEngine, adapters: Adapters, plan: PlanMessages
) -> None:
    async with _being_changed(engine, _ODD[3]):
        planning = asyncio.create_task(plan())
        await until_waiting(engine, 1)
        await until(len(_EVEN), lambda: _number_of_messages(adapters, *_EVEN))
        assert await planned_until(adapters) is None
        await _end_one_that_waits(engine)
        with pytest.raises(StoreUnavailable):
            await planning
    assert await adapters.messages_of(*_ODD) == {}
    assert await planned_until(adapters) is None
    assert await plan() == PlanReport(len(_ODD), 0)
    assert await planned_until(adapters) == await last_of_window(adapters)


async def test_a_plan_that_fails_does_so_when_no_shard_is_under_way_any_more(
    engine: AsyncEngine, adapters: Adapters, plan: PlanMessages
) -> None:
    async with _waiting_in_both_shards(engine, plan) as planning:
        await _end_one_that_waits(engine)
        await until_waiting(engine, 1)
        await asyncio.sleep(0.2)
        assert not planning.done()
    with pytest.raises(StoreUnavailable):
        await planning
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await _number_of_messages(adapters, *_EVEN, *_ODD) == len(_EVEN)
    assert await planned_until(adapters) is None


async def test_a_plan_that_is_cancelled_leaves_nothing_running(
    engine: AsyncEngine, adapters: Adapters, plan: PlanMessages
) -> None:
    async with _waiting_in_both_shards(engine, plan) as planning:
        planning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await planning
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await until_waiting(engine, 0)
    assert await adapters.messages_of(*_EVEN, *_ODD) == {}
    assert await planned_until(adapters) is None


async def test_one_connection_is_enough(engine: AsyncEngine, adapters: Adapters) -> None:
    narrow = open_engine(engine.url.render_as_string(hide_password=False), pool_size=1)
    plan = PlanMessages(lambda: PostgresUnitOfWork(narrow, adapters.told), POLICY)
    async with asyncio.timeout(20):
        assert await plan() == PlanReport(len(_EVEN) + len(_ODD), 0)
    await narrow.dispose()


async def test_whoever_plans_another_shard_is_alone_as_well(engine: AsyncEngine, adapters: Adapters) -> None:
    table = zone_table(POLICY, PI_DAY, PI_DAY, [BERLIN])
    async with adapters.unit_of_work() as room:
        await room.messages.prepare(PI_DAY, PI_DAY)
        await room.commit()
    held = []
    async with (
        adapters.unit_of_work() as even,
        adapters.unit_of_work() as odd,
        adapters.unit_of_work() as late,
    ):
        await even.messages.plan(table, POLICY, Shard(0, 2))
        held.append(await _advisory_locks(engine))
        await odd.messages.plan(table, POLICY, Shard(1, 2))
        held.append(await _advisory_locks(engine))
        await even.commit()
        await odd.commit()
        await late.messages.plan(table, POLICY, Shard(0, SHARDS_MAX))
        held.append(await _advisory_locks(engine))
    assert held == [1, 2, 1]


@pytest.mark.parametrize("of", (2, 3, 1000, SHARDS_MAX))
async def test_the_shard_of_an_id_is_the_same_in_sql_and_in_python(engine: AsyncEngine, of: int) -> None:
    ids = [uuid4() for _ in range(200)]
    async with engine.connect() as connection:
        numbers = await connection.execute(
            text(
                f"SELECT i.id, {SHARD_OF_ID.format('i.id')} % {of} FROM unnest(CAST(:ids AS uuid[])) AS i (id)"
            ),
            {"ids": ids},
        )
        assert all(Shard(number, of).holds(UserId(user_id)) for user_id, number in numbers.all())


@asynccontextmanager
async def _being_changed(engine: AsyncEngine, user: User) -> AsyncIterator[None]:
    """Hold the person's row, as who changes them does."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT FROM users WHERE id = :id FOR UPDATE"), {"id": user.id})
        yield


@asynccontextmanager
async def _waiting_in_both_shards(
    engine: AsyncEngine, plan: PlanMessages
) -> AsyncIterator[asyncio.Task[PlanReport]]:
    async with _being_changed(engine, _EVEN[0]), _being_changed(engine, _ODD[0]):
        planning = asyncio.create_task(plan())
        await until_waiting(engine, 2)
        yield planning


async def _number_of_messages(adapters: Adapters, *people: User) -> int:
    return len(await adapters.messages_of(*people))


async def _end_one_that_waits(engine: AsyncEngine) -> None:
    """End a backend, as an administrator or a crash would."""
    async with connected(engine) as connection:
        await connection.execute(text(f"SELECT pg_terminate_backend(pid) {WAITING} LIMIT 1"))


async def _advisory_locks(engine: AsyncEngine) -> int:
    async with connected(engine) as connection:
        return int(
            (
                await connection.execute(
                    text(
                        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                        " (SELECT oid FROM pg_database WHERE datname = current_database())"
                    )
                )
            ).scalar_one()
        )


async def test_there_is_room_for_the_months_to_come(engine: AsyncEngine, adapters: Adapters) -> None:
    """In case the next plan is late: somebody who registers then needs it, and so does a claim."""
    await PlanMessages(adapters.unit_of_work, POLICY)()
    async with connected(engine) as connection:
        months = await held_months(connection)
    assert {date(2027, month, 1) for month in (3, 4, 5, 6)} <= months
