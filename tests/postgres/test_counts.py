"""The counts are those of the ledger, whatever is done to it by whom, and cost no look at it."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.database import set_clock
from adapters.postgres.message_counts import COUNTS, PostgresMessageCounts
from adapters.postgres.message_reader import PostgresMessageReader
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.deliveries import FailedForGood, Sent
from domain.message import RetryPolicy, Status
from tests.contract.adapters import START, TERMS, Recorder
from tests.contract.people import message, person
from tests.servers import fresh_engine

pytestmark = pytest.mark.servers

TRUTH = text("SELECT status, count(*) FROM messages GROUP BY status")
PARTITIONS = {
    "messages_2027_01": ("2027-01-01", "2027-02-01"),
    "messages_2027_02": ("2027-02-01", "2027-03-01"),
    "messages_2027_03": ("2027-03-01", "2027-04-01"),
}
NAMES = tuple(PARTITIONS)
STATUSES = tuple(str(status) for status in Status)
_ROW = """
    (occasion_on, user_id, kind, status, due_at, expires_at, timezone, wall_time, created_at, updated_at)
    SELECT DATE '{first}' + n % 28, lpad(to_hex(n % 40), 32, '0')::uuid, 'BIRTHDAY', '{status}',
        now(), now(), 'UTC', 'exact', now(), now()
    FROM generate_series({number}, {number} + 9) n
