"""How much the cache spares the database, which counts its own statements.

95 % reads and 5 % writes; of the reads one in twenty asks for a list of today. People are chosen by Zipf(1.0)
among 100,000. What is measured is the steady state: everybody was read once before.
"""

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
from rich.progress import track

from benchmarks.http_client import Connection
from benchmarks.people import PEOPLE, add_people
from benchmarks.report import Report, Table
from benchmarks.running import Servers, running_servers, running_service

CONNECTIONS = 16
READS = 0.95
LISTS = 0.05
_READS_OF_PEOPLE = "query LIKE 'SELECT%FROM users%WHERE users.deleted_at IS NULL AND users.id = %'"
_LISTS_COMPUTED = "query LIKE '%uuid_send(user_id)%'"
_AIMS = {"user reads": 0.8, "lists computed": 0.8, "all statements": 0.6}


@attrs.frozen
class Load:
    """What was asked of the service, and what the database was asked for that."""

    requests: int
    sources: Counter[str]
    statements: dict[str, int]

    def per_request(self, what: str) -> float:
        return self.statements[what] / self.requests


async def measure(seconds: float) -> Report:
    """Put the same load on the service without its cache and with it."""
    async with running_servers() as servers:
        loads = {cached: await _measure(servers, cached=cached, seconds=seconds) for cached in (False, True)}
    return _report(loads[False], loads[True], seconds)


async def _measure(servers: Servers, *, cached: bool, seconds: float) -> Load:
    database = await asyncpg.connect(servers.database_url)
    try:
        await database.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        async with running_service(servers, cached=cached) as port:
            people = await add_people(database)
            if cached:
                await _warm_up(port, people)
            await database.execute("SELECT pg_stat_statements_reset()")
            sources = await _drive(port, people, seconds)
            counted = await database.fetchrow(
                f"""
                SELECT coalesce(sum(calls) FILTER (WHERE {_READS_OF_PEOPLE}), 0)::int AS "user reads",
                    coalesce(sum(calls) FILTER (WHERE {_LISTS_COMPUTED}), 0)::int AS "lists computed",
                    sum(calls)::int AS "all statements"
                FROM pg_stat_statements WHERE query !~* '^(begin|commit|rollback)'
                """  # noqa: S608  # the parts are our own literals
            )
        return Load(sources.total(), sources, dict(counted))
    finally:
        await database.close()


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
                is_read, body = chance.random() < READS, None
                if not is_read:
                    body = {"lastName": f"Number {chance.randrange(1_000_000)}"}
                asks_for_list = is_read and chance.random() < LISTS
                path = "/birthdays/today" if asks_for_list else f"/users/{person}"
                answer = await connection.request("GET" if is_read else "PUT", path, body)
                if answer.status != HTTPStatus.OK or (body and answer.json()["lastName"] != body["lastName"]):
                    raise RuntimeError(f"The service answered {answer.status}.")
                sources[answer.headers.get("x-cache", "write")] += 1
        connection.close()

    async with asyncio.TaskGroup() as drivers:
        for number in range(CONNECTIONS):
            drivers.create_task(drive(number))
    return sources


def _report(without: Load, cached: Load, seconds: float) -> Report:
    rows = [
        [
            what,
            f"{without.per_request(what):.4f}",
            f"{cached.per_request(what):.4f}",
            f"-{1 - cached.per_request(what) / without.per_request(what):.1%}",
            f"-{aim:.0%}",
        ]
        for what, aim in _AIMS.items()
    ]
    hits = cached.sources["HIT"] / (cached.requests - cached.sources["write"])
    return Report(
        name="database",
        title="What the cache spares the database",
        about=(
            f"{READS:.0%} reads and the rest PUTs, {CONNECTIONS} connections, {seconds:.0f} s each; {LISTS:.0%} of the "
            f"reads ask for `/birthdays/today`. People by Zipf(1.0) among {PEOPLE:,}, everybody read once before. The "
            "statements are those that PostgreSQL counted (`pg_stat_statements`), those of the scheduler, of the "
            f"sweep and of the poll included. {without.requests:,} requests without the cache, {cached.requests:,} "
            f"with it, of whose reads {hits:.1%} were hits."
        ),
        tables=[("", Table(["statements per request", "without", "with", "", "aim"], rows))],
    )
