"""Who has written reads it back, on every process, and no older value settles behind their back."""

from collections.abc import Awaitable, Callable

import pytest

from application import sweeping
from application.cache_ports import CacheUnavailable, Entry
from application.invalidation import email_reference_key, user_key
from application.observing import Source
from application.views import UserView
from domain.user import UserId
from tests.cache.intercepting import InterceptedCache, InterceptedReader
from tests.cache.stopping import Failing, Stop
from tests.cache.world import ADA, Process, World, tell_nobody

Write = Callable[[Process, UserView], Awaitable[object]]


async def rename(process: Process, user: UserView) -> None:
    await process.rename(user, "Augusta")


async def readdress(process: Process, user: UserView) -> None:
    await process.change(UserId(user.id), {"email": "else@example.com"})


async def respell(process: Process, user: UserView) -> None:
    await process.change(UserId(user.id), {"email": user.email.upper()})


async def hand_the_address_on(process: Process, user: UserView) -> None:
    await process.change(UserId(user.id), {"email": "else@example.com"})
    await process.register({**ADA, "first_name": "Bob", "email": user.email})


async def delete(process: Process, user: UserView) -> None:
    await process.remove(UserId(user.id))


async def erase(process: Process, user: UserView) -> None:
    await process.remove(UserId(user.id), erase=True)


async def come_back(process: Process, user: UserView) -> None:
    await process.remove(UserId(user.id))
    await process.register({**ADA, "first_name": "Augusta"})


WRITES: tuple[Write, ...] = (rename, readdress, respell, hand_the_address_on, delete, erase, come_back)
every_write = pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)


@every_write
async def test_a_write_is_read_back_on_every_process_at_once(
    world: World, process: Process, other: Process, ada: UserView, write: Write
) -> None:
    await process.warm_up(ada)
    await other.warm_up(ada)
    await write(process, ada)
    for reading in (other, process, other):
        stored = await world.user_reader.get(UserId(ada.id))
        assert (await reading.get(ada)).value == stored
        for email in (ada.email, "else@example.com"):
            found = await reading.reader.find_by_email(email)
            assert found.value == await world.user_reader.find_by_email(email)
    await world.sweep_all()
    await world.check(ada)


@every_write
async def test_a_value_read_before_a_write_does_not_settle_after_it(
    world: World, process: Process, ada: UserView, write: Write
) -> None:
    stop = Stop("load", after=True)
    slow = await world.started(user_reader=InterceptedReader(world.user_reader, stop))
    async with stop.stopped(slow.get(ada)) as read:
        await write(process, ada)
    assert (await read).value == ada  # it asked before the write
    assert slow.told.fills == [False]
    assert await world.held(user_key(ada.id)) is None
    await world.check(ada)


async def test_nor_a_reference(world: World, process: Process, ada: UserView) -> None:
    stop = Stop("load", after=True)
    slow = await world.started(user_reader=InterceptedReader(world.user_reader, stop))
    async with stop.stopped(slow.reader.find_by_email(ada.email)) as read:
        await hand_the_address_on(process, ada)
    assert (await read).value == ada
    assert slow.told.fills == [False]
    assert await world.held(email_reference_key(ada.email)) is None
    await world.check(ada)


async def test_nor_after_the_sweep_alone(world: World, ada: UserView) -> None:
    stop = Stop("load", after=True)
    slow = await world.started(user_reader=InterceptedReader(world.user_reader, stop))
    async with stop.stopped(slow.name(ada)) as read:
        await world.rename_by_hand(ada, "Augusta")
        await world.sweep_all()
    assert await read == ("Ada", Source.MISS)
    assert slow.told.fills == [False]
    await world.check(ada)


