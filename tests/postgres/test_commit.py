"""What a commit comes to on a real PostgreSQL: done, refused, or nobody knows; and what is told then."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from application.errors import CommitOutcomeUnknown, StoreUnavailable
from domain.events import Event, UserCreated
from tests.contract.adapters import Recorder
from tests.contract.people import person

pytestmark = pytest.mark.servers

_AT_COMMIT = """
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$;
"""
_TRIGGER = """
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()
"""


async def do_at_commit(engine: AsyncEngine, body: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(_AT_COMMIT.format(body=body)))
        await connection.execute(text(_TRIGGER))


async def terminate(engine: AsyncEngine, state: str) -> None:
    """End the backend that is in *state*, as an administrator or a crash would."""
    async with engine.connect() as connection:
        for _ in range(500):
            ended = await connection.scalar(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND "
                    + (
                        "query ILIKE 'COMMIT%' AND state = 'active'"
                        if state == "committing"
                        else f"state = '{state}'"
                    )
                )
            )
            await connection.rollback()
            if ended:
                return
            await asyncio.sleep(0.01)
    raise AssertionError(f"no backend was {state}")


async def test_a_backend_killed_during_the_commit_leaves_the_outcome_unknown_and_the_events_told(
    engine: AsyncEngine,
) -> None:
    await do_at_commit(engine, "PERFORM pg_sleep(20)")
    told, ada = Recorder(), person()
    async with PostgresUnitOfWork(engine, told) as uow:
        await uow.users.add([ada])
        killing = asyncio.create_task(terminate(engine, "committing"))
        with pytest.raises(CommitOutcomeUnknown):
            await uow.commit()
        await killing
    assert told.batches == [[UserCreated(ada)]]


async def test_a_commit_that_the_database_refuses_tells_nothing(engine: AsyncEngine) -> None:
    await do_at_commit(engine, "RAISE EXCEPTION 'no'")
    told, ada = Recorder(), person()
    with pytest.raises(DBAPIError):
        async with PostgresUnitOfWork(engine, told) as uow:
            await uow.users.add([ada])
            await uow.commit()
    assert told.batches == []
    assert await PostgresUserReader(engine).get(ada.id) is None


async def test_a_connection_lost_before_the_commit_is_a_rollback(engine: AsyncEngine) -> None:
    told, ada = Recorder(), person()
    with pytest.raises(StoreUnavailable):
        async with PostgresUnitOfWork(engine, told) as uow:
            await uow.users.add([ada])
            await terminate(engine, "idle in transaction")
            await uow.users.get(ada.id)
    assert told.batches == []
    assert await PostgresUserReader(engine).get(ada.id) is None


async def test_a_caller_cancelled_during_the_commit_cannot_stop_its_events(engine: AsyncEngine) -> None:
    await do_at_commit(engine, "PERFORM pg_sleep(0.3)")
    told, ada, committing = Recorder(), person(), asyncio.Event()

    async def register() -> None:
        async with PostgresUnitOfWork(engine, told) as uow:
            await uow.users.add([ada])
            committing.set()
            await uow.commit()

    task = asyncio.create_task(register())
    await committing.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told.batches == [[UserCreated(ada)]]
    assert await PostgresUserReader(engine).get(ada.id) is not None


async def test_a_handler_that_fails_does_not_make_the_commit_fail(engine: AsyncEngine) -> None:
    async def fails(events: Sequence[Event]) -> None:
        raise OSError(len(events))

    ada = person()
    async with PostgresUnitOfWork(engine, fails) as uow:
        await uow.users.add([ada])
        await uow.commit()
    assert await PostgresUserReader(engine).get(ada.id) is not None
