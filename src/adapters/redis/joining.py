"""Looks that are asked for in one turn of the event loop travel together."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context

import attrs

from adapters.redis.client import read_many
from adapters.redis.entries import Undecodable, decode
from adapters.redis.keys import Keys
from adapters.redis.line import Line
from adapters.redis.scripts import REMOVE_IF_UNCHANGED
from adapters.redis.wire import Wires
from application.cache_ports import CacheUnavailable, Entry, Look, Place

UNDER_WAY_MAX = 1
"""So many are under way at once; who asks meanwhile waits for one of them to end, and joins the next."""
LOOKS_MAX = 256
"""So many looks travel together."""

Answer = asyncio.Future[Look]
Asked = tuple[Place, str, Answer, float]
"""What was asked for, by whom, and when."""
Wanted = dict[Place, dict[str, list[Answer]]]


@attrs.define(eq=False)
class JoinedLooks:
    """Reads keys together with their places' watermarks, with one MGET for all who ask at once.

    Nobody waits longer than for one call, and if one who asks is cancelled the others hear nothing of it.
    """

    _line: Line
    _wires: Wires
    _keys: Keys
    hits: int = attrs.field(default=0, init=False)
    misses: int = attrs.field(default=0, init=False)
    _waiting: list[Asked] = attrs.field(factory=list, init=False)
    _under_way: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    def look(self, place: Place, key: str) -> Answer:
        """Return what will hold what is there, or CacheUnavailable."""
        # Who joins others takes their loop: to ask which one runs is a call of the system in Python 3.11.
        loop = self._waiting[0][2].get_loop() if self._waiting else asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        try:
            self._line.refuse_if_open("look")
        except CacheUnavailable:
            _tell(answer, None)
            return answer
        if not self._waiting and len(self._under_way) < UNDER_WAY_MAX:
            loop.call_soon(self._send)
        self._waiting.append((place, key, answer, loop.time()))
        return answer

    async def aclose(self) -> None:
        """End what is under way; whoever waits hears that the cache is not available."""
        waiting, self._waiting = self._waiting, []
        for _, _, answer, _ in waiting:
            _tell(answer, None)
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _send(self) -> None:
        while self._waiting and len(self._under_way) < UNDER_WAY_MAX:
            batch, self._waiting = self._waiting[:LOOKS_MAX], self._waiting[LOOKS_MAX:]
            # In nobody's context: it belongs to no request, and to no unit of work.
            task = asyncio.create_task(self._carry_out(batch), context=Context())
            self._under_way.add(task)
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._send()

    async def _carry_out(self, batch: list[Asked]) -> None:
        wanted: Wanted = {}
        for place, key, answer, _ in batch:
            wanted.setdefault(place, {}).setdefault(key, []).append(answer)
        longest_wait_s = asyncio.get_running_loop().time() - batch[0][-1]
        try:
            await self._answer(wanted, await self._read(wanted, longest_wait_s))
        except CacheUnavailable:
            return
        finally:
            for _, _, answer, _ in batch:
                _tell(answer, None)

    async def _read(self, wanted: Wanted, waited_s: float) -> Iterator[bytes | None]:
        names: list[bytes] = []
        for place, keys in wanted.items():
            names.append(self._keys.watermark(place))
            prefix = self._keys.prefix(place)
            names.extend(prefix + key.encode() for key in keys)
        values = await self._line.call("look", lambda _: read_many(self._wires, names), waited_s=waited_s)
        return iter(values)

    async def _answer(self, wanted: Wanted, values: Iterator[bytes | None]) -> None:
        strange: list[tuple[bytes, bytes, list[Answer], Look]] = []
        for place, answers in wanted.items():
            watermark = read_number(next(values))
            for key, waiting in answers.items():
                value = next(values)
                if value is None:
                    look = Look(None, watermark)
                else:
                    try:
                        look = Look(decode(key.encode(), value), watermark)
                    except Undecodable:
                        look = Look(None, watermark, undecodable=True)
                        strange.append((self._keys.held(place, key), value, waiting, look))
                if isinstance(look.held, Entry):
                    self.hits += len(waiting)
                else:
                    self.misses += len(waiting)
                if not look.undecodable:
                    for answer in waiting:
                        _tell(answer, look)
        for name, value, waiting, look in strange:
            await self._remove(name, value)
            for answer in waiting:
                _tell(answer, look)

    async def _remove(self, name: bytes, value: bytes) -> None:
        """Remove what does not decode, unless something else stands there by now; if not, the next look will."""
        sha = hashlib.sha1(value, usedforsecurity=False).hexdigest()
        with suppress(CacheUnavailable):
            await self._line.call("remove", lambda client: REMOVE_IF_UNCHANGED.run(client, [name], sha))


def _tell(answer: Answer, look: Look | None) -> None:
    if answer.done():
        return
    if look is None:
        answer.set_exception(CacheUnavailable())
    else:
        answer.set_result(look)


def read_number(watermark: bytes | None) -> int | None:
    return int(watermark) if watermark is not None and watermark.isdigit() else None
