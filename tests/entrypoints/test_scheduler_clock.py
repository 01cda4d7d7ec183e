"""A scheduler whose machine's clock is wrong says so and does not plan."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from adapters.clock import MovableClock, SystemClock
from application.dispatch import DispatchReport
from application.planning import PlanOpenAnew
from application.scheduler_observing import SchedulerObserver
from application.statistics import LookAtLedger, SchedulerState
from application.upkeep import CompareClocks, DropOldMonths
from entrypoints.scheduler import loop
from entrypoints.scheduler.loop import Scheduler
from tests.contract.adapters import POLICY
from tests.use_cases.service import Service

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)
ADA = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/Berlin",
    "birthday": "--03-14",
}


def scheduler_of(service: Service, observer: SchedulerObserver | None = None) -> Scheduler:
    return Scheduler(
        plan=service.plan,
        plan_open_anew=PlanOpenAnew(service.unit_of_work, service.plan_anew),
        drop_old_months=DropOldMonths(service.unit_of_work, timedelta(days=1098)),
        compare_clocks=CompareClocks(service.unit_of_work, SystemClock()),
        send_due=service.send,
        keep=service.keep,
        next_due=service.next_due,
        policy=POLICY,
        clock=service.clock,
        state=SchedulerState(),
        look_at_ledger=LookAtLedger(service.ledger, service.clock),
        observer=observer or SchedulerObserver(),
    )


async def until(condition: Callable[[], bool]) -> None:
    """Let everybody go on until *condition* holds."""
    while True:
        if condition():
            return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("off_s", (3, -3))
async def test_by_a_wrong_clock_nothing_is_planned(off_s: int) -> None:
    service = Service()
    scheduler = scheduler_of(service)
    service.store.real_now = lambda: datetime.now(UTC) + timedelta(seconds=off_s)
    with capture_logs() as logs:
        assert not await scheduler.plan_now()
    assert [line["event"] for line in logs] == ["clock_doubted"]
    assert scheduler.state.last_plan_at is None
    assert round(scheduler.state.clock_offset_s) == -off_s
    service.store.real_now = lambda: datetime.now(UTC)
    assert await scheduler.plan_now()
    planned_at: datetime | None = scheduler.state.last_plan_at
    assert planned_at == service.clock.now()
    assert scheduler.state.clock_offset_s == 0


async def test_a_wrong_clock_is_looked_at_again_and_does_not_keep_from_stopping() -> None:
    service, stopping = Service(), asyncio.Event()
    scheduler = scheduler_of(service)
    service.store.real_now = lambda: datetime.now(UTC) + timedelta(hours=1)
    running = asyncio.create_task(scheduler.run(stopping))
    await asyncio.sleep(0.05)
    stopping.set()
    async with asyncio.timeout(20):
        await running
    assert scheduler.state.last_plan_at is None


@pytest.mark.parametrize("off", (timedelta(hours=1), timedelta(hours=-1)), ids=("ahead", "behind"))
async def test_by_a_wrong_clock_messages_leave_in_time_and_the_ledger_is_not_asked_all_the_time(
    monkeypatch: pytest.MonkeyPatch, off: timedelta
) -> None:
    """What is due is the ledger's to say, however late or early this machine believes it to be."""
    service, stopping, claims = Service(), asyncio.Event(), 0
    await service.register(ADA)
    service.at(NINE - timedelta(minutes=30))
    service.store.real_now = lambda: datetime.now(UTC) - off
    scheduler = scheduler_of(service)
    scheduler.clock = MovableClock(service.clock.now() + off)
    scheduler.look_at_ledger = LookAtLedger(service.ledger, scheduler.clock)

    async def send_due() -> DispatchReport:
        nonlocal claims
        claims += 1
        await asyncio.sleep(0.001)
        return await service.send()

    monkeypatch.setattr(send_due, "lease", service.lease, raising=False)
    monkeypatch.setattr(scheduler, "send_due", send_due)
    monkeypatch.setattr(loop, "LOOK_EVERY_S", 0.1)
    async with asyncio.timeout(20):
        running = asyncio.create_task(scheduler.run(stopping))
        await asyncio.sleep(0.4)
        assert 0 < claims < 20
        service.at(NINE)
        await until(lambda: len(service.channel.reached) == 1)
        stopping.set()
        await running


async def test_a_clock_that_goes_wrong_between_two_plans_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service, stopping = Service(), asyncio.Event()
    scheduler = scheduler_of(service)
    monkeypatch.setattr(loop, "LOOK_EVERY_S", 0.001)
    with capture_logs() as logs:
        running = asyncio.create_task(scheduler.run(stopping))
        async with asyncio.timeout(20):
            await until(lambda: scheduler.state.last_plan_at is not None)
            service.store.real_now = lambda: datetime.now(UTC) + timedelta(hours=1)
            await until(lambda: scheduler.state.is_clock_doubted)
            await asyncio.sleep(0.05)
            stopping.set()
            await running
    assert [line["event"] for line in logs].count("clock_doubted") == 1
    assert scheduler.state.complaint(service.clock.now()) is not None
