"""The outbox catches what is changed by hand, in bulk, in long transactions, and by a process that dies."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres import invalidations
from adapters.postgres.database import set_clock
from adapters.postgres.invalidations import PostgresInvalidationLog, write_invalidations
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.cache_ports import Place
from application.errors import StoreUnavailable
from application.invalidation import email_reference_key
from tests.contract.adapters import START, Recorder
from tests.contract.invalidation_keys import Outbox, user_key
from tests.contract.people import born_on_pi_day, message, person

pytestmark = pytest.mark.servers

LISTS = {"birthdays:today:v1": 0, "anniversaries:today:v1": 0}
STATISTICS = {"scheduler:stats:v1": 0}


@pytest.fixture
async def outbox(engine: AsyncEngine) -> Outbox:
    await set_clock(engine, START, speed=0)
    await write_invalidations(engine)
    outbox = Outbox(PostgresInvalidationLog(engine), lambda: PostgresUnitOfWork(engine, Recorder()))
    await outbox.settle()
    return outbox


@asynccontextmanager
async def by_hand(engine: AsyncEngine) -> AsyncIterator[Any]:
    """Lend a connection that knows nothing of this service."""
    url = make_url(engine.url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        yield connection
    finally:
        await connection.close()


async def do(engine: AsyncEngine, *statements: str) -> None:
    async with by_hand(engine) as connection, connection.transaction():
        for statement in statements:
            await connection.execute(statement)


def of(address: str) -> dict[str, int]:
    return {email_reference_key(address): 0}


@pytest.mark.parametrize(
    ("statement", "keys"),
    (
        ("UPDATE users SET first_name = 'Augusta'", {"user": 2, **of("a@x.org")}),
        ("UPDATE users SET first_name = 'Augusta', version = version + 4", {"user": 5, **of("a@x.org")}),
        ("UPDATE users SET version = version - 1", {"user": 2, **of("a@x.org")}),
        ("UPDATE users SET email = 'B@x.org'", {"user": 2, **of("a@x.org"), **of("b@x.org")}),
        ("UPDATE users SET timezone = 'UTC'", {"user": 2, **of("a@x.org"), **LISTS}),
        ("UPDATE users SET leap_day_rule = 'mar1'", {"user": 2, **of("a@x.org"), **LISTS}),
        ("UPDATE users SET deleted_at = now()", {"user": 2, **of("a@x.org"), **LISTS}),
        ("DELETE FROM users", {"user": 0, **of("a@x.org"), **LISTS}),
        ("UPDATE users SET first_name = first_name, version = version", {}),
        ("UPDATE users SET first_name = 'Augusta' WHERE false", {}),
    ),
)
async def test_what_is_changed_by_hand_is_caught(
    engine: AsyncEngine, outbox: Outbox, statement: str, keys: dict[str, int]
) -> None:
    ada = born_on_pi_day(email="A@x.org")
    await outbox.known(ada)
    await do(engine, statement)
    assert await outbox.pending() == {user_key(ada) if key == "user" else key: keys[key] for key in keys}


async def test_another_id_by_hand_concerns_both(engine: AsyncEngine, outbox: Outbox) -> None:
    ada, bob = person("Ada"), person("Bob")
    await outbox.known(ada)
    await do(engine, f"UPDATE users SET id = '{bob.id}', version = 9")
    assert {user_key(ada): 0, user_key(bob): 0}.items() <= (await outbox.pending()).items()


async def test_who_may_change_people_need_not_know_of_the_outbox(engine: AsyncEngine, outbox: Outbox) -> None:
    ada = person()
    await outbox.known(ada)
    await do(engine, "CREATE ROLE clerk", "GRANT SELECT, UPDATE ON users TO clerk")
    try:
        statements = ("SET ROLE clerk", "SET search_path = ''", "UPDATE public.users SET last_name = 'King'")
        await do(engine, *statements)
    finally:
        await do(engine, "DROP OWNED BY clerk", "DROP ROLE clerk")
    assert user_key(ada) in await outbox.pending()


async def test_the_ledger_by_hand_writes_its_key_once_if_anything_changed(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    ada, bob = person("Ada"), person("Bob")
    await outbox.known(ada, bob)
    async with outbox.unit_of_work() as uow:
        await uow.messages.prepare(START.date(), START.date())
        await uow.messages.save([message(ada), message(bob)])
        await uow.commit()
    await outbox.settle()
    await do(engine, "UPDATE messages SET attempt = 1 WHERE false", "DELETE FROM messages WHERE false")
    assert await outbox.pending() == {}
    await do(engine, "UPDATE messages SET attempt = 1", "UPDATE messages SET attempt = 2")
    assert (await outbox.poll()).pending == 1
    await outbox.settle()
    for statement in ("DELETE FROM messages", "TRUNCATE messages"):
        await do(engine, statement)
        assert await outbox.pending() == STATISTICS
        await outbox.settle()


async def test_a_savepoint_that_is_rolled_back_does_not_hide_what_comes_after_it(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    ada, bob = born_on_pi_day("Ada"), born_on_pi_day("Bob")
    await outbox.known(ada, bob)
    async with outbox.unit_of_work() as uow:
        await uow.messages.prepare(START.date(), START.date())
        await uow.messages.save([message(ada), message(bob)])
        await uow.commit()
    await outbox.settle()
    await do(
        engine,
        "SAVEPOINT a",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "UPDATE messages SET attempt = 1",
        "UPDATE users SET timezone = 'UTC' WHERE first_name = 'Bob'",
        "TRUNCATE users CASCADE",
        "ROLLBACK TO a",
        "UPDATE messages SET attempt = 2",
        "UPDATE users SET timezone = 'UTC' WHERE first_name = 'Ada'",
    )
    pending = await outbox.pending()
    assert set(pending) == {user_key(ada), email_reference_key(ada.email), *LISTS, *STATISTICS}


@pytest.mark.parametrize(
    "statements",
    (
        ("UPDATE users SET last_name = 'King'",),
        ("DELETE FROM users",),
        ("TRUNCATE users CASCADE",),
        ("UPDATE users SET last_name = 'King' WHERE first_name < 'P5'", "UPDATE users SET last_name = 'Ray'"),
    ),
)
async def test_a_bulk_change_begins_an_epoch_instead_of_writing_a_row_each(
    engine: AsyncEngine, outbox: Outbox, statements: tuple[str, ...]
) -> None:
    await outbox.known(*(person(f"P{number}") for number in range(1001)))
    (before,) = (await outbox.poll()).acknowledged
    await do(engine, *statements)
    poll = await outbox.poll()
    assert set(poll.acknowledged) == {Place(0, before.epoch + 1)}
    assert poll.pending <= 2002


async def test_a_thousand_changes_are_no_bulk(engine: AsyncEngine, outbox: Outbox) -> None:
    await outbox.known(*(person(f"P{number}") for number in range(1001)))
    before = await outbox.poll()
    await do(engine, "UPDATE users SET last_name = 'King' WHERE first_name <> 'P0'")
    poll = await outbox.poll()
    assert (poll.acknowledged, poll.pending) == (before.acknowledged, 2000)


async def test_a_bulk_change_leaves_a_batch_so_that_its_epoch_is_begun(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    await do(engine, "TRUNCATE users CASCADE")
    async with outbox.lent() as batch:
        assert batch.keys == []
        assert await batch.deliver_again_after(None) is not None
    assert (await outbox.poll()).acknowledged == {Place(0, batch.place.epoch + 1): batch.number}


async def test_a_bulk_change_holds_up_the_sweeper_only_while_it_commits(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    await outbox.add(born_on_pi_day())
    async with by_hand(engine) as connection, connection.transaction():
        await connection.execute("TRUNCATE messages")
        await connection.execute("UPDATE users SET last_name = 'King'")
        await connection.execute("INSERT INTO invalidations (key) VALUES ('*')")
        assert await outbox.deliver()


async def test_the_age_counts_from_the_commit(engine: AsyncEngine, outbox: Outbox) -> None:
    ada = person()
    await outbox.known(ada)
    async with by_hand(engine) as connection, connection.transaction():
        await connection.execute("UPDATE users SET first_name = 'Augusta'")
        await asyncio.sleep(0.5)
        before_s = time.monotonic()
    poll = await outbox.poll(overdue_s=0.4)
    since_s = time.monotonic() - before_s
    assert (poll.pending, poll.oldest_pending_s < since_s) == (2, True)
    assert poll.overdue == frozenset() or since_s > 0.4, "a noisy machine"
    await asyncio.sleep(0.41)
    assert user_key(ada) in (await outbox.poll(overdue_s=0.4)).overdue


async def test_what_the_clock_says_is_yet_to_be_written_is_overdue(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    await outbox.add(born_on_pi_day())
    await do(engine, "UPDATE invalidations SET written_at = now() + interval '1 h' WHERE batch IS NULL")
    assert (await outbox.poll()).overdue == set(LISTS)


async def test_too_many_overdue_keys_take_the_trust_in_all(engine: AsyncEngine, outbox: Outbox) -> None:
    await do(
        engine,
        "INSERT INTO invalidations (key) SELECT 'user:v1:' || n FROM "
        f"generate_series(1, {invalidations.OVERDUE_MAX + 1}) n",
    )
    await asyncio.sleep(0.02)
    assert (await outbox.poll(overdue_s=0.01)).acknowledged == {}
    await outbox.deliver(limit=1)
    assert len((await outbox.poll(overdue_s=0.01)).acknowledged) == 1


async def test_who_dies_between_commit_and_delivery_leaves_it_to_the_next(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    ada = person()
    await outbox.known(ada)
    await outbox.change(ada, lambda user: user)
    with pytest.raises(StoreUnavailable):
        async with outbox.lent() as lost:
            await do(
                engine,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle in transaction'",
            )
            await lost.acknowledge()
    async with outbox.lent() as batch:
        assert batch.keys == lost.keys
        assert batch.number > lost.number


async def test_who_is_paused_with_the_shard_does_not_keep_it(engine: AsyncEngine, outbox: Outbox) -> None:
    await outbox.add(born_on_pi_day())
    with pytest.raises(StoreUnavailable):
        async with outbox.lent() as paused:
            await asyncio.sleep(2.3)
            async with outbox.lent() as batch:
                assert batch.keys == paused.keys
            await paused.acknowledge()


async def test_a_number_is_committed_before_it_is_used(engine: AsyncEngine, outbox: Outbox) -> None:
    await outbox.add(born_on_pi_day())
    async with outbox.lent() as batch, engine.connect() as connection:
        assert await connection.scalar(text("SELECT drawn FROM cache_shards")) == batch.number


async def test_a_number_that_another_sweeper_overtook_is_not_used(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outbox.add(born_on_pi_day())
    commit = AsyncConnection.commit

    async def be_overtaken_then(connection: AsyncConnection) -> None:
        monkeypatch.setattr(AsyncConnection, "commit", commit)
        await commit(connection)
        await outbox.deliver(limit=1)

    monkeypatch.setattr(AsyncConnection, "commit", be_overtaken_then)
    async with outbox.log.next_batch(0, 500) as overtaken:
        assert overtaken is None
    assert len(await outbox.pending()) == 1


async def test_sweepers_at_once_deliver_everything_once_and_in_order(
    engine: AsyncEngine, outbox: Outbox
) -> None:
    await outbox.known(*(person(f"P{number}") for number in range(30)))
    await do(engine, "UPDATE users SET last_name = 'King'")
    carried_out: list[tuple[int, str]] = []

    async def sweep() -> None:
        while (await outbox.poll()).pending:
            async with outbox.log.next_batch(0, 7) as batch:
                if batch is not None:
                    await asyncio.sleep(0.001)
                    carried_out.extend((batch.number, key) for key, _ in batch.keys)
                    await batch.acknowledge()

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(sweep())
    assert len(carried_out) == len({key for _, key in carried_out}) == 60
    assert [number for number, _ in carried_out] == sorted(number for number, _ in carried_out)
