"""RemoveUser."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from application.errors import UserNotFound, VersionMismatch
from application.views import UserView
from domain.message import Reason, Status
from domain.user import UserId
from tests.contract.adapters import TERMS
from tests.use_cases.service import Service

Told = dict[str, str | None]

_NINE_IN_BERLIN = datetime(2027, 3, 14, 8, tzinfo=UTC)


@pytest.fixture
async def user(service: Service, ada: Told) -> UserView:
    shown = await service.register(ada)
    service.told.forget()
    return shown


async def test_who_leaves_gets_nothing_any_more(service: Service, user: UserView) -> None:
    await service.remove(UserId(user.id))
    assert await service.users.get(UserId(user.id)) is None
    message = await service.message(user)
    assert (message.status, message.reason) == (Status.CANCELLED, Reason.USER_DELETED)
    assert service.told.names == ["UserDeleted", "MessagesChanged"]
    service.at(_NINE_IN_BERLIN)
    await service.plan()
    assert (await service.send()).claimed == 0


async def test_who_leaves_while_a_message_is_on_its_way_gets_no_second_attempt(
    service: Service, user: UserView
) -> None:
    service.at(_NINE_IN_BERLIN)
    async with service.unit_of_work() as uow:
        await uow.messages.claim(1, TERMS)
        await uow.commit()
    await service.remove(UserId(user.id))
    assert (await service.message(user)).status == Status.SENDING
    service.let_leases_run_out()
    await service.keep()
    assert (await service.send()).claimed == 0
    message = await service.message(user)
    assert (message.status, message.reason) == (Status.UNKNOWN, Reason.USER_DELETED)


async def test_nothing_is_kept_of_who_is_erased(service: Service, user: UserView) -> None:
    await service.remove(UserId(user.id), erase=True)
    assert await service.messages() == []
    assert service.told.names == ["UserDeleted", "MessagesChanged"]
    with pytest.raises(UserNotFound):
        await service.remove(UserId(user.id), erase=True)


async def test_who_was_deleted_can_still_be_erased(service: Service, user: UserView) -> None:
    await service.remove(UserId(user.id))
    await service.remove(UserId(user.id), erase=True)
    assert await service.messages() == []


async def test_nobody_leaves_twice(service: Service, user: UserView) -> None:
    await service.remove(UserId(user.id))
    with pytest.raises(UserNotFound):
        await service.remove(UserId(user.id))
    with pytest.raises(UserNotFound):
        await service.remove(UserId(uuid4()))


@pytest.mark.parametrize("erase", (True, False))
async def test_only_the_record_that_was_read_is_removed(
    service: Service, user: UserView, *, erase: bool
) -> None:
    with pytest.raises(VersionMismatch):
        await service.remove(UserId(user.id), erase=erase, versions=[2])
    assert await service.users.get(UserId(user.id)) == user
    await service.remove(UserId(user.id), erase=erase, versions=[1])
    assert await service.users.get(UserId(user.id)) is None
