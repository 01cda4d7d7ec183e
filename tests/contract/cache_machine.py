"""Random lives of a cache: any steps in any order, on several kinds that must answer alike."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from application.cache_ports import CachePort, Entry, Place, Swept

PLACES = [Place(0, 1), Place(0, 2)]
KEYS = ["a", "b", "ключ"]
TOKENS = ["t", "u", "0123456789abcdef"]
LONG_S = 600.0

places = st.sampled_from(PLACES)
keys = st.sampled_from(KEYS)
tokens = st.sampled_from(TOKENS)
versions = st.sampled_from([0, 1, 2, 3, 2**32, 2**53, 2**53 + 1])
entries = st.builds(Entry, versions, st.sampled_from([b"", b"x", b"\0" * 40]))
numbers = st.integers(0, 12)

OpenCache = Callable[[], AbstractAsyncContextManager[CachePort]]


class CacheMachine(RuleBasedStateMachine):
    """Every step is done on all *caches*, which must answer alike and hold the same afterwards."""

    caches: ClassVar[Sequence[OpenCache]]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.ports = self.runner.run(self._open())

    async def _open(self) -> Sequence[CachePort]:
        return [await self.stack.enter_async_context(opened()) for opened in self.caches]

    def teardown(self) -> None:
        try:
            self.runner.run(self._compare())
            self.runner.run(self.stack.aclose())
        finally:
            self.runner.close()

    async def _compare(self) -> None:
        for place in PLACES:
            for key in KEYS:
                looks = [await port.look(place, key) for port in self.ports]
                assert all(look == looks[0] for look in looks), (place, key, looks)
        values = [await port.get_many(KEYS) for port in self.ports]
        assert all(value == values[0] for value in values), values

    def on_all(self, step: Callable[[CachePort], Awaitable[object]]) -> None:
        async def take() -> list[object]:
            return [await step(port) for port in self.ports]

        answers = self.runner.run(take())
        assert all(answer == answers[0] for answer in answers), answers

    @rule(place=places, key=keys)
    def look(self, place: Place, key: str) -> None:
        self.on_all(lambda cache: cache.look(place, key))

    @rule(place=places, key=keys, token=tokens, renewing=st.booleans())
    def take_lease(self, place: Place, key: str, token: str, *, renewing: bool) -> None:
        self.on_all(lambda cache: cache.take_lease(place, key, token, lease_s=LONG_S, renewing=renewing))

    @rule(place=places, key=keys, token=tokens, entry=entries)
    def fill(self, place: Place, key: str, token: str, entry: Entry) -> None:
        self.on_all(lambda cache: cache.fill(place, key, token, entry, ttl_s=LONG_S))

    @rule(place=places, key=keys, token=tokens, entry=entries)
    def take_and_fill(self, place: Place, key: str, token: str, entry: Entry) -> None:
        self.take_lease(place, key, token, renewing=True)
        self.fill(place, key, token, entry)

    @rule(placed=st.lists(st.tuples(places, keys), max_size=3))
    def invalidate(self, placed: list[tuple[Place, str]]) -> None:
        self.on_all(lambda cache: cache.invalidate(placed))

    @rule(place=places, base=numbers, batch=numbers, swept=st.lists(st.tuples(keys, versions), max_size=3))
    def sweep(self, place: Place, base: int, batch: int, swept: list[tuple[str, int]]) -> None:
        async def step(cache: CachePort) -> Swept:
            return await cache.sweep(place, base=base, batch=batch, keys=swept)

        self.on_all(step)

    @rule(place=places, watermark=numbers)
    def begin(self, place: Place, watermark: int) -> None:
        self.on_all(lambda cache: cache.begin(place, watermark))

    @rule(key=keys, value=st.binary(max_size=3), absent=st.booleans(), present=st.booleans())
    def set(self, key: str, value: bytes, *, absent: bool, present: bool) -> None:
        self.on_all(
            lambda cache: cache.set(
                key, value, only_if_absent=absent and not present, only_if_present=present and not absent
            )
        )

    @rule(deleted=st.lists(keys, max_size=3))
    def delete(self, deleted: list[str]) -> None:
        self.on_all(lambda cache: cache.delete(*deleted))

    @rule()
    def figures(self) -> None:
        async def step(cache: CachePort) -> tuple[int, int]:
            figures = await cache.figures()
            return figures.hits, figures.misses

        self.on_all(step)
