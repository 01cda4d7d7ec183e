"""The world in which the cache is proved: once in memory, once on real servers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from application.views import UserView
from tests.cache.world import ADA, MemoryWorld, Process, World, begun, servers_world
from tests.servers import fresh_engine

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture(params=("memory", pytest.param("servers", marks=pytest.mark.servers)))
def open_world(request: pytest.FixtureRequest) -> OpenWorld:
    """Open an empty world of each family."""
    if request.param == "memory":
        return _memory
    postgres_url = request.getfixturevalue("postgres_url")
    valkey_url = request.getfixturevalue("valkey_url")

    @asynccontextmanager
    async def servers() -> AsyncIterator[World]:
        async with fresh_engine(postgres_url) as engine, servers_world(engine, valkey_url) as world:
            yield world

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
