"""Who left long ago is erased, and what guards nothing is forgotten."""

from datetime import timedelta

import pytest

from application.retention import ForgetWhatIsOld
from domain.user import UserId
from tests.contract.adapters import POLICY, START
from tests.use_cases.service import Service

ADA = {
    "first_name": "Ada",
    "last_name": "King",
    "email": "ada@example.com",
    "timezone": "Europe/Berlin",
    "birthday": "1990-03-14",
}
DAY = timedelta(days=1)


def forget(service: Service, days: int | None) -> ForgetWhatIsOld:
    return ForgetWhatIsOld(
        service.unit_of_work, POLICY, 400 * DAY, None if days is None else timedelta(days=days)
    )


@pytest.mark.parametrize(("days", "passed", "erased"), ((10, 10, 0), (10, 11, 1), (None, 1000, 0)))
async def test_who_left_is_erased_after_so_many_days(
    service: Service, days: int | None, passed: int, erased: int
) -> None:
    user = await service.register(ADA)
    stays = await service.register({**ADA, "email": "bob@example.com"})
    await service.remove(UserId(user.id))
    service.at(START + passed * DAY)
    assert await forget(service, days)() == erased
    held = service.store.committed.users
    assert (UserId(user.id) in held) is not bool(erased)
    assert UserId(stays.id) in held
    assert await forget(service, days)() == 0


async def test_a_greeting_is_remembered_for_as_long_as_it_guards(service: Service) -> None:
    user = await service.register(ADA)
    service.at(START + DAY)
    await service.send()
    await service.remove(UserId(user.id), erase=True)
    assert len(service.store.committed.greeted) == 1
    service.at(START + 302 * DAY)
    await forget(service, None)()
    assert len(service.store.committed.greeted) == 1
    service.at(START + 304 * DAY)
    await forget(service, None)()
    assert service.store.committed.greeted == frozenset()
