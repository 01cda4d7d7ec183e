"""What every store of users keeps to: one live person per address, and no change forgotten."""

import asyncio
from datetime import date, timedelta

import attrs
import pytest

from application.errors import EmailTaken
from domain.events import MessagesChanged, UserChanged, UserCreated, UserDeleted
from domain.occasion import AnnualDate, Kind, LeapDayRule
from domain.user import User, remove
from tests.contract.adapters import START, Adapters
from tests.contract.people import born_on_pi_day, message, person, user_number


def _gone(user: User, hours: int = 0) -> User:
    return remove(user, START + timedelta(hours=hours))


class UsersContract:
    """The users inside a unit of work."""

    @pytest.mark.parametrize(
        "user",
        (
            person("Ada"),
            person("Ada", birthday=AnnualDate(2, 29), leap_day_rule=LeapDayRule.LEAP_YEARS_ONLY),
            person("Ada", birthday=AnnualDate(2, 29, 2000), leap_day_rule=LeapDayRule.MAR1),
            person("Ada", birthday=AnnualDate(12, 31, 1600), anniversary=date(2020, 2, 29)),
            person("Ada", anniversary=date(2099, 1, 1), leap_day_rule=LeapDayRule.FEB28),
            person("Zoë 🎂 'O''Hara' \\ %s", last_name="李 {}", email="ünï+tag@exämple.com"),
            person("x" * 200, version=2**40, deleted_at=START + timedelta(microseconds=1)),
        ),
        ids=("bare", "no-year", "leap-day", "both", "future-anniversary", "unicode", "long"),
    )
    async def test_every_value_comes_back_as_it_went_in(self, adapters: Adapters, user: User) -> None:
        await adapters.add(user)
        assert await adapters.user(user) == user

    async def test_every_value_can_be_changed(self, adapters: Adapters) -> None:
        ada = person("Ada", birthday=AnnualDate(3, 14, 1990), leap_day_rule=LeapDayRule.MAR1)
        later = START + timedelta(hours=1)
        other = attrs.evolve(
            ada,
            first_name="Augusta",
            last_name="King",
            email="king@example.com",
            timezone="Asia/Kathmandu",
            birthday=AnnualDate(12, 10),
            anniversary=date(2020, 2, 29),
            leap_day_rule=None,
            version=2,
            created_at=later,
            updated_at=later,
            birthday_known_at=later,
            anniversary_known_at=later,
        )
        await adapters.add(ada)
        await adapters.save(ada, other)
        assert await adapters.user(ada) == other
        bare = attrs.evolve(other, birthday=None, anniversary=None, version=3)
        await adapters.save(other, bare)
        assert await adapters.user(ada) == bare

    async def test_nobody_is_none(self, adapters: Adapters) -> None:
        assert await adapters.user(person()) is None

    async def test_many_are_stored_at_once(self, adapters: Adapters) -> None:
        people = [person(f"P{number}", email=f"p{number}@example.com") for number in range(600)]
        await adapters.add(*people)
        async with adapters.unit_of_work() as uow:
            found = await uow.users.by_emails([user.email_key for user in people])
            await uow.users.save([(user, attrs.evolve(user, version=2)) for user in people])
            await uow.commit()
        assert found == {user.email_key: user for user in people}
        assert adapters.told.names == ["UserCreated"] * 600 + ["UserChanged"] * 600

    async def test_users_are_found_by_their_ids_deleted_or_not(self, adapters: Adapters) -> None:
        ada, eve, bob = person("Ada"), remove(person("Eve"), START), person("Bob")
        await adapters.add(ada, eve, bob)
        async with adapters.unit_of_work() as uow:
            found = await uow.users.by_ids([eve.id, ada.id, eve.id, person().id])
        assert found == {ada.id: ada, eve.id: eve}

    async def test_people_are_found_by_the_key_of_their_address(self, adapters: Adapters) -> None:
        ada, bob = person("Ada", email="Ada@Example.com"), person("Bob", email="bob@example.com")
        await adapters.add(ada, bob)
        async with adapters.unit_of_work() as uow:
            assert await uow.users.by_emails([]) == {}
            assert await uow.users.by_ids([]) == {}
            found = await uow.users.by_emails(["ada@example.com", "bob@example.com", "eve@example.com"])
        assert found == {"ada@example.com": ada, "bob@example.com": bob}

    @pytest.mark.parametrize("local", ("JÖRG", "İPEK", "ΑΛΈΞΗΣ", "straẞe"))
    async def test_any_alphabet_has_the_same_keys_as_in_the_domain(
        self, adapters: Adapters, local: str
    ) -> None:
        user = person("Ada", email=f"{local}@example.com")
        await adapters.add(user)
        async with adapters.unit_of_work() as uow:
            assert await uow.users.by_emails([user.email_key]) == {user.email_key: user}
        found = await adapters.user_reader.find_by_email(user.email)
        assert found is not None
        with pytest.raises(EmailTaken):
            await adapters.add(person("Eve", email=user.email_key))

    @pytest.mark.parametrize("order", ((0, 1, 2), (2, 1, 0), (1, 2, 0)))
    async def test_a_live_one_comes_before_a_deleted_one(
        self, adapters: Adapters, order: tuple[int, ...]
    ) -> None:
        first, last, live = (person(name, email="one@example.com") for name in ("Ada", "Bob", "Cem"))
        stored = [_gone(first, hours=-2), _gone(last, hours=-1), live]
        for number in order:
            await adapters.add(stored[number])
        async with adapters.unit_of_work() as uow:
            assert await uow.users.by_emails(["one@example.com"]) == {"one@example.com": live}

    @pytest.mark.parametrize("order", ((0, 1), (1, 0)))
    async def test_of_several_deleted_ones_the_last_deleted_is_found(
        self, adapters: Adapters, order: tuple[int, ...]
    ) -> None:
        first, last = (person(name, email="one@example.com") for name in ("Ada", "Bob"))
        stored = [_gone(first, hours=-2), _gone(last, hours=-1)]
        for number in order:
            await adapters.add(stored[number])
        async with adapters.unit_of_work() as uow:
            assert await uow.users.by_emails(["one@example.com"]) == {"one@example.com": stored[1]}

    async def test_an_address_of_a_live_person_is_taken(self, adapters: Adapters) -> None:
        await adapters.add(person("Ada", email="one@example.com"))
        eve = person("Eve", email="ONE@Example.COM")
        with pytest.raises(EmailTaken):
            await adapters.add(person("Bob"), eve)
        assert await adapters.user(eve) is None
        assert adapters.told.names == ["UserCreated"]

    async def test_two_new_people_cannot_share_an_address(self, adapters: Adapters) -> None:
        with pytest.raises(EmailTaken):
            await adapters.add(person("Ada", email="one@example.com"), person("Eve", email="One@example.com"))
        assert adapters.told.events == []

    async def test_nobody_can_move_to_an_address_that_is_taken(self, adapters: Adapters) -> None:
        ada, eve = person("Ada", email="one@example.com"), person("Eve")
        await adapters.add(ada, eve)
        with pytest.raises(EmailTaken):
            await adapters.save(eve, attrs.evolve(eve, email="One@example.com", version=2))
        assert await adapters.user(eve) == eve

    async def test_the_error_of_a_taken_address_does_not_tell_it(self, adapters: Adapters) -> None:
        await adapters.add(person("Ada", email="secret@example.com"))
        with pytest.raises(EmailTaken) as refused:
            await adapters.add(person("Eve", email="secret@example.com"))
        error: BaseException | None = refused.value
        while error is not None and not error.__suppress_context__:
            assert "secret" not in str(error)
            error = error.__cause__ or error.__context__

    async def test_ones_own_address_may_change_its_case(self, adapters: Adapters) -> None:
        ada = person("Ada", email="ada@example.com")
        await adapters.add(ada)
        await adapters.save(ada, attrs.evolve(ada, email="Ada@Example.com", version=2))

    async def test_both_forms_of_a_domain_are_one_address(self, adapters: Adapters) -> None:
        await adapters.add(person("Ada", email="ada@b\u00fccher.example"))
        with pytest.raises(EmailTaken):
            await adapters.add(person("Eve", email="ADA@XN--BCHER-KVA.example"))

    async def test_two_at_once_cannot_take_the_same_address(self, adapters: Adapters) -> None:
        both = [person(name, email="one@example.com") for name in ("Ada", "Eve")]
        results = await asyncio.gather(*(adapters.add(user) for user in both), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["EmailTaken", "NoneType"]
        assert adapters.told.names == ["UserCreated"]

    async def test_a_deleted_person_frees_their_address(self, adapters: Adapters) -> None:
        ada, eve = person("Ada", email="one@example.com"), person("Eve", email="one@example.com")
        await adapters.add(ada)
        await adapters.save(ada, _gone(ada))
        await adapters.add(eve)
        assert await adapters.user(ada) == _gone(ada)
        assert await adapters.user(eve) == eve

    async def test_nobody_comes_back_to_an_address_that_is_taken(self, adapters: Adapters) -> None:
        ada, eve = person("Ada", email="one@example.com"), person("Eve", email="one@example.com")
        await adapters.add(_gone(ada))
        await adapters.add(eve)
        with pytest.raises(EmailTaken):
            await adapters.save(_gone(ada), attrs.evolve(ada, version=3))

    async def test_changes_are_told_as_what_they_are(self, adapters: Adapters) -> None:
        ada = person("Ada")
        renamed = attrs.evolve(ada, first_name="Augusta", version=2)
        gone = _gone(renamed)
        back = attrs.evolve(gone, deleted_at=None, version=4)
        await adapters.add(ada)
        await adapters.save(ada, renamed)
        await adapters.save(renamed, gone)
        await adapters.save(gone, back)
        created, changed, deleted, restored = adapters.told.events
        assert created == UserCreated(ada)
        assert changed == UserChanged(ada, renamed)
        assert isinstance(deleted, UserDeleted)
        assert (deleted.user.id, deleted.user.email, deleted.erased) == (ada.id, ada.email, False)
        assert restored == UserCreated(back)

    async def test_who_is_erased_leaves_nothing_behind(self, adapters: Adapters) -> None:
        ada, bob = born_on_pi_day("Ada"), born_on_pi_day("Bob")
        await adapters.add(ada, bob)
        await adapters.keep(message(ada), message(ada, date(2026, 3, 14), Kind.ANNIVERSARY), message(bob))
        adapters.told.forget()
        async with adapters.unit_of_work() as uow:
            await uow.users.erase(ada)
            await uow.commit()
        assert await adapters.user(ada) is None
        assert set(await adapters.messages_of(ada, bob)) == {message(bob).key}
        assert adapters.told.events == [UserDeleted(ada, erased=True), MessagesChanged()]

    async def test_who_is_erased_frees_the_address_and_the_id(self, adapters: Adapters) -> None:
        ada = person("Ada", id=user_number(1), email="one@example.com")
        await adapters.add(ada)
        async with adapters.unit_of_work() as uow:
            await uow.users.erase(ada)
            await uow.commit()
        await adapters.add(attrs.evolve(ada, first_name="Eve"))
