"""Two who wait for each other: who gives way changed nothing and may repeat it, and an erasure takes its turn."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions
from application.deliveries import Sent
from application.errors import StoreUnavailable
from domain.message import Message
from domain.occasion import Kind
from tests.contract.adapters import START, Adapters
from tests.contract.people import PI_DAY, born_on_pi_day, message
from tests.contract.test_postgres import postgres_adapters
from tests.postgres.waiting import until_waiting

pytestmark = pytest.mark.servers

_DAY_AFTER = PI_DAY + timedelta(days=1)
_PATIENT = text("SET deadlock_timeout = '1min'")
"""PostgreSQL ends whoever has waited for so long: the other one."""
_CHANGED = text("UPDATE messages SET created_at = now() WHERE occasion_on = :on")


async def two_messages(engine: AsyncEngine, adapters: Adapters) -> tuple[Message, Message]:
    """Keep two of one person, of two days of a month; the earlier stands behind the later one."""
    async with engine.begin() as connection:
        await partitions.add(connection, PI_DAY, _DAY_AFTER)
    ada = born_on_pi_day(anniversary=_DAY_AFTER.replace(year=2020))
    first, second = message(ada, due_at=START), message(ada, _DAY_AFTER, Kind.ANNIVERSARY, due_at=START)
    await adapters.add(ada)
    await adapters.keep(second)
    await adapters.keep(first)
    return first, second


async def test_outcomes_that_gave_way_may_be_written_again(engine: AsyncEngine) -> None:
    adapters = await postgres_adapters(engine)
    first, second = await two_messages(engine, adapters)
    deliveries = await adapters.claim()
    assert sorted(delivery.key for delivery in deliveries) == sorted((first.key, second.key))
    outcomes = [(delivery, Sent()) for delivery in deliveries]
    async with engine.connect() as other:
        await other.execute(_PATIENT)
        await other.execute(_CHANGED, {"on": second.key.occasion_on})
        settling = asyncio.create_task(adapters.settle(*outcomes))
        await until_waiting(engine)
        await other.execute(_CHANGED, {"on": first.key.occasion_on})
        with pytest.raises(StoreUnavailable):
            await settling
        await other.commit()
    report = await adapters.settle(*outcomes)
    assert (sum(report.settled.values()), report.lost) == (2, 0)


async def test_a_person_is_erased_in_the_order_in_which_outcomes_are_written(engine: AsyncEngine) -> None:
    adapters = await postgres_adapters(engine)
    first, second = await two_messages(engine, adapters)

    async def erase() -> None:
        async with adapters.unit_of_work() as uow:
            user = await uow.users.get(first.key.user_id)
            assert user is not None
            await uow.users.erase(user)
            await uow.commit()

    async with engine.connect() as other:
        await other.execute(_CHANGED, {"on": first.key.occasion_on})
        erasing = asyncio.create_task(erase())
        await until_waiting(engine)
        await other.execute(_CHANGED, {"on": second.key.occasion_on})
        await other.commit()
    await erasing
    async with engine.connect() as onlooker:
        assert await onlooker.scalar(text("SELECT count(*) FROM messages")) == 0
