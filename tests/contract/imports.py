"""What every store keeps to where many people are imported: who is found how, and what can be taken back."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import attrs
import pytest

from application.errors import EmailTaken, ExternalIdTaken
from application.import_ports import ImportChange, ImportId, UserKeys
from domain.occasion import AnnualDate, LeapDayRule
from domain.user import User, particulars_of, remove
from tests.contract.adapters import START, Adapters
from tests.contract.people import person, user_number

IMPORT = ImportId(UUID(int=1))
OTHER = ImportId(UUID(int=2))


def new(user: User) -> ImportChange:
    return ImportChange(user_id=user.id, version=user.version, before=None)


async def remembered(adapters: Adapters, *changes: ImportChange, import_id: ImportId = IMPORT) -> None:
    async with adapters.unit_of_work() as uow:
        await uow.imports.begin(import_id, START)
        await uow.imports.record(import_id, changes)
        await uow.commit()


async def taken(
    adapters: Adapters, import_id: ImportId = IMPORT, limit: int = 10
) -> list[ImportChange] | None:
    async with adapters.unit_of_work() as uow:
        changes = await uow.imports.take(import_id, limit)
        await uow.commit()
    return None if changes is None else sorted(changes, key=lambda change: change.user_id)


class ImportsContract:
    """The users found by id, and the log of imports."""

    async def test_users_are_found_by_their_ids(self, adapters: Adapters) -> None:
        ada, bob = person("Ada", external_id="É 1"), remove(person("Bob"), START)
        await adapters.add(ada, bob)
        async with adapters.unit_of_work() as uow:
            assert await uow.users.by_ids([bob.id, ada.id, user_number(7)]) == {ada.id: ada, bob.id: bob}
            assert await uow.users.by_ids([]) == {}

    async def test_users_are_found_by_either_key_also_those_who_left(self, adapters: Adapters) -> None:
        early, late, live = (
            person(id=user_number(number), external_id="É 1", email="A@Example.com") for number in (1, 2, 3)
        )
        early, late = remove(early, START), remove(late, START + timedelta(hours=1))
        other = person(id=user_number(4), external_id="É 2", email="b@example.com")
        nobody = person(id=user_number(5))
        await adapters.add(live, late, early, other, nobody)
        async with adapters.unit_of_work() as uow:
            assert await uow.users.by_keys([], ["É 1", "é 2", ""]) == [early, late, live]
            assert await uow.users.by_keys(["a@example.com"], []) == [early, late, live]
            assert await uow.users.by_keys(["A@Example.com"], []) == []
            assert await uow.users.by_keys(["a@example.com"], ["É 2"]) == [early, late, live, other]
            assert await uow.users.by_keys([], []) == []

    async def test_an_external_id_belongs_to_one_live_user(self, adapters: Adapters) -> None:
        ada, bob = person("Ada", external_id="1"), person("Bob", external_id="2")
        await adapters.add(ada, bob, person("Eve"), person("Fay"))
        with pytest.raises(ExternalIdTaken):
            await adapters.add(person(external_id="1"))
        with pytest.raises(ExternalIdTaken):
            await adapters.save(bob, attrs.evolve(bob, external_id="1"))
        with pytest.raises(EmailTaken):
            await adapters.save(bob, attrs.evolve(bob, email=ada.email))
        await adapters.save(ada, remove(ada, START))
        await adapters.save(bob, attrs.evolve(bob, external_id="1", version=2))

    async def test_an_external_id_can_be_changed_and_taken_back(self, adapters: Adapters) -> None:
        ada = person("Ada", external_id="1")
        await adapters.add(ada)
        for version, external_id in ((2, "2"), (3, None)):
            before = await adapters.user(ada)
            assert before is not None
            await adapters.save(before, attrs.evolve(before, external_id=external_id, version=version))
            after = await adapters.user(ada)
            assert after is not None
            assert after.external_id == external_id

    async def test_keys_come_page_by_page(self, adapters: Adapters) -> None:
        people = [person(id=user_number(number), email=f"P{number}@Example.com") for number in range(1, 6)]
        people[2] = attrs.evolve(people[2], external_id="3")
        await adapters.add(*people, remove(person(id=user_number(9)), START))
        async with adapters.unit_of_work() as uow:
            first = await uow.users.live_keys(None, 3)
            rest = await uow.users.live_keys(first[-1].id, 3)
        assert first[2] == UserKeys(user_number(3), "p3@example.com", "3")
        assert [one.id.int for one in [*first, *rest]] == [1, 2, 3, 4, 5]

    async def test_what_is_recorded_comes_back_once(self, adapters: Adapters) -> None:
        people = [
            person("Ada", id=user_number(1)),
            person("Zoë 🎂", id=user_number(2), birthday=AnnualDate(2, 29), leap_day_rule=LeapDayRule.MAR1),
            person(
                "'\"\\ {}",
                id=user_number(3),
                birthday=AnnualDate(12, 31, 1600),
                anniversary=date(2020, 2, 29),
            ),
            person("Dan", id=user_number(4), external_id="4"),
        ]
        await adapters.add(*people)
        changes = [
            ImportChange(
                user_id=user.id, version=7, before=particulars_of(user), was_deleted=user.first_name == "Dan"
            )
            for user in people[1:]
        ]
        await remembered(adapters, new(people[0]), *changes)
        assert await taken(adapters, limit=3) == [new(people[0]), *changes[:2]]
        assert await taken(adapters, limit=3) == changes[2:]
        assert await taken(adapters) == []

    async def test_imports_are_kept_apart(self, adapters: Adapters) -> None:
        ada = person("Ada")
        await adapters.add(ada)
        await remembered(adapters, new(ada))
        await remembered(adapters, attrs.evolve(new(ada), version=2), import_id=OTHER)
        assert await taken(adapters, OTHER) == [attrs.evolve(new(ada), version=2)]
        assert await taken(adapters) == [new(ada)]

    async def test_nobody_remembers_an_import_that_never_was(self, adapters: Adapters) -> None:
        assert await taken(adapters) is None

    async def test_what_is_rolled_back_is_not_taken(self, adapters: Adapters) -> None:
        ada = person("Ada")
        await adapters.add(ada)
        await remembered(adapters, new(ada))
        async with adapters.unit_of_work() as uow:
            await uow.imports.take(IMPORT, 10)
        assert await taken(adapters) == [new(ada)]

    async def test_imports_are_forgotten_one_by_one_and_by_age(self, adapters: Adapters) -> None:
        ada = person("Ada")
        await adapters.add(ada)
        await remembered(adapters, new(ada))
        await remembered(adapters, new(ada), import_id=OTHER)
        async with adapters.unit_of_work() as uow:
            await uow.imports.forget(IMPORT)
            await uow.imports.forget(IMPORT)
            assert await uow.imports.forget_before(START) == 0
            await uow.commit()
        assert await taken(adapters) is None
        assert await taken(adapters, OTHER, limit=0) == []
        async with adapters.unit_of_work() as uow:
            assert await uow.imports.forget_before(START + timedelta(microseconds=1)) == 1
            await uow.commit()
        assert await taken(adapters, OTHER) is None

    async def test_who_is_erased_is_erased_from_the_log(self, adapters: Adapters) -> None:
        ada, bob = person("Ada", id=user_number(1)), person("Bob", id=user_number(2))
        await adapters.add(ada, bob)
        await remembered(adapters, new(ada), new(bob))
        async with adapters.unit_of_work() as uow:
            await uow.users.erase(ada)
            await uow.commit()
        assert await taken(adapters) == [new(bob)]

    async def test_two_that_undo_at_once_take_every_change_once(self, adapters: Adapters) -> None:
        people = [person(f"P{number}") for number in range(20)]
        await adapters.add(*people)
        await remembered(adapters, *(new(user) for user in people))
        found = await asyncio.gather(*(taken(adapters, limit=7) for _ in range(4)))
        assert sorted(one.user_id for part in found for one in part or ()) == sorted(
            user.id for user in people
        )
