"""What every ledger keeps to once a message is claimed: outcomes, leases, windows, and what is stored by hand."""

import asyncio
from datetime import date, timedelta
from typing import Any

import attrs
import pytest

from application.ports import (
    Delivery,
    FailedForGood,
    FailedForNow,
    Outcome,
    ReapReport,
    Sent,
    SettleReport,
    Shard,
)
from domain.due import WallTime
from domain.events import MessagesChanged
from domain.message import Message, Reason, RetryPolicy, Status
from domain.occasion import Kind
from domain.user import User
from tests.contract.adapters import RETRIES, START, Adapters
from tests.contract.people import PI_DAY, message, person

_NOT_NOW = FailedForNow("busy")


async def _claimed(adapters: Adapters, number: int = 1, **values: Any) -> list[Delivery]:
    """Let so many people have a message each that is on its way."""
    people = [person(f"P{count}") for count in range(number)]
    await adapters.add(*people)
    await adapters.keep(*(message(user, due_at=START, **values) for user in people))
    deliveries = list(await adapters.claim())
    assert len(deliveries) == number
    adapters.told.forget()
    return deliveries


class SettleContract:
    """Messages.settle."""

    async def test_what_was_taken_over_is_sent(self, adapters: Adapters) -> None:
        [delivery] = await _claimed(adapters)
        before = await adapters.message(delivery.key)
        later = START + timedelta(seconds=3)
        await adapters.set_now(later)
        assert await adapters.settle((delivery, Sent())) == SettleReport({Status.SENT: 1}, 0)
        assert await adapters.message(delivery.key) == attrs.evolve(
            before, status=Status.SENT, sent_at=later, updated_at=later
        )
        assert adapters.told.events == [MessagesChanged()]

    async def test_what_failed_for_good_is_failed(self, adapters: Adapters) -> None:
        [delivery] = await _claimed(adapters)
        report = await adapters.settle((delivery, FailedForGood("no such mailbox")))
        assert report == SettleReport({Status.FAILED: 1}, 0)
        failed = await adapters.message(delivery.key)
        assert (failed.status, failed.reason, failed.sent_at) == (Status.FAILED, Reason.REFUSED, None)

    async def test_what_failed_for_now_is_tried_again(self, adapters: Adapters) -> None:
        [delivery] = await _claimed(adapters)
        assert await adapters.settle((delivery, _NOT_NOW)) == SettleReport({Status.RETRYING: 1}, 0)
        waiting = await adapters.message(delivery.key)
        assert (waiting.status, waiting.retry_at) == (Status.RETRYING, START + timedelta(seconds=1))
        assert (waiting.attempt, waiting.fence, waiting.sent_at) == (1, 1, None)

    async def test_the_pause_grows_and_is_random(self, adapters: Adapters) -> None:
        policy = RetryPolicy(first_delay=timedelta(minutes=1), delay_max=timedelta(hours=1))
        deliveries = await _claimed(adapters, 20, attempt=3)
        await adapters.settle(*((delivery, _NOT_NOW) for delivery in deliveries), policy=policy)
        pauses = [
            (retry_at - START).total_seconds()
            for delivery in deliveries
            if (retry_at := (await adapters.message(delivery.key)).retry_at) is not None
        ]
        assert len(pauses) == 20
        assert all(1 <= pause <= 8 * 60 for pause in pauses)
        assert max(pauses) > 60
        assert len(set(pauses)) > 10

    @pytest.mark.parametrize(
        ("asked_s", "pause_s"), ((600, 600), (0.5, 1), (0, 1)), ids=("longer", "shorter", "none")
    )
    async def test_the_far_side_may_ask_for_a_longer_pause(
        self, adapters: Adapters, asked_s: float, pause_s: float
    ) -> None:
        [delivery] = await _claimed(adapters)
        await adapters.settle((delivery, FailedForNow("busy", timedelta(seconds=asked_s))))
        assert (await adapters.message(delivery.key)).retry_at == START + timedelta(seconds=pause_s)

    async def test_the_last_attempt_that_fails_is_the_last(self, adapters: Adapters) -> None:
        [delivery] = await _claimed(adapters, attempt=RETRIES.attempts_max - 1)
        report = await adapters.settle((delivery, FailedForNow("busy", timedelta(minutes=1))))
        assert report == SettleReport({Status.FAILED: 1}, 0)
        failed = await adapters.message(delivery.key)
        assert (failed.status, failed.reason) == (Status.FAILED, Reason.ATTEMPTS_USED_UP)
        assert failed.retry_at is None

    async def test_a_retry_after_the_window_expires(self, adapters: Adapters) -> None:
        [delivery] = await _claimed(adapters)
        await adapters.settle((delivery, FailedForNow("busy", timedelta(days=3))))
        assert (await adapters.message(delivery.key)).status is Status.RETRYING
        await adapters.set_now(delivery.expires_at)
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.expire(10) == 1
            await uow.commit()
        assert (await adapters.message(delivery.key)).status is Status.EXPIRED

    async def test_a_batch_is_settled_at_once_and_counted(self, adapters: Adapters) -> None:
        deliveries = await _claimed(adapters, 9)
        outcomes: list[Outcome] = [Sent()] * 4 + [_NOT_NOW] * 3 + [FailedForGood("no")] * 2
        report = await adapters.settle(*zip(deliveries, outcomes, strict=True))
        assert report == SettleReport({Status.SENT: 4, Status.RETRYING: 3, Status.FAILED: 2}, 0)
        counts = await adapters.message_reader.counts()
        assert {status: count for status, count in counts.items() if count} == report.settled
        assert adapters.told.events == [MessagesChanged()]

    async def test_nothing_to_settle_is_nothing(self, adapters: Adapters) -> None:
        assert await adapters.settle() == SettleReport({}, 0)
        assert adapters.told.events == []

    @pytest.mark.parametrize("outcome", (Sent(), _NOT_NOW, FailedForGood("no")))
    async def test_an_outcome_with_an_old_fence_is_lost(self, adapters: Adapters, outcome: Outcome) -> None:
        [late] = await _claimed(adapters)
        await _reap(adapters, deduplicates=True)
        [_new] = await adapters.claim()
        before = await adapters.message(late.key)
        adapters.told.forget()
        assert await adapters.settle((late, outcome)) == SettleReport({}, 1)
        assert await adapters.message(late.key) == before
        assert adapters.told.events == []

    @pytest.mark.parametrize("deduplicates", (True, False))
    async def test_an_outcome_after_the_lease_was_ended_is_lost(
        self, adapters: Adapters, *, deduplicates: bool
    ) -> None:
        [late] = await _claimed(adapters)
        await _reap(adapters, deduplicates=deduplicates)
        before = await adapters.message(late.key)
        assert await adapters.settle((late, Sent())) == SettleReport({}, 1)
        assert await adapters.message(late.key) == before

    async def test_an_outcome_is_written_once(self, adapters: Adapters) -> None:
        [delivery] = await _claimed(adapters)
        await adapters.settle((delivery, Sent()))
        sent = await adapters.message(delivery.key)
        await adapters.set_now(START + timedelta(hours=1))
        assert await adapters.settle((delivery, FailedForGood("no"))) == SettleReport({}, 1)
        assert await adapters.message(delivery.key) == sent

    async def test_an_outcome_after_the_lease_ran_out_counts_if_nobody_noticed(
        self, adapters: Adapters
    ) -> None:
        [delivery] = await _claimed(adapters)
        await adapters.expire_leases()
        assert await adapters.settle((delivery, Sent())) == SettleReport({Status.SENT: 1}, 0)

    async def test_an_outcome_for_who_was_erased_is_lost(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(message(ada, due_at=START), message(bob, due_at=START))
        deliveries = await adapters.claim()
        async with adapters.unit_of_work() as uow:
            await uow.users.erase(ada)
            await uow.commit()
        report = await adapters.settle(*((delivery, Sent()) for delivery in deliveries))
        assert report == SettleReport({Status.SENT: 1}, 1)

    async def test_two_at_once_write_an_outcome_once(self, adapters: Adapters) -> None:
        deliveries = await _claimed(adapters, 20)
        reports = await asyncio.gather(
            adapters.settle(*((delivery, Sent()) for delivery in deliveries)),
            adapters.settle(*((delivery, _NOT_NOW) for delivery in reversed(deliveries))),
        )
        assert sum(sum(report.settled.values()) for report in reports) == 20
        assert sum(report.lost for report in reports) == 20


class LeaseContract:
    """Messages.reap and expire."""

    async def test_a_lost_lease_is_tried_again_where_the_channel_deduplicates(
        self, adapters: Adapters
    ) -> None:
        [delivery] = await _claimed(adapters)
        later = START + timedelta(minutes=1)
        await adapters.set_now(later)
        assert await _reap(adapters, deduplicates=True) == ReapReport(retrying=1, unknown=0)
        waiting = await adapters.message(delivery.key)
        assert (waiting.status, waiting.reason) == (Status.RETRYING, Reason.LEASE_LOST)
        assert (waiting.retry_at, waiting.fence, waiting.updated_at) == (later, delivery.fence, later)
        assert adapters.told.events == [MessagesChanged()]
        [again] = await adapters.claim()
        assert (again.key, again.fence, again.attempt) == (delivery.key, 2, 2)
        assert (await adapters.message(delivery.key)).reason is None

    async def test_a_lost_lease_is_unknown_where_it_does_not(self, adapters: Adapters) -> None:
        [delivery] = await _claimed(adapters)
        assert await _reap(adapters, deduplicates=False) == ReapReport(retrying=0, unknown=1)
        lost = await adapters.message(delivery.key)
        assert (lost.status, lost.reason, lost.retry_at) == (Status.UNKNOWN, Reason.LEASE_LOST, None)
        assert await adapters.claim() == []

    async def test_a_lease_is_of_real_time(self, adapters: Adapters) -> None:
        await _claimed(adapters)
        await adapters.set_now(START + timedelta(days=400))
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.reap(deduplicates=True, limit=10) == ReapReport(0, 0)

    async def test_only_leases_that_ran_out_are_ended(self, adapters: Adapters) -> None:
        [old] = await _claimed(adapters)
        await adapters.expire_leases()
        [new] = await _claimed(adapters)
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.reap(deduplicates=True, limit=10) == ReapReport(1, 0)
            await uow.commit()
        assert (await adapters.message(old.key)).status is Status.RETRYING
        assert (await adapters.message(new.key)).status is Status.SENDING

    async def test_leases_are_ended_up_to_the_limit_and_once(self, adapters: Adapters) -> None:
        await _claimed(adapters, 5)
        ended = [await _reap(adapters, deduplicates=False, limit=2) for _ in range(4)]
        assert [report.unknown for report in ended] == [2, 2, 1, 0]

    async def test_what_was_settled_has_no_lease(self, adapters: Adapters) -> None:
        deliveries = await _claimed(adapters, 3)
        outcomes: list[Outcome] = [Sent(), _NOT_NOW, FailedForGood("no")]
        await adapters.settle(*zip(deliveries, outcomes, strict=True))
        assert await _reap(adapters, deduplicates=True) == ReapReport(0, 0)

    async def test_each_shard_ends_its_own_leases_and_windows(self, adapters: Adapters) -> None:
        deliveries = await _claimed(adapters, 12)
        await adapters.expire_leases()
        reaped = 0
        for number in range(3):
            async with adapters.unit_of_work() as uow:
                report = await uow.messages.reap(deduplicates=True, limit=100, shard=Shard(number, 3))
                await uow.commit()
            reaped += report.retrying
            assert reaped == sum(delivery.key.user_id.int % 65536 % 3 <= number for delivery in deliveries)
        await adapters.set_now(START + timedelta(days=30))
        expired = 0
        for number in range(3):
            async with adapters.unit_of_work() as uow:
                expired += await uow.messages.expire(100, Shard(number, 3))
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
                retry_at=START + timedelta(days=2),
                attempt=2,
            ),
            message(eve, due_at=START - timedelta(days=1), expires_at=open_still),
        ]
        await adapters.add(ada, bob, eve)
        await adapters.keep(*held)
        adapters.told.forget()
        async with adapters.unit_of_work() as uow:
            assert await uow.messages.expire(10) == 2
            await uow.commit()
        for one in held[:2]:
            assert await adapters.message(one.key) == attrs.evolve(
                one, status=Status.EXPIRED, reason=Reason.WINDOW_PASSED, retry_at=None
            )
        assert await adapters.message(held[2].key) == held[2]
        assert adapters.told.events == [MessagesChanged()]

    async def test_windows_are_ended_up_to_the_limit(self, adapters: Adapters) -> None:
        people = [person(f"P{number}") for number in range(5)]
        await adapters.add(*people)
        await adapters.keep(
            *(_missed(user) for user in people[:3]),
            *(_missed(user, status=Status.RETRYING, retry_at=START) for user in people[3:]),
        )
        expired = []
        for _ in range(4):
            async with adapters.unit_of_work() as uow:
                expired.append(await uow.messages.expire(2))
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
            assert await uow.messages.expire(100) == 0


