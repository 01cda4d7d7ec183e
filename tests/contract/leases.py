"""What every ledger keeps to when leases run out, and when windows pass."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from application.deliveries import FailedForGood, FailedForNow, Outcome, Sent
from application.ledger import ExpireReport, ReapReport
from application.ports import Shard
from domain.events import MessagesChanged
from domain.message import Message, Reason, Status
from domain.user import User
from tests.contract.adapters import RETRIES, START, Adapters
from tests.contract.people import message, on_their_way, person


class LeaseContract:
    """Messages.reap and expire."""

    async def test_a_lost_lease_is_tried_again_where_the_channel_deduplicates(
        self, adapters: Adapters
    ) -> None:
        [delivery] = await on_their_way(adapters)
        later = START + timedelta(minutes=1)
        await adapters.set_now(later)
        assert await adapters.reap(retries=True) == ReapReport(retrying=1, unknown=0)
        waiting = await adapters.message(delivery.key)
        assert (waiting.status, waiting.reason) == (Status.RETRYING, Reason.LEASE_LOST)
        assert (waiting.retry_at, waiting.fence, waiting.updated_at) == (later, delivery.fence, later)
        assert adapters.told.events == [MessagesChanged()]
        [again] = await adapters.claim()
        assert (again.key, again.fence, again.attempt) == (delivery.key, 2, 2)
        assert (await adapters.message(delivery.key)).reason is None

    async def test_a_lost_lease_is_unknown_where_it_does_not(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        assert await adapters.reap(retries=False) == ReapReport(retrying=0, unknown=1)
        lost = await adapters.message(delivery.key)
        assert (lost.status, lost.reason, lost.retry_at) == (Status.UNKNOWN, Reason.LEASE_LOST, None)
        assert await adapters.claim() == []

    async def test_a_lost_lease_waits_for_a_clock_that_was_put_back(self, adapters: Adapters) -> None:
        await on_their_way(adapters)
        await adapters.set_now(START - timedelta(days=2))
        assert await adapters.reap(retries=True) == ReapReport(retrying=0, unknown=0)
        await adapters.set_now(START)
        assert await adapters.reap(retries=True) == ReapReport(retrying=1, unknown=0)

    @pytest.mark.parametrize("retries", (True, False))
    async def test_what_was_on_its_way_may_have_arrived(self, adapters: Adapters, *, retries: bool) -> None:
        [delivery] = await on_their_way(adapters)
        assert not (await adapters.message(delivery.key)).may_have_arrived
        await adapters.reap(retries=retries)
        assert (await adapters.message(delivery.key)).may_have_arrived
        await adapters.claim()
        assert (await adapters.message(delivery.key)).may_have_arrived

    async def test_lost_leases_use_up_the_attempts(self, adapters: Adapters) -> None:
        """A message that kills whoever sends it must not do so for ever."""
        [delivery] = await on_their_way(adapters, attempt=RETRIES.attempts_max - 2)
        assert await adapters.reap(retries=True) == ReapReport(retrying=1, unknown=0)
        [last] = await adapters.claim()
        assert last.attempt == RETRIES.attempts_max
        assert await adapters.reap(retries=True) == ReapReport(retrying=0, unknown=1)
        held = await adapters.message(delivery.key)
        assert (held.status, held.reason, held.retry_at) == (Status.UNKNOWN, Reason.ATTEMPTS_USED_UP, None)

    async def test_a_lease_is_of_real_time(self, adapters: Adapters) -> None:
        await on_their_way(adapters)
        await adapters.set_now(START + timedelta(days=400))
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.reap(RETRIES, retries=True, limit=10) == ReapReport(0, 0)

    async def test_only_leases_that_ran_out_are_ended(self, adapters: Adapters) -> None:
        [old] = await on_their_way(adapters)
        await adapters.expire_leases()
        [new] = await on_their_way(adapters)
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.reap(RETRIES, retries=True, limit=10) == ReapReport(1, 0)
            await uow.commit()
        assert (await adapters.message(old.key)).status is Status.RETRYING
        assert (await adapters.message(new.key)).status is Status.SENDING

    async def test_leases_are_ended_up_to_the_limit_and_once(self, adapters: Adapters) -> None:
        await on_their_way(adapters, 5)
        ended = [await adapters.reap(retries=False, limit=2) for _ in range(4)]
        assert [report.unknown for report in ended] == [2, 2, 1, 0]

    async def test_what_was_settled_has_no_lease(self, adapters: Adapters) -> None:
        deliveries = await on_their_way(adapters, 3)
        outcomes: list[Outcome] = [Sent(), FailedForNow("busy"), FailedForGood("no")]
        await adapters.settle(*zip(deliveries, outcomes, strict=True))
        assert await adapters.reap(retries=True) == ReapReport(0, 0)

    async def test_each_shard_ends_its_own_leases_and_windows(self, adapters: Adapters) -> None:
        deliveries = await on_their_way(adapters, 12)
        await adapters.expire_leases()
        reaped = 0
        for number in range(3):
            async with adapters.unit_of_work() as uow:
                report = await uow.messages.reap(RETRIES, retries=True, limit=100, shard=Shard(number, 3))
                await uow.commit()
            reaped += report.retrying
            assert reaped == sum(delivery.key.user_id.int % 65536 % 3 <= number for delivery in deliveries)
        await adapters.set_now(START + timedelta(days=30))
        expired = 0
        for number in range(3):
            async with adapters.unit_of_work() as uow:
                expired += (await uow.messages.expire(100, Shard(number, 3))).unknown
                await uow.commit()
            assert expired == sum(delivery.key.user_id.int % 65536 % 3 <= number for delivery in deliveries)

    async def test_what_missed_its_window_expires(self, adapters: Adapters) -> None:
        ada, bob, eve = person("Ada"), person("Bob"), person("Eve")
        passed, open_still = START, START + timedelta(microseconds=1)
        held = [
            message(ada, due_at=START - timedelta(days=1), expires_at=passed),
            message(
                bob,
                due_at=START - timedelta(days=1),
                expires_at=passed,
                status=Status.RETRYING,
                retry_at=START - timedelta(hours=1),
                attempt=2,
            ),
            message(eve, due_at=START - timedelta(days=1), expires_at=open_still),
        ]
        await adapters.add(ada, bob, eve)
        await adapters.keep(*held)
        adapters.told.forget()
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.expire(10) == ExpireReport(2, 0)
            await uow.commit()
        for one in held[:2]:
            assert await adapters.message(one.key) == attrs.evolve(
                one, status=Status.EXPIRED, reason=Reason.WINDOW_PASSED, retry_at=None
            )
        assert await adapters.message(held[2].key) == held[2]
        assert adapters.told.events == [MessagesChanged()]

    async def test_what_may_have_arrived_is_not_said_to_have_expired(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        tried = {"status": Status.RETRYING, "retry_at": START - timedelta(days=3), "may_have_arrived": True}
        await adapters.add(ada, bob)
        await adapters.keep(_missed(ada, **tried), _missed(bob))
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.expire(10) == ExpireReport(expired=1, unknown=1)
            await uow.commit()
        held = await adapters.message(_missed(ada).key)
        assert (held.status, held.reason, held.retry_at) == (Status.UNKNOWN, Reason.WINDOW_PASSED, None)

    async def test_windows_are_ended_up_to_the_limit(self, adapters: Adapters) -> None:
        people = [person(f"P{number}") for number in range(5)]
        await adapters.add(*people)
        await adapters.keep(
            *(_missed(user) for user in people[:3]),
            *(
                _missed(user, status=Status.RETRYING, retry_at=START - timedelta(days=2))
                for user in people[3:]
            ),
        )
        expired = []
        for _ in range(4):
            async with adapters.unit_of_work() as uow:
                expired.append((await uow.messages.expire(2)).expired)
                await uow.commit()
        assert expired == [2, 2, 1, 0]

    async def test_what_is_not_open_does_not_expire(self, adapters: Adapters) -> None:
        closed = sorted(set(Status) - {Status.SCHEDULED, Status.RETRYING})
        people = [person(f"P{number}") for number in range(len(closed))]
        await adapters.add(*people)
        await adapters.keep(
            *(_missed(user, status=status) for user, status in zip(people, closed, strict=True))
        )
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.expire(100) == ExpireReport(0, 0)


def _missed(user: User, **values: Any) -> Message:
    return message(user, due_at=START - timedelta(days=3), expires_at=START - timedelta(days=2), **values)
