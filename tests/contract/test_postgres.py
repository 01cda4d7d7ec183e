"""The PostgreSQL adapters keep the contract."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import set_clock
from adapters.postgres.messages import PostgresMessageReader
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.users import PostgresUserReader
from tests.contract.adapters import START, Adapters, Recorder
from tests.contract.readers import ReadersContract
from tests.contract.unit_of_work import UnitOfWorkContract
from tests.contract.users import UsersContract

pytestmark = pytest.mark.servers


async def postgres_adapters(engine: AsyncEngine) -> Adapters:
    """Bundle the adapters over an empty database whose clock stands at START."""

    async def expire_leases() -> None:
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE messages SET lease_until = clock_timestamp() - interval '1 s' WHERE status = 'SENDING'"
                )
            )

    told = Recorder()
    await set_clock(engine, START, speed=0)
    return Adapters(
        unit_of_work=lambda: PostgresUnitOfWork(engine, told),
        user_reader=PostgresUserReader(engine),
        message_reader=PostgresMessageReader(engine),
        set_now=lambda instant: set_clock(engine, instant, speed=0),
        expire_leases=expire_leases,
        told=told,
    )


@pytest.fixture
async def adapters(engine: AsyncEngine) -> Adapters:
    return await postgres_adapters(engine)


class TestPostgresUnitOfWork(UnitOfWorkContract):
    """UnitOfWork on PostgreSQL."""


class TestPostgresUsers(UsersContract):
    """Users on PostgreSQL."""


class TestPostgresReaders(ReadersContract):
    """The readers on PostgreSQL."""
