"""What an address of a database may say, and that nothing is found wrong where nothing stands in between."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import InvalidDatabaseUrl, open_engine
from adapters.postgres.pooler import trouble_of


@pytest.mark.servers
async def test_nothing_stands_before_the_server_of_the_tests(engine: AsyncEngine) -> None:
    assert await trouble_of(engine) is None


@pytest.mark.servers
async def test_what_it_asks_for_is_not_compiled_first(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT current_setting('jit')")) == "off"


def test_whether_pgbouncer_is_there_is_true_or_false() -> None:
    with pytest.raises(InvalidDatabaseUrl, match="pgbouncer is true or false"):
        open_engine("postgresql://ada@localhost/birthdays?pgbouncer=maybe")
