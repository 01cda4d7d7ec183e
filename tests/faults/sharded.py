"""The service over a Valkey Cluster that fails over and is resharded under load: python -m tests.faults.sharded."""

import asyncio
import contextlib
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import attrs
import click
import uvloop

from tests.faults.checker import Checker
from tests.faults.cluster import PROCESSES, Postgres, Process, Service, environment_of
from tests.faults.services import SERVICES
from tests.faults.sharded_valkey import NODE_TIMEOUT_MS, ValkeyCluster
from tests.faults.trial import PEOPLE, Trial, report
from tests.faults.weather import SETTLE_S, Part
from tests.redis.commands import command
from tests.service.running import free_port

_KEY = "birthdays:{00}:"
_LAG_S = 0.8 * NODE_TIMEOUT_MS / 1000
"""For how long a replica that is to take over has heard nothing; not long enough for the others to call it failed."""


async def ask_for_a_failover(cluster: ValkeyCluster, _random: Random) -> None:
    """The replica takes over in agreement with its primary: nothing is lost."""
    owner = await cluster.owner()
    async with (await cluster.replica()).client() as client:
        await command(client, "CLUSTER FAILOVER")
    await cluster.wait_until_owner_is_not(owner)


async def fail_over_to_a_lagging_replica(cluster: ValkeyCluster, _random: Random) -> None:
    """The replica has heard nothing for a while, and takes over without asking: the latest deletions are lost."""
    owner, replica = await cluster.owner(), await cluster.replica()
    async with owner.client() as told_by, replica.client() as client:
        await command(client, "PING")  # connects, while it can
        replica.pause()
        await command(
            told_by, "CLIENT KILL", "TYPE", "replica"
        )  # or what it has missed would wait in the socket
        await asyncio.sleep(_LAG_S)
        owner.pause()
        replica.go_on()
        await command(client, "CLUSTER FAILOVER", "TAKEOVER")
        await cluster.wait_until_owner_is_not(owner)
        owner.go_on()


async def kill_the_primary(cluster: ValkeyCluster, random: Random) -> None:
    """The others find out and choose its replica; it comes back empty, as a replica."""
    owner = await cluster.owner()
    await owner.kill()
    await cluster.wait_until_owner_is_not(owner)
    await asyncio.sleep(random.uniform(0, 2))
    await owner.start()


async def pause_the_primary(cluster: ValkeyCluster, random: Random) -> None:
    """It is replaced while it sleeps, and for a moment after that believes that it is not."""
    owner = await cluster.owner()
    owner.pause()
    try:
        await cluster.wait_until_owner_is_not(owner)
        await asyncio.sleep(random.uniform(0, 3))
    finally:
        owner.go_on()


async def move_the_slot(cluster: ValkeyCluster, random: Random) -> None:
    await cluster.move_slot(random.uniform(0.0, 0.05))


async def flush(cluster: ValkeyCluster, _random: Random) -> None:
    async with (await cluster.owner()).client() as client:
        await client.flushall()


FAULTS: Mapping[str, Callable[[ValkeyCluster, Random], Awaitable[None]]] = {
    "failover that was asked for": ask_for_a_failover,
    "failover to a lagging replica": fail_over_to_a_lagging_replica,
    "primary killed": kill_the_primary,
    "primary paused": pause_the_primary,
    "slot moved": move_the_slot,
    "FLUSHALL": flush,
}


@attrs.define(eq=False)
class Breaking:
    """One fault after another, each kind once before any comes again, and all whole in between."""

    cluster: ValkeyCluster
    random: Random
    kinds: Sequence[str] = tuple(FAULTS)
    calm_s: float = SETTLE_S + 1.0

    async def __call__(self, checker: Checker, ending: asyncio.Event) -> None:
        left: list[str] = []
        while not ending.is_set():
            left = left or self.random.sample(self.kinds, len(self.kinds))
            kind = left.pop()
            spell = checker.weather.begin(kind, Part.CACHE, time.monotonic())
            await FAULTS[kind](self.cluster, self.random)
            await self.cluster.wait_until_whole()
            checker.weather.end(spell, time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    ending.wait(), self.random.choice([self.random.uniform(0.2, 2.0), self.calm_s])
                )


@attrs.frozen
class Sharded:
    """Everything that runs."""

    valkey: ValkeyCluster
    database_url: str
    processes: Sequence[Process]


@contextlib.asynccontextmanager
async def running(service: Service, processes: int = PROCESSES) -> AsyncIterator[Sharded]:
    """Run everything for as long as this lasts."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="birthdays-sharded-")))
        postgres = await stack.enter_async_context(Postgres.running(folder / "postgres"))
        valkey = await stack.enter_async_context(ValkeyCluster.running(folder / "valkey", _KEY))
        started = [
            Process(
                service,
                port := free_port(),
                environment_of(folder, number, port, postgres.url, valkey.url),
                folder / f"process-{number}.log",
            )
            for number in range(processes)
        ]
        for process in started:
            stack.push_async_callback(process.kill)
        await asyncio.gather(*(process.start() for process in started))
        yield Sharded(valkey, postgres.url, started)


async def trial(
    service: Service, *, seconds: float, seed: int, kinds: Sequence[str] = tuple(FAULTS), people: int = PEOPLE
) -> Checker:
    """Run, and return what was found."""
    async with running(service) as sharded:
        return await Trial(
            urls=[process.url for process in sharded.processes],
            database_url=sharded.database_url,
            seconds=seconds,
            seed=seed,
            settle_s=SETTLE_S,
            faults=Breaking(sharded.valkey, Random(seed), kinds),
            people=people,
        ).run()


@click.command(help=__doc__)
@click.option("--service", type=click.Choice(sorted(SERVICES)), default="ours", show_default=True)
@click.option("--seconds", default=120.0, show_default=True)
@click.option("--seed", type=int, help="Any, if it is not given.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)), help="Only these kinds of faults.")
def main(*, service: str, seconds: float, seed: int | None, only: tuple[str, ...]) -> None:
    chosen = secrets.randbelow(10**6) if seed is None else seed
    kinds = only or tuple(FAULTS)
    checker = uvloop.run(trial(SERVICES[service], seconds=seconds, seed=chosen, kinds=kinds))
    sys.exit(report(checker, chosen))


if __name__ == "__main__":
    main()