async def test_a_sweep_that_comes_late_keeps_what_was_stored_since(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    await process.rename(ada, "Augusta")
    assert await other.name(ada) == ("Augusta", Source.MISS)
    assert await process.sweep(0)
    held = await world.held(user_key(ada.id))
    assert isinstance(held, Entry)
    assert held.version == ada.version + 1
    assert await other.name(ada) == ("Augusta", Source.HIT)


@pytest.mark.parametrize("after", (False, True))
async def test_a_write_is_not_failed_by_a_cache_that_is_away_and_a_sweep_makes_up_for_it(
    world: World, process: Process, other: Process, ada: UserView, *, after: bool
) -> None:
    await other.warm_up(ada)
    away = Failing(CacheUnavailable, {"invalidate"}, after=after)
    writer = await world.started(cache=InterceptedCache(world.cache, away))
    await writer.rename(ada, "Augusta")
    assert away.failed == 1
    assert writer.at_once.overdue.is_set()
    await process.sweep(0)
    assert await other.name(ada) == ("Augusta", Source.MISS)


async def test_a_write_does_not_wait_for_a_cache_that_hangs(
    world: World, process: Process, ada: UserView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "AT_ONCE_WITHIN_S", 0.01)
    await process.warm_up(ada)
    hung = Stop("invalidate")
    writer = await world.started(cache=InterceptedCache(world.cache, hung))
    await writer.rename(ada, "Augusta")
    assert hung.arrived.is_set()
    assert writer.at_once.overdue.is_set()
    await process.sweep(0)
    assert await process.name(ada) == ("Augusta", Source.MISS)


async def test_nothing_is_invalidated_for_what_was_rolled_back(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    with pytest.raises(ZeroDivisionError):
        async with process.unit_of_work() as uow:
            user = await uow.users.get(UserId(ada.id))
            assert user is not None
            await uow.users.erase(user)
            raise ZeroDivisionError
    assert await process.name(ada) == ("Ada", Source.HIT)
    await world.sweep_all()
    assert await process.name(ada) == ("Ada", Source.HIT)


async def test_a_writer_that_has_not_heard_of_a_new_epoch_invalidates_in_it_too(
    world: World, process: Process, ada: UserView
) -> None:
    writer = await world.started()
    for _ in range(2):  # as far as epochs come while a poll is believed: a bulk statement, and its sweep
        await world.flush()
        await world.find_gap()
        ahead = await world.started()
        await ahead.warm_up(ada)
        assert writer.trust.place_of("") != ahead.trust.place_of("")
        ada = await writer.rename(ada, ada.first_name + "a")
        assert (await ahead.get(ada)).value == ada


async def test_a_writer_that_has_invalidates_in_the_old_one_too(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    restore = await world.snapshot()
    await world.flush()
    await world.find_gap()
    await restore()  # a cache with the first epoch, which this process believes for a moment yet
    assert await process.name(ada) == ("Ada", Source.HIT)
    await (await world.started()).rename(ada, "Augusta")
    assert await process.name(ada) == ("Augusta", Source.MISS)


async def test_a_writer_that_has_never_heard_of_any_epoch_leaves_it_to_a_sweep(
    world: World, process: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    new = world.process()
    await new.rename(ada, "Augusta")
    assert new.at_once.overdue.is_set()
    await new.sweep(0)
    assert await process.name(ada) == ("Augusta", Source.MISS)


async def test_what_was_stored_is_replaced_without_a_gap(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    await world.process(begin=lambda _: world.begin(tell_nobody)).rename(ada, "Augusta")
    stop = Stop("load", after=True)
    reader = InterceptedReader(world.user_reader, stop)
    async with stop.stopped(_replace(process, ada, reader)) as replacing:
        assert await other.name(ada) == ("Ada", Source.HIT)
    assert await replacing
    assert await other.name(ada) == ("Augusta", Source.HIT)


async def test_a_replacement_is_refused_after_an_invalidation(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    await process.warm_up(ada)
    stop = Stop("load", after=True)
    reader = InterceptedReader(world.user_reader, stop)
    async with stop.stopped(_replace(process, ada, reader)) as replacing:
        await other.rename(ada, "Augusta")
    await replacing
    assert process.told.fills[-1] is False
    assert await other.name(ada) == ("Augusta", Source.MISS)


async def test_a_replacement_whose_load_fails_leaves_what_is_there(
    world: World, process: Process, other: Process, ada: UserView
) -> None:
    await process.warm_up(ada)

    async def fail() -> UserView:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await process.replace(ada, fail)
    assert await other.name(ada) == ("Ada", Source.HIT)


async def _replace(process: Process, user: UserView, reader: InterceptedReader) -> bool:
    return await process.replace(user, lambda: reader.get(UserId(user.id)))
