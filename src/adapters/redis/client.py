"""Clients of a Redis or Valkey server, or of a Redis Cluster, that neither wait long nor try again."""

from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

Client: TypeAlias = Redis | RedisCluster

SOCKET_TIMEOUT_S = 0.1


def open_client(url: str, *, connections_max: int) -> Client:
    """Return a client of the server at *url*; it connects when it is first asked something.

    ``?cluster=true`` says that the server is a node of a Cluster. Raises ValueError for an address that
    cannot be used.
    """
    address, is_cluster = _without_cluster(url)
    settings = {
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_connect_timeout": SOCKET_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,  # nothing of the third is needed, and it costs a command more when connecting
        "driver_info": None,  # as does telling the server who we are
        # Else a connection that the server has closed meanwhile passes for a good one.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    if is_cluster:
        return RedisCluster.from_url(address, max_connections=connections_max, **settings)
    pool = ConnectionPool.from_url(address, max_connections=connections_max, **settings)
    return Redis.from_pool(pool)


async def ask_node_of(client: Client, key: bytes, *command: str | int | bytes) -> Any:
    """Send a command without keys to the node where *key* lives."""
    if isinstance(client, RedisCluster):
        await client.initialize()
        node = client.get_node_from_key(key.decode())
        return await client.execute_command(*command, target_nodes=node)
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py says no types here


def _without_cluster(url: str) -> tuple[str, bool]:
    parts = urlsplit(url)
    query = parse_qsl(parts.query)
    is_cluster = any(name == "cluster" and value.lower() in {"1", "true", "yes"} for name, value in query)
    left = urlencode([(name, value) for name, value in query if name != "cluster"])
    return urlunsplit(parts._replace(query=left)), is_cluster
