"""Connections of the pool on a real PostgreSQL: not asked before each use, and never used once they are closed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import database
from adapters.postgres.database import connected, open_engine

pytestmark = pytest.mark.servers

_KILL = "SELECT pg_terminate_backend(:pid)"


@pytest.fixture
async def one(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """Lend an engine of one connection that has been used."""
    engine = open_engine(postgres_url, pool_size=1)
    await asked(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
def pings(one: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    heard: list[object] = []
    real = one.dialect.do_ping

    def ping(connection: object) -> bool:
        heard.append(connection)
        return real(connection)  # type: ignore[arg-type]  # a connection of the driver

    monkeypatch.setattr(one.dialect, "do_ping", ping)
    return heard


async def asked(engine: AsyncEngine) -> int:
    async with connected(engine) as connection:
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_a_connection_in_use_is_not_asked_whether_it_is_alive(
    one: AsyncEngine, pings: list[object]
) -> None:
    assert await asked(one) == await asked(one)
    assert not pings


async def test_one_that_has_rested_is_asked(
    one: AsyncEngine, pings: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ASKED_AFTER_S", 0.0)
    before = await asked(one)
    assert len(pings) == 1
    assert await asked(one) == before


async def test_one_that_the_server_has_closed_is_replaced(one: AsyncEngine, engine: AsyncEngine) -> None:
    before = await asked(one)
    async with connected(engine) as connection:
        await connection.execute(text(_KILL), {"pid": before})
    await asyncio.sleep(0.2)
    assert await asked(one) != before


async def test_one_that_turns_out_dead_when_it_is_asked_is_replaced(
    one: AsyncEngine, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ASKED_AFTER_S", 0.0)
    before = await asked(one)

    def killed_meanwhile(_connection: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(one.dialect, "do_ping", killed_meanwhile)
    event.listen(one.sync_engine, "connect", lambda *_: monkeypatch.undo())
    assert await asked(one) != before
    assert await asked(engine)
