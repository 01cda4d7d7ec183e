"""The audit trail in PostgreSQL, which itself refuses what would change it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.database import connected
from adapters.postgres.transaction import Transaction
from application.audit_ports import KEPT_AT_LEAST, AuditReader, AuditTrail, Channels
from application.views import Page
from domain.audit import Actor, ActorKind, Entry
from domain.message import MessageKey
from domain.occasion import Kind
from domain.user import UserId

# Fields have no comma in their names; an array of arrays would be one long array.
_NOTE = text("""
    INSERT INTO audit (
        at, actor_kind, actor_id, actor_name, action, user_id, occasion_on, kind, subject, key_id, fields, reason
    )
    SELECT n.at, n.actor_kind, n.actor_id, n.actor_name, n.action, n.user_id, n.occasion_on, n.kind, n.subject,
        n.key_id, string_to_array(n.fields, ','), n.reason
    FROM unnest(
        CAST(:at AS timestamptz[]), CAST(:actor_kind AS text[]), CAST(:actor_id AS text[]),
        CAST(:actor_name AS text[]), CAST(:action AS text[]), CAST(:user_id AS uuid[]),
        CAST(:occasion_on AS date[]), CAST(:kind AS text[]), CAST(:subject AS text[]), CAST(:key_id AS text[]),
        CAST(:fields AS text[]), CAST(:reason AS text[])
    ) WITH ORDINALITY AS n (
        at, actor_kind, actor_id, actor_name, action, user_id, occasion_on, kind, subject, key_id, fields, reason,
        place
    )
    ORDER BY n.place
""")
_FORGET = text("SELECT forget_audit(:instant, :kept)")
_PAGE = """
    SELECT * FROM audit
    WHERE (CAST(:after AS bigint) IS NULL OR id < CAST(:after AS bigint)) {of} ORDER BY id DESC LIMIT :limit
"""
_DECIDED = "SELECT * FROM audit WHERE {of} ORDER BY id DESC LIMIT :limit"
# What was confirmed stays confirmed: the next hours of the same surge are no more than it, and pass.
_RESUME = text("""
    WITH stopped AS MATERIALIZED (
        SELECT * FROM channels
        WHERE name = :channel AND (paused_until > clock_timestamp() OR braked_at IS NOT NULL) FOR UPDATE
    ), confirmed AS (
        INSERT INTO due_hours AS d (due_hour, confirmed)
        SELECT braked_hour, braked_messages FROM stopped WHERE braked_at IS NOT NULL
        ON CONFLICT (due_hour) DO UPDATE SET confirmed = greatest(d.confirmed, excluded.confirmed)
    )
    UPDATE channels c SET paused_until = NULL, braked_at = NULL, braked_hour = NULL, braked_messages = NULL,
        braked_allowed = NULL
    FROM stopped s WHERE c.name = s.name RETURNING c.name
""")

FORGET_REASONS = text("UPDATE audit SET reason = NULL WHERE user_id = :user_id AND reason IS NOT NULL")
"""What somebody wrote about a person who is erased; that it was done stays."""


class PostgresAuditTrail(AuditTrail):
    """The trail of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def note(self, entries: Sequence[Entry]) -> None:
        await note(self._transaction.connection, entries)

    async def forget_before(self, instant: datetime) -> int:
        forgotten: int = (
            await self._transaction.connection.execute(_FORGET, {"instant": instant, "kept": KEPT_AT_LEAST})
        ).scalar_one()
        return forgotten


class PostgresAuditReader(AuditReader):
    """Each look is one statement."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, after: int | None, limit: int, user_id: UserId | None = None) -> Page[Entry]:
        of = "" if user_id is None else "AND user_id = :user_id"
        whose = {} if user_id is None else {"user_id": user_id}
        found = await self._all(text(_PAGE.format(of=of)), after=after, limit=limit + 1, **whose)
        return Page(found[:limit], len(found) > limit)

    async def decided(self, limit: int, user_id: UserId | None = None) -> Sequence[Entry]:
        if user_id is None:
            return await self._all(
                text(_DECIDED.format(of="kind IS NOT NULL OR subject IS NOT NULL")), limit=limit
            )
        of = "user_id = :user_id AND kind IS NOT NULL"
        return await self._all(text(_DECIDED.format(of=of)), limit=limit, user_id=user_id)

    async def _all(self, statement: TextClause, **values: Any) -> Sequence[Entry]:
        async with connected(self._engine) as connection:
            return [to_entry(row) for row in await connection.execute(statement, values)]


class PostgresChannels(Channels):
    """The channels of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def let_go_on(self, channel: str) -> bool:
        resumed = await self._transaction.connection.scalars(_RESUME, {"channel": channel})
        return resumed.first() is not None


async def note(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Keep *entries* in the transaction of *connection*, in this order."""
    if entries:
        rows = [_to_row(entry) for entry in entries]
        await connection.execute(_NOTE, {name: [row[name] for row in rows] for name in rows[0]})


def to_entry(row: Row[Any]) -> Entry:
    user_id = None if row.user_id is None else UserId(row.user_id)
    key = None
    if user_id is not None and row.kind is not None:
        key = MessageKey(row.occasion_on, Kind(row.kind), user_id)
    return Entry(
        at=row.at,
        actor=Actor(ActorKind(row.actor_kind), row.actor_id, row.actor_name),
        action=row.action,
        user_id=user_id,
        message=key,
        subject=row.subject,
        key_id=row.key_id,
        fields=tuple(row.fields),
        reason=row.reason,
        number=row.id,
    )


def _to_row(entry: Entry) -> dict[str, Any]:
    key = entry.message
    return {
        "at": entry.at,
        "actor_kind": entry.actor.kind.value,
        "actor_id": entry.actor.id,
        "actor_name": entry.actor.name,
        "action": str(entry.action),
        "user_id": entry.user_id if key is None else key.user_id,
        "occasion_on": None if key is None else key.occasion_on,
        "kind": None if key is None else key.kind.value,
        "subject": entry.subject,
        "key_id": entry.key_id,
        "fields": ",".join(entry.fields),
        "reason": entry.reason,
    }
