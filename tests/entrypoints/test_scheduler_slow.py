"""A provider that takes messages and never answers holds up nothing but its own messages."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from domain.message import Status
from entrypoints.scheduler import bounds
from tests.entrypoints.test_scheduler_clock import scheduler_of, until
from tests.use_cases.service import Service

NINE = datetime(2027, 3, 14, 8, tzinfo=UTC)


async def test_planning_and_the_care_of_the_ledger_go_on_while_the_channel_hangs() -> None:
    service = Service()
    ada = {"first_name": "Ada", "last_name": "Lovelace", "timezone": "Europe/Berlin"}
    await service.register({**ada, "email": "ada@example.com", "birthday": "--03-14"})
    service.channel.hang()
    service.at(NINE)
    scheduler = scheduler_of(service)
    running = asyncio.create_task(scheduler.run(asyncio.Event()))
    async with asyncio.timeout(5):
        await until(lambda: len(service.channel.batches) == 1)
        await service.register({**ada, "email": "bob@example.com", "birthday": "--03-18"})
        service.at(NINE + timedelta(days=3, hours=1))
        await until(lambda: _statuses(service) == {Status.SENDING: 1, Status.SCHEDULED: 1})
    assert scheduler.state.last_plan_at == NINE + timedelta(days=3, hours=1)
    assert len(service.channel.batches) == 1, "the first one hangs still"
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_a_store_that_does_not_answer_is_given_up_and_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "JOB_WITHIN_S", 0.05)
    service = Service(lease=timedelta(seconds=0.05))
    scheduler = scheduler_of(service)
    async with asyncio.timeout(5):
        async with service.unit_of_work():  # which every other one waits for
            running = asyncio.create_task(scheduler.run(asyncio.Event()))
            await until(lambda: all(scheduler._failures.get(job) for job in ("plan", "dispatch", "keep")))
        await until(lambda: scheduler.state.last_plan_at is not None)
        await until(lambda: scheduler.state.last_tick_at is not None)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _statuses(service: Service) -> Mapping[Status, int]:
    return Counter(message.status for message in service.store.committed.messages.values())
