"""How long the plan takes: the busiest day of a million people, and a hundred thousand messages of one instant.

python -m benchmarks.planning [--people 1000000] [--at-once 100000] [--rounds 5]

Beside the limit, in turns: as many finished rows, from one table into another that has the columns, constraints and
indexes of the ledger's month and nothing else. One core copies them, and two work on the plan: where both are free, the
ratio is below what it costs to find out who is owed what, and it may be below 1.
"""

import argparse
import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, date, datetime
from statistics import median
from typing import TypeVar

import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions
from adapters.postgres.database import migrate, open_engine, set_clock
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.planning import PlanMessages
from benchmarks.database import WRITTEN, add_people, database, vacuum
from domain.due import SendPolicy
from domain.events import Event

POLICY = SendPolicy()
_T = TypeVar("_T")


async def _tell_nobody(_events: Sequence[Event]) -> None:
    """Let events pass."""


async def _timed(engine: AsyncEngine, what: str, on: date, rounds: int) -> None:
    """Plan a day, plan it again, and copy its rows, in turns."""
    plan = PlanMessages(lambda: PostgresUnitOfWork(engine, _tell_nobody), POLICY)
    month = f"messages_{on:%Y_%m}"
    took_s: list[Mapping[str, float]] = []
    for _ in range(rounds):
        await _execute(engine, f"TRUNCATE {month}")
        await vacuum(engine)
        first_s, report = await _measured(plan(on, on))
        again_s, _ = await _measured(plan(on, on))
        took_s.append({"first": first_s, "again": again_s, "limit": await _limit(engine, month)})
    first, again, limit = ([one[name] * 1000 for one in took_s] for name in ("first", "again", "limit"))
    ratios = [one / bare for one, bare in zip(first, limit, strict=True)]
    print(
        f"{what}: {report.scheduled:,} messages in {median(first):,.0f} ms ({first[0]:,.0f} in the first round),"
        f" again in {median(again):,.0f} ms\n"
        f"    finished rows into such a table in {median(limit):,.0f} ms, the plan took {median(ratios):.1f} times"
        f" as long ({', '.join(f'{ratio:.1f}' for ratio in ratios)})",
        flush=True,
    )


async def _limit(engine: AsyncEngine, month: str) -> float:
    """Return how many seconds it takes to put the rows of *month* into such a table."""
    await _execute(
        engine,
        "DROP TABLE IF EXISTS bare, finished",
        f"CREATE TABLE bare (LIKE {month} INCLUDING ALL) WITH (fillfactor = {partitions.FILL_PER_CENT})",
        f"CREATE TABLE finished AS SELECT * FROM {month}",
    )
    await vacuum(engine)
    took_s, _ = await _measured(
        _execute(
            engine,
            f"INSERT INTO bare ({WRITTEN}) SELECT {WRITTEN} FROM finished ORDER BY occasion_on, user_id, kind",
        )
    )
    return took_s


async def _measured(doing: Awaitable[_T]) -> tuple[float, _T]:
    began = time.perf_counter()
    done = await doing
    return time.perf_counter() - began, done


async def _execute(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def measure(arguments: argparse.Namespace) -> None:
    async with database() as url:
        engine = open_engine(url)
        await migrate(engine)
        async with engine.begin() as connection:
            await partitions.add(connection, date(2024, 3, 1), date(2027, 6, 1))
        await set_clock(engine, datetime(2027, 3, 13, 12, tzinfo=UTC), speed=0)
        await add_people(engine, arguments.people, birthday=None)
        await vacuum(engine)
        await _timed(engine, f"One day of {arguments.people:,} people", date(2027, 3, 14), arguments.rounds)
        await add_people(engine, arguments.at_once, birthday=(3, 15))
        await vacuum(engine)
        await _timed(
            engine, f"{arguments.at_once:,} more at one instant", date(2027, 3, 15), arguments.rounds
        )
        await engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--at-once", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    uvloop.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
