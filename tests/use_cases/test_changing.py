"""ChangeUser."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from application.errors import EmailTaken, UserNotFound, VersionMismatch
from application.views import UserView
from domain.errors import InvalidFields
from domain.message import Reason, Status
from domain.user import UserId
from tests.contract.adapters import START
from tests.use_cases.service import Service

Told = dict[str, str | None]


@pytest.fixture
async def user(service: Service, ada: Told) -> UserView:
    shown = await service.register(ada)
    service.told.forget()
    return shown


async def test_only_what_is_told_changes(service: Service, user: UserView) -> None:
    service.at(START + timedelta(hours=1))
    changed = await service.change(UserId(user.id), {"first_name": "Augusta"})
    assert changed == await service.users.get(UserId(user.id))
    assert (changed.first_name, changed.last_name, changed.birthday) == ("Augusta", "Lovelace", "1990-03-14")
    assert (changed.version, changed.updated_at) == (2, START + timedelta(hours=1))
    assert service.told.names == ["UserChanged"]


async def test_nothing_new_changes_nothing(service: Service, user: UserView) -> None:
    service.at(START + timedelta(hours=1))
    assert await service.change(UserId(user.id), {"first_name": "Ada", "email": "Ada@Example.com"}) == user
    assert await service.change(UserId(user.id), {}) == user
    assert service.told.events == []


@pytest.mark.parametrize(
    ("timezone", "hour"), (("America/New_York", 13), ("Asia/Kathmandu", 3), ("Europe/London", 9))
)
async def test_an_open_message_moves_to_the_new_morning(
    service: Service, user: UserView, timezone: str, hour: int
) -> None:
    before = await service.message(user)
    await service.change(UserId(user.id), {"timezone": timezone})
    after = await service.message(user)
    assert (after.key, after.timezone) == (before.key, timezone)
    assert after.due_at.replace(minute=0) == datetime(2027, 3, 14, hour, tzinfo=UTC)
    assert service.told.names == ["UserChanged", "MessagesChanged"]


async def test_a_move_over_the_send_time_loses_no_message(service: Service, user: UserView) -> None:
    service.at(datetime(2027, 3, 14, 6, tzinfo=UTC))
    await service.change(UserId(user.id), {"timezone": "Asia/Kathmandu"})
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_a_move_while_a_message_is_tried_again_waits_for_the_new_morning(
    service: Service, user: UserView
) -> None:
    service.at(datetime(2027, 3, 14, 8, tzinfo=UTC))
    service.channel.fail_for_now()
    await service.send()
    service.channel.recover()
    await service.change(UserId(user.id), {"timezone": "America/New_York"})
    service.at(datetime(2027, 3, 14, 12, 59, tzinfo=UTC))
    assert (await service.send()).claimed == 0
    service.at(datetime(2027, 3, 14, 13, tzinfo=UTC))
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_another_birthday_cancels_the_old_message_and_plans_the_new_one(
    service: Service, user: UserView
) -> None:
    await service.change(UserId(user.id), {"birthday": "--03-15"})
    old, new = await service.messages(user)
    assert (old.status, old.reason) == (Status.CANCELLED, Reason.OCCASION_CHANGED)
    assert (new.status, new.occasion_date, new.years) == (Status.SCHEDULED, "2027-03-15", None)


async def test_a_birthday_that_is_corrected_and_corrected_back_is_kept(
    service: Service, user: UserView
) -> None:
    before = await service.message(user)
    await service.change(UserId(user.id), {"birthday": "1990-03-15"})
    await service.change(UserId(user.id), {"birthday": "1990-03-14"})
    first, second = await service.messages(user)
    assert first == before
    assert second.status == Status.CANCELLED


@pytest.mark.slow
async def test_a_message_planned_far_ahead_comes_back_with_its_birthday(
    service: Service, user: UserView
) -> None:
    await service.change(UserId(user.id), {"birthday": "1990-06-01"})
    await service.plan(last=date(2027, 6, 30))
    await service.change(UserId(user.id), {"birthday": "1990-06-02"})
    await service.change(UserId(user.id), {"birthday": "1990-06-01"})
    service.at(datetime(2027, 5, 31, tzinfo=UTC))
    await service.plan()
    service.at(datetime(2027, 6, 1, 7, tzinfo=UTC))
    assert (await service.send()).settled == {Status.SENT: 1}


async def test_a_birthday_can_be_taken_back(service: Service, user: UserView) -> None:
    changed = await service.change(UserId(user.id), {"birthday": None})
    assert changed.birthday is None
    assert (await service.message(user)).status == Status.CANCELLED


async def test_an_anniversary_can_be_added(service: Service, user: UserView) -> None:
    await service.change(UserId(user.id), {"anniversary": "2020-03-14"})
    assert {(one.kind, one.years) for one in await service.messages(user)} == {
        ("BIRTHDAY", 37),
        ("ANNIVERSARY", 7),
    }


async def test_a_name_or_an_address_leaves_messages_alone(service: Service, user: UserView) -> None:
    before = await service.message(user)
    await service.change(UserId(user.id), {"first_name": "Augusta", "email": "king@example.com"})
    assert await service.message(user) == before
    assert service.told.names == ["UserChanged"]


async def test_a_message_that_was_sent_stays_sent(service: Service, user: UserView) -> None:
    service.at(datetime(2027, 3, 14, 8, tzinfo=UTC))
    await service.send()
    sent = await service.message(user)
    await service.change(UserId(user.id), {"timezone": "America/New_York"})
    assert await service.message(user) == sent


async def test_a_record_changes_only_if_it_is_the_one_that_was_read(service: Service, user: UserView) -> None:
    changed = await service.change(UserId(user.id), {"first_name": "Augusta"}, versions=[7, 1])
    assert changed.version == 2
    with pytest.raises(VersionMismatch):
        await service.change(UserId(user.id), {"first_name": "Ada"}, versions=[1])
    with pytest.raises(VersionMismatch):
        await service.change(UserId(user.id), {"first_name": "Ada"}, versions=[])
    assert await service.users.get(UserId(user.id)) == changed


async def test_an_address_of_somebody_else_is_refused(service: Service, user: UserView, ada: Told) -> None:
    eve = await service.register(ada | {"email": "eve@example.com"})
    with pytest.raises(EmailTaken):
        await service.change(UserId(eve.id), {"email": "ada@EXAMPLE.com"})
    assert await service.users.get(UserId(eve.id)) == eve


@pytest.mark.parametrize(
    ("told", "field"),
    (
        ({"first_name": None}, "first_name"),
        ({"timezone": ""}, "timezone"),
        ({"birthday": "2999-01-01"}, "birthday"),
        ({"anniversary": "--03-14"}, "anniversary"),
        ({"leap_day_rule": "mar2"}, "leap_day_rule"),
    ),
)
async def test_what_is_wrong_is_refused_and_changes_nothing(
    service: Service, user: UserView, told: Told, field: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        await service.change(UserId(user.id), told)
    assert [problem.field for problem in refused.value.problems] == [field]
    assert await service.users.get(UserId(user.id)) == user
    assert service.told.events == []


async def test_nobody_cannot_be_changed(service: Service, user: UserView) -> None:
    with pytest.raises(UserNotFound):
        await service.change(UserId(uuid4()), {"first_name": "Eve"})
    await service.remove(UserId(user.id))
    with pytest.raises(UserNotFound):
        await service.change(UserId(user.id), {"first_name": "Eve"})
