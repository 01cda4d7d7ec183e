"""SendDueMessages and KeepLedger."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adapters.memory.channel import MemoryChannel
from application.deliveries import Delivery, FailedForGood, FailedForNow, Outcome, Sent
from application.dispatch import DispatchReport, KeepReport, SendDueMessages
from application.errors import StoreUnavailable
from domain.message import Reason, Status
from domain.user import UserId
from tests.contract.adapters import RETRIES
from tests.use_cases.service import Service

Told = dict[str, str | None]

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)


class _Busy(MemoryChannel):
    """A channel that takes its time."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    async def send_many(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        await self._meanwhile()
        return await super().send_many(deliveries)


class TestSending:
    async def test_nothing_leaves_before_it_is_due(self, service: Service, ada: Told) -> None:
        await service.register(ada)
        service.at(NINE - timedelta(microseconds=1))
        service.told.forget()
        assert await service.send() == DispatchReport(0, {}, 0)
        assert service.channel.batches == []
        assert service.told.events == []

    async def test_what_is_due_leaves_and_is_written_down(self, service: Service, ada: Told) -> None:
        user = await service.register(ada)
        service.at(NINE)
        assert await service.send() == DispatchReport(1, {Status.SENT: 1}, 0)
        [delivery] = service.channel.reached
        assert (delivery.recipient.first_name, delivery.recipient.email) == ("Ada", "Ada@Example.com")
        assert delivery.years == 37
        message = await service.message(user)
        assert (message.status, message.sent_at) == (Status.SENT, NINE)
        assert await service.send() == DispatchReport(0, {}, 0)

    async def test_as_many_leave_at_once_as_the_channel_takes(self, service: Service, ada: Told) -> None:
        service.channel.batch_size = 3
        await service.register_many(7, ada)
        service.at(NINE)
        assert [(await service.send()).claimed for _ in range(4)] == [3, 3, 1, 0]
        assert len(service.channel.reached) == 7

    async def test_nothing_is_sent_while_a_transaction_is_open(self, service: Service, ada: Told) -> None:
        """A change goes through while the channel is busy, and what was claimed is committed."""
        user = await service.register(ada)
        service.at(NINE)
        seen: list[str] = []

        async def meanwhile() -> None:
            seen.append((await service.message(user)).status)
            await service.change(UserId(user.id), {"first_name": "Augusta"})

        service.channel = _Busy(meanwhile)
        async with asyncio.timeout(20):
            assert (await service.send()).settled == {Status.SENT: 1}
        assert seen == [Status.SENDING]

    async def test_each_message_has_its_own_outcome(self, service: Service, ada: Told) -> None:
        outcomes: list[Outcome] = [Sent(), FailedForNow("busy"), FailedForGood("gone")]
        answers = iter(outcomes)
        await service.register_many(3, ada)
        service.at(NINE)
        service.channel.answer = lambda _delivery: next(answers)
        report = await service.send()
        assert report.settled == {Status.SENT: 1, Status.RETRYING: 1, Status.FAILED: 1}
        assert await service.statuses() == report.settled

    async def test_what_failed_for_now_is_tried_until_the_attempts_are_used_up(
        self, service: Service, ada: Told
    ) -> None:
        user = await service.register(ada)
        service.channel.fail_for_now()
        for second in range(10):
            service.at(NINE + timedelta(seconds=second))
            await service.send()
        assert len(service.channel.batches) == 3
        message = await service.message(user)
        assert (message.status, message.reason) == (Status.FAILED, Reason.ATTEMPTS_USED_UP)

    async def test_a_channel_that_is_well_again_delivers(self, service: Service, ada: Told) -> None:
        await service.register(ada)
        service.at(NINE)
        service.channel.fail_for_now(retry_after=timedelta(hours=1))
        await service.send()
        service.channel.recover()
        assert await service.next_due() == NINE + timedelta(hours=1)
        service.at(NINE + timedelta(minutes=59))
        assert (await service.send()).claimed == 0
        service.at(NINE + timedelta(hours=1))
        report = await service.send()
        assert (report.claimed, report.pause) == (0, timedelta(hours=1)), (
            "the channel's pause is of real time"
        )
        service.let_leases_run_out()
        assert (await service.send()).settled == {Status.SENT: 1}

    async def test_two_processes_send_each_message_once(self, service: Service, ada: Told) -> None:
        service.channel.batch_size = 2
        service.channel.deduplicates = False
        await service.register_many(9, ada)
        service.at(NINE)
        for _ in range(3):
            await asyncio.gather(service.send(), service.send())
        assert len(service.channel.reached) == 9
        assert await service.statuses() == {Status.SENT: 9}


