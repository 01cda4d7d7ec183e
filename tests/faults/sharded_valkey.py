"""A Valkey Cluster of three primaries and three replicas, whose slots move and whose nodes die."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import attrs
import redis.asyncio
from redis.exceptions import RedisError

from tests.faults.valkey import Valkey
from tests.redis.commands import command

PRIMARIES = 3
SLOTS = 16384
NODE_TIMEOUT_MS = 1000
_WITHIN_S = 30.0
_SETTINGS = (
    *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
    *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-require-full-coverage", "no"),
    *("--cluster-replica-validity-factor", "0"),
)
_KEYS_AT_ONCE = 20


@attrs.frozen
class _Node:
    """What a node of the Cluster is to the others."""

    id: str
    port: int
    flags: frozenset[str]
    primary_id: str
    slots: Sequence[tuple[int, int]]

    @property
    def is_primary(self) -> bool:
        return "master" in self.flags and "fail" not in self.flags

    def has(self, slot: int) -> bool:
        return any(first <= slot <= last for first, last in self.slots)


@attrs.define(eq=False)
class ValkeyCluster:
    """All nodes. The keys of the service lie in one *slot*: who owns that is what matters."""

    nodes: Mapping[int, Valkey]
    """By port."""
    slot: int

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, key: str) -> AsyncIterator["ValkeyCluster"]:
        """Run one; the slot that is watched is that of *key*."""
        async with contextlib.AsyncExitStack() as stack:
            nodes = [
                await stack.enter_async_context(Valkey.running(folder / f"node-{number}", *_SETTINGS))
                for number in range(2 * PRIMARIES)
            ]
            await _join(nodes)
            async with nodes[0].client() as client:
                slot = int(await command(client, "CLUSTER KEYSLOT", key))
            cluster = cls({node.port: node for node in nodes}, slot)
            await cluster.wait_until_whole()
            yield cluster

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{next(iter(self.nodes))}/0?cluster=true"

    async def owner(self) -> Valkey:
        return self.nodes[(await self._owner()).port]

    async def replica(self) -> Valkey:
        """Return a replica of who owns the slot."""
        owner, nodes = await self._owner(), await self._nodes()
        return self.nodes[next(node.port for node in nodes if node.primary_id == owner.id)]

    async def wait_until_owner_is_not(self, before: Valkey) -> None:
        async with asyncio.timeout(_WITHIN_S):
            while True:
                with contextlib.suppress(LookupError):
                    if await self.owner() is not before:
                        return
                await asyncio.sleep(0.05)

    async def wait_until_whole(self) -> None:
        """Wait until each primary has a replica, and all nodes agree that they are well."""
        async with asyncio.timeout(_WITHIN_S):
            while not await self._is_whole():  # noqa: ASYNC110  # nodes tell nobody
                await asyncio.sleep(0.1)

    async def move_slot(self, pause_s: float) -> None:
        """Give the slot with its keys to another primary, a few keys at a time, under load."""
        source = await self._owner()
        nodes = await self._nodes()
        target = next(node for node in nodes if node.is_primary and node.id != source.id)
        async with self._client(source) as old, self._client(target) as new:
            await command(new, "CLUSTER SETSLOT", self.slot, "IMPORTING", source.id)
            await command(old, "CLUSTER SETSLOT", self.slot, "MIGRATING", target.id)
            while keys := await command(old, "CLUSTER GETKEYSINSLOT", self.slot, _KEYS_AT_ONCE):
                where = ("127.0.0.1", target.port, "", 0, 5000, "REPLACE", "KEYS")
                await command(old, "MIGRATE", *where, *keys)
                await asyncio.sleep(pause_s)
            for client in (new, old):
                await command(client, "CLUSTER SETSLOT", self.slot, "NODE", target.id)
        await self.wait_until_owner_is_not(self.nodes[source.port])

    def _client(self, node: _Node) -> contextlib.AbstractAsyncContextManager[redis.asyncio.Redis]:
        return self.nodes[node.port].client()

    async def _owner(self) -> _Node:
        """Raises LookupError while nobody has the slot."""
        for node in await self._nodes():
            if node.is_primary and node.has(self.slot):
                return node
        raise LookupError(self.slot)

    async def _nodes(self) -> Sequence[_Node]:
        """Ask whoever answers, and believe who has heard of the latest change."""
        views = [view for valkey in self.nodes.values() if (view := await _view_of(valkey)) is not None]
        if not views:
            raise LookupError("no node answers")
        return max(views, key=itemgetter(0))[1]

    async def _is_whole(self) -> bool:
        for valkey in self.nodes.values():
            try:
                async with valkey.client() as client:
                    info = await command(client, "CLUSTER INFO")
                    replication = await client.info("replication")
            except (RedisError, OSError):
                return False
            if info["cluster_state"] != "ok" or int(info["cluster_known_nodes"]) != len(self.nodes):
                return False
            if replication["role"] == "slave" and replication["master_link_status"] != "up":
                return False
        try:
            nodes = await self._nodes()
        except LookupError:
            return False
        return sum("fail" in flag for node in nodes for flag in node.flags) == 0


async def _view_of(valkey: Valkey) -> tuple[int, list[_Node]] | None:
    try:
        async with asyncio.timeout(1), valkey.client() as client:
            info = await command(client, "CLUSTER INFO")
            told = await command(client, "CLUSTER NODES")
    except (RedisError, OSError, TimeoutError):
        return None
    nodes = [_read(address, node) for address, node in told.items()]
    return int(info["cluster_current_epoch"]), sorted(nodes, key=lambda node: node.port)


def _read(address: str, node: Mapping[str, Any]) -> _Node:
    return _Node(
        id=node["node_id"],
        port=int(address.rpartition(":")[2]),
        flags=frozenset(node["flags"].split(",")),
        primary_id=node["master_id"],
        slots=[(int(slots[0]), int(slots[-1])) for slots in node["slots"]],
    )


async def _join(nodes: Sequence[Valkey]) -> None:
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(_WITHIN_S):
        clients = [await stack.enter_async_context(node.client()) for node in nodes]
        ids = [(await command(client, "CLUSTER MYID")).decode() for client in clients]
        for number, client in enumerate(clients[:PRIMARIES]):
            first, last = SLOTS * number // PRIMARIES, SLOTS * (number + 1) // PRIMARIES
            await command(client, "CLUSTER ADDSLOTSRANGE", first, last - 1)
            await command(client, "CLUSTER SET-CONFIG-EPOCH", number + 1)
        for client in clients[1:]:
            await command(client, "CLUSTER MEET", "127.0.0.1", nodes[0].port)
        for number, client in enumerate(clients[PRIMARIES:]):
            while True:
                try:
                    await command(client, "CLUSTER REPLICATE", ids[number])
                    break
                except RedisError:  # it has not heard of that node yet
                    await asyncio.sleep(0.05)
