"""What a contract needs of the adapters under test, and the steps that its tests are told in.

A contract is a class without fixtures of its own: who binds it brings the fixture *adapters*, in the class
or in the module.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import attrs

from application.audit_ports import AuditReader
from application.deliveries import Delivery, Outcome
from application.ledger import Claim, ClaimTerms, PlanReport, ReapReport, SettleReport
from application.operator_ports import OperatorReader
from application.personal_export import PersonReader
from application.ports import EventHandler, MessageReader, UnitOfWorkFactory, UserReader
from domain.due import SendPolicy, zone_table
from domain.events import Event
from domain.message import Message, MessageKey, RetryPolicy
from domain.user import User

START = datetime(2027, 3, 13, 12, tzinfo=UTC)
"""What the ledger's clock shows when a test begins; it stands still."""
POLICY = SendPolicy()
RETRIES = RetryPolicy(attempts_max=3, first_delay=timedelta(seconds=1), delay_max=timedelta(seconds=1))
"""Every delay is one second, whatever the jitter."""
LEASE = timedelta(minutes=5)
TERMS = ClaimTerms(lease=LEASE, policy=POLICY, channel="memory", repeats=True)


@attrs.define(eq=False)
class Recorder:
    """The event handler under which the adapters run: keeps what it is told, commit by commit."""

    batches: list[Sequence[Event]] = attrs.field(factory=list, init=False)
    then: EventHandler | None = attrs.field(default=None, init=False)
    """Called as well, where a test wants to look at the world from inside the handler."""

    async def __call__(self, events: Sequence[Event]) -> None:
        self.batches.append(list(events))
        if self.then is not None:
            await self.then(events)

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch]

    @property
    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def forget(self) -> None:
        self.batches.clear()


@attrs.frozen(kw_only=True)
class Adapters:
    """The adapters of one kind on an empty store, whose clock stands at START.

    *expire_leases* makes every lease that is held now run out, and *let_pass* so many seconds of real time
    go by for the channels.
    """

    unit_of_work: UnitOfWorkFactory
    user_reader: UserReader
    message_reader: MessageReader
    operator_reader: OperatorReader
    audit_reader: AuditReader
    person_reader: PersonReader
    set_now: Callable[[datetime], Awaitable[None]]
    expire_leases: Callable[[], Awaitable[None]]
    let_pass: Callable[[float], Awaitable[None]]
    told: Recorder

    async def add(self, *users: User) -> None:
        async with self.unit_of_work() as uow:
            await uow.users.add(users)
            await uow.commit()

    async def save(self, before: User, after: User) -> None:
        async with self.unit_of_work() as uow:
            assert await uow.users.get(before.id) == before
            await uow.users.save([(before, after)])
            await uow.commit()

    async def user(self, user: User) -> User | None:
        async with self.unit_of_work() as uow:
            return await uow.users.get(user.id)

    async def keep(self, *messages: Message) -> None:
        """Store new messages as they are, in whatever state."""
        days = [message.key.occasion_on for message in messages]
        async with self.unit_of_work() as uow:
            await uow.messages.prepare(min(days), max(days))
            await uow.messages.save(messages)
            await uow.commit()

    async def plan(
        self,
        *zones: str,
        first: date | None = None,
        last: date | None = None,
        policy: SendPolicy = POLICY,
    ) -> PlanReport:
        async with self.unit_of_work() as uow:
            window = policy.plan_dates(await uow.now())
            first, last = first or window[0], last or window[1]
            await uow.messages.prepare(first, last)
            report = await uow.messages.plan(zone_table(policy, first, last, zones or None), policy)
            await uow.commit()
        return report

    async def claim(self, limit: int = 1000) -> Sequence[Delivery]:
        return (await self.whole_claim(limit)).deliveries

    async def whole_claim(self, limit: int = 1000) -> Claim:
        async with self.unit_of_work() as uow:
            claim = await uow.messages.claim(limit, TERMS)
            await uow.commit()
        return claim

    async def settle(
        self, *outcomes: tuple[Delivery, Outcome], policy: RetryPolicy = RETRIES
    ) -> SettleReport:
        async with self.unit_of_work() as uow:
            report = await uow.messages.settle(outcomes, policy, TERMS.channel)
            await uow.commit()
        return report

    async def reap(self, *, retries: bool, limit: int = 1000, policy: RetryPolicy = RETRIES) -> ReapReport:
        """End the leases that are held now, as if they had run out."""
        await self.expire_leases()
        async with self.unit_of_work() as uow:
            report = await uow.messages.reap(policy, retries=retries, limit=limit)
            await uow.commit()
        return report

    async def messages_of(self, *users: User) -> Mapping[MessageKey, Message]:
        async with self.unit_of_work() as uow:
            held = await uow.messages.of_users([user.id for user in users])
        return {message.key: message for messages in held.values() for message in messages}

    async def message(self, key: MessageKey) -> Message:
        async with self.unit_of_work() as uow:
            message = await uow.messages.get(key)
        assert message is not None
        return message
