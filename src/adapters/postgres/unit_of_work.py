"""One transaction on PostgreSQL, and the events that are told once it is committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.audit import PostgresAuditTrail, PostgresChannels
from adapters.postgres.database import means_unavailable
from adapters.postgres.greeted_addresses import PostgresGreetedAddresses
from adapters.postgres.import_log import PostgresImportLog
from adapters.postgres.messages import PostgresMessages
from adapters.postgres.transaction import Transaction
from adapters.postgres.upkeep import PostgresUpkeep
from adapters.postgres.users import PostgresUsers
from application.audit_ports import AuditTrail, Channels
from application.errors import CommitOutcomeUnknown, StoreUnavailable
from application.import_ports import ImportLog
from application.ports import EventHandler, Messages, UnitOfWork, Users
from application.traces import GreetedAddresses
from application.trail import entries_of
from application.transaction_guard import TransactionMark
from application.upkeep_ports import Upkeep
from domain.events import MessagesChanged

log = structlog.get_logger()


class PostgresUnitOfWork(UnitOfWork):
    """A transaction in read committed; what must not change meanwhile is locked by the repositories."""

    __slots__ = (
        "_engine",
        "_handler",
        "_mark",
        "_transaction",
        "audit",
        "channels",
        "greeted",
        "imports",
        "messages",
        "upkeep",
        "users",
    )

    users: Users
    messages: Messages
    imports: ImportLog
    upkeep: Upkeep
    audit: AuditTrail
    channels: Channels
    greeted: GreetedAddresses

    def __init__(self, engine: AsyncEngine, handler: EventHandler) -> None:
        self._engine = engine
        self._handler = handler
        self._mark = TransactionMark()
        self._transaction: Transaction | None = None

    async def __aenter__(self) -> Self:
        if self._transaction is not None:
            raise RuntimeError("A unit of work is used once: make a new one.")
        connection = self._engine.connect()
        try:
            await connection.start()
        except Exception as error:
            if means_unavailable(error):
                raise StoreUnavailable from error
            raise
        self._transaction = Transaction(connection)
        self.users = PostgresUsers(self._transaction)
        self.messages = PostgresMessages(self._transaction)
        self.imports = PostgresImportLog(self._transaction)
        self.upkeep = PostgresUpkeep(self._transaction)
        self.greeted = PostgresGreetedAddresses(self._transaction)
        self.audit = PostgresAuditTrail(self._transaction)
        self.channels = PostgresChannels(self._transaction)
        self._mark.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Closing rolls back; shielded, or a cancelled request would leave the connection in its transaction.
        try:
            await asyncio.shield(asyncio.ensure_future(_close(self._begun())))
        finally:
            self._mark.end()
        if error is not None and means_unavailable(error):
            raise StoreUnavailable from error

    async def now(self) -> datetime:
        return await self._begun().now()

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        transaction = self._begun()
        mark = transaction.mark()
        try:
            async with transaction.connection.begin_nested():
                yield
        except BaseException:
            transaction.forget_since(mark)
            raise

    async def commit(self) -> None:
        connection = self._begun().connection
        await self._note()
        self._begun().is_over = True
        # Once the commit is on its way it cannot be called back: a cancelled caller waits for its end, so
        # that the events are told whatever comes of the caller.
        ending = asyncio.ensure_future(self._commit(connection))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait([ending])
            raise

    async def _note(self) -> None:
        """Keep who did what, in the transaction that does it."""
        events = [event for event in self._begun().events() if not isinstance(event, MessagesChanged)]
        if events:
            await self.audit.note(entries_of(events, await self.now()))

    async def _commit(self, connection: AsyncConnection) -> None:
        try:
            try:
                await connection.commit()
            finally:
                self._mark.end()
        except Exception as error:
            if not means_unavailable(error):
                raise
            await self._tell()
            raise CommitOutcomeUnknown from error
        await self._tell()

    async def _tell(self) -> None:
        events = self._begun().events()
        if not events:
            return
        try:
            await self._handler(events)
        except Exception:  # The commit has happened: its caller must not be told otherwise.
            log.exception("event_handler_failed")

    def _begun(self) -> Transaction:
        if self._transaction is None:
            raise RuntimeError("A unit of work begins with 'async with'.")
        return self._transaction


async def _close(transaction: Transaction) -> None:
    try:
        await transaction.close()
    except Exception as error:  # noqa: BLE001  # a broken connection is closed already
        log.debug("connection_close_failed", error=type(error).__name__)
