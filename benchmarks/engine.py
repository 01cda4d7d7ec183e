"""How many messages a second the engine moves: claim, no-op channel, completion; beside raw statements.

    python -m benchmarks.engine [--messages 60000] [--rounds 3] [--months 36] [--only engine raw] [--profile]

Where it is installed (the extra 'peers'), PgQueuer takes its turn as well, with four sizes of its batches. All in
one Python process over a durable PostgreSQL on the same machine, the engine with its fences, leases, triggers and
indexes. The rounds of the rivals are interleaved: read the ratios, machines differ. A minute of the engine alone is
--messages 2600000 --rounds 1 --only engine.
"""

import argparse
import asyncio
import cProfile
import importlib.util
import pstats
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import attrs
import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions
from adapters.postgres.database import migrate, open_engine, set_clock
from adapters.postgres.invalidations import write_invalidations
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.deliveries import Delivery, DeliveryChannel, Outcome, Sent
from application.dispatch import SendDueMessages
from application.planning import PlanAnew, PlanMessages
from benchmarks.database import Cpu, add_people, database, show_cpu, vacuum
from domain.due import SendPolicy
from domain.events import Event
from domain.message import RetryPolicy
from entrypoints.cli.serve import spare_collector

NOON = datetime(2027, 3, 13, 12, tzinfo=UTC)
NINE = datetime(2027, 3, 14, 9, tzinfo=UTC)
POLICY = SendPolicy()

Run = Callable[[], Awaitable[float]]


@attrs.frozen
class NoChannel(DeliveryChannel):
    """Takes everything over at once."""

    name: str = "none"
    deduplicates: bool = True
    reaches_people: bool = False
    batch_size: int = 2000

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [Sent()] * len(deliveries)

    async def trouble(self) -> str | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""


async def _tell_nobody(_events: Sequence[Event]) -> None:
    """Let events pass."""


@attrs.frozen
class Ours:
    """The engine as it runs in the service."""

    engine: AsyncEngine
    scheduler_engine: AsyncEngine
    messages: int
    months: int
    lanes: int

    async def open(self) -> None:
        await migrate(self.engine)
        await write_invalidations(self.engine)
        async with self.engine.begin() as connection:
            await partitions.add(
                connection, date(2027, 3, 1) - timedelta(days=30 * self.months), date(2027, 6, 1)
            )
        await add_people(self.engine, self.messages, birthday=(3, 14))

    async def run(self) -> float:
        """Plan everybody, let it be nine o'clock, and measure how long it takes until all are sent."""
        async with self.engine.begin() as connection:
            await connection.execute(text("TRUNCATE messages"))
        await set_clock(self.engine, NOON, speed=0)
        unit_of_work = lambda: PostgresUnitOfWork(self.scheduler_engine, _tell_nobody)  # noqa: E731  # a factory
        plan = PlanMessages(lambda: PostgresUnitOfWork(self.engine, _tell_nobody), POLICY)
        assert (await plan()).scheduled == self.messages
        await set_clock(self.engine, NINE, speed=0)
        await vacuum(self.engine)
        send = SendDueMessages(
            unit_of_work, NoChannel(), RetryPolicy(), timedelta(seconds=15), PlanAnew(unit_of_work, POLICY)
        )

        async def lane() -> int:
            sent = 0
            while (report := await send()).claimed:
                sent += sum(report.settled.values())
            return sent

        began, cpu = time.perf_counter(), Cpu.now()
        sent = sum(await asyncio.gather(*(lane() for _ in range(self.lanes))))
        passed_s = time.perf_counter() - began
        show_cpu(cpu, sent)
        assert sent == self.messages, sent
        return self.messages / passed_s


