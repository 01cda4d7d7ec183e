"""The outbox in memory: units of work write it, here it is asked after, delivered and purged."""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs

from adapters.memory.store import EVERYTHING, Invalidation, MemoryStore, Outbox
from application.cache_ports import SHARDS, Batch, InvalidationLog, Place, Poll


class MemoryInvalidationLog(InvalidationLog):
    """The outbox of a MemoryStore."""

    __slots__ = ("_store",)

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def poll(self, *, overdue_s: float) -> Poll:
        now_s = self._store.monotonic()
        outboxes = {shard: self._store.outbox(shard) for shard in range(SHARDS)}
        pending = [row for outbox in outboxes.values() for row in outbox.pending if row.key != EVERYTHING]
        return Poll(
            acknowledged={Place(shard, outbox.epoch): outbox.base for shard, outbox in outboxes.items()},
            overdue=frozenset(row.key for row in pending if now_s - row.written_s > overdue_s),
            pending=len(pending),
            oldest_pending_s=max((now_s - row.written_s for row in pending), default=0.0),
        )

    def next_batch(
        self, shard: int, limit: int, *, even_if_empty: bool = False
    ) -> AbstractAsyncContextManager[Batch | None]:
        return self._next_batch(shard, limit, even_if_empty=even_if_empty)

    async def purge(self, *, delivered_before_s: float, limit: int) -> int:
        before_s = self._store.monotonic() - delivered_before_s
        gone = 0
        for outbox in (self._store.outbox(shard) for shard in range(SHARDS)):
            if outbox.is_lent:
                continue
            for row in sorted(outbox.delivered(since=0), key=lambda row: row.batch or 0):
                if row.delivered_s < before_s and gone < limit:
                    outbox.rows.remove(row)
                    outbox.purged = max(outbox.purged, row.batch or 0)
                    gone += 1
        return gone

    @asynccontextmanager
    async def _next_batch(
        self, shard: int, limit: int, *, even_if_empty: bool
    ) -> AsyncIterator["MemoryBatch | None"]:
        outbox = self._store.outbox(shard)
        rows = outbox.pending[:limit]
        if outbox.is_lent or not (rows or even_if_empty):
            yield None
            return
        outbox.drawn += 1
        outbox.is_lent = True
        batch = MemoryBatch(
            place=Place(shard, outbox.epoch),
            base=outbox.base,
            number=outbox.drawn,
            keys=_joined(rows),
            waited_s=max((self._store.monotonic() - row.written_s for row in rows), default=0.0),
            store=self._store,
            outbox=outbox,
            rows=rows,
        )
        try:
            yield batch
            batch.commit()
        finally:
            outbox.is_lent = False


@attrs.define(eq=False)
class MemoryBatch(Batch):
    """Pending rows of one shard, lent to nobody else; they change when the context ends."""

    place: Place
    base: int
    number: int
    keys: Sequence[tuple[str, int]]
    waited_s: float
    _store: MemoryStore
    _outbox: Outbox
    _rows: Sequence[Invalidation]
    _is_acknowledged: bool = attrs.field(default=False, init=False)
    _begun: Place | None = attrs.field(default=None, init=False)
    _watermark: int | None = attrs.field(default=None, init=False)

    async def acknowledge(self) -> None:
        self._refuse_if_settled()
        self._is_acknowledged = True

    async def deliver_again_after(self, watermark: int | None) -> Place | None:
        self._refuse_if_settled()
        went_back = watermark is not None and watermark >= self.number
        if watermark is None or watermark < self._outbox.purged or went_back:
            epoch = max(self._outbox.epoch + 1, int(time.time()) if went_back else 0)
            self._begun = Place(self.place.shard, epoch)
            return self._begun
        self._watermark = watermark
        return None

    def commit(self) -> None:
        """Carry out what was asked for. Raises StoreUnavailable."""
        outbox = self._store.outbox(self.place.shard)
        if self._watermark is not None:
            for row in outbox.delivered(since=self._watermark):
                row.batch = None
            outbox.base = min(outbox.base, self._watermark)
        elif self._begun or self._is_acknowledged:
            for row in outbox.pending if self._begun else self._rows:
                row.batch, row.delivered_s = self.number, self._store.monotonic()
            outbox.base = self.number
            outbox.epoch = self._begun.epoch if self._begun else outbox.epoch

    def _refuse_if_settled(self) -> None:
        if self._is_acknowledged or self._begun or self._watermark is not None:
            raise RuntimeError("This batch is settled already.")


def _joined(rows: Iterable[Invalidation]) -> Sequence[tuple[str, int]]:
    """Return each key once, with its highest version, or 0 if any is: then every value is to go."""
    versions: dict[str, int] = {}
    for row in rows:
        if row.key != EVERYTHING:
            known = versions.get(row.key, row.version)
            versions[row.key] = max(known, row.version) if known and row.version else 0
    return list(versions.items())
