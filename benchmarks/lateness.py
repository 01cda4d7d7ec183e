"""How late messages leave that are all due at one instant: python -m benchmarks.lateness [--at-once 10000 100000].

The real service in a process of its own, its clock set to a little before nine; once with a channel that costs
nothing, and once with the console, whose output nobody reads and for which the texts are written. Late is from the
due instant until PostgreSQL holds that the message was sent.
"""

import argparse
import asyncio
import itertools
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import migrate, open_engine
from adapters.postgres.message_reader import PostgresMessageReader
from benchmarks.database import add_people, database
from benchmarks.running import COMMAND
from domain.message import Status

_NINE = datetime(2027, 3, 14, 9, tzinfo=UTC)
_CHANNELS: dict[str, Sequence[str | Path]] = {
    "costless": (sys.executable, "-m", "benchmarks.costless"),
    "console": (COMMAND,),
}
_BEFORE_S = 20
_WITHIN_S = 120.0
_LATENESS = text("""
    SELECT count(*),
        percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - due_at))
    FROM messages WHERE status = 'SENT'
""")


@asynccontextmanager
async def _serving(command: Sequence[str | Path], database_url: str, folder: Path) -> AsyncIterator[None]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("REDIS_")},
        "DATABASE_URL": database_url,
        "BIRTHDAYS_DATA_DIR": str(folder),
        "BIRTHDAYS_PORT": str(port),
        "BIRTHDAYS_CHANNEL": "console",
        "BIRTHDAYS_BRAKE": "off",  # a crowd is what is measured
        "BIRTHDAYS_AUTH": "off",
    }
    start = (_NINE - timedelta(seconds=_BEFORE_S)).isoformat()
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(*command, "serve", "--clock-start", start),
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            await process.wait()


async def _measure(channel: str, at_once: int) -> None:
    async with database() as url:
        engine = open_engine(url)
        await migrate(engine)
        await add_people(engine, at_once, birthday=(3, 14))
        with tempfile.TemporaryDirectory(prefix="birthdays-benchmark-") as folder:
            async with _serving(_CHANNELS[channel], url, Path(folder)):
                await _until_sent(engine, at_once)
        async with engine.connect() as connection:
            sent, (middle, late, latest) = (await connection.execute(_LATENESS)).one()
        print(
            f"{channel:8} {sent:>8,} at one instant: p50 {middle:.2f} s, p99 {late:.2f} s, the last {latest:.2f} s",
            flush=True,
        )
        await engine.dispose()


async def _until_sent(engine: AsyncEngine, messages: int) -> None:
    async with asyncio.timeout(_BEFORE_S + _WITHIN_S):
        sent = 0
        while sent < messages:
            await asyncio.sleep(1)
            # Of what is counted anyway: to count anew would take from the service.
            sent = (await PostgresMessageReader(engine).counts()).get(Status.SENT, 0)


async def _measure_all(numbers: list[int]) -> None:
    for channel, number in itertools.product(_CHANNELS, numbers):
        await _measure(channel, number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, nargs="+", default=[10_000, 100_000])
    uvloop.run(_measure_all(parser.parse_args().at_once))


if __name__ == "__main__":
    main()
