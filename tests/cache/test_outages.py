"""With a cache that is away, at any call, everything is answered, and rightly."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from application import cached_values, sweeping
from application.cache_ports import CacheUnavailable
from application.errors import StoreUnavailable
from application.observing import Bypass, Source
from application.trust import OVERDUE_S
from application.views import UserView
from tests.cache.intercepting import InterceptedCache, InterceptedLog
from tests.cache.stopping import Failing
from tests.cache.world import Process, World

T = TypeVar("T")

READING = ("look", "follow", "take_lease", "fill", "invalidate")
SWEEPING = ("sweep", "begin")
whether_it_was_carried_out = pytest.mark.parametrize("after", (False, True))


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are left over here; let nobody wait for their end."""
    monkeypatch.setattr(cached_values, "_LOOK_AGAIN_AFTER_S", (0.0, 0.001))


@whether_it_was_carried_out
@pytest.mark.parametrize("name", READING)
async def test_reads_and_writes_are_answered_rightly_without_one_of_the_calls(
    world: World, process: Process, ada: UserView, name: str, *, after: bool
) -> None:
    away = Failing(CacheUnavailable, {name}, after=after)
    unlucky = await world.started(cache=InterceptedCache(world.cache, away))
    first_name = "Ada"
    for number in range(3):
        for _ in range(2):
            for reading in (unlucky, process):
                assert (await reading.name(ada))[0] == first_name
                found = await reading.reader.find_by_email(ada.email)
                assert found.value is not None
                assert found.value.first_name == first_name
        first_name = f"Ada {number}"
        await unlucky.rename(ada, first_name)
        if name == "invalidate":
            await process.sweep(0)
    assert away.failed
    await world.sweep_all()
    await world.check(ada)


async def test_a_cache_that_is_away_in_all_is_passed_by(world: World, ada: UserView) -> None:
    away = Failing(CacheUnavailable, {*READING, *SWEEPING})
    process = await world.started(cache=InterceptedCache(world.cache, away))
    assert await process.name(ada) == ("Ada", Source.BYPASS)
    assert process.told.bypasses == {Bypass.UNAVAILABLE: 1}
    await process.rename(ada, "Augusta")
    assert await process.name(ada) == ("Augusta", Source.BYPASS)
    away.names = set()
    assert await process.name(ada) == ("Augusta", Source.MISS)


async def test_who_was_held_up_does_not_take_that_for_the_silence_of_the_cache(
    world: World, ada: UserView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE_WITHIN_S", 0.5)

    async def hold_up(name: str, call: Callable[[], Awaitable[T]]) -> T:
        answer = await call()
        if name == "invalidate":
            time.sleep(2 * sweeping.AT_ONCE_WITHIN_S)  # noqa: ASYNC251  # the process does nothing else meanwhile
            for _ in range(5):  # the answer has come, and has yet to be read
                await asyncio.sleep(0)
        return answer

    process = await world.started(cache=InterceptedCache(world.cache, hold_up))
    await process.warm_up(ada)
    await process.rename(ada, "Augusta")
    assert not process.at_once.overdue.is_set()
    assert await process.name(ada) == ("Augusta", Source.MISS)


@whether_it_was_carried_out
async def test_a_batch_that_the_cache_did_not_answer_stays_pending(
    world: World, process: Process, ada: UserView, *, after: bool
) -> None:
    await process.warm_up(ada)
    await world.rename_by_hand(ada, "Augusta")
    away = Failing(CacheUnavailable, {"sweep"}, after=after)
    unlucky = await world.started(cache=InterceptedCache(world.cache, away))
    for _ in range(2):
        with pytest.raises(CacheUnavailable):
            await unlucky.sweep(0)
        assert (await world.log.poll(overdue_s=0)).pending
    assert await process.sweep(0)
    assert not (await world.log.poll(overdue_s=0)).pending
    assert await process.name(ada) == ("Augusta", Source.MISS)


@whether_it_was_carried_out
async def test_a_batch_that_the_store_did_not_hear_of_stays_pending(
    world: World, process: Process, ada: UserView, *, after: bool
) -> None:
    await process.warm_up(ada)
    await world.rename_by_hand(ada, "Augusta")
    unlucky = await world.started(
        log=InterceptedLog(world.log, Failing(StoreUnavailable, {"acknowledge"}, after=after))
    )
    with pytest.raises(StoreUnavailable):
        await unlucky.sweep(0)
    assert (await world.log.poll(overdue_s=0)).pending
    assert await process.name(ada) == ("Augusta", Source.MISS)  # the cache has carried it out
    assert await process.sweep(0)
    assert await process.name(ada) in {("Augusta", Source.HIT), ("Augusta", Source.MISS)}
    await world.check(ada)


@whether_it_was_carried_out
async def test_an_epoch_is_not_heard_of_before_its_watermark_stands(
    world: World, process: Process, ada: UserView, *, after: bool
) -> None:
    before = await world.placed()
    await world.flush()
    unlucky = await world.started(
        cache=InterceptedCache(world.cache, Failing(CacheUnavailable, {"begin"}, after=after))
    )
    await world.rename_by_hand(ada, "Augusta")
    with pytest.raises(CacheUnavailable):
        await unlucky.sweep(0)
    assert await world.placed() == before
    assert await process.name(ada) == ("Augusta", Source.BYPASS)
    await world.sweep_all()
    await world.find_gap()  # where the watermark stands already, it stands below the base, and is not raised
    await world.sweep_all()
    await process.trust.renew()
    assert (await world.placed()).epoch == before.epoch + 1
    assert await process.name(ada) == ("Augusta", Source.MISS)
    assert await process.name(ada) == ("Augusta", Source.HIT)


async def test_with_the_cache_away_for_longer_keys_are_overdue_and_the_cache_is_believed_again_at_once(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    away = Failing(CacheUnavailable, {*READING, *SWEEPING})
    writer = await world.started(cache=InterceptedCache(world.cache, away))
    await writer.rename(ada, "Augusta")
    await world.pass_time(OVERDUE_S + 0.1)
    for reading in (process, writer):
        await reading.trust.renew()
        assert await reading.name(ada) == ("Augusta", Source.BYPASS)
    away.names = set()
    assert await writer.sweep(0)
    for reading in (process, writer):
        await reading.trust.renew()
    assert await writer.name(ada) == ("Augusta", Source.MISS)
    assert await process.name(ada) == ("Augusta", Source.HIT)
