"""A store and a cache, the processes that share them, and short words for what a test does with them."""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import attrs
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.clock import MovableClock
from adapters.codecs import REFERENCES, USERS
from adapters.memory.cache import MemoryCache
from adapters.memory.invalidations import MemoryInvalidationLog
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from adapters.postgres.database import set_clock
from adapters.postgres.invalidations import PostgresInvalidationLog, write_invalidations
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from adapters.redis.cache import RedisCache, open_redis_cache
from adapters.redis.client import open_client
from adapters.redis.wire import Wires
from application.announcer import Announcer
from application.cache_ports import (
    SHARDS,
    CachePort,
    CacheUnavailable,
    Entry,
    InvalidationLog,
    Lease,
    Place,
    Poll,
)
from application.cached_reader import CachedUserReader
from application.cached_values import CachedValues, Load, Read
from application.invalidation import email_reference_key, user_key
from application.observing import Bypass, CacheObserver, Source
from application.ports import EventHandler, UnitOfWork, UserReader
from application.sweeping import InvalidateAtOnce, SweepInvalidations
from application.trust import QUIET_AFTER_S, Trust
from application.users import ChangeUser, RegisterUser, RemoveUser
from application.views import UserView
from domain.events import Event, UserChanged
from domain.user import UserId
from tests.contract.adapters import POLICY, START
from tests.servers import fresh_namespace

Restore = Callable[[], Awaitable[None]]
ADA = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "Ada@example.com",
    "timezone": "Europe/Berlin",
    "birthday": "1990-03-14",
}
PATIENCE = 50.0
"""How much longer calls may take than in production: this machine may be busy."""
GARBAGE = b"\xc1 no such value"


