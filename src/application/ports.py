"""What the use cases need of the world, specified method by method.

Adapters subclass the protocols, so that a missing method is an error at wiring, and pass the contract suite.
Batches in, batches out: one call is one round trip, or a few that do not grow with the batch.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from types import TracebackType
from typing import Protocol, Self

import attrs

from application.audit_ports import AuditTrail, Channels
from application.deliveries import Delivery, Outcome
from application.import_ports import ImportLog, UserSearch
from application.ledger import Claim, ClaimTerms, ExpireReport, PlanReport, ReapReport, SettleReport
from application.scheduler_observing import Backlog
from application.traces import GreetedAddresses
from application.upkeep_ports import Upkeep
from application.views import MessageView, Page, UserView
from domain.due import SendPolicy, ZoneRow
from domain.events import Event
from domain.message import Message, MessageKey, RetryPolicy, Status
from domain.occasion import Kind
from domain.user import User, UserId

SHARDS_MAX = 65_536


@attrs.frozen
class Shard:
    """A part of the users: those whose id's last 16 bits, divided by *of*, leave *number*."""

    number: int = 0
    of: int = attrs.field(default=1, validator=attrs.validators.in_(range(1, SHARDS_MAX + 1)))

    def holds(self, user_id: UserId) -> bool:
        return (user_id.int & 0xFFFF) % self.of == self.number


ALL_SHARDS = Shard()
"""Everybody. Every call on the ledger names a shard, so that the ledger can be split by user."""


class Clock(Protocol):
    """The service's clock; in a demonstration it may run fast or stand still."""

    __slots__ = ()

    @abstractmethod
    def now(self) -> datetime:
        """Return the instant, in UTC."""

    @abstractmethod
    async def sleep_until(self, instant: datetime) -> None:
        """Return at *instant* by this clock, or up to a minute (of real time) earlier; at once if it is past.

        Early returns let the caller notice that a clock was set; callers look at ``now`` again.
        """


EventHandler = Callable[[Sequence[Event]], Awaitable[None]]
"""Called once after a commit with what happened in it, in order; never after a rollback. May not raise."""


class Users(UserSearch, Protocol):
    """The users, inside a unit of work: strongly consistent, never from a cache.

    Every change is told as an event after the commit: ``UserCreated``, ``UserChanged``, ``UserDeleted``.
    """

    __slots__ = ()

    @abstractmethod
    async def get(self, user_id: UserId) -> User | None:
        """Return the user, deleted or not, locked until the unit of work ends; None if there is none."""

    @abstractmethod
    async def by_ids(self, user_ids: Sequence[UserId]) -> Mapping[UserId, User]:
        """Return the users, deleted or not, locked in the order of their ids; who does not exist is absent."""

    @abstractmethod
    async def by_emails(self, emails: Sequence[str]) -> Mapping[str, User]:
        """Return the users by e-mail key, locked in a fixed order; a live one before a deleted one.

        Of several deleted ones the last deleted. Keys without a user are absent.
        """

    @abstractmethod
    async def add(self, users: Sequence[User]) -> None:
        """Store new users. Raises EmailTaken, ExternalIdTaken if a live user has it; then roll back."""

    @abstractmethod
    async def save(self, changes: Sequence[tuple[User, User]]) -> None:
        """Store each second value over its first, which was read in this unit of work.

        A user who is live before and deleted after is told as ``UserDeleted``, the other way round as
        ``UserCreated``. Raises EmailTaken, ExternalIdTaken.
        """

    @abstractmethod
    async def deleted_before(self, instant: datetime, limit: int) -> Sequence[User]:
        """Return up to *limit* users who were deleted before *instant*, locked in the order of their ids."""

    @abstractmethod
    async def erase(self, user: User) -> None:
        """Remove the record and every message of the user for good; see ``GreetedAddresses`` for what stays."""


