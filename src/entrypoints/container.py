"""The composition root: the only place that names adapters and wires them to the use cases."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import attrs
from dependency_injector import containers, providers

from adapters.clock import MovableClock, SystemClock
from adapters.delivery.console import ConsoleChannel
from adapters.delivery.maildir import MaildirChannel
from adapters.embedded.data_folder import DataFolder, EmbeddedServerFailed, running_instance
from adapters.embedded.servers import embedded_postgres, embedded_valkey
from adapters.memory.channel import MemoryChannel
from adapters.memory.messages import MemoryMessageReader
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from adapters.postgres.database import (
    InvalidDatabaseUrl,
    migrate,
    open_engine,
    read_clock,
    set_clock,
)
from adapters.postgres.message_reader import PostgresMessageReader
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.postgres.users import PostgresUserReader
from application.announcer import Announcer
from application.dispatch import KeepLedger, NextDue, SendDueMessages
from application.errors import ApplicationError, StoreUnavailable
from application.imports import ImportUsers
from application.messages import ActOnMessage, GetMessage, ListMessages
from application.planning import PlanMessages
from application.ports import Clock, DeliveryChannel
from application.statistics import SchedulerState, SchedulerStatistics
from application.upcoming import UpcomingMessages
from application.users import (
    ChangeUser,
    FindUserByEmail,
    GetUser,
    ListUsers,
    RegisterUser,
    RemoveUser,
    UpcomingOfUser,
)
from entrypoints.http.use_cases import UseCases as HttpUseCases
from entrypoints.scheduler.loop import Scheduler
from entrypoints.settings import Settings


def open_clock(start: datetime | None, speed: float) -> Clock:
    """Return the machine's clock, or one that shows *start* now and runs at *speed*."""
    return SystemClock() if start is None else MovableClock(start, speed)


class PostgresAdapters(containers.DeclarativeContainer):
    """The adapters of a service: PostgreSQL, and a channel of the settings."""

    settings = providers.Dependency(instance_of=Settings)
    database_url = providers.Dependency(instance_of=str)

    clock = providers.Singleton(open_clock, None, 1.0)
    announcer = providers.Singleton(Announcer)
    engine = providers.Singleton(open_engine, database_url)
    unit_of_work = providers.Factory(PostgresUnitOfWork, engine, announcer)
    user_reader = providers.Singleton(PostgresUserReader, engine)
    message_reader = providers.Singleton(PostgresMessageReader, engine)
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
    announcer = providers.Singleton(Announcer)
    store = providers.Singleton(MemoryStore, clock)
    unit_of_work = providers.Factory(MemoryUnitOfWork, store, announcer)
    user_reader = providers.Singleton(MemoryUserReader, store)
    message_reader = providers.Singleton(MemoryMessageReader, store)
    channel = providers.Singleton(MemoryChannel)


class Service(containers.DeclarativeContainer):
    """The use cases over a family of adapters, and the entrypoints over the use cases."""

    settings = providers.Dependency(instance_of=Settings)
    adapters = providers.DependenciesContainer()

    policy = settings.provided.policy
    unit_of_work = adapters.unit_of_work.provider
    state = providers.Singleton(SchedulerState)

    plan_messages = providers.Singleton(PlanMessages, unit_of_work, policy)
    upcoming_messages = providers.Singleton(
        UpcomingMessages, adapters.user_reader, adapters.message_reader, policy, adapters.clock
    )
    scheduler = providers.Singleton(
        Scheduler,
        plan=plan_messages,
        send_due=providers.Singleton(
            SendDueMessages,
            unit_of_work,
            adapters.channel,
            settings.provided.retry_policy,
            settings.provided.lease,
        ),
        keep=providers.Singleton(KeepLedger, unit_of_work, adapters.channel),
        next_due=providers.Singleton(NextDue, unit_of_work),
        policy=policy,
        clock=adapters.clock,
        state=state,
    )
    http = providers.Singleton(
        HttpUseCases,
        register_user=providers.Singleton(RegisterUser, unit_of_work, policy),
        change_user=providers.Singleton(ChangeUser, unit_of_work, policy),
        remove_user=providers.Singleton(RemoveUser, unit_of_work, policy),
        get_user=providers.Singleton(GetUser, adapters.user_reader),
        find_user_by_email=providers.Singleton(FindUserByEmail, adapters.user_reader),
        list_users=providers.Singleton(ListUsers, adapters.user_reader),
        upcoming_of_user=providers.Singleton(UpcomingOfUser, unit_of_work, policy),
        import_users=providers.Singleton(ImportUsers, unit_of_work, policy),
        list_messages=providers.Singleton(ListMessages, adapters.message_reader),
        get_message=providers.Singleton(GetMessage, adapters.message_reader),
        act_on_message=providers.Singleton(ActOnMessage, unit_of_work, policy),
        scheduler_statistics=providers.Singleton(SchedulerStatistics, adapters.message_reader, state),
        message_reader=adapters.message_reader,
        scheduler_state=state,
        clock=adapters.clock,
    )


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


