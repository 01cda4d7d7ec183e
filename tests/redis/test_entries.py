"""What stands in a key: encoded and decoded, and whatever else may stand there."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from adapters.redis.cache import RedisCache, open_redis_cache
from adapters.redis.entries import Undecodable, decode, encode_entry, encode_lease, encode_token
from application.cache_ports import Entry, Lease, Look, Place
from tests.contract.cache import FIRST, HERE, KEY, SECOND
from tests.redis.commands import command
from tests.redis.observer import Heard
from tests.servers import fresh_namespace

NAMESPACE = fresh_namespace()
NAME = f"{NAMESPACE}:{{00}}:{HERE.epoch}:{KEY}"
WATERMARK = f"{NAMESPACE}:{{00}}:{HERE.epoch}:wm"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
tokens = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16)
entries = st.builds(Entry, st.integers(0, 2**64 - 1), st.binary(max_size=300))


@given(texts, entries)
def test_an_entry_comes_back(key: str, entry: Entry) -> None:
    assert decode(key.encode(), encode_entry(key, entry)) == entry


@given(texts, tokens)
def test_a_lease_comes_back(key: str, token: str) -> None:
    assert decode(key.encode(), encode_lease(key, encode_token(token))) == Lease(token)


@given(texts, texts, entries)
def test_an_entry_is_of_its_key_only(key: str, other: str, entry: Entry) -> None:
    if key != other:
        with pytest.raises(Undecodable):
            decode(other.encode(), encode_entry(key, entry))


@given(texts, st.binary(max_size=100))
def test_anything_else_is_undecodable(key: str, value: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(key.encode(), value)


@given(texts, entries, st.data())
def test_an_entry_that_was_damaged_is_undecodable(key: str, entry: Entry, data: st.DataObject) -> None:
    """But for the token, which is written into it on purpose."""
    value = bytearray(encode_entry(key, entry))
    at = data.draw(st.sampled_from([n for n in range(len(value)) if not 2 <= n < 18]))
    value[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Undecodable):
        decode(key.encode(), bytes(value))


def test_an_empty_entry_that_says_it_is_a_lease_is_undecodable() -> None:
    """What it is stands outside of the checksum; but a lease has a token."""
    value = encode_entry("key", Entry(1, b"")).replace(b"E", b"L", 1)
    with pytest.raises(Undecodable):
        decode(b"key", value)


@given(texts, entries, st.data())
def test_an_entry_that_was_cut_is_undecodable(key: str, entry: Entry, data: st.DataObject) -> None:
    value = encode_entry(key, entry)
    with pytest.raises(Undecodable):
        decode(key.encode(), value[: data.draw(st.integers(0, len(value) - 1))])
    with pytest.raises(Undecodable):
        decode(key.encode(), value + b"x")


@pytest.fixture
async def cache(valkey_url: str) -> AsyncIterator[RedisCache]:
    async with aclosing(open_redis_cache(valkey_url, NAMESPACE, observer=Heard(), patience=20)) as cache:
        yield cache


@pytest.fixture
async def server(valkey_url: str) -> AsyncIterator[Redis]:
    """The server itself, where nothing stands under the names of the test."""
    async with Redis.from_url(valkey_url) as server:
        await server.delete(NAME, WATERMARK)
        yield server


STRANGE = (
    b"",
    b"x",
    b"garbage" * 20,
    b"g" * 1_000_000,
    encode_entry("another", FIRST),
    encode_entry(KEY, FIRST)[:-1],
    encode_entry(KEY, FIRST).replace(b"first", b"First"),
    b"\x02" + encode_entry(KEY, FIRST)[1:],
    encode_lease("another", encode_token("a")),
    encode_lease(KEY, b"\xff" * 16),
)


@pytest.mark.servers
@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: repr(value[:20]))
async def test_what_does_not_decode_is_removed_and_a_miss(
    strange: bytes, cache: RedisCache, server: Redis
) -> None:
    await cache.begin(HERE, 5)
    await server.set(NAME, strange)
    assert await cache.look(HERE, KEY) == Look(None, 5, undecodable=True)
    assert await server.exists(NAME) == 0
    assert await cache.look(HERE, KEY) == Look(None, 5)
    assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
    figures = await cache.figures()
    assert (figures.hits, figures.misses) == (0, 2)


@pytest.mark.servers
@pytest.mark.parametrize("renewing", (False, True))
@pytest.mark.parametrize("strange", STRANGE, ids=lambda value: repr(value[:20]))
async def test_nothing_is_stored_beside_what_does_not_decode(
    strange: bytes,
    *,
    renewing: bool,
    cache: RedisCache,
    server: Redis,
) -> None:
    """Whatever is made of it: in the end there is a good value, or a miss."""
    await server.set(NAME, strange)
    if await cache.take_lease(HERE, KEY, "a", lease_s=60, renewing=renewing):
        await cache.fill(HERE, KEY, "a", SECOND, ttl_s=60)
    assert (await cache.look(HERE, KEY)).held in {None, SECOND}
    if (await cache.look(HERE, KEY)).held is None:
        assert await cache.take_lease(HERE, KEY, "b", lease_s=60)


@pytest.mark.servers
async def test_what_came_in_its_place_meanwhile_is_not_removed(cache: RedisCache, server: Redis) -> None:
    await server.set(NAME, encode_entry(KEY, SECOND))
    await cache._looks._remove(NAME.encode(), b"strange")
    assert (await cache.look(HERE, KEY)).held == SECOND


@pytest.mark.servers
@pytest.mark.parametrize("kind", ("list", "hash", "set"))
async def test_what_is_no_string_is_in_nobodys_way(kind: str, cache: RedisCache, server: Redis) -> None:
    async def spoil(name: str) -> None:
        await server.delete(name)
        if kind == "list":
            await command(server, "RPUSH", name, "1")
        elif kind == "hash":
            await command(server, "HSET", name, "1", "1")
        else:
            await command(server, "SADD", name, "1")

    await spoil(NAME)
    assert await cache.look(HERE, KEY) == Look(None, None)
    assert not await cache.fill(HERE, KEY, "a", FIRST, ttl_s=60)
    assert await cache.take_lease(HERE, KEY, "a", lease_s=60)
    assert await cache.fill(HERE, KEY, "a", FIRST, ttl_s=60)
    await cache.begin(HERE, 5)
    await spoil(NAME)
    assert not (await cache.sweep(HERE, base=5, batch=6, keys=[(KEY, 1)])).is_gap
    assert await server.exists(NAME) == 0
    await spoil(NAME)
    await cache.invalidate([(HERE, KEY)])
    assert await server.exists(NAME) == 0
    plain = f"{NAMESPACE}:plain:{{00}}:k"
    await spoil(plain)
    assert await cache.get("k") is None
    assert await cache.set("k", b"1")
    assert await cache.get("k") == b"1"


@pytest.mark.servers
@pytest.mark.parametrize("strange", ("", "x", "-1", "1.5", "1e3", "0x10", " 7", "7 ", "\0", "list"))
async def test_a_watermark_that_is_no_number_is_none(strange: str, cache: RedisCache, server: Redis) -> None:
    if strange == "list":
        await command(server, "RPUSH", WATERMARK, "1")
    else:
        await server.set(WATERMARK, strange)
    await cache.take_lease(HERE, KEY, "a", lease_s=60)
    assert (await cache.look(HERE, KEY)).watermark is None
    swept = await cache.sweep(HERE, base=0, batch=2**40, keys=[(KEY, 0)])
    assert (swept.is_gap, swept.watermark) == (True, None)
    assert (await cache.look(HERE, KEY)).held == Lease("a")
    await cache.begin(HERE, 3)
    assert (await cache.look(HERE, KEY)).watermark is None
    await cache.begin(Place(0, 1000), 3)
    assert (await cache.look(Place(0, 1000), KEY)).watermark == 3


@pytest.mark.servers
async def test_the_watermark_never_expires_and_the_rest_does(cache: RedisCache, server: Redis) -> None:
    await cache.begin(HERE, 5)
    await cache.take_lease(HERE, KEY, "a", lease_s=60)
    assert 55 < await server.ttl(NAME) <= 60
    await cache.fill(HERE, KEY, "a", FIRST, ttl_s=3600)
    assert 3500 < await server.ttl(NAME) <= 3600
    await cache.sweep(HERE, base=5, batch=6, keys=[(KEY, 1)])
    assert 3500 < await server.ttl(NAME) <= 3600
    assert await server.ttl(WATERMARK) == -1
    assert await server.get(WATERMARK) == b"6"
