"""What hash partitions by person would bring: claim and completion of the same ledger, whole and in partitions.

The service's own statements run on all of them. A partition lives in a schema of its own, under the names that the
statements know, so that a claimer of one shard sees nothing else; whole, several claimers pass by what others have
locked, or ask for a shard by the condition that the statements have already. One client in this process, and nothing
is sent: what is measured is PostgreSQL.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta

import asyncpg
import attrs
from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from adapters.postgres import partitions, statements
from adapters.postgres.database import BY_INDEX, migrate, open_engine, set_clock
from adapters.postgres.invalidations import write_invalidations
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.ledger import ClaimTerms
from application.planning import PlanMessages
from application.ports import ALL_SHARDS, Shard
from benchmarks.database import WRITTEN, Cpu, add_people, database
from benchmarks.hashed import PERSON, make_partitions
from benchmarks.report import Report, Spread, Table
from domain.due import SendPolicy
from domain.events import Event

_NOON = datetime(2027, 3, 13, 12, tzinfo=UTC)
_NINE = datetime(2027, 3, 14, 9, tzinfo=UTC)
_FIRST, _LAST = date(2026, 4, 1), date(2027, 6, 1)
_BATCH = 500
_TERMS = ClaimTerms(lease=timedelta(seconds=15), policy=SendPolicy(), channel="none", repeats=False)
_WHOLE = "whole"
_BY_CONDITION = "whole, by condition"


@attrs.frozen(kw_only=True)
class Plan:
    """How much, how often, and in how many partitions."""

    messages: int = 60_000
    rounds: int = 5
    partitions: tuple[int, ...] = (4, 8)
    claimers: tuple[int, ...] = (1, 2, 4)
    registrations: int = 20_000


QUICK = Plan(messages=10_000, rounds=1, registrations=4_000)


@attrs.frozen
class _Run:
    per_s: float
    claims_ms: Sequence[float]
    postgres_us: float


@attrs.frozen
class _Claimer:
    """A connection, and the shard that it claims of the ledger that it sees."""

    connection: asyncpg.Connection
    shard: Shard

    async def claim(self) -> tuple[date, Sequence[asyncpg.Record]] | None:
        """Return a date and some who are due on it; nothing where nobody is."""
        first = await _carried_out(self.connection, statements.first_due(self.shard), {"claimed": []})
        if not first:
            return None
        on: date = first[0]["occasion_on"]
        claim = statements.claim(_BATCH, self.shard)
        claimed = await _carried_out(self.connection, claim, {**statements.claim_values(_TERMS), "on": on})
        return (on, claimed) if claimed else None

    async def complete(self, on: date, claimed: Sequence[asyncpg.Record]) -> int:
        """Write down as sent what is of one date, of one kind and tried as often."""
        values = {
            "on": on,
            "kind": claimed[0]["kind"],
            "user_id": [row["user_id"] for row in claimed],
            "fence": claimed[0]["fence"],
        }
        statement, arguments = _asked(statements.SETTLE_SENT, values)
        return int((await self.connection.execute(statement, *arguments)).removeprefix("UPDATE "))


async def measure(plan: Plan) -> Report:
    """Let each layout send the same messages in turns, with one, two and more claimers; then register people."""
    found: dict[tuple[str, int], list[_Run]] = {}
    registered: dict[str, list[float]] = {}
    async with database() as url:
        await _prepare(url, plan)
        keeper = await asyncpg.connect(url)
        try:
            for parts in plan.partitions:
                await make_partitions(keeper, parts)
            for round_ in range(plan.rounds):
                for layout, claimers in itertools.product(_layouts(plan), plan.claimers):
                    run = await _run(url, keeper, layout, claimers, plan)
                    found.setdefault((layout, claimers), []).append(run)
                for layout in (_WHOLE, *map(_name, plan.partitions)):
                    took_us = await _register(keeper, layout, plan.registrations, round_)
                    registered.setdefault(layout, []).append(took_us)
        finally:
            await keeper.close()
    return _report(found, registered, plan)


def _layouts(plan: Plan) -> Sequence[str]:
    return (_WHOLE, _BY_CONDITION, *map(_name, plan.partitions))


def _name(parts: int) -> str:
    return f"{parts} partitions"


async def _prepare(url: str, plan: Plan) -> None:
    """Have people, and all their messages planned in a table from which each run starts."""
    engine = open_engine(url)
    await migrate(engine)
    await write_invalidations(engine)
    async with engine.begin() as connection:
        await partitions.add(connection, _FIRST, _LAST)
    await add_people(engine, plan.messages, birthday=(3, 14))
    await set_clock(engine, _NOON, speed=0)
    planned = await PlanMessages(lambda: PostgresUnitOfWork(engine, _tell_nobody), SendPolicy())()
    if planned.scheduled != plan.messages:
        raise RuntimeError(f"{planned.scheduled} messages were planned.")
    await set_clock(engine, _NINE, speed=0)
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE TABLE planned AS SELECT {WRITTEN} FROM messages"))
    await engine.dispose()


async def _tell_nobody(_events: Sequence[Event]) -> None:
    """Let events pass."""


async def _run(url: str, keeper: asyncpg.Connection, layout: str, claimers: int, plan: Plan) -> _Run:
    """Let so many claimers send everything once, each with a fair share of the shards."""
    parts = next((parts for parts in plan.partitions if layout == _name(parts)), 0)
    ledger = f"ledger_{parts}" if parts else "messages"
    await keeper.execute(f"TRUNCATE {ledger}")
    await keeper.execute(f"INSERT INTO {ledger} ({WRITTEN}) SELECT {WRITTEN} FROM planned")
    await keeper.execute(f"VACUUM (ANALYZE) {ledger}")
    await keeper.execute("CHECKPOINT")
    async with AsyncExitStack() as stack:
        lanes: list[list[_Claimer]] = [[] for _ in range(claimers)]
        for number in range(parts or claimers):
            shard = Shard(number, claimers) if layout == _BY_CONDITION else ALL_SHARDS
            path = f"s{parts}_{number}, public" if parts else "public"
            settings = {**BY_INDEX, "timezone": "UTC", "search_path": path}
            connection = await asyncpg.connect(url, server_settings=settings)
            stack.push_async_callback(connection.close)
            lanes[number % claimers].append(_Claimer(connection, shard))
        claims_ms: list[float] = []
        began, cpu = time.perf_counter(), Cpu.now()
        moved = sum(await asyncio.gather(*(_lane(lane, claims_ms) for lane in lanes)))
        passed_s = time.perf_counter() - began
    used_s = Cpu.now().postgres_s - cpu.postgres_s
    if moved != plan.messages:
        raise RuntimeError(f"{layout}: {moved} of {plan.messages} messages were sent.")
    return _Run(moved / passed_s, claims_ms, used_s / moved * 1e6)


async def _lane(claimers: Sequence[_Claimer], claims_ms: list[float]) -> int:
    """Claim of one shard after the other, until none has any; note how long each claim took that brought some."""
    moved, left = 0, list(claimers)
    while left:
        for claimer in tuple(left):
            began = time.perf_counter()
            claimed = await claimer.claim()
            if claimed is None:
                left.remove(claimer)
                continue
            claims_ms.append((time.perf_counter() - began) * 1000)
            moved += await claimer.complete(*claimed)
    return moved


async def _carried_out(
    connection: asyncpg.Connection, statement: TextClause, values: Mapping[str, object]
) -> Sequence[asyncpg.Record]:
    """Carry a statement of the service out without SQLAlchemy, which would take the processor from PostgreSQL."""
    asked, arguments = _asked(statement, values)
    rows: list[asyncpg.Record] = await connection.fetch(asked, *arguments)
    return rows


def _asked(statement: TextClause, values: Mapping[str, object]) -> tuple[str, Sequence[object]]:
    compiled = statement.compile(dialect=dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    return str(compiled), [values[name] for name in compiled.positiontup or ()]


async def _register(keeper: asyncpg.Connection, layout: str, number: int, round_: int) -> float:
    """Return the microseconds that a new person costs in one statement of many, with the address where it is apart."""
    parts = "" if layout == _WHOLE else layout.partition(" ")[0]
    people = f"people_{parts}" if parts else "users"
    new = f"""
        SELECT md5('new {round_} ' || n)::uuid AS id, 'New', 'Person', 'new{round_}-' || n || '@example.com' AS email, 'UTC',
            1990, 5, 1, 1, moment, moment, moment, moment
        FROM generate_series(1, {number}) n, (VALUES (timestamptz '2026-01-01')) AS t (moment)
    """
    began = time.perf_counter()
    async with keeper.transaction():
        await keeper.execute(f"INSERT INTO {people} ({PERSON}) {new}")
        if parts:
            await keeper.execute(f"INSERT INTO addresses_{parts} SELECT email, id FROM ({new}) AS new")
    return (time.perf_counter() - began) / number * 1e6


def _report(
    found: Mapping[tuple[str, int], Sequence[_Run]], registered: Mapping[str, Sequence[float]], plan: Plan
) -> Report:
    rows = []
    for (layout, claimers), runs in found.items():
        claims_ms = sorted(itertools.chain.from_iterable(run.claims_ms for run in runs))
        rows.append(
            [
                f"{layout}, {claimers} claiming",
                Spread.of([run.per_s for run in runs]).shown(),
                f"{claims_ms[len(claims_ms) // 2]:.1f}",
                f"{claims_ms[int(len(claims_ms) * 0.99)]:.1f}",
                Spread.of([run.postgres_us for run in runs]).shown(1),
            ]
        )
    most = max(plan.claimers)
    return Report(
        name="shards",
        title="Hash partitions by person",
        about=(
            f"{plan.messages:,} messages that are due at once are claimed and completed in batches of {_BATCH} by the "
            "service's own statements, over one durable PostgreSQL; nothing is sent. 'Whole' is the ledger as it is; "
            "'by condition' asks it for a shard for each claimer; the others are hash partitions by the person's id, each "
            "in months again, with people, indexes and triggers. "
            f"{plan.rounds} rounds in turns; medians, and the lowest and the highest."
        ),
        tables=[
            (
                "Claim and completion",
                Table(
                    ["", "messages/s", "a claim, p50 ms", "p99 ms", "PostgreSQL, µs of processor each"], rows
                ),
            ),
            (
                f"Registering {plan.registrations:,} people in one transaction; in partitions, addresses apart",
                Table(
                    ["", "µs each"],
                    [[layout, Spread.of(ones).shown(1)] for layout, ones in registered.items()],
                ),
            ),
        ],
        figures={
            f"{layout}, {most} claiming": Spread.of([run.per_s for run in found[layout, most]]).median
            for layout in _layouts(plan)
        },
    )