FORESEEN = (
    DatabaseUnreachable,
    ApplicationError,
    EmbeddedServerFailed,
    InvalidDatabaseUrl,
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

    async def start_clock(self, start: datetime | None, speed: float) -> None:
        """Let the service's time be *start* now, in the database as well; None returns to real time.

        To be called before any use case is asked for. Raises MovedClockRefused.
        """
        refuse_moved_clock(start, self.adapters.channel())
        await set_clock(self.adapters.engine(), start, speed)
        self.adapters.clock.override(providers.Object(open_clock(start, speed)))


def refuse_moved_clock(start: datetime | None, channel: DeliveryChannel) -> None:
    """Raise MovedClockRefused where messages would reach people at instants that are not real."""
    if start is not None and channel.reaches_people:
        raise MovedClockRefused(channel.name)


@asynccontextmanager
async def opened_service(settings: Settings, *, serves_at: str | None = None) -> AsyncIterator[OpenService]:
    """Lend a service over DATABASE_URL, else over the database in the data folder.

    That one is a running instance's if there is one, unless this process serves (*serves_at* is its
    address) and must be the only one; else it is started for as long as this lasts. Raises
    EmbeddedServerFailed, InvalidDatabaseUrl, StoreUnavailable.
    """
    async with AsyncExitStack() as stack:
        if settings.database_url is not None:
            url, database = settings.database_url, "of DATABASE_URL"
        elif serves_at is None and (running := running_instance(settings.data_dir)) and running.database_url:
            url, database = running.database_url, f"of the running instance in {settings.data_dir}"
        else:
            url = await stack.enter_async_context(_own_servers(settings, serves_at))
            database = f"PostgreSQL in {settings.data_dir}"
        adapters = PostgresAdapters(settings=settings, database_url=url)
        engine = adapters.engine()
        stack.push_async_callback(engine.dispose)
        try:
            before, after = await migrate(engine)
        except StoreUnavailable as error:
            raise DatabaseUnreachable(database) from error
        if (course := await read_clock(engine)) is not None:
            adapters.clock.override(providers.Object(open_clock(*course)))
        yield OpenService(
            service=Service(settings=settings, adapters=adapters),
            adapters=adapters,
            database=database,
            revision_before=before,
            revision=after,
        )


@asynccontextmanager
async def _own_servers(settings: Settings, serves_at: str | None) -> AsyncIterator[str]:
    """Run the servers in the data folder, which belongs to this process meanwhile; only a service needs Valkey."""
    with DataFolder(settings.data_dir) as folder:
        if serves_at is None:
            async with embedded_postgres(folder) as database_url:
                yield database_url
            return
        async with AsyncExitStack() as stack:
            database_url = await stack.enter_async_context(embedded_postgres(folder))
            redis_url = settings.redis_url
            if redis_url is None:
                redis_url = await stack.enter_async_context(embedded_valkey(folder))
            folder.publish(database_url=database_url, redis_url=redis_url, api_url=serves_at)
            yield database_url
