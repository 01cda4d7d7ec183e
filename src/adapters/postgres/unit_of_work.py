"""One transaction on PostgreSQL, and the events that are told once it is committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.database import means_unavailable
from adapters.postgres.messages import PostgresMessages
from adapters.postgres.statements import NOW
from adapters.postgres.users import PostgresUsers
from application.errors import CommitOutcomeUnknown, StoreUnavailable
from application.ports import EventHandler, Messages, UnitOfWork, Users
from domain.events import Event, MessagesChanged

log = structlog.get_logger()


class PostgresUnitOfWork(UnitOfWork):
    """A transaction in read committed; what must not change meanwhile is locked by the repositories."""

    __slots__ = ("_connection", "_engine", "_events", "_handler", "_instant", "_over", "messages", "users")

    users: Users
    messages: Messages

    def __init__(self, engine: AsyncEngine, handler: EventHandler) -> None:
        self._engine = engine
        self._handler = handler
        self._events: list[Event] = []
        self._instant: datetime | None = None
        self._connection: AsyncConnection | None = None
        self._over = False

    async def __aenter__(self) -> Self:
        if self._connection is not None or self._over:
            raise RuntimeError("A unit of work is used once: make a new one.")
        connection = self._engine.connect()
        try:
            await connection.start()
        except Exception as error:
            if means_unavailable(error):
                raise StoreUnavailable from error
            raise
        self._connection = connection
        self.users = PostgresUsers(connection, self._events)
        self.messages = PostgresMessages(connection, self._events, self.now)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection = self._begun()
        self._over = True
        # Closing rolls back; shielded, or a cancelled request would leave the connection in its transaction.
        await asyncio.shield(asyncio.ensure_future(_close(connection)))
        if error is not None and means_unavailable(error):
            raise StoreUnavailable from error

    async def now(self) -> datetime:
        if self._instant is None:
            self._instant = await self._begun().scalar(NOW)
            assert self._instant is not None  # noqa: S101  # the function returns an instant always
        return self._instant

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        before = len(self._events)
        try:
            async with self._begun().begin_nested():
                yield
        except BaseException:
            del self._events[before:]
            raise

    async def commit(self) -> None:
        connection = self._begun()
        if self._over:
            raise RuntimeError("This unit of work has ended: make a new one.")
        self._over = True
        # Once the commit is on its way it cannot be called back: a cancelled caller waits for its end, so
        # that the events are told whatever comes of the caller.
        ending = asyncio.ensure_future(self._commit(connection))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait([ending])
            raise

    async def _commit(self, connection: AsyncConnection) -> None:
        try:
            await connection.commit()
        except Exception as error:
            if not means_unavailable(error):
                raise
            await self._tell()
            raise CommitOutcomeUnknown from error
        await self._tell()

    async def _tell(self) -> None:
        events = sorted(self._events, key=lambda event: isinstance(event, MessagesChanged))
        if not events:
            return
        try:
            await self._handler(events)
        except Exception:  # The commit has happened: its caller must not be told otherwise.
            log.exception("event_handler_failed")

    def _begun(self) -> AsyncConnection:
        if self._connection is None:
            raise RuntimeError("A unit of work begins with 'async with'.")
        return self._connection


async def _close(connection: AsyncConnection) -> None:
    try:
        await connection.close()
    except Exception as error:  # noqa: BLE001  # a broken connection is closed already
        log.debug("connection_close_failed", error=type(error).__name__)