"""


async def counted(connection: AsyncConnection) -> dict[str, int]:
    return {row[0]: row[1] for row in await connection.execute(COUNTS)}


async def true(connection: AsyncConnection) -> dict[str, int]:
    return {row[0]: row[1] for row in await connection.execute(TRUTH)}


async def make_partitions(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for name, (first, until) in PARTITIONS.items():
            await connection.execute(
                text(f"CREATE TABLE {name} PARTITION OF messages FOR VALUES FROM ('{first}') TO ('{until}')")
            )


async def fold(engine: AsyncEngine, limit: int = 100_000) -> int:
    return await PostgresMessageCounts(engine).fold(limit)


@attrs.frozen
class Step:
    """Something that is done to the ledger, to a partition of it by name, or to its partitions."""

    what: str
    partition: str
    status: str
    number: int

    def statement(self) -> str:
        first, until = PARTITIONS[self.partition]
        row = _ROW.format(first=first, status=self.status, number=self.number)
        own, some = f"extract(day FROM occasion_on)::int % 3 = {self.number % 3}", f"'{self.status}'"
        return {
            "add": f"INSERT INTO messages {row} ON CONFLICT DO NOTHING",
            "add by name": f"INSERT INTO {self.partition} {row} ON CONFLICT DO NOTHING",
            "put": f"INSERT INTO messages {row} ON CONFLICT (occasion_on, user_id, kind) DO UPDATE SET status = 'SENT'",
            "change": f"UPDATE messages SET status = {some} WHERE {own}",
            "change by name": f"UPDATE {self.partition} SET status = {some} WHERE {own}",
            "touch": f"UPDATE messages SET fence = fence + 1 WHERE {own}",
            "move": f"""
                UPDATE messages SET occasion_on = '{first}', user_id = gen_random_uuid(), status = {some}
                WHERE {own}
            """,
            "remove": f"DELETE FROM messages WHERE status = {some}",
            "remove by name": f"DELETE FROM {self.partition} WHERE {own}",
            "empty": "TRUNCATE messages",
            "empty by name": f"TRUNCATE {self.partition}",
            "detach": f"ALTER TABLE messages DETACH PARTITION {self.partition}",
            "attach": f"ALTER TABLE messages ATTACH PARTITION {self.partition} FOR VALUES FROM ('{first}') TO ('{until}')",
            "drop": f"DROP TABLE {self.partition}",
            "create": f"CREATE TABLE {self.partition} PARTITION OF messages FOR VALUES FROM ('{first}') TO ('{until}')",
        }[self.what]


WITH_THE_LEDGER = ("add", "put", "change", "touch", "move", "remove", "empty")
BY_NAME = ("add by name", "change by name", "remove by name", "empty by name")
steps = st.builds(
    Step,
    st.sampled_from((*WITH_THE_LEDGER, "add", "add", *BY_NAME)),
    st.sampled_from(NAMES),
    st.sampled_from(STATUSES),
    st.integers(0, 30),
)
moves = st.builds(
    Step,
    st.sampled_from(("detach", "attach", "drop", "create")),
    st.sampled_from(NAMES),
    st.just("SENT"),
    st.just(0),
)
ends = st.sampled_from(("commit", "commit", "roll back", "roll back to a savepoint"))
lives = st.lists(
    st.one_of(
        st.tuples(st.lists(steps, min_size=1, max_size=4), ends),
        st.tuples(st.lists(moves, min_size=1, max_size=1), st.just("commit")),
        st.tuples(st.just([]), st.just("fold")),
    ),
    max_size=14,
)


@attrs.define
class Life:
    """What is done to a ledger, and which of its partitions are attached, detached, and known to be counted."""

    engine: AsyncEngine
    attached: set[str] = attrs.field(factory=lambda: set(NAMES))
    detached: set[str] = attrs.field(factory=set)
    is_sure: bool = True
    """False from when a partition has come, and may have come back, until the next fold."""

    async def begin(self) -> None:
        async with self.engine.begin() as connection:
            held = set(
                await connection.scalars(text("SELECT partition::regclass::text FROM attached_partitions"))
            )
            for name in set(NAMES) - held:
                await connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
                await connection.execute(text(Step("create", name, "SENT", 0).statement()))
            await connection.execute(text("TRUNCATE messages"))
        await fold(self.engine)

    async def live(self, doings: Sequence[tuple[Sequence[Step], str]]) -> None:
        for taken, end in doings:
            if end == "fold":
                await fold(self.engine)
                self.is_sure = True
            else:
                async with self.engine.connect() as connection:
                    await self._do(connection, [one for one in taken if self._is_possible(one)], end)
            async with self.engine.connect() as connection:
                if self.is_sure:
                    assert await counted(connection) == await true(connection)
        await fold(self.engine)
        async with self.engine.connect() as connection:
            assert await counted(connection) == await true(connection)
            assert await connection.scalar(text("SELECT count(*) FROM message_count_changes")) == 0

    def _is_possible(self, step: Step) -> bool:
        match step.what:
            case "attach":
                return step.partition in self.detached
            case "create":
                return step.partition not in self.attached | self.detached
            case "add" | "put" | "move":
                return step.partition in self.attached
            case "empty" | "change" | "touch" | "remove":
                return True
            case "detach":
                return step.partition in self.attached
            case _:
                return step.partition in self.attached | self.detached

    async def _do(self, connection: AsyncConnection, taken: Sequence[Step], end: str) -> None:
        if end == "roll back to a savepoint":
            if NAMES[0] in self.attached:
                await connection.execute(text(Step("add", NAMES[0], "SENT", 1).statement()))
            point = await connection.begin_nested()
        for step in taken:
            await connection.execute(text(step.statement()))
            self._note(step)
        if end == "roll back to a savepoint":
            await point.rollback()
        if end == "roll back":
            await connection.rollback()
        else:
            await connection.commit()

    def _note(self, step: Step) -> None:
        if step.what == "detach":
            self.attached.discard(step.partition)
            self.detached.add(step.partition)
        if step.what == "drop":
            self.attached.discard(step.partition)
            self.detached.discard(step.partition)
        if step.what in {"attach", "create"}:
            self.detached.discard(step.partition)
            self.attached.add(step.partition)
            self.is_sure = False


def test_counts_are_those_of_the_ledger_whatever_is_done_to_it(postgres_url: str) -> None:
    with asyncio.Runner() as runner:
        opened = fresh_engine(postgres_url)
        engine = runner.run(opened.__aenter__())

        @settings(max_examples=60)
        @given(lives)
        def live(doings: list[tuple[list[Step], str]]) -> None:
            async def one() -> None:
                life = Life(engine)
                await life.begin()
                await life.live(doings)

            runner.run(one())

        try:
            live()
        finally:
            runner.run(opened.__aexit__(None, None, None))


@asynccontextmanager
async def one_snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        yield connection


async def test_counts_are_those_of_the_ledger_in_every_snapshot_while_many_change_it(
    engine: AsyncEngine,
) -> None:
    await set_clock(engine, START, speed=0)
    await make_partitions(engine)
    people = [person(f"P{number}") for number in range(400)]
    async with PostgresUnitOfWork(engine, Recorder()) as uow:
        await uow.users.add(people)
        await uow.messages.save([message(user, due_at=START) for user in people])
        await uow.commit()
    stopping = asyncio.Event()

    async def send(chance: random.Random) -> None:
        for _ in range(15):
            async with PostgresUnitOfWork(engine, Recorder()) as uow:
                claim = await uow.messages.claim(20, TERMS)
                if chance.random() < 0.8:
                    await uow.commit()
                else:
                    continue
            async with PostgresUnitOfWork(engine, Recorder()) as uow:
                await uow.messages.settle(
                    [(one, chance.choice((Sent(), FailedForGood("no")))) for one in claim.deliveries],
                    RetryPolicy(),
                    TERMS.channel,
                )
                await uow.commit()

    async def meddle(chance: random.Random) -> None:
        for _ in range(25):
            step = Step(
                chance.choice(("add", "put", "add by name")),
                chance.choice(NAMES),
                "SKIPPED",
                chance.randrange(30),
            )
            async with engine.connect() as connection:
                await connection.execute(text(step.statement()))
                await asyncio.sleep(0)
                await (connection.commit() if chance.random() < 0.7 else connection.rollback())

    async def fold_often() -> None:
        while not stopping.is_set():
            await fold(engine, limit=3)
            await asyncio.sleep(0.001)

    async def look() -> int:
        looks = 0
        while not stopping.is_set():
            async with one_snapshot(engine) as connection:
                assert await counted(connection) == await true(connection)
            looks += 1
        return looks

    folding = [asyncio.create_task(fold_often()) for _ in range(2)]
    looking = asyncio.create_task(look())
    try:
        await asyncio.gather(
            *(send(random.Random(number)) for number in range(3)),
            *(meddle(random.Random(number)) for number in (7, 8)),
        )
    finally:
        stopping.set()
        await asyncio.wait([*folding, looking])
    assert await looking > 5
    async with engine.connect() as connection:
        found = await true(connection)
        assert found["SENT"] > 50
        assert await counted(connection) == found


async def test_a_new_partition_is_counted_while_its_messages_are_being_sent(engine: AsyncEngine) -> None:
    """To see it, and to hear of statements that name it, needs a lock that is waited for a moment only."""
    await make_partitions(engine)
    add = text(Step("add", NAMES[0], "SENT", 1).statement())
    async with engine.connect() as connection:
        await connection.execute(add)
        await asyncio.wait_for(fold(engine), 5)
        await connection.commit()
        assert await counted(connection) == {"SENT": 10}
        assert await connection.scalar(text("SELECT count(*) FROM counted_partitions")) < len(NAMES)
    await fold(engine)
    async with engine.connect() as connection:
        assert await counted(connection) == {"SENT": 10}
        assert await connection.scalar(text("SELECT count(*) FROM counted_partitions")) == len(NAMES)


async def test_what_is_detached_or_dropped_does_not_count_from_that_commit_on(engine: AsyncEngine) -> None:
    await make_partitions(engine)
    await fold(engine)
    async with engine.begin() as connection:
        for number, name in enumerate(NAMES):
            await connection.execute(text(Step("add", name, STATUSES[number], 1).statement()))
    for folded_before in (True, False):
        if folded_before:
            await fold(engine)
        async with engine.begin() as connection:
            name = NAMES[0] if folded_before else NAMES[1]
            await connection.execute(
                text(Step("drop" if folded_before else "detach", name, "SENT", 0).statement())
            )
            assert await counted(connection) == await true(connection)
    async with engine.begin() as connection:
        assert await counted(connection) == {STATUSES[2]: 10}


async def test_what_is_done_to_a_partition_that_was_detached_does_not_count_until_it_is_back(
    engine: AsyncEngine,
) -> None:
    await make_partitions(engine)
    for what in ("add", "detach", "add by name"):
        await fold(engine)
        async with engine.begin() as connection:
            await connection.execute(text(Step(what, NAMES[0], "SENT", len(what)).statement()))
            assert await counted(connection) == await true(connection)
    async with engine.begin() as connection:
        await connection.execute(text(Step("attach", NAMES[0], "SENT", 0).statement()))
    await fold(engine)
    async with engine.begin() as connection:
        assert await counted(connection) == await true(connection) == {"SENT": 18}


async def test_folding_is_bounded_and_changes_nothing_that_is_seen(engine: AsyncEngine) -> None:
    await make_partitions(engine)
    await fold(engine)
    async with engine.begin() as connection:
        for name in NAMES:
            await connection.execute(text(Step("add", name, "SENT", 1).statement()))
        seen = await counted(connection)
    assert seen == {"SENT": 30}
    assert [await fold(engine, limit=12) for _ in range(4)] == [12, 12, 6, 0]
    async with engine.connect() as connection:
        assert await counted(connection) == seen
        days = await connection.scalar(text("SELECT count(DISTINCT occasion_on) FROM messages"))
        assert await connection.scalar(text("SELECT count(*) FROM message_counts")) == days


async def test_a_look_at_the_counts_is_none_at_the_messages(engine: AsyncEngine) -> None:
    await make_partitions(engine)
    await fold(engine)
    async with engine.begin() as connection:
        await connection.execute(
            text(f"""
                INSERT INTO messages {_ROW.format(first="2027-01-01", status="SENT", number=0).split("SELECT")[0]}
                SELECT DATE '2027-01-01' + n % 84, gen_random_uuid(), 'BIRTHDAY', 'SENT', now(), now(), 'UTC',
                    'exact', now(), now()
                FROM generate_series(1, 50000) n
            """)
        )
    await fold(engine)
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE"))
        [[found]] = await connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {COUNTS.text}"))
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    read: Counter[str] = Counter()
    for node in nodes(plan):
        if "Relation Name" in node:
            read[node["Relation Name"]] += int(node["Actual Rows"] * node["Actual Loops"])
    assert read.keys() == {"message_counts", "message_count_changes", "counted_partitions", "pg_inherits"}
    assert read["message_counts"] == 84, "one for each day and status"
    assert sum(read.values()) < 100
    assert await PostgresMessageReader(engine).counts() == {Status.SENT: 50_000}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def test_counts_that_somebody_has_spoilt_are_counted_anew_on_request(engine: AsyncEngine) -> None:
    await make_partitions(engine)
    async with engine.begin() as connection:
        await connection.execute(text(Step("add", NAMES[1], "SENT", 1).statement()))
        await connection.execute(text("UPDATE message_counts SET messages = 77"))
        await connection.execute(text("INSERT INTO message_counts VALUES ('2027-02-05', 'FAILED', 7)"))
        await connection.execute(text("UPDATE counted_partitions SET is_to_recount = true"))
    await fold(engine)
    async with engine.begin() as connection:
        assert await counted(connection) == {"SENT": 10}
        # A session that plays a replica hears as little of triggers as it can.
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE messages SET status = 'FAILED'"))
        assert await counted(connection) == {"FAILED": 10}
