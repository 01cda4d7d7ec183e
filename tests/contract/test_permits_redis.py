"""Permits counted on a real Valkey: exact over several processes, and a server that is away is told at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from adapters.redis.breaker import FAILURES_IN_A_ROW
from adapters.redis.cache import TIMEOUT_S, open_redis_cache
from adapters.redis.permits import RedisPermits
from application.cache_ports import CacheUnavailable
from application.limiting import Limiter, RequestClass
from tests.redis.observer import Heard
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers


@asynccontextmanager
async def permits_at(url: str, namespace: str | None = None) -> AsyncIterator[RedisPermits]:
    async with aclosing(open_redis_cache(url, observer=Heard())) as cache:
        yield RedisPermits(cache, namespace or fresh_namespace())


async def test_all_processes_together_never_let_more_pass_than_the_limit(valkey_url: str) -> None:
    namespace, limits = fresh_namespace(), dict.fromkeys(RequestClass, 500)

    async def process() -> int:
        async with permits_at(valkey_url, namespace) as permits:
            limiter = Limiter(permits, limits, seconds=lambda: 6000.0)
            asked = [await limiter.ask("one", RequestClass.READ) for _ in range(400)]
        return sum(permit.is_granted for permit in asked)

    assert sum(await asyncio.gather(*(process() for _ in range(3)))) == 500


async def test_minutes_and_names_are_counted_apart(valkey_url: str) -> None:
    async with permits_at(valkey_url) as permits:
        taken = [await permits.take(*asked) for asked in (("a", 1, 2), ("a", 1, 3), ("a", 2, 1), ("b", 1, 1))]
    assert taken == [2, 5, 1, 1]


async def test_a_server_that_is_away_is_told() -> None:
    async with permits_at("redis://127.0.0.1:1") as permits:
        with pytest.raises(CacheUnavailable):
            await permits.take("a", 1, 1)


async def test_nobody_waits_for_a_server_that_the_cache_has_found_silent() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    async with silent, aclosing(open_redis_cache(url, observer=Heard())) as cache:
        for _ in range(FAILURES_IN_A_ROW):
            with suppress(CacheUnavailable):
                await cache.get("a")
        took_s = []
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(CacheUnavailable):
                await RedisPermits(cache, fresh_namespace()).take("a", 1, 1)
            took_s.append(time.monotonic() - started)
        assert min(took_s) < TIMEOUT_S / 3, "the least of them: a noisy machine adds to one"