@attrs.define(eq=False)
class Monotonic:
    """A monotonic clock that goes on only when it is told to."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@attrs.define(eq=False)
class Told(CacheObserver):
    """What a process told of its cache."""

    reads: list[tuple[Source, Bypass | None]] = attrs.field(factory=list)
    fills: list[bool] = attrs.field(factory=list)
    undecodable: int = 0
    gaps: list[bool] = attrs.field(factory=list)
    swept_keys: list[int] = attrs.field(factory=list)
    audits: list[tuple[float, bool]] = attrs.field(factory=list)

    def operation_ended(self, operation: str, result: str, seconds: float) -> None:
        """Of no concern here."""

    def breaker_changed(self, side: str, state: str) -> None:
        """Of no concern here."""

    def polled(self, poll: Poll) -> None:
        """Of no concern here."""

    def value_read(self, source: Source, bypass: Bypass | None = None) -> None:
        self.reads.append((source, bypass))

    def fill_ended(self, *, stored: bool) -> None:
        self.fills.append(stored)

    def entry_undecodable(self) -> None:
        self.undecodable += 1

    def batch_swept(self, keys: int, lag_s: float) -> None:
        self.swept_keys.append(keys)

    def gap_found(self, *, is_new_epoch: bool) -> None:
        self.gaps.append(is_new_epoch)

    def hit_audited(self, horizon_s: float, *, is_stale: bool) -> None:
        self.audits.append((horizon_s, is_stale))

    @property
    def bypasses(self) -> Counter[Bypass | None]:
        return Counter(bypass for source, bypass in self.reads if source is Source.BYPASS)


@attrs.define(eq=False)
class Process:
    """What one process of the service has of its own: its trust, its loads under way, its use cases."""

    world: "World"
    cache: CachePort
    log: InvalidationLog
    user_reader: UserReader
    begin: Callable[[EventHandler], UnitOfWork]
    values_class: type[CachedValues[Any]] = CachedValues
    trust_class: type[Trust] = Trust
    sweep_class: type[SweepInvalidations] = SweepInvalidations
    told: Told = attrs.field(factory=Told)
    announcer: Announcer = attrs.field(factory=Announcer, init=False)
    trust: Trust = attrs.field(init=False)
    users: CachedValues[UserView] = attrs.field(init=False)
    references: CachedValues[UUID] = attrs.field(init=False)
    reader: CachedUserReader = attrs.field(init=False)
    at_once: InvalidateAtOnce = attrs.field(init=False)
    sweep: SweepInvalidations = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.trust = self.trust_class(self.log, self.world.monotonic, self.told)
        loads = asyncio.Semaphore(3)
        self.users = self.values_class(self.cache, self.trust, USERS, self.told, loads)
        self.references = self.values_class(self.cache, self.trust, REFERENCES, self.told, loads)
        self.reader = CachedUserReader(self.user_reader, self.users, self.references, self.told)
        self.at_once = InvalidateAtOnce(self.cache, self.trust)
        self.sweep = self.sweep_class(self.log, self.cache, self.trust, self.told)
        self.announcer.subscribe(self.at_once)

    @property
    def register(self) -> RegisterUser:
        return RegisterUser(self.unit_of_work, POLICY)

    @property
    def change(self) -> ChangeUser:
        return ChangeUser(self.unit_of_work, POLICY)

    @property
    def remove(self) -> RemoveUser:
        return RemoveUser(self.unit_of_work, POLICY)

    def unit_of_work(self) -> UnitOfWork:
        return self.begin(self.announcer)

    async def get(self, user: UserView) -> Read[UserView | None]:
        """Read as a request does: by a glance, and on from there where that is no hit."""
        user_id = UserId(user.id)
        glance = self.reader.begin(user_id)
        if glance is not None:
            with suppress(CacheUnavailable):
                await glance.looking
                if (found := self.reader.found(user_id, glance)) is not None:
                    return found
        return await self.reader.get(user_id, glance)

    async def name(self, user: UserView) -> tuple[str | None, Source]:
        read = await self.get(user)
        return None if read.value is None else read.value.first_name, read.source

    async def rename(self, user: UserView, first_name: str) -> UserView:
        return await self.change(UserId(user.id), {"first_name": first_name})

    async def warm_up(self, *users: UserView) -> None:
        """Read people until their next read is a hit."""
        for user in users:
            for _ in range(2):
                await self.reader.find_by_email(user.email)
                read = await self.get(user)
            assert read.source is Source.HIT

    async def warm_up_after_renewal(self, *users: UserView) -> None:
        await self.trust.renew()
        await self.warm_up(*users)

    def replace(self, user: UserView, load: Load[UserView]) -> Awaitable[bool]:
        return self.users.replace(user_key(user.id), load)


@attrs.define(eq=False, kw_only=True)
class World(ABC):
    """A store and a cache, as one family of adapters has them, and the time of all processes."""

    monotonic: Monotonic = attrs.field(factory=Monotonic)
    cache: CachePort
    log: InvalidationLog
    user_reader: UserReader

    @abstractmethod
    def begin(self, handler: EventHandler) -> UnitOfWork: ...

    @abstractmethod
    async def pass_time(self, seconds: float) -> None:
        """Let the processes and the outbox grow older; leases and values in a server's cache do not."""

    @abstractmethod
    async def rename_by_hand(self, user: UserView, first_name: str) -> None:
        """Change a person without a word to any process."""

    @abstractmethod
    async def flush(self) -> None:
        """Let the cache forget everything."""

    @abstractmethod
    async def snapshot(self) -> Restore:
        """Return how the cache is put back to what it holds now."""

    @abstractmethod
    async def lose_watermark(self, place: Place) -> None: ...

    @abstractmethod
    async def put_store_back(self, drawn: int) -> None:
        """Let the outbox be as it was when it had drawn so few numbers, with nothing pending."""

    @abstractmethod
    async def count_rows(self) -> int:
        """Return how many rows the outbox has, pending or delivered."""

    @abstractmethod
    async def change_in_bulk(self) -> None:
        """Change so many people at once that nobody counts them."""

    def process(self, **ports: Any) -> Process:
        """Start a process, which has yet to renew its trust; *ports* stand in for those of the world."""
        own = {"cache": self.cache, "log": self.log, "user_reader": self.user_reader, "begin": self.begin}
        return Process(self, **{**own, **ports})

    async def started(self, **ports: Any) -> Process:
        process = self.process(**ports)
        await process.trust.renew()
        return process

    async def sweep_all(self) -> None:
        """Deliver whatever is pending, whatever it takes; somebody else's dead connection may still have it."""
        sweeper = await self.started()
        for _ in range(200):
            keys = await sweeper.sweep(0)
            await sweeper.trust.renew()
            if not (await self.log.poll(overdue_s=0)).pending and keys == 0:
                return
            await asyncio.sleep(0 if keys else 0.005)
        raise AssertionError("never swept")

    async def find_gap(self) -> Told:
        """Look after the watermark as a process does that has seen no batch for a while."""
        sweeper = await self.started()
        sweeper.trust._batch_seen_at -= QUIET_AFTER_S
        await sweeper.sweep(0)
        return sweeper.told

    async def placed(self) -> Place:
        (place,) = (await self.log.poll(overdue_s=0)).acknowledged
        return place

    async def held(self, key: str) -> Entry | Lease | None:
        return (await self.cache.look(await self.placed(), key)).held

    async def put(self, key: str, payload: bytes, version: int = 1) -> None:
        """Store a payload as if somebody had read it."""
        place = await self.placed()
        assert await self.cache.take_lease(place, key, "put", lease_s=5)
        assert await self.cache.fill(place, key, "put", Entry(version, payload), ttl_s=60)

    async def check(self, *users: UserView) -> None:
        """Assert that what is cached of *users*, where anything is, is what the store says, and so any answer."""
        process = await self.started()
        for user in users:
            stored = await self.user_reader.get(UserId(user.id))
            held = await self.held(user_key(user.id))
            if isinstance(held, Entry):
                assert USERS.decode(held.payload) == stored
            assert (await process.get(user)).value == stored
            expected = await self.user_reader.find_by_email(user.email)
            reference = await self.held(email_reference_key(user.email))
            if isinstance(reference, Entry):
                assert expected is not None
                assert REFERENCES.decode(reference.payload) == expected.id
            assert (await process.reader.find_by_email(user.email)).value == expected


