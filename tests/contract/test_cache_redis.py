"""The cache on a real Valkey keeps the contract, be it one server or a Cluster."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from adapters.redis.cache import open_redis_cache
from tests.contract.cache import Cache, CacheContract
from tests.redis.cluster import running_cluster
from tests.redis.observer import Heard
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers


class TestCache(CacheContract):
    @pytest.fixture
    async def cache(self, valkey_url: str) -> AsyncIterator[Cache]:
        async with aclosing(
            open_redis_cache(valkey_url, fresh_namespace(), observer=Heard(), patience=20)
        ) as port:
            yield Cache(port, asyncio.sleep)


@pytest.fixture(scope="module")
def cluster_url() -> Iterator[str]:
    with running_cluster(nodes=1) as (port,):
        yield f"redis://127.0.0.1:{port}?cluster=true"


class TestCacheOnCluster(CacheContract):
    @pytest.fixture
    async def cache(self, cluster_url: str) -> AsyncIterator[Cache]:
        async with aclosing(
            open_redis_cache(cluster_url, fresh_namespace(), observer=Heard(), patience=20)
        ) as port:
            yield Cache(port, asyncio.sleep)
