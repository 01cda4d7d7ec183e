"""Every use case that writes, wired to the memory adapters."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

import attrs

from adapters.clock import MovableClock
from adapters.memory.audit import MemoryAuditReader
from adapters.memory.channel import MemoryChannel
from adapters.memory.message_reader import MemoryMessageReader
from adapters.memory.operator_reader import MemoryOperatorReader
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUserReader
from application.dispatch import KeepLedger, NextDue, SendDueMessages
from application.imports import AS_USUAL, ImportOptions, ImportReport, ImportUsers
from application.messages import ActOnMessage
from application.people_file import read_people
from application.people_rows import ReadOptions
from application.planning import PlanAnew, PlanMessages
from application.ports import UnitOfWorkFactory
from application.undoing import UndoImport, UndoReport
from application.unsubscribing import Links
from application.upcoming_of_user import UpcomingOfUser
from application.users import ChangeUser, RegisterUser, RemoveUser
from application.views import MessageView, UserView
from domain.message import MessageKey, Status
from domain.user import UserId
from domain.written_dates import DateReading
from tests.contract.adapters import POLICY, RETRIES, START, Recorder

LEASE = timedelta(seconds=60)


@attrs.define(eq=False)
class Service:
    """The service, its world, and short words for what a test looks at."""

    clock: MovableClock = attrs.field(factory=lambda: MovableClock(START, speed=0))
    told: Recorder = attrs.field(factory=Recorder)
    channel: MemoryChannel = attrs.field(factory=MemoryChannel)
    lease: timedelta = LEASE
    leases_passed_s: float = 0.0
    retries_unknown: bool = False
    store: MemoryStore = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = MemoryStore(self.clock, monotonic=lambda: self.leases_passed_s)

    @property
    def unit_of_work(self) -> UnitOfWorkFactory:
        return partial(MemoryUnitOfWork, self.store, self.told)

    @property
    def register(self) -> RegisterUser:
        return RegisterUser(self.unit_of_work, POLICY)

    @property
    def change(self) -> ChangeUser:
        return ChangeUser(self.unit_of_work, POLICY)

    @property
    def remove(self) -> RemoveUser:
        return RemoveUser(self.unit_of_work, POLICY)

    @property
    def upcoming(self) -> UpcomingOfUser:
        return UpcomingOfUser(self.users, self.ledger, POLICY, self.clock)

    @property
    def plan(self) -> PlanMessages:
        return PlanMessages(self.unit_of_work, POLICY)

    @property
    def plan_anew(self) -> PlanAnew:
        return PlanAnew(self.unit_of_work, POLICY)

    @property
    def send(self) -> SendDueMessages:
        return SendDueMessages(
            self.unit_of_work,
            self.channel,
            RETRIES,
            self.lease,
            self.plan_anew,
            retries_unknown=self.retries_unknown,
        )

    @property
    def keep(self) -> KeepLedger:
        return KeepLedger(self.unit_of_work, self.channel, RETRIES, self.retries_unknown)

    @property
    def next_due(self) -> NextDue:
        return NextDue(self.unit_of_work)

    @property
    def operator(self) -> ActOnMessage:
        return ActOnMessage(self.unit_of_work, POLICY)

    @property
    def users(self) -> MemoryUserReader:
        return MemoryUserReader(self.store)

    @property
    def ledger(self) -> MemoryMessageReader:
        return MemoryMessageReader(self.store)

    @property
    def looked_at(self) -> MemoryOperatorReader:
        return MemoryOperatorReader(self.store)

    @property
    def links(self) -> Links:
        return Links(lambda: self.store.committed.secret, "https://birthdays.example.com")

    @property
    def trail(self) -> MemoryAuditReader:
        return MemoryAuditReader(self.store)

    async def import_csv(
        self, text: str, options: ImportOptions = AS_USUAL, *, dry_run: bool = False
    ) -> ImportReport:
        """Import a file and return the last report."""
        people = read_people(text.encode(), ReadOptions(dates=DateReading(today=self.clock.now().date())))
        options = attrs.evolve(options, is_dry_run=dry_run)
        reports = [one async for one in ImportUsers(self.unit_of_work, POLICY)(people, options)]
        return reports[-1]

    async def undo(self, report: ImportReport) -> UndoReport:
        """Undo an import and return the last report."""
        assert report.import_id is not None
        return [one async for one in UndoImport(self.unit_of_work, POLICY)(report.import_id)][-1]

    def at(self, instant: datetime) -> None:
        self.clock.move_to(instant)

    def let_leases_run_out(self) -> None:
        self.leases_passed_s += 86_400

    async def register_many(self, number: int, particulars: Mapping[str, str | None]) -> list[UserView]:
        return [
            await self.register({**particulars, "email": f"p{count}@example.com"}) for count in range(number)
        ]

    async def messages(self, user: UserView | None = None) -> list[MessageView]:
        """Return the messages, oldest occasion first."""
        user_id = None if user is None else UserId(user.id)
        page = await self.ledger.page(after=None, limit=1000, user_id=user_id)
        return list(reversed(page.items))

    async def message(self, user: UserView) -> MessageView:
        [message] = await self.messages(user)
        return message

    async def statuses(self) -> dict[Status, int]:
        return {status: count for status, count in (await self.ledger.counts()).items() if count}


def key(message: MessageView) -> MessageKey:
    return MessageKey.parse(message.key)