class Messages(Protocol):
    """The ledger, inside a unit of work. Every change is told once per transaction: ``MessagesChanged``.

    "Due" is reckoned by the ledger's own clock (``UnitOfWork.now``), leases by real time.
    """

    __slots__ = ()

    @abstractmethod
    async def prepare(self, first: date, last: date) -> None:
        """Make room for occasions from *first* to *last*; a repeat does nothing."""

    @abstractmethod
    async def plan(
        self, table: Sequence[ZoneRow], policy: SendPolicy, shard: Shard = ALL_SHARDS
    ) -> PlanReport:
        """Add what the zone table owes to all users and the ledger does not hold yet.

        The same rules as ``domain.plan.plan_user``: what is past its window is added as EXPIRED. Users that are being changed meanwhile are waited for.
        A repeat, also at the same time, adds nothing.
        """

    @abstractmethod
    async def of_users(self, user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[Message]]:
        """Return every message of these users, locked in key order; users without one are absent."""

    @abstractmethod
    async def get(self, key: MessageKey) -> Message | None:
        """Return the message, locked until the unit of work ends."""

    @abstractmethod
    async def save(self, messages: Sequence[Message]) -> None:
        """Store messages, new or over the ones of the same key that were read in this unit of work.

        A new one whose key another transaction has added meanwhile stores nothing.
        """

    @abstractmethod
    async def claim(self, limit: int, terms: ClaimTerms, shard: Shard = ALL_SHARDS) -> Claim:
        """Take up to *limit* messages that are due and open, those that have waited longest; in any order.

        And no more than the channel takes, which is the same for all processes and shards; nothing while
        it is paused, or stopped by the brake: until ``Channels.resume``, or until the surge is gone.

        Their status becomes SENDING, attempt and fence grow by one, the lease begins. What another
        transaction is claiming is passed over. Each is compared with its user as they are now: messages of
        who is gone end, and those for a date or a zone that is not theirs any more (``domain.plan.
        is_still_owed``) are left, and their users returned as stale; an operator's word stands above that. What
        a person does not want, or where mail may not go, is SKIPPED, whatever an operator says.
        """

    @abstractmethod
    async def settle(
        self,
        outcomes: Sequence[tuple[Delivery, Outcome]],
        policy: RetryPolicy,
        channel: str,
        shard: Shard = ALL_SHARDS,
    ) -> SettleReport:
        """Write the outcomes of those who still hold the newest fence.

        An attempt after which the far side asked for a pause does not count, and pauses the channel, in
        real time and for no longer than the policy lets it, whether the fence is held or not.
        """

    @abstractmethod
    async def reap(
        self, policy: RetryPolicy, *, retries: bool, limit: int, shard: Shard = ALL_SHARDS
    ) -> ReapReport:
        """End up to *limit* leases that have run out: RETRYING at once if it *retries*, else UNKNOWN.

        Also UNKNOWN if the attempts are used up. What was on its way may have arrived, and is marked so. Where the
        service's clock was put back behind the due instant, the lease waits for that. Reads whatever is due.
        """

    @abstractmethod
    async def expire(self, limit: int, shard: Shard = ALL_SHARDS) -> ExpireReport:
        """End up to *limit* open messages whose window has passed: EXPIRED, or UNKNOWN if one may have arrived."""

    @abstractmethod
    async def next_due_at(self, shard: Shard = ALL_SHARDS) -> datetime | None:
        """Return when the next open message wants to be claimed, which may be past; None if there is none."""


class UnitOfWork(Protocol):
    """One transaction: ``async with`` it, ``commit`` at the end; left without, it is rolled back.

    It collects the events of what its repositories do, notes them in the audit trail at the commit, and hands them to the event handler after the
    outermost commit only, once; those of a savepoint that was rolled back are dropped. A commit whose
    outcome is unknown counts as committed for this purpose, and raises CommitOutcomeUnknown. Used once.
    """

    __slots__ = ()

    users: Users
    messages: Messages
    imports: ImportLog
    upkeep: Upkeep
    audit: AuditTrail
    channels: Channels
    greeted: GreetedAddresses

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @abstractmethod
    async def now(self) -> datetime:
        """Return the instant, in UTC, by the ledger's clock; the same one all through the transaction."""

    @abstractmethod
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Undo what is done inside if it ends with an exception, which goes on to the caller."""

    @abstractmethod
    async def commit(self) -> None: ...


UnitOfWorkFactory = Callable[[], UnitOfWork]


class UserReader(Protocol):
    """Users as they are shown, read without a transaction."""

    __slots__ = ()

    @abstractmethod
    async def get(self, user_id: UserId) -> UserView | None:
        """Return the live user, or None."""

    @abstractmethod
    async def find_by_email(self, email: str) -> UserView | None:
        """Return the live user who has this address, in whatever case it is written."""

    @abstractmethod
    async def page(self, after: UserId | None, limit: int) -> Page[UserView]:
        """Return live users in the order of their ids, which is that of their registration."""

    @abstractmethod
    async def fingerprint(self) -> str:
        """Return what is another text once a live user is added, changed or gone, and else the same."""


class MessageReader(Protocol):
    """The ledger as it is shown, read without a transaction."""

    __slots__ = ()

    @abstractmethod
    async def get(self, key: MessageKey) -> MessageView | None: ...

    @abstractmethod
    async def page(
        self,
        *,
        after: MessageKey | None,
        limit: int,
        statuses: Sequence[Status] = (),
        user_id: UserId | None = None,
    ) -> Page[MessageView]:
        """Return messages in key order, newest occasion first, of any status if none is given."""

    @abstractmethod
    async def counts(self) -> Mapping[Status, int]:
        """Return how many messages the ledger holds per status."""

    @abstractmethod
    async def backlog(self, now: datetime) -> Backlog:
        """Return what could be sent at *now*, counted up to BACKLOG_MAX; cheap however large the ledger is."""

    @abstractmethod
    async def users_due(self, kind: Kind, first: datetime, until: datetime) -> bytes:
        """Return the ids of live users with a message of *kind* due from *first* to before *until*.

        16 bytes each, ascending, each once, in one round trip. A message that is CANCELLED or SKIPPED does
        not count: nobody is greeted then. Any other does, also one that failed: the occasion is today.
        """

    @abstractmethod
    async def is_reachable(self) -> bool:
        """Tell whether the store answers; never raises."""
