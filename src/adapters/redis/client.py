"""Clients of a Redis or Valkey server, or of a Redis Cluster, that neither wait long nor try again."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException

Client: TypeAlias = Redis | RedisCluster

SOCKET_TIMEOUT_S = 0.1
"""For each of connecting, writing and reading; shorter than what a whole call may take, so that the client
of a Cluster sees by itself that a node hangs, and asks another."""
_CLOSE_S = 2.0
"""Closing a connection is bounded by the same setting, and no line ends it."""


def open_client(url: str, *, connections_max: int, timeout_s: float = SOCKET_TIMEOUT_S) -> Client:
    """Return a client of the server at *url*; it connects when it is first asked something.

    ``?cluster=true`` says that the server is a node of a Cluster. Raises ValueError for an address that
    cannot be used.
    """
    address, is_cluster = _without_cluster(url)
    settings = {
        # The client of one server is ended by the line. A time-out of its own would cost a task for each command,
        # and ``wait_for`` of Python 3.11 would lose the line's now and then.
        "socket_timeout": timeout_s if is_cluster else None,
        "socket_connect_timeout": timeout_s if is_cluster else _CLOSE_S,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,  # nothing of the third is needed, and it costs a command more when connecting
        "driver_info": None,  # as does telling the server who we are
    }
    if is_cluster:
        try:
            return RedisCluster.from_url(address, max_connections=connections_max, **settings)
        except RedisClusterException as error:
            raise ValueError(str(error)) from None
    pool = ConnectionPool.from_url(address, max_connections=connections_max, **settings)
    return Redis.from_pool(pool)


class Asking(Protocol):
    """Whoever sends a command and returns its answer."""

    async def execute_command(self, *command: Any) -> Any: ...


async def read_many(client: Asking, names: Sequence[bytes]) -> list[bytes | None]:
    """Return what the keys hold, in one step of the server; None for what is no string, too."""
    return values_of(await client.execute_command("MGET", *names), len(names))


def values_of(reply: Any, number: int) -> list[bytes | None]:
    """Return so many values as the server sent them. Raises TypeError for anything else."""
    values = list(reply)
    if len(values) != number or not all(value is None or isinstance(value, bytes) for value in values):
        raise TypeError("not a value for each key")
    return values


async def ask_node_of(client: Client, key: bytes, *command: str | int | bytes) -> Any:
    """Send a command without keys to the node where *key* lives."""
    if isinstance(client, RedisCluster):
        await client.initialize()
        # The node itself: the client of all nodes makes its own shape of a SCAN's answer.
        node = client.get_node_from_key(key.decode())
        if node is None:
            raise ConnectionError("no node has the slot")
        return await node.execute_command(*command)
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py says no types here


def _without_cluster(url: str) -> tuple[str, bool]:
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    is_cluster = any(name == "cluster" and value.lower() in {"1", "true", "yes"} for name, value in query)
    left = urlencode([(name, value) for name, value in query if name != "cluster"])
    return urlunsplit(parts._replace(query=left)), is_cluster
