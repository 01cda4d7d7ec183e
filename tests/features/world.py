"""The world of a scenario: people, a service, a post office, and a clock that stands still between the steps."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import attrs

from adapters.memory.channel import MemoryChannel
from application.cached_reader import UncachedUserReader
from application.deliveries import Delivery, Outcome, Sent
from application.dispatch import KeepLedger, NextDue, SendDueMessages
from application.errors import UserNotFound
from application.imports import ImportUsers
from application.messages import ActOnMessage
from application.people_file import read_people
from application.planning import PlanAnew, PlanMessages
from application.ports import Clock, MessageReader, UnitOfWorkFactory, UserReader
from application.upcoming_of_user import UpcomingMessage, UpcomingOfUser
from application.users import ChangeUser, FindUserByEmail, GetUser, RegisterUser, RemoveUser
from application.views import MessageView
from domain.due import SendPolicy
from domain.message import MessageKey, RetryPolicy
from domain.occasion import Kind
from domain.user import UserId

T = TypeVar("T")

START = datetime(2010, 1, 1, 12, tzinfo=UTC)
"""When the service started; whoever lives somewhere in a scenario has been known since then."""
LEASE = timedelta(minutes=5)
_DAY = timedelta(days=1)
_LIVED_THROUGH = timedelta(days=10)


@attrs.frozen(kw_only=True)
class Adapters:
    """The adapters of one kind on an empty store whose clock stands still at START.

    *expire_leases* makes every lease that is held now run out.
    """

    unit_of_work: UnitOfWorkFactory
    user_reader: UserReader
    message_reader: MessageReader
    set_now: Callable[[datetime], Awaitable[None]]
    expire_leases: Callable[[], Awaitable[None]]


@attrs.frozen
class _Standing(Clock):
    """Shows the instant of the scenario."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    async def sleep_until(self, instant: datetime) -> None:
        raise NotImplementedError


@attrs.define(eq=False)
class World:
    """Drives the use cases as the service does: a plan a day, and whatever is due at its instant."""

    runner: asyncio.Runner
    adapters: Adapters
    now: datetime = START
    policy: SendPolicy = attrs.field(factory=SendPolicy)
    channel: MemoryChannel = attrs.field(factory=MemoryChannel)
    people: dict[str, UserId] = attrs.field(factory=dict)
    is_running: bool = True
    next_plan_at: datetime = START
    read: Sequence[Delivery] = ()
    """The messages that the step before looked at."""

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    # People

    def register(self, name: str, **told: str | None) -> None:
        raw = {"first_name": name, "last_name": "Example", "email": f"{name.lower()}@example.com"}
        view = self.do(RegisterUser(self.adapters.unit_of_work, self.policy)({**raw, **told}))
        self.people[name] = UserId(view.id)

    def change(self, name: str, **told: str | None) -> None:
        self.do(ChangeUser(self.adapters.unit_of_work, self.policy)(self.people[name], told))

    def import_file(self, text: str) -> None:
        async def run() -> None:
            people = read_people(text.encode())
            async for report in ImportUsers(self.adapters.unit_of_work, self.policy)(people):
                assert not report.failed, report.errors

        self.do(run())

    def leave(self, name: str, *, erase: bool = False) -> None:
        self.do(RemoveUser(self.adapters.unit_of_work, self.policy)(self.people[name], erase=erase))

    def is_unknown(self, name: str) -> bool:
        """Tell whether neither a record nor an address nor a message of the person can be found."""
        reader = UncachedUserReader(self.adapters.user_reader)
        for asked in (
            GetUser(reader)(self.people[name]),
            FindUserByEmail(reader)(f"{name.lower()}@example.com"),
        ):
            with contextlib.suppress(UserNotFound):
                self.do(asked)
                return False
        return not self.ledger(name)

    # What they get

    def letters(self, name: str, kind: Kind | None = None) -> Sequence[Delivery]:
        """Return what has reached somebody, in order."""
        return [
            one
            for one in self.channel.reached
            if one.key.user_id == self.people[name] and kind in {None, one.key.kind}
        ]

    def ledger(self, name: str) -> Sequence[MessageView]:
        page = self.adapters.message_reader.page(after=None, limit=100, user_id=self.people[name])
        return self.do(page).items

    def message(self, name: str, kind: Kind, on: date) -> MessageView:
        (found,) = (
            view for view in self.ledger(name) if (view.kind, view.occasion_date) == (kind, on.isoformat())
        )
        return found

    def upcoming(self, name: str) -> Sequence[UpcomingMessage]:
        readers = (self.adapters.user_reader, self.adapters.message_reader)
        answer = UpcomingOfUser(*readers, self.policy, _Standing(self.now))(self.people[name])
        return self.do(answer).upcoming

    def send_after_all(self, name: str, kind: Kind, on: date) -> None:
        key = MessageKey(on, kind, self.people[name])
        self.do(ActOnMessage(self.adapters.unit_of_work, self.policy).retry(key))
        self.live_until(self.now)

    # Time and the service

    def live_until(self, instant: datetime) -> None:
        """Let time go by until *instant*, with the service at work if it is running.

        Of a time that is longer only the last two days are lived through: scenarios speak of every day on
        which anything is due.
        """
        assert instant >= self.now, "time does not run backwards"
        self.do(self._live_until(instant) if self.is_running else self._move_to(instant))

    def start(self) -> None:
        self.is_running, self.next_plan_at = True, self.now
        self.live_until(self.now)

    def plan(self, until: date | None = None) -> None:
        first = None if until is None else self.now.date()
        self.do(PlanMessages(self.adapters.unit_of_work, self.policy)(first, until))

    def send_twice_at_once(self) -> None:
        """Let two services take what is due, at the same time."""

        async def both() -> None:
            await asyncio.gather(self._send_due()(), self._send_due()())

        self.do(both())

    def be_killed_while_sending(self) -> None:
        """Let the post office take what is due, and the service die before it has written that down."""

        async def killed() -> None:
            taken = asyncio.Event()

            def take(_delivery: Delivery) -> Outcome:
                taken.set()
                return Sent()

            self.channel.answer = take
            self.channel.hang()
            sending = asyncio.ensure_future(self._send_due()())
            async with asyncio.timeout(10):
                await taken.wait()
            sending.cancel()
            await asyncio.wait([sending])
            await self.adapters.expire_leases()

        self.do(killed())
        self.channel.recover()
        self.is_running = False

    async def _live_until(self, instant: datetime) -> None:
        if instant - self.now > _LIVED_THROUGH:
            await self._move_to(instant - 2 * _DAY)
        while True:
            if self.now >= self.next_plan_at:
                await PlanMessages(self.adapters.unit_of_work, self.policy)()
                self.next_plan_at = self.now + _DAY
            await KeepLedger(self.adapters.unit_of_work, self.channel, RetryPolicy())()
            while (await self._send_due()()).claimed:
                pass
            if self.now >= instant:
                return
            next_due_at = await NextDue(self.adapters.unit_of_work)()
            steps = [instant, self.next_plan_at, next_due_at or instant]
            await self._move_to(min(step for step in steps if step > self.now))

    def _send_due(self) -> SendDueMessages:
        plan_anew = PlanAnew(self.adapters.unit_of_work, self.policy)
        return SendDueMessages(self.adapters.unit_of_work, self.channel, RetryPolicy(), LEASE, plan_anew)

    async def _move_to(self, instant: datetime) -> None:
        await self.adapters.set_now(instant)
        self.now = instant
