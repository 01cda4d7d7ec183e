"""The two families of adapters."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from dependency_injector import containers, providers

from adapters.clock import MovableClock, SystemClock
from adapters.delivery.console import ConsoleChannel
from adapters.delivery.maildir import MaildirChannel
from adapters.delivery.smtp import SmtpChannel
from adapters.delivery.smtp_line import MailServer
from adapters.delivery.texts import JinjaTexts
from adapters.delivery.webhook import Receiver, WebhookChannel
from adapters.memory.answers import MemoryAnswers
from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.audit import MemoryAuditReader
from adapters.memory.cache import MemoryCache
from adapters.memory.channel import MemoryChannel
from adapters.memory.invalidations import MemoryInvalidationLog
from adapters.memory.message_reader import MemoryMessageReader
from adapters.memory.operator_reader import MemoryOperatorReader
from adapters.memory.permits import MemoryPermits
from adapters.memory.person_reader import MemoryPersonReader
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from adapters.metrics import PrometheusMetrics
from adapters.postgres.answers import PostgresAnswers
from adapters.postgres.api_keys import PostgresApiKeys
from adapters.postgres.audit import PostgresAuditReader
from adapters.postgres.database import POOL_SIZE, open_engine
from adapters.postgres.invalidations import PostgresInvalidationLog
from adapters.postgres.joined_users import JoinedUserReader
from adapters.postgres.message_counts import PostgresMessageCounts
from adapters.postgres.message_reader import PostgresMessageReader
from adapters.postgres.operator_reader import PostgresOperatorReader
from adapters.postgres.person_reader import PostgresPersonReader
from adapters.postgres.processes import PostgresProcesses
from adapters.postgres.replica import ReplicaSource
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.user_reader import PostgresUserReader
from adapters.redis.cache import open_redis_cache
from adapters.redis.permits import RedisPermits
from application.announcer import Announcer
from application.exports import WhereItIsWritten
from application.ports import Clock
from application.texts import Texts, WriteText
from application.unsubscribing import Links, ServiceSecret
from entrypoints.settings import Settings


def open_clock(start: datetime | None, speed: float) -> Clock:
    """Return the machine's clock, or one that shows *start* now and runs at *speed*."""
    return SystemClock() if start is None else MovableClock(start, speed)


def open_texts(settings: Settings) -> Texts:
    """Load and check the templates. Raises InvalidTemplates."""
    return JinjaTexts(settings.templates, settings.language)


def _now_of(clock: Callable[[], Clock]) -> Callable[[], datetime]:
    """Return what tells the time of the clock that is in force when it is asked."""
    return lambda: clock().now()


def _open_smtp(settings: Settings, write: WriteText) -> SmtpChannel:
    told = settings.smtp
    if told is None:
        raise ValueError("smtp")  # the settings see to it
    server = MailServer(host=told.host, port=told.port, tls=told.tls, user=told.user, password=told.password)
    return SmtpChannel(
        server, settings.sender, write, connections=settings.connections, message_s=settings.message_s
    )


def _open_webhook(settings: Settings, write: WriteText, now: Callable[[], datetime]) -> WebhookChannel:
    told = settings.webhook
    if told is None:
        raise ValueError("webhook")  # the settings see to it
    receiver = Receiver(
        url=told.url,
        secrets=told.secrets,
        allows_private=told.allows_private,
        # Messages are tried again within their window: that long the receiver has to know them again.
        deduplicates=told.remembers >= settings.policy.window,
    )
    return WebhookChannel(
        receiver, write, now, connections=settings.connections, message_s=settings.message_s
    )


def _memory_secret(store: MemoryStore) -> Callable[[], bytes]:
    return lambda: store.committed.secret


def _yes_or_no(url: str | None) -> str:
    return "no" if url is None else "yes"


