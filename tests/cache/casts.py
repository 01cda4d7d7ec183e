"""Who acts in a scene: what the orders are the orders of."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.cache.scenes import Scene
from tests.cache.stepping import Choose, in_every_order
from tests.cache.world import Process, World

Cast = Callable[[Scene], Awaitable[None]]
LONG_S = 4.0
"""Longer than the bound."""


async def reader_writer_sweeper(scene: Scene) -> None:
    reading, writing, sweeping = [await scene.process() for _ in range(3)]
    scene.stepper.cast("reader", lambda: scene.read(reading))
    scene.stepper.cast("writer", lambda: scene.write(writing))
    scene.stepper.cast("sweeper", lambda: scene.sweep(sweeping))


async def one_of_them_dies(scene: Scene) -> None:
    await reader_writer_sweeper(scene)
    scene.stepper.mortal = frozenset({"reader", "writer", "sweeper"})


async def two_readers_and_a_writer(scene: Scene) -> None:
    first, second, writing = [await scene.process() for _ in range(3)]
    scene.stepper.cast("reader 1", lambda: scene.read(first))
    scene.stepper.cast("reader 2", lambda: scene.read(second), like="reader 1")
    scene.stepper.cast("writer", lambda: scene.write(writing))


async def all_in_one_process(scene: Scene) -> None:
    process = await scene.process()
    scene.stepper.cast("reader 1", lambda: scene.read(process))
    scene.stepper.cast("reader 2", lambda: scene.read(process), like="reader 1")
    scene.stepper.cast("writer", lambda: scene.write(process))


async def reader_and_two_writers(scene: Scene) -> None:
    reading, first, second = [await scene.process() for _ in range(3)]
    scene.stepper.cast("reader", lambda: scene.read(reading))
    scene.stepper.cast("writer 1", lambda: scene.write(first))
    scene.stepper.cast("writer 2", lambda: scene.write(second), like="writer 1")


async def paused_reader(scene: Scene) -> None:
    """Stands for long between the cache's answer and its judgement, while somebody writes by hand."""
    scene.stepper.after = frozenset({"look"})
    reading = await scene.process()
    await reading.warm_up(scene.ada)
    scene.stepper.cast("reader", lambda: scene.read(reading))
    scene.stepper.cast("hand", scene.write_by_hand)
    scene.stepper.cast("poll", lambda: scene.poll(reading))
    scene.stepper.cast("time", lambda: scene.pass_time(LONG_S))


async def dying_sweeper(scene: Scene) -> None:
    """May die at any call, after somebody wrote by hand, and nobody else sweeps for long."""
    reading, sweeping = [await scene.process() for _ in range(2)]
    await reading.warm_up(scene.ada)
    await scene.write_by_hand()
    scene.stepper.mortal = frozenset({"sweeper"})
    scene.stepper.cast("sweeper", lambda: scene.sweep(sweeping))
    scene.stepper.cast("poll", lambda: poll_after_long(scene, reading))
    scene.stepper.cast("reader", lambda: scene.read(reading))


async def poll_after_long(scene: Scene, process: Process) -> None:
    await scene.pass_time(LONG_S)
    await scene.poll(process)


async def failover(scene: Scene) -> None:
    """Loses what the cache was told, at any moment of a sweep that goes well."""
    await dying_sweeper(scene)
    scene.stepper.mortal = frozenset()
    restore = await scene.world.snapshot()
    scene.stepper.cast("failover", lambda: scene.restore(restore))


async def orders_of(cast: Cast, new_world: Callable[[], World], **kinds: Any) -> int:
    """Play a cast in every order and return how many there were. Raises Violation."""

    async def play(choose: Choose) -> None:
        scene = await Scene.opened(new_world(), **kinds)
        await cast(scene)
        await scene.play(choose)

    return await in_every_order(play)
