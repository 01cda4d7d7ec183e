"""What every invalidation log keeps to: what is pending is lent, acknowledged, delivered again, forgotten."""

import asyncio

import pytest

from application.cache_ports import Place, Poll
from application.invalidation import keys_of
from domain.events import UserCreated
from tests.contract.invalidation_keys import LONG_S, Outbox, renamed, user_key
from tests.contract.people import born_on_pi_day, person


class InvalidationLogContract:
    """In which batches keys are lent, and what comes of a batch."""

    async def test_a_new_log_lends_one_batch_without_keys_so_that_its_epoch_is_begun(
        self, new_outbox: Outbox
    ) -> None:
        poll = await new_outbox.poll(overdue_s=0)
        assert (poll.overdue, poll.pending, poll.oldest_pending_s) == (frozenset(), 0, 0)
        async with new_outbox.lent() as batch:
            assert batch.keys == []
            assert await batch.deliver_again_after(None) is not None
        (place,) = (await new_outbox.poll()).acknowledged
        assert place.epoch == batch.place.epoch + 1
        async with new_outbox.log.next_batch(0, 500) as nothing:
            assert nothing is None

    async def test_a_key_is_lent_once_with_its_highest_version(self, outbox: Outbox) -> None:
        ada = person()
        await outbox.known(ada)
        after = await outbox.change(await outbox.change(ada, renamed), renamed)
        async with outbox.lent() as batch:
            assert [version for key, version in batch.keys if key == user_key(ada)] == [3]
        async with outbox.unit_of_work() as uow:
            await uow.users.erase(after)
            await uow.commit()
        assert (await outbox.pending())[user_key(ada)] == 0

    async def test_the_oldest_are_lent_first_and_no_more_than_asked_for(self, outbox: Outbox) -> None:
        people = [person(f"P{number}") for number in range(3)]
        await outbox.known(*people)
        for user in people:
            await outbox.change(user, renamed)
        lent: list[str] = []
        for left in (4, 2, 0):
            async with outbox.lent(limit=2) as batch:
                lent += [key for key, _ in batch.keys]
                await batch.acknowledge()
            assert (await outbox.poll()).pending == left
        assert [key for key in lent if key in set(map(user_key, people))] == list(map(user_key, people))
        assert len(lent) == 6

    async def test_a_second_sweeper_gets_none(self, outbox: Outbox) -> None:
        ada = person()
        await outbox.known(ada)
        await outbox.change(ada, renamed)
        async with outbox.lent(), outbox.log.next_batch(0, 500) as second:
            assert second is None
        assert await outbox.pending() != {}

    async def test_a_batch_is_settled_once(self, outbox: Outbox) -> None:
        ada = born_on_pi_day()
        await outbox.add(ada)
        async with outbox.lent() as batch:
            await batch.acknowledge()
            with pytest.raises(RuntimeError, match="settled already"):
                await batch.deliver_again_after(None)
        assert await outbox.pending() == {}

    async def test_what_is_acknowledged_is_the_new_base(self, outbox: Outbox) -> None:
        await outbox.add(born_on_pi_day())
        async with outbox.lent() as batch:
            await batch.acknowledge()
        poll = await outbox.poll(overdue_s=0)
        assert poll == Poll(
            acknowledged={batch.place: batch.number}, overdue=frozenset(), pending=0, oldest_pending_s=0
        )
        await outbox.add(born_on_pi_day())
        async with outbox.lent() as following:
            assert following.base == batch.number < following.number

    async def test_what_is_not_acknowledged_comes_again_under_a_new_number(self, outbox: Outbox) -> None:
        await outbox.add(born_on_pi_day())
        async with outbox.lent() as unanswered:
            pass
        with pytest.raises(ZeroDivisionError):
            async with outbox.lent() as failed:
                await failed.acknowledge()
                raise ZeroDivisionError
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), outbox.lent() as cut:
                await cut.acknowledge()
                await asyncio.Event().wait()
        async with outbox.lent() as last:
            assert unanswered.number < failed.number < cut.number < last.number
            assert unanswered.keys == failed.keys == cut.keys == last.keys
            assert unanswered.base == last.base

    async def test_what_is_pending_for_long_is_overdue(self, outbox: Outbox) -> None:
        ada = born_on_pi_day()
        await outbox.add(ada)
        assert (await outbox.poll()).overdue == frozenset()
        await asyncio.sleep(0.05)
        poll = await outbox.poll(overdue_s=0.01)
        assert poll.overdue == keys_of(UserCreated(ada))
        assert (poll.pending, 0.04 < poll.oldest_pending_s < 5) == (2, True)
        await outbox.settle()
        assert (await outbox.poll(overdue_s=0.01)).overdue == frozenset()

    async def test_what_was_lost_is_delivered_again_and_overdue_at_once(self, outbox: Outbox) -> None:
        ada, bob, cem = (person(name) for name in ("Ada", "Bob", "Cem"))
        await outbox.known(ada, bob, cem)
        numbers: list[int] = []
        for user in (ada, bob):
            await outbox.change(user, renamed)
            numbers.append(await outbox.deliver())
        await outbox.change(cem, renamed)
        async with outbox.lent() as batch:
            assert await batch.deliver_again_after(numbers[0]) is None
        await asyncio.sleep(0.02)
        poll = await outbox.poll(overdue_s=0.01)
        assert poll.acknowledged == {batch.place: numbers[0]}
        assert user_key(bob) in poll.overdue
        async with outbox.lent() as again:
            assert {user_key(bob): 2, user_key(cem): 2}.items() <= dict(again.keys).items()
            assert user_key(ada) not in dict(again.keys)
            assert (again.base, again.number > batch.number) == (numbers[0], True)

    async def test_without_a_watermark_a_new_epoch_begins_and_what_was_pending_is_settled(
        self, outbox: Outbox
    ) -> None:
        await outbox.add(born_on_pi_day())
        async with outbox.lent(limit=1) as batch:
            begun = await batch.deliver_again_after(None)
        poll = await outbox.poll(overdue_s=0)
        assert begun == Place(0, batch.place.epoch + 1)
        assert poll.acknowledged == {Place(0, batch.place.epoch + 1): batch.number}
        assert (poll.pending, poll.overdue) == (0, frozenset())
        await outbox.add(born_on_pi_day())
        async with outbox.lent() as following:
            assert following.place == Place(0, batch.place.epoch + 1)
            assert await following.deliver_again_after(batch.number) is None
        assert len(await outbox.pending()) == 2

    async def test_a_log_that_was_put_back_leads_past_every_epoch_that_the_cache_may_know(
        self, outbox: Outbox
    ) -> None:
        await outbox.add(born_on_pi_day())
        async with outbox.lent() as batch:
            begun = await batch.deliver_again_after(batch.number)
        assert begun is not None
        assert begun.epoch > 1_700_000_000
        assert (await outbox.poll()).acknowledged == {begun: batch.number}

    async def test_purging_forgets_what_was_delivered_long_ago_and_nothing_else(self, outbox: Outbox) -> None:
        await outbox.add(born_on_pi_day())
        last = await outbox.deliver()
        await outbox.add(born_on_pi_day())
        assert await outbox.log.purge(delivered_before_s=LONG_S, limit=100) == 0
        async with outbox.lent() as batch:
            assert await batch.deliver_again_after(last) is None
        await asyncio.sleep(0.02)
        while await outbox.log.purge(delivered_before_s=0.01, limit=2):
            pass
        assert len(await outbox.pending()) == 2
        async with outbox.lent() as batch:  # nothing after it is missing
            assert await batch.deliver_again_after(last) is None
        async with outbox.lent() as batch:
            assert await batch.deliver_again_after(last - 1) is not None

    async def test_an_empty_batch_is_lent_to_who_asks_for_it(self, outbox: Outbox) -> None:
        async with outbox.log.next_batch(0, 500, even_if_empty=True) as batch:
            assert batch is not None
            assert batch.keys == []
            await batch.acknowledge()
        assert (await outbox.poll()).acknowledged == {batch.place: batch.number}
