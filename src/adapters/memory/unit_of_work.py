"""A transaction on dictionaries."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

from adapters.memory.audit import MemoryAuditTrail, MemoryChannels
from adapters.memory.greeted_addresses import MemoryGreetedAddresses
from adapters.memory.import_log import MemoryImportLog
from adapters.memory.messages import MemoryMessages
from adapters.memory.store import MemoryStore, Transaction
from adapters.memory.upkeep import MemoryUpkeep
from adapters.memory.users import MemoryUsers
from application.ports import EventHandler, UnitOfWork
from application.trail import entries_of
from application.transaction_guard import TransactionMark
from domain.events import Event


async def tell_nobody(events: Sequence[Event]) -> None:
    """Let events pass."""


class MemoryUnitOfWork(UnitOfWork):
    """One transaction on a MemoryStore; it waits until no other one is open.

    Stricter than a database: a task cannot open one inside another, nor commit inside a savepoint.
    """

    __slots__ = (
        "_handler",
        "_mark",
        "_savepoints",
        "_store",
        "_transaction",
        "audit",
        "channels",
        "greeted",
        "imports",
        "messages",
        "upkeep",
        "users",
    )

    users: MemoryUsers
    messages: MemoryMessages
    imports: MemoryImportLog
    upkeep: MemoryUpkeep
    audit: MemoryAuditTrail
    channels: MemoryChannels
    greeted: MemoryGreetedAddresses

    def __init__(self, store: MemoryStore, handler: EventHandler = tell_nobody) -> None:
        self._store = store
        self._handler = handler
        self._mark = TransactionMark()
        self._savepoints = 0
        self._transaction: Transaction | None = None

    async def __aenter__(self) -> Self:
        if self._transaction is not None:
            raise RuntimeError("A unit of work is used once; open another one.")
        await self._store.acquire()
        try:
            self._transaction = Transaction(self._store.clock.now(), self._store.committed.copy())
        except BaseException:
            self._store.release()
            raise
        self.users = MemoryUsers(self._transaction)
        self.messages = MemoryMessages(self._transaction, self._store)
        self.imports = MemoryImportLog(self._transaction)
        self.upkeep = MemoryUpkeep(self._transaction, self._store)
        self.greeted = MemoryGreetedAddresses(self._transaction)
        self.audit = MemoryAuditTrail(self._transaction)
        self.channels = MemoryChannels(self._transaction, self._store)
        self._mark.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._open_transaction.has_ended:
            self._end()

    async def now(self) -> datetime:
        self._open_transaction.refuse_if_over()
        return self._open_transaction.now

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        return self._savepoint()

    async def commit(self) -> None:
        transaction = self._open_transaction
        if self._savepoints:
            raise RuntimeError("A savepoint is open; leave it before the commit.")
        await self.audit.note(entries_of(transaction.events, transaction.now))
        self._store.commit(transaction.state, transaction.events)
        self._end()
        if transaction.events:
            await self._handler(transaction.events)

    @property
    def _open_transaction(self) -> Transaction:
        if self._transaction is None:
            raise RuntimeError("Enter the unit of work first.")
        return self._transaction

    def _end(self) -> None:
        self._mark.end()
        self._open_transaction.end()
        self._store.release()

    @asynccontextmanager
    async def _savepoint(self) -> AsyncIterator[None]:
        transaction = self._open_transaction
        before = transaction.snapshot()
        self._savepoints += 1
        try:
            yield
        except BaseException:
            transaction.go_back_to(before)
            raise
        finally:
            self._savepoints -= 1
