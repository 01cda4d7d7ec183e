"""A scheduler that stops actors before each of their calls, and one that runs them in every order.

All that actors wait for are calls of ports. So nothing in the code under test has to know of this: an actor
stands before a call until it is let go, and then runs until it stands before its next one. What happens
within one call is one step of the server, or the store, in reality too.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import attrs

from tests.cache.intercepting import Around

T = TypeVar("T")

Choose = Callable[[Sequence[str]], str]
"""Chooses which of several actors goes on."""
Play = Callable[[Choose], Awaitable[None]]

_DEATH = "death of "
_actor: ContextVar[str | None] = ContextVar("actor", default=None)


@attrs.define(eq=False)
class Stepper(Around):
    """Stands around the ports of all actors. Calls of who is no actor pass.

    *after* names calls after which an actor is stopped as well: where what it does with the answer depends
    on something that others may change meanwhile.
    """

    after: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()
    mortal: frozenset[str] = frozenset()
    step: int = 0
    dead: str | None = None
    tasks: dict[str, asyncio.Task[Any]] = attrs.field(factory=dict)
    _works: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = attrs.field(factory=dict)
    _likes: dict[str, str | None] = attrs.field(factory=dict)
    _standing: dict[str, asyncio.Future[None]] = attrs.field(factory=dict)
    _calls: Counter[str] = attrs.field(factory=Counter)
    _idle: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        actor = _actor.get()
        if actor is None or name in self.passing:
            return await call()
        await self._stand(actor)
        self._calls[actor] += 1
        try:
            answer = await call()
        finally:
            self._calls[actor] -= 1
            self._idle.set()
        if name in self.after:
            await self._stand(actor)
        return answer

    def cast(
        self, actor: str, work: Callable[[], Coroutine[Any, Any, Any]], *, like: str | None = None
    ) -> None:
        """Let there be an actor, who begins when first chosen.

        One who does the same as the actor *like* begins after that one: the other orders would be the same.
        """
        self._works[actor] = work
        self._likes[actor] = like

    @property
    def options(self) -> list[str]:
        """Who can go on, or begin, or die, now."""
        able = [*self._standing, *(actor for actor in self._works if self._likes[actor] not in self._works)]
        deaths = [] if self.dead else [f"{_DEATH}{actor}" for actor in self._standing.keys() & self.mortal]
        return sorted([*able, *deaths])

    async def go_on(self, option: str) -> None:
        """Let an actor take a step, or die, and wait until nobody can do anything unless let.

        Who begins goes on to the answer of the first call: before it nothing is done that matters.
        """
        if option.startswith(_DEATH):
            self.dead = option.removeprefix(_DEATH)
            await self.kill([self.dead])
        elif option in self._works:
            await self._begin(option)
            if option in self._standing:
                await self._release(option)
        else:
            await self._release(option)

    async def _begin(self, actor: str) -> None:
        work = self._works.pop(actor)
        before = _actor.set(actor)
        self.tasks[actor] = asyncio.create_task(work())
        _actor.reset(before)
        await self.settle()

    async def _release(self, actor: str) -> None:
        self.step += 1
        self._standing.pop(actor).set_result(None)
        await self.settle()

    async def kill(self, actors: Iterable[str]) -> None:
        """End actors wherever they are; what they are about to ask for is not carried out."""
        self.step += 1
        for actor in actors:
            if actor in self._standing:
                self._standing.pop(actor).cancel()
            self.tasks[actor].cancel()
        await self.settle()

    async def settle(self) -> None:
        """Wait until all stand, or wait for one who stands."""
        ready: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if any(self._calls[actor] for actor in self._calls.keys() - self._standing.keys()):
                self._idle.clear()
                await self._idle.wait()
            elif not ready._ready:
                return

    async def _stand(self, actor: str) -> None:
        standing = asyncio.get_running_loop().create_future()
        self._standing[actor] = standing
        self._idle.set()
        await standing


async def run(stepper: Stepper, choose: Choose) -> None:
    """Let all actors go on, as *choose* says, until they have ended."""
    while options := stepper.options:
        await stepper.go_on(choose(options))
    for actor, task in stepper.tasks.items():
        assert task.done(), f"{actor} waits for ever"
        if actor != stepper.dead:
            task.result()


async def in_every_order(play: Play, *, at_most: int | None = None) -> int:
    """Play again and again until every order has been run, and return how many there were."""
    prefix: list[int] = []
    orders = 0
    while True:
        taken: list[tuple[int, int]] = []
        await play(partial(_chosen, prefix, taken))
        orders += 1
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken or orders == at_most:
            return orders
        prefix = [number for number, _ in taken[:-1]] + [taken[-1][0] + 1]


def _chosen(prefix: Sequence[int], taken: list[tuple[int, int]], options: Sequence[str]) -> str:
    """Choose as *prefix* says, and then whoever is first; write down what was chosen of how many."""
    place = len(taken)
    number = prefix[place] if place < len(prefix) else 0
    taken.append((number, len(options)))
    return options[number]
