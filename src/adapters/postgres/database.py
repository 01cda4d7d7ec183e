"""The connection to PostgreSQL, its migrations, its clock, and what its errors mean."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from ssl import SSLContext
from typing import Any
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.postgres import instants, tls
from application.errors import StoreUnavailable

_MIGRATION_LOCK = 0x62697274
POOL_SIZE = 10
_CONNECT_TIMEOUT_S = 5.0
POOL_TIMEOUT_S = 5.0
_ASKED_AFTER_S = 5.0
"""A connection that nobody has used for so long is asked first whether it still leads anywhere."""
_SHUTDOWN_CODES = ("57P01", "57P02", "57P03")
_DEADLOCK_CODE = "40P01"
_MAY_BE_REPEATED = ("08", "53", _DEADLOCK_CODE, *_SHUTDOWN_CODES)


_PASSED_ON = frozenset({"host", "port", "passfile", "target_session_attrs", "prepared_statement_cache_size"})
"""No time-outs: those are the service's own."""
_POOLER = "pgbouncer"
IS_POOLED = "is_pooled"
"""The execution option of an engine whose connections go through PgBouncer."""


class InvalidDatabaseUrl(ValueError):
    """An address of a database cannot be used."""

    def __init__(self, reason: str | None = None, variable: str = "DATABASE_URL") -> None:
        super().__init__(
            f"{variable} is not a PostgreSQL address such as postgresql://user:password@host:5432/name."
            if reason is None
            else f"{variable} cannot be used: {reason}"
        )
        self.reason = reason

    def of(self, variable: str) -> "InvalidDatabaseUrl":
        """Return the same of the address in another variable."""
        return InvalidDatabaseUrl(self.reason, variable)


SETTINGS = {
    # A plan that does not know the values may lose the partial indexes of the ledger.
    "plan_cache_mode": "force_custom_plan",
    "idle_in_transaction_session_timeout": "60s",
    # To compile the plan of everybody's messages, with its dozens of months, takes longer than to carry it out.
    "jit": "off",
}
BY_INDEX = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "enable_bitmapscan": "off",
}
"""Holds whatever the statistics say of a ledger that was empty a minute ago; and a plan over dozens of months is
made once, not for each batch. Nothing of these plans depends on the values."""


