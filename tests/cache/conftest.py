"""The world in which the cache is proved: once in memory, once on real servers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from adapters.postgres.database import open_engine
from application import sweeping
from application.views import UserView
from tests.cache.world import ADA, MemoryWorld, Process, World, begun, servers_world
from tests.servers import fresh_database

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no write give up its invalidation because this machine is busy: what comes of that is for other tests."""
    monkeypatch.setattr(sweeping, "AT_ONCE_WITHIN_S", 10.0)


@pytest.fixture(scope="session")
def database_url(postgres_url: str) -> Iterator[str]:
    """A database that the tests here use one after the other: a fresh one for each would take longer than they."""
    with asyncio.Runner() as runner:
        database = fresh_database(postgres_url)
        yield runner.run(_entered(database))
        runner.run(_left(database))


async def _entered(context: AbstractAsyncContextManager[str]) -> str:
    return await context.__aenter__()


async def _left(context: AbstractAsyncContextManager[str]) -> None:
    await context.__aexit__(None, None, None)


@pytest.fixture(params=("memory", pytest.param("servers", marks=pytest.mark.servers)))
def open_world(request: pytest.FixtureRequest) -> OpenWorld:
    """Open an empty world of each family."""
    if request.param == "memory":
        return _memory
    database_url = request.getfixturevalue("database_url")
    valkey_url = request.getfixturevalue("valkey_url")

    @asynccontextmanager
    async def servers() -> AsyncIterator[World]:
        engine = open_engine(database_url)
        try:
            async with servers_world(engine, valkey_url) as world:
                yield world
            assert "Current Checked out connections: 0" in engine.pool.status()
        finally:
            await engine.dispose()

    return servers


@asynccontextmanager
async def _memory() -> AsyncIterator[World]:
    yield await begun(MemoryWorld.empty())


@pytest.fixture
async def world(open_world: OpenWorld) -> AsyncIterator[World]:
    async with open_world() as world:
        yield world


@pytest.fixture
async def process(world: World) -> Process:
    """A process that believes the cache."""
    return await world.started()


@pytest.fixture
async def other(world: World) -> Process:
    """Another one."""
    return await world.started()


@pytest.fixture
async def ada(world: World, process: Process) -> UserView:
    """Somebody whom the store knows and the cache does not; nothing is pending."""
    ada = await process.register(ADA)
    await world.sweep_all()
    await process.trust.renew()
    return ada
