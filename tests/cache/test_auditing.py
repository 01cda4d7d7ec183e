"""The auditor finds a hit that differs from the store, and tells one that stays from one of an instant."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from application import auditing
from application.auditing import AuditHits
from application.errors import StoreUnavailable
from application.observing import Source
from application.views import UserView
from tests.cache.intercepting import InterceptedReader
from tests.cache.stopping import Counting, Failing, Stop
from tests.cache.world import Process, World

HORIZONS_S = (0.02, 0.03, 0.04)
Audits = Callable[[int], Awaitable[list[tuple[float, bool]]]]


@pytest.fixture(autouse=True)
def short_horizons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "HORIZONS_S", HORIZONS_S)


@asynccontextmanager
async def audited(process: Process, rate: float = 1e9) -> AsyncIterator[Audits]:
    """Run the auditor of a process, and lend what waits for so many audits of it."""
    auditor = AuditHits(rate, process.world.monotonic, process.told)
    auditor.of(process.users)
    auditor.of(process.references)

    async def audits(number: int) -> list[tuple[float, bool]]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                while len(process.told.audits) < number:  # noqa: ASYNC110  # nobody sets an event then
                    await asyncio.sleep(0.001)
        if number == 0:
            await asyncio.sleep(0.02)
        return process.told.audits

    running = asyncio.create_task(auditor.run())
    try:
        yield audits
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_hit_that_is_what_the_store_says_is_looked_at_once(process: Process, ada: UserView) -> None:
    await process.warm_up(ada)
    async with audited(process) as audits:
        await process.get(ada)
        assert await audits(1) == [(0.0, False)]
        await process.world.pass_time(0.001)
        await process.reader.find_by_email(ada.email)
        assert await audits(2) == [(0.0, False)] * 2


async def test_a_miss_is_not_looked_at(process: Process, ada: UserView) -> None:
    async with audited(process) as audits:
        await process.get(ada)
        assert await audits(0) == []


async def test_a_change_of_the_last_instant_is_gone_when_it_is_looked_at_again(
    world: World, process: Process, other: Process, ada: UserView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "HORIZONS_S", (2.0,))  # time enough to sweep, on a busy machine too
    await process.warm_up(ada)
    async with audited(process) as audits:
        await world.rename_by_hand(ada, "Augusta")
        assert await process.name(ada) == ("Ada", Source.HIT)
        assert (await audits(1))[0] == (0.0, True)
        await other.sweep(0)
        assert (await audits(2))[-1][1] is False


async def test_a_value_that_stays_wrong_is_stale_at_every_horizon(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    async with audited(process) as audits:
        await world.rename_by_hand(ada, "Augusta")  # and nobody sweeps
        assert await process.name(ada) == ("Ada", Source.HIT)
        found = await audits(4)
        assert [horizon for horizon in found if horizon[1]] == [
            (0.0, True),
            *((horizon_s, True) for horizon_s in HORIZONS_S),
        ]


async def test_a_sample_is_taken_at_the_rate(world: World, process: Process, ada: UserView) -> None:
    await process.warm_up(ada)
    async with audited(process, rate=10) as audits:
        for _ in range(5):
            await process.get(ada)
        assert len(await audits(1)) == 1
        await world.pass_time(0.1)
        for _ in range(5):
            await process.get(ada)
        assert len(await audits(2)) == 2


async def test_without_a_rate_nothing_is_looked_at(process: Process, ada: UserView) -> None:
    await process.warm_up(ada)
    async with audited(process, rate=0) as audits:
        await process.get(ada)
        assert await audits(0) == []


async def test_a_store_that_is_away_ends_an_audit_and_not_the_auditor(world: World, ada: UserView) -> None:
    away = Failing(StoreUnavailable)
    process = await world.started(user_reader=InterceptedReader(world.user_reader, away))
    await process.warm_up(ada)
    async with audited(process) as audits:
        away.names = {"load"}
        await process.get(ada)
        assert await audits(0) == []
        away.names = set()
        await world.pass_time(0.001)
        await process.get(ada)
        assert await audits(1) == [(0.0, False)]


async def test_a_load_that_goes_wrong_in_another_way_does_not_end_it_either(
    world: World, ada: UserView
) -> None:
    broken = Failing(ZeroDivisionError)
    process = await world.started(user_reader=InterceptedReader(world.user_reader, broken))
    await process.warm_up(ada)
    async with audited(process) as audits:
        broken.names = {"load"}
        await process.get(ada)
        assert await audits(0) == []
        broken.names = set()
        await world.pass_time(0.001)
        await process.get(ada)
        assert await audits(1) == [(0.0, False)]


async def test_who_reads_does_not_wait_for_the_audit(world: World, ada: UserView) -> None:
    stop, loads = Stop("load"), Counting()
    process = await world.started(user_reader=InterceptedReader(world.user_reader, loads))
    await process.warm_up(ada)
    process.user_reader = InterceptedReader(world.user_reader, stop)
    object.__setattr__(process.reader, "reader", process.user_reader)
    async with audited(process) as audits:
        async with stop.stopped(process.name(ada)) as reading:
            assert await reading == ("Ada", Source.HIT)
            assert process.told.audits == []
        assert await audits(1) == [(0.0, False)]
