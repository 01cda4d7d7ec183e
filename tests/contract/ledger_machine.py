"""Random lives of a ledger: any steps in any order, on one kind of adapters or on several that must agree."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime, timedelta
from typing import ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from application.deliveries import Delivery
from application.ledger import PlanReport
from application.ports import UnitOfWork
from domain.due import zone_table
from domain.errors import IllegalTransition
from domain.message import TRANSITIONS, Action, Status
from domain.user import User, UserId, change, register, remove, restore
from tests.contract.adapters import POLICY, RETRIES, START, TERMS, Adapters
from tests.contract.ledger_steps import (
    ALL,
    OUTCOMES,
    Rows,
    acted,
    add,
    all_rows,
    awaited,
    claim,
    count_ended,
    count_sent,
    do_in,
    forgotten,
    is_claimable,
    limits,
    next_wanted_at,
    particulars,
    plan,
    plan_anew,
    refuse_other_than,
    refuse_untold,
    refuse_untrue,
    save,
)
from tests.contract.people import ZONES, user_number

T = TypeVar("T")
OpenAdapters = Callable[[], AbstractAsyncContextManager[Adapters]]

_CHANGE = frozenset({Action.REPLAN, Action.CANCEL, Action.SKIP, Action.GIVE_UP})
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
        told = data.draw(particulars(self._people_so_far, self._now))
        user = register(user_number(self._people_so_far), told, self._now)
        self._do(lambda uow: add(uow, user, self._now), _CHANGE)
        self._users[user.id] = user

    @precondition(lambda self: self._live())
    @rule(data=st.data())
    def somebody_changes(self, data: st.DataObject) -> None:
        user = data.draw(st.sampled_from(self._live()))
        changed = change(user, data.draw(particulars(user.id.int, self._now)), self._now)
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
        self._save(user, restore(user, data.draw(particulars(user.id.int, self._now)), self._now))

    @precondition(lambda self: len(self._users) > 3)
    @rule(data=st.data())
    def somebody_is_erased(self, data: st.DataObject) -> None:
        user = self._users.pop(data.draw(st.sampled_from(sorted(self._users))))
        rows = {key: row for key, row in self._rows.items() if key.user_id != user.id}
        self._sent_so_far -= count_sent(self._rows) - count_sent(rows)
        self._do(lambda uow: uow.users.erase(user), frozenset(), before=rows)

    # The scheduler

    @rule(ahead=st.sampled_from((None, None, 5, 60)))
    def the_plan_is_made(self, ahead: int | None) -> None:
        first, last = POLICY.plan_dates(self._now)
        if ahead is not None:
            last = self._now.date() + timedelta(ahead)
        table = zone_table(POLICY, first, last, ZONES)
        before = self._rows
        report = self._do(lambda uow: plan(uow, table, first, last), frozenset())
        added = [row.status for key, row in self._rows.items() if key not in before]
        assert report == PlanReport(
            added.count(Status.SCHEDULED), added.count(Status.SKIPPED), added.count(Status.EXPIRED)
        )
        if ahead is None:
            assert forgotten(self._users.values(), self._rows, self._now) == []

    @rule(pause=st.sampled_from(_PAUSES))
    def time_passes(self, pause: timedelta) -> None:
        self._set_now(self._now + pause)

    @rule(late_s=st.sampled_from((0, 0, -1, 60)))
    def the_next_one_is_due(self, late_s: int) -> None:
        next_due_at = self._do(lambda uow: uow.messages.next_due_at(), frozenset())
        assert next_due_at == next_wanted_at(self._rows, self._now)
        if next_due_at is not None:
            self._set_now(max(self._now, next_due_at + timedelta(seconds=late_s)))

    @rule(data=st.data(), late_s=st.sampled_from((0, 60)))
    def the_scheduler_wakes_and_claims(self, data: st.DataObject, late_s: int) -> None:
        self.the_next_one_is_due(late_s)
        self.what_is_due_is_claimed(data)

    @rule(data=st.data())
    def what_is_due_is_claimed(self, data: st.DataObject) -> None:
        before = self._rows
        for adapters in self._adapters:  # whatever pause a far side has asked for is over
            self._runner.run(awaited(adapters.let_pass(RETRIES.pause_max.total_seconds() + 1)))
        limit = data.draw(st.sampled_from(limits(self._rows, self._now)))
        found = self._do(
            lambda uow: claim(uow, limit), frozenset({Action.CLAIM, Action.CANCEL, Action.GIVE_UP})
        )
        assert len(found.deliveries) <= limit
        for delivery in found.deliveries:
            refuse_untrue(delivery, before[delivery.key], self._users[delivery.key.user_id], self._now)
        self._deliveries.extend(found.deliveries)
        if found.stale:
            changed = self._do(lambda uow: plan_anew(uow, found.stale, self._now), _CHANGE)
            assert changed, "a claim would find them again and again"
        elif any(is_claimable(row, self._now) for row in self._rows.values()):
            assert len(found.deliveries) + count_ended(before, self._rows) == limit

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
        chosen = data.draw(st.lists(st.sampled_from(deliveries), min_size=1, unique=True))
        outcomes = [(delivery, data.draw(OUTCOMES)) for delivery in chosen]
        holders = [one for one in chosen if self._is_held(one)]
        report = self._do(
            lambda uow: uow.messages.settle(outcomes, RETRIES, "memory"),
            frozenset({Action.SENT, Action.FAILED_FOR_NOW, Action.FAILED_FOR_GOOD, Action.GIVE_UP}),
        )
        assert (sum(report.settled.values()), report.lost) == (len(holders), len(chosen) - len(holders))
        self._sent_so_far += report.settled.get(Status.SENT, 0)

    @rule(retries=st.booleans())
    def leases_run_out(self, *, retries: bool) -> None:
        for adapters in self._adapters:
            self._runner.run(awaited(adapters.expire_leases()))
        sending = [row for row in self._rows.values() if row.status is Status.SENDING]
        report = self._do(
            lambda uow: uow.messages.reap(RETRIES, retries=retries, limit=ALL),
            frozenset({Action.LEASE_LOST_UNKNOWN} | ({Action.LEASE_LOST_RETRY} if retries else set())),
        )
        assert report.retrying + report.unknown == len(sending)

    @rule()
    def windows_pass(self) -> None:
        missed = [row for row in self._rows.values() if row.is_open and row.expires_at <= self._now]
        report = self._do(lambda uow: uow.messages.expire(ALL), frozenset({Action.EXPIRE, Action.GIVE_UP}))
        assert report.expired + report.unknown == len(missed)

    @rule()
    def a_process_dies_before_its_commit(self) -> None:
        first, last = POLICY.plan_dates(self._now)

        async def die(uow: UnitOfWork) -> None:
            await plan(uow, zone_table(POLICY, first, last, ZONES), first, last)
            await uow.messages.claim(ALL, TERMS)
            await uow.messages.expire(ALL)

        self._do(die, frozenset(), commits=False)

    # The operator

    @precondition(lambda self: self._rows)
    @rule(
        data=st.data(), action=st.sampled_from((Action.RETRY, Action.CANCEL, Action.MARK_SENT, Action.LEAVE))
    )
    def an_operator_acts(self, data: st.DataObject, action: Action) -> None:
        key = data.draw(st.sampled_from(sorted(self._rows)))
        allowed = (self._rows[key].status, action) in TRANSITIONS
        if allowed and acted(self._rows[key], action, self._now) == self._rows[key]:
            return  # let be once more, in the same instant: nothing of it could be seen

        async def act(uow: UnitOfWork) -> None:
            held = await uow.messages.get(key)
            assert held is not None
            try:
                await uow.messages.save([acted(held, action, self._now)])
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
        assert count_sent(self._rows) == self._sent_so_far

    @invariant()
    def nobody_is_greeted_twice(self) -> None:
        """Unless an operator wants it: not even if their occasion is changed while a message is on its way."""
        greeted = sorted(
            (row.key.user_id, row.key.kind, row.key.occasion_on)
            for row in self._rows.values()
            if (row.has_greeted or row.status is Status.SENDING) and row.key.user_id not in self._exempt
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
        results = [self._runner.run(do_in(adapters, step, commits=commits)) for adapters in self._adapters]
        assert all(result == results[0] for result in results)
        ids = [user_number(number) for number in range(1, self._people_so_far + 1)]
        found = [self._runner.run(all_rows(adapters, ids)) for adapters in self._adapters]
        for other in found[1:]:
            assert other == found[0]
        held = self._rows if before is None else before
        assert held.keys() <= found[0].keys()
        for key, row in found[0].items():
            refuse_other_than(held.get(key), row, actions)
        for adapters in self._adapters:
            refuse_untold(adapters, has_changed=found[0] != self._rows)
        self._rows = found[0]
        return results[0]

    def _save(self, before: User, after: User) -> None:
        self._do(lambda uow: save(uow, before, after, self._now), _CHANGE)
        self._users[after.id] = after

    def _set_now(self, instant: datetime) -> None:
        self._now = instant
        for adapters in self._adapters:
            self._runner.run(awaited(adapters.set_now(instant)))

    def _live(self) -> list[User]:
        return [user for user in self._users.values() if user.deleted_at is None]

    def _is_held(self, delivery: Delivery) -> bool:
        row = self._rows.get(delivery.key)
        return row is not None and row.status is Status.SENDING and row.fence == delivery.fence
