"""Real processes that are killed at every call of a write and of a sweep: no invalidation is lost."""

import asyncio
import signal
import sys

import pytest

from adapters.redis.cache import RedisCache
from application.observing import Source
from application.views import UserView
from tests.cache.world import Process, ServersWorld, World

pytestmark = [pytest.mark.servers, pytest.mark.parametrize("open_world", ("servers",), indirect=True)]
MOMENTS_MAX = 40


async def until_it_lives(what: str, moment: int, world: World, ada: UserView, valkey_url: str) -> bool:
    """Run the dying process; tell whether it has outlived all its moments."""
    assert isinstance(world, ServersWorld)
    assert isinstance(world.cache, RedisCache)
    database_url = world.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    dying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cache.dying", what, str(moment), database_url, valkey_url),
        *(world.cache._keys.namespace, str(ada.id)),
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    status = await asyncio.wait_for(dying.wait(), 30)
    assert status in {0, -signal.SIGKILL}
    return status == 0


async def test_a_writer_that_is_killed_anywhere_leaves_nothing_stale(
    world: World, process: Process, ada: UserView, valkey_url: str
) -> None:
    for moment in range(MOMENTS_MAX):
        await process.rename(ada, "Before")
        await world.sweep_all()
        await process.trust.renew()
        await process.warm_up(ada)
        has_lived = await until_it_lives("write", moment, world, ada, valkey_url)
        await process.get(ada)  # and caches what is there, if nothing is any more
        await world.sweep_all()
        await world.check(ada)
        if has_lived:
            assert moment >= 6  # before and after: the change, what is told of it, and the deletion
            return
    raise AssertionError("It never lived.")


@pytest.mark.parametrize("is_lost", (False, True), ids=("as it was", "with its memory lost"))
async def test_a_sweeper_that_is_killed_anywhere_leaves_nothing_stale(
    world: World, process: Process, ada: UserView, valkey_url: str, *, is_lost: bool
) -> None:
    """With the cache's memory lost, the sweep finds a gap and begins an epoch."""
    for moment in range(MOMENTS_MAX):
        await process.warm_up_after_renewal(ada)
        await world.rename_by_hand(ada, f"Hand {moment}")
        if is_lost:
            await world.flush()
        has_lived = await until_it_lives("sweep", moment, world, ada, valkey_url)
        await world.sweep_all()
        await world.check(ada)
        await world.find_gap()  # an epoch may have been begun that the store did not hear of
        await world.sweep_all()
        await process.warm_up_after_renewal(ada)
        assert await process.name(ada) == (f"Hand {moment}", Source.HIT)
        if has_lived:
            assert moment >= 8  # before and after: taking, the script, settling, keeping
            return
    raise AssertionError("It never lived.")
