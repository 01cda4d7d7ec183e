"""The cache on a Redis or Valkey server."""

import asyncio
import struct
import time
from collections.abc import Awaitable, Callable, Sequence

from redis.exceptions import NoPermissionError

from adapters.redis.breaker import Breaker
from adapters.redis.client import (
    SOCKET_TIMEOUT_S,
    Client,
    ask_node_of,
    open_client,
    read_many,
    values_of,
)
from adapters.redis.entries import Undecodable, decode, encode_entry, encode_lease, encode_token, leads_to
from adapters.redis.joining import JoinedLooks, read_number
from adapters.redis.keys import Keys
from adapters.redis.line import CONNECTIONS_MAX, Line
from adapters.redis.scripts import BEGIN, FILL, FOLLOW, SWEEP, TAKE_LEASE, one_or_zero
from adapters.redis.wire import Wires
from application.cache_ports import CacheFigures, CachePort, CacheUnavailable, Entry, Look, Place, Swept
from application.observing import CacheObserver

TIMEOUT_S = 0.15
_SCAN_COUNT = 500


def open_redis_cache(
    url: str, namespace: str = "birthdays", *, observer: CacheObserver, patience: float = 1.0
) -> "RedisCache":
    """Return the cache at *url*, to be closed in the end; the server need not be there yet.

    The time-outs are multiplied by *patience*. Raises ValueError for an address that cannot be used.
    """
    reading, sweeping = (
        open_client(url, connections_max=CONNECTIONS_MAX, timeout_s=SOCKET_TIMEOUT_S * patience)
        for _ in range(2)
    )
    return RedisCache(reading, sweeping, namespace, observer, timeout_s=TIMEOUT_S * patience)


