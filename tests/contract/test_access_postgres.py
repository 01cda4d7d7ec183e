"""Keys and answers in PostgreSQL keep the contracts."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.answers import PostgresAnswers
from adapters.postgres.api_keys import PostgresApiKeys
from adapters.postgres.audit import PostgresAuditReader
from adapters.postgres.database import open_engine
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.access_ports import ApiKeys
from application.audit_ports import AuditReader
from application.errors import StoreUnavailable
from domain.audit import KeyDeed
from tests.contract.adapters import START, Recorder
from tests.contract.answers import ANSWER, LONG, REQUEST, AnswersContract, World
from tests.contract.api_keys import ApiKeysContract, new_key

pytestmark = pytest.mark.servers


class TestApiKeys(ApiKeysContract):
    @pytest.fixture
    def keys(self, engine: AsyncEngine) -> ApiKeys:
        return PostgresApiKeys(engine)

    @pytest.fixture
    def trail(self, engine: AsyncEngine) -> AuditReader:
        return PostgresAuditReader(engine)

    async def test_a_key_that_cannot_be_noted_is_not_made(self, keys: ApiKeys, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE audit ADD CONSTRAINT full_up CHECK (key_id IS NULL)"))
        key = new_key()
        with pytest.raises(IntegrityError):
            await keys.add(key)
        assert await keys.find([key.id]) == []


class TestAnswers(AnswersContract):
    @pytest.fixture
    def world(self, engine: AsyncEngine) -> World:
        return World(PostgresAnswers(engine), lambda: PostgresUnitOfWork(engine, Recorder()))

    async def test_nothing_of_an_erased_answer_is_left_in_the_row(
        self, world: World, engine: AsyncEngine
    ) -> None:
        user = await world.add()
        about = type(ANSWER)(ANSWER.status, ANSWER.headers, ANSWER.body, frozenset({user.id}))
        await world.answers.keep(REQUEST, await world.claimed(), about)
        await world.erase(user)
        async with engine.begin() as connection:
            row = (
                await connection.execute(text("SELECT fingerprint, headers, body, about FROM answers"))
            ).one()
        assert tuple(row) == (None, None, None, [])

    async def test_an_erasure_waits_for_an_answer_that_is_being_kept_and_takes_it_along(
        self, world: World, engine: AsyncEngine
    ) -> None:
        user = await world.add()
        await world.claimed()
        async with engine.connect() as connection:
            # As keep does, one statement after the other, with the erasure in between.
            await connection.execute(text("SELECT id FROM users FOR KEY SHARE"))
            await connection.execute(
                text(
                    "UPDATE answers SET status = 201, headers = '{}', body = '', about = ARRAY[CAST(:id AS uuid)]"
                ),
                {"id": user.id},
            )
            erasing = asyncio.create_task(world.erase(user))
            await asyncio.sleep(0.1)
            assert not erasing.done()
            await connection.commit()
        await erasing
        assert type(await world.claim()).__name__ == "Erased"


async def test_a_server_that_cannot_be_reached_says_so() -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable):
        await PostgresApiKeys(engine).add(new_key())
    with pytest.raises(StoreUnavailable):
        await PostgresApiKeys(engine).change("x", lambda key: key, KeyDeed.REVOKE, START)
    with pytest.raises(StoreUnavailable):
        await PostgresAnswers(engine).claim(REQUEST, lease=LONG, keep=LONG)
    await engine.dispose()
