"""The ledger in memory: inside a unit of work, and as it is shown."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

import attrs

from adapters.memory.store import MemoryStore, State, Transaction
from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Recipient, Sent
from application.errors import StoreUnavailable
from application.ports import ALL_SHARDS, MessageReader, Messages, PlanReport, ReapReport, SettleReport, Shard
from application.views import MessageView, Page
from domain.due import SendPolicy, ZoneRow
from domain.message import (
    GREETED,
    Action,
    Message,
    MessageKey,
    Reason,
    RetryPolicy,
    Status,
    greeted_recently,
)
from domain.occasion import AnnualDate, Kind
from domain.user import User, UserId


class MemoryMessages(Messages):
    """The ledger of one transaction."""

    __slots__ = ("_store", "_transaction")

    def __init__(self, transaction: Transaction, store: MemoryStore) -> None:
        self._transaction = transaction
        self._store = store

    async def prepare(self, first: date, last: date) -> None:  # noqa: ARG002  # there is room for all
        self._transaction.refuse_if_over()

    async def plan(
        self, table: Sequence[ZoneRow], policy: SendPolicy, shard: Shard = ALL_SHARDS
    ) -> PlanReport:
        state, now = self._transaction.state, self._transaction.now
        greeted = _greeted(state)
        added: Counter[Status] = Counter()
        for message in _owed(table, state, policy, now):
            if message.key in state.messages or not shard.holds(message.key.user_id):
                continue
            history = greeted.get(message.key.user_id, ())
            is_second = greeted_recently(message.key, history, policy.greeted_guard)
            planned = message.moved(Action.SKIP, now, Reason.GREETED_RECENTLY) if is_second else message
            self._transaction.put(planned)
            added[planned.status] += 1
        return PlanReport(added[Status.SCHEDULED], added[Status.SKIPPED])

    async def of_users(self, user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[Message]]:
        wanted = frozenset(user_ids)
        found: dict[UserId, list[Message]] = {}
        for key, message in sorted(self._transaction.state.messages.items()):
            if key.user_id in wanted:
                found.setdefault(key.user_id, []).append(message)
                self._transaction.know(key)
        return found

    async def get(self, key: MessageKey) -> Message | None:
        self._transaction.know(key)
        return self._transaction.state.messages.get(key)

    async def save(self, messages: Sequence[Message]) -> None:
        stored = self._transaction.state.messages
        for message in messages:
            if message.key not in stored or message.key in self._transaction.known_keys:
                self._transaction.put(message)

    async def claim(self, limit: int, lease: timedelta, shard: Shard = ALL_SHARDS) -> Sequence[Delivery]:
        now = self._transaction.now
        deliveries: list[Delivery] = []
        for message in self._first(limit, shard, lambda one: _is_claimable(one, now), lambda one: one.due_at):
            user = self._transaction.state.users.get(message.key.user_id)
            if user is None or user.deleted_at is not None:
                self._transaction.put(message.cancelled(now, Reason.USER_DELETED))
                continue
            claimed = attrs.evolve(
                message.moved(Action.CLAIM, now),
                attempt=message.attempt + 1,
                fence=message.fence + 1,
                retry_at=None,
            )
            self._transaction.put(claimed, self._store.monotonic() + lease.total_seconds())
            deliveries.append(_delivery(claimed, user))
        return deliveries

    async def settle(
        self,
        outcomes: Sequence[tuple[Delivery, Outcome]],
        policy: RetryPolicy,
        shard: Shard = ALL_SHARDS,
    ) -> SettleReport:
        if not all(shard.holds(delivery.key.user_id) for delivery, _ in outcomes):
            raise ValueError("An outcome is of another shard than it is settled in.")
        settled: Counter[Status] = Counter()
        for delivery, outcome in outcomes:
            message = self._transaction.state.messages.get(delivery.key)
            if message is None or message.status is not Status.SENDING or message.fence != delivery.fence:
                continue
            ended = _ended(message, outcome, policy, self._transaction.now, self._store.jitter())
            self._transaction.put(ended)
            settled[ended.status] += 1
        return SettleReport(dict(settled), len(outcomes) - settled.total())

    async def reap(self, *, deduplicates: bool, limit: int, shard: Shard = ALL_SHARDS) -> ReapReport:
        now, leases = self._transaction.now, self._transaction.state.leases
        monotonic_s = self._store.monotonic()
        lost = self._first(
            limit,
            shard,
            lambda one: one.key in leases and leases[one.key] <= monotonic_s,
            lambda one: one.due_at,
        )
        for message in lost:
            if deduplicates:
                ended = message.moved(Action.LEASE_LOST_RETRY, now, Reason.LEASE_LOST)
                self._transaction.put(attrs.evolve(ended, retry_at=now))
            else:
                self._transaction.put(message.moved(Action.LEASE_LOST_UNKNOWN, now, Reason.LEASE_LOST))
        return ReapReport(len(lost), 0) if deduplicates else ReapReport(0, len(lost))

    async def expire(self, limit: int, shard: Shard = ALL_SHARDS) -> int:
        now = self._transaction.now
        missed = self._first(
            limit, shard, lambda one: one.is_open and one.expires_at <= now, lambda one: one.expires_at
        )
        for message in missed:
            expired = message.moved(Action.EXPIRE, now, Reason.WINDOW_PASSED)
            self._transaction.put(attrs.evolve(expired, retry_at=None))
        return len(missed)

    async def next_due_at(self, shard: Shard = ALL_SHARDS) -> datetime | None:
        now = self._transaction.now
        return min(
            (
                _wanted_at(message)
                for message in self._transaction.state.messages.values()
                if message.is_open and message.expires_at > now and shard.holds(message.key.user_id)
            ),
            default=None,
        )

    def _first(
        self,
        limit: int,
        shard: Shard,
        condition: Callable[[Message], bool],
        order: Callable[[Message], datetime],
    ) -> Sequence[Message]:
        """Return up to *limit* messages, in order, and those of the same instant by their keys."""
        found = [
            message
            for message in self._transaction.state.messages.values()
            if shard.holds(message.key.user_id) and condition(message)
        ]
        return sorted(found, key=lambda message: (order(message), message.key))[:limit]


def _owed(table: Sequence[ZoneRow], state: State, policy: SendPolicy, now: datetime) -> Iterator[Message]:
    """Yield what the zone table owes to the live users whose window is open."""
    born: defaultdict[tuple[str, int, int], list[tuple[User, Kind, AnnualDate]]] = defaultdict(list)
    for user in state.users.values():
        for kind in Kind:
            annual = user.annual(kind)
            if annual is not None and user.deleted_at is None:
                born[user.timezone, annual.month, annual.day].append((user, kind, annual))
    for row in table:
        if row.expires_at <= now:
            continue
        for user, kind, annual in born.get((row.timezone, row.month, row.day), ()):
            years = None if annual.year is None else row.on.year - annual.year
            rule = user.leap_day_rule or policy.leap_day_rule
            if (
                (years is None or years >= 1)
                and row.leap_day_rule in {None, rule}
                and row.due_at >= user.known_at(kind)
            ):
                yield Message(
                    key=MessageKey(row.on, kind, user.id),
                    due_at=row.due_at,
                    expires_at=row.expires_at,
                    timezone=row.timezone,
                    wall_time=row.wall_time,
                    years=years,
                    created_at=now,
                    updated_at=now,
                )


def _greeted(state: State) -> Mapping[UserId, Sequence[Message]]:
    greeted: dict[UserId, list[Message]] = {}
    for message in state.messages.values():
        if message.status in GREETED:
            greeted.setdefault(message.key.user_id, []).append(message)
    return greeted


def _wanted_at(message: Message) -> datetime:
    return message.due_at if message.retry_at is None else message.retry_at


def _is_claimable(message: Message, now: datetime) -> bool:
    return message.is_open and _wanted_at(message) <= now < message.expires_at


def _delivery(message: Message, user: User) -> Delivery:
    return Delivery(
        key=message.key,
        fence=message.fence,
        attempt=message.attempt,
        due_at=message.due_at,
        expires_at=message.expires_at,
        years=message.years,
        recipient=Recipient(user.first_name, user.last_name, user.email),
    )


def _ended(message: Message, outcome: Outcome, policy: RetryPolicy, now: datetime, jitter: float) -> Message:
    match outcome:
        case Sent():
            return attrs.evolve(message.moved(Action.SENT, now), sent_at=now)
        case FailedForGood():
            return message.moved(Action.FAILED_FOR_GOOD, now, Reason.REFUSED)
        case FailedForNow(retry_after=retry_after):
            retry_at = policy.retry_at(message.attempt, now, jitter)
            if retry_at is None:
                return message.moved(Action.FAILED_FOR_GOOD, now, Reason.ATTEMPTS_USED_UP)
            if retry_after is not None:
                retry_at = max(retry_at, now + retry_after)
            return attrs.evolve(message.moved(Action.FAILED_FOR_NOW, now), retry_at=retry_at)


class MemoryMessageReader(MessageReader):
    """The ledger as it is shown: the committed state."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get(self, key: MessageKey) -> MessageView | None:
        message = self._store.committed.messages.get(key)
        return None if message is None else MessageView.of(message)

    async def page(
        self,
        *,
        after: MessageKey | None,
        limit: int,
        statuses: Sequence[Status] = (),
        user_id: UserId | None = None,
    ) -> Page[MessageView]:
        found = [
            message
            for key, message in sorted(self._store.committed.messages.items(), reverse=True)
            if (after is None or key < after)
            and (not statuses or message.status in statuses)
            and (user_id is None or key.user_id == user_id)
        ]
        return Page([MessageView.of(message) for message in found[:limit]], len(found) > limit)

    async def counts(self) -> Mapping[Status, int]:
        return Counter(message.status for message in self._store.committed.messages.values())

    async def users_due(self, kind: Kind, first: datetime, until: datetime) -> bytes:
        state = self._store.committed
        live = {user.id for user in state.users.values() if user.deleted_at is None}
        due = {
            message.key.user_id
            for message in state.messages.values()
            if message.key.kind is kind
            and first <= message.due_at < until
            and message.status not in {Status.CANCELLED, Status.SKIPPED}
        }
        return b"".join(sorted(user_id.bytes for user_id in due & live))

    async def is_reachable(self) -> bool:
        try:
            return self._store.committed is not None
        except StoreUnavailable:
            return False
