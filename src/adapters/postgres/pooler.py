"""Whether connections that may go through PgBouncer can be worked with, found out before anything else is done."""

import asyncio

import attrs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import IS_POOLED, SETTINGS, connected, sqlstate
from application.errors import StoreUnavailable

_REFUSED = "08P01"  # PgBouncer's code for whatever it does not like
_STATEMENT_MISSING = frozenset({"26000", "42P05"})
_SECOND_WITHIN_S = 5.0
_TRIES = 3
_PLAN_CACHE_MODE = text("SELECT current_setting('plan_cache_mode')")
_SERVER = text("SELECT pg_backend_pid()")


@attrs.frozen
class PoolerTrouble:
    """What is wrong with the connections, and what to do."""

    what: str
    advice: str


_UNKNOWN_PARAMETER = PoolerTrouble(
    "What answers for the database refuses how the service connects, as PgBouncer does.",
    "Look into its log; if that names a startup parameter, write DATABASE_URL with pgbouncer=true after the question mark.",
)
_SETTINGS_LOST = PoolerTrouble(
    "Something before the database, such as PgBouncer, keeps the service's settings from it.",
    "Write DATABASE_URL with pgbouncer=true after the question mark.",
)
_NO_STATEMENTS = PoolerTrouble(
    "PgBouncer forgets prepared statements between transactions.",
    "Set its max_prepared_statements to 200 (from version 1.21 on), or its pool_mode to session.",
)
_TOO_FEW = PoolerTrouble(
    "PgBouncer lends no second connection to the database.", "Raise its default_pool_size to 20 or more."
)


async def trouble_of(engine: AsyncEngine) -> PoolerTrouble | None:
    """Return why these connections cannot be worked with; None if they can. Raises StoreUnavailable."""
    try:
        async with connected(engine) as connection:
            mode = await connection.scalar(_PLAN_CACHE_MODE)
        if engine.get_execution_options()[IS_POOLED]:
            await _use_statement_elsewhere(engine)
        elif mode != SETTINGS["plan_cache_mode"]:
            return _SETTINGS_LOST
    except StoreUnavailable as error:
        if _code(error) == _REFUSED:
            return _UNKNOWN_PARAMETER
        raise
    except TimeoutError:
        return _TOO_FEW
    except DBAPIError as error:
        if sqlstate(error) in _STATEMENT_MISSING:
            return _NO_STATEMENTS
        raise
    return None


async def _use_statement_elsewhere(engine: AsyncEngine) -> None:
    """Prepare a statement on one connection of the pooler to the server, and carry it out on another one."""
    async with asyncio.timeout(_SECOND_WITHIN_S), connected(engine) as first, engine.connect() as second:
        for _ in range(_TRIES):
            server = await first.scalar(_SERVER)
            # It is lent the one that was given back last, and keeps that until it is rolled back.
            await second.scalar(_SERVER)
            is_another = await first.scalar(_SERVER) != server
            await second.rollback()
            if is_another:
                return


def _code(error: BaseException) -> str | None:
    cause = error.__cause__
    return sqlstate(cause) if isinstance(cause, DBAPIError) else getattr(cause, "sqlstate", None)
