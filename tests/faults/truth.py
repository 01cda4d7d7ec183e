"""PostgreSQL as the judge's witness: what was committed and in which order, and changes made by hand."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

import asyncpg
import attrs

Connection: TypeAlias = asyncpg.Connection  # it is generic for type checkers alone

APPLICATION = "faults"
UP_WITHIN_S = 30.0

POLL_EVERY_S = 0.1
STATEMENT_TIMEOUT_S = 10.0
LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)

# Deferred: the number is drawn while the transaction commits and still has the row's lock, and whoever takes an
# address over waits for the commit of who gave it up. So the numbers of a person and of an address are in the
# order of their commits. A lock on this table stops every write in the middle of its COMMIT.
_SCHEMA = """
    CREATE SCHEMA IF NOT EXISTS faults;
    CREATE TABLE IF NOT EXISTS faults.commits (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
        person uuid NOT NULL,
        marker text NOT NULL,
        address text NOT NULL
    );
    CREATE INDEX IF NOT EXISTS ix_commits_xid ON faults.commits (xid);
    CREATE OR REPLACE FUNCTION faults.note() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = faults AS $$
    BEGIN
        INSERT INTO faults.commits (person, marker, address) VALUES (NEW.id, NEW.last_name, NEW.email);
        RETURN NULL;
    END $$;
    DROP TRIGGER IF EXISTS zz_faults_note ON users;
    CREATE CONSTRAINT TRIGGER zz_faults_note AFTER INSERT OR UPDATE ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION faults.note();
"""
_TAIL = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin, c.seq, c.person, c.marker, c.address
    FROM (SELECT) AS one LEFT JOIN faults.commits c ON c.xid >= $1::text::xid8 ORDER BY c.seq
"""


def marker_text(marker: int) -> str:
    return f"W{marker:06d}"


def marker_of(text: str) -> int:
    """Return the marker in a last name, -1 for what the checker has not written."""
    return int(text[1:]) if text[:1] == "W" and text[1:].isdecimal() else -1


@attrs.define(eq=False)
class Truth:
    """A connection for following the commits, made anew when it is lost."""

    database_url: str
    _connection: "Connection | None" = attrs.field(default=None, init=False)
    _xmin: str = attrs.field(default="0", init=False)
    _seen: set[int] = attrs.field(factory=set, init=False)

    async def install(self) -> None:
        """Have every commit noted. What the service does with its triggers it must have done by then."""
        connection = await connect(self.database_url)
        try:
            await connection.execute(_SCHEMA)
        finally:
            await connection.close()

    async def news(self) -> Sequence[asyncpg.Record] | None:
        """Return the commits that became visible since the last call, in order; None if nobody could tell."""
        try:
            if self._connection is None:
                self._connection = await connect(self.database_url)
            rows = await self._connection.fetch(_TAIL, self._xmin)
        except LOST:
            await self.close()
            return None
        # What may yet become visible has a transaction that was not over when this snapshot was taken.
        self._xmin = rows[0]["xmin"]
        found = [row for row in rows if row["seq"] is not None]
        news = [row for row in found if row["seq"] not in self._seen]
        self._seen = {row["seq"] for row in found}
        return news

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def people(self) -> Mapping[UUID, tuple[str, str]]:
        """Return everybody's marker and address as they are now."""
        connection = await connect(self.database_url)
        try:
            rows = await connection.fetch("SELECT id, last_name, email FROM users")
        finally:
            await connection.close()
        return {row["id"]: (row["last_name"], row["email"]) for row in rows}


async def connect(url: str) -> Connection:
    connection: Connection = await asyncpg.connect(
        url,
        timeout=5,
        command_timeout=STATEMENT_TIMEOUT_S,
        server_settings={"application_name": APPLICATION},
    )
    return connection


@attrs.define(eq=False)
class Hand:
    """Somebody with psql: changes rows without the service, some with the version and some without."""

    database_url: str
    _connection: "Connection | None" = attrs.field(default=None, init=False)

    async def change(
        self, marker: int, people: Sequence[UUID], *, with_version: bool, sent: Callable[[], None]
    ) -> None:
        """Mark *people* in one statement. *sent* is called before anything is on its way. Raises LOST."""
        connection = await self._connected()
        sent()
        await connection.execute(
            f"UPDATE users SET last_name = $1{', version = version + 1' if with_version else ''} WHERE id = ANY($2)",
            marker_text(marker),
            people,
        )

    async def swap(
        self, markers: tuple[int, int, int], one: UUID, other: UUID, sent: Callable[[], None]
    ) -> None:
        """Exchange two people's addresses in one transaction. Raises LOST."""
        connection = await self._connected()
        sent()
        async with connection.transaction():
            rows = await connection.fetch(
                "SELECT id, email FROM users WHERE id = ANY($1) ORDER BY id FOR UPDATE", [one, other]
            )
            address = {row["id"]: row["email"] for row in rows}
            for marker, person, new in (
                (markers[0], one, f"aside-{one}@example.com"),
                (markers[1], other, address[one]),
                (markers[2], one, address[other]),
            ):
                await connection.execute(
                    "UPDATE users SET last_name = $1, email = $2, version = version + 1 WHERE id = $3",
                    marker_text(marker),
                    new,
                    person,
                )

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self.database_url)
        return self._connection


async def follow(
    truth: Truth, told: Callable[[Sequence[asyncpg.Record], float, float], None], ending: asyncio.Event
) -> None:
    """Call *told* with news, when they were asked for and when they had arrived, until *ending*."""
    while True:
        is_last = ending.is_set()
        asked_at = time.monotonic()
        news = await truth.news()
        if news is not None:
            told(news, asked_at, time.monotonic())
            if is_last:
                return
        await asyncio.sleep(POLL_EVERY_S)


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        connection.terminate()


@contextlib.asynccontextmanager
async def commits_held(url: str) -> AsyncIterator[Connection]:
    """Stop every change of a person in the middle of its COMMIT for as long as this lasts."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE faults.commits IN EXCLUSIVE MODE")
        yield connection


async def kill_backends(connection: Connection, *, only_waiting: bool) -> None:
    """End those that serve the service and wait in their COMMIT, or any one that is at work."""
    which = "wait_event_type = 'Lock'" if only_waiting else "state <> 'idle'"
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE backend_type = "
        f"'client backend' AND application_name <> '{APPLICATION}' AND {which} "
        f"ORDER BY random() LIMIT {100 if only_waiting else 1}) AS chosen"
    )


async def somebody_waits_in_a_transaction(connection: Connection) -> bool:
    """Tell whether a transaction of the service's waits for something else than PostgreSQL."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND "
        f"application_name <> '{APPLICATION}' AND clock_timestamp() - state_change > interval '15 ms')"
    )
    return found


async def until_up(url: str, within_s: float = UP_WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while True:
            try:
                async with connected(url):
                    return
            except LOST:
                await asyncio.sleep(0.05)
