"""Readers, writers and a sweeper in every order of their calls: no stale hit, and nothing stale that settles."""

from collections.abc import Awaitable, Callable

import pytest

from adapters.redis.cache import RedisCache
from tests.cache.scenes import Scene, without_timers
from tests.cache.stepping import Choose, in_every_order
from tests.cache.world import MemoryWorld, ValkeyWorld, World, raw_client, valkey_clients

Cast = Callable[[Scene], Awaitable[None]]


@pytest.fixture(autouse=True)
def timers(monkeypatch: pytest.MonkeyPatch) -> None:
    without_timers(monkeypatch)


async def reader_writer_sweeper(scene: Scene) -> None:
    reading, writing, sweeping = [await scene.process() for _ in range(3)]
    scene.stepper.cast("reader", lambda: scene.read(reading))
    scene.stepper.cast("writer", lambda: scene.write(writing))
    scene.stepper.cast("sweeper", lambda: scene.sweep(sweeping))


async def two_readers_and_a_writer(scene: Scene) -> None:
    for name in ("reader 1", "reader 2"):
        reading = await scene.process()
        scene.stepper.cast(name, lambda reading=reading: scene.read(reading))
    writing = await scene.process()
    scene.stepper.cast("writer", lambda: scene.write(writing))


async def two_readers_of_one_process_and_a_writer(scene: Scene) -> None:
    reading, writing = await scene.process(), await scene.process()
    for name in ("reader 1", "reader 2"):
        scene.stepper.cast(name, lambda: scene.read(reading))
    scene.stepper.cast("writer", lambda: scene.write(writing))


async def all_in_one_process(scene: Scene) -> None:
    process = await scene.process()
    for name in ("reader 1", "reader 2"):
        scene.stepper.cast(name, lambda: scene.read(process))
    scene.stepper.cast("writer", lambda: scene.write(process))


async def reader_and_two_writers(scene: Scene) -> None:
    reading = await scene.process()
    scene.stepper.cast("reader", lambda: scene.read(reading))
    for name in ("writer 1", "writer 2"):
        writing = await scene.process()
        scene.stepper.cast(name, lambda writing=writing: scene.write(writing))


async def orders_of(cast: Cast, new_world: Callable[[], World]) -> int:
    async def play(choose: Choose) -> None:
        scene = await Scene.opened(new_world())
        await cast(scene)
        await scene.play(choose)

    return await in_every_order(play)


@pytest.mark.parametrize(
    "cast",
    (
        reader_writer_sweeper,
        two_readers_and_a_writer,
        two_readers_of_one_process_and_a_writer,
        all_in_one_process,
        reader_and_two_writers,
    ),
)
async def test_in_memory(cast: Cast) -> None:
    import time

    t = time.time()
    orders = await orders_of(cast, MemoryWorld.empty)
    print(cast.__name__, orders, "orders", time.time() - t)


@pytest.mark.servers
@pytest.mark.parametrize("cast", (reader_writer_sweeper, two_readers_and_a_writer))
async def test_on_valkey(cast: Cast, valkey_url: str) -> None:
    import time

    t = time.time()
    async with valkey_clients(valkey_url) as new_cache, raw_client(valkey_url) as raw:
        orders = await orders_of(cast, lambda: ValkeyWorld.of(new_cache(), raw))
    print(cast.__name__, orders, "orders", time.time() - t)
