"""Who is held up himself does not take that for the silence of the server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import uvloop

from adapters.redis.breaker import FAILURES_IN_A_ROW
from adapters.redis.cache import TIMEOUT_S, RedisCache, open_redis_cache
from application.cache_ports import CacheUnavailable
from application.own_time import PARTS, OwnTimeout
from tests.redis.observer import Heard
from tests.redis.operations import OPERATIONS
from tests.redis.proxy import Mode, proxy
from tests.servers import fresh_namespace

STALL_S = 1.3 * TIMEOUT_S


def stall() -> None:
    time.sleep(STALL_S)


@pytest.fixture
async def heard() -> Heard:
    return Heard()


@pytest.fixture
async def cache(valkey_url: str, heard: Heard) -> AsyncIterator[RedisCache]:
    async with aclosing(open_redis_cache(valkey_url, fresh_namespace(), observer=heard)) as cache:
        yield cache


@pytest.mark.servers
@pytest.mark.parametrize("operation", ("look", "invalidate", "fill"))
async def test_a_stall_anywhere_in_a_call_is_no_failure(
    operation: str, cache: RedisCache, heard: Heard
) -> None:
    for turns in (0, 1, 2, 4, 7):
        calls = [asyncio.ensure_future(OPERATIONS[operation](cache)) for _ in range(2 * FAILURES_IN_A_ROW)]
        for _ in range(turns):
            await asyncio.sleep(0)
        stall()
        await asyncio.gather(*calls)
    assert {result for _, result in heard.results} == {"ok"}


@pytest.mark.servers
def test_nor_on_the_loop_of_the_service(valkey_url: str) -> None:
    heard = Heard()

    async def stalled_calls() -> None:
        async with aclosing(open_redis_cache(valkey_url, fresh_namespace(), observer=heard)) as cache:
            await test_a_stall_anywhere_in_a_call_is_no_failure("invalidate", cache, heard)

    uvloop.run(stalled_calls())


@pytest.mark.servers
async def test_stalls_do_not_make_a_server_that_hangs_be_waited_for(valkey_url: str) -> None:
    async with (
        proxy(valkey_url) as hanging,
        aclosing(open_redis_cache(hanging.url, fresh_namespace(), observer=Heard())) as cache,
    ):
        hanging.mode = Mode.HANG
        asyncio.get_running_loop().call_later(TIMEOUT_S / 2, stall)
        started = time.monotonic()
        with pytest.raises(CacheUnavailable):
            await cache.get("k")
        assert time.monotonic() - started < TIMEOUT_S + STALL_S + 0.5


async def test_without_a_stall_the_time_is_what_was_asked_for() -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        async with OwnTimeout(0.05):
            await asyncio.Event().wait()
    assert 0.04 < time.monotonic() - started < 2


async def test_what_ends_in_time_leaves_nothing_behind() -> None:
    async with OwnTimeout(0.01):
        pass
    await asyncio.sleep(0.05)


async def test_every_part_may_be_held_up() -> None:
    async with OwnTimeout(0.05):
        for _ in range(PARTS // 2):
            time.sleep(0.02)  # noqa: ASYNC251  # the process does nothing else meanwhile
            await asyncio.sleep(0)


async def test_another_time_out_is_not_taken_for_ones_own() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            async with OwnTimeout(10):
                await asyncio.Event().wait()


async def test_who_is_cancelled_hears_so() -> None:
    async def wait() -> None:
        async with OwnTimeout(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
