"""The ledger in PostgreSQL as it is shown."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected
from adapters.postgres.message_counts import COUNTS
from adapters.postgres.message_rows import has_key, to_message
from adapters.postgres.statements import OPEN, WANTED_AT
from adapters.postgres.tables import messages
from application.errors import StoreUnavailable
from application.ports import MessageReader
from application.scheduler_observing import BACKLOG_MAX, Backlog
from application.views import MessageView, Page
from domain.due import occasion_dates
from domain.message import IN_NEED, MessageKey, Status
from domain.occasion import Kind
from domain.user import UserId

# The dates choose the partitions, and rows by the primary key: an index by the due instant would cost every
# planned message something. One value for all of them, since a row each would cost a hundred times as much.
USERS_DUE = text("""
    SELECT string_agg(uuid_send(user_id), '' ORDER BY user_id)
    FROM (
        SELECT DISTINCT m.user_id
        FROM messages m JOIN users u ON u.id = m.user_id
        WHERE m.occasion_on BETWEEN CAST(:oldest AS date) AND CAST(:newest AS date)
          AND m.kind = CAST(:kind AS text)
          AND m.due_at >= CAST(:first AS timestamptz) AND m.due_at < CAST(:until AS timestamptz)
          AND m.status NOT IN ('CANCELLED', 'SKIPPED')
          AND u.deleted_at IS NULL
    ) due
""")


BACKLOG = text(f"""
    SELECT count(*), min(wanted_at) FROM (
        SELECT {WANTED_AT} AS wanted_at FROM messages m
        WHERE {OPEN} AND {WANTED_AT} <= CAST(:now AS timestamptz) AND m.expires_at > CAST(:now AS timestamptz)
        ORDER BY {WANTED_AT} LIMIT {BACKLOG_MAX}
    ) due
""")  # noqa: S608  # the parts are our own literals


_LISTED = frozenset((*IN_NEED, Status.CANCELLED, Status.SKIPPED))
"""What an index lists: how a message ends seldom."""


class PostgresMessageReader(MessageReader):
    """Each look-up is a statement of its own."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, key: MessageKey) -> MessageView | None:
        async with connected(self._engine) as connection:
            row = (await connection.execute(select(messages).where(has_key(key)))).one_or_none()
        return None if row is None else MessageView.of(to_message(row))

    async def page(
        self,
        *,
        after: MessageKey | None,
        limit: int,
        statuses: Sequence[Status] = (),
        user_id: UserId | None = None,
    ) -> Page[MessageView]:
        query = page_of(after, limit + 1, statuses, user_id)
        async with connected(self._engine) as connection:
            rows = await connection.execute(query)
            views = [MessageView.of(to_message(row)) for row in rows]
        return Page(views[:limit], len(views) > limit)

    async def counts(self) -> Mapping[Status, int]:
        async with connected(self._engine) as connection:
            return {Status(status): count for status, count in await connection.execute(COUNTS)}

    async def backlog(self, now: datetime) -> Backlog:
        async with connected(self._engine) as connection:
            messages, oldest_at = (await connection.execute(BACKLOG, {"now": now})).one()
        return Backlog(messages, oldest_at)

    async def users_due(self, kind: Kind, first: datetime, until: datetime) -> bytes:
        oldest, newest = occasion_dates(first, until)
        values = {"kind": str(kind), "first": first, "until": until, "oldest": oldest, "newest": newest}
        async with connected(self._engine) as connection:
            packed: bytes | None = (await connection.execute(USERS_DUE, values)).scalar_one()
        return packed or b""

    async def is_reachable(self) -> bool:
        try:
            async with connected(self._engine) as connection:
                await connection.execute(text("SELECT 1"))
        except StoreUnavailable:
            return False
        return True


def page_of(
    after: MessageKey | None, limit: int, statuses: Sequence[Status], user_id: UserId | None
) -> Select[Any]:
    """Return the statement for a page; of each of several statuses it takes as many, so that each has its index."""
    columns = messages.c
    newest_first = columns.occasion_on.desc(), columns.user_id.desc(), columns.kind.desc()
    query = select(messages)
    if user_id is not None:
        query = query.where(columns.user_id == user_id)
    if after is not None:
        query = _before(query, after)
    if len(statuses) > 1:
        parts = [
            query.where(_is(status)).order_by(*newest_first).limit(limit).subquery()
            for status in dict.fromkeys(statuses)
        ]
        found = union_all(*(select(part) for part in parts)).subquery()
        of = found.c
        return select(found).order_by(of.occasion_on.desc(), of.user_id.desc(), of.kind.desc()).limit(limit)
    if statuses:
        query = query.where(_is(statuses[0]))
    return query.order_by(*newest_first).limit(limit)


def _is(status: Status) -> ColumnElement[bool]:
    if status in _LISTED:
        return messages.c.ended == str(status)
    is_it = messages.c.status == str(status)
    return is_it if status is Status.SENT else and_(messages.c.ended.is_(None), is_it)


def _before(query: Select[Any], key: MessageKey) -> Select[Any]:
    columns = messages.c
    return query.where(
        columns.occasion_on <= key.occasion_on,  # for the choice of partitions; the next says it exactly
        or_(
            columns.occasion_on < key.occasion_on,
            and_(
                columns.occasion_on == key.occasion_on,
                or_(
                    columns.user_id < key.user_id,
                    and_(columns.user_id == key.user_id, columns.kind < str(key.kind)),
                ),
            ),
        ),
    )
