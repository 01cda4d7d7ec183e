"""What every claim keeps to: when due and not before, to one claimer only, with the truth of that moment."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

import attrs

from application.deliveries import Delivery, Recipient
from application.ports import Shard
from domain.events import MessagesChanged
from domain.message import Reason, Status
from domain.occasion import Kind
from domain.user import remove
from tests.contract.adapters import START, TERMS, Adapters
from tests.contract.people import NINE_IN_BERLIN, PI_DAY, born_on_pi_day, message, overdue, person

_TICK = timedelta(microseconds=1)


class ClaimContract:
    """Messages.claim."""

    async def test_a_claimed_message_comes_with_all_that_a_channel_needs(self, adapters: Adapters) -> None:
        ada = person("Ada", last_name="King", email="ada@example.com", anniversary=date(2020, 3, 14))
        held = message(ada, PI_DAY, Kind.ANNIVERSARY, years=7)
        await adapters.add(ada)
        await adapters.keep(held)
        await adapters.set_now(NINE_IN_BERLIN)
        adapters.told.forget()
        assert await adapters.claim() == [
            Delivery(
                key=held.key,
                fence=1,
                attempt=1,
                due_at=NINE_IN_BERLIN,
                expires_at=held.expires_at,
                years=7,
                recipient=Recipient("Ada", "King", "ada@example.com"),
            )
        ]
        assert await adapters.message(held.key) == attrs.evolve(
            held, status=Status.SENDING, attempt=1, fence=1, updated_at=NINE_IN_BERLIN
        )
        assert adapters.told.events == [MessagesChanged()]

    async def test_nothing_is_claimed_before_it_isoverdue(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.keep(message(ada))
        await adapters.set_now(NINE_IN_BERLIN - _TICK)
        assert await adapters.claim() == []
        await adapters.set_now(NINE_IN_BERLIN)
        assert len(await adapters.claim()) == 1

    async def test_nothing_is_claimed_once_its_window_has_passed(self, adapters: Adapters) -> None:
        ada, bob = born_on_pi_day("Ada"), born_on_pi_day("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(
            message(ada), message(bob, status=Status.RETRYING, retry_at=NINE_IN_BERLIN, attempt=1)
        )
        await adapters.set_now(message(ada).expires_at)
        assert await adapters.claim() == []
        await adapters.set_now(message(ada).expires_at - _TICK)
        assert len(await adapters.claim()) == 2

    async def test_who_has_missed_their_window_is_passed_over_for_others_of_the_same_date(
        self, adapters: Adapters
    ) -> None:
        missed, waits = born_on_pi_day("Missed"), born_on_pi_day("Waits")
        await adapters.add(missed, waits)
        await adapters.keep(message(missed, expires_at=NINE_IN_BERLIN + timedelta(hours=1)), message(waits))
        await adapters.set_now(NINE_IN_BERLIN + timedelta(hours=1))
        assert [one.key.user_id for one in await adapters.claim()] == [waits.id]

    async def test_only_what_is_open_is_claimed(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(len(Status))]
        await adapters.add(*people)
        await adapters.keep(
            *(
                message(user, status=status, retry_at=START if status is Status.RETRYING else None)
                for user, status in zip(people, Status, strict=True)
            )
        )
        await adapters.set_now(NINE_IN_BERLIN)
        claimed = {delivery.key.user_id for delivery in await adapters.claim()}
        assert claimed == {
            user.id
            for user, status in zip(people, Status, strict=True)
            if status in {Status.SCHEDULED, Status.RETRYING}
        }

    async def test_a_retry_waits_for_its_own_instant(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        retry_at = NINE_IN_BERLIN + timedelta(hours=3)
        await adapters.add(ada)
        await adapters.keep(message(ada, status=Status.RETRYING, retry_at=retry_at, attempt=4, fence=6))
        await adapters.set_now(retry_at - _TICK)
        assert await adapters.claim() == []
        await adapters.set_now(retry_at)
        [delivery] = await adapters.claim()
        assert (delivery.attempt, delivery.fence) == (5, 7)
        claimed = await adapters.message(delivery.key)
        assert (claimed.status, claimed.attempt, claimed.fence) == (Status.SENDING, 5, 7)
        assert claimed.retry_at is None

    async def test_the_longest_due_come_first_up_to_the_limit(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(6)]
        late = [attrs.evolve(overdue(user, hours), fence=hours) for hours, user in enumerate(people)]
        await adapters.add(*people)
        await adapters.keep(*(late[number] for number in (3, 0, 5, 1, 4, 2)))
        order = [{one.key for one in await adapters.claim(limit)} for limit in (2, 3, 10, 10)]
        keys = [one.key for one in reversed(late)]
        assert order == [set(keys[:2]), set(keys[2:5]), set(keys[5:]), set()]

    async def test_the_limit_holds_for_new_ones_and_retries_together(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(6)]
        await adapters.add(*people)
        await adapters.keep(
            *(overdue(user, 1) for user in people[:3]),
            *(overdue(user, 2, status=Status.RETRYING, retry_at=START) for user in people[3:]),
        )
        await adapters.set_now(NINE_IN_BERLIN)
        batches = [await adapters.claim(4), await adapters.claim(4)]
        assert [len(batch) for batch in batches] == [4, 2]
        assert len({delivery.key for batch in batches for delivery in batch}) == 6

    async def test_what_is_claimed_is_not_claimed_again(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.keep(overdue(ada, 1))
        assert len(await adapters.claim()) == 1
        assert await adapters.claim() == []
        await adapters.expire_leases()
        assert await adapters.claim() == []

    async def test_two_at_once_never_claim_the_same(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(40)]
        await adapters.add(*people)
        await adapters.keep(*(overdue(user, 1) for user in people))

        async def claim() -> list[Delivery]:
            async with adapters.unit_of_work() as uow:
                found = await uow.messages.claim(7, TERMS)
                await asyncio.sleep(0.02)
                await uow.commit()
            return list(found.deliveries)

        claimed: list[Delivery] = []
        async with asyncio.timeout(20):
            while batches := [batch for batch in await asyncio.gather(*(claim() for _ in range(4))) if batch]:
                claimed += [delivery for batch in batches for delivery in batch]
        assert len(claimed) == 40
        assert {delivery.key.user_id for delivery in claimed} == {user.id for user in people}
        assert {delivery.fence for delivery in claimed} == {1}

    async def test_a_claim_that_is_not_committed_leaves_the_message_to_others(
        self, adapters: Adapters
    ) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.keep(overdue(ada, 1))
        async with adapters.unit_of_work() as uow:
            assert len((await uow.messages.claim(1, TERMS)).deliveries) == 1
        assert await adapters.message(message(ada).key) == overdue(ada, 1)
        [delivery] = await adapters.claim()
        assert (delivery.attempt, delivery.fence) == (1, 1)

    async def test_the_recipient_is_read_at_the_claim(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada", email="old@example.com")
        await adapters.add(ada)
        await adapters.plan("Europe/Berlin")
        await adapters.save(
            ada, attrs.evolve(ada, first_name="Augusta", last_name="King", email="new@example.com", version=2)
        )
        await adapters.set_now(NINE_IN_BERLIN)
        [delivery] = await adapters.claim()
        assert delivery.recipient == Recipient("Augusta", "King", "new@example.com")

    async def test_messages_of_who_is_deleted_are_cancelled_instead(self, adapters: Adapters) -> None:
        ada, bob = born_on_pi_day("Ada"), born_on_pi_day("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(
            message(ada), message(bob, status=Status.RETRYING, retry_at=START, attempt=3, fence=3)
        )
        await adapters.save(ada, remove(ada, START))
        await adapters.save(bob, remove(bob, START))
        await adapters.set_now(NINE_IN_BERLIN)
        adapters.told.forget()
        assert await adapters.claim() == []
        for one in (await adapters.messages_of(ada, bob)).values():
            assert (one.status, one.reason) == (Status.CANCELLED, Reason.USER_DELETED)
            assert one.retry_at is None
        assert (await adapters.message(message(bob).key)).fence == 3
        assert adapters.told.events == [MessagesChanged()]

    async def test_messages_of_who_is_deleted_do_not_hold_up_the_others(self, adapters: Adapters) -> None:
        ada, bob = born_on_pi_day("Ada"), born_on_pi_day("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(overdue(ada, 2), overdue(bob, 1))
        await adapters.save(ada, remove(ada, START))
        claimed = [delivery for _ in range(2) for delivery in await adapters.claim(1)]
        assert [delivery.key.user_id for delivery in claimed] == [bob.id]

    async def test_what_an_operator_is_cancelling_is_not_claimed(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        await adapters.keep(overdue(ada, 1))
        cancelling = asyncio.Event()

        async def cancel() -> None:
            async with adapters.unit_of_work() as uow:
                held = await uow.messages.get(message(ada).key)
                assert held is not None
                cancelling.set()
                await asyncio.sleep(0.05)
                await uow.messages.save([held.cancelled(START, Reason.OPERATOR)])
                await uow.commit()

        async def claim() -> Sequence[Delivery]:
            await cancelling.wait()
            return await adapters.claim()

        _, claimed = await asyncio.gather(cancel(), claim())
        assert claimed == []
        assert (await adapters.message(message(ada).key)).status is Status.CANCELLED

    async def test_each_shard_claims_its_own(self, adapters: Adapters) -> None:
        people = [born_on_pi_day(f"P{number}") for number in range(20)]
        await adapters.add(*people)
        await adapters.keep(*(overdue(user, 1) for user in people))
        for number in range(3):
            shard = Shard(number, 3)
            async with adapters.unit_of_work() as uow:
                found = await uow.messages.claim(1000, TERMS, shard)
                await uow.commit()
            assert {delivery.key.user_id for delivery in found.deliveries} == {
                user.id for user in people if shard.holds(user.id)
            }
        assert await adapters.claim() == []
