"""Who asks for people in one turn of the event loop is answered together, and by nothing older than the question."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import joined_users
from adapters.postgres.database import open_engine
from adapters.postgres.joined_users import JoinedUserReader
from application.errors import StoreUnavailable
from application.views import UserView
from domain.user import UserId
from tests.contract.people import person, user_number
from tests.contract.test_postgres import postgres_adapters
from tests.servers import fresh_engine

pytestmark = pytest.mark.servers

PEOPLE = [person(f"P{number}", email=f"p{number}@example.com") for number in range(60)]


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    async with fresh_engine(postgres_url) as engine:
        await (await postgres_adapters(engine)).add(*PEOPLE)
        yield engine


@pytest.fixture
def reader(engine: AsyncEngine) -> JoinedUserReader:
    return JoinedUserReader(engine, asyncio.Semaphore(1))


@pytest.fixture
def statements(engine: AsyncEngine) -> list[str]:
    heard: list[str] = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        heard.append(statement)

    return heard


async def test_all_of_one_turn_are_one_statement(reader: JoinedUserReader, statements: list[str]) -> None:
    asked = [*(one.id for one in PEOPLE), PEOPLE[0].id, user_number(999)]
    found = await asyncio.gather(*(reader.get(user_id) for user_id in asked))
    assert found == [*map(UserView.of, PEOPLE), UserView.of(PEOPLE[0]), None]
    assert len(statements) == 1


async def test_too_many_are_several(
    reader: JoinedUserReader, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_users, "TOGETHER_MAX", 25)
    found = await asyncio.gather(*(reader.get(one.id) for one in PEOPLE))
    assert found == [*map(UserView.of, PEOPLE)]
    assert len(statements) == 3


async def test_who_asks_while_one_is_under_way_is_answered_by_the_next(
    engine: AsyncEngine, reader: JoinedUserReader
) -> None:
    for turns in range(30):
        first = asyncio.create_task(reader.get(PEOPLE[0].id))
        for _ in range(turns):
            await asyncio.sleep(0)
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE users SET first_name = :name, version = version + 1 WHERE id = :id"),
                {"name": f"N{turns}", "id": PEOPLE[0].id},
            )
        found = await reader.get(PEOPLE[0].id)
        assert found is not None
        assert found.first_name == f"N{turns}"
        await first


async def test_who_goes_away_takes_nobody_along(reader: JoinedUserReader, statements: list[str]) -> None:
    for turns in range(5):
        tasks = [asyncio.create_task(reader.get(one.id)) for one in PEOPLE]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.result() for task in tasks[1::2]] == [UserView.of(one) for one in PEOPLE[1::2]]
    tasks = [asyncio.create_task(reader.get(one.id)) for one in PEOPLE]
    await asyncio.sleep(0)
    statements.clear()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
    assert statements == [], "nobody is left who wants to know"


async def test_a_store_that_is_away_is_told_to_all() -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/none")
    reader = JoinedUserReader(engine, asyncio.Semaphore(1))
    asked = [reader.get(UserId(one.id)) for one in PEOPLE]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in ended} == {StoreUnavailable}
    await engine.dispose()


async def test_where_all_statements_hang_nobody_waits_longer_than_for_a_connection(
    reader: JoinedUserReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined_users, "POOL_TIMEOUT_S", 0.05)
    async with reader._statements:
        ended = await asyncio.gather(*(reader.get(one.id) for one in PEOPLE), return_exceptions=True)
        assert {type(one) for one in ended} == {StoreUnavailable}
    assert await reader.get(PEOPLE[0].id) == UserView.of(PEOPLE[0])
