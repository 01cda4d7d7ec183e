"""UpcomingOfUser."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from application.errors import UserNotFound
from domain.message import Status
from domain.user import UserId
from tests.contract.adapters import START
from tests.use_cases.service import Service, key

Told = dict[str, str | None]


async def test_the_next_messages_of_a_year_are_told_in_order(service: Service, ada: Told) -> None:
    user = await service.register(ada | {"anniversary": "2020-06-01"})
    shown = await service.upcoming(UserId(user.id))
    assert shown.user == user
    assert [(one.key.kind, one.years, one.due_at, one.status) for one in shown.upcoming] == [
        ("BIRTHDAY", 37, datetime(2027, 3, 14, 8, tzinfo=UTC), Status.SCHEDULED),
        ("ANNIVERSARY", 7, datetime(2027, 6, 1, 7, tzinfo=UTC), None),
    ]
    assert shown.past == []


async def test_more_or_fewer_days_may_be_asked_for(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    assert len((await service.upcoming(UserId(user.id), days=800)).upcoming) == 3
    assert len((await service.upcoming(UserId(user.id), days=30)).upcoming) == 1


async def test_a_sent_message_is_past_and_the_next_one_is_upcoming(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    service.at(datetime(2027, 3, 14, 8, tzinfo=UTC))
    await service.send()
    shown = await service.upcoming(UserId(user.id))
    assert [(one.status, one.years) for one in shown.past] == [(Status.SENT, 37)]
    assert [(one.status, one.years) for one in shown.upcoming] == [(None, 38)]


async def test_a_message_that_is_tried_again_is_still_upcoming(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    service.at(datetime(2027, 3, 14, 8, tzinfo=UTC))
    service.channel.fail_for_now()
    await service.send()
    service.at(datetime(2027, 3, 15, 7, tzinfo=UTC))
    shown = await service.upcoming(UserId(user.id))
    assert [one.status for one in shown.upcoming] == [Status.RETRYING, None]
    assert shown.past == []


async def test_a_cancelled_message_is_not_upcoming(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    await service.operator.cancel(key(await service.message(user)))
    shown = await service.upcoming(UserId(user.id), days=30)
    assert [str(one.key.occasion_on) for one in shown.upcoming] == ["2028-03-14"]
    assert [one.status for one in shown.past] == [Status.CANCELLED]


@pytest.mark.parametrize(
    ("rule", "told", "date"),
    (
        (None, "feb28", "2028-02-29"),
        ("mar1", "mar1", "2028-02-29"),
        ("leap-years-only",) * 2 + ("2028-02-29",),
    ),
)
async def test_a_leap_day_tells_its_rule(
    service: Service, ada: Told, rule: str | None, told: str, date: str
) -> None:
    user = await service.register(ada | {"birthday": "2000-02-29", "leap_day_rule": rule})
    [one] = (await service.upcoming(UserId(user.id))).upcoming
    assert (one.leap_day_rule, one.key.occasion_on.isoformat()) == (told, date)


async def test_any_other_day_tells_no_rule(service: Service, ada: Told) -> None:
    user = await service.register(ada | {"leap_day_rule": "mar1"})
    assert {one.leap_day_rule for one in (await service.upcoming(UserId(user.id))).upcoming} == {None}


async def test_the_last_twenty_messages_are_told_newest_first(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    for year in range(2027, 2050):
        service.at(datetime(year, 3, 14, 8, tzinfo=UTC))
        day = date(year, 3, 14)  # that alone: to catch up with a year takes a second
        await service.plan(day, day)
        assert (await service.send()).claimed == 1
    past = (await service.upcoming(UserId(user.id))).past
    assert [one.occasion_date[:4] for one in past] == [str(year) for year in range(2049, 2029, -1)]


async def test_nobody_has_nothing_upcoming(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    await service.remove(UserId(user.id))
    for user_id in (user.id, uuid4()):
        with pytest.raises(UserNotFound):
            await service.upcoming(UserId(user_id))


async def test_looking_changes_nothing(service: Service, ada: Told) -> None:
    user = await service.register(ada)
    service.told.forget()
    service.at(START + timedelta(days=300))
    before = await service.messages()
    await service.upcoming(UserId(user.id))
    assert await service.messages() == before
    assert service.told.events == []


async def test_the_next_message_is_told_however_many_years_away(service: Service, ada: Told) -> None:
    service.at(datetime(2097, 1, 1, tzinfo=UTC))
    user = await service.register(ada | {"birthday": "--02-29", "leap_day_rule": "leap-years-only"})
    [told] = (await service.upcoming(UserId(user.id))).upcoming
    assert str(told.key.occasion_on) == "2104-02-29"


async def test_who_only_looks_locks_nothing(service: Service, ada: Told) -> None:
    """Somebody else is at work on the same person and message, and nobody waits."""
    user = await service.register(ada)
    async with service.unit_of_work(), asyncio.timeout(10):
        assert (await service.upcoming(UserId(user.id))).upcoming
