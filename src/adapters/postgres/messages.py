"""The ledger in PostgreSQL, inside a unit of work."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import attrs
from sqlalchemy import Row, select, text
from sqlalchemy.exc import DBAPIError

from adapters.postgres import brake_rows, channel_rows, partitions, statements
from adapters.postgres.database import sqlstate
from adapters.postgres.message_rows import has_key, read_claim, to_message, to_row
from adapters.postgres.plan_statement import BY_LOOK_UPS, IS_ALONE, PLAN, PLAN_ALONE, plan_parameters
from adapters.postgres.tables import messages
from adapters.postgres.transaction import Transaction
from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Sent, pause_asked
from application.ledger import (
    BRAKED_PAUSE,
    Claim,
    ClaimTerms,
    ExpireReport,
    PlanReport,
    ReapReport,
    SettleReport,
)
from application.ports import ALL_SHARDS, Messages, Shard
from domain.due import SendPolicy, ZoneRow
from domain.events import MessagesChanged
from domain.message import Message, MessageKey, Reason, RetryPolicy, Status
from domain.occasion import Kind
from domain.user import UserId

_UNIQUE_VIOLATION = "23505"


class PostgresMessages(Messages):
    """The ledger of one transaction."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def prepare(self, first: date, last: date) -> None:
        await partitions.add(self._transaction.connection, first, last)

    async def plan(
        self, table: Sequence[ZoneRow], policy: SendPolicy, shard: Shard = ALL_SHARDS
    ) -> PlanReport:
        if not table:
            return PlanReport(0, 0)
        parameters = {**plan_parameters(table, policy, shard), "now": await self._transaction.now()}
        added = await self._plan(parameters)
        if any(added):
            self._transaction.tell(MessagesChanged())
        return PlanReport(added.scheduled, added.skipped, added.expired)

    async def _plan(self, parameters: Mapping[str, Any]) -> Row[Any]:
        connection = self._transaction.connection
        await connection.execute(BY_LOOK_UPS)
        if await connection.scalar(IS_ALONE, parameters):
            try:
                async with connection.begin_nested():
                    return (await connection.execute(PLAN_ALONE, parameters)).one()
            except DBAPIError as error:
                if sqlstate(error) != _UNIQUE_VIOLATION:
                    raise
        return (await connection.execute(PLAN, parameters)).one()

    async def of_users(self, user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[Message]]:
        rows = await self._transaction.connection.execute(
            select(messages)
            .where(messages.c.user_id == text("ANY(CAST(:user_ids AS uuid[]))"))
            .order_by(messages.c.occasion_on, messages.c.kind, messages.c.user_id)
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

    async def claim(self, limit: int, terms: ClaimTerms, shard: Shard = ALL_SHARDS) -> Claim:
        connection = self._transaction.connection
        allowed, pause = await channel_rows.allowance(connection, limit, terms)
        if pause is not None:
            return Claim([], pause=pause)
        cleared = terms.cleared
        if terms.brake is not None:
            if cleared <= 0:
                cleared, braked = await brake_rows.look(connection, terms.brake, terms, shard)
                if braked is not None:
                    return Claim([], pause=BRAKED_PAUSE, braked=braked)
            if cleared == 0:
                return Claim([])
            allowed = min(allowed, cleared)
        deliveries, stale, judged = await self._claim(allowed, terms, shard)
        if judged > len(stale):
            self._transaction.tell(MessagesChanged())
        await channel_rows.take(connection, len(deliveries), terms)
        if terms.brake is None:
            return Claim(deliveries, stale)
        await brake_rows.count(connection, deliveries)
        return Claim(deliveries, stale, cleared=cleared - judged if judged == allowed else 0)

    async def _claim(
        self, limit: int, terms: ClaimTerms, shard: Shard
    ) -> tuple[list[Delivery], list[UserId], int]:
        """Claim one date after the other, beginning with who has waited for longest; and tell how many were judged."""
        connection = self._transaction.connection
        values = statements.claim_values(terms)
        deliveries: list[Delivery] = []
        stale: list[UserId] = []
        judged = 0
        dates: list[date] = []
        while judged < limit:
            on = await connection.scalar(statements.first_due(shard), {"claimed": dates})
            if on is None:
                break
            dates.append(on)
            found = await connection.execute(statements.claim(limit - judged, shard), {**values, "on": on})
            # The driver's own rows, which are there already: SQLAlchemy would make another of each.
            rows = found.cursor.fetchall()
            judged += len(rows)
            claimed, not_owed = read_claim(on, rows)
            deliveries += claimed
            stale += not_owed
        return deliveries, stale, judged

    async def settle(
        self,
        outcomes: Sequence[tuple[Delivery, Outcome]],
        policy: RetryPolicy,
        channel: str,
        shard: Shard = ALL_SHARDS,
    ) -> SettleReport:
        if not outcomes:
            return SettleReport({}, 0)
        if shard.of > 1 and not all(shard.holds(delivery.key.user_id) for delivery, _ in outcomes):
            raise ValueError("An outcome is of another shard than it is settled in.")
        alike: dict[tuple[date, Kind], list[tuple[Delivery, Outcome]]] = {}
        for pair in outcomes:
            key = pair[0].key
            alike.setdefault((key.occasion_on, key.kind), []).append(pair)
        settled: Counter[Status] = Counter()
        for (on, kind), part in sorted(alike.items()):  # as everybody locks them who locks more than one
            settled += await self._settle(on, kind, part, policy)
        if settled:
            self._transaction.tell(MessagesChanged())
        pause = pause_asked((outcome for _, outcome in outcomes), policy)
        if pause is not None:
            await channel_rows.pause(self._transaction.connection, channel, pause)
        return SettleReport(settled, len(outcomes) - settled.total())

    async def _settle(
        self, on: date, kind: Kind, outcomes: Sequence[tuple[Delivery, Outcome]], policy: RetryPolicy
    ) -> Counter[Status]:
        values: dict[str, Any] = {
            "on": on,
            "kind": kind.value,
            "user_id": [delivery.key.user_id for delivery, _ in outcomes],
        }
        fences = [delivery.fence for delivery, _ in outcomes]
        connection = self._transaction.connection
        if len(set(fences)) == 1 and all(isinstance(outcome, Sent) for _, outcome in outcomes):
            sent = await connection.execute(statements.SETTLE_SENT, {**values, "fence": fences[0]})
            return Counter({Status.SENT: sent.rowcount})
        now = await self._transaction.now()
        verdicts = [_verdict(delivery, outcome, policy, now) for delivery, outcome in outcomes]
        values |= {
            "fence": fences,
            "status": [verdict.status.value for verdict in verdicts],
            "reason": [verdict.reason for verdict in verdicts],
            "retry_at": [verdict.retry_at for verdict in verdicts],
            "may_have_arrived": [verdict.may_have_arrived for verdict in verdicts],
            "uncounted": [int(verdict.is_uncounted) for verdict in verdicts],
        }
        rows = await connection.execute(statements.SETTLE, values)
        return Counter({Status(status): count for status, count in rows})

    async def reap(
        self, policy: RetryPolicy, *, retries: bool, limit: int, shard: Shard = ALL_SHARDS
    ) -> ReapReport:
        reaped = self._changed(
            await self._transaction.connection.scalars(
                statements.reap(limit, shard, retries=retries),
                {"attempts_max": policy.attempts_max} if retries else {},
            )
        )
        return ReapReport(retrying=reaped[Status.RETRYING], unknown=reaped[Status.UNKNOWN])

    async def expire(self, limit: int, shard: Shard = ALL_SHARDS) -> ExpireReport:
        ended = self._changed(await self._transaction.connection.scalars(statements.expire(limit, shard)))
        return ExpireReport(expired=ended[Status.EXPIRED], unknown=ended[Status.UNKNOWN])

    async def next_due_at(self, shard: Shard = ALL_SHARDS) -> datetime | None:
        found: datetime | None = await self._transaction.connection.scalar(statements.next_due(shard))
        return found

    def _changed(self, statuses: Iterable[str]) -> Counter[Status]:
        """Count the rows that a statement returned, and remember that something happened if there are any."""
        counted = Counter(Status(status) for status in statuses)
        if counted:
            self._transaction.tell(MessagesChanged())
        return counted


@attrs.frozen
class _Verdict:
    """What an outcome leads to; an uncounted attempt is taken back."""

    status: Status
    reason: Reason | None = None
    retry_at: datetime | None = None
    may_have_arrived: bool = False
    is_uncounted: bool = False


_SENT = _Verdict(Status.SENT)


def _verdict(delivery: Delivery, outcome: Outcome, policy: RetryPolicy, now: datetime) -> _Verdict:
    match outcome:
        case Sent():
            return _SENT
        case FailedForGood():
            return _Verdict(Status.FAILED, Reason.REFUSED)
        case FailedForNow(retry_after=asked):
            jitter = random.random()  # noqa: S311  # no secret
            retry_at = policy.retry_at(
                delivery.attempt, now, jitter, expires_at=delivery.expires_at, asked=asked
            )
            return _Verdict(
                Status.FAILED if retry_at is None else Status.RETRYING,
                Reason.ATTEMPTS_USED_UP if retry_at is None else None,
                retry_at,
                outcome.may_have_arrived,
                asked is not None,
            )
