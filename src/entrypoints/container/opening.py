"""A service is opened over its database, and closed again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
from dependency_injector import providers
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.delivery.texts import InvalidTemplates
from adapters.embedded.data_folder import DataFolder, EmbeddedServerFailed, running_instance
from adapters.embedded.local_key import read_local_key, write_local_key
from adapters.embedded.servers import embedded_postgres, embedded_valkey
from adapters.postgres.database import InvalidDatabaseUrl, migrate, read_clock, set_clock
from adapters.postgres.greeted_addresses import read_secret
from adapters.postgres.invalidations import write_invalidations
from adapters.postgres.pooler import PoolerTrouble, trouble_of
from application.access import NewKey
from application.announcer import Announcer
from application.deliveries import DeliveryChannel
from application.errors import ApplicationError, StoreUnavailable
from application.processes import Process
from domain.access import NAME_MAX, KeyKind, Scope
from domain.due import ZONE_DATA_VERSION
from entrypoints.container.families import PostgresAdapters, open_clock
from entrypoints.container.wiring import Service
from entrypoints.scheduler.upkeep import CountsUpkeep, Heartbeat
from entrypoints.settings import Settings

_LET_GO_WITHIN_S = 1.0

Job = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Runs until the event is set."""


class MovedClockRefused(Exception):
    """The clock may only be moved with a channel that reaches nobody."""

    def __init__(self, channel: str) -> None:
        super().__init__(
            f"The clock may not be moved with the channel '{channel}', which reaches people: "
            "use the channel maildir or console."
        )


class DatabaseUnreachable(Exception):
    """The database could not be reached at start."""

    def __init__(self, database: str) -> None:
        super().__init__(
            f"The database {database} cannot be reached: check that it runs, and that address, name and "
            "password are right."
        )


class DatabaseUnusable(Exception):
    """What stands between here and the database does not let the service work."""

    def __init__(self, trouble: PoolerTrouble) -> None:
        super().__init__(f"{trouble.what} {trouble.advice}")


FORESEEN = (
    DatabaseUnreachable,
    DatabaseUnusable,
    ApplicationError,
    EmbeddedServerFailed,
    InvalidDatabaseUrl,
    InvalidTemplates,
    MovedClockRefused,
)
"""What may go wrong when a service is opened; the text of each is one sentence for a person."""


@attrs.frozen(kw_only=True)
class OpenService:
    """A service over an open, migrated database; *database* says in words which one."""

    service: Service
    adapters: PostgresAdapters
    database: str
    revision_before: str | None
    revision: str | None

    async def start_cache(self) -> None:
        """Let changes be written for the cache, and told to it at once; nothing where no cache is configured."""
        if self.adapters.redis_url() is None:
            return
        await write_invalidations(self.adapters.engine())
        await start_cache(self.service, self.adapters.announcer())

    def jobs(self) -> Sequence[Job]:
        """Return what has to run for as long as the service does."""
        jobs = [
            self.service.scheduler().run,
            self.service.outbox_upkeep().run,
            self.service.access_upkeep().run,
            self.service.retention_upkeep().run,
            CountsUpkeep(self.adapters.message_counts()).run,
            Heartbeat(
                self.adapters.processes(),
                Process(version=version("birthdays"), zone_data=ZONE_DATA_VERSION),
            ).run,
        ]
        return jobs if self.adapters.redis_url() is None else [*jobs, self.service.cached.upkeep().run]

    async def own_key(self, folder: Path) -> NewKey | None:
        """Have a key for this machine's command line in *folder*; return another one if there were none at all."""
        access = self.service.access()
        is_first = not any(key.kind is KeyKind.KEY for key in await access.list_keys())
        held = read_local_key(folder)
        if held is None or await access.authenticate(held) is None:
            own = await access.make_key(f"command line in {folder}"[-NAME_MAX:], {Scope.ADMIN})
            write_local_key(folder, own.text)
        return await access.make_key("first key", {Scope.ADMIN}) if is_first else None

    async def start_clock(self, start: datetime | None, speed: float) -> None:
        """Let the service's time be *start* now, in the database as well; None returns to real time.

        To be called before any use case is asked for. Raises MovedClockRefused.
        """
        refuse_moved_clock(start, self.adapters.channel())
        await set_clock(self.adapters.engine(), start, speed)
        self.adapters.clock.override(providers.Object(open_clock(start, speed)))


