"""What the memory adapters share: the committed state, and what one transaction makes of it."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from typing import Any, Self

import attrs

from application.access_ports import Answer
from application.cache_ports import shard_of
from application.errors import StoreUnavailable
from application.import_ports import ImportChange, ImportId
from application.invalidation import keys_of, user_key
from application.ports import Clock
from application.upkeep_ports import Bookmark
from domain.audit import Entry
from domain.brake import Braked
from domain.events import Event, MessagesChanged, UserChanged, UserDeleted
from domain.message import Message, MessageKey
from domain.user import User, UserId


@attrs.frozen
class ChannelState:
    """Until when a channel is paused, and how many tokens it had when they were counted; monotonic seconds."""

    paused_until_s: float = 0.0
    tokens: float | None = None
    counted_s: float = 0.0
    braked: Braked | None = None

    def tokens_at(self, now_s: float, rate_per_s: float, burst: int) -> float:
        if self.tokens is None:
            return burst
        return min(burst, self.tokens + rate_per_s * (now_s - self.counted_s))


@attrs.define
class State:
    """What is stored; *leases* and *channels* count in monotonic seconds, *bookmark* is how far the plan has come.

    Entities are frozen, so that a shallow copy is a snapshot.
    """

    users: dict[UserId, User] = attrs.field(factory=dict)
    messages: dict[MessageKey, Message] = attrs.field(factory=dict)
    leases: dict[MessageKey, float] = attrs.field(factory=dict)
    imports: dict[ImportId, datetime] = attrs.field(factory=dict)
    import_changes: dict[tuple[ImportId, UserId], ImportChange] = attrs.field(factory=dict)

    channels: dict[str, ChannelState] = attrs.field(factory=dict)
    bookmark: Bookmark = attrs.field(factory=Bookmark)
    audit: tuple[Entry, ...] = ()
    noted: int = 0
    due_hours: dict[datetime, int] = attrs.field(factory=dict)
    confirmed_hours: dict[datetime, int] = attrs.field(factory=dict)
    greeted: frozenset[tuple[bytes, date]] = frozenset()
    secret: bytes = attrs.field(factory=lambda: secrets.token_bytes(32), repr=False)

    def copy(self) -> Self:
        values = attrs.asdict(self, recurse=False).items()
        copied: dict[str, Any] = {
            name: dict(value) if isinstance(value, dict) else value for name, value in values
        }
        return type(self)(**copied)


EVERYTHING = "*"
"""What stands in the outbox where an epoch has yet to be begun; it is no key."""
_BULK = 1000


@attrs.define(eq=False)
class Invalidation:
    """A row of the outbox; *batch* is None while it is pending."""

    key: str
    version: int
    written_s: float
    batch: int | None = None
    delivered_s: float = 0.0


@attrs.define(eq=False)
class Outbox:
    """The invalidations of one shard, the oldest first, and its numbers."""

    rows: list[Invalidation]
    epoch: int = 1
    drawn: int = 0
    base: int = 0
    purged: int = 0
    is_lent: bool = False

    @property
    def pending(self) -> list[Invalidation]:
        return [row for row in self.rows if row.batch is None]

    def delivered(self, since: int) -> list[Invalidation]:
        return [row for row in self.rows if row.batch is not None and row.batch > since]


def _real_now() -> datetime:
    return datetime.now(UTC)


@attrs.define(eq=False)
class KeptAnswer:
    """A claim, and the answer once there is one; without a fingerprint it is erased. Instants are monotonic."""

    fingerprint: bytes | None
    token: str
    claimed_until_s: float
    forget_s: float
    answer: Answer | None = None


@attrs.define(eq=False)
class MemoryStore:
    """The committed state, the outbox, and the lock by which one unit of work goes after the other.

    Set *is_reachable* to False, and it behaves like a database that cannot be reached.
    """

    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random
    is_reachable: bool = True
    real_now: Callable[[], datetime] = _real_now
    answers: dict[tuple[str, str], KeptAnswer] = attrs.field(factory=dict, init=False)
    _state: State = attrs.field(factory=State, init=False)
    _outboxes: dict[int, Outbox] = attrs.field(factory=dict, init=False)
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _holder: asyncio.Task[object] | None = attrs.field(default=None, init=False)

    @property
    def committed(self) -> State:
        """What anybody may read, and nobody may change. Raises StoreUnavailable."""
        if not self.is_reachable:
            raise StoreUnavailable
        return self._state

    async def acquire(self) -> None:
        """Wait for the turn of this task."""
        task = asyncio.current_task()
        if self._holder is not None and self._holder is task:
            raise RuntimeError(
                "This task has a unit of work open; another one inside it would wait for ever."
            )
        await self._lock.acquire()
        self._holder = task

    def outbox(self, shard: int) -> Outbox:
        """Return the outbox, whose epoch has yet to be begun if it is new. Raises StoreUnavailable."""
        if not self.is_reachable:
            raise StoreUnavailable
        if shard not in self._outboxes:
            self._outboxes[shard] = Outbox([Invalidation(EVERYTHING, 0, self.monotonic())])
        return self._outboxes[shard]

    def commit(self, state: State, events: Sequence[Event] = ()) -> None:
        """Take over *state*, and with it the keys of what has happened."""
        if not self.is_reachable:
            raise StoreUnavailable
        self._state = state
        self._erase_answers(
            {event.user.id for event in events if isinstance(event, UserDeleted) and event.erased}
        )
        changed = [event for event in events if isinstance(event, UserChanged | UserDeleted)]
        if len(changed) > _BULK:
            outbox = self.outbox(shard_of(EVERYTHING))
            outbox.epoch += 1
            outbox.rows.append(Invalidation(EVERYTHING, 0, self.monotonic()))
        versions = {user_key(user.id): user.version for user in state.users.values()} if changed else {}
        for key in sorted({key for event in events for key in keys_of(event)}):
            row = Invalidation(key, versions.get(key, 0), self.monotonic())
            self.outbox(shard_of(key)).rows.append(row)

    def release(self) -> None:
        self._holder = None
        self._lock.release()

    def _erase_answers(self, users: AbstractSet[UserId]) -> None:
        for held in self.answers.values():
            if users and held.answer is not None and not held.answer.about.isdisjoint(users):
                held.fingerprint = held.answer = None


@attrs.define(eq=False)
class Transaction:
    """The state as one unit of work sees it, and what has happened in it.

    *known_keys* are the messages that it has read or written: only over those may it store another value.
    """

    now: datetime
    _state: State
    _events: list[Event] = attrs.field(factory=list)
    _messages_changed: bool = False
    _known_keys: set[MessageKey] = attrs.field(factory=set)
    _has_failed: bool = False
    _has_ended: bool = False

    @property
    def state(self) -> State:
        self.refuse_if_over()
        return self._state

    @property
    def known_keys(self) -> AbstractSet[MessageKey]:
        return self._known_keys

    @property
    def events(self) -> list[Event]:
        return [*self._events, MessagesChanged()] if self._messages_changed else list(self._events)

    def refuse_if_over(self) -> None:
        if self._has_ended:
            raise RuntimeError("This unit of work has ended; open another one.")
        if self._has_failed:
            raise RuntimeError("This unit of work has failed; roll it back.")

    def tell(self, event: Event) -> None:
        self._events.append(event)

    def know(self, *keys: MessageKey) -> None:
        self._known_keys.update(keys)

    def put(self, message: Message, lease_until_s: float | None = None) -> None:
        """Store *message*, leased or not, and remember that the ledger has changed."""
        self.state.messages[message.key] = message
        if lease_until_s is None:
            self.state.leases.pop(message.key, None)
        else:
            self.state.leases[message.key] = lease_until_s
        self.know(message.key)
        self._messages_changed = True

    def drop(self, key: MessageKey) -> None:
        del self.state.messages[key]
        self.state.leases.pop(key, None)
        self._messages_changed = True

    def fail(self) -> None:
        """Nothing more can be done here, as after an error inside a transaction of a database."""
        self._has_failed = True

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    def end(self) -> None:
        self._has_ended = True

    def snapshot(self) -> Self:
        return attrs.evolve(
            self, state=self.state.copy(), events=list(self._events), known_keys=set(self._known_keys)
        )

    def go_back_to(self, snapshot: Self) -> None:
        self._state = snapshot._state
        self._events = snapshot._events
        self._messages_changed = snapshot._messages_changed
        self._known_keys = snapshot._known_keys
        self._has_failed = snapshot._has_failed
