"""A Redis Cluster of one or more nodes, without replicas."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager

from redis.asyncio import Redis

from tests.redis.commands import command
from tests.servers import running_valkey_with_port

SLOTS = 16384


@contextmanager
def running_cluster(nodes: int) -> Iterator[Sequence[int]]:
    """Run a Cluster and lend the ports of its nodes; the slots are spread over them in order."""
    settings = {"cluster-enabled": "yes", "cluster-node-timeout": "2000"}
    with ExitStack() as stack:
        ports = [stack.enter_context(running_valkey_with_port(settings))[1] for _ in range(nodes)]
        asyncio.run(_join(ports))
        yield ports


async def _join(ports: Sequence[int]) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(20):
        nodes = [await stack.enter_async_context(Redis(port=port)) for port in ports]
        for number, node in enumerate(nodes):
            first, last = SLOTS * number // len(nodes), SLOTS * (number + 1) // len(nodes)
            await command(node, "CLUSTER ADDSLOTS", *range(first, last))
            await command(node, "CLUSTER SET-CONFIG-EPOCH", number + 1)
            await command(node, "CLUSTER MEET", "127.0.0.1", ports[0])
        for node in nodes:
            while not await _knows_all(node, len(nodes)):  # noqa: ASYNC110  # nodes tell nobody
                await asyncio.sleep(0.02)


async def _knows_all(node: Redis, count: int) -> bool:
    info = await command(node, "CLUSTER INFO")
    assert isinstance(info, dict)
    return str(info["cluster_state"]) == "ok" and int(info["cluster_known_nodes"]) >= count


async def move_slot(slot: int, ports: Sequence[int]) -> None:
    """Give a slot to the last of the nodes, empty: who still asks another is told that it has moved."""
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(Redis(port=port)) for port in ports]
        owner = await command(nodes[-1], "CLUSTER MYID")
        assert isinstance(owner, bytes)
        for node in reversed(nodes):
            await command(node, "CLUSTER SETSLOT", slot, "NODE", owner.decode())
