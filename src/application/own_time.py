"""Time-outs that do not take this process's own stalls for the silence of somebody else."""

import asyncio
from types import TracebackType

PARTS = 10
"""In so many parts the time passes; one in which the event loop was held up counts like any other."""
TURNS_TO_READ = 10
"""So many turns the event loop has in the end, for answers that are there and have only to be read."""


class OwnTimeout:
    """A context like ``asyncio.timeout``; without a stall it lasts as long, and with one longer by the stall.

    On a busy machine, and after a pause, both an answer and the end of the time wait for the event loop.
    ``asyncio.timeout`` then takes the side of the end, whatever has been answered.
    """

    __slots__ = ("_handle", "_left", "_part_s", "_timeout")

    _handle: asyncio.Handle

    def __init__(self, seconds: float) -> None:
        self._part_s = seconds / PARTS
        self._left = PARTS
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._handle = asyncio.get_running_loop().call_later(self._part_s, self._pass)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._handle.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _pass(self) -> None:
        loop = asyncio.get_running_loop()
        self._left -= 1
        if self._left > 0:
            self._handle = loop.call_later(self._part_s, self._pass)
        elif self._left > -TURNS_TO_READ:
            self._handle = loop.call_soon(self._pass)
        else:
            self._timeout.reschedule(loop.time())
