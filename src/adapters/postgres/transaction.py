"""What the repositories of one unit of work share."""

from datetime import datetime

import attrs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.events import Event, MessagesChanged
from domain.message import MessageKey

_NOW = text("SELECT service_now()")


@attrs.define(eq=False)
class Transaction:
    """A transaction, what has happened in it, and which messages it has read and so may store over."""

    _connection: AsyncConnection
    is_over: bool = False
    _events: list[Event] = attrs.field(factory=list)
    _known: set[MessageKey] = attrs.field(factory=set)
    _instant: datetime | None = None

    @property
    def connection(self) -> AsyncConnection:
        if self.is_over:
            raise RuntimeError("This unit of work has ended: make a new one.")
        return self._connection

    async def now(self) -> datetime:
        if self._instant is None:
            found: datetime = (await self.connection.execute(_NOW)).scalar_one()
            self._instant = found
        return self._instant

    def tell(self, *events: Event) -> None:
        self._events.extend(events)

    def know(self, *keys: MessageKey) -> None:
        self._known.update(keys)

    def knows(self, key: MessageKey) -> bool:
        return key in self._known

    def events(self) -> list[Event]:
        """Return what happened, in order, and at the end, once, that messages changed."""
        changed = MessagesChanged()
        events = [event for event in self._events if event != changed]
        return events if len(events) == len(self._events) else [*events, changed]

    def mark(self) -> tuple[int, frozenset[MessageKey]]:
        """Return a mark to which ``forget_since`` goes back."""
        return len(self._events), frozenset(self._known)

    def forget_since(self, mark: tuple[int, frozenset[MessageKey]]) -> None:
        del self._events[mark[0] :]
        self._known = set(mark[1])

    async def close(self) -> None:
        """End the transaction; what is not committed is rolled back."""
        self.is_over = True
        await self._connection.close()
