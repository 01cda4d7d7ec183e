"""Exports are read from a streaming replica, as long as it shows what they have to show."""

import asyncio

import attrs
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected
from adapters.postgres.user_reader import PostgresUserReader
from application.checkup import ReplicaState
from application.errors import StoreUnavailable
from application.exports import ExportSource, ReadPage
from application.ports import UserReader
from application.views import Page, UserView
from domain.user import UserId

log = structlog.get_logger()

CATCH_UP_S = 1.0
_PAUSE_S = 0.05
_ANSWER_S = 5.0
# What is visible here has its place in the log before the end of it. Where a page of the log has nothing but its
# header, the end is that of the page before. A file of the log is named after the timeline.
_HEADER_MAX = 40
_WRITTEN = text(f"""
    SELECT CAST(lsn - CASE WHEN on_page <= {_HEADER_MAX} THEN on_page ELSE 0 END AS text) AS lsn,
        left(pg_walfile_name(lsn), 8) AS timeline,
        (SELECT system_identifier FROM pg_control_system()) AS system
    FROM (
        SELECT lsn, mod(lsn - CAST('0/0' AS pg_lsn), CAST(current_setting('wal_block_size') AS numeric)) AS on_page
        FROM pg_current_wal_insert_lsn() AS lsn
    ) AS here
""")  # noqa: S608  # the part is our own literal
_REPLAYED = text("""
    SELECT pg_last_wal_replay_lsn() >= CAST(CAST(:lsn AS text) AS pg_lsn) AS has_caught_up,
        pg_is_in_recovery() AND (SELECT system_identifier FROM pg_control_system()) = CAST(:system AS bigint)
            AND (SELECT lpad(upper(to_hex(timeline_id)), 8, '0') FROM pg_control_checkpoint()) = CAST(:timeline AS text) AS follows
""")


async def state_of(primary: AsyncEngine, replica: AsyncEngine) -> ReplicaState:
    """Tell whether the replica shows all that the primary shows now; it is given a moment for that.

    Raises StoreUnavailable, where the primary is away. That it has replayed the log up to where the primary stands
    says more than its own idea of its lag: a replica that hears nothing any more does not know that it lags. After a
    change of primary, one that follows counts as none until its next checkpoint.
    """
    async with connected(primary) as connection:
        written = (await connection.execute(_WRITTEN)).one()
    try:
        async with asyncio.timeout(_ANSWER_S), connected(replica) as connection:
            deadline = asyncio.get_running_loop().time() + CATCH_UP_S
            while True:
                found = (await connection.execute(_REPLAYED, dict(written._mapping))).one()  # noqa: SLF001  # public in spite of its name
                if not found.follows:
                    return ReplicaState.NO_REPLICA
                if found.has_caught_up:
                    return ReplicaState.CAUGHT_UP
                if asyncio.get_running_loop().time() > deadline:
                    return ReplicaState.BEHIND
                await asyncio.sleep(_PAUSE_S)
    except (StoreUnavailable, DBAPIError, TimeoutError):
        return ReplicaState.AWAY


class ReplicaSource(ExportSource):
    """An export begins on the replica if that has caught up, and goes on where people are written if it must."""

    __slots__ = ("_primary", "_replica")

    def __init__(self, primary: AsyncEngine, replica: AsyncEngine) -> None:
        self._primary = primary
        self._replica = replica

    async def open_pages(self) -> ReadPage:
        state = await state_of(self._primary, self._replica)
        primary = PostgresUserReader(self._primary)
        if state is not ReplicaState.CAUGHT_UP:
            log.warning("replica_avoided", reason=state.value)
            return primary.page
        return _Pages(PostgresUserReader(self._replica), primary)


@attrs.define(eq=False)
class _Pages:
    """The pages of one export. What was replayed stays, so that no page is older than the beginning."""

    _replica: UserReader | None
    _primary: UserReader

    async def __call__(self, after: UserId | None, limit: int) -> Page[UserView]:
        if self._replica is not None:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    return await self._replica.page(after, limit)
            # Away, stopped, or it had to cancel the read to go on replaying.
            except (StoreUnavailable, DBAPIError, TimeoutError):
                log.warning("replica_avoided", reason=ReplicaState.AWAY.value)
                self._replica = None
        return await self._primary.page(after, limit)
