"""What all who are measured stand on: servers with people in them, and which core is whose."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import attrs

from adapters.postgres.database import migrate, open_engine
from benchmarks.people import PEOPLE, add_people
from benchmarks.running import Servers, running_servers


@attrs.frozen(kw_only=True)
class Stage:
    """Servers and the load share all cores but one, *cpu*, which belongs to who is measured."""

    servers: Servers
    database: asyncpg.Connection
    people: Sequence[UUID]
    cpu: int | None

    def requests(self, name: str, lines: Sequence[str]) -> Path:
        """Write requests down for the load."""
        file = self.servers.folder / name
        file.write_text("\n".join(lines) + "\n", encoding="ascii")
        return file


@asynccontextmanager
async def built_stage(people: int = PEOPLE, *, shared: bool = False) -> AsyncIterator[Stage]:
    """Lend it; what this process starts meanwhile inherits its cores, all of them if they are *shared*."""
    cores = os.cpu_count() or 1
    may_choose = not shared and cores > 1 and hasattr(os, "sched_setaffinity")
    before = os.sched_getaffinity(0) if may_choose else None
    if may_choose:
        os.sched_setaffinity(0, set(range(1, cores)))
    try:
        async with running_servers() as servers:
            await prepare(servers.database_url)
            database = await asyncpg.connect(servers.database_url)
            try:
                yield Stage(
                    servers=servers,
                    database=database,
                    people=await add_people(database, people),
                    cpu=0 if may_choose else None,
                )
            finally:
                await database.close()
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)


async def prepare(database_url: str) -> None:
    """Bring the schema up to date."""
    engine = open_engine(database_url)
    await migrate(engine)
    await engine.dispose()
