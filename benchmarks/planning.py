"""How long the plan takes: the busiest day of a million people, and a hundred thousand messages of one instant.

python -m benchmarks.planning [--people 1000000] [--at-once 100000]

Beside the limit: as many finished rows, from one table into another that has the columns, constraints and indexes of
the ledger's month and nothing else. The ratio is what it costs to find out who is owed what, whatever the machine.
"""

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime

import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions
from adapters.postgres.database import migrate, open_engine, set_clock
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.planning import PlanMessages
from benchmarks.database import add_people, database, vacuum
from domain.due import SendPolicy
from domain.events import Event

POLICY = SendPolicy()


async def _tell_nobody(_events: Sequence[Event]) -> None:
    """Let events pass."""


async def _timed(engine: AsyncEngine, what: str, on: date) -> None:
    plan = PlanMessages(lambda: PostgresUnitOfWork(engine, _tell_nobody), POLICY)
    took_s = []
    for turn in ("first", "again"):
        began = time.perf_counter()
        report = await plan(on, on)
        took_s.append(time.perf_counter() - began)
        print(f"{what}, {turn}: {report.scheduled:>7,} messages in {took_s[-1] * 1000:,.0f} ms", flush=True)
    limit_s = await _limit(engine, on)
    print(
        f"{what}: finished rows into such a table in {limit_s * 1000:,.0f} ms,"
        f" the plan took {took_s[0] / limit_s:.1f} times as long",
        flush=True,
    )


async def _limit(engine: AsyncEngine, on: date) -> float:
    """Return how many seconds it takes to put as many rows into such a table."""
    month = f"messages_{on:%Y_%m}"
    async with engine.begin() as connection:
        for statement in (
            "DROP TABLE IF EXISTS bare, finished",
            f"CREATE TABLE bare (LIKE {month} INCLUDING ALL)",
            f"CREATE TABLE finished AS SELECT * FROM {month} WHERE occasion_on = '{on}'",
        ):
            await connection.execute(text(statement))
    await vacuum(engine)
    began = time.perf_counter()
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO bare SELECT * FROM finished ORDER BY occasion_on, user_id, kind")
        )
    return time.perf_counter() - began


async def measure(arguments: argparse.Namespace) -> None:
    async with database() as url:
        engine = open_engine(url)
        await migrate(engine)
        async with engine.begin() as connection:
            await partitions.add(connection, date(2024, 3, 1), date(2027, 6, 1))
        await set_clock(engine, datetime(2027, 3, 13, 12, tzinfo=UTC), speed=0)
        await add_people(engine, arguments.people, birthday=None)
        await vacuum(engine)
        await _timed(engine, f"One day of {arguments.people:,} people", date(2027, 3, 14))
        await add_people(engine, arguments.at_once, birthday=(3, 15))
        await vacuum(engine)
        await _timed(engine, f"{arguments.at_once:,} more at one instant", date(2027, 3, 15))
        await engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--at-once", type=int, default=100_000)
    uvloop.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
