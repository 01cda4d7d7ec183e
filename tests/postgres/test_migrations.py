"""The schema goes up by itself, also when two start at once, and down again."""

import asyncio

import asyncpg
import pytest
from alembic import command
from sqlalchemy import text

from adapters.postgres.database import alembic_config, migrate, open_engine
from tests.servers import with_database

pytestmark = pytest.mark.servers


async def test_two_that_start_at_once_migrate_once(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE DATABASE empty")
    engines = [open_engine(with_database(postgres_url, "empty")) for _ in range(3)]
    try:
        results = await asyncio.gather(*(migrate(engine) for engine in engines))
        assert sorted(before is None for before, _ in results) == [False, False, True]
        assert len({after for _, after in results}) == 1
        async with engines[0].begin() as opened:

            def down_and_up(sync_connection: object) -> None:
                config = alembic_config()
                config.attributes["connection"] = sync_connection
                command.downgrade(config, "base")
                command.upgrade(config, "head")

            await opened.run_sync(down_and_up)
            tables = await opened.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
            assert {"users", "messages", "service_clock"} <= set(tables)
    finally:
        for engine in engines:
            await engine.dispose()
        await connection.execute("DROP DATABASE empty")
        await connection.close()
