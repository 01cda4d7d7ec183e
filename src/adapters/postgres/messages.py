"""The ledger in PostgreSQL, inside a unit of work."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select, text

from adapters.postgres import statements
from adapters.postgres.message_rows import has_key, to_delivery, to_message, to_row
from adapters.postgres.tables import messages
from adapters.postgres.transaction import Transaction
from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Sent
from application.ports import ALL_SHARDS, Messages, PlanReport, ReapReport, SettleReport, Shard
from domain.due import SendPolicy, ZoneRow
from domain.events import MessagesChanged
from domain.message import Message, MessageKey, Reason, RetryPolicy, Status
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
        for message in map(to_message, rows):
            self._transaction.know(message.key)
            found.setdefault(message.key.user_id, []).append(message)
        return found

    async def get(self, key: MessageKey) -> Message | None:
        rows = await self._transaction.connection.execute(
            select(messages).where(has_key(key)).with_for_update(key_share=True)
        )
        row = rows.one_or_none()
        if row is None:
            return None
        self._transaction.know(key)
        return to_message(row)

    async def save(self, messages_: Sequence[Message]) -> None:
        known = [message for message in messages_ if self._transaction.knows(message.key)]
        new = [message for message in messages_ if not self._transaction.knows(message.key)]
        if new:
            dates = [message.key.occasion_on for message in new]
            await self.prepare(min(dates), max(dates))
        for statement, part in ((statements.CHANGE, known), (statements.ADD, new)):
            if part:
                rows = [to_row(message) for message in part]
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
                deliveries.extend(to_delivery(row) for row in rows if row.status == Status.SENDING)
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


def _months(first: date, last: date) -> Iterable[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = _following(month)


def _following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _partition(month: date) -> str:
    return f"messages_{month:%Y_%m}"
