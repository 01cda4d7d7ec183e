"""Random lives of a cache: actors that are stopped at any call, or die there, while the cache loses its memory."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from application.sweeping import TidyOutbox
from domain.user import UserId
from tests.cache.scenes import Commit, Scene
from tests.cache.stepping import Stepper
from tests.cache.world import MemoryWorld, Process, Restore, World

T = TypeVar("T")
OpenWorld = Callable[[], AbstractAsyncContextManager[World]]

_ACTORS_MAX = 5
_FAULTS_MAX = 4
_numbers = st.integers(0, 2)
_steps = st.sampled_from((0, 1, 2, 3, 4, 5, 99))
_actors = st.integers(0, _ACTORS_MAX - 1)


@asynccontextmanager
async def memory_world() -> AsyncIterator[World]:
    yield MemoryWorld.empty()


class CacheMachine(RuleBasedStateMachine):
    """Three processes read, write, sweep and poll, a call at a time; whoever is not chosen is paused.

    The scene raises Violation as soon as a read breaks G2 or the bound, and in the end if a stale value has
    settled.
    """

    open_world: ClassVar[OpenWorld]
    kinds: ClassVar[dict[str, Any]] = {}
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._names = itertools.count(1)
        self._faults = 0
        self._restores: list[Restore] = []
        self._processes: list[Process] = []
        self._owners: dict[str, Process] = {}

    @initialize(warm=st.booleans())
    def open(self, *, warm: bool) -> None:
        self._do(self._open(warm=warm))

    async def _open(self, *, warm: bool) -> None:
        world = await self._stack.enter_async_context(type(self).open_world())
        stepper = Stepper(after=frozenset({"look", "load", "poll"}))
        self._scene = await Scene.opened(world, stepper, **self.kinds)
        self._processes = [await self._scene.process() for _ in range(3)]
        if warm:
            await self._processes[0].warm_up(self._scene.ada)

    def teardown(self) -> None:
        try:
            if self._processes:
                self._do(self._close())
        finally:
            self._runner.run(self._stack.aclose())
            self._runner.close()

    async def _close(self) -> None:
        await self._scene.end()
        self._count()
        await self._scene.check_end()

    def _count(self) -> None:
        self.seen["lives"] += 1
        self.seen["commits"] += len(self._scene.commits)
        for read in self._scene.reads:
            self.seen[f"reads {read.source}"] += 1
        for process in {*self._processes, *self._owners.values()}:
            self.seen["gaps"] += len(process.told.gaps)
            self.seen["refused fills"] += process.told.fills.count(False)
            for bypass, number in process.told.bypasses.items():
                self.seen[f"bypass {bypass}"] += number

    @precondition(lambda self: self._has_room)
    @rule(
        what=st.sampled_from(("read", "read", "write", "sweep", "hand", "poll")),
        number=_numbers,
        steps=_steps,
    )
    def begin(self, what: str, number: int, steps: int) -> None:
        """Let a process begin something, and take so many steps unless it has to wait for another."""
        scene = self._scene
        acts = {"read": scene.read, "write": scene.write, "sweep": scene.sweep, "poll": scene.poll}
        actor = self._begin(acts.get(what, self._write_by_hand), number)
        for _ in range(steps):
            if actor in self._options:
                self._do(scene.stepper.go_on(actor))

    @precondition(lambda self: self._options)
    @rule(numbers=st.lists(_actors, min_size=1, max_size=12))
    def go_on(self, numbers: list[int]) -> None:
        for number in numbers:
            if self._options:
                self._do(self._scene.stepper.go_on(self._options[number % len(self._options)]))

    @rule(number=_numbers, sweeps=st.booleans())
    def keep_up(self, number: int, *, sweeps: bool) -> None:
        """Let every process poll, as they do all the time, and one of them sweep."""
        if sweeps:
            self._do(self._processes[number].sweep(0))
        for process in self._processes:
            self._do(process.trust.renew())

    @rule(seconds=st.sampled_from((0.1, 0.2, 0.3, 0.6, 1.1, 2.1, 5.1)))
    def time_goes_on(self, seconds: float) -> None:
        self._do(self._scene.world.pass_time(seconds))

    @precondition(lambda self: self._faults < _FAULTS_MAX)
    @rule(what=st.sampled_from(("copy", "failover", "flush", "watermark", "death", "tidy")), number=_numbers)
    def something_befalls_them(self, what: str, number: int) -> None:
        world = self._scene.world
        match what:
            case "copy":
                self._restores = [*self._restores, self._do(world.snapshot())][-3:]
            case "failover" if self._restores:
                self._do(self._restores[number % len(self._restores)]())
                self._scene.forget_what_was_told()
            case "flush":
                self._do(world.flush())
            case "watermark":
                self._do(self._lose_watermark())
            case "death":
                self._do(self._replace(number))
            case "tidy":
                self._do(TidyOutbox(world.log)())
            case _:
                return
        self._faults += 1
        self.seen[what] += 1

    async def _replace(self, number: int) -> None:
        """Let a process die with all that it does, and another one start."""
        stepper, process = self._scene.stepper, self._processes[number]
        dying = [actor for actor in stepper.tasks if self._owners[actor] is process]
        await stepper.kill(dying)
        for actor in dying:
            del stepper.tasks[actor]
        self._processes[number] = await self._scene.process()

    @invariant()
    def nobody_has_found_a_violation(self) -> None:
        if not self._processes:
            return
        for actor, task in list(self._scene.stepper.tasks.items()):
            if task.done():
                del self._scene.stepper.tasks[actor]
                task.result()
        self._do(self._peek())

    async def _peek(self) -> None:
        """Look at what every process would serve now, also one that has just polled."""
        fresh = await self._scene.process()
        for process in (*self._processes, fresh):
            await self._scene.peek(process)

    async def _lose_watermark(self) -> None:
        await self._scene.world.lose_watermark(await self._scene.world.placed())

    async def _write_by_hand(self, _: Process) -> None:
        world, ada = self._scene.world, self._scene.ada
        name = f"Ada {next(self._names)}"
        await world.rename_by_hand(ada, name)
        stored = await world.user_reader.get(UserId(ada.id))
        assert stored is not None
        self._scene.commits.append(Commit(stored.version, self._scene.stepper.step, world.monotonic()))

    @property
    def _options(self) -> list[str]:
        return self._scene.stepper.options if self._processes else []

    @property
    def _has_room(self) -> bool:
        return bool(self._processes) and len(self._scene.stepper.tasks) < _ACTORS_MAX

    def _begin(self, work: Callable[[Process], Awaitable[None]], number: int) -> str:
        async def act() -> None:
            await work(self._processes[number])

        stepper = self._scene.stepper
        actor = f"actor {next(self._names)}"
        stepper.cast(actor, act)
        self._owners[actor] = self._processes[number]
        self._do(stepper.go_on(actor))
        return actor

    def _do(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        # A run of the runner takes more than most steps: it prepares for Ctrl-C each time.
        return self._runner.get_loop().run_until_complete(wait())