@attrs.frozen
class Raw:
    """The limit: two statements over asyncpg, on a table that has nothing but a queue's columns."""

    url: str
    messages: int
    batch: int = 500

    async def run(self) -> float:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute("DROP TABLE IF EXISTS raw")
            await connection.execute("""
                CREATE TABLE raw (id uuid PRIMARY KEY, status text NOT NULL, due_at timestamptz NOT NULL,
                    lease_until timestamptz, fence bigint NOT NULL DEFAULT 0, name text NOT NULL)
            """)
            await connection.execute("CREATE INDEX raw_due ON raw (due_at) WHERE status = 'SCHEDULED'")
            await connection.copy_records_to_table(
                "raw",
                columns=["id", "status", "due_at", "name"],
                records=[
                    (uuid.uuid4(), "SCHEDULED", NINE - timedelta(days=365), "Ada")
                    for _ in range(self.messages)
                ],
            )
            await connection.execute("VACUUM (ANALYZE) raw")
            await connection.execute("CHECKPOINT")
            began, cpu, moved = time.perf_counter(), Cpu.now(), 0
            while rows := await connection.fetch(f"""
                WITH due AS MATERIALIZED (
                    SELECT id FROM raw WHERE status = 'SCHEDULED' AND due_at <= clock_timestamp()
                    ORDER BY due_at LIMIT {self.batch} FOR UPDATE SKIP LOCKED
                )
                UPDATE raw r SET status = 'SENDING', fence = fence + 1,
                    lease_until = clock_timestamp() + interval '15 s'
                FROM due d WHERE r.id = d.id RETURNING r.id, r.fence, r.name
            """):
                await connection.execute(
                    """
                    UPDATE raw r SET status = 'SENT', lease_until = NULL
                    FROM unnest($1::uuid[], $2::bigint[]) AS o (id, fence)
                    WHERE r.id = o.id AND r.fence = o.fence AND r.status = 'SENDING'
                    """,
                    [row["id"] for row in rows],
                    [row["fence"] for row in rows],
                )
                moved += len(rows)
            passed_s = time.perf_counter() - began
            show_cpu(cpu, moved)
        finally:
            await connection.close()
        assert moved == self.messages
        return self.messages / passed_s


async def measure(arguments: argparse.Namespace) -> None:
    async with database() as url:
        engine = open_engine(url)
        ours = Ours(
            engine,
            open_engine(url, pool_size=5, by_index=True),
            arguments.messages,
            arguments.months,
            arguments.lanes,
        )
        await ours.open()
        # As in the service once it has started; its rivals have the good of it as well.
        spare_collector()
        rivals: dict[str, Run] = {"engine": ours.run, "raw statements": Raw(url, arguments.messages).run}
        if importlib.util.find_spec("pgqueuer"):
            from benchmarks.pgqueuer_peer import Peer  # noqa: PLC0415  # it is installed only where it is judged

            rivals |= {
                f"PgQueuer, {batch}": Peer(url, arguments.messages, batch).run
                for batch in (100, 500, 1000, 2000)
            }
        rivals = {
            name: run
            for name, run in rivals.items()
            if not arguments.only or name.split()[0] in arguments.only
        }
        found: dict[str, list[float]] = {name: [] for name in rivals}
        for _ in range(arguments.rounds):
            for name, run in rivals.items():
                profile = cProfile.Profile() if arguments.profile and name == "engine" else None
                if profile:
                    profile.enable()
                found[name].append(await run())
                if profile:
                    profile.disable()
                    pstats.Stats(profile).sort_stats("tottime").print_stats(25)
                rate = found[name][-1]
                print(
                    f"{name:20} {rate:>9,.0f} messages/s, for {arguments.messages / rate:.1f} s", flush=True
                )
        await ours.scheduler_engine.dispose()
        await engine.dispose()
    raw = statistics.median(found["raw statements"]) if "raw statements" in found else None
    for name, rates in found.items():
        middle = statistics.median(rates)
        beside = "" if raw is None else f", {middle / raw:.2f} of raw statements"
        print(f"{name:20} median {middle:>9,.0f} messages/s{beside}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--months", type=int, default=36, help="months of the past that the ledger holds")
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="first words of the rivals that run; all by default")
    parser.add_argument("--profile", action="store_true")
    uvloop.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
