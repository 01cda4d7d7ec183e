"""What every outbox keeps to: the keys of each change are written with it, or not at all."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

import attrs
import pytest

from application.cache_ports import Batch, InvalidationLog, Place, Poll
from application.invalidation import email_reference_key, keys_of
from application.ports import UnitOfWorkFactory
from domain.events import MessagesChanged, UserChanged, UserCreated, UserDeleted
from domain.message import Reason
from domain.occasion import AnnualDate
from domain.user import User
from tests.contract.adapters import RETRIES, START
from tests.contract.people import born_on_pi_day, message, person

Change = Callable[[User], User]
LONG_S = 3600.0


@attrs.frozen
class Outbox:
    """A log and the units of work that write it, whose first epoch is begun and of which nothing is pending."""

    log: InvalidationLog
    unit_of_work: UnitOfWorkFactory

    async def settle(self) -> None:
        """Deliver everything."""
        while True:
            async with self.log.next_batch(0, 1000) as batch:
                if batch is None:
                    return
                await batch.acknowledge()

    async def poll(self, overdue_s: float = LONG_S) -> Poll:
        return await self.log.poll(overdue_s=overdue_s)

    async def pending(self) -> dict[str, int]:
        """Return what the next batch would be, and let it be."""
        async with self.log.next_batch(0, 10_000) as batch:
            return {} if batch is None else dict(batch.keys)

    @asynccontextmanager
    async def lent(self, limit: int = 500) -> AsyncIterator[Batch]:
        async with self.log.next_batch(0, limit) as batch:
            assert batch is not None
            yield batch

    async def deliver(self, limit: int = 500) -> int:
        async with self.lent(limit) as batch:
            await batch.acknowledge()
        return batch.number

    async def add(self, *users: User) -> None:
        async with self.unit_of_work() as uow:
            await uow.users.add(users)
            await uow.commit()

    async def known(self, *users: User) -> None:
        """Let these people be known, and nobody's cache be concerned."""
        await self.add(*users)
        await self.settle()

    async def change(self, before: User, change: Change) -> User:
        after = changed(before, change)
        async with self.unit_of_work() as uow:
            assert await uow.users.get(before.id) == before
            await uow.users.save([(before, after)])
            await uow.commit()
        return after


def changed(before: User, change: Change) -> User:
    return attrs.evolve(change(before), version=before.version + 1, updated_at=START)


def renamed(user: User) -> User:
    return attrs.evolve(user, first_name="Augusta")


def user_key(user: User) -> str:
    return f"user:v1:{user.id}"


CHANGES: dict[str, Change] = {
    "name": renamed,
    "address": lambda user: attrs.evolve(user, email="Ölaf.Else@Example.com"),
    "spelling of the address": lambda user: attrs.evolve(user, email=user.email.upper()),
    "time zone": lambda user: attrs.evolve(user, timezone="Asia/Kathmandu"),
    "birthday": lambda user: attrs.evolve(user, birthday=AnnualDate(2, 29, 1992)),
    "year of birth": lambda user: attrs.evolve(user, birthday=AnnualDate(3, 14)),
    "no birthday": lambda user: attrs.evolve(user, birthday=None),
    "anniversary": lambda user: attrs.evolve(user, anniversary=date(2020, 3, 14)),
}