class PostgresAdapters(containers.DeclarativeContainer):
    """The adapters of a service: PostgreSQL, and a channel of the settings."""

    settings = providers.Dependency(instance_of=Settings)
    database_url = providers.Dependency(instance_of=str)
    redis_url: providers.Provider[str | None] = providers.Object(None)

    clock = providers.Singleton(open_clock, None, 1.0)
    metrics = providers.Singleton(PrometheusMetrics)
    has_cache = providers.Callable(_yes_or_no, redis_url)
    cache = providers.Singleton(open_redis_cache, redis_url, observer=metrics)
    permits = providers.Selector(
        has_cache,
        yes=providers.Singleton(RedisPermits, cache),
        no=providers.Singleton(MemoryPermits),
    )
    real_clock = providers.Singleton(SystemClock)
    # Connections of its own: while requests have taken all others, the cache must not lose its trust for that.
    outbox_engine = providers.Singleton(open_engine, database_url, pool_size=3)
    invalidations = providers.Singleton(PostgresInvalidationLog, outbox_engine)
    announcer = providers.Singleton(Announcer)
    engine = providers.Singleton(open_engine, database_url)
    unit_of_work = providers.Factory(PostgresUnitOfWork, engine, announcer)
    scheduler_engine = providers.Singleton(open_engine, database_url, pool_size=5, by_index=True)
    scheduler_unit_of_work = providers.Factory(PostgresUnitOfWork, scheduler_engine, announcer)
    user_reader = providers.Singleton(PostgresUserReader, engine)
    # Bounds the loads of the cache, so that one that has come back empty does not flatten the database.
    loads = providers.Singleton(asyncio.Semaphore, POOL_SIZE // 3)
    loaded_users = providers.Singleton(JoinedUserReader, engine, loads)
    replica_engine = providers.Singleton(open_engine, settings.provided.replica_url, pool_size=2)
    export_source = providers.Selector(
        providers.Callable(_yes_or_no, settings.provided.replica_url),
        yes=providers.Singleton(ReplicaSource, engine, replica_engine),
        no=providers.Singleton(WhereItIsWritten, user_reader),
    )
    message_reader = providers.Singleton(PostgresMessageReader, engine)
    api_keys = providers.Singleton(PostgresApiKeys, engine)
    answers = providers.Singleton(PostgresAnswers, engine)
    operator_reader = providers.Singleton(PostgresOperatorReader, engine)
    audit_reader = providers.Singleton(PostgresAuditReader, engine)
    person_reader = providers.Singleton(PostgresPersonReader, engine)
    secret = providers.Singleton(ServiceSecret)
    links = providers.Singleton(Links, secret, settings.provided.safety.public_url)
    message_counts = providers.Singleton(PostgresMessageCounts, engine)
    processes = providers.Singleton(PostgresProcesses, engine)
    now = providers.Callable(_now_of, clock.provider)
    texts = providers.Singleton(open_texts, settings)
    write = providers.Singleton(WriteText, texts, settings.provided.policy, now, links.provided.url)
    channel = providers.Selector(
        settings.provided.channel,
        maildir=providers.Singleton(
            MaildirChannel,
            providers.Callable(lambda s: s.data_dir / "maildir", settings),
            settings.provided.sender,
            write,
        ),
        console=providers.Singleton(ConsoleChannel, write),
        smtp=providers.Singleton(_open_smtp, settings, write),
        webhook=providers.Singleton(_open_webhook, settings, write, now),
    )


class MemoryAdapters(containers.DeclarativeContainer):
    """The adapters of a demonstration: everything in this process, on a clock that can be moved."""

    settings = providers.Dependency(instance_of=Settings)
    clock_start = providers.Dependency(instance_of=datetime)
    clock_speed = providers.Object(1.0)

    clock = providers.Singleton(MovableClock, clock_start, clock_speed)
    metrics = providers.Singleton(PrometheusMetrics)
    has_cache = providers.Object("yes")
    cache = providers.Singleton(MemoryCache)
    permits = providers.Singleton(MemoryPermits)
    real_clock = providers.Singleton(SystemClock)
    announcer = providers.Singleton(Announcer)
    store = providers.Singleton(MemoryStore, clock)
    invalidations = providers.Singleton(MemoryInvalidationLog, store)
    unit_of_work = providers.Factory(MemoryUnitOfWork, store, announcer)
    scheduler_unit_of_work = unit_of_work
    user_reader = providers.Singleton(MemoryUserReader, store)
    loads = providers.Singleton(asyncio.Semaphore, POOL_SIZE // 3)
    loaded_users = user_reader
    export_source = providers.Singleton(WhereItIsWritten, user_reader)
    message_reader = providers.Singleton(MemoryMessageReader, store)
    api_keys = providers.Singleton(MemoryApiKeys, store)
    answers = providers.Singleton(MemoryAnswers, store)
    operator_reader = providers.Singleton(MemoryOperatorReader, store)
    audit_reader = providers.Singleton(MemoryAuditReader, store)
    person_reader = providers.Singleton(MemoryPersonReader, store)
    links = providers.Singleton(
        Links, providers.Singleton(_memory_secret, store), settings.provided.safety.public_url
    )
    texts = providers.Singleton(open_texts, settings)
    channel = providers.Singleton(MemoryChannel)
