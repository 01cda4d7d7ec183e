"""A request that is cancelled at any await of its write leaves nothing stale behind."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, TypeVar

import attrs
import pytest

from application.views import UserView
from domain.events import Event
from domain.user import UserId
from tests.cache.intercepting import InterceptedCache
from tests.cache.test_writing import come_back, readdress
from tests.cache.world import ADA, MemoryWorld, Process, World

T = TypeVar("T")
Write = Callable[[Process, UserView], Awaitable[object]]


@attrs.define(eq=False)
class CancelledAt(Awaitable[T]):
    """Other work, whose task is cancelled where it waits for the so many-th time."""

    work: Awaitable[T]
    number: int
    waits: int = 0

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self.work.__await__()
        step: Callable[[], Any] = lambda: next(steps)  # noqa: E731  # it changes from turn to turn
        while True:
            try:
                awaited = step()
            except StopIteration as end:
                result: T = end.value
                return result
            if self.waits == self.number:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            self.waits += 1
            try:
                yield awaited
            except BaseException as error:  # noqa: BLE001  # it belongs to the work
                step = _thrown(steps, error)
            else:
                step = steps.__next__


def _thrown(steps: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(error)


async def wait_a_moment(name: str, call: Callable[[], Awaitable[T]]) -> T:
    """Be something to wait for, where the adapters in memory are none."""
    await asyncio.sleep(0)
    answer = await call()
    await asyncio.sleep(0)
    return answer


@pytest.mark.parametrize("write", (readdress, come_back), ids=lambda write: getattr(write, "__name__", ""))
async def test_nothing_stale_is_left_wherever_it_was(
    world: World, process: Process, other: Process, write: Write
) -> None:
    writer = await world.started(cache=InterceptedCache(world.cache, wait_a_moment))
    told: list[Event] = []

    async def tell(events: Sequence[Event]) -> None:
        await asyncio.sleep(0)
        told.extend(events)

    writer.announcer._subscribers.insert(0, tell)
    number, changed = 0, 0
    while True:
        ada = await process.register({**ADA, "email": f"ada{number}@example.com"})
        await world.sweep_all()
        for reading in (process, other):
            await reading.trust.renew()
        await other.warm_up(ada)
        told.clear()
        cancelled = CancelledAt(write(writer, ada), number)
        task = asyncio.create_task(_awaited(cancelled))
        await asyncio.wait([task])
        changed += bool(told)
        if isinstance(world, MemoryWorld):  # where a cancelled commit tells nobody
            await world.sweep_all()
        stored = await world.user_reader.get(UserId(ada.id))
        for reading in (other, process):
            assert (await reading.get(ada)).value == stored
            found = await reading.reader.find_by_email(ada.email)
            assert found.value == await world.user_reader.find_by_email(ada.email)
        await world.sweep_all()
        await world.check(ada)
        await process.remove(UserId(ada.id), erase=True)
        await _forget_who_came_back(world, process)
        if not task.cancelled():
            task.result()
            break
        number += 1
    assert number >= changed > 1
    if not isinstance(world, MemoryWorld):
        assert number > 5


async def _awaited(work: Awaitable[T]) -> T:
    return await work


async def _forget_who_came_back(world: World, process: Process) -> None:
    """Let nobody have the addresses that the writes use."""
    for email in (ADA["email"], "else@example.com"):
        left = await world.user_reader.find_by_email(email)
        if left is not None:
            await process.remove(UserId(left.id), erase=True)
