"""Every change of a person has a version of its own, whoever makes it: the ETag is made of it."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from tests.contract.adapters import Recorder
from tests.contract.people import person

pytestmark = pytest.mark.servers


@pytest.mark.parametrize(
    ("statement", "version"),
    (
        ("UPDATE users SET first_name = 'Augusta'", 2),
        ("UPDATE users SET email = 'augusta@example.com'", 2),
        ("UPDATE users SET first_name = 'Augusta', version = 1", 2),
        ("UPDATE users SET first_name = 'Augusta', version = 0", 2),
        ("UPDATE users SET first_name = 'Augusta', version = 7", 7),
        ("UPDATE users SET first_name = first_name", 1),
        ("SET session_replication_role = replica; UPDATE users SET first_name = 'Augusta'", 2),
    ),
)
async def test_a_change_by_hand_has_a_version_of_its_own(
    engine: AsyncEngine, statement: str, version: int
) -> None:
    ada = person()
    async with PostgresUnitOfWork(engine, Recorder()) as uow:
        await uow.users.add([ada])
        await uow.commit()
    async with engine.begin() as connection:
        for one in statement.split("; "):
            await connection.execute(text(one))
        await connection.execute(text("RESET session_replication_role"))
    found = await PostgresUserReader(engine).get(ada.id)
    assert found is not None
    assert found.version == version
