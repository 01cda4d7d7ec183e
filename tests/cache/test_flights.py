"""A value is loaded by one task for all who wait, except for who came after the load had begun."""

import asyncio

import pytest

from application.cache_ports import CacheUnavailable, Lease
from application.errors import StoreUnavailable
from application.invalidation import user_key
from application.observing import Bypass, Source
from application.views import UserView
from domain.user import UserId
from tests.cache.intercepting import InterceptedCache, InterceptedReader
from tests.cache.stopping import Counting, Crowd, Failing, Stop
from tests.cache.world import ADA, Process, World


async def test_fifty_who_want_a_value_at_once_load_it_once(world: World, ada: UserView) -> None:
    loads = Counting()
    process = await world.started(user_reader=InterceptedReader(world.user_reader, loads))
    for _ in range(2):
        reads = await asyncio.gather(*(process.name(ada) for _ in range(50)))
        assert {name for name, _ in reads} == {"Ada"}
        assert loads.calls == {"load": 1}
    await process.rename(ada, "Augusta")
    reads = await asyncio.gather(*(process.name(ada) for _ in range(50)))
    assert {name for name, _ in reads} == {"Augusta"}
    assert loads.calls == {"load": 2}


async def test_and_so_do_fifty_processes(world: World, ada: UserView) -> None:
    loads = Counting()
    user_reader = InterceptedReader(world.user_reader, loads)
    processes = [await world.started(user_reader=user_reader) for _ in range(10)]
    reads = await asyncio.gather(*(process.name(ada) for process in processes for _ in range(5)))
    assert {name for name, _ in reads} == {"Ada"}
    assert loads.calls == {"load": 1}


async def test_who_comes_after_the_load_has_begun_does_not_get_what_it_read(
    world: World, other: Process, ada: UserView
) -> None:
    stop = Stop("load", after=True)
    process = await world.started(user_reader=InterceptedReader(world.user_reader, stop))
    async with stop.stopped(process.name(ada)) as early:
        await other.rename(ada, "Augusta")
        assert await process.name(ada) == ("Augusta", Source.MISS)
    assert await early == ("Ada", Source.MISS)
    assert await process.name(ada) == ("Augusta", Source.HIT)


async def test_who_waits_too_long_for_another_process_loads_once_as_well(world: World, ada: UserView) -> None:
    stop, loads = Stop("load"), Counting()
    slow = await world.started(user_reader=InterceptedReader(world.user_reader, stop))
    process = await world.started(user_reader=InterceptedReader(world.user_reader, loads))
    async with stop.stopped(slow.name(ada)) as holding:
        reads = await asyncio.gather(*(process.name(ada) for _ in range(50)))
        assert reads == [("Ada", Source.BYPASS)] * 50
        assert process.told.bypasses == {Bypass.IN_FLIGHT: 50}
        assert loads.calls["load"] < 10
    assert await holding == ("Ada", Source.MISS)


async def test_and_who_comes_after_that_load_has_begun_does_not_get_what_it_read(
    world: World, ada: UserView
) -> None:
    slow, late = Stop("load"), Stop("load", after=True)
    first = await world.started(user_reader=InterceptedReader(world.user_reader, slow))
    process = await world.started(user_reader=InterceptedReader(world.user_reader, late))
    async with slow.stopped(first.name(ada)) as holding, late.stopped(process.name(ada)) as early:
        await world.rename_by_hand(ada, "Augusta")  # which leaves the lease where it is
        assert await process.name(ada) == ("Augusta", Source.BYPASS)
    assert await early == ("Ada", Source.BYPASS)
    await holding


async def test_the_others_are_served_when_the_first_one_goes_away(world: World, ada: UserView) -> None:
    stop, loads = Stop("take_lease"), Counting()
    process = await world.started(
        cache=InterceptedCache(world.cache, stop), user_reader=InterceptedReader(world.user_reader, loads)
    )
    async with stop.stopped(process.name(ada)) as first:
        others = [stop.beside(process.name(ada)) for _ in range(5)]
        await stop.turns(2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    assert await asyncio.gather(*others) == [("Ada", Source.MISS)] * 5
    assert loads.calls == {"load": 1}


async def test_and_when_all_have_gone_away_the_value_is_stored_all_the_same(
    world: World, other: Process, ada: UserView
) -> None:
    stop = Stop("load")
    process = await world.started(user_reader=InterceptedReader(world.user_reader, stop))
    async with stop.stopped(process.name(ada)) as reading:
        reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await stop.turns(4)
    assert await other.name(ada) == ("Ada", Source.HIT)


async def test_a_load_that_fails_fails_for_all_who_joined_and_leaves_no_lease(
    world: World, ada: UserView
) -> None:
    stop, away = Stop("take_lease"), Failing(StoreUnavailable, {"load"})
    process = await world.started(
        cache=InterceptedCache(world.cache, stop), user_reader=InterceptedReader(world.user_reader, away)
    )
    async with stop.stopped(process.name(ada)) as first:
        others = [stop.beside(process.name(ada)) for _ in range(5)]
        await stop.turns(2)
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 6
    assert away.failed == 1
    assert await world.held(user_key(ada.id)) is None
    away.names = set()
    assert await process.name(ada) == ("Ada", Source.MISS)


@pytest.mark.parametrize("after", (False, True))
async def test_a_lease_that_cannot_be_given_back_ends_by_itself(
    world: World, ada: UserView, *, after: bool
) -> None:
    away = Failing(StoreUnavailable, {"load"})
    process = await world.started(
        cache=InterceptedCache(world.cache, Failing(CacheUnavailable, {"invalidate"}, after=after)),
        user_reader=InterceptedReader(world.user_reader, away),
    )
    with pytest.raises(StoreUnavailable):
        await process.name(ada)
    assert isinstance(await world.held(user_key(ada.id)), Lease) is not after


async def test_a_process_loads_only_so_much_at_once(world: World, process: Process) -> None:
    people = [await process.register({**ADA, "email": f"p{number}@example.com"}) for number in range(9)]
    crowd = Crowd()
    busy = await world.started(user_reader=InterceptedReader(world.user_reader, crowd))
    reads = await asyncio.gather(*(busy.reader.get(UserId(user.id)) for user in people))
    assert [read.value for read in reads] == people
    assert crowd.most == 3
