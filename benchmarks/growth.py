"""What becomes slower when there is more: every route, the plan, the claim and the start over tables that grow.

Ten messages of the last five years for each person. What a hundred-fold table makes a hundred times slower reads
all of it; PostgreSQL's own count of the rows that it has read one after another shows it, too.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from uuid import UUID

import asyncpg
import attrs
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions
from adapters.postgres.database import migrate, open_engine, set_clock
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.dispatch import SendDueMessages
from application.planning import PlanAnew, PlanMessages
from benchmarks.engine import NoChannel
from benchmarks.http_client import Connection
from benchmarks.people import add_people
from benchmarks.processor import resident_mib
from benchmarks.report import Lines, Report, Table
from benchmarks.running import COMMAND, Servers, running_program, running_servers
from domain.due import SendPolicy
from domain.events import Event
from domain.message import RetryPolicy

SIZES = (10_000, 100_000, 1_000_000)
MESSAGES_OF_EACH = 10
_NOON = datetime(2027, 3, 13, 12, tzinfo=UTC)
_DAY = date(2027, 3, 14)
_FIRST_YEAR = 2022
_ASKED = 40
_NOTICEABLE = 2
_SETTINGS = {"BIRTHDAYS_AUTH": "off", "BIRTHDAYS_RETENTION_DAYS": "36600", "BIRTHDAYS_CHANNEL": "console"}
_ADD_MESSAGES = """
    INSERT INTO messages (occasion_on, user_id, kind, status, due_at, expires_at, timezone, wall_time,
        attempt, fence, sent_at, created_at, updated_at)
    SELECT on_date, md5('person ' || n)::uuid, kind, 'SENT', on_date + time '08:00', on_date + time '08:00' + interval '1 d',
        'Europe/Berlin', 'exact', 1, 1, on_date + time '08:00', on_date, on_date
    FROM generate_series($1::int, $2::int) AS n
    CROSS JOIN LATERAL (VALUES ('BIRTHDAY', n % 365), ('ANNIVERSARY', (n * 7 + 31) % 365)) AS k (kind, day)
    CROSS JOIN LATERAL (SELECT make_date($3, 1, 1) + k.day AS on_date) AS d
"""
_READ_IN_SEQUENCE = """
    SELECT sum(seq_tup_read)::bigint FROM pg_stat_user_tables WHERE relname = 'users' OR relname LIKE 'messages%'
"""

_EMAILS = "SELECT email FROM users WHERE id = ANY($1)"

_BYTES = """
    SELECT pg_indexes_size('users')::float / count(*) AS "a person's indexes",
        pg_table_size('users')::float / count(*) AS "a person",
        (SELECT sum(pg_indexes_size(relid))::float / (SELECT count(*) FROM messages)
            FROM pg_partition_tree('messages')) AS "a message's indexes",
        (SELECT sum(pg_table_size(relid))::float / (SELECT count(*) FROM messages)
            FROM pg_partition_tree('messages')) AS "a message"
    FROM users
