"""What was taken of limits, counted on Redis for all processes."""

from adapters.redis.cache import RedisCache
from adapters.redis.client import Client
from application.access_ports import PermitStore

_FORGET_AFTER_MS = 120_000


class RedisPermits(PermitStore):
    """A counter per name and minute, in two commands of one round trip.

    It asks by the *cache*'s line for reading: it asks so seldom that by itself it would find out again and
    again, and late, that the server is away.
    """

    __slots__ = ("_line", "_namespace")

    def __init__(self, cache: RedisCache, namespace: str = "birthdays") -> None:
        self._line = cache.reading
        self._namespace = namespace

    async def take(self, name: str, window: int, number: int) -> int:
        key = f"{self._namespace}:limit:v1:{window}:{name}"

        async def ask(client: Client) -> int:
            pipeline = client.pipeline(transaction=False)
            pipeline.execute_command("INCRBY", key, number)
            pipeline.execute_command("PEXPIRE", key, _FORGET_AFTER_MS)
            taken, _ = await pipeline.execute()
            return int(taken)

        return await self._line.call("take_permits", ask)
