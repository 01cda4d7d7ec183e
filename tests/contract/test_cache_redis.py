"""The cache on a real Valkey keeps the contract."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.redis.cache import open_redis_cache
from tests.contract.cache import Cache, CacheContract
from tests.redis.observer import Heard
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers


class TestCache(CacheContract):
    @pytest.fixture
    async def cache(self, valkey_url: str) -> AsyncIterator[Cache]:
        async with open_redis_cache(valkey_url, fresh_namespace(), Heard()) as port:
            yield Cache(port, asyncio.sleep)
