"""What is put together for an operator: hours, places, the lateness of days, and who is looked for."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import pytest

from adapters.memory.operator_reader import MemoryOperatorReader
from application.finding import FindPeople
from application.operator_ports import DueGroup, Lateness
from application.overview import LatenessOfDays, by_hour, places
from application.views import UserView
from domain.mornings import Morning
from tests.contract.adapters import START
from tests.contract.people import person
from tests.use_cases.service import Service


def group(at: datetime, messages: int = 1, *, timezone: str = "UTC", is_late: bool = False) -> DueGroup:
    return DueGroup(
        at=at,
        timezone=timezone,
        is_late=is_late,
        is_waiting=is_late,
        messages=messages,
        people=messages,
        oldest_due_at=at,
    )


def test_every_hour_of_the_next_day_is_shown_also_those_of_which_a_part_is_over() -> None:
    now = START + timedelta(minutes=40)
    hours = by_hour(
        now,
        [
            group(START - timedelta(hours=9), 2, is_late=True),
            group(START + timedelta(minutes=59), 3),
            group(START + timedelta(hours=1), 5),
            group(START + timedelta(hours=24, minutes=39), 7),
        ],
    )
    assert [hour.at for hour in hours] == [START + timedelta(hours=number) for number in range(25)]
    assert {number: hour.messages for number, hour in enumerate(hours) if hour.messages} == {
        0: 5,
        1: 5,
        24: 7,
    }


def test_a_place_knows_who_is_greeted_when_the_morning_comes_there() -> None:
    at, later = START + timedelta(hours=2), START + timedelta(hours=3)
    found = places(
        [Morning(at, ["Europe/London", "UTC"]), Morning(later, ["Asia/Tokyo"])],
        [group(at, 3), group(later, 4), group(at, 5, timezone="Asia/Tokyo"), group(at, 9, is_late=True)],
    )
    assert [place.people for place in found] == [{"UTC": 3}, {}]


class CountingReader(MemoryOperatorReader):
    """A reader that remembers which days it was asked about."""

    __slots__ = ("asked",)

    async def lateness(self, days: Sequence[date]) -> Mapping[date, Lateness]:
        self.asked = list(days)
        return await super().lateness(days)


async def test_a_day_that_is_over_is_not_reckoned_again_at_every_look(service: Service) -> None:
    reader = CountingReader(service.store)
    lateness = LatenessOfDays(reader)
    today = START.date()
    days = [today - timedelta(back) for back in range(7)]

    async def asked_at(passed: timedelta) -> list[date]:
        reader.asked = []
        assert [day for day, _ in await lateness(START + passed)] == [
            (START + passed).date() - timedelta(back) for back in range(7)
        ]
        return reader.asked

    assert await asked_at(timedelta(0)) == days
    assert await asked_at(timedelta(seconds=59)) == []
    assert await asked_at(timedelta(seconds=60)) == [today]
    assert await asked_at(timedelta(minutes=30)) == days
    assert await asked_at(timedelta(hours=12)) == [today + timedelta(1), *days[:-1]]
    assert await asked_at(timedelta(0)) == days, "a clock that was set back is believed"


async def test_somebody_is_found_by_their_id_or_by_words(service: Service) -> None:
    ada, bob = person("Ada"), person("Bob", last_name="Ada")
    async with service.unit_of_work() as uow:
        await uow.users.add([ada, bob])
        await uow.commit()
    find = FindPeople(service.users, service.looked_at)
    assert await find(f" {ada.id} ") == [UserView.of(ada)]
    assert await find(str(ada.id).upper()) == [UserView.of(ada)]
    assert len(await find("ada")) == 2
    assert await find("ada\0lovelace") == [UserView.of(ada)]


@pytest.mark.parametrize("text", ("", " \t ", "\0", "01900000-0000-7000-8000-000000000000", "x" * 5000))
async def test_what_is_nobody_finds_nobody(service: Service, text: str) -> None:
    assert await FindPeople(service.users, service.looked_at)(text) == []
