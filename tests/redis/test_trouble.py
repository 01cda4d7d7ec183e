"""Whatever is wrong with the server: every operation ends in time, and in no other way than the port says."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import pytest
from structlog.testing import capture_logs

from adapters.redis.breaker import FAILURES_IN_A_ROW
from adapters.redis.cache import TIMEOUT_S, RedisCache, open_redis_cache
from adapters.redis.line import CONNECTIONS_MAX
from application.cache_ports import CachePort, CacheUnavailable, Look
from tests.contract.cache import FIRST, HERE, KEY
from tests.redis.observer import Heard
from tests.redis.operations import ENTRY, OPERATIONS
from tests.redis.proxy import Mode, Proxy, proxy
from tests.servers import fresh_namespace

pytestmark = pytest.mark.servers

GRACE_S = 0.5
"""What a noisy machine may add to a time-out; redis-py's own would be seconds."""
ERRORS = (
    "-LOADING Redis is loading the dataset in memory",
    "-READONLY You can't write against a read only replica.",
    "-OOM command not allowed when used memory > 'maxmemory'.",
    "-NOAUTH Authentication required.",
    "-NOPERM No permissions to run the command",
    "-MOVED 1 127.0.0.1:1",
    "-ASK 1 127.0.0.1:1",
    "-CLUSTERDOWN The cluster is down",
    "-TRYAGAIN Multiple keys request during rehashing of slot",
    "-CROSSSLOT Keys in request don't hash to the same slot",
    "-MASTERDOWN Link with MASTER is down",
    "-MISCONF Redis is configured to save RDB snapshots",
    "-BUSY Redis is busy running a script.",
    "-NOSCRIPT No matching script.",
    "-NOREPLICAS Not enough good replicas to write.",
    "-WRONGTYPE Operation against a key holding the wrong kind of value",
    "-ERR unknown command 'EVALSHA', with args beginning with: 'user:email:v1:ada@example.org'",
    "-ERR max number of clients reached",
    "-STRANGE",
    "-",
)
STRANGE = (
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02\x46",  # what a TLS server says
    b"\x00\xff\xfe\r\n",
    b"*-7\r\n",
    b"*2\r\n$1\r\n",
    b"$99999999999\r\nx",
    b"*99999999999\r\n",
    b"\r\n",
)
OF_ANOTHER_KIND = (
    b"+OK\r\n",
    b":5\r\n",
    b":-1\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*1\r\n*0\r\n",
    b"*2\r\n:7\r\n:8\r\n",
    b"*2\r\n*0\r\n*0\r\n",
    b"*2\r\n$1\r\n1\r\n$3\r\nabc\r\n",
    b"$3\r\n\xff\xfe\xfd\r\n",
)


@pytest.fixture
async def broken() -> AsyncIterator[Proxy]:
    """A server that is none."""
    async with proxy() as made:
        yield made


def opened(url: str, heard: Heard | None = None, *, patience: float = 1.0) -> aclosing[RedisCache]:
    """Open a cache; *patience* is for tests of something else than time-outs, on a noisy machine."""
    return aclosing(open_redis_cache(url, fresh_namespace(), observer=heard or Heard(), patience=patience))


async def took(operation: str, cache: RedisCache) -> float:
    """Return how long an operation takes that must find the cache unavailable."""
    started = time.monotonic()
    with pytest.raises(CacheUnavailable) as raised:
        await OPERATIONS[operation](cache)
    assert raised.value.__cause__ is None
    assert "@" not in str(raised.value)
    return time.monotonic() - started


def test_no_operation_is_left_out() -> None:
    assert set(OPERATIONS) == set(vars(CachePort)["__abstractmethods__"]) - {"is_healthy"}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_server_that_hangs_is_not_waited_for(operation: str, broken: Proxy) -> None:
    broken.mode = Mode.HANG
    async with opened(broken.url) as cache:
        assert await took(operation, cache) < TIMEOUT_S + GRACE_S


