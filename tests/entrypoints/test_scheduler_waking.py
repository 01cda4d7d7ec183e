"""A scheduler that sleeps is woken by what has become due, whoever planned it."""

import asyncio
import contextlib
import time

import pytest

from adapters.memory.unit_of_work import MemoryUnitOfWork
from application.dispatch import DispatchReport
from domain.message import Status
from entrypoints.scheduler import loop
from tests.contract.adapters import START
from tests.contract.people import NINE_IN_BERLIN, born_on_pi_day, message
from tests.entrypoints.test_scheduler_clock import scheduler_of, until
from tests.use_cases.service import Service


async def test_what_another_process_planned_and_did_not_live_to_send_is_seen_within_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "LOOK_EVERY_S", 0.02)
    service = Service()
    scheduler = scheduler_of(service)
    running = asyncio.create_task(scheduler.run(asyncio.Event()))
    async with asyncio.timeout(20):
        await until(lambda: scheduler.state.last_tick_at is not None)
        user = born_on_pi_day()
        async with MemoryUnitOfWork(service.store) as uow:  # whose events this scheduler does not hear of
            await uow.users.add([user])
            await uow.messages.save([message(user, due_at=START)])
            await uow.commit()
        await until(lambda: len(service.channel.reached) == 1)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert await service.statuses() in ({Status.SENT: 1}, {Status.SENDING: 1})


async def test_what_is_due_and_cannot_be_claimed_is_not_asked_for_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody has locked it: another process for a moment, or a person at a prompt for an hour."""
    service, is_locked, asked = Service(), True, 0
    async with MemoryUnitOfWork(service.store) as uow:
        user = born_on_pi_day()
        await uow.users.add([user])
        await uow.messages.save([message(user)])
        await uow.commit()
    service.at(NINE_IN_BERLIN)
    scheduler = scheduler_of(service)

    async def send_due() -> DispatchReport:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.001)
        return DispatchReport(0, {}, 0) if is_locked else await service.send()

    monkeypatch.setattr(send_due, "lease", service.lease, raising=False)
    monkeypatch.setattr(scheduler, "send_due", send_due)
    stopping = asyncio.Event()
    async with asyncio.timeout(20):
        began_s = time.monotonic()
        running = asyncio.create_task(scheduler.run(stopping))
        await until(lambda: asked > 10)
        assert time.monotonic() - began_s > 9 * loop.BREATH_S
        is_locked = False
        await until(lambda: len(service.channel.reached) == 1)
        stopping.set()
        await running
