"""What every ledger keeps to when outcomes are written: by those who still hold the message, and once."""

import asyncio
from datetime import timedelta

import attrs
import pytest

from application.deliveries import FailedForGood, FailedForNow, Outcome, Sent
from application.ledger import SettleReport
from domain.events import MessagesChanged
from domain.message import Reason, RetryPolicy, Status
from domain.occasion import Kind
from tests.contract.adapters import RETRIES, START, Adapters
from tests.contract.people import PI_DAY, born_on_pi_day, message, on_their_way

_NOT_NOW = FailedForNow("busy")


class SettleContract:
    """Messages.settle."""

    async def test_what_was_taken_over_is_sent(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        before = await adapters.message(delivery.key)
        later = START + timedelta(seconds=3)
        await adapters.set_now(later)
        assert await adapters.settle((delivery, Sent())) == SettleReport({Status.SENT: 1}, 0)
        assert await adapters.message(delivery.key) == attrs.evolve(
            before, status=Status.SENT, sent_at=later, updated_at=later
        )
        assert adapters.told.events == [MessagesChanged()]

    async def test_what_failed_for_good_is_failed(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        report = await adapters.settle((delivery, FailedForGood("no such mailbox")))
        assert report == SettleReport({Status.FAILED: 1}, 0)
        failed = await adapters.message(delivery.key)
        assert (failed.status, failed.reason, failed.sent_at) == (Status.FAILED, Reason.REFUSED, None)

    async def test_what_failed_for_now_is_tried_again(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        assert await adapters.settle((delivery, _NOT_NOW)) == SettleReport({Status.RETRYING: 1}, 0)
        waiting = await adapters.message(delivery.key)
        assert (waiting.status, waiting.retry_at) == (Status.RETRYING, START + timedelta(seconds=1))
        assert (waiting.attempt, waiting.fence, waiting.sent_at) == (1, 1, None)

    async def test_the_pause_grows_and_is_random(self, adapters: Adapters) -> None:
        policy = RetryPolicy(first_delay=timedelta(minutes=1), delay_max=timedelta(hours=1))
        deliveries = await on_their_way(adapters, 20, attempt=3)
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
        ("asked_s", "pause_s"),
        ((600, 600), (0.5, 1), (0, 1), (86_400, 3600)),
        ids=("longer", "shorter", "none", "for a day"),
    )
    async def test_the_far_side_may_ask_for_a_longer_pause(
        self, adapters: Adapters, asked_s: float, pause_s: float
    ) -> None:
        [delivery] = await on_their_way(adapters)
        await adapters.settle((delivery, FailedForNow("busy", timedelta(seconds=asked_s))))
        assert (await adapters.message(delivery.key)).retry_at == START + timedelta(seconds=pause_s)

    async def test_an_attempt_after_which_a_pause_was_asked_for_does_not_count(
        self, adapters: Adapters
    ) -> None:
        [delivery] = await on_their_way(adapters, attempt=RETRIES.attempts_max - 1)
        busy = FailedForNow("busy", timedelta(minutes=1))
        assert await adapters.settle((delivery, busy)) == SettleReport({Status.RETRYING: 1}, 0)
        waiting = await adapters.message(delivery.key)
        assert (waiting.attempt, waiting.fence) == (RETRIES.attempts_max - 1, 1)
        assert waiting.retry_at == START + timedelta(minutes=1)

    @pytest.mark.parametrize("when", ("now", "before"))
    async def test_the_last_attempt_of_what_may_have_arrived_leaves_it_unknown(
        self, adapters: Adapters, when: str
    ) -> None:
        [delivery] = await on_their_way(
            adapters, attempt=RETRIES.attempts_max - 1, may_have_arrived=when == "before"
        )
        report = await adapters.settle((delivery, FailedForNow("hung up", may_have_arrived=when == "now")))
        assert report == SettleReport({Status.UNKNOWN: 1}, 0)
        ended = await adapters.message(delivery.key)
        assert (ended.status, ended.reason) == (Status.UNKNOWN, Reason.ATTEMPTS_USED_UP)

    async def test_an_attempt_that_may_have_arrived_is_remembered(self, adapters: Adapters) -> None:
        hung, busy = await on_their_way(adapters, 2)
        await adapters.settle((hung, FailedForNow("hung up", may_have_arrived=True)), (busy, _NOT_NOW))
        assert (await adapters.message(hung.key)).may_have_arrived
        assert not (await adapters.message(busy.key)).may_have_arrived

    async def test_the_last_attempt_that_fails_is_the_last(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters, attempt=RETRIES.attempts_max - 1)
        report = await adapters.settle((delivery, FailedForNow("busy")))
        assert report == SettleReport({Status.FAILED: 1}, 0)
        failed = await adapters.message(delivery.key)
        assert (failed.status, failed.reason) == (Status.FAILED, Reason.ATTEMPTS_USED_UP)
        assert failed.retry_at is None

    async def test_a_retry_after_the_window_expires(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        policy = RetryPolicy(pause_max=timedelta(days=4))
        await adapters.settle((delivery, FailedForNow("busy", timedelta(days=3))), policy=policy)
        waiting = await adapters.message(delivery.key)
        assert (waiting.status, waiting.retry_at) == (Status.RETRYING, delivery.expires_at)
        await adapters.set_now(delivery.expires_at)
        async with adapters.unit_of_work() as uow:
            assert (await uow.messages.expire(10)).expired == 1
            await uow.commit()
        assert (await adapters.message(delivery.key)).status is Status.EXPIRED

    async def test_a_batch_is_settled_at_once_and_counted(self, adapters: Adapters) -> None:
        deliveries = await on_their_way(adapters, 9)
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
        [late] = await on_their_way(adapters)
        await adapters.reap(retries=True)
        [_new] = await adapters.claim()
        before = await adapters.message(late.key)
        adapters.told.forget()
        assert await adapters.settle((late, outcome)) == SettleReport({}, 1)
        assert await adapters.message(late.key) == before
        assert adapters.told.events == []

    async def test_each_outcome_of_a_batch_has_its_own_fence(self, adapters: Adapters) -> None:
        late, other = await on_their_way(adapters, 2)
        await adapters.reap(retries=True)
        again = {delivery.key: delivery for delivery in await adapters.claim()}
        before = await adapters.message(late.key)
        report = await adapters.settle((late, Sent()), (again[other.key], Sent()))
        assert report == SettleReport({Status.SENT: 1}, 1)
        assert await adapters.message(late.key) == before
        assert (await adapters.message(other.key)).status is Status.SENT

    @pytest.mark.parametrize("outcome", (Sent(), FailedForGood("no")))
    async def test_an_outcome_is_of_one_kind_and_date(self, adapters: Adapters, outcome: Outcome) -> None:
        ada = born_on_pi_day()
        asked_for = [
            message(ada, on, kind, due_at=START, reason=Reason.OPERATOR)
            for on in (PI_DAY, PI_DAY - timedelta(days=1))
            for kind in Kind
        ]
        await adapters.add(ada)
        await adapters.keep(*asked_for)
        first, *others = await adapters.claim()
        before = [await adapters.message(one.key) for one in others]
        report = await adapters.settle((first, outcome))
        ended = await adapters.message(first.key)
        assert report == SettleReport({ended.status: 1}, 0)
        assert ended.reason is not Reason.OPERATOR
        assert [await adapters.message(one.key) for one in others] == before

    @pytest.mark.parametrize("retries", (True, False))
    async def test_an_outcome_after_the_lease_was_ended_is_lost(
        self, adapters: Adapters, *, retries: bool
    ) -> None:
        [late] = await on_their_way(adapters)
        await adapters.reap(retries=retries)
        before = await adapters.message(late.key)
        assert await adapters.settle((late, Sent())) == SettleReport({}, 1)
        assert await adapters.message(late.key) == before

    async def test_an_outcome_is_written_once(self, adapters: Adapters) -> None:
        [delivery] = await on_their_way(adapters)
        report = await adapters.settle((delivery, Sent()), (delivery, Sent()))
        assert report == SettleReport({Status.SENT: 1}, 1)
        sent = await adapters.message(delivery.key)
        await adapters.set_now(START + timedelta(hours=1))
        assert await adapters.settle((delivery, FailedForGood("no"))) == SettleReport({}, 1)
        assert await adapters.message(delivery.key) == sent

    async def test_an_outcome_after_the_lease_ran_out_counts_if_nobody_noticed(
        self, adapters: Adapters
    ) -> None:
        [delivery] = await on_their_way(adapters)
        await adapters.expire_leases()
        assert await adapters.settle((delivery, Sent())) == SettleReport({Status.SENT: 1}, 0)

    async def test_an_outcome_for_who_was_erased_is_lost(self, adapters: Adapters) -> None:
        ada, bob = born_on_pi_day("Ada"), born_on_pi_day("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(message(ada, due_at=START), message(bob, due_at=START))
        deliveries = await adapters.claim()
        async with adapters.unit_of_work() as uow:
            await uow.users.erase(ada)
            await uow.commit()
        report = await adapters.settle(*((delivery, Sent()) for delivery in deliveries))
        assert report == SettleReport({Status.SENT: 1}, 1)

    async def test_two_at_once_write_an_outcome_once(self, adapters: Adapters) -> None:
        deliveries = await on_their_way(adapters, 20)
        reports = await asyncio.gather(
            adapters.settle(*((delivery, Sent()) for delivery in deliveries)),
            adapters.settle(*((delivery, _NOT_NOW) for delivery in reversed(deliveries))),
        )
        assert sum(sum(report.settled.values()) for report in reports) == 20
        assert sum(report.lost for report in reports) == 20