class TestAChannelThatBreaks:
    @pytest.mark.parametrize(
        ("deduplicates", "status", "reached"), ((True, Status.SENT, 1), (False, Status.UNKNOWN, 0))
    )
    async def test_its_error_goes_on_and_the_leases_run_out(
        self, service: Service, ada: Told, *, deduplicates: bool, status: Status, reached: int
    ) -> None:
        service.channel.deduplicates = deduplicates
        await service.register(ada)
        service.at(NINE)
        service.channel.break_with(ConnectionError("unplugged"))
        with pytest.raises(ConnectionError):
            await service.send()
        assert await service.statuses() == {Status.SENDING: 1}
        service.channel.recover()
        assert await service.keep() == KeepReport(0, 0, 0)
        service.let_leases_run_out()
        assert await service.keep() == KeepReport(int(deduplicates), int(not deduplicates), 0)
        await service.send()
        assert await service.statuses() == {status: 1}
        assert len(service.channel.reached) == reached

    async def test_what_it_took_without_saying_so_reaches_nobody_twice(
        self, service: Service, ada: Told
    ) -> None:
        service.lease = timedelta(seconds=0.05)
        await service.register(ada)
        service.at(NINE)
        service.channel.hang()
        report = await service.send()
        assert report.settled == {Status.RETRYING: 1}
        service.channel.recover()
        service.at(NINE + timedelta(minutes=1))
        assert (await service.send()).settled == {Status.SENT: 1}
        assert len(service.channel.batches) == 2
        assert len(service.channel.reached) == 1

    async def test_where_nobody_knows_the_message_says_so(self, service: Service, ada: Told) -> None:
        service.lease = timedelta(seconds=0.05)
        service.channel.deduplicates = False
        await service.register(ada)
        service.at(NINE)
        service.channel.hang()
        with pytest.raises(TimeoutError):
            await service.send()
        service.channel.recover()
        service.let_leases_run_out()
        assert await service.keep() == KeepReport(retrying=0, unknown=1, expired=0)
        assert (await service.send()).claimed == 0
        assert len(service.channel.reached) == 1

    async def test_people_who_left_meanwhile_do_not_hold_up_the_others(
        self, service: Service, ada: Told
    ) -> None:
        gone = await service.register_many(2, ada)
        await service.register(ada | {"email": "bob@example.com", "timezone": "Europe/London"})
        service.at(NINE)
        service.channel.break_with(ConnectionError())
        with pytest.raises(ConnectionError):
            await service.send()
        for user in gone:
            await service.remove(UserId(user.id))
        service.let_leases_run_out()
        await service.keep()
        service.channel.recover()
        service.channel.batch_size = 1
        service.at(NINE + timedelta(hours=1))
        assert [(await service.send()).claimed for _ in range(3)] == [0, 0, 1]
        assert [one.recipient.email for one in service.channel.reached] == ["bob@example.com"]
        assert await service.statuses() == {Status.UNKNOWN: 2, Status.SENT: 1}


class TestAProcessThatIsLate:
    async def test_its_outcome_is_lost_and_counted(self, service: Service, ada: Told) -> None:
        user = await service.register(ada)
        service.at(NINE)
        stalled = asyncio.Event()

        async def stall() -> None:
            await stalled.wait()

        slow = _Busy(stall)
        slow.fail_for_good()
        late = asyncio.create_task(
            SendDueMessages(service.unit_of_work, slow, RETRIES, service.lease, service.plan_anew)()
        )
        await asyncio.sleep(0.01)
        service.let_leases_run_out()
        assert (await service.keep()).retrying == 1
        assert (await service.send()).settled == {Status.SENT: 1}
        stalled.set()
        assert await late == DispatchReport(claimed=1, settled={}, lost=1)
        assert (await service.message(user)).status == Status.SENT


class TestAStoreThatIsAway:
    async def test_outcomes_are_written_once_it_is_back(self, service: Service, ada: Told) -> None:
        await service.register(ada)
        service.at(NINE)
        _goes_away_while_sending(service)
        asyncio.get_running_loop().call_later(0.05, _comes_back, service)
        assert (await service.send()).settled == {Status.SENT: 1}

    async def test_after_the_lease_it_is_left_to_others(self, service: Service, ada: Told) -> None:
        service.lease = timedelta(seconds=0.05)
        await service.register(ada)
        service.at(NINE)
        _goes_away_while_sending(service)
        with pytest.raises(StoreUnavailable):
            await service.send()
        _comes_back(service)
        assert await service.statuses() == {Status.SENDING: 1}


def _goes_away_while_sending(service: Service) -> None:
    def answer(_delivery: Delivery) -> Outcome:
        service.store.is_reachable = False
        return Sent()

    service.channel.answer = answer


def _comes_back(service: Service) -> None:
    service.store.is_reachable = True


class TestKeepingTheLedger:
    async def test_what_missed_its_window_is_expired_and_counted(self, service: Service, ada: Told) -> None:
        await service.register_many(3, ada)
        service.at(NINE + timedelta(hours=24))
        service.told.forget()
        assert await service.keep() == KeepReport(retrying=0, unknown=0, expired=3)
        assert await service.statuses() == {Status.EXPIRED: 3}
        assert service.told.names == ["MessagesChanged"]
        assert await service.keep() == KeepReport(0, 0, 0)

    async def test_a_lease_that_runs_out_after_the_window_leaves_the_message_unknown(
        self, service: Service, ada: Told
    ) -> None:
        user = await service.register(ada)
        service.at(NINE)
        service.channel.break_with(ConnectionError())
        with pytest.raises(ConnectionError):
            await service.send()
        service.let_leases_run_out()
        service.at(NINE + timedelta(hours=24))
        for _ in range(2):
            await service.keep()
        message = await service.message(user)
        assert (message.status, message.reason) == (Status.UNKNOWN, Reason.WINDOW_PASSED)

    async def test_where_there_is_nothing_to_do_nothing_is_told(self, service: Service, ada: Told) -> None:
        await service.register(ada)
        service.told.forget()
        assert await service.keep() == KeepReport(0, 0, 0)
        assert service.told.events == []


class TestNextDue:
    async def test_it_is_the_instant_of_the_next_message(self, service: Service, ada: Told) -> None:
        assert await service.next_due() is None
        await service.register(ada)
        assert await service.next_due() == NINE
        service.at(NINE)
        await service.send()
        assert await service.next_due() is None
