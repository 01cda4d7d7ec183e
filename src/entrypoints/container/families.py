"""The two families of adapters."""

from datetime import datetime

from dependency_injector import containers, providers

from adapters.clock import MovableClock, SystemClock
from adapters.delivery.console import ConsoleChannel
from adapters.delivery.maildir import MaildirChannel
from adapters.memory.answers import MemoryAnswers
from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.cache import MemoryCache
from adapters.memory.channel import MemoryChannel
from adapters.memory.invalidations import MemoryInvalidationLog
from adapters.memory.messages import MemoryMessageReader
from adapters.memory.permits import MemoryPermits
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from adapters.postgres.answers import PostgresAnswers
from adapters.postgres.api_keys import PostgresApiKeys
from adapters.postgres.database import open_engine
from adapters.postgres.invalidations import PostgresInvalidationLog
from adapters.postgres.message_reader import PostgresMessageReader
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.users import PostgresUserReader
from adapters.redis.cache import open_redis_cache
from adapters.redis.permits import open_redis_permits
from application.announcer import Announcer
from application.observing import CacheObserver
from application.ports import Clock
from entrypoints.settings import Settings


def open_clock(start: datetime | None, speed: float) -> Clock:
    """Return the machine's clock, or one that shows *start* now and runs at *speed*."""
    return SystemClock() if start is None else MovableClock(start, speed)


def _yes_or_no(redis_url: str | None) -> str:
    return "no" if redis_url is None else "yes"


class PostgresAdapters(containers.DeclarativeContainer):
    """The adapters of a service: PostgreSQL, and a channel of the settings."""

    settings = providers.Dependency(instance_of=Settings)
    database_url = providers.Dependency(instance_of=str)
    redis_url: providers.Provider[str | None] = providers.Object(None)

    clock = providers.Singleton(open_clock, None, 1.0)
    cache_observer = providers.Singleton(CacheObserver)
    has_cache = providers.Callable(_yes_or_no, redis_url)
    cache = providers.Singleton(open_redis_cache, redis_url, observer=cache_observer)
    permits = providers.Selector(
        has_cache,
        yes=providers.Singleton(open_redis_permits, redis_url, observer=cache_observer),
        no=providers.Singleton(MemoryPermits),
    )
    real_clock = providers.Singleton(SystemClock)
    # Connections of its own: while requests have taken all others, the cache must not lose its trust for that.
    outbox_engine = providers.Singleton(open_engine, database_url, pool_size=3)
    invalidations = providers.Singleton(PostgresInvalidationLog, outbox_engine)
    announcer = providers.Singleton(Announcer)
    engine = providers.Singleton(open_engine, database_url)
    unit_of_work = providers.Factory(PostgresUnitOfWork, engine, announcer)
    user_reader = providers.Singleton(PostgresUserReader, engine)
    message_reader = providers.Singleton(PostgresMessageReader, engine)
    api_keys = providers.Singleton(PostgresApiKeys, engine)
    answers = providers.Singleton(PostgresAnswers, engine)
    channel = providers.Selector(
        settings.provided.channel,
        maildir=providers.Singleton(
            MaildirChannel,
            providers.Callable(lambda s: s.data_dir / "maildir", settings),
            settings.provided.sender,
        ),
        console=providers.Singleton(ConsoleChannel),
    )


class MemoryAdapters(containers.DeclarativeContainer):
    """The adapters of a demonstration: everything in this process, on a clock that can be moved."""

    settings = providers.Dependency(instance_of=Settings)
    clock_start = providers.Dependency(instance_of=datetime)
    clock_speed = providers.Object(1.0)

    clock = providers.Singleton(MovableClock, clock_start, clock_speed)
    cache_observer = providers.Singleton(CacheObserver)
    has_cache = providers.Object("yes")
    cache = providers.Singleton(MemoryCache)
    permits = providers.Singleton(MemoryPermits)
    real_clock = providers.Singleton(SystemClock)
    announcer = providers.Singleton(Announcer)
    store = providers.Singleton(MemoryStore, clock)
    invalidations = providers.Singleton(MemoryInvalidationLog, store)
    unit_of_work = providers.Factory(MemoryUnitOfWork, store, announcer)
    user_reader = providers.Singleton(MemoryUserReader, store)
    message_reader = providers.Singleton(MemoryMessageReader, store)
    api_keys = providers.Singleton(MemoryApiKeys, store)
    answers = providers.Singleton(MemoryAnswers, store)
    channel = providers.Singleton(MemoryChannel)
