"""Looks of one turn of the event loop are one command, and nobody suffers from being joined."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from adapters.redis import joining
from adapters.redis.cache import TIMEOUT_S, RedisCache, open_redis_cache
from adapters.redis.joining import LOOKS_MAX, UNDER_WAY_MAX
from application.cache_ports import Entry, Look, Place
from tests.contract.cache import FIRST, HERE, KEY, NEXT
from tests.redis.observer import Heard
from tests.redis.proxy import proxy
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def cache(valkey_url: str, heard: Heard) -> AsyncIterator[RedisCache]:
    opened = open_redis_cache(valkey_url, fresh_namespace(), observer=heard, patience=20)
    async with aclosing(opened) as cache:
        yield cache


@pytest.fixture
async def server(valkey_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(valkey_url) as server:
        yield server


async def commands(server: Redis) -> dict[str, int]:
    """Return how often each command was called since the last time, but for what this asks itself."""
    told = await server.info("commandstats")
    await server.config_resetstat()
    counts = {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in told.items()}
    ours = {"info", "config", "config|resetstat", "client", "client|setinfo"}
    return {name: calls for name, calls in counts.items() if name not in ours}


async def test_looks_of_one_turn_are_one_command(cache: RedisCache, server: Redis, heard: Heard) -> None:
    await cache.begin(HERE, 1)
    await cache.begin(NEXT, 2)
    await commands(server)
    heard.operations.clear()
    looks = await asyncio.gather(
        *(cache.look(place, f"k{number % 50}") for number in range(100) for place in (HERE, NEXT))
    )
    assert looks == [Look(None, watermark) for _ in range(100) for watermark in (1, 2)]
    assert await commands(server) == {"mget": 1}
    assert heard.results == [("look", "ok")]


async def test_too_many_looks_travel_in_several(cache: RedisCache, server: Redis) -> None:
    await commands(server)
    count = LOOKS_MAX * (UNDER_WAY_MAX + 2) + 1
    await asyncio.gather(*(cache.look(HERE, f"k{number}") for number in range(count)))
    called = await commands(server)
    assert called == {"mget": UNDER_WAY_MAX + 3}


async def test_what_is_asked_for_meanwhile_joins_the_next(valkey_url: str, server: Redis) -> None:
    async with (
        proxy(valkey_url) as slow,
        aclosing(open_redis_cache(slow.url, fresh_namespace(), observer=Heard(), patience=20)) as cache,
    ):
        await asyncio.gather(*(cache.get(f"{number}") for number in range(10)))  # connections
        await commands(server)
        slow.delay_s = 0.05
        tasks = []
        for number in range(20):
            tasks.append(asyncio.ensure_future(cache.look(HERE, f"k{number}")))
            await asyncio.sleep(0.0005)
        await asyncio.gather(*tasks)
        called = await commands(server)
        assert UNDER_WAY_MAX <= called["mget"] < 20


async def test_who_asks_while_others_always_wait_has_a_time_out_of_his_own(
    valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "UNDER_WAY_MAX", 1)
    monkeypatch.setattr(joining, "LOOKS_MAX", 1)
    async with (
        proxy(valkey_url) as slow,
        aclosing(open_redis_cache(slow.url, fresh_namespace(), observer=Heard(), patience=4)) as cache,
    ):
        slow.delay_s = 0.005

        async def look_again_and_again() -> None:
            async with asyncio.timeout(3 * 4 * TIMEOUT_S):
                while True:
                    await cache.look(HERE, KEY)

        tasks = [asyncio.create_task(look_again_and_again()) for _ in range(8)]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in ended} == {TimeoutError}


async def test_a_look_is_at_the_server_after_it_was_asked_for(cache: RedisCache) -> None:
    """It never joins what was sent before: what it would tell is older than the question."""
    await cache.begin(HERE, 1)
    for number in range(50):
        first = asyncio.ensure_future(cache.look(HERE, KEY))
        await asyncio.sleep(0)
        await cache.sweep(HERE, base=1, batch=number + 2, keys=[])
        assert (await cache.look(HERE, KEY)).watermark == number + 2
        await first


async def test_whoever_is_cancelled_the_others_get_their_answers(cache: RedisCache) -> None:
    keys = [f"k{number}" for number in range(20)]
    for key in keys:
        await cache.take_lease(HERE, key, "a", lease_s=60)
        await cache.fill(HERE, key, "a", Entry(1, key.encode()), ttl_s=60)
    for turns in range(5):
        for cancelled in ([0], [19], [0, 7, 19], list(range(19))):
            tasks = [asyncio.ensure_future(cache.look(HERE, key)) for key in keys]
            for _ in range(turns):
                await asyncio.sleep(0)
            for number in cancelled:
                tasks[number].cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for number, (key, look) in enumerate(zip(keys, ended, strict=True)):
                expected = Look(Entry(1, key.encode()), None)
                assert look == expected or (number in cancelled and isinstance(look, asyncio.CancelledError))


async def test_what_travels_together_belongs_to_nobody(
    cache: RedisCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not to the request that asked first, nor to its log lines, nor to its unit of work."""
    of_request: contextvars.ContextVar[str] = contextvars.ContextVar("of_request", default="nobody")
    seen: list[str] = []
    call = cache.reading.call

    async def spy(*arguments: object, **named: object) -> object:
        seen.append(of_request.get())
        return await call(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(type(cache.reading), "call", lambda _line, *a, **n: spy(*a, **n))
    of_request.set("somebody")
    await cache.look(HERE, KEY)
    assert seen == ["nobody"]


async def test_hits_and_misses_are_counted_for_each_who_asked(cache: RedisCache) -> None:
    await cache.take_lease(HERE, KEY, "a", lease_s=60)
    await cache.fill(HERE, KEY, "a", FIRST, ttl_s=60)
    await cache.take_lease(HERE, "leased", "a", lease_s=60)
    await asyncio.gather(*(cache.look(HERE, key) for key in (KEY, KEY, "none", "leased", KEY)))
    await cache.look(Place(0, 1), KEY)
    figures = await cache.figures()
    assert (figures.hits, figures.misses) == (3, 3)


async def test_a_script_that_the_server_has_forgotten_is_told_again(cache: RedisCache, server: Redis) -> None:
    for turn in range(3):
        await server.script_flush()
        assert await cache.take_lease(HERE, f"k{turn}", "a", lease_s=60)
        await server.script_flush()
        assert await cache.fill(HERE, f"k{turn}", "a", FIRST, ttl_s=60)
        await server.script_flush()
        await cache.begin(Place(0, turn), 1)
        await server.script_flush()
        assert not (await cache.sweep(Place(0, turn), base=1, batch=2, keys=[])).is_gap


async def test_each_step_of_the_protocol_is_one_round_trip(cache: RedisCache, server: Redis) -> None:
    """Once the server knows the scripts."""
    steps = (
        lambda: cache.begin(HERE, 1),
        lambda: cache.take_lease(HERE, KEY, "a", lease_s=60),
        lambda: cache.fill(HERE, KEY, "a", FIRST, ttl_s=60),
        lambda: cache.look(HERE, KEY),
        lambda: cache.follow(HERE, KEY, "user:v1:"),
        lambda: cache.invalidate([(HERE, KEY), (NEXT, KEY)]),
        lambda: cache.sweep(HERE, base=1, batch=5, keys=[(KEY, 0), ("other", 0)]),
    )
    for step in steps:
        await step()
    for step in steps:
        await commands(server)
        await step()
        called = await commands(server)
        of_ours = {
            name: calls for name, calls in called.items() if name in {"evalsha", "eval", "script|load"}
        }
        if of_ours:
            assert of_ours == {"evalsha": 1}
        else:
            assert sum(called.values()) == 1
