"""A durable PostgreSQL of a benchmark's own, the people in it, and what processor time is spent."""

import contextlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres
from adapters.postgres.tables import messages

SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "wal_buffers": "64MB"}
"""As a server has them that is not left as it was installed (docs/tuning.md); its rivals have the good of it as well.

Else checkpoints come in the middle of a run, and two who write 70 MB within a second wait for each other to write it out.
"""


@contextlib.asynccontextmanager
async def database() -> AsyncIterator[str]:
    """Lend the address of a durable PostgreSQL of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="birthdays-benchmark-") as folder,
        DataFolder(Path(folder) / "data") as data,
    ):
        _folders.append(folder)
        async with embedded_postgres(data, settings=SETTINGS) as url:
            yield url


WRITTEN = ", ".join(column.name for column in messages.columns if column.computed is None)
"""The columns of a message that are written; PostgreSQL reckons the others."""


async def add_people(engine: AsyncEngine, number: int, *, birthday: tuple[int, int] | None) -> None:
    """Add people in UTC who were born on one day, or all through the year."""
    month, day = birthday or (0, 0)
    async with engine.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO users (
                    id, first_name, last_name, email, timezone, birthday_year, birthday_month, birthday_day,
                    version, created_at, updated_at, birthday_known_at, anniversary_known_at
                )
                SELECT gen_random_uuid(), 'Ada', 'Lovelace', 'p' || n || '@' || gen_random_uuid() || '.example.com',
                    CASE WHEN :month = 0 THEN z.names[1 + n % array_length(z.names, 1)] ELSE 'UTC' END,
                    1990,
                    CASE WHEN :month = 0 THEN extract(month FROM b.born) ELSE :month END,
                    CASE WHEN :month = 0 THEN extract(day FROM b.born) ELSE :day END,
                    1, '2020-01-01', '2020-01-01', '2020-01-01', '2020-01-01'
                FROM generate_series(1, :number) n
                CROSS JOIN LATERAL (SELECT date '2001-01-01' + n % 365 AS born) b
                CROSS JOIN (SELECT ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Asia/Kolkata',
                    'America/Los_Angeles', 'Australia/Sydney', 'Africa/Lagos', 'UTC'] AS names) z
            """),
            {"number": number, "month": month, "day": day},
        )


async def vacuum(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM (ANALYZE)"))
        await connection.execute(text("CHECKPOINT"))


@attrs.frozen
class Cpu:
    """Processor seconds used by this process, and by PostgreSQL: they say more than a clock on a busy machine."""

    python_s: float
    postgres_s: float

    @classmethod
    def now(cls) -> "Cpu":
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
                if name.startswith("postgres") and _is_ours(stat.parent):
                    ticks += sum(map(int, rest.split()[11:15]))
        return cls(time.process_time(), ticks / os.sysconf("SC_CLK_TCK"))


def _is_ours(process: Path) -> bool:
    return (process / "cwd").readlink().is_relative_to(_folders[-1]) if _folders else False


_folders: list[str] = []


def show_cpu(before: Cpu, messages: int) -> None:
    now = Cpu.now()
    python, postgres = now.python_s - before.python_s, now.postgres_s - before.postgres_s
    print(
        f"    processor time per message: Python {python / messages * 1e6:.1f} us,"
        f" PostgreSQL {postgres / messages * 1e6:.1f} us"
    )
