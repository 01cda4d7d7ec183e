"""procrastinate on the same PostgreSQL, its worker with many at once: a peer of the scheduler."""

import time

import asyncpg
import attrs
from procrastinate import App, PsycopgConnector

_DEFERRED_AT_ONCE = 1000


@attrs.frozen
class Peer:
    """Jobs that are put into its queue beforehand, and then taken until it is empty."""

    url: str
    jobs: int
    at_once: int

    async def run(self) -> float:
        """Return how many a second leave the queue."""
        app, taken = App(connector=PsycopgConnector(conninfo=self.url)), 0

        @app.task(name="greet")
        async def greet() -> None:
            nonlocal taken
            taken += 1

        connection = await asyncpg.connect(self.url)
        async with app.open_async():
            if await connection.fetchval("SELECT to_regclass('procrastinate_jobs')") is None:
                await app.schema_manager.apply_schema_async()
            for _ in range(0, self.jobs, _DEFERRED_AT_ONCE):
                await greet.batch_defer_async(*({} for _ in range(_DEFERRED_AT_ONCE)))
            await connection.execute("VACUUM (ANALYZE) procrastinate_jobs")
            await connection.execute("CHECKPOINT")
            began = time.perf_counter()
            await app.run_worker_async(
                wait=False, concurrency=self.at_once, install_signal_handlers=False, listen_notify=False
            )
            passed_s = time.perf_counter() - began
        await connection.close()
        if taken != self.jobs:
            raise RuntimeError(f"{taken} of {self.jobs} jobs were done.")
        return self.jobs / passed_s


async def measure(url: str, jobs: int) -> dict[int, float]:
    """Return jobs a second, by how many its worker does at once."""
    return {at_once: await Peer(url, jobs, at_once).run() for at_once in (1, 10, 50)}
