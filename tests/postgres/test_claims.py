"""A claim on a real PostgreSQL, while others write to what it is about to take."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.contract.people import NINE_IN_BERLIN, born_on_pi_day, message
from tests.contract.test_postgres import postgres_adapters

pytestmark = pytest.mark.servers

# The claim asks for the time after it has begun and before it looks for what is due.
_SLOW_CLOCK = f"""
    CREATE OR REPLACE FUNCTION service_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
    BEGIN PERFORM pg_sleep(0.5); RETURN timestamptz '{NINE_IN_BERLIN.isoformat()}'; END $$
"""
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
