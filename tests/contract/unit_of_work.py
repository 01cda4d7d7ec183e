"""What every unit of work keeps to: all or nothing, and one after the other."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import attrs
import pytest

from domain.events import UserCreated
from tests.contract.adapters import START, TERMS, Adapters
from tests.contract.people import born_on_pi_day, message, person


class UnitOfWorkContract:
    """One transaction, savepoints inside it, and what it tells."""

    async def test_what_is_committed_stays(self, adapters: Adapters) -> None:
        ada = person()
        await adapters.add(ada)
        assert await adapters.user(ada) == ada

    async def test_what_is_not_committed_is_gone(self, adapters: Adapters) -> None:
        ada = person()
        async with adapters.unit_of_work() as uow:
            await uow.users.add([ada])
            await uow.messages.prepare(START.date(), START.date())
            await uow.messages.save([message(ada)])
        assert await adapters.user(ada) is None
        assert await adapters.messages_of(ada) == {}
        assert adapters.told.events == []

    async def test_an_exception_rolls_back_and_goes_on_to_the_caller(self, adapters: Adapters) -> None:
        ada = person()

        async def fail() -> None:
            async with adapters.unit_of_work() as uow:
                await uow.users.add([ada])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await adapters.user(ada) is None
        assert adapters.told.events == []

    async def test_an_exception_after_the_commit_takes_nothing_back(self, adapters: Adapters) -> None:
        ada = person()

        async def fail() -> None:
            async with adapters.unit_of_work() as uow:
                await uow.users.add([ada])
                await uow.commit()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await adapters.user(ada) == ada
        assert adapters.told.events == [UserCreated(ada)]

    async def test_a_cancelled_task_rolls_back_and_holds_nobody_up(self, adapters: Adapters) -> None:
        ada, began = person(), asyncio.Event()
        await adapters.add(ada)

        async def hang() -> None:
            async with adapters.unit_of_work() as uow:
                await uow.users.get(ada.id)
                await uow.users.save([(ada, attrs.evolve(ada, version=2))])
                began.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(20):
            assert await adapters.user(ada) == ada
        assert adapters.told.names == ["UserCreated"]

    async def test_it_sees_its_own_changes(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        async with adapters.unit_of_work() as uow:
            await uow.users.add([ada])
            assert await uow.users.get(ada.id) == ada
            await uow.messages.prepare(START.date(), START.date())
            await uow.messages.save([message(ada)])
            assert await uow.messages.of_users([ada.id]) == {ada.id: [message(ada)]}

    async def test_a_second_commit_is_refused(self, adapters: Adapters) -> None:
        async with adapters.unit_of_work() as uow:
            await uow.commit()
            with pytest.raises(RuntimeError):
                await uow.commit()

    async def test_nothing_can_be_done_after_the_commit(self, adapters: Adapters) -> None:
        ada = person()
        async with adapters.unit_of_work() as uow:
            await uow.commit()
            with pytest.raises(RuntimeError):
                await uow.users.add([ada])
            with pytest.raises(RuntimeError):
                await uow.messages.claim(1, TERMS)
        assert await adapters.user(ada) is None

    async def test_nothing_can_be_done_after_its_end(self, adapters: Adapters) -> None:
        ada = person()
        async with adapters.unit_of_work() as uow:
            pass
        with pytest.raises(RuntimeError):
            await uow.users.add([ada])
        with pytest.raises(RuntimeError):
            await uow.commit()
        assert await adapters.user(ada) is None

    async def test_it_is_used_once(self, adapters: Adapters) -> None:
        uow = adapters.unit_of_work()
        async with uow:
            pass
        with pytest.raises(RuntimeError):
            async with uow:
                pass

    async def test_now_is_the_ledgers_clock_and_the_same_all_through(self, adapters: Adapters) -> None:
        async with adapters.unit_of_work() as uow:
            assert await uow.now() == START
            assert (await uow.now()).utcoffset() == timedelta(0)
            await adapters.set_now(START + timedelta(hours=1))
            assert await uow.now() == START
        async with adapters.unit_of_work() as uow:
            assert await uow.now() == START + timedelta(hours=1)

    async def test_two_at_once_lose_no_change(self, adapters: Adapters) -> None:
        ada = person()
        await adapters.add(ada)

        async def change() -> None:
            async with adapters.unit_of_work() as uow:
                user = await uow.users.get(ada.id)
                assert user is not None
                await asyncio.sleep(0.01)
                await uow.users.save([(user, attrs.evolve(user, version=user.version + 1))])
                await uow.commit()

        await asyncio.gather(*(change() for _ in range(4)))
        user = await adapters.user(ada)
        assert user is not None
        assert user.version == 5

    async def test_two_at_once_do_not_wait_for_each_other_for_ever(self, adapters: Adapters) -> None:
        people = [person(name) for name in ("Ada", "Bob", "Cem")]
        await adapters.add(*people)

        async def read(emails: Sequence[str]) -> None:
            async with adapters.unit_of_work() as uow:
                await uow.users.by_emails(emails)
                await asyncio.sleep(0.01)
                await uow.messages.of_users([user.id for user in people])
                await uow.commit()

        keys = [user.email_key for user in people]
        async with asyncio.timeout(20):
            await asyncio.gather(*(read(keys if turn % 2 else keys[::-1]) for turn in range(6)))
