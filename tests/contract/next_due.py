"""What every ledger keeps to when it is asked what comes next."""

from datetime import date, timedelta

from application.deliveries import FailedForNow
from application.ports import Shard
from domain.message import Status
from tests.contract.adapters import START, Adapters
from tests.contract.people import born_on_pi_day, message, overdue, person


class NextDueContract:
    """Messages.next_due_at: what the scheduler sleeps until."""

    async def test_without_an_open_message_there_is_nothing_to_wait_for(self, adapters: Adapters) -> None:
        ada = person()
        await adapters.add(ada)
        assert await _next_due_at(adapters) is None
        closed = set(Status) - {Status.SCHEDULED, Status.RETRYING}
        await adapters.keep(
            *(
                message(ada, date(2027, 1, 1) + timedelta(number), status=status)
                for number, status in enumerate(closed)
            )
        )
        assert await _next_due_at(adapters) is None

    async def test_the_first_to_be_due_is_waited_for(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(overdue(ada, -5), overdue(bob, -3))
        assert await _next_due_at(adapters) == overdue(bob, -3).due_at

    async def test_a_retry_is_waited_for_until_its_own_instant(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        retry_at = START + timedelta(minutes=1)
        await adapters.add(ada, bob)
        await adapters.keep(overdue(ada, 1, status=Status.RETRYING, retry_at=retry_at), overdue(bob, -1))
        assert await _next_due_at(adapters) == retry_at

    async def test_what_is_due_already_is_past(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.keep(overdue(ada, 3))
        assert await _next_due_at(adapters) == overdue(ada, 3).due_at
        [delivery] = await adapters.claim()
        assert await _next_due_at(adapters) is None
        await adapters.settle((delivery, FailedForNow("later")))
        assert await _next_due_at(adapters) == START + timedelta(seconds=1)

    async def test_what_missed_its_window_is_not_waited_for(self, adapters: Adapters) -> None:
        """It cannot be claimed any more: a scheduler that waited for it would not sleep at all."""
        ada, bob = person("Ada"), person("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(
            overdue(ada, 24), overdue(bob, 30, status=Status.RETRYING, retry_at=START - timedelta(hours=7))
        )
        assert await _next_due_at(adapters) is None

    async def test_each_shard_waits_for_its_own(self, adapters: Adapters) -> None:
        people = [person(f"P{number}") for number in range(8)]
        held = [overdue(user, -1 - number) for number, user in enumerate(people)]
        await adapters.add(*people)
        await adapters.keep(*held)
        for number in range(2):
            shard = Shard(number, 2)
            due_at = min((one.due_at for one in held if shard.holds(one.key.user_id)), default=None)
            async with adapters.unit_of_work() as uow:
                assert await uow.messages.next_due_at(shard) == due_at


async def _next_due_at(adapters: Adapters) -> object:
    async with adapters.unit_of_work() as uow:
        return await uow.messages.next_due_at()
