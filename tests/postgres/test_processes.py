"""Which processes there are, and what a check-up reads of a database."""

from datetime import timedelta

import attrs
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.checkup import look_at_database, look_at_ledger
from adapters.postgres.processes import PostgresProcesses
from application.processes import FORGET_AFTER, Process
from tests.contract.adapters import START
from tests.contract.people import person
from tests.contract.test_postgres import postgres_adapters

pytestmark = pytest.mark.servers

FIRST = Process(version="1.0.0", zone_data="2027a")
SECOND = Process(version="1.1.0", zone_data="2027b")


async def let_pass(engine: AsyncEngine, time: timedelta) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE processes SET seen_at = seen_at - CAST(:time AS interval)"), {"time": time}
        )


async def test_who_beats_is_seen_until_they_leave(engine: AsyncEngine) -> None:
    processes = PostgresProcesses(engine)
    await processes.beat(FIRST)
    await let_pass(engine, timedelta(minutes=5))
    await processes.beat(SECOND)
    second, first = await processes.seen()
    assert (second.process, first.process) == (SECOND, FIRST)
    assert timedelta(0) <= second.silent_for < timedelta(minutes=1)
    assert timedelta(minutes=5) <= first.silent_for < timedelta(minutes=6)
    await processes.beat(FIRST)
    assert [one.process for one in await processes.seen()] == [FIRST, SECOND]
    await processes.leave(FIRST)
    await processes.leave(FIRST)
    assert [one.process for one in await processes.seen()] == [SECOND]


async def test_who_was_killed_is_forgotten_after_a_day(engine: AsyncEngine) -> None:
    processes = PostgresProcesses(engine)
    await processes.beat(FIRST)
    await let_pass(engine, FORGET_AFTER - timedelta(minutes=1))
    await processes.beat(SECOND)
    assert len(await processes.seen()) == 2
    await let_pass(engine, timedelta(minutes=2))
    await processes.beat(SECOND)
    assert [one.process for one in await processes.seen()] == [SECOND]


async def test_a_checkup_reads_a_database_of_any_schema(engine: AsyncEngine) -> None:
    facts = await look_at_database(engine)
    assert facts.server_version >= 18
    assert facts.revision == facts.head in facts.known
    assert abs(facts.clock_offset) < timedelta(seconds=1)
    ledger = await look_at_ledger(engine)
    assert (ledger.planned_until, ledger.is_clock_moved, ledger.processes) == (None, False, [])
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    assert (await look_at_database(engine)).revision is None


async def test_a_checkup_names_zones_that_the_zone_data_does_not_have(engine: AsyncEngine) -> None:
    adapters = await postgres_adapters(engine)
    gone = attrs.evolve(person("Gone"), deleted_at=START)
    await adapters.add(person("Here"), gone, *(person(f"P{number}") for number in range(2)))
    assert (await look_at_ledger(engine)).strange_zones == []
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE users SET timezone = 'Mars/' || left(first_name, 1) WHERE first_name <> 'Here'")
        )
    assert (await look_at_ledger(engine)).strange_zones == ["Mars/P"]
