"""The ledger in PostgreSQL: inside a unit of work, and as it is shown."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import statements
from adapters.postgres.database import connected
from adapters.postgres.tables import messages
from adapters.postgres.transaction import Transaction
from application.errors import StoreUnavailable
from application.ports import (
    ALL_SHARDS,
    Delivery,
    FailedForGood,
    FailedForNow,
    MessageReader,
    Messages,
    Outcome,
    PlanReport,
    ReapReport,
    Recipient,
    Sent,
    SettleReport,
    Shard,
)
from application.views import MessageView, Page
from domain.due import SendPolicy, WallTime, ZoneRow
from domain.events import MessagesChanged
from domain.message import Message, MessageKey, Reason, RetryPolicy, Status
from domain.occasion import Kind
from domain.user import UserId

_PARTITION_LOCK = 0x70617274


class PostgresMessages(Messages):
    """The ledger of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def prepare(self, first: date, last: date) -> None:
        months = list(_months(first, last))
        held = await self._transaction.connection.scalars(
            text("SELECT relid::text FROM pg_partition_tree('messages') WHERE isleaf")
        )
        missing = [month for month in months if _partition(month) not in set(held)]
        if not missing:
            return
        await self._transaction.connection.execute(text(f"SELECT pg_advisory_xact_lock({_PARTITION_LOCK})"))
        for month in missing:
            await self._add_partition(month)

    async def _add_partition(self, month: date) -> None:
        # Attaching locks the ledger less than CREATE ... PARTITION OF would: claims go on meanwhile.
        name, following = _partition(month), _following(month)
        if (
            await self._transaction.connection.scalar(text("SELECT to_regclass(:name)"), {"name": name})
            is not None
        ):
            return
        for statement in (
            f"CREATE TABLE {name} (LIKE messages INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
            f"ALTER TABLE messages ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{following}')",
        ):
            await self._transaction.connection.execute(text(statement))

    async def plan(
        self, table: Sequence[ZoneRow], policy: SendPolicy, shard: Shard = ALL_SHARDS
    ) -> PlanReport:
        rows = await self._transaction.connection.scalars(
            statements.PLAN,
            {
                "timezone": [row.timezone for row in table],
                "on": [row.on for row in table],
                "month": [row.month for row in table],
                "day": [row.day for row in table],
                "rule": [row.leap_day_rule for row in table],
                "due_at": [row.due_at for row in table],
                "wall_time": [row.wall_time for row in table],
                "expires_at": [row.expires_at for row in table],
                "default_rule": str(policy.leap_day_rule),
                "guard_days": policy.greeted_guard.days,
                "now": await self._transaction.now(),
                "shard": shard.number,
                "shards": shard.of,
            },
        )
        added = self._changed(rows)
        return PlanReport(scheduled=added[Status.SCHEDULED], skipped=added[Status.SKIPPED])

    async def of_users(self, user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[Message]]:
        rows = await self._transaction.connection.execute(
            select(messages)
            .where(messages.c.user_id == text("ANY(CAST(:user_ids AS uuid[]))"))
            .order_by(messages.c.occasion_on, messages.c.user_id, messages.c.kind)
            .with_for_update(key_share=True),
            {"user_ids": list(user_ids)},
        )
        found: dict[UserId, list[Message]] = {}
        for message in map(_to_message, rows):
            self._transaction.know(message.key)
            found.setdefault(message.key.user_id, []).append(message)
        return found

    async def get(self, key: MessageKey) -> Message | None:
        rows = await self._transaction.connection.execute(
            select(messages).where(_is(key)).with_for_update(key_share=True)
        )
        row = rows.one_or_none()
        if row is None:
            return None
        self._transaction.know(key)
        return _to_message(row)

    async def save(self, messages_: Sequence[Message]) -> None:
        known = [message for message in messages_ if self._transaction.knows(message.key)]
        new = [message for message in messages_ if not self._transaction.knows(message.key)]
        if new:
            dates = [message.key.occasion_on for message in new]
            await self.prepare(min(dates), max(dates))
        for statement, part in ((statements.CHANGE, known), (statements.ADD, new)):
            if part:
                rows = [_to_row(message) for message in part]
                arrays = {name: [row[name] for row in rows] for name in rows[0]}
                self._changed(await self._transaction.connection.scalars(statement, arrays))
                self._transaction.know(*(message.key for message in part))

    async def claim(self, limit: int, lease: timedelta, shard: Shard = ALL_SHARDS) -> Sequence[Delivery]:
        deliveries: list[Delivery] = []
        for status, moment in (("SCHEDULED", "due_at"), ("RETRYING", "retry_at")):
            if len(deliveries) < limit:
                statement = text(statements.claim(status, moment, limit - len(deliveries), shard))
                rows = (await self._transaction.connection.execute(statement, {"lease": lease})).all()
                self._changed(row.status for row in rows)
                deliveries.extend(_to_delivery(row) for row in rows if row.status == Status.SENDING)
        return deliveries

    async def settle(
        self,
        outcomes: Sequence[tuple[Delivery, Outcome]],
        policy: RetryPolicy,
        shard: Shard = ALL_SHARDS,
    ) -> SettleReport:
        if not outcomes:
            return SettleReport({}, 0)
        strays = [delivery for delivery, _ in outcomes if not shard.holds(delivery.key.user_id)]
        if strays:
            raise ValueError("An outcome is of another shard than it is settled in.")
        # The instant is needed for those that are to be tried again only.
        now = (
            await self._transaction.now()
            if any(isinstance(one, FailedForNow) for _, one in outcomes)
            else None
        )
        verdicts = [_verdict(delivery, outcome, policy, now) for delivery, outcome in outcomes]
        settled = self._changed(
            await self._transaction.connection.scalars(
                statements.SETTLE,
                {
                    "occasion_on": [delivery.key.occasion_on for delivery, _ in outcomes],
                    "user_id": [delivery.key.user_id for delivery, _ in outcomes],
                    "kind": [str(delivery.key.kind) for delivery, _ in outcomes],
                    "fence": [delivery.fence for delivery, _ in outcomes],
                    "status": [str(status) for status, _, _ in verdicts],
                    "reason": [reason for _, reason, _ in verdicts],
                    "retry_at": [retry_at for _, _, retry_at in verdicts],
                },
            )
        )
        return SettleReport(settled, len(outcomes) - settled.total())

    async def reap(self, *, deduplicates: bool, limit: int, shard: Shard = ALL_SHARDS) -> ReapReport:
        reaped = self._changed(
            await self._transaction.connection.scalars(
                text(statements.reap(limit, shard, deduplicates=deduplicates))
            )
        )
        return ReapReport(retrying=reaped[Status.RETRYING], unknown=reaped[Status.UNKNOWN])

    async def expire(self, limit: int, shard: Shard = ALL_SHARDS) -> int:
        expired = 0
        for status, moment in (("SCHEDULED", "due_at"), ("RETRYING", "retry_at")):
            rows = await self._transaction.connection.scalars(
                text(statements.expire(status, moment, limit - expired, shard))
            )
            expired += self._changed(rows).total()
        return expired

    async def next_due_at(self, shard: Shard = ALL_SHARDS) -> datetime | None:
        found: datetime | None = await self._transaction.connection.scalar(text(statements.next_due(shard)))
        return found

    def _changed(self, statuses: Iterable[str]) -> Counter[Status]:
        """Count the rows that a statement returned, and remember that something happened if there are any."""
        counted = Counter(Status(status) for status in statuses)
        if counted:
            self._transaction.tell(MessagesChanged())
        return counted


