"""A process that is killed at any call of a write, or of a sweep, loses no invalidation."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from adapters.redis.cache import RedisCache
from application.observing import Source
from application.views import UserView
from domain.user import UserId
from tests.cache.conftest import OpenWorld
from tests.cache.intercepting import InterceptedCache
from tests.cache.stopping import Stop
from tests.cache.world import ADA, Process, World

pytestmark = pytest.mark.servers

PROJECT = Path(__file__).parents[2]


@pytest.fixture(params=("servers",))
def open_world(open_world: OpenWorld) -> OpenWorld:
    """Real processes need real servers."""
    return open_world


@attrs.define(eq=False)
class Mortals:
    """Starts processes that do one task each and die in it."""

    process: asyncio.subprocess.Process

    async def do(self, **task: Any) -> str:
        """Return where it died; "" if there was no such call."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(task).encode() + b"\n")
        answer = json.loads(await self.process.stdout.readline())
        assert answer["signal"] == (signal.SIGKILL if answer["where"] else 0)
        assert answer["status"] == 0
        where: str = answer["where"]
        return where


@pytest.fixture
async def mortals(world: World, database_url: str, valkey_url: str) -> AsyncIterator[Mortals]:
    assert isinstance(world.cache, RedisCache)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cache.dying", database_url, valkey_url),
        world.cache._keys.namespace,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "src:."},
    )
    yield Mortals(process)
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0


async def die_everywhere(
    world: World, process: Process, kill: Callable[[UserView, int, bool], Awaitable[str]]
) -> list[str]:
    """Let somebody die before and after every call, check what is left each time; return where they died."""
    died: list[str] = []
    number = 0
    while True:
        for after in (False, True):
            ada = await process.register({**ADA, "email": f"ada{number}{after}@example.com"})
            await world.sweep_all()
            await process.trust.renew()
            await process.warm_up(ada)
            where = await kill(ada, number, after)
            await world.sweep_all()
            await world.find_gap()
            await world.sweep_all()
            await world.check(ada)
            await process.trust.renew()
            assert (await process.get(ada)).value == await world.user_reader.get(UserId(ada.id))
            died.append(where)
        if not where:
            return [where for where in died if where]
        number += 1


async def test_in_a_write(world: World, process: Process, mortals: Mortals) -> None:
    changed: list[tuple[str, bool]] = []

    async def write(ada: UserView, number: int, after: bool) -> str:  # noqa: FBT001  # as told by the caller
        values = {"first_name": "Augusta", "email": f"augusta{number}{after}@example.com"}
        where = await mortals.do(work="write", user=str(ada.id), values=values, number=number, after=after)
        changed.append((where, (await world.user_reader.get(UserId(ada.id))) != ada))
        return where

    died = await die_everywhere(world, process, write)
    calls = ("begin work", "get", "save", "commit", "tell", "invalidate")
    assert set(died) == {f"{when} {call}" for when in ("before", "after") for call in calls}
    committed = {"after commit", "before tell", "after tell", "before invalidate", "after invalidate", ""}
    assert {where for where, is_changed in changed if is_changed} == committed


async def test_in_a_sweep(world: World, process: Process, mortals: Mortals) -> None:
    async def sweep(ada: UserView, number: int, after: bool) -> str:  # noqa: FBT001  # as told by the caller
        await world.rename_by_hand(ada, "Augusta")
        return await mortals.do(work="sweep", number=number, after=after)

    died = await die_everywhere(world, process, sweep)
    calls = ("take", "sweep", "acknowledge", "keep")
    assert set(died) == {f"{when} {call}" for when in ("before", "after") for call in calls}


async def test_in_a_sweep_that_finds_an_empty_cache(world: World, process: Process, mortals: Mortals) -> None:
    async def sweep(ada: UserView, number: int, after: bool) -> str:  # noqa: FBT001  # as told by the caller
        await world.rename_by_hand(ada, "Augusta")
        await world.flush()
        return await mortals.do(work="sweep", number=number, after=after)

    died = await die_everywhere(world, process, sweep)
    calls = ("take", "sweep", "deliver_again", "begin", "keep", "poll")
    assert set(died) == {f"{when} {call}" for when in ("before", "after") for call in calls}


async def test_in_a_sweep_that_finds_a_cache_put_back(
    world: World, process: Process, mortals: Mortals
) -> None:
    async def sweep(ada: UserView, number: int, after: bool) -> str:  # noqa: FBT001  # as told by the caller
        restore = await world.snapshot()
        await world.rename_by_hand(ada, "Augusta")
        await world.sweep_all()
        await restore()
        await world.rename_by_hand(ada, "Amalia")
        return await mortals.do(work="sweep", number=number, after=after)

    died = await die_everywhere(world, process, sweep)
    calls = ("take", "sweep", "deliver_again", "keep", "poll")
    assert set(died) == {f"{when} {call}" for when in ("before", "after") for call in calls}


@pytest.mark.parametrize("after", (False, True))
async def test_a_request_that_is_cancelled_while_the_cache_is_told_ends_when_it_has_been(
    world: World, process: Process, other: Process, ada: UserView, *, after: bool
) -> None:
    await other.warm_up(ada)
    stop = Stop("invalidate", after=after)
    writer = await world.started(cache=InterceptedCache(world.cache, stop))
    async with stop.stopped(writer.rename(ada, "Augusta")) as writing:
        writing.cancel()
        await stop.turns(3)
        assert not writing.done()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await other.name(ada) == ("Augusta", Source.MISS)
