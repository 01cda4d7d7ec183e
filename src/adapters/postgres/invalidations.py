"""The outbox in PostgreSQL: triggers write it, here it is asked after, delivered and purged."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import attrs
from sqlalchemy import CursorResult, Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.database import connected, means_unavailable
from application.cache_ports import Batch, InvalidationLog, Place, Poll
from application.errors import StoreUnavailable

EVERYTHING = "*"
"""What stands in the outbox where an epoch has yet to be begun; it is no key."""
OVERDUE_MAX = 10_000
"""With more overdue keys than this, no place is told, so that nothing cached is believed."""
_IDLE_MAX_MS = 2000

# An age below zero means that the clock was set back: nobody knows how old it is.
_POLL = text(f"""
    SELECT s.shards, s.epochs, s.bases, o.overdue, p.pending, p.oldest_s
    FROM (
        SELECT array_agg(shard) AS shards, array_agg(epoch) AS epochs, array_agg(base) AS bases
        FROM cache_shards
    ) s, (
        SELECT count(*) AS pending,
            coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float AS oldest_s
        FROM invalidations WHERE batch IS NULL AND key <> '{EVERYTHING}'
    ) p, (
        SELECT ARRAY(
            SELECT DISTINCT key FROM invalidations
            WHERE batch IS NULL AND key <> '{EVERYTHING}' AND clock_timestamp() - written_at
                NOT BETWEEN interval '0' AND CAST(:overdue AS interval)
            LIMIT {OVERDUE_MAX + 1}
        ) AS overdue
    ) o
""")  # noqa: S608  # the parts are our own literals

# A number that was drawn and not committed could be drawn again after a crash of the server, also from a
# sequence: so this is committed before the number is used.
_DRAW = text("""
    UPDATE cache_shards SET drawn = drawn + 1 WHERE shard = (
        SELECT shard FROM cache_shards
        WHERE shard = :shard AND (
            CAST(:even_if_empty AS boolean)
            OR EXISTS (SELECT FROM invalidations WHERE shard = :shard AND batch IS NULL)
        )
        FOR UPDATE SKIP LOCKED
    ) RETURNING drawn, set_config('synchronous_commit', 'on', true)
""")
# Numbers are used in the order in which they were drawn: not if another one was drawn since. A process that
# is paused with the lock does not keep it for long.
_LOCK = text(f"""
    SELECT epoch, base, purged, set_config('idle_in_transaction_session_timeout', '{_IDLE_MAX_MS}', true)
    FROM cache_shards WHERE shard = :shard AND drawn = :number FOR UPDATE SKIP LOCKED
""")  # noqa: S608  # the part is our own literal
_TAKE = text("""
    SELECT id, key, version, extract(epoch FROM clock_timestamp() - written_at)::float AS waited_s
    FROM invalidations
    WHERE shard = :shard AND batch IS NULL ORDER BY id LIMIT :limit
""")
_ACKNOWLEDGE = text("""
    WITH delivered AS (
        UPDATE invalidations SET batch = :number, delivered_at = clock_timestamp()
        WHERE id = ANY(CAST(:ids AS bigint[]))
    )
    UPDATE cache_shards SET base = :number WHERE shard = :shard
""")
_DELIVER_AGAIN = text("""
    WITH lost AS (
        UPDATE invalidations SET batch = NULL, delivered_at = NULL WHERE shard = :shard AND batch > :watermark
    )
    UPDATE cache_shards SET base = least(base, :watermark) WHERE shard = :shard
""")
# What is pending and visible here was committed before the epoch; whoever stores in the new epoch has heard
# of it, and so reads what is later. What is committed meanwhile is not visible here and stays pending.
# A store that was put back to an older state would come to epochs that the cache knows: the time leads past them.
_BEGIN_EPOCH = text("""
    WITH settled AS (
        UPDATE invalidations SET batch = :number, delivered_at = clock_timestamp()
        WHERE shard = :shard AND batch IS NULL
    )
    UPDATE cache_shards SET base = :number, epoch = greatest(
        epoch + 1, CASE WHEN CAST(:went_back AS boolean) THEN extract(epoch FROM clock_timestamp())::bigint END
    )
    WHERE shard = :shard RETURNING epoch
""")
# Shards first, as a sweeper does; else each might wait for the other.
_LOCK_SHARDS = text("SELECT shard FROM cache_shards ORDER BY shard FOR UPDATE SKIP LOCKED")
_PURGE = text("""
    WITH old AS (
        SELECT id FROM invalidations
        WHERE shard = ANY(CAST(:shards AS smallint[])) AND batch IS NOT NULL
          AND delivered_at < clock_timestamp() - CAST(:age AS interval)
        ORDER BY shard, batch LIMIT :limit
    ), gone AS (
        DELETE FROM invalidations i USING old WHERE i.id = old.id RETURNING i.shard, i.batch
    ), newest AS (
        SELECT shard, max(batch) AS batch FROM gone GROUP BY shard
    ), told AS (
        UPDATE cache_shards s SET purged = greatest(s.purged, n.batch) FROM newest n WHERE s.shard = n.shard
    )
    SELECT count(*) FROM gone
