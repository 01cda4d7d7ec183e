"""PlanMessages."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from application.errors import StoreUnavailable
from application.ledger import PlanReport
from domain.events import Event
from domain.message import Status
from tests.contract.adapters import POLICY, START
from tests.use_cases.service import Service

Told = dict[str, str | None]

_LATER = {"birthday": "1990-03-20"}


async def test_what_comes_into_the_window_is_planned(service: Service, ada: Told) -> None:
    user = await service.register(ada | _LATER)
    assert await service.plan() == PlanReport(0, 0)
    service.at(START + timedelta(days=5))
    service.told.forget()
    assert await service.plan() == PlanReport(scheduled=1, skipped=0)
    assert (await service.message(user)).due_at == datetime(2027, 3, 20, 8, tzinfo=UTC)
    assert service.told.names == ["MessagesChanged"]


async def test_planning_again_adds_nothing(service: Service, ada: Told) -> None:
    await service.register(ada)
    for hours in range(0, 30, 6):
        service.at(START + timedelta(hours=hours))
        assert await service.plan() == PlanReport(0, 0)


async def test_other_dates_can_be_planned(service: Service, ada: Told) -> None:
    await service.register(ada | _LATER)
    assert await service.plan(last=date(2027, 3, 19)) == PlanReport(0, 0)
    assert await service.plan(date(2027, 3, 20), date(2027, 4, 20)) == PlanReport(1, 0)


async def test_a_dry_run_keeps_nothing(service: Service, ada: Told) -> None:
    await service.register(ada | _LATER)
    service.told.forget()
    assert await service.plan(last=date(2027, 3, 31), dry_run=True) == PlanReport(1, 0)
    assert await service.messages() == []
    assert service.told.events == []


async def test_a_plan_that_ends_half_way_is_gone_on_with(service: Service, ada: Told) -> None:
    """Nobody reads of a plan that it is done before everybody's messages are there."""
    await service.register_many(20, ada | _LATER)
    service.at(START + timedelta(days=5))

    async def end(_events: Sequence[Event]) -> None:
        assert service.store.committed.bookmark.planned_until is None
        service.store.is_reachable = False

    service.told.then = end
    with pytest.raises(StoreUnavailable):
        await service.plan()
    service.told.then, service.store.is_reachable = None, True
    assert service.store.committed.bookmark.planned_until is None
    planned = len(await service.messages())
    assert 0 < planned < 20
    assert await service.plan() == PlanReport(20 - planned, 0)
    assert service.store.committed.bookmark.planned_until == POLICY.plan_dates(service.clock.now())[1]


async def test_of_two_shards_that_fail_the_defect_is_told_of(service: Service, ada: Told) -> None:
    """A store that is away is waited for, and says nothing of what is wrong besides."""
    await service.register_many(20, ada | _LATER)
    service.at(START + timedelta(days=5))
    errors = iter((StoreUnavailable(), ZeroDivisionError()))

    async def fail(_events: Sequence[Event]) -> None:
        raise next(errors)

    service.told.then = fail
    with pytest.raises(ZeroDivisionError):
        await service.plan()


async def test_what_was_missed_is_made_up_for_while_its_window_is_open(service: Service, ada: Told) -> None:
    await service.register_many(3, ada | _LATER)
    service.at(datetime(2027, 3, 21, 7, 59, tzinfo=UTC))
    assert await service.plan() == PlanReport(3, 0)
    assert (await service.send()).settled == {Status.SENT: 3}


async def test_what_missed_its_window_is_not_sent_late(service: Service, ada: Told) -> None:
    await service.register(ada | _LATER)
    service.at(datetime(2027, 3, 21, 8, tzinfo=UTC))
    assert await service.plan() == PlanReport(0, 0, expired=1)
    assert await service.statuses() == {Status.EXPIRED: 1}
    assert (await service.send()).claimed == 0


@pytest.mark.slow
async def test_the_same_person_is_greeted_every_year_once(service: Service, ada: Told) -> None:
    await service.register(ada)
    for year in (2027, 2028, 2029, 2030):
        for day in range(12, 17):
            service.at(datetime(year, 3, day, 20, tzinfo=UTC))
            await service.plan()
            await service.send()
    assert [one.key.occasion_on for one in service.channel.reached] == [
        date(year, 3, 14) for year in (2027, 2028, 2029, 2030)
    ]
