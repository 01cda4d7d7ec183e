"""How much the cache spares the database: python -m benchmarks.database_load [--seconds 60].

95 % reads and 5 % writes, people chosen by Zipf(1.0) among 100,000; the database counts its own statements.
What is measured is the steady state: everybody was read once before.
"""

import argparse
import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

import asyncpg
import attrs
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.http_client import Connection
from benchmarks.running import Servers, running_servers, running_service

PEOPLE = 100_000
CONNECTIONS = 16
READS = 0.95
_READS_OF_PEOPLE = "query LIKE 'SELECT%FROM users%WHERE users.deleted_at IS NULL AND users.id = %'"

_ADD_PEOPLE = """
    INSERT INTO users (id, first_name, last_name, email, timezone, version,
        created_at, updated_at, birthday_known_at, anniversary_known_at)
    SELECT md5('person ' || n)::uuid, 'Person', 'Number ' || n, 'p' || n || '@example.com',
        'Europe/Berlin', 1, now(), now(), now(), now()
    FROM generate_series(1, $1::int) AS n
"""


@attrs.frozen
class Load:
    """What was asked of the service, and what the database was asked for that."""

    requests: int
    sources: Counter[str]
    reads_of_people: int
    statements: int


async def measure(servers: Servers, *, cached: bool, seconds: float) -> Load:
    """Put load on a service that has been asked for everybody before."""
    database = await asyncpg.connect(servers.database_url)
    try:
        await database.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        async with running_service(servers, cached=cached) as port:
            people = await _people(database)
            if cached:
                await _warm_up(port, people)
            await database.execute("SELECT pg_stat_statements_reset()")
            sources = await _drive(port, people, seconds)
            reads, statements = await database.fetchrow(
                f"""
                SELECT coalesce(sum(calls) FILTER (WHERE {_READS_OF_PEOPLE}), 0)::int, sum(calls)::int
                FROM pg_stat_statements WHERE query !~* '^(begin|commit|rollback)'
                """  # noqa: S608  # the part is our own literal
            )
        return Load(sources.total(), sources, reads, statements)
    finally:
        await database.close()


async def _people(database: asyncpg.Connection) -> Sequence[UUID]:
    if not await database.fetchval("SELECT count(*) FROM users"):
        await database.execute(_ADD_PEOPLE, PEOPLE)
        await database.execute("VACUUM ANALYZE users")
    return [row[0] for row in await database.fetch("SELECT id FROM users ORDER BY id")]


async def _warm_up(port: int, people: Sequence[UUID]) -> None:
    waiting = iter(track(people, "Everybody is read once"))

    async def read() -> None:
        connection = await Connection.open("127.0.0.1", port)
        for person in waiting:
            await connection.request("GET", f"/users/{person}")
        connection.close()

    async with asyncio.TaskGroup() as readers:
        for _ in range(CONNECTIONS):
            readers.create_task(read())


async def _drive(port: int, people: Sequence[UUID], seconds: float) -> Counter[str]:
    sources: Counter[str] = Counter()
    until = time.monotonic() + seconds
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(people) + 1)))

    async def drive(number: int) -> None:
        chance = random.Random(number)  # noqa: S311  # a load, not a secret
        connection = await Connection.open("127.0.0.1", port)
        while time.monotonic() < until:
            for person in chance.choices(people, cum_weights=weights, k=100):
                if chance.random() < READS:
                    answer = await connection.request("GET", f"/users/{person}")
                else:
                    name = f"Number {chance.randrange(1_000_000)}"
                    answer = await connection.request("PUT", f"/users/{person}", {"lastName": name})
                if answer.status != HTTPStatus.OK:
                    raise RuntimeError(f"The service answered {answer.status}.")
                sources[answer.headers.get("x-cache", "write")] += 1
        connection.close()

    async with asyncio.TaskGroup() as drivers:
        for number in range(CONNECTIONS):
            drivers.create_task(drive(number))
    return sources


def _show(loads: dict[str, Load]) -> None:
    table = Table("", "requests", "HIT", "user reads per request", "statements per request")
    for name, load in loads.items():
        hits = load.sources["HIT"] / (load.requests - load.sources["write"])
        table.add_row(
            name,
            f"{load.requests:,}",
            f"{hits:.1%}",
            f"{load.reads_of_people / load.requests:.3f}",
            f"{load.statements / load.requests:.3f}",
        )
    Console().print(table)
    without, cached = loads["without"], loads["with"]
    fewer_reads = 1 - cached.reads_of_people / cached.requests / (without.reads_of_people / without.requests)
    fewer = 1 - cached.statements / cached.requests / (without.statements / without.requests)
    Console().print(f"user reads {fewer_reads:.1%} fewer, all statements {fewer:.1%} fewer")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    chosen = parser.parse_args()
    async with running_servers() as servers:
        loads = {}
        for name, cached in (("without", False), ("with", True)):
            Console().print(f"{name} the cache: {chosen.seconds:.0f} s ...")
            loads[name] = await measure(servers, cached=cached, seconds=chosen.seconds)
    _show(loads)


if __name__ == "__main__":
    asyncio.run(main())
