"""A scheduler that stops actors before each of their calls, and one that runs them in every order.

All that actors wait for are calls of ports. So nothing in the code under test has to know of this: an actor
stands before a call until it is let go, and then runs until it stands before its next one. What happens
within one call is one step of the server, or the store, in reality too.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import attrs

from tests.cache.intercepting import Around

T = TypeVar("T")

Choose = Callable[[Sequence[str]], str]
"""Chooses which of several actors goes on."""
Play = Callable[[Choose], Awaitable[None]]

_actor: ContextVar[str | None] = ContextVar("actor", default=None)


@attrs.define(eq=False)
class Stepper(Around):
    """Stands around the ports of all actors. Calls of who is no actor pass.

    *after* names calls after which an actor is stopped as well: where what it does with the answer depends
    on something that others may change meanwhile.
    """

    after: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()
    step: int = 0
    tasks: dict[str, asyncio.Task[Any]] = attrs.field(factory=dict)
    _works: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = attrs.field(factory=dict)
    _standing: dict[str, asyncio.Future[None]] = attrs.field(factory=dict)
    _names: dict[str, str] = attrs.field(factory=dict)
    _calls: Counter[str] = attrs.field(factory=Counter)
    _idle: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def __call__(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        actor = _actor.get()
        if actor is None or name in self.passing:
            return await call()
        await self._stand(actor, name)
        self._calls[actor] += 1
        try:
            answer = await call()
        finally:
            self._calls[actor] -= 1
            self._idle.set()
        if name in self.after:
            await self._stand(actor, f"{name} answered")
        return answer

    def cast(self, actor: str, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Let there be an actor, who begins when first chosen, and stands before the first call then."""
        self._works[actor] = work

    @property
    def options(self) -> list[str]:
        """Who can go on, or begin, now."""
        return sorted({*self._works, *self._standing})

    def stands_at(self, actor: str) -> str:
        """Return before which call *actor* stands; "" for one that has yet to begin."""
        return self._names.get(actor, "")

    async def go_on(self, actor: str) -> None:
        """Let *actor* take a step, and wait until nobody can do anything unless let."""
        self.step += 1
        work = self._works.pop(actor, None)
        if work is None:
            self._standing.pop(actor).set_result(None)
        else:
            before = _actor.set(actor)
            self.tasks[actor] = asyncio.create_task(work())
            _actor.reset(before)
        await self.settle()

    async def kill(self, actor: str) -> None:
        """End *actor* where it stands; what it has asked for is not carried out."""
        self.step += 1
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

    async def _stand(self, actor: str, name: str) -> None:
        standing = asyncio.get_running_loop().create_future()
        self._standing[actor] = standing
        self._names[actor] = name
        self._idle.set()
        await standing


async def run(stepper: Stepper, choose: Choose, *, begins_with_a_call: bool = True) -> None:
    """Let all actors go on, as *choose* says, until they have ended. Who begins goes on to its first answer."""
    while options := stepper.options:
        actor = choose(options)
        begins = not stepper.stands_at(actor)
        await stepper.go_on(actor)
        if begins and begins_with_a_call and stepper.stands_at(actor) and actor in stepper.options:
            await stepper.go_on(actor)
    for actor, task in stepper.tasks.items():
        assert task.done(), f"{actor} waits for ever"
        task.result()


async def in_every_order(play: Play, *, at_most: int | None = None) -> int:
    """Play again and again until every order has been run, and return how many there were."""
    prefix: list[int] = []
    orders = 0
    while True:
        taken: list[tuple[int, int]] = []

        def choose(options: Sequence[str], taken: list[tuple[int, int]] = taken) -> str:
            place = len(taken)
            number = prefix[place] if place < len(prefix) else 0
            taken.append((number, len(options)))
            return options[number]

        await play(choose)
        orders += 1
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken or orders == at_most:
            return orders
        prefix = [number for number, _ in taken[:-1]] + [taken[-1][0] + 1]
