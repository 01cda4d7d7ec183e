"""No cache in a transaction: whoever forgets it is refused, on every way there, and only while it lasts."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import attrs
import pytest

from application.cache_ports import CachePort, Entry
from application.ports import UnitOfWork, UnitOfWorkFactory
from application.transaction_guard import CacheInTransaction
from application.views import UserView
from domain.events import Event
from domain.user import UserId
from tests.cache.world import ADA, Process, World
from tests.contract.people import person

Call = Callable[[CachePort, World], Awaitable[object]]

CALLS: dict[str, Call] = {
    "get": lambda cache, _: cache.get("k"),
    "get_many": lambda cache, _: cache.get_many(["k"]),
    "set": lambda cache, _: cache.set("k", b""),
    "set_many": lambda cache, _: cache.set_many([("k", b"", None)]),
    "delete": lambda cache, _: cache.delete("k"),
    "delete_prefix": lambda cache, _: cache.delete_prefix("k", limit=1),
    "look": lambda cache, world: _at(world, lambda place: cache.look(place, "k")),
    "follow": lambda cache, world: _at(world, lambda place: cache.follow(place, "k", "user:v1:")),
    "take_lease": lambda cache, world: _at(world, lambda place: cache.take_lease(place, "k", "t", lease_s=1)),
    "fill": lambda cache, world: _at(
        world, lambda place: cache.fill(place, "k", "t", Entry(1, b""), ttl_s=1)
    ),
    "invalidate": lambda cache, world: _at(world, lambda place: cache.invalidate([(place, "k")])),
    "sweep": lambda cache, world: _at(
        world, lambda place: cache.sweep(place, base=0, batch=10**9, keys=[("k", 0)])
    ),
    "begin": lambda cache, world: _at(world, lambda place: cache.begin(place, 1)),
}


async def _at(world: World, call: Callable[..., Awaitable[object]]) -> object:
    return await call(await world.placed())


def test_no_method_is_left_out() -> None:
    of_the_server = {"is_healthy", "figures"}  # and of nothing that is cached
    assert set(CALLS) == set(vars(CachePort)["__abstractmethods__"]) - of_the_server


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_every_method_of_the_cache_refuses_inside_a_unit_of_work(
    world: World, process: Process, call: Call
) -> None:
    await call(world.cache, world)
    async with process.unit_of_work():
        with pytest.raises(CacheInTransaction):
            await call(world.cache, world)
        with pytest.raises(CacheInTransaction):
            await asyncio.create_task(_called(call, world))
    await call(world.cache, world)


async def _called(call: Call, world: World) -> None:
    await call(world.cache, world)


@attrs.frozen
class ForgetfulUseCase:
    """Looks somebody up in the middle of a transaction, by a reader that it happens to hold."""

    unit_of_work: UnitOfWorkFactory
    look_up: Callable[[], Awaitable[object]]

    async def __call__(self) -> None:
        async with self.unit_of_work() as uow:
            await uow.users.add([person()])
            await self.look_up()
            await uow.commit()


async def _begun(process: Process, ada: UserView) -> None:
    process.reader.begin(UserId(ada.id))


@pytest.mark.parametrize(
    "cheat",
    (
        lambda process, ada: process.get(ada),
        _begun,
        lambda process, ada: process.reader.find_by_email(ada.email),
        lambda process, ada: asyncio.create_task(process.get(ada)),
        lambda process, ada: asyncio.gather(process.get(ada)),
        lambda process, ada: asyncio.wait_for(process.get(ada), 5),
        lambda process, ada: process.replace(ada, lambda: process.user_reader.get(UserId(ada.id))),
        lambda process, ada: process.sweep(0),
    ),
    ids=("by id", "begun", "by address", "task", "gather", "wait_for", "replace", "sweep"),
)
async def test_a_use_case_that_forgets_is_refused_and_changes_nothing(
    process: Process,
    other: Process,
    ada: UserView,
    cheat: Callable[[Process, UserView], Awaitable[object]],
) -> None:
    await other.rename(ada, "Amalia")  # something to sweep
    told: list[Sequence[Event]] = []

    async def remember(events: Sequence[Event]) -> None:
        told.append(events)

    process.announcer.subscribe(remember)
    with pytest.raises(CacheInTransaction):
        await ForgetfulUseCase(process.unit_of_work, lambda: cheat(other, ada))()
    assert told == []
    assert (await process.get(ada)).value is not None


async def test_a_task_started_inside_may_ask_when_it_has_ended(process: Process, ada: UserView) -> None:
    ended = asyncio.Event()

    async def ask_later() -> object:
        with pytest.raises(CacheInTransaction):
            await process.get(ada)
        await ended.wait()
        return (await process.get(ada)).value

    async with process.unit_of_work():
        task = asyncio.create_task(ask_later())
        await asyncio.sleep(0.005)
    ended.set()
    assert await task == ada


async def test_one_that_joins_a_flight_is_refused_as_well(process: Process, ada: UserView) -> None:
    """The flight belongs to somebody outside, who may load; who is inside must not share it."""
    outside = asyncio.create_task(process.get(ada))
    async with process.unit_of_work():
        with pytest.raises(CacheInTransaction):
            await process.get(ada)
    assert (await outside).value == ada


async def test_who_is_outside_is_not_caught_by_anothers_transaction(process: Process, ada: UserView) -> None:
    opened, answered = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with process.unit_of_work():
            opened.set()
            await answered.wait()
            with pytest.raises(CacheInTransaction):
                await process.get(ada)

    async def read() -> None:
        await opened.wait()
        assert (await process.get(ada)).value == ada
        assert (await process.get(ada)).value == ada
        answered.set()

    async with asyncio.timeout(20):
        await asyncio.gather(write(), read())


async def test_a_handler_of_events_may_ask_after_the_commit(process: Process) -> None:
    found: list[UserView | None] = []

    async def look_up(events: Sequence[Event]) -> None:
        found.append((await process.reader.find_by_email(ADA["email"])).value)
        found.append(await asyncio.create_task(_value(process)))

    process.announcer.subscribe(look_up)
    ada = await process.register(ADA)
    assert found == [ada, ada]


async def _value(process: Process) -> UserView | None:
    return (await process.reader.find_by_email(ADA["email"])).value


async def test_a_transaction_around_another_one_still_refuses_when_the_inner_one_has_ended(
    process: Process, ada: UserView
) -> None:
    async def nested(uow: UnitOfWork) -> None:
        async with uow:
            await uow.commit()

    async with process.unit_of_work() as outer:
        async with outer.savepoint():
            pass
        with pytest.raises(CacheInTransaction):
            await process.get(ada)
        # The store in memory has one unit of work at a time, and says so; a database has not.
        try:
            await nested(process.unit_of_work())
        except RuntimeError as refused:
            assert "another one inside it" in str(refused)  # noqa: PT017  # not every store raises it
        with pytest.raises(CacheInTransaction):
            await process.get(ada)
    assert (await process.get(ada)).value == ada
