"""The care of the ledger in PostgreSQL."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text

from adapters.postgres import partitions
from adapters.postgres.statements import OPEN
from adapters.postgres.transaction import Transaction
from application.upkeep_ports import Bookmark, Upkeep
from domain.events import MessagesChanged
from domain.user import UserId

_NOTE = text("""
    UPDATE bookmark SET
        planned_until = greatest(planned_until, CAST(:planned_until AS date)),
        reckoned_with = coalesce(:reckoned_with, reckoned_with)
""")
_OPEN_USERS = text(f"""
    SELECT DISTINCT m.user_id FROM messages m
    WHERE {OPEN} AND m.user_id > CAST(:after AS uuid) ORDER BY m.user_id LIMIT :limit
""")  # noqa: S608  # the part is our own literal
# What a claim has locked is passed by: two that took such hours in another order would wait for each other.
_FORGET_HOURS = text("""
    WITH old AS MATERIALIZED (
        SELECT due_hour FROM due_hours WHERE due_hour < :instant FOR UPDATE SKIP LOCKED
    )
    DELETE FROM due_hours d USING old WHERE d.due_hour = old.due_hour RETURNING d.due_hour
""")
_BEFORE_ALL = UserId(UUID(int=0))


class PostgresUpkeep(Upkeep):
    """The upkeep of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def bookmark(self) -> Bookmark:
        query = text("SELECT planned_until, reckoned_with FROM bookmark")
        return Bookmark(*(await self._transaction.connection.execute(query)).one())

    async def note(self, bookmark: Bookmark) -> None:
        told = {"planned_until": bookmark.planned_until, "reckoned_with": bookmark.reckoned_with}
        await self._transaction.connection.execute(_NOTE, told)

    async def users_with_open_messages(self, after: UserId | None, limit: int) -> Sequence[UserId]:
        found = await self._transaction.connection.scalars(
            _OPEN_USERS, {"after": after or _BEFORE_ALL, "limit": limit}
        )
        return [UserId(user_id) for user_id in found]

    async def drop_months_before(self, day: date) -> int:
        months, messages = await partitions.drop_before(self._transaction.connection, day)
        if messages:
            self._transaction.tell(MessagesChanged())
        return months

    async def forget_due_hours_before(self, instant: datetime) -> int:
        gone = await self._transaction.connection.execute(_FORGET_HOURS, {"instant": instant})
        return len(gone.all())

    async def real_now(self) -> datetime:
        found: datetime = (
            await self._transaction.connection.execute(text("SELECT clock_timestamp()"))
        ).scalar_one()
        return found
