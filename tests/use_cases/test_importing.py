"""ImportUsers."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Self

import attrs

from adapters.memory.unit_of_work import MemoryUnitOfWork
from adapters.memory.users import MemoryUsers
from application.imports import ImportUsers
from application.people_file import read_people
from domain.message import Status
from domain.user import User, UserId
from tests.contract.adapters import POLICY, START
from tests.use_cases.service import Service

_HEADER = "first_name,last_name,email,timezone,birthday,anniversary\n"
_ADA = "Ada,Lovelace,ada@example.com,Europe/Berlin,1990-03-14,\n"
_BOB = "Bob,Bauer,bob@example.com,Asia/Kathmandu,--03-14,2020-03-14\n"


async def test_the_people_of_a_file_are_in_the_service_afterwards(service: Service) -> None:
    report = await service.import_csv(_HEADER + _ADA + _BOB)
    assert (report.rows, report.done, report.created, report.errors) == (2, 2, 2, [])
    ada, bob = sorted((await service.users.page(None, 10)).items, key=lambda user: user.first_name)
    assert (ada.email, ada.birthday) == ("ada@example.com", "1990-03-14")
    assert (bob.birthday, bob.anniversary) == ("--03-14", "2020-03-14")
    assert await service.statuses() == {Status.SCHEDULED: 3}
    assert service.told.names == ["UserCreated", "UserCreated", "MessagesChanged"]


async def test_a_second_time_nothing_changes(service: Service) -> None:
    await service.import_csv(_HEADER + _ADA + _BOB)
    before = (await service.users.page(None, 10)).items, await service.messages()
    service.told.forget()
    service.at(START + timedelta(hours=1))
    report = await service.import_csv(_HEADER + _ADA + _BOB)
    assert (report.created, report.updated, report.unchanged) == (0, 0, 2)
    assert ((await service.users.page(None, 10)).items, await service.messages()) == before
    assert service.told.events == []


async def test_a_dry_run_tells_the_same_and_keeps_nothing(service: Service) -> None:
    await service.import_csv(_HEADER + _ADA)
    before = await service.messages()
    service.told.forget()
    text = _HEADER + _ADA.replace("Berlin", "London") + _BOB + "Eve,,eve,,,\n"
    dry = await service.import_csv(text, dry_run=True)
    assert (dry.created, dry.updated, len(dry.errors)) == (1, 1, 1)
    assert len((await service.users.page(None, 10)).items) == 1
    assert await service.messages() == before
    assert service.told.events == []
    done = await service.import_csv(text)
    assert done.import_id is not None
    assert attrs.evolve(done, import_id=None) == dry


async def test_a_known_person_takes_over_what_the_row_tells(service: Service) -> None:
    await service.import_csv(_HEADER + _ADA)
    report = await service.import_csv("EMAIL,Time Zone\nADA@example.com,America/New_York\n")
    assert (report.created, report.updated, report.unchanged) == (0, 1, 0)
    [user] = (await service.users.page(None, 10)).items
    assert (user.first_name, user.timezone, user.version) == ("Ada", "America/New_York", 2)
    assert user.email == "ADA@example.com"
    assert (await service.message(user)).timezone == "America/New_York"


async def test_a_file_without_years_takes_none_away(service: Service) -> None:
    await service.import_csv(_HEADER + _ADA)
    [before] = (await service.users.page(None, 10)).items
    year, _, day = (before.birthday or "").partition("-")
    report = await service.import_csv(f"email,birthday\nada@example.com,--{day}\n")
    assert (report.updated, report.unchanged) == (0, 1)
    report = await service.import_csv("email,birthday\nada@example.com,--12-31\n")
    [after] = (await service.users.page(None, 10)).items
    assert (report.updated, after.birthday) == (1, "--12-31")
    assert year.isdecimal()


async def test_who_was_deleted_comes_back(service: Service) -> None:
    await service.import_csv(_HEADER + _ADA)
    [user] = (await service.users.page(None, 10)).items
    await service.remove(UserId(user.id))
    report = await service.import_csv(_HEADER + _ADA)
    assert (report.created, report.updated, report.unchanged) == (1, 0, 0)
    assert [one.id for one in (await service.users.page(None, 10)).items] == [user.id]
    assert (await service.message(user)).status == Status.SCHEDULED


async def test_bad_rows_are_told_and_the_others_kept(service: Service) -> None:
    report = await service.import_csv(
        _HEADER
        + _ADA
        + "Eve,,not-an-address,Europe/Berlin,1990-02-30,\n"
        + _BOB
        + ",,new@example.com,,,\n"
        + "Fay,Fox,fay@example.com,Europe/Berlin,2999-01-01,\n"
        + "Ada,Again,ADA@example.com,Europe/Berlin,,\n"
    )
    assert (report.rows, report.done, report.created) == (6, 6, 2)
    assert [(problem.line, problem.field) for problem in report.errors] == [
        (3, "email"),
        (3, "birthday"),
        (5, "first_name"),
        (5, "last_name"),
        (5, "timezone"),
        (6, "birthday"),
        (7, "email"),
    ]
    told = " ".join(problem.reason for problem in report.errors)
    assert not any(secret in told for secret in ("Eve", "not-an-address", "new@", "fay@", "ADA@"))


async def test_a_known_person_with_a_birthday_in_the_future_is_told(service: Service) -> None:
    await service.import_csv(_HEADER + _ADA)
    report = await service.import_csv(_HEADER + _ADA.replace("1990", "2999"))
    assert [(problem.line, problem.field) for problem in report.errors] == [(2, "birthday")]
    assert (report.updated, report.unchanged) == (0, 0)


async def test_a_long_file_tells_how_far_it_is(service: Service) -> None:
    rows = "".join(f"P,{number},p{number}@example.com,Europe/Berlin,,\n" for number in range(1200))
    people = read_people((_HEADER + "Eve,,eve,,,\n" + rows).encode())
    done = []
    async for report in ImportUsers(service.unit_of_work, POLICY)(people):
        done.append((report.done, report.created))
        assert report.rows == 1201
        assert len((await service.users.page(None, 2000)).items) == report.created
    assert done == [(0, 0), (500, 499), (1000, 999), (1201, 1200)]


async def test_an_empty_file_is_done_at_once(service: Service) -> None:
    report = await service.import_csv(_HEADER)
    assert (report.rows, report.done, report.created) == (0, 0, 0)


class _TooLate(MemoryUsers):
    """Looks before somebody else registers with bob's address."""

    __slots__ = ()

    async def by_keys(self, emails: Sequence[str], external_ids: Sequence[str]) -> Sequence[User]:
        found = await super().by_keys(emails, external_ids)
        return [user for user in found if user.email != "bob@example.com"]


class _TooLateUnitOfWork(MemoryUnitOfWork):
    __slots__ = ()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.users = _TooLate(self._open_transaction)
        return self


async def test_an_address_that_is_taken_meanwhile_is_a_problem_of_its_row_alone(service: Service) -> None:
    await service.import_csv(_HEADER + _BOB)
    people = read_people((_HEADER + _ADA + _BOB + _ADA.replace("ada", "eve")).encode())
    importing = ImportUsers(lambda: _TooLateUnitOfWork(service.store, service.told), POLICY)
    report = [one async for one in importing(people)][-1]
    assert (report.created, [(one.line, one.field) for one in report.errors]) == (2, [(3, "email")])
    assert len((await service.users.page(None, 10)).items) == 3
