"""The ledger in memory: inside a unit of work, and as it is shown."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import attrs

from adapters.memory.brake import count, look
from adapters.memory.planning import planned
from adapters.memory.store import ChannelState, MemoryStore, Transaction
from application.deliveries import (
    Delivery,
    FailedForGood,
    FailedForNow,
    Outcome,
    Recipient,
    Sent,
    pause_asked,
)
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
from domain.message import Action, Message, MessageKey, Reason, RetryPolicy, Status
from domain.plan import is_still_owed, why_not_to
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
        added: Counter[Status] = Counter()
        new = planned(table, self._transaction.state, policy, self._transaction.now, shard)
        for message in list(new):
            self._transaction.put(message)
            added[message.status] += 1
        return PlanReport(added[Status.SCHEDULED], added[Status.SKIPPED], added[Status.EXPIRED])

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

    async def claim(self, limit: int, terms: ClaimTerms, shard: Shard = ALL_SHARDS) -> Claim:
        now_s, channels = self._store.monotonic(), self._transaction.state.channels
        channel = channels.get(terms.channel, ChannelState())
        if channel.paused_until_s > now_s:
            return Claim([], pause=timedelta(seconds=channel.paused_until_s - now_s))
        tokens = None
        if terms.rate_per_s is not None:
            tokens = channel.tokens_at(now_s, terms.rate_per_s, terms.burst)
            if tokens < 1:
                return Claim([], pause=terms.pause_until_token(tokens))
            limit = min(limit, int(tokens))
        cleared = terms.cleared
        if terms.brake is not None:
            if cleared <= 0:
                waiting = self._first(None, shard, self._is_claimable)
                braked = look(self._transaction.state, terms.brake, terms.channel, waiting)
                if braked is not None:
                    return Claim([], pause=BRAKED_PAUSE, braked=braked)
                cleared = len(waiting)
            limit = min(limit, cleared)
        due = self._first(limit, shard, self._is_claimable)
        taken = [self._take(message, terms) for message in due]
        deliveries = [one for one in taken if isinstance(one, Delivery)]
        stale = [UserId(one) for one in taken if isinstance(one, UUID)]
        if tokens is not None:
            known = channels.get(terms.channel, channel)
            channels[terms.channel] = attrs.evolve(known, tokens=tokens - len(deliveries), counted_s=now_s)
        if terms.brake is None:
            return Claim(deliveries, stale)
        count(self._transaction.state, deliveries)
        return Claim(deliveries, stale, cleared=cleared - len(due) if len(due) == limit else 0)

    async def settle(
        self,
        outcomes: Sequence[tuple[Delivery, Outcome]],
        policy: RetryPolicy,
        channel: str,
        shard: Shard = ALL_SHARDS,
    ) -> SettleReport:
        if not all(shard.holds(delivery.key.user_id) for delivery, _ in outcomes):
            raise ValueError("An outcome is of another shard than it is settled in.")
        pause = pause_asked((outcome for _, outcome in outcomes), policy)
        if pause is not None:
            channels = self._transaction.state.channels
            known = channels.get(channel, ChannelState())
            until_s = self._store.monotonic() + pause.total_seconds()
            channels[channel] = attrs.evolve(known, paused_until_s=max(known.paused_until_s, until_s))
        settled: Counter[Status] = Counter()
        for delivery, outcome in outcomes:
            message = self._transaction.state.messages.get(delivery.key)
            if message is None or message.status is not Status.SENDING or message.fence != delivery.fence:
                continue
            ended = _ended(message, outcome, policy, self._transaction.now, self._store.jitter())
            self._transaction.put(ended)
            settled[ended.status] += 1
        return SettleReport(dict(settled), len(outcomes) - settled.total())

    async def reap(
        self, policy: RetryPolicy, *, retries: bool, limit: int, shard: Shard = ALL_SHARDS
    ) -> ReapReport:
        now, leases = self._transaction.now, self._transaction.state.leases
        monotonic_s = self._store.monotonic()
        ended: Counter[Status] = Counter()

        def is_lost(one: Message) -> bool:
            return one.wanted_at <= now and one.key in leases and leases[one.key] <= monotonic_s

        for message in self._first(limit, shard, is_lost):
            lost = _lost(message, now, retries=retries, policy=policy)
            self._transaction.put(lost)
            ended[lost.status] += 1
        return ReapReport(ended[Status.RETRYING], ended[Status.UNKNOWN])

    async def expire(self, limit: int, shard: Shard = ALL_SHARDS) -> ExpireReport:
        now = self._transaction.now
        ended: Counter[Status] = Counter()
        for message in self._first(limit, shard, lambda one: one.is_open and one.expires_at <= now):
            missed = message.given_up(Action.EXPIRE, now, Reason.WINDOW_PASSED)
            self._transaction.put(missed)
            ended[missed.status] += 1
        return ExpireReport(ended[Status.EXPIRED], ended[Status.UNKNOWN])

    async def next_due_at(self, shard: Shard = ALL_SHARDS) -> datetime | None:
        now = self._transaction.now
        return min(
            (
                message.wanted_at
                for message in self._transaction.state.messages.values()
                if message.is_open and message.expires_at > now and shard.holds(message.key.user_id)
            ),
            default=None,
        )

    def _is_claimable(self, message: Message) -> bool:
        return message.is_open and message.wanted_at <= self._transaction.now < message.expires_at

    def _take(self, message: Message, terms: ClaimTerms) -> Delivery | UserId | None:
        """Claim or end *message*; return its delivery, or its user where it is not owed any more."""
        now = self._transaction.now
        user = self._transaction.state.users.get(message.key.user_id)
        if user is None or user.deleted_at is not None:
            self._transaction.put(message.given_up(Action.CANCEL, now, Reason.USER_DELETED))
            return None
        if (why_not := why_not_to(user, message.key.kind, terms.allowed_domains)) is not None:
            self._transaction.put(message.given_up(Action.SKIP, now, why_not))
            return None
        if message.may_have_arrived and not (terms.repeats or message.is_wanted_by_operator):
            self._transaction.put(message.given_up(Action.GIVE_UP, now, Reason.IN_DOUBT))
            return None
        if not (message.is_wanted_by_operator or is_still_owed(message, user, terms.policy.leap_day_rule)):
            return user.id
        claimed = attrs.evolve(
            message.moved(Action.CLAIM, now, Reason.OPERATOR if message.is_wanted_by_operator else None),
            attempt=message.attempt + 1,
            fence=message.fence + 1,
            retry_at=None,
        )
        self._transaction.put(claimed, self._store.monotonic() + terms.lease.total_seconds())
        return _delivery(claimed, user)

    def _first(
        self, limit: int | None, shard: Shard, condition: Callable[[Message], bool]
    ) -> Sequence[Message]:
        """Return up to *limit* messages, the longest wanted first, and those of the same instant by their keys."""
        found = [
            message
            for message in self._transaction.state.messages.values()
            if shard.holds(message.key.user_id) and condition(message)
        ]
        return sorted(found, key=lambda message: (message.wanted_at, message.key))[:limit]


def _delivery(message: Message, user: User) -> Delivery:
    return Delivery(
        key=message.key,
        fence=message.fence,
        attempt=message.attempt,
        due_at=message.due_at,
        expires_at=message.expires_at,
        years=message.years,
        recipient=Recipient(user.first_name, user.last_name, user.email, user.link_nonce),
    )


def _ended(message: Message, outcome: Outcome, policy: RetryPolicy, now: datetime, jitter: float) -> Message:
    match outcome:
        case Sent():
            return attrs.evolve(message.moved(Action.SENT, now), sent_at=now)
        case FailedForGood():
            return message.moved(Action.FAILED_FOR_GOOD, now, Reason.REFUSED)
        case FailedForNow(retry_after=asked):
            failed = attrs.evolve(
                message,
                attempt=message.attempt - (asked is not None),
                may_have_arrived=message.may_have_arrived or outcome.may_have_arrived,
            )
            retry_at = policy.retry_at(
                message.attempt, now, jitter, expires_at=message.expires_at, asked=asked
            )
            if retry_at is None:
                return failed.given_up(Action.FAILED_FOR_GOOD, now, Reason.ATTEMPTS_USED_UP)
            return attrs.evolve(
                failed.moved(Action.FAILED_FOR_NOW, now, _kept_reason(message)), retry_at=retry_at
            )


def _lost(message: Message, now: datetime, *, retries: bool, policy: RetryPolicy) -> Message:
    lost = attrs.evolve(message, may_have_arrived=True)
    if not retries:
        return lost.moved(Action.LEASE_LOST_UNKNOWN, now, Reason.LEASE_LOST)
    if message.attempt >= policy.attempts_max:
        return lost.moved(Action.LEASE_LOST_UNKNOWN, now, Reason.ATTEMPTS_USED_UP)
    return attrs.evolve(
        lost.moved(Action.LEASE_LOST_RETRY, now, _kept_reason(message) or Reason.LEASE_LOST),
        retry_at=min(now, message.expires_at),
    )


def _kept_reason(message: Message) -> Reason | None:
    """Return the operator's word, which stands until the message has left."""
    return Reason.OPERATOR if message.reason is Reason.OPERATOR else None