async def test_asking_for_the_health_of_a_server_that_hangs_is_not_waited_for(broken: Proxy) -> None:
    broken.mode = Mode.HANG
    async with opened(broken.url) as cache:
        started = time.monotonic()
        assert not await cache.is_healthy()
        assert time.monotonic() - started < TIMEOUT_S + GRACE_S


@pytest.mark.parametrize(
    "url", ("redis://127.0.0.1:1", "redis://no-such-host.invalid", "unix:///no/such.sock")
)
async def test_where_no_server_is_it_is_told_at_once(url: str) -> None:
    async with opened(url) as cache:
        for operation in OPERATIONS:
            assert await took(operation, cache) < TIMEOUT_S + GRACE_S
        assert not await cache.is_healthy()


async def test_many_at_once_wait_no_longer_than_one(broken: Proxy) -> None:
    """Waiting for a connection, or for looks that are under way, is a part of it."""
    broken.mode = Mode.HANG
    async with opened(broken.url) as cache:
        started = time.monotonic()
        looks = [cache.look(HERE, f"k{number}") for number in range(2000)]
        leases = [
            cache.take_lease(HERE, f"k{number}", "a", lease_s=1) for number in range(20 * CONNECTIONS_MAX)
        ]
        ended = await asyncio.gather(*looks, *leases, return_exceptions=True)
        assert {type(one) for one in ended} == {CacheUnavailable}
        assert time.monotonic() - started < 2.0  # one connection after the other: 20 times the time-out
        assert broken.connections <= 5 * CONNECTIONS_MAX  # one that times out makes room


async def test_a_sweep_does_not_wait_behind_readers(valkey_url: str) -> None:
    async with proxy(valkey_url) as good, opened(good.url, patience=10) as cache:
        await cache.begin(HERE, 1)
        good.delay_s = 0.2
        leases = [
            asyncio.create_task(cache.take_lease(HERE, f"k{number}", "a", lease_s=1))
            for number in range(10 * CONNECTIONS_MAX)
        ]
        await asyncio.sleep(0)
        started = time.monotonic()
        await cache.sweep(HERE, base=1, batch=2, keys=[])
        assert time.monotonic() - started < 5 * good.delay_s
        await asyncio.gather(*leases, return_exceptions=True)


@pytest.mark.parametrize("answer", (*(f"{error}\r\n".encode() for error in ERRORS), *STRANGE), ids=repr)
async def test_an_error_or_nonsense_is_the_cache_being_unavailable(answer: bytes, broken: Proxy) -> None:
    broken.mode, broken.reply = Mode.REPLY, answer
    for operation in OPERATIONS:
        async with opened(broken.url) as cache:
            if (answer, operation) == (b"-NOPERM No permissions to run the command\r\n", "figures"):
                figures = await cache.figures()
                assert (figures.memory_bytes, figures.connected_clients) == (None, None)
            else:
                await took(operation, cache)


@pytest.mark.parametrize("answer", OF_ANOTHER_KIND, ids=repr)
async def test_an_answer_of_another_kind_is_no_other_error(answer: bytes, broken: Proxy) -> None:
    broken.mode, broken.reply = Mode.REPLY, answer
    for operation in OPERATIONS:
        async with opened(broken.url) as cache:
            with suppress(CacheUnavailable):
                result = await OPERATIONS[operation](cache)
                assert operation not in {"take_lease", "fill", "sweep"}, result


@pytest.mark.parametrize("mode", (Mode.HANG, Mode.CUT))
async def test_an_open_breaker_costs_nothing_and_closes_by_itself(mode: Mode, valkey_url: str) -> None:
    heard = Heard()
    async with proxy(valkey_url) as server, opened(server.url, heard, patience=2) as cache:
        with capture_logs() as lines:
            assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
            server.mode = mode
            server.cut_all()
            for _ in range(FAILURES_IN_A_ROW):
                await took("look", cache)
            assert heard.changes == [("reading", "open")]

            connections, started = server.connections, time.monotonic()
            for _ in range(1000):
                await took("look", cache)
                await took("invalidate", cache)
            assert time.monotonic() - started < 5.0  # each for itself would have waited for minutes
            assert server.connections - connections <= 2 * 3  # what the breaker lets through now and then

            server.mode = Mode.PASS
            await until_it_answers(cache)
        assert await cache.fill(HERE, KEY, "a", FIRST, ttl_s=60)
        assert await cache.look(HERE, KEY) == Look(FIRST, None)
        assert heard.changes[-2:] == [("reading", "half_open"), ("reading", "closed")]
        assert [(line["event"], line["side"]) for line in lines] == [
            ("cache_unavailable", "reading"),
            ("cache_available", "reading"),
        ]


