"""The cache in memory and the one on Valkey live the same lives."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from adapters.memory.cache import MemoryCache
from adapters.redis.cache import open_redis_cache
from application.cache_ports import CachePort
from tests.contract.cache_machine import CacheMachine
from tests.redis.observer import Heard
from tests.servers import fresh_namespace


@pytest.mark.servers
def test_memory_and_valkey_live_the_same_life(valkey_url: str) -> None:
    @asynccontextmanager
    async def memory() -> AsyncIterator[CachePort]:
        yield MemoryCache()

    @asynccontextmanager
    async def valkey() -> AsyncIterator[CachePort]:
        opened = open_redis_cache(valkey_url, fresh_namespace(), observer=Heard(), patience=20)
        async with aclosing(opened) as cache:
            yield cache

    class Machine(CacheMachine):
        caches = (memory, valkey)

    run_state_machine_as_test(Machine, settings=settings(max_examples=25, stateful_step_count=30))