class StoredMessagesContract:
    """Messages.of_users, get and save."""

    async def test_every_value_comes_back_as_it_went_in(self, adapters: Adapters) -> None:
        people = [person(f"P{number}") for number in range(len(Status) + len(Reason))]
        held = [
            message(
                user,
                date(2028, 2, 29),
                kind=Kind.ANNIVERSARY,
                status=status,
                reason=reason,
                wall_time=WallTime.SKIPPED_DAY,
                years=None,
                attempt=7,
                fence=2**40,
                retry_at=START + timedelta(microseconds=1),
                sent_at=START,
            )
            for user, (status, reason) in zip(
                people,
                [(status, None) for status in Status] + [(Status.FAILED, reason) for reason in Reason],
                strict=True,
            )
        ]
        await adapters.add(*people)
        await adapters.keep(*held)
        assert await adapters.messages_of(*people) == {one.key: one for one in held}

    async def test_messages_are_found_by_person(self, adapters: Adapters) -> None:
        ada, bob, eve = person("Ada"), person("Bob"), person("Eve")
        await adapters.add(ada, bob, eve)
        held = [message(ada), message(ada, kind=Kind.ANNIVERSARY), message(bob)]
        await adapters.keep(*held)
        async with adapters.unit_of_work() as uow:
            found = await uow.messages.of_users([eve.id, ada.id])
            assert await uow.messages.of_users([]) == {}
            assert await uow.messages.get(message(eve).key) is None
        assert set(found) == {ada.id}
        assert sorted(one.key for one in found[ada.id]) == sorted(one.key for one in held[:2])

    async def test_what_was_read_can_be_changed(self, adapters: Adapters) -> None:
        ada = person()
        held = message(ada)
        moved = attrs.evolve(
            held,
            status=Status.RETRYING,
            reason=Reason.OPERATOR,
            due_at=START,
            expires_at=START + timedelta(days=9),
            timezone="Asia/Kathmandu",
            wall_time=WallTime.GAP,
            years=None,
            attempt=2,
            retry_at=START,
            sent_at=START,
            updated_at=START + timedelta(hours=1),
        )
        await adapters.add(ada)
        await adapters.keep(held)
        for before, after in ((held, moved), (moved, held)):
            async with adapters.unit_of_work() as uow:
                assert await uow.messages.get(held.key) == before
                await uow.messages.save([after])
                assert await uow.messages.get(held.key) == after
                await uow.commit()
            assert await adapters.message(held.key) == after

    async def test_new_and_changed_ones_are_stored_together(self, adapters: Adapters) -> None:
        people = [person(f"P{number}") for number in range(300)]
        await adapters.add(*people)
        await adapters.keep(*(message(user) for user in people[:150]))
        changed = [message(user, years=99) for user in people]
        async with adapters.unit_of_work() as uow:
            await uow.messages.of_users([user.id for user in people])
            await uow.messages.save(changed)
            await uow.commit()
        assert await adapters.messages_of(*people) == {one.key: one for one in changed}

    async def test_a_new_one_whose_key_is_taken_meanwhile_stores_nothing(self, adapters: Adapters) -> None:
        ada = person()
        await adapters.add(ada)
        await adapters.keep(message(ada, years=1))
        adapters.told.forget()
        async with adapters.unit_of_work() as uow:
            await uow.messages.save([message(ada, years=2)])
            await uow.commit()
        assert await adapters.message(message(ada).key) == message(ada, years=1)
        assert adapters.told.events == []

    async def test_two_at_once_store_a_new_one_once(self, adapters: Adapters) -> None:
        ada = person()
        await adapters.add(ada)

        async def store(years: int) -> None:
            async with adapters.unit_of_work() as uow:
                await uow.messages.prepare(PI_DAY, PI_DAY)
                await uow.messages.save([message(ada, years=years)])
                await asyncio.sleep(0.01)
                await uow.commit()

        await asyncio.gather(*(store(years) for years in (1, 2, 3)))
        assert len(await adapters.messages_of(ada)) == 1

    async def test_a_message_is_stored_in_a_month_that_nobody_made_room_for(self, adapters: Adapters) -> None:
        """Who registers on the last of a month, before the next plan, is planned with what comes after."""
        ada = person()
        await adapters.add(ada)
        async with adapters.unit_of_work() as uow:
            await uow.messages.save([message(ada, date(2031, 5, 1))])
            await uow.commit()
        assert len(await adapters.messages_of(ada)) == 1

    async def test_what_is_read_is_locked(self, adapters: Adapters) -> None:
        ada = person()
        await adapters.add(ada)
        await adapters.keep(message(ada, years=0))

        async def count(*, by_key: bool) -> None:
            async with adapters.unit_of_work() as uow:
                held = (
                    await uow.messages.get(message(ada).key)
                    if by_key
                    else (await uow.messages.of_users([ada.id]))[ada.id][0]
                )
                assert held is not None
                assert held.years is not None
                await asyncio.sleep(0.01)
                await uow.messages.save([attrs.evolve(held, years=held.years + 1)])
                await uow.commit()

        await asyncio.gather(*(count(by_key=turn % 2 == 0) for turn in range(6)))
        assert (await adapters.message(message(ada).key)).years == 6


def _missed(user: User, **values: Any) -> Message:
    return message(user, due_at=START - timedelta(days=3), expires_at=START - timedelta(days=2), **values)


async def _reap(adapters: Adapters, *, deduplicates: bool, limit: int = 100) -> ReapReport:
    await adapters.expire_leases()
    async with adapters.unit_of_work() as uow:
        report = await uow.messages.reap(deduplicates=deduplicates, limit=limit)
        await uow.commit()
    return report
