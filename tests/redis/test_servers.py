"""Servers of other kinds and in other states: a Cluster, a replica, a full one, one that forbids much, TLS."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection
from redis.crc import key_slot

from adapters.redis.cache import TIMEOUT_S, RedisCache, open_redis_cache
from adapters.redis.client import open_client
from application.cache_ports import CacheUnavailable, Lease, Look
from tests.contract.cache import FIRST, HERE, KEY, OTHER, SECOND
from tests.redis.cluster import SLOTS, move_slot, running_cluster
from tests.redis.commands import command
from tests.redis.observer import Heard
from tests.redis.proxy import Mode, proxy
from tests.servers import fresh_namespace, running_valkey, running_valkey_with_port

pytestmark = pytest.mark.servers


GRACE_S = 0.5


def opened(url: str, *, patience: float = 20) -> aclosing[RedisCache]:
    return aclosing(open_redis_cache(url, fresh_namespace(), observer=Heard(), patience=patience))


@pytest.fixture
async def own_server() -> AsyncIterator[tuple[str, Redis]]:
    """A server that the test may spoil."""
    with running_valkey() as url:
        async with Redis.from_url(url) as server:
            yield url, server


async def test_a_server_whose_memory_is_full_still_forgets(own_server: tuple[str, Redis]) -> None:
    """What is in it is invalidated, its watermark rises and a new epoch begins; only nothing is stored."""
    url, server = own_server
    async with opened(url) as cache:
        await cache.begin(HERE, 1)
        for key in (KEY, OTHER, "third"):
            assert await cache.take_lease(HERE, key, "a", lease_s=60)
            assert await cache.fill(HERE, key, "a", SECOND, ttl_s=60)
        assert await cache.take_lease(HERE, "third", "b", lease_s=60, renewing=True)
        await server.config_set("maxmemory-policy", "noeviction")
        await server.config_set("maxmemory", "1")
        with pytest.raises(CacheUnavailable):
            await cache.take_lease(HERE, "new", "a", lease_s=60)
        with pytest.raises(CacheUnavailable):
            await cache.fill(HERE, "third", "b", FIRST, ttl_s=60)
        swept = await cache.sweep(HERE, base=1, batch=2, keys=[("third", 2), (KEY, 0)])
        assert (swept.is_gap, swept.watermark) == (False, 2)
        assert await cache.look(HERE, KEY) == Look(None, 2)
        assert await cache.look(HERE, "third") == Look(SECOND, 2)
        assert not (await cache.sweep(HERE, base=2, batch=3, keys=[])).is_gap
        await cache.invalidate([(HERE, OTHER)])
        assert await cache.look(HERE, OTHER) == Look(None, 3)
        next_place = type(HERE)(HERE.shard, HERE.epoch + 1)
        await cache.begin(next_place, 4)
        assert await cache.look(next_place, KEY) == Look(None, 4)
        await server.config_set("maxmemory", "0")
        assert not await cache.fill(HERE, "third", "b", FIRST, ttl_s=60)
        assert await cache.take_lease(HERE, "new", "a", lease_s=60)


async def test_a_server_that_forbids_info_tells_no_figures(own_server: tuple[str, Redis]) -> None:
    url, server = own_server
    await command(server, "ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info")
    async with opened(f"unix://app:secret@{urlsplit(url).path}") as cache:
        await cache.get("k")
        figures = await cache.figures()
        assert (figures.misses, figures.memory_bytes, figures.connected_clients) == (1, None, None)
    async with opened(url) as cache:
        figures = await cache.figures()
        assert (figures.memory_bytes or 0) > 100_000
        assert (figures.connected_clients or 0) >= 1


NEEDED = "+mget +set +unlink +del +exists +scan +eval +evalsha +getrange +setrange"
"""All commands that a user of the server must be allowed; `+info` for its figures."""


async def test_few_commands_are_needed(own_server: tuple[str, Redis]) -> None:
    url, server = own_server
    namespace = fresh_namespace()
    await command(server, "ACL", "SETUSER", "app", "on", ">secret", f"~{namespace}:*", *NEEDED.split())
    address = f"unix://app:secret@{urlsplit(url).path}"
    async with aclosing(open_redis_cache(address, namespace, observer=Heard(), patience=20)) as cache:
        assert await cache.is_healthy()
        await cache.set_many([("k", b"1", None), ("l", b"1", 60.0)])
        assert await cache.get("k") == b"1"
        assert await cache.delete_prefix("k", limit=10) == 1
        await cache.begin(HERE, 1)
        assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
        assert await cache.fill(HERE, KEY, "a", FIRST, ttl_s=60)
        assert await cache.take_lease(HERE, KEY, "b", lease_s=60, renewing=True)
        assert not (await cache.sweep(HERE, base=1, batch=2, keys=[(KEY, 1)])).is_gap
        await server.set(f"{namespace}:{{00}}:{HERE.epoch}:{KEY}", b"strange")
        assert (await cache.look(HERE, KEY)).undecodable
        assert await cache.look(HERE, KEY) == Look(None, 2)
        assert await cache.follow(HERE, KEY, "user:v1:") == (Look(None, 2), None)
        await cache.invalidate([(HERE, KEY)])
        assert (await cache.figures()).memory_bytes is None


async def test_a_password_that_is_wrong_or_missing(own_server: tuple[str, Redis]) -> None:
    url, server = own_server
    await server.config_set("requirepass", "secret")
    path = urlsplit(url).path
    async with opened(f"unix://:secret@{path}") as cache:
        assert await cache.is_healthy()
    for bad in (url, f"unix://:wrong@{path}", f"unix://nobody:secret@{path}"):
        async with opened(bad) as cache:
            assert not await cache.is_healthy()
            with pytest.raises(CacheUnavailable) as raised:
                await cache.look(HERE, KEY)
            assert "wrong" not in str(raised.value)
    await command(server, "AUTH", "secret")
    await server.config_set("requirepass", "")  # the keeper of the server has none


async def test_a_database_of_its_own(own_server: tuple[str, Redis]) -> None:
    url, server = own_server
    async with opened(f"{url}?db=3") as cache:
        await cache.set("k", b"1")
        assert await cache.get("k") == b"1"
        assert await server.dbsize() == 0


async def test_a_replica_is_read_and_written_to_when_it_is_promoted() -> None:
    """At an address that leads to another server now: it may have lost what came last, and says so."""
    with (
        running_valkey_with_port({"repl-diskless-sync-delay": "0"}) as (_, port),
        running_valkey() as replica_url,
    ):
        namespace = fresh_namespace()
        primary_url = f"redis://127.0.0.1:{port}"
        async with (
            Redis.from_url(replica_url) as replica,
            aclosing(open_redis_cache(primary_url, namespace, observer=Heard(), patience=20)) as before,
            aclosing(open_redis_cache(replica_url, namespace, observer=Heard(), patience=20)) as cache,
        ):
            await before.begin(HERE, 1)
            assert await before.take_lease(HERE, KEY, "a", lease_s=60)
            assert await before.fill(HERE, KEY, "a", FIRST, ttl_s=60)
            assert await before.take_lease(HERE, OTHER, "b", lease_s=60)
            await command(replica, "REPLICAOF", "127.0.0.1", port)
            await _until_equal(cache, Look(FIRST, 1))
            with pytest.raises(CacheUnavailable):
                await cache.take_lease(HERE, "new", "c", lease_s=60)
            with pytest.raises(CacheUnavailable):
                await cache.sweep(HERE, base=1, batch=2, keys=[(KEY, 0)])
            with pytest.raises(CacheUnavailable):
                await cache.invalidate([(HERE, KEY)])
            assert await cache.look(HERE, KEY) == Look(FIRST, 1)

            assert not (await before.sweep(HERE, base=1, batch=2, keys=[(KEY, 0)])).is_gap
            await _until_equal(cache, Look(None, 2))  # a script comes over whole
            await command(replica, "REPLICAOF", "NO", "ONE")
            assert not (await before.sweep(HERE, base=2, batch=3, keys=[])).is_gap  # this one is lost
            swept = await cache.sweep(HERE, base=3, batch=4, keys=[])
            assert (swept.is_gap, swept.watermark) == (True, 2)
            assert (await cache.look(HERE, OTHER)).held == Lease("b")
            assert await cache.fill(HERE, OTHER, "b", SECOND, ttl_s=60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Sequence[int]]:
    with running_cluster(nodes=2) as ports:
        yield ports


async def test_a_cluster_is_asked_where_the_keys_are(cluster: Sequence[int]) -> None:
    """Any of its nodes will do for a beginning; and when a slot moves, the next call follows it."""
    slot = key_slot(b"{00}")
    owner = cluster[slot * len(cluster) // SLOTS]
    others = [port for port in cluster if port != owner]
    async with opened(f"redis://127.0.0.1:{others[0]}?cluster=true") as cache:
        await cache.begin(HERE, 1)
        assert await cache.look(HERE, KEY) == Look(None, 1)
        await cache.set_many([("k", b"1", None), ("l", b"2", 60.0)])
        assert await cache.get_many(["l", "k"]) == [b"2", b"1"]
        assert (await cache.figures()).memory_bytes is not None
        assert await cache.delete_prefix("", limit=10) == 2

        async with Redis(port=owner) as node:
            await node.flushall()
        await move_slot(slot, [owner, *others])
        assert await cache.look(HERE, KEY) == Look(None, None)
        assert (await cache.sweep(HERE, base=1, batch=2, keys=[])).is_gap
        await cache.begin(HERE, 5)
        assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
        assert await cache.fill(HERE, KEY, "a", FIRST, ttl_s=60)
        assert await asyncio.gather(*(cache.look(HERE, KEY) for _ in range(100))) == [Look(FIRST, 5)] * 100


async def test_a_cluster_that_is_not_there_is_not_waited_for_and_found_when_it_is() -> None:
    async with proxy() as nobody, opened(f"{nobody.url}?cluster=true", patience=1) as cache:
        nobody.mode = Mode.HANG
        started = time.monotonic()
        with pytest.raises(CacheUnavailable):
            await cache.look(HERE, KEY)
        assert time.monotonic() - started < TIMEOUT_S + GRACE_S


async def _until_equal(cache: RedisCache, expected: Look) -> None:
    async with asyncio.timeout(20):
        while await cache.look(HERE, KEY) != expected:  # noqa: ASYNC110  # a replica tells nobody
            await asyncio.sleep(0.02)


async def test_over_tls_a_server_is_believed_by_its_certificate(
    own_server: tuple[str, Redis], tmp_path: Path
) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ours.pem")
    stranger.cert_pem.write_to_path(tmp_path / "strange.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with proxy(own_server[0], tls=context) as encrypted:
        address = f"rediss://127.0.0.1:{encrypted.port}/0?ssl_ca_certs="
        async with opened(f"{address}{tmp_path / 'ours.pem'}") as cache:
            await cache.begin(HERE, 1)
            assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
            assert await cache.fill(HERE, KEY, "a", FIRST, ttl_s=60)
            assert await cache.look(HERE, KEY) == Look(FIRST, 1)
        async with opened(f"{address}{tmp_path / 'strange.pem'}") as cache:
            assert not await cache.is_healthy()
            with pytest.raises(CacheUnavailable):
                await cache.look(HERE, KEY)


def test_an_address_says_how_the_server_is_spoken_to() -> None:
    def connections_of(url: str) -> type[object]:
        client = open_client(url, connections_max=1)
        assert isinstance(client, Redis)
        return client.connection_pool.connection_class

    assert issubclass(connections_of("rediss://cache.example.org:6380/0"), SSLConnection)
    assert not issubclass(connections_of("redis://cache.example.org"), SSLConnection)
    for bad in ("http://cache", "redis://cache/1?cluster=true", "unix:///cache.sock?cluster=true"):
        with pytest.raises(ValueError, match=r"scheme|cluster"):
            open_client(bad, connections_max=1)
