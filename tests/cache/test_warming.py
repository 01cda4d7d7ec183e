"""New people are in the cache before anybody looks, and by the rule of every other read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from application.cache_ports import Entry
from application.errors import StoreUnavailable
from application.invalidation import email_reference_key, user_key
from application.observing import Source
from application.warming import WARMED_MAX, WarmNewUsers
from domain.events import Event, UserCreated
from domain.user import UserId
from tests.cache.intercepting import InterceptedReader
from tests.cache.stopping import Failing, Stop
from tests.cache.world import ADA, Process, World
from tests.contract.people import person


async def warmed(world: World, **ports: object) -> tuple[Process, Callable[[], Awaitable[None]]]:
    """Return a process that warms, and what waits until it has."""
    process = await world.started(**ports)
    warm = WarmNewUsers(process.reader)
    process.announcer.subscribe(warm)

    async def done() -> None:
        await asyncio.gather(*warm._warming)

    return process, done


async def test_who_is_registered_is_found_in_the_cache(world: World, other: Process) -> None:
    process, done = await warmed(world)
    ada = await process.register(ADA)
    await done()
    for _ in range(2):
        assert await other.name(ada) == ("Ada", Source.HIT)
        found = await other.reader.find_by_email(ada.email)
        assert (found.value, found.source) == (ada, Source.HIT)
        await world.sweep_all()
        await other.trust.renew()


async def test_who_registers_does_not_wait_for_it(world: World) -> None:
    stop = Stop("load")
    process, done = await warmed(world, user_reader=InterceptedReader(world.user_reader, stop))
    async with stop.stopped(process.register(ADA)) as registering:
        await registering
    await done()


async def test_what_was_read_for_it_does_not_settle_after_a_change(world: World, other: Process) -> None:
    stop = Stop("load", after=True)
    process, done = await warmed(world, user_reader=InterceptedReader(world.user_reader, stop))
    async with stop.stopped(process.register(ADA)) as registering:
        ada = await registering
        await other.rename(ada, "Augusta")
    await done()
    assert process.told.fills[0] is False
    await world.check(ada)


async def test_an_import_is_not_warmed(world: World) -> None:
    process, done = await warmed(world)
    for number, expected in ((WARMED_MAX, True), (WARMED_MAX + 1, False)):
        people = [person(f"P{n}") for n in range(number)]
        async with process.unit_of_work() as uow:
            await uow.users.add(people)
            await uow.commit()
        await done()
        for user in people:
            assert isinstance(await world.held(user_key(user.id)), Entry) is expected


async def test_a_store_that_is_away_is_no_error(world: World) -> None:
    process, done = await warmed(
        world, user_reader=InterceptedReader(world.user_reader, Failing(StoreUnavailable, {"load"}))
    )
    ada = await process.register(ADA)
    await done()
    assert await world.held(user_key(ada.id)) is None


async def test_somebody_who_was_never_committed_is_not_stored(world: World) -> None:
    process, done = await warmed(world)
    nobody = person()
    events: Sequence[Event] = [UserCreated(nobody)]
    await process.announcer(events)
    await done()
    assert (await process.reader.get(UserId(nobody.id))).value is None
    assert await world.held(user_key(nobody.id)) is None
    assert await world.held(email_reference_key(nobody.email)) is None