@attrs.define(eq=False, kw_only=True)
class MemoryWorld(World):
    """Everything in this process."""

    store: MemoryStore
    memory: MemoryCache

    @classmethod
    def empty(cls) -> "MemoryWorld":
        monotonic = Monotonic()
        store = MemoryStore(MovableClock(START, speed=0), monotonic=monotonic)
        memory = MemoryCache(monotonic)
        return cls(
            monotonic=monotonic,
            cache=memory,
            log=MemoryInvalidationLog(store),
            user_reader=MemoryUserReader(store),
            store=store,
            memory=memory,
        )

    def begin(self, handler: EventHandler) -> UnitOfWork:
        return MemoryUnitOfWork(self.store, handler)

    async def pass_time(self, seconds: float) -> None:
        self.monotonic.now_s += seconds

    async def rename_by_hand(self, user: UserView, first_name: str) -> None:
        await ChangeUser(partial(MemoryUnitOfWork, self.store), POLICY)(
            UserId(user.id), {"first_name": first_name}
        )

    async def flush(self) -> None:
        self.memory._contents = type(self.memory._contents)()

    async def snapshot(self) -> Restore:
        copy = deepcopy(self.memory._contents)

        async def restore() -> None:
            self.memory._contents = deepcopy(copy)

        return restore

    async def lose_watermark(self, place: Place) -> None:
        self.memory._contents.watermarks.pop(place, None)

    async def put_store_back(self, drawn: int) -> None:
        outbox = self.store.outbox(0)
        outbox.rows = []
        outbox.drawn = outbox.base = drawn

    async def count_rows(self) -> int:
        return len(self.store.outbox(0).rows)

    async def change_in_bulk(self) -> None:
        user = next(iter(self.store.committed.users.values()))
        self.store.commit(self.store.committed.copy(), [UserChanged(user, user)] * 1001)


@attrs.define(eq=False, kw_only=True)
class ValkeyWorld(MemoryWorld):
    """A store in this process, and a real Valkey: for what has to be done a thousand times."""

    raw: Redis

    @classmethod
    def of(cls, cache: RedisCache, raw: Redis) -> "ValkeyWorld":
        world = MemoryWorld.empty()
        return cls(
            monotonic=world.monotonic,
            cache=cache,
            log=world.log,
            user_reader=world.user_reader,
            store=world.store,
            memory=world.memory,
            raw=raw,
        )

    async def flush(self) -> None:
        await self.raw.flushall()

    async def snapshot(self) -> Restore:
        return await snapshot_of(self.raw, self.cache)

    async def lose_watermark(self, place: Place) -> None:
        await lose_watermark_of(self.raw, place)