async def start_cache(service: Service, announcer: Announcer) -> None:
    """Let the cache be told of changes at once, looked at by the auditor, and believed."""
    cached = service.cached
    for values in (cached.users(), cached.references(), cached.counts()):
        cached.auditor().of(values)
    announcer.subscribe(cached.at_once())
    announcer.subscribe(cached.warm())
    await cached.trust().try_to_renew()
    await cached.upkeep().begin()


def refuse_moved_clock(start: datetime | None, channel: DeliveryChannel) -> None:
    """Raise MovedClockRefused where messages would reach people at instants that are not real."""
    if start is not None and channel.reaches_people:
        raise MovedClockRefused(channel.name)


def local_key(settings: Settings) -> str | None:
    """Return the key that a service left on this machine for its owner's command line."""
    return read_local_key(settings.data_dir)


@asynccontextmanager
async def opened_service(settings: Settings, *, serves_at: str | None = None) -> AsyncIterator[OpenService]:
    """Lend a service over DATABASE_URL, else over the database in the data folder.

    That one is a running instance's if there is one, unless this process serves (*serves_at* is its
    address) and must be the only one; else it is started for as long as this lasts. Raises
    EmbeddedServerFailed, InvalidDatabaseUrl, StoreUnavailable.
    """
    redis_url = None if serves_at is None else settings.redis_url  # only a service needs a cache
    async with AsyncExitStack() as stack:
        if settings.database_url is not None:
            url, database = settings.database_url, "of DATABASE_URL"
        elif serves_at is None and (running := running_instance(settings.data_dir)) and running.database_url:
            url, database = running.database_url, f"of the running instance in {settings.data_dir}"
        else:
            url, redis_url = await stack.enter_async_context(_own_servers(settings, serves_at))
            database = f"PostgreSQL in {settings.data_dir}"
        adapters = PostgresAdapters(settings=settings, database_url=url, redis_url=redis_url)
        if serves_at is not None:
            stack.push_async_callback(adapters.channel().close)
        engine = adapters.engine()
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(adapters.outbox_engine().dispose)
        stack.push_async_callback(adapters.scheduler_engine().dispose)
        if redis_url is not None:
            stack.push_async_callback(adapters.cache().aclose)
        if settings.replica_url is not None:
            stack.push_async_callback(_let_go, _replica_engine(adapters))
        try:
            if (trouble := await trouble_of(engine)) is not None:
                raise DatabaseUnusable(trouble)
            before, after = await migrate(engine)
        except StoreUnavailable as error:
            raise DatabaseUnreachable(database) from error
        adapters.secret().value = await read_secret(engine)
        if (course := await read_clock(engine)) is not None:
            adapters.clock.override(providers.Object(open_clock(*course)))
        yield OpenService(
            service=Service(settings=settings, adapters=adapters),
            adapters=adapters,
            database=database,
            revision_before=before,
            revision=after,
        )


async def _let_go(engine: AsyncEngine) -> None:
    """Close the connections to a server that may stand still, and that nothing depends on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LET_GO_WITHIN_S):
            await engine.dispose()


def _replica_engine(adapters: PostgresAdapters) -> AsyncEngine:
    try:
        return adapters.replica_engine()
    except InvalidDatabaseUrl as error:
        raise error.of("BIRTHDAYS_REPLICA_URL") from None


@asynccontextmanager
async def _own_servers(settings: Settings, serves_at: str | None) -> AsyncIterator[tuple[str, str | None]]:
    """Run the servers in the data folder, which belongs to this process meanwhile, and lend their addresses."""
    with DataFolder(settings.data_dir) as folder:
        if serves_at is None:
            async with embedded_postgres(folder) as database_url:
                yield database_url, None
            return
        async with AsyncExitStack() as stack:
            database_url = await stack.enter_async_context(embedded_postgres(folder))
            redis_url = settings.redis_url
            if redis_url is None:
                redis_url = await stack.enter_async_context(embedded_valkey(folder))
            folder.publish(database_url=database_url, redis_url=redis_url, api_url=serves_at)
            yield database_url, redis_url
