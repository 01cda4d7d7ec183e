"""Permits counted on a real Valkey: exact over several processes, and a server that is away is told at once."""

import asyncio
from contextlib import AsyncExitStack, aclosing

import pytest

from adapters.redis.permits import open_redis_permits
from application.cache_ports import CacheUnavailable
from application.limiting import Limiter, RequestClass
from tests.redis.observer import Heard
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers


async def test_all_processes_together_never_let_more_pass_than_the_limit(valkey_url: str) -> None:
    namespace, limits = fresh_namespace(), dict.fromkeys(RequestClass, 500)

    async def process() -> int:
        async with aclosing(open_redis_permits(valkey_url, namespace, observer=Heard())) as permits:
            limiter = Limiter(permits, limits, seconds=lambda: 6000.0)
            asked = [await limiter.ask("one", RequestClass.READ) for _ in range(400)]
        return sum(permit.is_granted for permit in asked)

    assert sum(await asyncio.gather(*(process() for _ in range(3)))) == 500


async def test_minutes_and_names_are_counted_apart(valkey_url: str) -> None:
    async with aclosing(open_redis_permits(valkey_url, fresh_namespace(), observer=Heard())) as permits:
        taken = [await permits.take(*asked) for asked in (("a", 1, 2), ("a", 1, 3), ("a", 2, 1), ("b", 1, 1))]
    assert taken == [2, 5, 1, 1]


async def test_a_server_that_is_away_is_told() -> None:
    async with AsyncExitStack() as stack:
        away = open_redis_permits("redis://127.0.0.1:1", fresh_namespace(), observer=Heard())
        permits = await stack.enter_async_context(aclosing(away))
        with pytest.raises(CacheUnavailable):
            await permits.take("a", 1, 1)
