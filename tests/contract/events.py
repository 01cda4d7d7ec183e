"""What every unit of work keeps to when it tells what happened: after the commit, once, in order."""

import contextlib
from collections.abc import Sequence

import attrs
import pytest

from application.errors import EmailTaken
from domain.events import Event, MessagesChanged, UserChanged, UserCreated, UserDeleted
from tests.contract.adapters import RETRIES, START, TERMS, Adapters
from tests.contract.people import born_on_pi_day, message, person


class EventsContract:
    """Events: after the commit only, once, in order; of a savepoint only if it stayed."""

    async def test_events_are_told_after_the_commit_once(self, adapters: Adapters) -> None:
        ada = person()
        async with adapters.unit_of_work() as uow:
            await uow.users.add([ada])
            assert adapters.told.batches == []
            await uow.commit()
            assert adapters.told.batches == [[UserCreated(ada)]]
        assert adapters.told.batches == [[UserCreated(ada)]]

    async def test_who_is_told_sees_what_was_committed(self, adapters: Adapters) -> None:
        ada, seen = person(), list[object]()

        async def look(_events: Sequence[Event]) -> None:
            seen.append(await adapters.user_reader.get(ada.id))
            async with adapters.unit_of_work() as uow:
                seen.append(await uow.users.get(ada.id))

        adapters.told.then = look
        await adapters.add(ada)
        assert len(seen) == 2
        assert None not in seen

    async def test_events_are_told_in_order_and_the_ledgers_once_at_the_end(self, adapters: Adapters) -> None:
        ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
        older = attrs.evolve(bob, version=2, first_name="Robert")
        async with adapters.unit_of_work() as uow:
            await uow.messages.prepare(START.date(), START.date())
            await uow.users.add([ada])
            await uow.messages.save([message(ada)])
            await uow.users.add([bob, cem])
            await uow.messages.save([message(bob), message(cem)])
            await uow.users.save([(bob, older)])
            await uow.users.erase(cem)
            await uow.commit()
        assert adapters.told.batches == [
            [
                UserCreated(ada),
                UserCreated(bob),
                UserCreated(cem),
                UserChanged(bob, older),
                UserDeleted(cem, erased=True),
                MessagesChanged(),
            ]
        ]

    async def test_a_commit_in_which_nothing_happened_tells_nothing(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        adapters.told.forget()
        async with adapters.unit_of_work() as uow:
            await uow.users.get(ada.id)
            await uow.users.add([])
            await uow.users.save([])
            await uow.messages.save([])
            await uow.messages.claim(10, TERMS)
            await uow.messages.reap(RETRIES, retries=True, limit=10)
            await uow.messages.expire(10)
            await uow.commit()
        assert adapters.told.events == []

    async def test_a_savepoint_tells_nothing_before_the_commit(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        async with adapters.unit_of_work() as uow:
            async with uow.savepoint():
                await uow.users.add([ada])
            assert adapters.told.batches == []
            await uow.users.add([bob])
            await uow.commit()
        assert adapters.told.batches == [[UserCreated(ada), UserCreated(bob)]]

    async def test_a_savepoint_that_fails_takes_back_its_part_alone(self, adapters: Adapters) -> None:
        ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
        async with adapters.unit_of_work() as uow:
            await uow.messages.prepare(START.date(), START.date())
            await uow.users.add([ada])
            with contextlib.suppress(ZeroDivisionError):
                async with uow.savepoint():
                    await uow.users.add([bob])
                    await uow.messages.save([message(bob)])
                    raise ZeroDivisionError
            assert await uow.users.get(bob.id) is None
            await uow.users.add([cem])
            await uow.commit()
        assert adapters.told.batches == [[UserCreated(ada), UserCreated(cem)]]
        assert await adapters.user(bob) is None
        assert await adapters.messages_of(bob) == {}

    async def test_a_savepoint_inside_another_is_undone_alone(self, adapters: Adapters) -> None:
        ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
        async with adapters.unit_of_work() as uow:
            async with uow.savepoint():
                await uow.users.add([ada])
                with contextlib.suppress(ZeroDivisionError):
                    async with uow.savepoint():
                        await uow.users.add([bob])
                        raise ZeroDivisionError
                await uow.users.add([cem])
            await uow.commit()
        assert adapters.told.batches == [[UserCreated(ada), UserCreated(cem)]]

    async def test_an_outer_savepoint_takes_the_inner_one_with_it(self, adapters: Adapters) -> None:
        ada, bob = person("Ada"), person("Bob")
        async with adapters.unit_of_work() as uow:
            with contextlib.suppress(ZeroDivisionError):
                async with uow.savepoint():
                    async with uow.savepoint():
                        await uow.users.add([ada])
                    raise ZeroDivisionError
            await uow.users.add([bob])
            await uow.commit()
        assert adapters.told.batches == [[UserCreated(bob)]]

    async def test_after_an_address_was_refused_in_a_savepoint_the_rest_goes_on(
        self, adapters: Adapters
    ) -> None:
        ada, bob = person("Ada", email="one@example.com"), person("Bob")
        await adapters.add(ada)
        adapters.told.forget()
        async with adapters.unit_of_work() as uow:
            with pytest.raises(EmailTaken):
                async with uow.savepoint():
                    await uow.users.add([person("Eve", email="one@example.com")])
            await uow.users.add([bob])
            await uow.commit()
        assert adapters.told.events == [UserCreated(bob)]
        assert await adapters.user(bob) == bob

    async def test_a_message_that_a_savepoint_took_back_can_be_stored_again(self, adapters: Adapters) -> None:
        ada = born_on_pi_day()
        await adapters.add(ada)
        adapters.told.forget()
        async with adapters.unit_of_work() as uow:
            await uow.messages.prepare(START.date(), START.date())
            with contextlib.suppress(ZeroDivisionError):
                async with uow.savepoint():
                    await uow.messages.save([message(ada)])
                    raise ZeroDivisionError
            await uow.messages.save([message(ada)])
            await uow.commit()
        assert list((await adapters.messages_of(ada)).values()) == [message(ada)]
        assert adapters.told.events == [MessagesChanged()]
