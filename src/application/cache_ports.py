"""What the cache's guarantees need of a cache server and of the store, specified method by method.

Everything cached lives at a *place*: a shard and an epoch of it. A new epoch leaves all that was stored
before behind, unreadable. In the same place stands the shard's watermark: the number of the last batch of
invalidations that this server has carried out.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

SHARDS = 1
"""How many shards the cached keys are spread over; they are one where the cache is one server."""


def shard_of(key: str) -> int:  # noqa: ARG001  # one shard today; every caller asks already
    return 0


@attrs.frozen(order=True)
class Place:
    """Where cached values live."""

    shard: int
    epoch: int


@attrs.frozen
class Entry:
    """A stored value: *version* grows with every change of what it was made from; 0 where nothing counts it."""

    version: int
    payload: bytes


@attrs.frozen
class Lease:
    """Somebody is reading the value from the store now, and alone may store it."""

    token: str


@attrs.frozen
class Look:
    """What a key held, together with the watermark that the same server had at the same instant.

    *undecodable* tells that there was something that is no entry of this key and shape: a miss.
    """

    held: Entry | Lease | None
    watermark: int | None
    undecodable: bool = False


@attrs.frozen
class Swept:
    """What came of a batch. On a gap nothing was done: the server has lost history since *watermark*."""

    is_gap: bool
    watermark: int | None


@attrs.frozen(kw_only=True)
class CacheFigures:
    """What the server and this client say of themselves; None where the server does not tell."""

    hits: int
    misses: int
    memory_bytes: int | None
    connected_clients: int | None

    @property
    def hit_rate(self) -> float:
        """From 0 to 1; 0 before the first look."""
        looks = self.hits + self.misses
        return self.hits / looks if looks else 0.0


class CacheUnavailable(Exception):  # named for what happened
    """The cache did not answer in time, or its breaker is open. Never an error to a caller of the service."""


class CachePort(Protocol):
    """A cache server. Every method may raise CacheUnavailable, and does so within the client's time-out.

    Inside a unit of work every one raises CacheInTransaction: what is read there comes from the store.

    The first group are plain operations on keys of the namespace. The second carries the lease protocol;
    each of its methods is one round trip and atomic on the server.
    """

    __slots__ = ()

    @abstractmethod
    async def get(self, key: str) -> bytes | None: ...

    @abstractmethod
    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Return the values in the order of the keys."""

    @abstractmethod
    async def set(
        self,
        key: str,
        value: bytes,
        *,
        ttl_s: float | None = None,
        only_if_absent: bool = False,
        only_if_present: bool = False,
    ) -> bool:
        """Store and tell whether it was stored. Both conditions at once are a ValueError."""

    @abstractmethod
    async def set_many(self, entries: Sequence[tuple[str, bytes, float | None]]) -> None:
        """Store (key, value, lifetime in seconds) each."""

    @abstractmethod
    async def delete(self, *keys: str) -> int:
        """Delete and return how many there were."""

    @abstractmethod
    async def delete_prefix(self, prefix: str, *, limit: int) -> int:
        """Delete up to *limit* keys that begin so, in steps that never block the server; return how many."""

    @abstractmethod
    async def is_healthy(self) -> bool:
        """Tell whether the server answers; never raises."""

    @abstractmethod
    async def figures(self) -> CacheFigures: ...

    @abstractmethod
    def look(self, place: Place, key: str) -> Awaitable[Look]:
        """Read the value and the place's watermark in one step of the server, when it is awaited or before.

        Looks that are asked for in one turn of the event loop travel together. What does not decode is
        counted, removed and answered as a miss.
        """

    @abstractmethod
    async def follow(self, place: Place, key: str, prefix: str) -> tuple[Look, Look | None]:
        """Look at a reference and at what it leads to, in one step of the server.

        The second key is *prefix* and the id of 36 characters that the reference's payload ends with; where
        there is no such entry, there is no second look. What does not decode is a miss, and stays.
        """

    @abstractmethod
    async def take_lease(
        self, place: Place, key: str, token: str, *, lease_s: float, renewing: bool = False
    ) -> bool:
        """Put a lease where nothing is; tell whether it is this one.

        With *renewing* also where an entry or another's lease is: an entry can be read as before, and for as
        long, until ``fill`` replaces it in one step.
        """

    @abstractmethod
    async def fill(self, place: Place, key: str, token: str, entry: Entry, *, ttl_s: float) -> bool:
        """Store the value only if the key still holds the lease of *token*; tell whether it was stored."""

    @abstractmethod
    async def invalidate(self, keys: Sequence[tuple[Place, str]]) -> None:
        """Delete values and leases, all in one round trip."""

    @abstractmethod
    async def sweep(self, place: Place, *, base: int, batch: int, keys: Sequence[tuple[str, int]]) -> Swept:
        """Carry out batch number *batch* of (key, version): delete them and raise the watermark to *batch*.

        Leases are deleted, and values unless they are of the same or a newer version (version 0 deletes
        any). Nothing is done, and a gap is told, where the watermark is gone or below *base*, or not below
        *batch*: then the store has gone back, and its numbers are being used a second time.
        """

    @abstractmethod
    async def begin(self, place: Place, watermark: int) -> None:
        """Set up the watermark of an epoch that this caller has made; where one stands, it stays."""


@attrs.frozen(kw_only=True)
class Poll:
    """What the store knows of invalidations at one instant.

    *acknowledged* is, for each place, the last batch that the cache is known to have carried out;
    *overdue* are the keys whose invalidation has been pending for longer than was asked.
    """

    acknowledged: Mapping[Place, int]
    overdue: frozenset[str]
    pending: int
    oldest_pending_s: float


class Batch(Protocol):
    """Invalidations of one shard, locked for as long as its context lasts.

    *number* is never given out again, also not after a rollback or a crash of the store. Nothing
    is marked as delivered unless one of the methods was called and the context ended without an error.
    """

    __slots__ = ()

    place: Place
    base: int
    """The last acknowledged batch."""
    number: int
    keys: Sequence[tuple[str, int]]
    """Keys to delete, with the version of the change; 0 where any value is to go."""
    waited_s: float
    """For how long the oldest of them has been pending; 0 without any."""

    @abstractmethod
    async def acknowledge(self) -> None:
        """Mark the batch as delivered: the cache has answered."""

    @abstractmethod
    async def deliver_again_after(self, watermark: int | None) -> Place | None:
        """Make everything that was delivered after *watermark* pending again, and that the new base.

        If that cannot be done (the watermark is gone, what came after it is purged, or it is not below this
        batch's number), leave the epoch behind and return the place of the new one. Its watermark has to be
        begun with this batch's number before the context ends: later somebody might use it.
        """


class InvalidationLog(Protocol):
    """The outbox: keys to be invalidated, written by the transactions that changed what they show."""

    __slots__ = ()

    @abstractmethod
    async def poll(self, *, overdue_s: float) -> Poll:
        """Ask the store, in one statement and one snapshot. Raises StoreUnavailable."""

    @abstractmethod
    def next_batch(
        self, shard: int, limit: int, *, even_if_empty: bool = False
    ) -> AbstractAsyncContextManager[Batch | None]:
        """Lend the oldest pending keys; None if there are none or another process has the shard.

        A batch without keys is lent for an epoch that has yet to be begun, and to who asks for it: how
        else would it be found out, while nothing changes, that the cache has lost its watermark?
        """

    @abstractmethod
    async def purge(self, *, delivered_before_s: float, limit: int) -> int:
        """Forget what was delivered so long ago; return how much."""
