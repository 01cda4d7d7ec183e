"""Messages from the plan to a mail server or a webhook, end to end: how many a second, and whose processor time."""

import asyncio
import base64
import statistics
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import asyncpg
import attrs

from benchmarks.http_client import Connection
from benchmarks.processor import used_s, working_in
from benchmarks.report import Spread, Table
from benchmarks.running import COMMAND, Servers, free_port, running_program, running_servers
from benchmarks.stage import prepare

_CONNECTIONS = 8
_WITHIN_S = 180.0
_ADD = """
    INSERT INTO users (id, first_name, last_name, email, timezone, version, created_at, updated_at,
        birthday_year, birthday_month, birthday_day, birthday_known_at, anniversary_known_at)
    SELECT gen_random_uuid(), 'Ada', 'Lovelace', 'p' || n || '@example.com', 'UTC', 1, long_ago, long_ago,
        1990, extract(month FROM today), extract(day FROM today), long_ago, long_ago
    FROM generate_series(1, $1::int) AS n,
        (VALUES (timestamptz '2020-01-01Z', (clock_timestamp() AT TIME ZONE 'UTC')::date)) AS t (long_ago, today)
"""


@attrs.frozen
class _Found:
    per_s: float
    service_us: float
    postgres_us: float


_FIGURES: Mapping[str, Callable[[_Found], float]] = {
    "per s": lambda one: one.per_s,
    "service us": lambda one: one.service_us,
    "postgres us": lambda one: one.postgres_us,
}


async def measure(messages: int, rounds: int) -> tuple[Table, Mapping[str, float]]:
    """Let everybody have a birthday now; the service plans and sends as soon as it starts."""
    found: dict[str, list[_Found]] = {}
    for _ in range(rounds):
        for channel in ("maildir", "smtp", "webhook"):
            found.setdefault(channel, []).append(await _measure(channel, messages))
    rows = [
        [
            channel,
            Spread.of([one.per_s for one in ones]).shown(),
            Spread.of([one.service_us for one in ones]).shown(),
            Spread.of([one.postgres_us for one in ones]).shown(),
            f"{sum(one.service_us for one in ones) * sum(one.per_s for one in ones) / len(ones) ** 2 / 1e4:.0f} %",
        ]
        for channel, ones in found.items()
    ]
    headings = ["", "messages/s", "service, µs each", "PostgreSQL, µs each", "of a core, the service"]
    figures = {
        f"{channel} {what}": statistics.median(value(one) for one in ones)
        for channel, ones in found.items()
        for what, value in _FIGURES.items()
    }
    return Table(headings, rows), figures


async def _measure(channel: str, messages: int) -> _Found:
    async with running_servers() as servers, _sink(channel) as port:
        await prepare(servers.database_url)
        database = await asyncpg.connect(servers.database_url)
        try:
            await database.execute(_ADD, messages)
            await database.execute("VACUUM ANALYZE")
            return await _sent(servers, database, _settings(channel, port), messages)
        finally:
            await database.close()


async def _sent(
    servers: Servers, database: asyncpg.Connection, settings: Mapping[str, str], messages: int
) -> _Found:
    postgres = used_s(working_in(servers.folder))
    async with running_program([str(COMMAND), "serve"], servers, settings) as running:
        service = 0.0
        async with asyncio.timeout(_WITHIN_S):
            sent = 0
            while sent < messages:
                await asyncio.sleep(0.5)
                sent = await database.fetchval("SELECT count(*) FROM messages WHERE status = 'SENT'")
        service = used_s([running.process.pid])
        passed_s, counted = await database.fetchrow(
            "SELECT extract(epoch FROM max(sent_at) - min(sent_at))::float, count(*) FROM messages"
        )
        if counted != messages:
            raise RuntimeError(f"{counted} messages for {messages} people.")
        spent = used_s(working_in(servers.folder)) - postgres
    return _Found(messages / passed_s, service / messages * 1e6, spent / messages * 1e6)


def _settings(channel: str, port: int) -> Mapping[str, str]:
    told = {
        "BIRTHDAYS_AUTH": "off",
        "BIRTHDAYS_CHANNEL": channel,
        "BIRTHDAYS_CHANNEL_CONNECTIONS": str(_CONNECTIONS),
        "BIRTHDAYS_SEND_TIME": "00:00",
    }
    if channel == "smtp":
        told |= {
            "BIRTHDAYS_SMTP_URL": f"smtp://127.0.0.1:{port}?tls=none",
            "BIRTHDAYS_SENDER": "birthdays@example.org",
        }
    if channel == "webhook":
        told |= {
            "BIRTHDAYS_WEBHOOK_URL": f"http://127.0.0.1:{port}/",
            "BIRTHDAYS_WEBHOOK_SECRET": f"whsec_{base64.b64encode(bytes(32)).decode()}",
            "BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE": "true",
        }
    return told


@asynccontextmanager
async def _sink(channel: str) -> AsyncIterator[int]:
    if channel == "maildir":
        yield 0
        return
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.sinks", channel, str(port)
    )
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    (await Connection.open("127.0.0.1", port)).close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()
