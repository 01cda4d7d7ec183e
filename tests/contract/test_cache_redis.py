"""The cache on a real Valkey keeps the contract."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from adapters.redis.cache import open_redis_cache
from tests.contract.cache import Cache, CacheContract
from tests.redis.observer import Heard
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers


class TestCache(CacheContract):
    @pytest.fixture
    async def cache(self, valkey_url: str) -> AsyncIterator[Cache]:
        async with aclosing(open_redis_cache(valkey_url, fresh_namespace(), observer=Heard())) as port:
            yield Cache(port, asyncio.sleep)
