"""An end to waiting, for all requests with one timer: one for each would cost more than a look into the cache."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import attrs

T = TypeVar("T")

_LOOKS = 60
"""So often, in the time that one may take, it is looked whether anybody takes longer."""


@attrs.define(eq=False)
class Patience:
    """Gives up what takes longer than *seconds*, and up to a sixtieth more."""

    seconds: float
    _since: dict[asyncio.Task[Any], float] = attrs.field(factory=dict, init=False)
    """Who waits, the longest first."""
    _given_up: set[asyncio.Task[Any]] = attrs.field(factory=set, init=False)
    _is_looking: bool = attrs.field(default=False, init=False)

    async def wait_for(self, work: Awaitable[T]) -> T:
        """Return what comes of *work*; a task waits for one thing at a time. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("Only a task can wait.")
        self._since[task] = loop.time()
        if not self._is_looking:
            self._is_looking = True
            loop.call_later(self.seconds / _LOOKS, self._look, loop)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._given_up and not task.uncancel():
                raise TimeoutError from None
            raise
        finally:
            del self._since[task]
            self._given_up.discard(task)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - self.seconds
        for task, since in self._since.items():
            if since > latest:
                break
            if task not in self._given_up:
                self._given_up.add(task)
                task.cancel()
        self._is_looking = bool(self._since)
        if self._is_looking:
            loop.call_later(self.seconds / _LOOKS, self._look, loop)