async def until_it_answers(cache: RedisCache) -> None:
    async with asyncio.timeout(10):
        while not await cache.is_healthy():  # noqa: ASYNC110  # the breaker tells nobody when it will ask
            await asyncio.sleep(0.01)


async def test_nobody_waits_for_the_probe_of_a_server_that_hangs(valkey_url: str) -> None:
    """The time-out is a long one: what a noisy machine adds to a call that does not wait is far from it."""
    heard, patience = Heard(), 10
    async with proxy(valkey_url) as server, opened(server.url, heard, patience=patience) as cache:
        assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
        server.mode = Mode.CUT
        for _ in range(FAILURES_IN_A_ROW):
            await took("look", cache)
        server.mode = Mode.HANG
        longest_s = 0.0
        async with asyncio.timeout(20):
            while heard.changes.count(("reading", "half_open")) < 2:
                longest_s = max(longest_s, await took("look", cache), await took("invalidate", cache))
                await asyncio.sleep(0.005)
        assert longest_s < patience * TIMEOUT_S / 2


async def test_who_is_cancelled_while_the_probe_is_under_way_does_not_end_it(valkey_url: str) -> None:
    heard = Heard()
    async with proxy(valkey_url) as server, opened(server.url, heard, patience=10) as cache:
        server.mode = Mode.CUT
        for _ in range(FAILURES_IN_A_ROW):
            await took("look", cache)
        server.mode = Mode.PASS
        server.delay_s = 0.2
        async with asyncio.timeout(10):
            while ("reading", "half_open") not in heard.changes:
                asking = asyncio.create_task(cache.get("k"))
                await asyncio.sleep(0)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                await asyncio.sleep(0.01)
            while ("reading", "closed") not in heard.changes:  # noqa: ASYNC110  # the observer only writes down
                await asyncio.sleep(0.01)
        server.delay_s = 0.0
        assert await cache.get("k") is None


async def test_reading_and_sweeping_have_a_breaker_each(broken: Proxy) -> None:
    broken.mode = Mode.CUT
    heard = Heard()
    async with opened(broken.url, heard) as cache:
        for _ in range(FAILURES_IN_A_ROW):
            await took("look", cache)
        assert heard.changes == [("reading", "open")]
        for _ in range(FAILURES_IN_A_ROW):
            await took("sweep", cache)
        assert heard.changes == [("reading", "open"), ("sweeping", "open")]


async def test_connections_that_the_server_has_closed_are_not_used_again(valkey_url: str) -> None:
    """A server that was started anew is no failure to those who ask afterwards."""
    async with proxy(valkey_url) as server, opened(server.url, patience=10) as cache:
        await cache.begin(HERE, 1)
        await asyncio.gather(*(cache.take_lease(HERE, f"k{number}", "a", lease_s=60) for number in range(10)))
        server.cut_all()
        await asyncio.sleep(0.05)
        looks = await asyncio.gather(*(cache.look(HERE, f"k{number}") for number in range(10)))
        assert {look.watermark for look in looks} == {1}
        assert not (await cache.sweep(HERE, base=1, batch=2, keys=[])).is_gap


async def test_a_slow_server_is_waited_for_within_the_time_out(valkey_url: str) -> None:
    async with proxy(valkey_url) as server, opened(server.url, patience=4) as cache:
        await cache.begin(HERE, 1)
        server.delay_s = 0.1
        assert (await cache.look(HERE, KEY)).watermark == 1
        server.delay_s = 5.0
        assert await took("look", cache) < 4 * TIMEOUT_S + GRACE_S