class InvalidationKeysContract:
    """Which keys each kind of change writes, and that nothing else does."""

    async def test_a_rollback_writes_nothing(self, outbox: Outbox) -> None:
        ada = born_on_pi_day()
        await outbox.known(ada)
        async with outbox.unit_of_work() as uow:
            await uow.users.get(ada.id)
            await uow.users.save([(ada, changed(ada, renamed))])
        assert await outbox.pending() == {}
        assert (await outbox.poll()).pending == 0

    async def test_a_savepoint_that_fails_takes_back_its_part_alone(self, outbox: Outbox) -> None:
        ada, bob = person("Ada"), born_on_pi_day("Bob")
        await outbox.known(ada, bob)
        async with outbox.unit_of_work() as uow:
            await uow.users.get(ada.id)
            await uow.users.save([(ada, changed(ada, renamed))])
            with contextlib.suppress(ZeroDivisionError):
                async with uow.savepoint():
                    await uow.users.erase(bob)
                    await uow.messages.prepare(START.date(), START.date())
                    await uow.messages.save([message(ada)])
                    raise ZeroDivisionError
            await uow.commit()
        assert set(await outbox.pending()) == {user_key(ada), email_reference_key(ada.email)}

    async def test_a_new_person_may_come_into_the_lists(self, outbox: Outbox) -> None:
        await outbox.add(person())
        assert await outbox.pending() == {}
        ada = born_on_pi_day()
        await outbox.add(ada, born_on_pi_day("Bob"))
        assert await outbox.pending() == dict.fromkeys(keys_of(UserCreated(ada)), 0)

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    async def test_a_change_writes_its_keys(self, outbox: Outbox, change: Change) -> None:
        ada = born_on_pi_day(email="Ada.Lövelace@Example.com")
        await outbox.known(ada)
        after = await outbox.change(ada, change)
        expected = dict.fromkeys(keys_of(UserChanged(ada, after)), 0)
        assert await outbox.pending() == {**expected, user_key(ada): 2}

    async def test_a_soft_deletion_writes_its_keys(self, outbox: Outbox) -> None:
        ada = person()
        await outbox.known(ada)
        await outbox.change(ada, lambda user: attrs.evolve(user, deleted_at=START))
        assert await outbox.pending() == {**dict.fromkeys(keys_of(UserDeleted(ada)), 0), user_key(ada): 2}

    async def test_an_erasure_writes_its_keys_and_no_version(self, outbox: Outbox) -> None:
        ada = person()
        await outbox.known(ada)
        async with outbox.unit_of_work() as uow:
            await uow.users.erase(ada)
            await uow.commit()
        assert await outbox.pending() == dict.fromkeys(keys_of(UserDeleted(ada, erased=True)), 0)

    async def test_who_comes_back_may_come_into_the_lists(self, outbox: Outbox) -> None:
        gone = born_on_pi_day(deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
        await outbox.known(gone)
        after = await outbox.change(gone, lambda user: attrs.evolve(user, deleted_at=None))
        assert set(await outbox.pending()) >= keys_of(UserCreated(after))

    async def test_the_ledger_writes_its_key_once_per_transaction(self, outbox: Outbox) -> None:
        ada, bob = person("Ada"), person("Bob")
        await outbox.known(ada, bob)
        async with outbox.unit_of_work() as uow:
            await uow.messages.prepare(START.date(), date(2027, 3, 31))
            await uow.messages.save([message(ada)])
            await uow.messages.save([message(bob)])
            await uow.commit()
        assert (await outbox.poll()).pending == 1
        assert await outbox.pending() == dict.fromkeys(keys_of(MessagesChanged()), 0)
        await outbox.settle()
        async with outbox.unit_of_work() as uow:
            held = await uow.messages.get(message(ada).key)
            assert held is not None
            await uow.messages.save([held.cancelled(START, Reason.OPERATOR)])
            await uow.commit()
        assert (await outbox.poll()).pending == 1

    async def test_a_ledger_that_is_only_looked_at_writes_nothing(self, outbox: Outbox) -> None:
        async with outbox.unit_of_work() as uow:
            await uow.messages.expire(10)
            await uow.messages.reap(RETRIES, retries=True, limit=10)
            await uow.commit()
        assert (await outbox.poll()).pending == 0

    async def test_more_than_a_thousand_people_at_once_are_a_new_epoch(self, outbox: Outbox) -> None:
        people = [person(f"P{number}") for number in range(1001)]
        await outbox.known(*people)
        (before,) = (await outbox.poll()).acknowledged
        async with outbox.unit_of_work() as uow:
            await uow.users.by_emails([user.email_key for user in people])
            await uow.users.save([(user, changed(user, renamed)) for user in people])
            await uow.commit()
        assert set((await outbox.poll()).acknowledged) == {Place(0, before.epoch + 1)}
        async with outbox.lent() as batch:
            assert batch.place == Place(0, before.epoch + 1)
