"""A claim on a real PostgreSQL, while others write to what it is about to take."""

import asyncio
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions
from adapters.postgres.database import open_engine
from tests.contract.adapters import START
from tests.contract.people import NINE_IN_BERLIN, born_on_pi_day, message
from tests.contract.test_postgres import postgres_adapters

pytestmark = pytest.mark.servers

# The claim asks for the time after it has begun and before it looks for what is due.
_SLOW_CLOCK = f"""
    CREATE OR REPLACE FUNCTION service_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
    BEGIN PERFORM pg_sleep(0.5); RETURN timestamptz '{NINE_IN_BERLIN.isoformat()}'; END $$
"""
_CLAIMS = 40
_BATCH = 25
_ASLEEP = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")


async def test_what_others_change_while_a_claim_begins_is_claimed_once_as_it_is_then(
    engine: AsyncEngine,
) -> None:
    """The row has moved in its table by then; this claim may miss it, and the next one finds it."""
    adapters = await postgres_adapters(engine)
    ada = born_on_pi_day()
    await adapters.add(ada)
    await adapters.keep(message(ada))
    async with engine.begin() as connection:
        await connection.execute(text(_SLOW_CLOCK))
    claiming = asyncio.create_task(adapters.claim())
    async with engine.connect() as connection:
        for _ in range(500):
            if await connection.scalar(_ASLEEP):
                break
            await connection.rollback()
            await asyncio.sleep(0.01)
        await connection.execute(text("UPDATE messages SET attempt = 4, fence = 6"))
        await connection.commit()
    claimed = [*await claiming, *await adapters.claim()]
    assert [(one.key.user_id, one.attempt, one.fence) for one in claimed] == [(ada.id, 5, 7)]
    assert await adapters.claim() == []


async def test_each_of_two_who_claim_at_once_finds_a_whole_batch_as_long_as_there_is_one(
    engine: AsyncEngine,
) -> None:
    """What another has just taken is passed over; a claim that brought nothing would end a lane too early."""
    scheduler_engine = open_engine(engine.url.render_as_string(hide_password=False), by_index=True)
    adapters = await postgres_adapters(scheduler_engine)
    await adapters.set_now(NINE_IN_BERLIN)
    async with engine.begin() as connection:
        await partitions.add(connection, date(2026, 6, 1), date(2027, 6, 1))
    people = [born_on_pi_day(f"P{number}") for number in range(_CLAIMS * _BATCH)]
    await adapters.add(*people)
    await adapters.keep(*map(message, people))

    async def lane() -> list[int]:
        return [len(await adapters.claim(_BATCH)) for _ in range(_CLAIMS // 2)]

    first, second = await asyncio.gather(lane(), lane())
    assert first == second == [_BATCH] * (_CLAIMS // 2)
    assert await adapters.claim() == []
    await scheduler_engine.dispose()


async def test_who_has_waited_for_longest_comes_first_in_a_batch_too(engine: AsyncEngine) -> None:
    """Nothing sorts a claim: the scheduler's connections have no way that would bring it in another order."""
    scheduler_engine = open_engine(engine.url.render_as_string(hide_password=False), by_index=True)
    adapters = await postgres_adapters(scheduler_engine)
    async with engine.begin() as connection:
        await partitions.add(connection, date(2026, 6, 1), date(2027, 6, 1))
    people = [born_on_pi_day(f"P{number}") for number in range(200)]
    await adapters.add(*people)
    await adapters.keep(
        *(message(user, due_at=START - timedelta(minutes=number)) for number, user in enumerate(people))
    )
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE messages, users"))
    assert [one.key.user_id for one in await adapters.claim()] == [user.id for user in reversed(people)]
    await scheduler_engine.dispose()