class RedisCache(CachePort):
    """The keys of one namespace. Reading and sweeping have a line each: neither waits behind the other.

    What a request waits for goes by the line for reading, its invalidations too: where reading has found
    the server away, no write waits to find it out again.
    """

    __slots__ = ("_hits", "_invalidations", "_keys", "_looks", "_misses", "_sweeping", "_wires", "reading")

    def __init__(
        self,
        client_for_reading: Client,
        client_for_sweeping: Client,
        namespace: str,
        observer: CacheObserver,
        *,
        timeout_s: float = TIMEOUT_S,
        wires: Wires | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = Keys(namespace)
        self.reading, self._sweeping = (
            Line(
                client, Breaker(side, observer, monotonic), observer, monotonic, timeout_s, self._ask_anything
            )
            for client, side in ((client_for_reading, "reading"), (client_for_sweeping, "sweeping"))
        )
        # Not for invalidations: what is late on the wire of looks ends with it.
        self._wires = wires or Wires(client_for_reading)
        self._looks = JoinedLooks(self.reading, self._wires, self._keys)
        self._invalidations: set[asyncio.Task[object]] = set()
        self._hits = 0
        self._misses = 0

    async def aclose(self) -> None:
        """End what is under way and close all connections."""
        await self._looks.aclose()
        await asyncio.gather(*self._invalidations, return_exceptions=True)
        await self.reading.aclose()
        await self._wires.aclose()
        await self._sweeping.aclose()

    async def get(self, key: str) -> bytes | None:
        (value,) = await self.get_many([key])
        return value

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        if not keys:
            return []
        names = [self._keys.plain(key) for key in keys]
        values = await self.reading.call("get", lambda client: read_many(client, names))
        missing = values.count(None)
        self._misses += missing
        self._hits += len(values) - missing
        return values

    async def set(
        self,
        key: str,
        value: bytes,
        *,
        ttl_s: float | None = None,
        only_if_absent: bool = False,
        only_if_present: bool = False,
    ) -> bool:
        if only_if_absent and only_if_present:
            raise ValueError("A key cannot be both absent and present.")
        command = _set(self._keys.plain(key), value, ttl_s)
        command += ["NX"] * only_if_absent + ["XX"] * only_if_present

        async def ask(client: Client) -> bool:
            return bool(await client.execute_command(*command))

        return await self.reading.call("set", ask)

    async def set_many(self, entries: Sequence[tuple[str, bytes, float | None]]) -> None:
        async def ask(client: Client) -> None:
            pipeline = client.pipeline(transaction=False)
            for key, value, ttl_s in entries:
                pipeline.execute_command(*_set(self._keys.plain(key), value, ttl_s))
            await pipeline.execute()

        await self.reading.call("set", ask)

    async def delete(self, *keys: str) -> int:
        return await self._unlink(self.reading, "delete", [self._keys.plain(key) for key in keys])

    async def delete_prefix(self, prefix: str, *, limit: int) -> int:
        pattern = self._keys.plain_pattern(prefix)
        cursor, gone = 0, 0
        while gone < limit:

            async def ask(client: Client, cursor: int = cursor) -> tuple[int, list[bytes]]:
                reply = await ask_node_of(
                    client, pattern, "SCAN", cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT
                )
                return int(reply[0]), list(reply[1])

            cursor, names = await self._sweeping.call("scan", ask)
            gone += await self._unlink(self._sweeping, "delete", names[: limit - gone])
            if cursor == 0:
                break
        return gone

    async def is_healthy(self) -> bool:
        try:
            await self.reading.call("ping", self._ask_anything)
        except CacheUnavailable:
            return False
        return True

    async def _ask_anything(self, client: Client) -> None:
        """Ask the server, or the node of a Cluster, that has the keys."""
        await client.execute_command("EXISTS", self._keys.plain(""))

    async def figures(self) -> CacheFigures:
        async def ask(client: Client) -> tuple[int | None, int | None]:
            try:
                memory = await ask_node_of(client, self._keys.plain(""), "INFO", "memory")
                clients = await ask_node_of(client, self._keys.plain(""), "INFO", "clients")
            except NoPermissionError:
                return None, None
            return memory.get("used_memory"), clients.get("connected_clients")

        memory_bytes, connected_clients = await self._sweeping.call("figures", ask)
        return CacheFigures(
            hits=self._hits + self._looks.hits,
            misses=self._misses + self._looks.misses,
            memory_bytes=memory_bytes,
            connected_clients=connected_clients,
        )

    def look(self, place: Place, key: str) -> Awaitable[Look]:
        return self._looks.look(place, key)

    async def follow(self, place: Place, key: str, prefix: str) -> tuple[Look, Look | None]:
        names = [self._keys.watermark(place), self._keys.held(place, key)]
        beginning = self._keys.held(place, prefix)

        async def ask(_: Client) -> list[bytes | None]:
            return values_of(await FOLLOW.run(self._wires, names, beginning), 3)

        watermark, *values = await self.reading.call("follow", ask)
        reference = _look(key, values[0], read_number(watermark))
        self._count(reference)
        if not isinstance(reference.held, Entry) or values[1] is None:
            return reference, None
        found = _look(prefix + leads_to(reference.held), values[1], reference.watermark)
        self._count(found)
        return reference, found

    async def take_lease(
        self, place: Place, key: str, token: str, *, lease_s: float, renewing: bool = False
    ) -> bool:
        encoded = encode_token(token)
        arguments = encoded, encode_lease(key, encoded), _milliseconds(lease_s), int(renewing)
        name = self._keys.held(place, key)
        return await self.reading.call(
            "take_lease", lambda _: TAKE_LEASE.decide(self._wires, [name], *arguments)
        )

    async def fill(self, place: Place, key: str, token: str, entry: Entry, *, ttl_s: float) -> bool:
        arguments = encode_token(token), encode_entry(key, entry), _milliseconds(ttl_s)
        name = self._keys.held(place, key)
        return await self.reading.call("fill", lambda _: FILL.decide(self._wires, [name], *arguments))

    async def invalidate(self, keys: Sequence[tuple[Place, str]]) -> None:
        """Whoever no longer waits for it does not stop it."""
        names = [self._keys.held(place, key) for place, key in keys]
        task = asyncio.create_task(self._unlink(self.reading, "invalidate", names))
        self._invalidations.add(task)
        task.add_done_callback(self._forget)
        await asyncio.shield(task)

    async def sweep(self, place: Place, *, base: int, batch: int, keys: Sequence[tuple[str, int]]) -> Swept:
        names = [self._keys.watermark(place), *(self._keys.held(place, key) for key, _ in keys)]
        versions = [struct.pack(">Q", version) for _, version in keys]

        async def ask(client: Client) -> Swept:
            is_gap, watermark = await SWEEP.run(client, names, base, batch, *versions)
            return Swept(is_gap=one_or_zero(is_gap), watermark=read_number(watermark))

        return await self._sweeping.call("sweep", ask)

    async def begin(self, place: Place, watermark: int) -> None:
        name = self._keys.watermark(place)
        await self._sweeping.call("begin", lambda client: BEGIN.run(client, [name], watermark))

    def _count(self, look: Look) -> None:
        is_hit = isinstance(look.held, Entry)
        self._hits += is_hit
        self._misses += not is_hit

    async def _unlink(self, line: Line, operation: str, names: Sequence[bytes]) -> int:
        if not names:
            return 0

        async def ask(client: Client) -> int:
            return int(await client.execute_command("UNLINK", *names))

        return await line.call(operation, ask)

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._invalidations.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has heard of it


def _look(key: str, value: bytes | None, watermark: int | None) -> Look:
    try:
        return Look(None if value is None else decode(key.encode(), value), watermark)
    except Undecodable:
        return Look(None, watermark, undecodable=True)


def _set(name: bytes, value: bytes, ttl_s: float | None) -> list[str | bytes | int]:
    return ["SET", name, value, *(() if ttl_s is None else ("PX", _milliseconds(ttl_s)))]


def _milliseconds(seconds: float) -> int:
    """Return a lifetime as the server wants it: one that is over already is the shortest there is."""
    return max(1, round(seconds * 1000))
