"""PgQueuer on the same PostgreSQL, doing as little as its queue allows: the peer of benchmarks.engine."""

import time
from datetime import timedelta

import asyncpg
import attrs
from pgqueuer import PgQueuer
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

_ENQUEUED_AT_ONCE = 10_000


@attrs.frozen
class Peer:
    """Messages that are put into its queue beforehand, and then taken until it is empty."""

    url: str
    messages: int
    batch: int

    async def run(self) -> float:
        """Return how many a second leave the queue."""
        connection = await asyncpg.connect(self.url)
        try:
            queries = Queries.from_asyncpg_connection(connection)
            if await queries.schema_is_installed():
                await connection.execute("TRUNCATE pgqueuer, pgqueuer_log, pgqueuer_statistics")
            else:
                await queries.install()
            for begun in range(0, self.messages, _ENQUEUED_AT_ONCE):
                number = min(_ENQUEUED_AT_ONCE, self.messages - begun)
                await queries.enqueue(["greet"] * number, [None] * number, [0] * number)
            await connection.execute("VACUUM (ANALYZE) pgqueuer")
            await connection.execute("CHECKPOINT")
            return await self._drain(connection)
        finally:
            await connection.close()

    async def _drain(self, connection: "asyncpg.Connection[asyncpg.Record]") -> float:
        queue, taken = PgQueuer.from_asyncpg_connection(connection), 0

        @queue.entrypoint("greet")
        async def greet(_job: Job) -> None:
            nonlocal taken
            taken += 1

        began = time.perf_counter()
        await queue.run(
            batch_size=self.batch, dequeue_timeout=timedelta(seconds=1), mode=QueueExecutionMode.drain
        )
        passed_s = time.perf_counter() - began
        assert taken == self.messages, taken
        return self.messages / passed_s
