"""A provider that takes messages and never answers, or wants to be left alone, holds up nothing but its own."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from adapters.memory.channel import MemoryChannel
from application.deliveries import FailedForNow, Sent
from application.dispatch import DispatchReport, KeepReport
from application.errors import StoreUnavailable
from application.statistics import LATE_AFTER
from domain.message import Status
from entrypoints.scheduler import bounds, loop
from entrypoints.scheduler.loop import Scheduler
from tests.entrypoints.test_scheduler_clock import scheduler_of, until
from tests.use_cases.service import Service

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)
ADA = {"first_name": "Ada", "last_name": "Lovelace", "timezone": "Europe/Berlin", "birthday": "--03-14"}
PEOPLE, BATCH = 10, 2


async def test_planning_and_the_care_of_the_ledger_go_on_while_the_channel_hangs() -> None:
    service = Service()
    await service.register({**ADA, "email": "ada@example.com"})
    service.channel.hang()
    service.at(NINE)
    scheduler = scheduler_of(service)
    async with asyncio.timeout(20), _running(scheduler):
        await until(lambda: len(service.channel.batches) == 1)
        await service.register({**ADA, "email": "bob@example.com", "birthday": "--03-18"})
        service.at(NINE + timedelta(days=3, hours=1))
        await until(lambda: scheduler.state.last_plan_at == NINE + timedelta(days=3, hours=1))
        assert _statuses(service) == {Status.SENDING: 1, Status.SCHEDULED: 1}
        assert len(service.channel.batches) == 1, "the first one hangs still"


async def test_the_plan_of_an_hour_gives_way_to_whoever_is_due_as_it_begins_and_not_for_ever() -> None:
    async with _waiting_for_nine() as (service, scheduler):
        before = scheduler.state.last_plan_at
        service.channel.hang()
        service.at(NINE)
        await until(lambda: len(service.channel.batches) == 1)
        await asyncio.sleep(0.05)
        assert scheduler.state.last_plan_at == before, "she is being greeted still"
        service.at(NINE + loop.PLAN_GIVES_WAY)
        await until(lambda: scheduler.state.last_plan_at == NINE + loop.PLAN_GIVES_WAY)


async def test_the_plan_of_an_hour_is_made_once_nobody_is_due_any_more() -> None:
    async with _waiting_for_nine() as (service, scheduler):
        service.at(NINE)
        await until(lambda: scheduler.state.last_plan_at == NINE)
    assert _statuses(service) == {Status.SENT: 1}


async def test_a_plan_that_is_overdue_waits_for_nobody() -> None:
    """As after a night in which the machine slept."""
    async with _waiting_for_nine() as (service, scheduler):
        service.channel.hang()
        service.at(NINE + timedelta(hours=15))
        await until(lambda: scheduler.state.last_plan_at == NINE + timedelta(hours=15))
        assert _statuses(service) == {Status.SENDING: 1}


async def test_a_process_with_another_channel_sends_the_rest_and_what_the_one_that_hangs_had_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "KEEP_EVERY_S", 0.02)
    monkeypatch.setattr(loop, "LOOK_EVERY_S", 0.02)
    service, other = await _two_channels()
    service.channel.hang()
    async with asyncio.timeout(20), _running(scheduler_of(service)):
        await until(lambda: len(service.channel.batches) == 1)
        async with _running(scheduler_of(other)):
            await until(lambda: _statuses(service) == {Status.SENDING: BATCH, Status.SENT: PEOPLE - BATCH})
            service.let_leases_run_out()
            await until(lambda: _statuses(service) == {Status.SENT: PEOPLE})
    assert len(other.channel.reached) == PEOPLE
    assert len(service.channel.batches) == 1, "it hangs still"


async def test_a_process_with_another_channel_sends_the_rest_while_one_wants_to_be_left_alone() -> None:
    service, other = await _two_channels()
    service.channel.fail_for_now(timedelta(minutes=10))
    first, second = scheduler_of(service), scheduler_of(other)
    async with asyncio.timeout(20), _running(first):
        await until(lambda: first.state.is_paused)
        async with _running(second):
            await until(lambda: _statuses(service) == {Status.RETRYING: BATCH, Status.SENT: PEOPLE - BATCH})
        assert (first.state.is_paused, second.state.is_paused) == (True, False)
    assert len(other.channel.reached) == PEOPLE - BATCH


@pytest.mark.parametrize("ended_by", ("an acceptance", "the end of its window"))
async def test_a_channel_that_takes_nothing_for_long_is_a_trouble_until_something_leaves(
    monkeypatch: pytest.MonkeyPatch, ended_by: str
) -> None:
    """Also where so few wait that none of them has waited for long since it was tried last."""
    monkeypatch.setattr(loop, "PAUSE_MAX_S", 0.02)
    monkeypatch.setattr(loop, "LOOK_EVERY_S", 0.02)
    async with _waiting_for_nine() as (service, scheduler):
        state = scheduler.state
        service.channel.fail_for_now(timedelta(seconds=30))
        service.at(NINE)
        await until(lambda: state.is_paused and state.refused_since == NINE)
        assert state.complaint(NINE + LATE_AFTER) is None
        service.at(NINE + LATE_AFTER + timedelta(seconds=1))
        service.let_leases_run_out()  # and with them the pause
        await until(lambda: len(service.channel.batches) > 1 and state.is_paused)
        assert (state.complaint(service.clock.now()) or "").startswith("The channel has taken nothing")
        if ended_by == "an acceptance":
            service.channel.recover()
            service.let_leases_run_out()
            service.at(NINE + 2 * LATE_AFTER)
            await until(lambda: _statuses(service) == {Status.SENT: 1})
        else:
            service.at(NINE + timedelta(days=1))
            await until(lambda: _statuses(service) == {Status.EXPIRED: 1})
        await until(lambda: state.refused_since is None)


async def test_one_who_is_refused_beside_others_who_are_not_is_no_trouble_of_the_channel() -> None:
    service = Service()
    for name in ("ada", "bob"):
        await service.register({**ADA, "email": f"{name}@example.com"})
    service.at(NINE)
    first = min(service.store.committed.users)
    service.channel.answer = lambda one: FailedForNow("no") if one.key.user_id == first else Sent()
    scheduler = scheduler_of(service)
    scheduler.state.refused_since = NINE - timedelta(hours=1)
    await scheduler._send_batch()
    assert _statuses(service) == {Status.SENT: 1, Status.RETRYING: 1}
    assert scheduler.state.refused_since is None


@pytest.mark.parametrize(("has_more", "looks"), ((False, 1), (True, 10)))
async def test_a_look_for_lost_leases_that_takes_long_is_seldom(
    monkeypatch: pytest.MonkeyPatch, *, has_more: bool, looks: int
) -> None:
    """It reads whatever is due, which may be much, while windows that have passed are ended batch by batch."""
    looked = []

    async def keep(*, reaps: bool) -> KeepReport:
        looked.append(reaps)
        await asyncio.sleep(0.05 if reaps else 0)
        return KeepReport(retrying=0, unknown=0, expired=1000, has_more_leases=has_more)

    scheduler = scheduler_of(Service())
    monkeypatch.setattr(scheduler, "keep", keep)
    for _ in range(10):
        await scheduler._keep_tick(asyncio.Event())
    assert looked.count(True) == looks


async def test_what_fails_in_one_lane_leaves_the_other_its_time_and_the_defect_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = iter((None, StoreUnavailable(), None, ZeroDivisionError()))

    async def send_due() -> DispatchReport:
        error = next(batches)
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return DispatchReport(claimed=1, settled={}, lost=0)

    scheduler = scheduler_of(Service())
    monkeypatch.setattr(send_due, "lease", timedelta(minutes=1), raising=False)
    monkeypatch.setattr(scheduler, "send_due", send_due)
    with pytest.raises(ZeroDivisionError):
        await scheduler._drain(asyncio.Event())


async def _two_channels() -> tuple[Service, Service]:
    """Return two processes over one ledger in which a few messages are due, each with a channel of its own."""
    service = Service(channel=MemoryChannel(name="first", batch_size=BATCH))
    other = Service(clock=service.clock, channel=MemoryChannel(name="second", batch_size=BATCH))
    other.store = service.store
    await service.register_many(PEOPLE, ADA)
    service.at(NINE)
    return service, other


@contextlib.asynccontextmanager
async def _running(scheduler: Scheduler) -> AsyncIterator[None]:
    running = asyncio.create_task(scheduler.run(asyncio.Event()))
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@contextlib.asynccontextmanager
async def _waiting_for_nine() -> AsyncIterator[tuple[Service, Scheduler]]:
    """Let a scheduler wait, which has planned, for the nine o'clock of one person."""
    service = Service()
    await service.register({**ADA, "email": "ada@example.com"})
    service.at(NINE - timedelta(minutes=30))
    scheduler = scheduler_of(service)
    async with asyncio.timeout(20), _running(scheduler):
        await until(lambda: scheduler.state.next_due_at == NINE and scheduler.state.last_plan_at is not None)
        yield service, scheduler


async def test_a_store_that_does_not_answer_is_given_up_and_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = Service(lease=timedelta(seconds=0.05))
    scheduler = scheduler_of(service)
    async with asyncio.timeout(20):
        async with service.unit_of_work():  # which every other one waits for
            monkeypatch.setattr(bounds, "JOB_WITHIN_S", 0.05)
            running = asyncio.create_task(scheduler.run(asyncio.Event()))
            await until(lambda: all(scheduler._failures.get(job) for job in ("plan", "dispatch", "keep")))
            monkeypatch.undo()
        await until(lambda: scheduler.state.last_plan_at is not None)
        await until(lambda: scheduler.state.last_tick_at is not None)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _statuses(service: Service) -> Mapping[Status, int]:
    return Counter(message.status for message in service.store.committed.messages.values())
