"""Which processes there are, in PostgreSQL."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected, in_transaction
from application.processes import FORGET_AFTER, Process, Processes, SeenProcess

_BEAT = text("""
    INSERT INTO processes (id, version, zone_data) VALUES (:id, :version, :zone_data)
    ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()
""")
_FORGET = text("DELETE FROM processes WHERE seen_at < clock_timestamp() - CAST(:after AS interval)")
_SEEN = text("""
    SELECT id, version, zone_data, clock_timestamp() - seen_at AS silent_for FROM processes
    ORDER BY seen_at DESC, id
""")


class PostgresProcesses(Processes):
    """A row for each; the database's real clock says when it was heard of."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def beat(self, process: Process) -> None:
        told = {"id": process.id, "version": process.version, "zone_data": process.zone_data}
        async with in_transaction(self._engine) as connection:
            await connection.execute(_BEAT, told)
            await connection.execute(_FORGET, {"after": FORGET_AFTER})

    async def leave(self, process: Process) -> None:
        async with in_transaction(self._engine) as connection:
            await connection.execute(text("DELETE FROM processes WHERE id = :id"), {"id": process.id})

    async def seen(self) -> Sequence[SeenProcess]:
        async with connected(self._engine) as connection:
            rows = (await connection.execute(_SEEN)).all()
        return [
            SeenProcess(Process(id=row.id, version=row.version, zone_data=row.zone_data), row.silent_for)
            for row in rows
        ]
