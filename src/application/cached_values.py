"""Values through the cache: looked up, else loaded by one task under a lease, and stored if that still stands."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import attrs

from application.cache_ports import CachePort, CacheUnavailable, Entry, Lease, Look, Place
from application.observing import Bypass, CacheObserver, Source
from application.transaction_guard import refuse_in_transaction
from application.trust import Trust

T = TypeVar("T")

LEASE_S = 5.0
_LOOK_AGAIN_AFTER_S = (0.01, 0.02, 0.04, 0.08)
"""How often, and after how long, somebody else's load is waited for."""


@attrs.frozen
class Read(Generic[T]):
    """An answer, and where it came from."""

    value: T
    source: Source


@attrs.frozen
class Glance:
    """A look that was begun for whoever has no task to wait in: to be judged when *looking* is done."""

    place: Place
    key: str
    looking: asyncio.Future[Look]


@attrs.frozen(kw_only=True)
class ValueClass(Generic[T]):
    """What the values of one class have in common.

    *decode* raises ValueError for what is no such value. *ttl_s* tells how long a value may stay;
    *is_current* whether it may still be served: where not, it is replaced without a gap.
    """

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    version: Callable[[T], int]
    ttl_s: Callable[[T], float]
    is_current: Callable[[T], bool] = lambda _: True


Load = Callable[[], Awaitable[T | None]]
"""Reads a value from the primary, in a session of its own; None where there is nothing, which is not stored."""

HitSample = Callable[[str, T, Load[T]], None]
"""Is shown every hit, after it was judged: key, value, and how the store is asked for it."""