def open_engine(url: str, *, pool_size: int = POOL_SIZE, by_index: bool = False) -> AsyncEngine:
    """Return an engine for a ``postgresql://`` address; nothing is connected yet. Raises InvalidDatabaseUrl.

    *by_index* is for the scheduler, whose statements find every row by an index. With ``?pgbouncer=true`` a session
    has nothing of its own: what others set once is set in each transaction.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise InvalidDatabaseUrl from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"} or not parsed.database:
        raise InvalidDatabaseUrl
    encryption, rest = _options(parsed.query)
    is_pooled = _is_true(rest.pop(_POOLER, "false"))
    settings = SETTINGS | (BY_INDEX if by_index else {})
    engine = create_async_engine(
        parsed.set(drivername="postgresql+asyncpg", query=rest),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        hide_parameters=True,  # they are people's names and birthdays
        execution_options={IS_POOLED: is_pooled},
        connect_args={
            "timeout": _CONNECT_TIMEOUT_S,
            **({} if encryption is None else {"ssl": encryption}),
            # PgBouncer knows the first two, and refuses all others.
            "server_settings": {
                "application_name": "birthdays",
                "timezone": "UTC",
                **({} if is_pooled else settings),
            },
        },
    )
    if is_pooled:
        _set_in_transactions(engine, settings)
    if by_index and not is_pooled:
        instants.read_once(engine)
    _look_before_use(engine)
    return engine


def _look_before_use(engine: AsyncEngine) -> None:
    """Let no connection be used that is known to be closed.

    The pool's own ``pool_pre_ping`` asks the server each time, which doubles the round trips of a read.
    """
    dialect = engine.dialect

    @event.listens_for(engine.sync_engine, "checkin")
    def note_use(_connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, record: Any, _proxy: Any) -> None:
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - record.info.get("used_at", time.monotonic()) < _ASKED_AFTER_S:
            return
        try:
            dialect.do_ping(connection)
        except (dialect.loaded_dbapi.Error, OSError) as error:
            raise InvalidatePoolError from error


def _set_in_transactions(engine: AsyncEngine, settings: Mapping[str, str]) -> None:
    values = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())

    @event.listens_for(engine.sync_engine, "begin")
    def set_all(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(f"SELECT {values}")


def _options(query: Mapping[str, Sequence[str] | str]) -> tuple[SSLContext | str | None, dict[str, Any]]:
    """Return what the address says of TLS, and what else it says."""
    said = {name: value for name, value in query.items() if name in tls.OPTIONS}
    rest = {name: value for name, value in query.items() if name not in tls.OPTIONS}
    known = _PASSED_ON | {_POOLER}
    if not rest.keys() <= known:
        raise InvalidDatabaseUrl(
            f"after the question mark it takes only {', '.join(sorted(known | tls.OPTIONS))}."
        )
    try:
        return tls.tls_of({name: _one(value) for name, value in said.items()}), rest
    except ValueError as error:
        raise InvalidDatabaseUrl(str(error)) from None


def _is_true(value: Sequence[str] | str) -> bool:
    if value not in {"true", "false"}:
        raise InvalidDatabaseUrl(f"{_POOLER} is true or false.")
    return value == "true"


def _one(value: Sequence[str] | str) -> str:
    if not isinstance(value, str):
        raise ValueError("an option is given once.")  # noqa: TRY004  # the address has a wrong value
    return value


def means_unavailable(error: BaseException) -> bool:
    """Tell whether the same may be asked again: the server was not reached, or lost, or ended a deadlock so."""
    if isinstance(error, PoolTimeoutError | OSError | asyncio.TimeoutError | InterfaceError):
        return True
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or str(sqlstate(error)).startswith(_MAY_BE_REPEATED)
    )


def sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def constraint_name(error: DBAPIError) -> str | None:
    return getattr(getattr(error.orig, "__cause__", None), "constraint_name", None)


_autocommitting: WeakKeyDictionary[AsyncEngine, AsyncEngine] = WeakKeyDictionary()
"""Made once each: making one takes a third of the time of a look-up."""


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Lend a connection outside any transaction of ours; raises StoreUnavailable."""
    autocommitting = _autocommitting.get(engine)
    if autocommitting is None:
        autocommitting = engine.execution_options(isolation_level="AUTOCOMMIT")
        _autocommitting[engine] = autocommitting
    try:
        async with autocommitting.connect() as connection:
            yield connection
    except Exception as error:
        if means_unavailable(error):
            raise StoreUnavailable from error
        if isinstance(error, DBAPIError) and type(error.orig).__name__ == "InternalServerError":
            raise StoreUnavailable from error
        raise


@asynccontextmanager
async def in_transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Lend a connection in a transaction that is committed at the end; raises StoreUnavailable."""
    try:
        async with engine.begin() as connection:
            yield connection
    except Exception as error:
        if means_unavailable(error):
            raise StoreUnavailable from error
        raise


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


async def migrate(engine: AsyncEngine) -> tuple[str | None, str | None]:
    """Bring the schema up to date, one process at a time; return the revision before and after."""
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            before = await revision_of(connection)
            await connection.run_sync(_upgrade)
            return before, await revision_of(connection)
    except Exception as error:
        if means_unavailable(error):
            raise StoreUnavailable from error
        raise


def _upgrade(connection: Connection) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def revision_of(connection: AsyncConnection) -> str | None:
    """Return the revision of the schema; None if there is none."""
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: Any = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


async def set_clock(engine: AsyncEngine, started_at: datetime | None, speed: float = 1.0) -> None:
    """Let the service's time be *started_at* now and run at *speed*; None returns to real time."""
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM service_clock"))
        if started_at is not None:
            await connection.execute(
                text("INSERT INTO service_clock VALUES (true, :started_at, clock_timestamp(), :speed)"),
                {"started_at": started_at, "speed": speed},
            )


async def read_clock(engine: AsyncEngine) -> tuple[datetime, float] | None:
    """Return what the ledger's clock shows and its speed if it was moved, None if it shows real time."""
    async with connected(engine) as connection:
        row = (await connection.execute(text("SELECT service_now(), speed FROM service_clock"))).one_or_none()
    return None if row is None else (row[0], row[1])