@attrs.define(eq=False, kw_only=True)
class ServersWorld(World):
    """PostgreSQL and Valkey."""

    engine: AsyncEngine
    raw: Redis

    def begin(self, handler: EventHandler) -> UnitOfWork:
        return PostgresUnitOfWork(self.engine, handler)

    async def pass_time(self, seconds: float) -> None:
        self.monotonic.now_s += seconds
        await self.do(
            "UPDATE invalidations SET written_at = written_at - CAST(:age AS interval), "
            "delivered_at = delivered_at - CAST(:age AS interval)",
            age=timedelta(seconds=seconds),
        )

    async def rename_by_hand(self, user: UserView, first_name: str) -> None:
        await self.do(
            "UPDATE users SET first_name = :name WHERE id = CAST(:id AS uuid)", name=first_name, id=user.id
        )

    async def flush(self) -> None:
        await self.raw.flushall()

    async def snapshot(self) -> Restore:
        return await snapshot_of(self.raw, self.cache)

    async def lose_watermark(self, place: Place) -> None:
        await lose_watermark_of(self.raw, place)

    async def put_store_back(self, drawn: int) -> None:
        await self.do("DELETE FROM invalidations")
        await self.do("UPDATE cache_shards SET drawn = :drawn, base = :drawn", drawn=drawn)

    async def count_rows(self) -> int:
        async with self.engine.connect() as connection:
            rows: int = (await connection.execute(text("SELECT count(*) FROM invalidations"))).scalar_one()
        return rows

    async def change_in_bulk(self) -> None:
        same = (
            "first_name, last_name, timezone, birthday_year, birthday_month, birthday_day, anniversary_on, "
            "leap_day_rule, version, created_at, updated_at, birthday_known_at, anniversary_known_at"
        )
        await self.do(
            f"INSERT INTO users (id, email, {same}) SELECT gen_random_uuid(), n || '@bulk.example', {same} "
            "FROM (SELECT * FROM users LIMIT 1) u, generate_series(1, 1001) n"
        )
        await self.do("UPDATE users SET first_name = 'Bulk' WHERE email LIKE '%@bulk.example'")

    async def do(self, statement: str, **values: Any) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement), values)


async def snapshot_of(raw: Redis, cache: CachePort) -> Restore:
    """Copy what a server holds of one cache, as a lagging replica or an old file has it."""
    assert isinstance(cache, RedisCache)
    pattern = f"{cache._keys.namespace}:*"
    copies = [
        (key, max(await raw.pttl(key), 0), await raw.dump(key) or b"") for key in await raw.keys(pattern)
    ]

    async def restore() -> None:
        await raw.flushall()
        for copy in copies:
            await raw.restore(*copy)

    return restore


async def lose_watermark_of(raw: Redis, place: Place) -> None:
    for key in await raw.keys(f"*:{{{place.shard:02d}}}:{place.epoch}:wm"):
        await raw.delete(key)


async def begun(world: World) -> World:
    """Return *world* with its first epoch begun: its processes believe the cache."""
    assert SHARDS == 1
    await world.sweep_all()
    return world


_EMPTY = (
    "DELETE FROM messages",
    "DELETE FROM users",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "DELETE FROM invalidations",
    "INSERT INTO invalidations (shard, key) VALUES (0, '*')",
)


@asynccontextmanager
async def raw_client(url: str) -> AsyncIterator[Redis]:
    """Lend a client that knows nothing of this service."""
    async with Redis.from_url(url) as raw:
        yield raw


@asynccontextmanager
async def servers_world(engine: AsyncEngine, valkey_url: str) -> AsyncIterator[World]:
    """Lend an empty world of servers."""
    await set_clock(engine, START, speed=0)
    await write_invalidations(engine)
    async with engine.begin() as connection:  # the database may be one that an earlier test has used
        for statement in _EMPTY:
            await connection.execute(text(statement))
    cache = open_redis_cache(valkey_url, fresh_namespace(), observer=Told(), patience=PATIENCE)
    try:
        async with raw_client(valkey_url) as raw:
            yield await begun(
                ServersWorld(
                    cache=cache,
                    log=PostgresInvalidationLog(engine),
                    user_reader=PostgresUserReader(engine),
                    engine=engine,
                    raw=raw,
                )
            )
    finally:
        await cache.aclose()


@asynccontextmanager
async def valkey_clients(url: str) -> AsyncIterator[Callable[[], RedisCache]]:
    """Lend caches under ever new namespaces that share their connections."""
    reading, sweeping = (open_client(url, connections_max=16, timeout_s=PATIENCE) for _ in range(2))
    wires = Wires(reading)
    try:
        yield lambda: RedisCache(
            reading, sweeping, fresh_namespace(), Told(), timeout_s=PATIENCE, wires=wires
        )
    finally:
        await wires.aclose()
        for client in (reading, sweeping):
            await client.aclose()


async def tell_nobody(events: Sequence[Event]) -> None:
    """Let events pass."""
