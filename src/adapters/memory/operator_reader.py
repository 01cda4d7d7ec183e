"""What an operator looks at, in memory: the committed state."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from adapters.memory.store import MemoryStore
from application.operator_ports import (
    COUNTED_MAX,
    Attention,
    DueGroup,
    Lateness,
    NamedMessage,
    OperatorReader,
    PausedChannel,
)
from application.views import MessageView, UserView
from domain.email import email_key
from domain.message import IN_NEED, Message, MessageKey, Reason, Status
from domain.user import User, UserId


class MemoryOperatorReader(OperatorReader):
    """Every look goes through everything."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def attention(self, limit: int) -> Attention:
        latest: list[Message] = []
        counts: dict[Status, int] = {}
        for status in IN_NEED:
            found = [one for one in self._messages() if one.status is status and one.needs_somebody]
            counts[status] = min(len(found), COUNTED_MAX + 1)
            latest += sorted(found, key=lambda one: (one.due_at, *_place(one.key)), reverse=True)[:limit]
        return Attention(counts, self._named(latest))

    async def due(self, now: datetime, until: datetime) -> Sequence[DueGroup]:
        groups: dict[tuple[datetime, str, bool, bool], list[Message]] = defaultdict(list)
        for one in self._coming(now, until):
            at = one.wanted_at.replace(second=0, microsecond=0)
            groups[at, one.timezone, one.due_at <= now, one.wanted_at <= now].append(one)
        return [
            DueGroup(
                at=at,
                timezone=timezone,
                is_late=is_late,
                is_waiting=is_waiting,
                messages=len(members),
                people=len({one.key.user_id for one in members}),
                oldest_due_at=min(one.due_at for one in members),
            )
            for (at, timezone, is_late, is_waiting), members in sorted(
                groups.items(), key=lambda item: item[0]
            )
        ]

    async def next_messages(self, now: datetime, until: datetime, limit: int) -> Sequence[NamedMessage]:
        coming = sorted(self._coming(now, until), key=lambda one: (one.wanted_at, *_place(one.key)))
        return self._named(coming[:limit])

    async def paused_channels(self) -> Sequence[PausedChannel]:
        now_s = self._store.monotonic()
        return [
            PausedChannel(name, timedelta(seconds=max(channel.paused_until_s - now_s, 0.0)), channel.braked)
            for name, channel in sorted(self._store.committed.channels.items())
            if channel.paused_until_s > now_s or channel.braked is not None
        ]

    async def lateness(self, days: Sequence[date]) -> Mapping[date, Lateness]:
        late: dict[date, list[timedelta]] = defaultdict(list)
        for one in self._messages():
            is_ours = one.status is Status.SENT and one.reason is not Reason.OPERATOR
            if one.key.occasion_on in days and is_ours and one.sent_at is not None:
                late[one.key.occasion_on].append(one.sent_at - one.due_at)
        return {
            day: Lateness(
                sent=len(found),
                median=_at(sorted(found), 0.5),
                p99=_at(sorted(found), 0.99),
                worst=max(found),
            )
            for day, found in late.items()
        }

    async def has_people(self) -> bool:
        return any(user.deleted_at is None for user in self._store.committed.users.values())

    async def find_people(self, words: Sequence[str], limit: int) -> Sequence[UserView]:
        users = self._store.committed.users.values()
        found = [user for user in users if user.deleted_at is None and words and _matches(user, words)]
        return [UserView.of(user) for user in sorted(found, key=lambda user: user.id)[:limit]]

    def _messages(self) -> Iterable[Message]:
        return self._store.committed.messages.values()

    def _coming(self, now: datetime, until: datetime) -> Iterable[Message]:
        return [
            one for one in self._messages() if one.is_open and one.wanted_at < until and one.expires_at > now
        ]

    def _named(self, messages: Iterable[Message]) -> Sequence[NamedMessage]:
        users = self._store.committed.users
        named: list[NamedMessage] = []
        for one in messages:
            user = users.get(one.key.user_id)
            is_known = user is not None and user.deleted_at is None
            name = f"{user.first_name} {user.last_name}" if user is not None and is_known else None
            named.append(NamedMessage(MessageView.of(one), name))
        return named


def _place(key: MessageKey) -> tuple[date, UserId, str]:
    return key.occasion_on, key.user_id, key.kind


def _at(ordered: Sequence[timedelta], part: float) -> timedelta:
    return ordered[max(math.ceil(len(ordered) * part) - 1, 0)]


def _matches(user: User, words: Sequence[str]) -> bool:
    first_name, last_name = user.first_name.lower(), user.last_name.lower()
    parts = [word.lower() for word in words]
    if len(parts) == 1:
        return (
            first_name.startswith(parts[0])
            or last_name.startswith(parts[0])
            or user.email_key == email_key(words[0])
            or user.external_id == words[0]
        )
    cuts = [(" ".join(parts[:cut]), " ".join(parts[cut:])) for cut in range(1, len(parts))]
    return any(
        first_name.startswith(one) and last_name.startswith(other)
        for pair in cuts
        for one, other in (pair, pair[::-1])
    )
