"""What a database says of itself, read without changing it."""

from datetime import UTC, datetime, timedelta

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres import partitions
from adapters.postgres.database import alembic_config, connected, read_clock, revision_of
from adapters.postgres.message_reader import PostgresMessageReader
from adapters.postgres.operator_reader import PostgresOperatorReader
from adapters.postgres.processes import PostgresProcesses
from application.checkup import DatabaseFacts, LedgerFacts
from domain.due import zone_names

_THOUSAND = 10_000  # of server_version_num: 180001 is 18.1
_STRANGE_ZONES = text("""
    SELECT DISTINCT timezone FROM users
    WHERE deleted_at IS NULL AND timezone <> ALL (CAST(:known AS text[])) ORDER BY timezone
""")


async def look_at_database(engine: AsyncEngine) -> DatabaseFacts:
    """Look at a database of any schema. Raises StoreUnavailable."""
    scripts = ScriptDirectory.from_config(alembic_config())
    async with connected(engine) as connection:
        number = await connection.scalar(text("SELECT current_setting('server_version_num')::int"))
        return DatabaseFacts(
            server_version=int(number or 0) // _THOUSAND,
            revision=await revision_of(connection),
            head=str(scripts.get_current_head()),
            known=frozenset(script.revision for script in scripts.walk_revisions()),
            clock_offset=await _offset(connection),
        )


async def look_at_ledger(engine: AsyncEngine) -> LedgerFacts:
    """Look at a database of this program's schema. Raises StoreUnavailable."""
    operators = PostgresOperatorReader(engine)
    async with connected(engine) as connection:
        now: datetime = (await connection.execute(text("SELECT service_now()"))).scalar_one()
        planned_until = await connection.scalar(text("SELECT planned_until FROM bookmark"))
        months = await partitions.held_months(connection)
        strange = await connection.scalars(_STRANGE_ZONES, {"known": sorted(zone_names())})
    return LedgerFacts(
        now=now,
        is_clock_moved=await read_clock(engine) is not None,
        planned_until=planned_until,
        months=months,
        processes=await PostgresProcesses(engine).seen(),
        in_need=(await operators.attention(1)).counts,
        backlog=await PostgresMessageReader(engine).backlog(now),
        paused=await operators.paused_channels(),
        strange_zones=list(strange),
    )


async def _offset(connection: AsyncConnection) -> timedelta:
    """Return by how much this machine's clock is ahead at least: the question takes its time."""
    before = datetime.now(UTC)
    theirs: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    after = datetime.now(UTC)
    return before - theirs if theirs < before else min(after - theirs, timedelta(0))
