"""Outcomes on a real PostgreSQL, while others hold some of the people."""

import asyncio
import random
from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions
from adapters.postgres.database import open_engine
from application.deliveries import FailedForGood, Outcome, Sent
from tests.contract.people import on_their_way
from tests.contract.test_postgres import postgres_adapters
from tests.postgres.waiting import until_waiting

pytestmark = pytest.mark.servers

_PEOPLE = 9
_HELD = text("SELECT FROM messages WHERE user_id = :user_id FOR NO KEY UPDATE")
_CHANGED = text("UPDATE messages SET created_at = now() WHERE user_id = :user_id")
_KNOWN = text("ANALYZE messages")  # so small a month is read from end to end, where that is not switched off
_FREE = text("SELECT user_id FROM messages ORDER BY user_id FOR NO KEY UPDATE SKIP LOCKED")


@pytest.mark.parametrize("outcome", (Sent(), FailedForGood("no")), ids=("sent", "failed"))
async def test_outcomes_take_people_by_their_ids_wait_for_who_is_held_and_miss_nobody(
    engine: AsyncEngine, outcome: Outcome
) -> None:
    """Whoever plans people anew takes them in that order as well: neither waits for one whom the other has."""
    scheduler_engine = open_engine(engine.url.render_as_string(hide_password=False), by_index=True)
    adapters = await postgres_adapters(scheduler_engine)
    async with engine.begin() as connection:
        # As it always has several months: for a single one PostgreSQL 18 forgets which ways are switched off.
        await partitions.add(connection, date(2027, 1, 1), date(2027, 6, 1))
    deliveries = await on_their_way(adapters, _PEOPLE)
    ids = sorted(delivery.key.user_id for delivery in deliveries)
    random.shuffle(deliveries)
    held = ids[_PEOPLE // 2]
    async with engine.begin() as connection:
        await connection.execute(_CHANGED, {"user_id": ids[0]})  # so that it stands behind the others
        await connection.execute(_KNOWN)
    async with engine.connect() as connection, engine.connect() as onlooker:
        await connection.execute(_HELD, {"user_id": held})
        settling = asyncio.create_task(adapters.settle(*((delivery, outcome) for delivery in deliveries)))
        await until_waiting(engine)
        free = list(await onlooker.scalars(_FREE))
        await onlooker.rollback()
        await connection.execute(_CHANGED, {"user_id": held})
        await connection.commit()
    assert free == ids[_PEOPLE // 2 + 1 :]
    report = await settling
    assert (sum(report.settled.values()), report.lost) == (_PEOPLE, 0)
    await scheduler_engine.dispose()