@attrs.define(eq=False)
class CachedValues(Generic[T]):
    """The values of one class, by key. Raises CacheInTransaction inside a unit of work, else what a load raises.

    *loads* bounds the loads of this process, so that a cache that has come back empty does not flatten the
    store.
    """

    _cache: CachePort
    _trust: Trust
    _value_class: ValueClass[T]
    _observer: CacheObserver
    _loads: asyncio.Semaphore
    on_hit: HitSample[T] | None = None
    _flights: dict[str, asyncio.Task[Read[T | None] | None]] = attrs.field(factory=dict, init=False)
    _beside: dict[str, asyncio.Task[T | None]] = attrs.field(factory=dict, init=False)
    """The loads that have yet to begin of who has waited too long for another's, and does not store."""

    def begin(self, key: str) -> Glance | None:
        """Begin to look at *key*, for ``found`` or else for ``read``; None where the cache may not be asked."""
        refuse_in_transaction()
        place = self._trust.place_of(key)
        if place is None or self._trust.objection(key) is not None:
            return None
        return Glance(place, key, asyncio.ensure_future(self._cache.look(place, key)))

    def found(self, glance: Glance, load: Load[T]) -> Read[T | None] | None:
        """Return what a look that has ended has found, if it may be served; None says nothing, and does nothing.

        Raises CacheUnavailable.
        """
        value = self.judge(glance.key, glance.place, glance.looking.result())
        return None if value is None else self.hit(glance.key, value, load)

    async def read(self, key: str, load: Load[T], glance: Glance | None = None) -> Read[T | None]:
        """Return the value of *key*, from the cache if that may be believed, else by *load*.

        The first look is that of the *glance*, where there is one.
        """
        refuse_in_transaction()
        objection = self._trust.objection(key)
        place = self._trust.place_of(key) if glance is None else glance.place
        if objection is not None or place is None:
            return await self._bypass(objection or Bypass.NO_LEASE, load)
        try:
            return await self._read_at(place, key, load, glance)
        except CacheUnavailable:
            return await self._bypass(Bypass.UNAVAILABLE, load)

    async def follow(self, key: str, prefix: str) -> tuple[Place, Look, Look | None] | None:
        """Look at the reference at *key* and at what it leads to, in one round trip, to be judged; see CachePort.

        None where the cache may not be asked. Raises CacheUnavailable.
        """
        refuse_in_transaction()
        place = self._trust.place_of(key)
        if place is None or self._trust.objection(key) is not None:
            return None
        return place, *await self._cache.follow(place, key, prefix)

    def judge(self, key: str, place: Place, look: Look) -> T | None:
        """Return what the look has found, if it may be served; ``hit`` then says that it is."""
        if self._trust.objection_to(key, place, look) is not None or not isinstance(look.held, Entry):
            return None
        try:
            value = self._value_class.decode(look.held.payload)
        except ValueError:
            return None
        return value if self._value_class.is_current(value) else None

    def hit(self, key: str, value: T, load: Load[T]) -> Read[T | None]:
        """Count a value that is served."""
        self._observer.value_read(Source.HIT)
        if self.on_hit is not None:
            self.on_hit(key, value, load)
        return Read(value, Source.HIT)

    async def replace(self, key: str, load: Load[T]) -> bool:
        """Load the value anew over the one that is there, which is served meanwhile; tell whether it was stored."""
        refuse_in_transaction()
        place = self._trust.place_of(key)
        if place is None:
            return False
        try:
            return await self._load_under_lease(place, key, load, renewing=True) is not None
        except CacheUnavailable:
            return False

    async def _read_at(self, place: Place, key: str, load: Load[T], glance: Glance | None) -> Read[T | None]:
        for pause_s in (*_LOOK_AGAIN_AFTER_S, None):
            look = await (self._cache.look(place, key) if glance is None else glance.looking)
            glance = None
            objection = self._trust.objection_to(key, place, look)
            if objection is not None:
                return await self._bypass(objection, load)
            value = await self._decoded(place, key, look)
            if value is not None and self._value_class.is_current(value):
                return self.hit(key, value, load)
            if not isinstance(look.held, Lease):
                loaded = await asyncio.shield(self._flight(place, key, load, renewing=value is not None))
                if loaded is not None:
                    self._observer.value_read(Source.MISS)
                    return loaded
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        return await self._bypass(Bypass.IN_FLIGHT, lambda: self._load_beside(key, load))

    async def _decoded(self, place: Place, key: str, look: Look) -> T | None:
        """Return the value that was found; one that cannot be read is removed, and counted."""
        if look.undecodable:
            self._observer.entry_undecodable()
        if not isinstance(look.held, Entry):
            return None
        try:
            return self._value_class.decode(look.held.payload)
        except ValueError:
            self._observer.entry_undecodable()
            await self._cache.invalidate([(place, key)])
            return None

    def _flight(
        self, place: Place, key: str, load: Load[T], *, renewing: bool
    ) -> asyncio.Task[Read[T | None] | None]:
        """Return the load of *key* that has yet to begin, of whoever wants it.

        It is a task of its own: it ends well for the others when the one who asked first is cancelled.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._load_under_lease(place, key, load, renewing=renewing))
            flight.add_done_callback(_retrieve_error)
            self._flights[key] = flight
        return flight

    async def _load_under_lease(
        self, place: Place, key: str, load: Load[T], *, renewing: bool
    ) -> Read[T | None] | None:
        """Take the lease, load, store; None if another process has the lease. Raises CacheUnavailable before loading."""
        token = secrets.token_hex(8)
        try:
            if not await self._cache.take_lease(place, key, token, lease_s=LEASE_S, renewing=renewing):
                return None
            try:
                async with self._loads:
                    # Who asks from here on may have written after the load has begun: it must not be theirs.
                    self._land(key)
                    value = await load()
            except Exception:
                if not renewing:  # what was to be replaced is rather left than lost
                    await self._drop(place, key)
                raise
        finally:
            self._land(key)
        await self._store(place, key, token, value)
        return Read(value, Source.MISS)

    def _land(self, key: str) -> None:
        """Let nobody join this task's load any more."""
        if self._flights.get(key) is asyncio.current_task():
            del self._flights[key]

    async def _store(self, place: Place, key: str, token: str, value: T | None) -> None:
        """Store under the lease; what goes wrong with that is not the caller's, who has the value."""
        if value is None:
            await self._drop(place, key)
            return
        entry = Entry(self._value_class.version(value), self._value_class.encode(value))
        try:
            stored = await self._cache.fill(place, key, token, entry, ttl_s=self._value_class.ttl_s(value))
        except CacheUnavailable:
            stored = False
        self._observer.fill_ended(stored=stored)

    async def _load_beside(self, key: str, load: Load[T]) -> T | None:
        """Load together with all who want *key* before that begins, and within the bound on loads."""
        beside = self._beside.get(key)
        if beside is None:
            beside = asyncio.create_task(self._load_next(key, load))
            beside.add_done_callback(_retrieve_error)
            self._beside[key] = beside
        return await asyncio.shield(beside)

    async def _load_next(self, key: str, load: Load[T]) -> T | None:
        async with self._loads:
            del self._beside[key]  # who comes from here on may have written meanwhile
            return await load()

    async def _drop(self, place: Place, key: str) -> None:
        """Give the lease back, so that nobody waits for it; else it ends by itself."""
        try:
            await self._cache.invalidate([(place, key)])
        except CacheUnavailable:
            return

    async def _bypass(self, why: Bypass, load: Load[T]) -> Read[T | None]:
        value = await load()
        self._observer.value_read(Source.BYPASS, why)
        return Read(value, Source.BYPASS)


def _retrieve_error(flight: "asyncio.Task[object]") -> None:
    """Whoever waits for the flight gets its error; with nobody left it is nobody's."""
    if not flight.cancelled():
        flight.exception()