async def test_what_is_cancelled_leaves_no_answer_to_another(valkey_url: str) -> None:
    """A connection on which an answer is still to come must not be used again."""
    async with proxy(valkey_url) as server, opened(server.url, patience=10) as cache:
        await cache.set_many([(f"{number}", b"%d" % number, None) for number in range(100)])
        server.delay_s = 0.005
        for turn in range(20):
            tasks = [asyncio.create_task(cache.get(f"{number}")) for number in range(turn, turn + 10)]
            await asyncio.sleep(0.0005 * turn)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert [await task for task in tasks[1::2]] == [b"%d" % n for n in range(turn + 1, turn + 10, 2)]


@pytest.mark.parametrize("ends", ("cancelled", "closed"))
async def test_who_waits_when_it_ends(ends: str, broken: Proxy) -> None:
    """A cache that is closed leaves nobody waiting, and no task behind."""
    broken.mode = Mode.HANG
    before = asyncio.all_tasks()
    async with opened(broken.url) as cache:
        tasks: list[asyncio.Task[object]] = [
            asyncio.ensure_future(cache.look(HERE, f"k{number}")) for number in range(600)
        ]
        tasks.append(asyncio.create_task(_invalidate(cache)))
        await asyncio.sleep(0.01)
        if ends == "cancelled":
            for task in tasks:
                task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in ended} == {
        asyncio.CancelledError if ends == "cancelled" else CacheUnavailable
    }
    await asyncio.sleep(TIMEOUT_S + GRACE_S)
    assert not [task for task in asyncio.all_tasks() - before if not _is_of_the_server(task)]


def _is_of_the_server(task: "asyncio.Task[object]") -> bool:
    return "Proxy.serve" in repr(task.get_coro())


async def _invalidate(cache: RedisCache) -> None:
    await cache.invalidate([(HERE, KEY)])


async def test_what_is_under_way_when_it_is_closed_ends_first(valkey_url: str) -> None:
    async with proxy(valkey_url) as server:
        async with opened(server.url, patience=10) as cache:
            server.delay_s = 0.03
            tasks = [
                asyncio.create_task(cache.take_lease(HERE, f"k{number}", "a", lease_s=1))
                for number in range(CONNECTIONS_MAX)
            ]
            await asyncio.sleep(0.001)  # they are connecting
        assert await asyncio.gather(*tasks) == [True] * CONNECTIONS_MAX
        with pytest.raises(CacheUnavailable):
            await cache.look(HERE, KEY)


async def test_an_invalidation_that_nobody_waits_for_is_still_carried_out(valkey_url: str) -> None:
    async with proxy(valkey_url) as server, opened(server.url, patience=10) as cache:
        assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
        server.delay_s = 0.05
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await cache.invalidate([(HERE, KEY)])
        await asyncio.sleep(0.1)
        server.delay_s = 0.0
        assert not await cache.fill(HERE, KEY, "a", ENTRY, ttl_s=60)


async def test_invalidations_that_nobody_waits_for_count_as_failures(broken: Proxy) -> None:
    """Else a service that only writes would wait for each, for as long as the server hangs."""
    broken.mode = Mode.HANG
    heard = Heard()
    async with opened(broken.url, heard) as cache:
        for _ in range(FAILURES_IN_A_ROW):
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await cache.invalidate([(HERE, KEY)])
        await asyncio.sleep(TIMEOUT_S + GRACE_S)
        assert heard.changes == [("reading", "open")]


async def test_no_error_is_left_for_the_event_loop(broken: Proxy) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    broken.mode = Mode.CUT
    async with opened(broken.url) as cache:
        for pause_s in (0.0, 0.001, 0.002, 0.005):
            tasks: list[asyncio.Task[object]] = [
                asyncio.ensure_future(cache.look(HERE, f"k{number}")) for number in range(10)
            ]
            tasks.append(asyncio.create_task(_invalidate(cache)))
            await asyncio.sleep(pause_s)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)
    gc.collect()
    assert complaints == []