""")


class PostgresInvalidationLog(InvalidationLog):
    """The outbox, with connections of its own: never inside a unit of work."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def poll(self, *, overdue_s: float) -> Poll:
        async with connected(self._engine) as connection:
            row = (await connection.execute(_POLL, {"overdue": timedelta(seconds=overdue_s)})).one()
        places = map(Place, row.shards, row.epochs)
        return Poll(
            acknowledged=dict(zip(places, row.bases, strict=True)) if len(row.overdue) <= OVERDUE_MAX else {},
            overdue=frozenset(row.overdue),
            pending=row.pending,
            oldest_pending_s=row.oldest_s,
        )

    def next_batch(
        self, shard: int, limit: int, *, even_if_empty: bool = False
    ) -> AbstractAsyncContextManager[Batch | None]:
        return self._next_batch(shard, limit, even_if_empty=even_if_empty)

    async def purge(self, *, delivered_before_s: float, limit: int) -> int:
        with _translated_errors():
            async with self._engine.begin() as connection:
                shards = (await connection.scalars(_LOCK_SHARDS)).all()
                age = timedelta(seconds=delivered_before_s)
                values = {"shards": list(shards), "age": age, "limit": limit}
                gone: int = (await connection.execute(_PURGE, values)).scalar_one()
        return gone

    @asynccontextmanager
    async def _next_batch(
        self, shard: int, limit: int, *, even_if_empty: bool
    ) -> AsyncIterator["PostgresBatch | None"]:
        async with AsyncExitStack() as stack:  # whose end rolls back what is not committed
            with _translated_errors():
                connection = await stack.enter_async_context(self._engine.connect())
                batch = await _taken(connection, shard, limit, even_if_empty=even_if_empty)
            yield batch
            if batch is not None and batch.is_settled:
                with _translated_errors():
                    await connection.commit()


@attrs.define(eq=False)
class PostgresBatch(Batch):
    """Pending rows of one shard, whose row in cache_shards is locked."""

    place: Place
    base: int
    number: int
    keys: Sequence[tuple[str, int]]
    waited_s: float
    is_settled: bool = attrs.field(default=False, init=False)
    _connection: AsyncConnection
    _ids: Sequence[int]
    _purged: int

    async def acknowledge(self) -> None:
        await self._settle(_ACKNOWLEDGE, ids=self._ids, number=self.number)

    async def deliver_again_after(self, watermark: int | None) -> Place | None:
        went_back = watermark is not None and watermark >= self.number
        if watermark is None or watermark < self._purged or went_back:
            begun = await self._settle(_BEGIN_EPOCH, number=self.number, went_back=went_back)
            return Place(self.place.shard, begun.scalar_one())
        await self._settle(_DELIVER_AGAIN, watermark=watermark)
        return None

    async def _settle(self, statement: Any, **values: Any) -> CursorResult[Any]:
        if self.is_settled:
            raise RuntimeError("This batch is settled already.")
        with _translated_errors():
            result = await self._connection.execute(statement, {"shard": self.place.shard, **values})
        self.is_settled = True
        return result


async def _taken(
    connection: AsyncConnection, shard: int, limit: int, *, even_if_empty: bool
) -> PostgresBatch | None:
    number: int | None = await connection.scalar(_DRAW, {"shard": shard, "even_if_empty": even_if_empty})
    await connection.commit()
    if number is None:
        return None
    locked = (await connection.execute(_LOCK, {"shard": shard, "number": number})).one_or_none()
    if locked is None:
        return None
    rows = (await connection.execute(_TAKE, {"shard": shard, "limit": limit})).all()
    if not rows and not even_if_empty:
        return None
    return PostgresBatch(
        place=Place(shard, locked.epoch),
        base=locked.base,
        number=number,
        keys=_joined(rows),
        waited_s=max((row.waited_s for row in rows), default=0.0),
        connection=connection,
        ids=[row.id for row in rows],
        purged=locked.purged,
    )


def _joined(rows: Iterable[Row[Any]]) -> Sequence[tuple[str, int]]:
    """Return each key once, with its highest version, or 0 if any is: then every value is to go."""
    versions: dict[str, int] = {}
    for row in rows:
        if row.key != EVERYTHING:
            known = versions.get(row.key, row.version)
            versions[row.key] = max(known, row.version) if known and row.version else 0
    return list(versions.items())


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if means_unavailable(error):
            raise StoreUnavailable from error
        raise


async def write_invalidations(engine: AsyncEngine) -> None:
    """Let every transaction from now on, also by hand, write its invalidations; off until a cache is there."""
    async with connected(engine) as connection:
        if not (await connection.execute(_ARE_OFF)).scalar_one():
            return
    async with engine.begin() as connection:
        await connection.execute(_SWITCH_ON)


_ARE_OFF = text("""
    SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE 'invalidate\\_%' AND tgparentid = 0 AND tgenabled <> 'A')
""")
# ALWAYS, so that they are heard in a session that plays a replica as well. What was changed until now was
# written nowhere, and so the epoch is left behind.
_SWITCH_ON = text("""
    DO $$
    DECLARE
        one record;
    BEGIN
        FOR one IN
            SELECT tgname, tgrelid::regclass AS tgtable FROM pg_trigger
            WHERE (tgname LIKE 'invalidate\\_%' OR tgname = 'begin_epoch') AND tgparentid = 0 ORDER BY tgrelid, tgname
        LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', one.tgtable, one.tgname);
        END LOOP;
        INSERT INTO invalidations (shard, key) SELECT shard, '*' FROM cache_shards ORDER BY shard;
    END $$
""")
