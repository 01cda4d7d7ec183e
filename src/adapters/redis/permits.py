"""What was taken of limits, counted on Redis for all processes."""

import time

from adapters.redis.breaker import Breaker
from adapters.redis.client import Client, open_client
from adapters.redis.line import CONNECTIONS_MAX, Line
from application.access_ports import PermitStore
from application.observing import CacheObserver

_TIMEOUT_S = 0.15
_FORGET_AFTER_MS = 120_000


def open_redis_permits(url: str, namespace: str = "birthdays", *, observer: CacheObserver) -> "RedisPermits":
    """Return the counts at *url*, to be closed in the end; the server need not be there yet."""
    client = open_client(url, connections_max=CONNECTIONS_MAX)
    breaker = Breaker("limiting", observer, time.monotonic)

    async def probe(client: Client) -> None:
        await client.execute_command("EXISTS", f"{namespace}:limit:v1:")

    return RedisPermits(Line(client, breaker, observer, time.monotonic, _TIMEOUT_S, probe), namespace)


class RedisPermits(PermitStore):
    """A counter per name and minute, in two commands of one round trip."""

    __slots__ = ("_line", "_namespace")

    def __init__(self, line: Line, namespace: str) -> None:
        self._line = line
        self._namespace = namespace

    async def aclose(self) -> None:
        await self._line.aclose()

    async def take(self, name: str, window: int, number: int) -> int:
        key = f"{self._namespace}:limit:v1:{window}:{name}"

        async def ask(client: Client) -> int:
            pipeline = client.pipeline(transaction=False)
            pipeline.execute_command("INCRBY", key, number)
            pipeline.execute_command("PEXPIRE", key, _FORGET_AFTER_MS)
            taken, _ = await pipeline.execute()
            return int(taken)

        return await self._line.call("take_permits", ask)
