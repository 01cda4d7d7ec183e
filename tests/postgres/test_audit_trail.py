"""The audit trail refuses to be changed, whoever asks: PostgreSQL itself keeps it so."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import set_clock, sqlstate
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.announcer import Announcer
from tests.contract.adapters import START
from tests.contract.audit import entry
from tests.contract.people import message, person
from tests.servers import fresh_engine

pytestmark = pytest.mark.servers

REFUSED = "42501"


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    async with fresh_engine(postgres_url) as engine:
        await set_clock(engine, START, speed=0)
        async with PostgresUnitOfWork(engine, Announcer()) as uow:
            await uow.audit.note([entry(message(person()).key), entry("old", days=-100), entry("smtp")])
            await uow.commit()
        yield engine


@pytest.mark.parametrize(
    "statement",
    (
        "UPDATE audit SET action = 'cancel'",
        "UPDATE audit SET actor_name = 'somebody'",
        "UPDATE audit SET reason = 'another'",
        "UPDATE audit SET reason = NULL, at = at - interval '1 h'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE subject = 'old'",
        "SELECT set_config('audit.forgets', 'yes', true); DELETE FROM audit WHERE subject = 'smtp'",
        "TRUNCATE audit",
    ),
)
async def test_what_would_change_it_is_refused(engine: AsyncEngine, statement: str) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with engine.begin() as connection:
            for part in statement.split("; "):
                await connection.execute(text(part))
    assert sqlstate(refused.value) == REFUSED
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM audit")) == 3


async def test_the_reason_alone_may_go(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE audit SET reason = NULL WHERE user_id IS NOT NULL"))
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM audit WHERE reason IS NULL")) == 1


async def test_the_retention_cannot_be_talked_into_taking_what_is_new(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        forget = text("SELECT forget_audit(:instant, CAST('0' AS interval))")
        assert await connection.scalar(forget, {"instant": START + timedelta(days=1)}) == 1
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM audit")) == 2
