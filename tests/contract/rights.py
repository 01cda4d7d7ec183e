"""What every store keeps and forgets of people: who is erased, who left long ago, and all that is held of one."""

from datetime import timedelta
from uuid import UUID

import attrs
import pytest

from application.import_ports import ImportChange, ImportId
from application.traces import Greeted
from application.users import RegisterUser, RemoveUser
from domain.message import Reason, Status
from domain.occasion import Kind
from domain.plan import plan_user
from domain.user import UserId, particulars_of, remove
from tests.contract.adapters import POLICY, START, Adapters
from tests.contract.people import PI_DAY, born_on_pi_day, message, person

DAY = timedelta(days=1)
EMAIL = "ada@example.com"


async def erase(adapters: Adapters, user_id: UUID) -> None:
    await RemoveUser(adapters.unit_of_work, POLICY)(UserId(user_id), erase=True)


class RightsContract:
    """GreetedAddresses, Users.erase, Users.deleted_before, PersonReader."""

    @pytest.mark.parametrize(
        ("status", "is_kept"),
        (
            (Status.SENT, True),
            (Status.UNKNOWN, True),
            (Status.SENDING, True),
            (Status.SCHEDULED, False),
            (Status.EXPIRED, False),
            (Status.CANCELLED, False),
        ),
    )
    async def test_of_who_is_erased_only_greetings_are_remembered(
        self, adapters: Adapters, status: Status, *, is_kept: bool
    ) -> None:
        ada = born_on_pi_day("Ada", email=EMAIL)
        await adapters.add(ada)
        await adapters.keep(message(ada, status=status))
        await erase(adapters, ada.id)
        async with adapters.unit_of_work() as uow:
            found = await uow.greeted.of([EMAIL, "other@example.com"])
        assert found == ({EMAIL: [Greeted(Kind.BIRTHDAY, PI_DAY)]} if is_kept else {})

    async def test_an_address_that_comes_back_is_not_greeted_twice(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada", email=EMAIL)
        await adapters.add(ada)
        await adapters.keep(message(ada, PI_DAY - 2 * DAY, status=Status.SENT, sent_at=START))
        await erase(adapters, ada.id)
        told = {
            "first_name": "Ada",
            "last_name": "Again",
            "email": "ADA@example.com",
            "timezone": "Europe/Berlin",
            "birthday": "1990-03-14",
        }
        view = await RegisterUser(adapters.unit_of_work, POLICY)(told)
        again = attrs.evolve(ada, id=UserId(view.id))
        fates = {
            key.occasion_on: (one.status, one.reason)
            for key, one in (await adapters.messages_of(again)).items()
        }
        assert fates == {
            PI_DAY - 2 * DAY: (Status.SKIPPED, Reason.GREETED_RECENTLY),
            PI_DAY: (Status.SKIPPED, Reason.GREETED_RECENTLY),
        }
        await erase(adapters, view.id)
        async with adapters.unit_of_work() as uow:
            assert EMAIL in await uow.greeted.of([EMAIL]), "and it is still so after the next time"

    async def test_what_guards_nothing_any_more_is_forgotten(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada", email=EMAIL)
        await adapters.add(ada)
        await adapters.keep(message(ada, status=Status.SENT))
        await erase(adapters, ada.id)
        async with adapters.unit_of_work() as uow:
            assert await uow.greeted.forget_before(PI_DAY) == 0
            assert await uow.greeted.forget_before(PI_DAY + DAY) == 1
            assert await uow.greeted.of([EMAIL]) == {}

    async def test_who_left_long_ago_is_found(self, adapters: Adapters) -> None:
        gone = [remove(person(f"P{days}"), START - days * DAY) for days in (10, 20, 30)]
        await adapters.add(person("Ada"), *gone)
        async with adapters.unit_of_work() as uow:
            found = await uow.users.deleted_before(START - 15 * DAY, 10)
            first = await uow.users.deleted_before(START - 15 * DAY, 1)
        assert list(found) == sorted(gone[1:], key=lambda user: user.id)
        assert list(first) == list(found[:1])

    async def test_all_that_is_held_of_a_person_is_told(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada", opted_out=frozenset({Kind.BIRTHDAY}), external_id="P-7")
        bob = born_on_pi_day("Bob")
        import_id = ImportId(bob.id)
        await adapters.add(ada, bob)
        await adapters.keep(message(ada), message(bob))
        async with adapters.unit_of_work() as uow:
            await uow.imports.begin(import_id, START)
            change = ImportChange(user_id=ada.id, version=1, before=particulars_of(ada))
            await uow.imports.record(import_id, [change])
            await uow.commit()
        held = await adapters.person_reader.all_held_of(ada.id)
        assert held is not None
        assert held.user == ada
        assert [one.key for one in held.messages] == [str(message(ada).key)]
        [told] = held.imports
        assert (told["id"], told["beganAt"]) == (str(import_id), START)
        assert told["before"]["email"] == ada.email
        assert held.answers == 0
        assert await adapters.person_reader.all_held_of(person("Eve").id) is None

    async def test_somebody_erased_is_planned_nothing(self, adapters: Adapters) -> None:
        ada = born_on_pi_day("Ada", email=EMAIL)
        await adapters.add(ada)
        await erase(adapters, ada.id)
        assert await adapters.person_reader.all_held_of(ada.id) is None
        assert plan_user(remove(ada, START), (), POLICY, START) == []
