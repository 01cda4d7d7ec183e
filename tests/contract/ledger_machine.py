"""Random lives of a ledger: any steps in any order, on one kind of adapters or on several that must agree."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from application.ports import (
    Delivery,
    FailedForGood,
    FailedForNow,
    Outcome,
    Recipient,
    Sent,
    UnitOfWork,
)
from application.users import replan
from domain.due import zone_table
from domain.errors import IllegalTransition
from domain.events import MessagesChanged
from domain.message import GREETED, TRANSITIONS, Action, Message, MessageKey, Reason, Status
from domain.occasion import AnnualDate, LeapDayRule
from domain.plan import plan_user
from domain.user import Particulars, User, UserId, change, register, remove, restore
from tests.contract.adapters import LEASE, POLICY, RETRIES, START, Adapters
from tests.contract.people import ZONES, user_number

T = TypeVar("T")
OpenAdapters = Callable[[], AbstractAsyncContextManager[Adapters]]
Rows = Mapping[MessageKey, Message]

_ALL = 10_000
_NEW = frozenset({Status.SCHEDULED, Status.SKIPPED})
_CHANGE = frozenset({Action.REPLAN, Action.CANCEL})
_OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    (
        Sent(),
        Sent(),
        Sent(),
        FailedForNow("busy"),
        FailedForNow("busy", timedelta(hours=1)),
        FailedForNow("busy", timedelta(days=2)),
        FailedForGood("no such mailbox"),
    )
)
_PAUSES = tuple(timedelta(hours=hours) for hours in (1, 6, 13, 25, 72, 24 * 360))


class LedgerMachine(RuleBasedStateMachine):
    """People come, change and go, messages are planned, claimed and settled, also too late; time goes on.

    Every step is done on all *worlds*, which must answer alike and hold the same rows afterwards.
    """

    worlds: ClassVar[Sequence[OpenAdapters]]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._adapters = [self._runner.run(self._stack.enter_async_context(one())) for one in self.worlds]
        self._now = START
        self._users: dict[UserId, User] = {}
        self._rows: Rows = {}
        self._deliveries: list[Delivery] = []
        self._people_so_far = 0
        self._sent_so_far = 0
        self._exempt: set[UserId] = set()

    def teardown(self) -> None:
        try:
            self._runner.run(self._stack.aclose())
        finally:
            self._runner.close()

    # People

    @initialize(data=st.data(), number=st.integers(1, 3))
    def some_are_there(self, data: st.DataObject, number: int) -> None:
        for _ in range(number):
            self.somebody_registers(data)

    @precondition(lambda self: len(self._users) < 5)
    @rule(data=st.data())
    def somebody_registers(self, data: st.DataObject) -> None:
        self._people_so_far += 1
        user = register(
            user_number(self._people_so_far), self._particulars(data, self._people_so_far), self._now
        )
        self._do(lambda uow: _added(uow, user, self._now), _CHANGE)
        self._users[user.id] = user

    @precondition(lambda self: self._live())
    @rule(data=st.data())
    def somebody_changes(self, data: st.DataObject) -> None:
        user = data.draw(st.sampled_from(self._live()))
        changed = change(user, self._particulars(data, user.id.int), self._now)
        if changed is not user:
            self._save(user, changed)

    @precondition(lambda self: self._live())
    @rule(data=st.data())
    def somebody_is_deleted(self, data: st.DataObject) -> None:
        user = data.draw(st.sampled_from(self._live()))
        self._save(user, remove(user, self._now))

    @precondition(lambda self: len(self._live()) < len(self._users))
    @rule(data=st.data())
    def somebody_comes_back(self, data: st.DataObject) -> None:
        user = data.draw(st.sampled_from([one for one in self._users.values() if one.deleted_at is not None]))
        self._save(user, restore(user, self._particulars(data, user.id.int), self._now))

    @precondition(lambda self: len(self._users) > 3)
    @rule(data=st.data())
    def somebody_is_erased(self, data: st.DataObject) -> None:
        user = self._users.pop(data.draw(st.sampled_from(sorted(self._users))))
        rows = {key: row for key, row in self._rows.items() if key.user_id != user.id}
        self._sent_so_far -= _sent(self._rows) - _sent(rows)
        self._do(lambda uow: uow.users.erase(user), frozenset(), before=rows)

    # The scheduler

    @rule(ahead=st.sampled_from((None, None, 5, 60)))
    def the_plan_is_made(self, ahead: int | None) -> None:
        first, last = POLICY.plan_dates(self._now)
        if ahead is not None:
            last = self._now.date() + timedelta(ahead)
        table = zone_table(POLICY, first, last, ZONES)
        before = self._rows
        report = self._do(lambda uow: _planned(uow, table, first, last), frozenset())
        added = [row.status for key, row in self._rows.items() if key not in before]
        assert (added.count(Status.SCHEDULED), added.count(Status.SKIPPED)) == (
            report.scheduled,
            report.skipped,
        )
        if ahead is None:
            self._refuse_forgotten()

    @rule(pause=st.sampled_from(_PAUSES))
    def time_passes(self, pause: timedelta) -> None:
        self._set_now(self._now + pause)

    @rule(late_s=st.sampled_from((0, 0, -1, 60)))
    def the_next_one_is_due(self, late_s: int) -> None:
        next_due_at = self._do(lambda uow: uow.messages.next_due_at(), frozenset())
        waiting = [
            _wanted_at(row) for row in self._rows.values() if row.is_open and row.expires_at > self._now
        ]
        assert next_due_at == min(waiting, default=None)
        if next_due_at is not None:
            self._set_now(max(self._now, next_due_at + timedelta(seconds=late_s)))

    @rule(data=st.data(), late_s=st.sampled_from((0, 60)))
    def the_scheduler_wakes_and_claims(self, data: st.DataObject, late_s: int) -> None:
        self.the_next_one_is_due(late_s)
        self.what_is_due_is_claimed(data)

    @rule(data=st.data())
    def what_is_due_is_claimed(self, data: st.DataObject) -> None:
        before = self._rows
        limit = data.draw(st.sampled_from(self._limits()))
        deliveries = self._do(lambda uow: _claimed(uow, limit), frozenset({Action.CLAIM, Action.CANCEL}))
        assert len(deliveries) <= limit
        for delivery in deliveries:
            row, user = before[delivery.key], self._users[delivery.key.user_id]
            assert row.due_at <= self._now
            assert _wanted_at(row) <= self._now < row.expires_at
            assert user.deleted_at is None
            assert delivery.recipient == Recipient(user.first_name, user.last_name, user.email)
            assert (delivery.fence, delivery.attempt) == (row.fence + 1, row.attempt + 1)
        claimed = {delivery.key for delivery in deliveries}
        left = [row for row in self._rows.values() if _is_claimable(row, self._now)]
        assert not left or len(claimed) + _cancelled(before, self._rows) == limit
        self._deliveries.extend(deliveries)

    @precondition(lambda self: any(map(self._is_held, self._deliveries)))
    @rule(data=st.data())
    def outcomes_are_written(self, data: st.DataObject) -> None:
        self._settle(data, [one for one in self._deliveries if self._is_held(one)])

    @precondition(lambda self: self._deliveries)
    @rule(data=st.data())
    def outcomes_are_written_late(self, data: st.DataObject) -> None:
        """By anybody who ever held a message."""
        self._settle(data, self._deliveries)

    def _settle(self, data: st.DataObject, deliveries: Sequence[Delivery]) -> None:
        chosen = data.draw(
            st.lists(st.sampled_from(deliveries), min_size=1, unique_by=lambda one: (one.key, one.fence))
        )
        outcomes = [(delivery, data.draw(_OUTCOMES)) for delivery in chosen]
        holders = [one for one in chosen if self._is_held(one)]
        report = self._do(
            lambda uow: uow.messages.settle(outcomes, RETRIES),
            frozenset({Action.SENT, Action.FAILED_FOR_NOW, Action.FAILED_FOR_GOOD}),
        )
        assert (sum(report.settled.values()), report.lost) == (len(holders), len(chosen) - len(holders))
        self._sent_so_far += report.settled.get(Status.SENT, 0)

    @rule(deduplicates=st.booleans())
    def leases_run_out(self, *, deduplicates: bool) -> None:
        for adapters in self._adapters:
            self._runner.run(_awaited(adapters.expire_leases()))
        sending = [row for row in self._rows.values() if row.status is Status.SENDING]
        report = self._do(
            lambda uow: uow.messages.reap(deduplicates=deduplicates, limit=_ALL),
            frozenset({Action.LEASE_LOST_RETRY if deduplicates else Action.LEASE_LOST_UNKNOWN}),
        )
        assert report.retrying + report.unknown == len(sending)

    @rule()
    def windows_pass(self) -> None:
        missed = [row for row in self._rows.values() if row.is_open and row.expires_at <= self._now]
        expired = self._do(lambda uow: uow.messages.expire(_ALL), frozenset({Action.EXPIRE}))
        assert expired == len(missed)

    @rule()
    def a_process_dies_before_its_commit(self) -> None:
        first, last = POLICY.plan_dates(self._now)

        async def die(uow: UnitOfWork) -> None:
            await _planned(uow, zone_table(POLICY, first, last, ZONES), first, last)
            await uow.messages.claim(_ALL, LEASE)
            await uow.messages.expire(_ALL)

        self._do(die, frozenset(), commits=False)

    # The operator

    @precondition(lambda self: self._rows)
    @rule(data=st.data(), action=st.sampled_from((Action.RETRY, Action.CANCEL, Action.MARK_SENT)))
    def an_operator_acts(self, data: st.DataObject, action: Action) -> None:
        key = data.draw(st.sampled_from(sorted(self._rows)))
        allowed = (self._rows[key].status, action) in TRANSITIONS

        async def act(uow: UnitOfWork) -> None:
            held = await uow.messages.get(key)
            assert held is not None
            try:
                await uow.messages.save([_acted(held, action, self._now)])
            except IllegalTransition:
                assert not allowed
            else:
                assert allowed

        self._do(act, frozenset({action}))
        self._exempt.add(key.user_id)
        self._sent_so_far += allowed and action is Action.MARK_SENT

    # What always holds

    @invariant()
    def every_sending_is_written_down_once(self) -> None:
        assert _sent(self._rows) == self._sent_so_far

    @invariant()
    def the_times_of_a_message_fit_its_status(self) -> None:
        for row in self._rows.values():
            assert (row.retry_at is not None) == (row.status is Status.RETRYING)
            assert (row.sent_at is not None) == (row.status is Status.SENT)

    @invariant()
    def nobody_is_greeted_twice(self) -> None:
        """Unless an operator wants it, or the occasion was changed while its message was on its way."""
        greeted = sorted(
            (row.key.user_id, row.key.kind, row.key.occasion_on)
            for row in self._rows.values()
            if row.status in GREETED and row.key.user_id not in self._exempt
        )
        for (user_id, kind, on), following in itertools.pairwise(greeted):
            assert (user_id, kind) != following[:2] or following[2] - on >= POLICY.greeted_guard

    # How a step is done

    def _do(
        self,
        step: Callable[[UnitOfWork], Awaitable[T]],
        actions: frozenset[Action],
        *,
        commits: bool = True,
        before: Rows | None = None,
    ) -> T:
        """Do *step* in every world, and look at what it did to the rows: nothing but *actions*."""
        results = [self._runner.run(_in_one(adapters, step, commits)) for adapters in self._adapters]
        assert all(result == results[0] for result in results)
        ids = [user_number(number) for number in range(1, self._people_so_far + 1)]
        found = [self._runner.run(_all_rows(adapters, ids)) for adapters in self._adapters]
        for other in found[1:]:
            assert other == found[0]
        held = self._rows if before is None else before
        assert held.keys() <= found[0].keys()
        for key, row in found[0].items():
            _check(held.get(key), row, actions)
        for adapters in self._adapters:
            is_told = [isinstance(event, MessagesChanged) for event in adapters.told.events]
            assert is_told.count(True) == (found[0] != self._rows)
            assert is_told == sorted(is_told)
            adapters.told.forget()
        self._rows = found[0]
        return results[0]

    def _save(self, before: User, after: User) -> None:
        if any(row.status is Status.SENDING for key, row in self._rows.items() if key.user_id == before.id):
            self._exempt.add(before.id)
        self._do(lambda uow: _saved(uow, before, after, self._now), _CHANGE)
        self._users[after.id] = after

    def _set_now(self, instant: datetime) -> None:
        self._now = instant
        for adapters in self._adapters:
            self._runner.run(_awaited(adapters.set_now(instant)))

    def _particulars(self, data: st.DataObject, number: int) -> Particulars:
        """Draw somebody whose occasions are near."""
        birthday, anniversary = data.draw(st.tuples(_DAYS_TO_COME, _DAYS_TO_COME))
        born = None if birthday is None else self._now.date() + timedelta(birthday)
        hired = None if anniversary is None else self._now.date() + timedelta(anniversary)
        return Particulars(
            first_name=data.draw(st.sampled_from(("Ada", "Bob"))),
            last_name="Lovelace",
            email=f"p{number}@{data.draw(st.sampled_from(('example.com', 'example.org')))}",
            timezone=data.draw(st.sampled_from(ZONES)),
            birthday=None if born is None else AnnualDate(born.month, born.day, data.draw(_BIRTH_YEARS)),
            anniversary=None if hired is None else date(2016, hired.month, hired.day),
            leap_day_rule=data.draw(st.sampled_from((None, *LeapDayRule))),
        )

    def _live(self) -> list[User]:
        return [user for user in self._users.values() if user.deleted_at is None]

    def _is_held(self, delivery: Delivery) -> bool:
        row = self._rows.get(delivery.key)
        return row is not None and row.status is Status.SENDING and row.fence == delivery.fence

    def _limits(self) -> Sequence[int]:
        """Return limits at which no adapter has a choice: between messages that are not equally long due."""
        claimable = sorted(row.due_at for row in self._rows.values() if _is_claimable(row, self._now))
        if any(row.status is Status.RETRYING for row in self._rows.values()):
            return [_ALL]
        cuts = [number for number in range(1, len(claimable)) if claimable[number - 1] < claimable[number]]
        return [_ALL, *cuts]

    def _refuse_forgotten(self) -> None:
        """Just after the plan there is nobody whose own plan would add a message."""
        for user in self._users.values():
            history = [row for key, row in self._rows.items() if key.user_id == user.id]
            missing = [
                one for one in plan_user(user, history, POLICY, self._now) if one.key not in self._rows
            ]
            assert missing == []


_DAYS_TO_COME = st.sampled_from((1, 2, 0, None, 3, 6, -1))
_BIRTH_YEARS = st.sampled_from((None, 1904, 2020, 2024))


def _check(before: Message | None, after: Message, actions: frozenset[Action]) -> None:
    if before is None:
        assert after.status in _NEW
        assert (after.attempt, after.fence) == (0, 0)
        return
    if before == after:
        return
    assert (before.key, before.created_at) == (after.key, after.created_at)
    assert after.fence == before.fence + (after.status is Status.SENDING)
    allowed = {
        TRANSITIONS[before.status, action] for action in actions if (before.status, action) in TRANSITIONS
    }
    if Status.SCHEDULED in allowed and Action.REPLAN in actions:
        allowed.add(Status.SKIPPED)  # what came back is guarded at once
    assert after.status in allowed, f"{before.status} became {after.status} by {sorted(actions)}"


def _acted(message: Message, action: Action, now: datetime) -> Message:
    match action:
        case Action.RETRY:
            return message.retried(now, POLICY.window)
        case Action.CANCEL:
            return message.cancelled(now, Reason.OPERATOR)
        case _:
            return message.marked_sent(now)


def _wanted_at(row: Message) -> datetime:
    return row.due_at if row.retry_at is None else row.retry_at


def _is_claimable(row: Message, now: datetime) -> bool:
    return row.is_open and _wanted_at(row) <= now < row.expires_at


def _sent(rows: Rows) -> int:
    return sum(row.status is Status.SENT for row in rows.values())


def _cancelled(before: Rows, after: Rows) -> int:
    return sum(
        row.status is Status.CANCELLED and before[key].status is not Status.CANCELLED
        for key, row in after.items()
    )


async def _awaited(waiting: Awaitable[None]) -> None:
    await waiting


async def _in_one(adapters: Adapters, step: Callable[[UnitOfWork], Awaitable[T]], commits: bool) -> T:  # noqa: FBT001
    async with adapters.unit_of_work() as uow:
        result = await step(uow)
        if commits:
            await uow.commit()
    return result


async def _all_rows(adapters: Adapters, ids: Sequence[UserId]) -> Rows:
    async with adapters.unit_of_work() as uow:
        held = await uow.messages.of_users(ids)
    return {message.key: message for messages in held.values() for message in messages}


async def _added(uow: UnitOfWork, user: User, now: datetime) -> None:
    await uow.users.add([user])
    await replan(uow, [user], POLICY, now)


async def _saved(uow: UnitOfWork, before: User, after: User, now: datetime) -> None:
    assert await uow.users.get(before.id) == before
    await uow.users.save([(before, after)])
    if after.moves_messages(before):
        await replan(uow, [after], POLICY, now)


async def _planned(uow: UnitOfWork, table: Any, first: date, last: date) -> Any:
    await uow.messages.prepare(first, last)
    return await uow.messages.plan(table, POLICY)


async def _claimed(uow: UnitOfWork, limit: int) -> Sequence[Delivery]:
    deliveries = await uow.messages.claim(limit, LEASE)
    return sorted(deliveries, key=lambda delivery: delivery.key)
