"""RegisterUser."""

from datetime import UTC, datetime, timedelta

import pytest

from application.cached_reader import UncachedUserReader
from application.errors import EmailTaken
from application.users import GetUser
from domain.errors import InvalidFields
from domain.message import Reason, Status
from domain.user import UserId
from tests.contract.adapters import START
from tests.use_cases.service import Service

Told = dict[str, str | None]

_NINE_IN_BERLIN = datetime(2027, 3, 14, 8, tzinfo=UTC)


async def test_who_registers_is_known_afterwards(service: Service, ada: Told) -> None:
    shown = await service.register(ada)
    assert (await GetUser(UncachedUserReader(service.users))(UserId(shown.id))).value == shown
    assert (shown.first_name, shown.email, shown.birthday) == ("Ada", "Ada@Example.com", "1990-03-14")
    assert (shown.version, shown.created_at) == (1, START)


async def test_ids_grow_with_the_time(service: Service, ada: Told) -> None:
    first, second = await service.register_many(1, ada), []
    service.at(START + timedelta(seconds=1))
    second = [await service.register(ada)]
    assert first[0].id < second[0].id


async def test_what_falls_into_the_window_is_planned_with_the_registration(
    service: Service, ada: Told
) -> None:
    message = await service.message(await service.register(ada))
    assert (message.due_at, message.status, message.years) == (_NINE_IN_BERLIN, Status.SCHEDULED, 37)
    assert [[type(event).__name__ for event in batch] for batch in service.told.batches] == [
        ["UserCreated", "MessagesChanged"]
    ]


async def test_what_is_farther_away_is_left_to_the_plan(service: Service, ada: Told) -> None:
    assert await service.messages(await service.register(ada | {"birthday": "1990-06-01"})) == []
    assert service.told.names == ["UserCreated"]


async def test_on_the_birthday_before_nine_it_is_sent_today(service: Service, ada: Told) -> None:
    service.at(_NINE_IN_BERLIN)
    assert (await service.message(await service.register(ada))).due_at == _NINE_IN_BERLIN


async def test_on_the_birthday_after_nine_it_is_not_made_up_for(service: Service, ada: Told) -> None:
    service.at(_NINE_IN_BERLIN + timedelta(microseconds=1))
    user = await service.register(ada)
    assert await service.messages(user) == []
    next_one = (await service.upcoming(UserId(user.id))).upcoming[0]
    assert next_one.due_at == datetime(2028, 3, 14, 8, tzinfo=UTC)


async def test_every_problem_is_told_at_once(service: Service, ada: Told) -> None:
    with pytest.raises(InvalidFields) as refused:
        await service.register(
            ada | {"email": "ada", "timezone": "Europe/Berln", "birthday": "1990-02-30", "first_name": " "}
        )
    assert sorted(problem.field for problem in refused.value.problems) == [
        "birthday",
        "email",
        "first_name",
        "timezone",
    ]
    assert (await service.users.page(None, 10)).items == []


async def test_what_is_needed_is_missed(service: Service) -> None:
    with pytest.raises(InvalidFields) as refused:
        await service.register({"first_name": "Ada"})
    assert sorted(problem.field for problem in refused.value.problems) == ["email", "last_name", "timezone"]


async def test_nobody_is_born_in_the_future(service: Service, ada: Told) -> None:
    with pytest.raises(InvalidFields) as refused:
        await service.register(ada | {"birthday": "2027-03-15"})
    assert [problem.field for problem in refused.value.problems] == ["birthday"]
    await service.register(ada | {"birthday": "2027-03-14"})  # it is the 14th already in Kiritimati


async def test_an_address_belongs_to_one_person(service: Service, ada: Told) -> None:
    await service.register(ada)
    with pytest.raises(EmailTaken):
        await service.register(ada | {"first_name": "Eve", "email": "ADA@example.com"})
    assert service.told.names == ["UserCreated", "MessagesChanged"]


async def test_who_was_deleted_comes_back_as_the_same_person(service: Service, ada: Told) -> None:
    first = await service.register(ada)
    await service.remove(UserId(first.id))
    service.at(START + timedelta(hours=1))
    again = await service.register(ada | {"first_name": "Augusta"})
    assert (again.id, again.first_name, again.version) == (first.id, "Augusta", 3)
    assert again.created_at == START + timedelta(hours=1)
    message = await service.message(again)
    assert (message.status, message.due_at) == (Status.SCHEDULED, _NINE_IN_BERLIN)


async def test_who_comes_back_with_another_birthday_is_not_greeted_again(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    service.at(_NINE_IN_BERLIN)
    await service.send()
    await service.remove(UserId(user.id))
    await service.register(ada | {"birthday": "1990-03-15"})
    sent, skipped = await service.messages(user)
    assert (sent.status, skipped.status) == (Status.SENT, Status.SKIPPED)
    assert skipped.reason == Reason.GREETED_RECENTLY


async def test_who_was_erased_comes_back_as_somebody_new(service: Service, ada: Told) -> None:
    first = await service.register(ada)
    await service.remove(UserId(first.id), erase=True)
    assert (await service.register(ada)).id != first.id
