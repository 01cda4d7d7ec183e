"""What every ledger keeps to when messages are read and stored one by one."""

import asyncio
from datetime import date, timedelta

import attrs

from domain.due import WallTime
from domain.message import Reason, Status
from domain.occasion import Kind
from tests.contract.adapters import START, Adapters
from tests.contract.people import PI_DAY, message, person


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
