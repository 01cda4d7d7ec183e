"""The cache in memory keeps the contract."""

import pytest

from adapters.memory.cache import MemoryCache
from tests.contract.cache import Cache, CacheContract


def memory_cache() -> Cache:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    return Cache(MemoryCache(lambda: now), sleep)


class TestCache(CacheContract):
    @pytest.fixture
    def cache(self) -> Cache:
        return memory_cache()