"""


@attrs.frozen
class Found:
    """For one size: how many milliseconds each thing took, how many rows were read one after another, and room."""

    took_ms: Mapping[str, float]
    read: Mapping[str, int]
    bytes_each: Mapping[str, float]


async def measure(sizes: Sequence[int] = SIZES) -> Report:
    """Let the tables grow, and measure at each size."""
    found: dict[int, Found] = {}
    async with running_servers(shared_buffers="2GB", max_wal_size="8GB") as servers:
        engine = open_engine(servers.database_url)
        await migrate(engine)
        await set_clock(engine, _NOON, speed=1)
        async with engine.begin() as connection:
            await partitions.add(connection, date(_FIRST_YEAR, 1, 1), date(2027, 6, 1))
        database = await asyncpg.connect(servers.database_url)
        try:
            for before, size in itertools.pairwise([0, *sizes]):
                people = await _grow(database, before, size)
                found[size] = await _measure(servers, database, engine, people)
        finally:
            await database.close()
            await engine.dispose()
    return _report(found)


async def _grow(database: asyncpg.Connection, before: int, size: int) -> Sequence[UUID]:
    await database.execute("SET synchronous_commit = off")
    people = await add_people(database, size)
    for year in range(_FIRST_YEAR, _FIRST_YEAR + MESSAGES_OF_EACH // 2):
        await database.execute(_ADD_MESSAGES, before + 1, size, year)
    await database.execute("VACUUM ANALYZE")
    await database.execute("CHECKPOINT")
    while await database.fetchval("SELECT fold_message_counts(100000)"):
        pass
    return people


async def _measure(
    servers: Servers, database: asyncpg.Connection, engine: AsyncEngine, people: Sequence[UUID]
) -> Found:
    took_ms: dict[str, float] = {}
    read: dict[str, int] = {}

    @asynccontextmanager
    async def observed(what: str) -> AsyncIterator[None]:
        before = await _read_in_sequence(database)
        began = time.perf_counter()
        yield
        took_ms.setdefault(what, (time.perf_counter() - began) * 1000)
        read[what] = await _read_in_sequence(database) - before

    began = time.perf_counter()
    before = await _read_in_sequence(database)
    command = [str(COMMAND), "serve", "--clock-start", _NOON.isoformat()]
    async with running_program(command, servers, _SETTINGS) as running:
        took_ms["start"] = (time.perf_counter() - began) * 1000
        read["start"] = await _read_in_sequence(database) - before
        connection = await Connection.open("127.0.0.1", running.port)
        emails = [row[0] for row in await database.fetch(_EMAILS, people[:: len(people) // _ASKED])]
        for what, requests in _routes(people, emails).items():
            async with observed(what):
                took_ms[what] = await _median_ms(connection, requests)
        connection.close()
        took_ms["(MiB of the service)"] = resident_mib(running.process.pid)
    unit_of_work = lambda: PostgresUnitOfWork(engine, _tell_nobody)  # noqa: E731  # a factory
    async with observed("plan a day again"):
        await PlanMessages(unit_of_work, SendPolicy())(_DAY, _DAY)
    await _claim(servers, engine, observed)
    return Found(took_ms, read, dict(await database.fetchrow(_BYTES)))


async def _claim(
    servers: Servers, engine: AsyncEngine, observed: Callable[[str], AbstractAsyncContextManager[None]]
) -> None:
    """Claim and settle a batch of what is due by then; the engine is the scheduler's own."""
    await set_clock(engine, _NOON + timedelta(days=1), speed=1)
    scheduler_engine = open_engine(servers.database_url, pool_size=5, by_index=True)
    unit_of_work = lambda: PostgresUnitOfWork(scheduler_engine, _tell_nobody)  # noqa: E731  # a factory
    send = SendDueMessages(
        unit_of_work,
        NoChannel(batch_size=20),
        RetryPolicy(),
        timedelta(seconds=15),
        PlanAnew(unit_of_work, SendPolicy()),
    )
    await send()  # connects, and makes the plans
    async with observed("claim and settle 20"):
        await send()
    await scheduler_engine.dispose()
    await set_clock(engine, _NOON, speed=1)


def _routes(people: Sequence[UUID], emails: Sequence[str]) -> Mapping[str, Sequence[tuple[str, str, object]]]:
    """Return what is asked for, under the names that the page shows."""
    step = len(people) // (8 * _ASKED)
    chosen = [iter(people[start * step :: 8 * step]) for start in range(8)]

    def some(number: int, path: str) -> list[tuple[str, str, object]]:
        return [("GET", path.format(person), None) for person in itertools.islice(chosen[number], _ASKED)]

    hits = some(0, "/users/{}")
    count = len(people)
    return {
        "GET /users/{id}, not cached": hits,
        "GET /users/{id}, a hit": hits,
        "GET /users?email=": [("GET", f"/users?email={email}", None) for email in emails[:_ASKED]],
        "GET /users, a page of 100": [("GET", "/users?limit=100", None)] * _ASKED,
        "GET /users/{id}/upcoming": some(1, "/users/{}/upcoming"),
        "GET /messages, a page of 100": [("GET", "/messages?limit=100", None)] * _ASKED,
        "GET /messages?status=FAILED": [("GET", "/messages?status=FAILED", None)] * _ASKED,
        "GET /messages?userId=": some(2, "/messages?userId={}"),
        "GET /birthdays/today": [("GET", "/birthdays/today", None)] * _ASKED,
        "GET /scheduler/stats": [("GET", "/scheduler/stats", None)] * _ASKED,
        "GET / (the page)": [("GET", "/", None)] * _ASKED,
        "GET /health/scheduler": [("GET", "/health/scheduler", None)] * _ASKED,
        "PUT /users/{id}, a name": [
            ("PUT", path, {"lastName": f"Changed {count}"}) for _, path, _ in some(3, "/users/{}")
        ],
        "PUT /users/{id}, a birthday": [
            ("PUT", path, {"birthdayDate": f"1980-05-{1 + count % 28:02}"})
            for _, path, _ in some(4, "/users/{}")
        ],
        "POST /users": [
            (
                "POST",
                "/users",
                {
                    "firstName": "New",
                    "lastName": "Comer",
                    "email": f"n{n}.{count}@example.com",
                    "timezone": "UTC",
                    "birthdayDate": "1990-03-14",
                },
            )
            for n in range(_ASKED)
        ],
        "DELETE /users/{id}": [("DELETE", path, None) for _, path, _ in some(5, "/users/{}")],
    }


