"""The schema goes up by itself, also when two start at once, and down again."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import alembic_config, migrate, open_engine
from adapters.postgres.migrations.versions import v0022_domains_in_their_letters as v0022
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


async def test_domains_are_written_in_their_letters_where_nobody_else_has_the_address(
    engine: AsyncEngine,
) -> None:
    async with engine.begin() as opened:
        await opened.run_sync(_go, command.downgrade, v0022.down_revision)
        for number, email in enumerate(
            (
                "ada@xn--bcher-kva.de",
                "bob@XN--BCHER-KVA.de",
                "bob@bücher.de",
                "xn--a@example.com",
                "cy@xn--i-7iq.ws",
            )
        ):
            await opened.execute(
                text(
                    "INSERT INTO users (id, first_name, last_name, email, timezone, version, created_at, updated_at,"
                    " birthday_known_at, anniversary_known_at)"
                    " VALUES (:id, 'A', 'L', :email, 'UTC', 1, now(), now(), now(), now())"
                ),
                {"id": UUID(int=number), "email": email},
            )
        await opened.run_sync(_go, command.upgrade, "head")
        rows = await opened.execute(text("SELECT email, version FROM users ORDER BY id"))
        assert [tuple(row) for row in rows] == [
            ("ada@bücher.de", 2),
            ("bob@XN--BCHER-KVA.de", 1),
            ("bob@bücher.de", 1),
            ("xn--a@example.com", 1),
            ("cy@xn--i-7iq.ws", 1),
        ]


def _go(connection: object, where: Callable[[Config, str], None], revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    where(config, revision)