def _verdict(
    delivery: Delivery, outcome: Outcome, policy: RetryPolicy, now: datetime | None
) -> tuple[Status, Reason | None, datetime | None]:
    """Return the status, reason and next attempt that *outcome* leads to."""
    match outcome:
        case Sent():
            return Status.SENT, None, None
        case FailedForGood():
            return Status.FAILED, Reason.REFUSED, None
        case FailedForNow(retry_after=retry_after):
            assert now is not None  # noqa: S101  # settle asks for it if any outcome is of this kind
            retry_at = policy.retry_at(delivery.attempt, now, random.random())  # noqa: S311  # jitter, no secret
            if retry_at is None:
                return Status.FAILED, Reason.ATTEMPTS_USED_UP, None
            if retry_after is not None:
                retry_at = max(retry_at, now + retry_after)
            return Status.RETRYING, None, retry_at


class PostgresMessageReader(MessageReader):
    """The ledger as it is shown, each look-up a statement of its own."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, key: MessageKey) -> MessageView | None:
        async with connected(self._engine) as connection:
            row = (await connection.execute(select(messages).where(_is(key)))).one_or_none()
        return None if row is None else MessageView.of(_to_message(row))

    async def page(
        self,
        *,
        after: MessageKey | None,
        limit: int,
        statuses: Sequence[Status] = (),
        user_id: UserId | None = None,
    ) -> Page[MessageView]:
        columns = messages.c
        query = select(messages).order_by(
            columns.occasion_on.desc(), columns.user_id.desc(), columns.kind.desc()
        )
        if statuses:
            query = query.where(columns.status.in_([str(status) for status in statuses]))
        if user_id is not None:
            query = query.where(columns.user_id == user_id)
        if after is not None:
            query = _before(query, after)
        async with connected(self._engine) as connection:
            rows = await connection.execute(query.limit(limit + 1))
            views = [MessageView.of(_to_message(row)) for row in rows]
        return Page(views[:limit], len(views) > limit)

    async def counts(self) -> Mapping[Status, int]:
        query = select(messages.c.status, func.count()).group_by(messages.c.status)
        async with connected(self._engine) as connection:
            return {Status(status): count for status, count in await connection.execute(query)}

    async def is_reachable(self) -> bool:
        try:
            async with connected(self._engine) as connection:
                await connection.execute(text("SELECT 1"))
        except StoreUnavailable:
            return False
        return True


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


def _is(key: MessageKey) -> Any:
    return and_(
        messages.c.occasion_on == key.occasion_on,
        messages.c.user_id == key.user_id,
        messages.c.kind == str(key.kind),
    )


def _months(first: date, last: date) -> Iterable[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = _following(month)


def _following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _partition(month: date) -> str:
    return f"messages_{month:%Y_%m}"


def _to_message(row: Row[Any]) -> Message:
    return Message(
        key=MessageKey(row.occasion_on, Kind(row.kind), UserId(row.user_id)),
        status=Status(row.status),
        reason=None if row.reason is None else Reason(row.reason),
        due_at=row.due_at,
        expires_at=row.expires_at,
        timezone=row.timezone,
        wall_time=WallTime(row.wall_time),
        years=row.years,
        attempt=row.attempt,
        fence=row.fence,
        retry_at=row.retry_at,
        sent_at=row.sent_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _to_row(message: Message) -> dict[str, Any]:
    return {
        "occasion_on": message.key.occasion_on,
        "user_id": message.key.user_id,
        "kind": str(message.key.kind),
        "status": str(message.status),
        "reason": None if message.reason is None else str(message.reason),
        "due_at": message.due_at,
        "expires_at": message.expires_at,
        "timezone": message.timezone,
        "wall_time": str(message.wall_time),
        "years": message.years,
        "attempt": message.attempt,
        "fence": message.fence,
        "retry_at": message.retry_at,
        "sent_at": message.sent_at,
        "created_at": message.created_at,
        "updated_at": message.updated_at,
    }


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        key=MessageKey(row.occasion_on, Kind(row.kind), UserId(row.user_id)),
        fence=row.fence,
        attempt=row.attempt,
        due_at=row.due_at,
        expires_at=row.expires_at,
        years=row.years,
        recipient=Recipient(row.first_name, row.last_name, row.email),
    )