async def _median_ms(connection: Connection, requests: Sequence[tuple[str, str, object]]) -> float:
    passed = []
    for method, path, body in requests:
        began = time.perf_counter()
        answer = await connection.request(method, path, body, timeout_s=60)
        passed.append((time.perf_counter() - began) * 1000)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}:
            raise RuntimeError(f"{method} {path}: {answer.status}")
    return statistics.median(passed)


async def _read_in_sequence(database: asyncpg.Connection) -> int:
    await asyncio.sleep(1.1)  # backends tell what they have counted once a second
    await database.execute("SELECT pg_stat_clear_snapshot()")
    number: int = await database.fetchval(_READ_IN_SEQUENCE)
    return number


async def _tell_nobody(_events: Sequence[Event]) -> None:
    """Let events pass."""


def _findings(found: Mapping[int, Found]) -> Sequence[str]:
    smallest, largest = min(found), max(found)
    grew = {name: found[largest].took_ms[name] / took for name, took in found[smallest].took_ms.items()}
    slower = [name for name, factor in grew.items() if factor > _NOTICEABLE]
    worst = max(grew, key=grew.__getitem__)
    return (
        f"{largest / smallest:.0f} times as many people make {', '.join(slower) or 'nothing'} more than {_NOTICEABLE} times as slow; what grew most is '{worst}', {grew[worst]:.1f} times.",
        "Each look is by an index, in which a hundred times as many entries are a level more or none; pages and claims have a limit; counts are read as a row for each date and status; months that a look is not about are left out. The start plans the window meanwhile, which is more where more people are.",
        "The few rows that were read in sequence are of tables of a page or two, and of PostgreSQL's own upkeep.",
    )


def _report(found: Mapping[int, Found]) -> Report:
    sizes = list(found)
    names = list(found[sizes[0]].took_ms)
    rows = [
        [
            name,
            *(f"{found[size].took_ms[name]:,.1f}" for size in sizes),
            f"{found[sizes[-1]].took_ms[name] / found[sizes[0]].took_ms[name]:.1f}",
            f"{found[sizes[-1]].read.get(name, 0):,}",
        ]
        for name in names
    ]
    curves = [
        (name, [(size, found[size].took_ms[name]) for size in sizes]) for name in names if "MiB" not in name
    ]
    return Report(
        name="growth",
        title="What grows with the number of people",
        about=(
            f"The same over {', '.join(f'{size:,}' for size in sizes)} people with {MESSAGES_OF_EACH} sent messages "
            f"each. Milliseconds, of routes the median of {_ASKED} requests one after the other; the last column is how "
            "many rows of people and messages PostgreSQL read one after another (by sequential scans) for all of "
            "them at the largest size. The clock stands at a noon at which nothing is due."
        ),
        tables=[
            ("", Table(["", *(f"{size:,}" for size in sizes), "growth", "rows read in sequence"], rows)),
            (
                "Room",
                Table(
                    ["bytes", *(f"{size:,}" for size in sizes)],
                    [
                        [what, *(f"{found[size].bytes_each[what]:,.0f}" for size in sizes)]
                        for what in found[sizes[0]].bytes_each
                    ],
                ),
            ),
        ],
        findings=_findings(found),
        plots=[
            Lines(title="Time by the number of people", across="people", unit="ms", curves=curves),
        ],
        figures={
            **found[sizes[-1]].bytes_each,
            "people": sizes[-1],
            "plan ms": found[sizes[-1]].took_ms["plan a day again"],
        },
    )
