"""The faults, one function each."""

import asyncio
from collections.abc import Sequence
from random import Random

import attrs

from tests.faults import truth
from tests.faults.checker import TIMEOUT_S, Checker
from tests.faults.client import Client
from tests.faults.cluster import Cluster, Process
from tests.faults.load import change_by_hand
from tests.faults.proxy import Mode, Proxy

PAUSES = 12
FILLS = 8
SLOWED_S = 0.012
"""Added to each direction of a connection to the cache, to have more time in which to hit it."""
HELD_S = 0.3
"""For how long commits are stopped half way, so that some are."""


@attrs.define(eq=False)
class Scene:
    """What a fault has to do with: the processes it is to hit, chosen before it begins."""

    cluster: Cluster
    checker: Checker
    random: Random
    hit: Sequence[int]

    @property
    def process(self) -> Process:
        return self.cluster.processes[self.hit[0]]

    @property
    def proxies(self) -> Sequence[Proxy]:
        return [self.cluster.proxies[number] for number in self.hit]

    async def wait(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(self.random.uniform(least_s, most_s))


async def kill_process(scene: Scene) -> None:
    scene.checker.killed(scene.hit[0])
    await scene.process.kill()
    await scene.wait(0, 1)
    await scene.process.start()


async def pause_process(scene: Scene) -> None:
    scene.process.pause()
    try:
        await scene.wait(0.5, 8)
    finally:
        scene.process.go_on()


async def kill_between_commit_and_invalidation(scene: Scene) -> None:
    """Stop commits half way, stop the process, let the commits end, and kill the process before it knows."""
    async with truth.commits_held(scene.checker.database_url):
        await asyncio.sleep(HELD_S)
        scene.process.pause()
    await asyncio.sleep(HELD_S)
    await kill_process(scene)


async def kill_while_its_cache_hangs(scene: Scene) -> None:
    """What the process writes is committed, and its invalidation is not on its way yet."""
    proxy = scene.cluster.proxies[scene.hit[0]]
    await proxy.become(Mode.HANG)
    try:
        await scene.wait(0.05, 0.5)
        scene.checker.killed(scene.hit[0])
        await scene.process.kill()
        proxy.cut()  # what hung in it dies with the process
    finally:
        await proxy.become(Mode.PASS)
    await scene.process.start()


async def pause_process_in_its_fill(scene: Scene) -> None:
    """Time and again stop the process at about the moment at which it has read what it is going to cache.

    A write elsewhere overtakes it. When the bound has passed, what was overtaken is read everywhere.
    """
    checker, slow = scene.checker, scene.hit[0]
    fast = scene.random.choice([number for number in range(len(checker.urls)) if number != slow])
    people = scene.random.sample(range(checker.crowd.size), PAUSES)
    clients = [Client(url, TIMEOUT_S) for url in checker.urls]
    try:
        took_s = 0.02
        for person in people:
            await checker.change(clients[fast], fast, person)
            reading = asyncio.create_task(checker.read_person(clients[slow], slow, person))
            await scene.wait(0, took_s)
            took_s *= 0.8 if reading.done() else 1.25  # so that the next one is stopped half way
            scene.process.pause()
            try:
                await checker.change(clients[fast], fast, person)
                await asyncio.sleep(0.4)  # a sweep has passed
            finally:
                scene.process.go_on()
            await reading
        await _read_everywhere_when_it_counts(checker, clients, people)
    finally:
        for client in clients:
            client.close()


async def pause_process_in_its_sweep(scene: Scene) -> None:
    """Stop the process while it waits for its cache in a transaction: it keeps whatever it has locked."""
    proxy = scene.cluster.proxies[scene.hit[0]]
    await proxy.become(Mode.HANG)
    try:
        async with truth.connected(scene.checker.database_url) as connection:
            for _ in range(200):
                if await truth.somebody_waits_in_a_transaction(connection):
                    break
                await asyncio.sleep(0.01)
        scene.process.pause()
        await proxy.become(Mode.PASS)
        await scene.wait(3, 8)
    finally:
        await proxy.become(Mode.PASS)
        scene.process.go_on()


async def hang_cache_in_a_fill(scene: Scene) -> None:
    """Hold back what the process is just putting into its cache; it arrives long after the process gave up."""
    checker, slow = scene.checker, scene.hit[0]
    fast = scene.random.choice([number for number in range(len(checker.urls)) if number != slow])
    people = scene.random.sample(range(checker.crowd.size), FILLS)
    clients = [[Client(url, TIMEOUT_S) for _ in people] for url in checker.urls]
    try:
        for person, client in zip(
            people, clients[slow], strict=True
        ):  # every connection is there before it gets slow
            await checker.read_person(client, slow, person)
        proxy = scene.cluster.proxies[slow]
        await overtake_fills(checker, proxy, (slow, clients[slow]), (fast, clients[fast]), people)
        await _read_everywhere_when_it_counts(checker, [first for first, *_ in clients], people)
    finally:
        for client in (client for several in clients for client in several):
            client.close()


async def overtake_fills(
    checker: Checker,
    proxy: Proxy,
    slow: tuple[int, Sequence[Client]],
    fast: tuple[int, Sequence[Client]],
    people: Sequence[int],
) -> None:
    """Have a process fill, hold that back, overtake it by writes on another process, and let it go on.

    The readers begin one after another, and their connection to the cache is slow: at the moment at which it
    hangs some of them are between their look into the database and the arrival of what they fill, however
    many round trips they make.
    """

    async def write() -> None:
        number, clients = fast
        pairs = zip(clients, people, strict=True)
        await asyncio.gather(*(checker.change(client, number, person) for client, person in pairs))

    number, clients = slow
    await write()
    proxy.delay_s = SLOWED_S
    reading = []
    for client, person in zip(clients, people, strict=True):
        reading.append(asyncio.create_task(checker.read_person(client, number, person)))
        await asyncio.sleep(SLOWED_S)
    try:
        await proxy.become(Mode.HANG)
        await write()
        await asyncio.sleep(0.5)  # sweeps have passed
    finally:
        await proxy.become(Mode.PASS)
        proxy.delay_s = 0
    await asyncio.gather(*reading)


async def _read_everywhere_when_it_counts(
    checker: Checker, clients: Sequence[Client], people: Sequence[int]
) -> None:
    await asyncio.sleep(checker.history.bound_s)
    for person in people:
        for process, client in enumerate(clients):
            await checker.read_person(client, process, person)


async def pause_valkey(scene: Scene) -> None:
    scene.cluster.primary.pause()
    try:
        await scene.wait(0.5, 6)
    finally:
        scene.cluster.primary.go_on()


async def empty_valkey_by_a_restart(scene: Scene) -> None:
    await scene.cluster.primary.kill()
    await scene.wait(0, 3)
    await scene.cluster.primary.restart_empty()


async def wind_valkey_back(scene: Scene) -> None:
    await scene.cluster.primary.snapshot()
    await scene.wait(0.5, 6)
    await scene.cluster.primary.wind_back()


async def flush(scene: Scene) -> None:
    async with scene.cluster.primary.client() as client:
        await client.flushall()


async def fail_over_to_a_lagging_replica(scene: Scene) -> None:
    await _fail_over(scene, between_s=0)


async def fail_over_one_process_after_another(scene: Scene) -> None:
    """For a while some processes use the old server and some the new one."""
    await _fail_over(scene, between_s=1.5)


async def _fail_over(scene: Scene, between_s: float) -> None:
    cluster = scene.cluster
    await cluster.replica.follow(None)
    await scene.wait(0.5, 6)
    cluster.primary, cluster.replica = cluster.replica, cluster.primary
    proxies = list(cluster.proxies)
    scene.random.shuffle(proxies)
    for proxy in proxies:
        await proxy.lead_to(cluster.primary.port)
        await asyncio.sleep(between_s)
    await cluster.replica.follow(cluster.primary)


async def evict(scene: Scene) -> None:
    await _touch(scene, "UNLINK", share=0.5, only="*", but=":wm")


async def remove_the_watermark(scene: Scene) -> None:
    await _touch(scene, "UNLINK", share=1, only="*:wm")


async def write_garbage(scene: Scene) -> None:
    await _touch(scene, "SET", share=0.2, only="*", but=":wm")


async def _touch(scene: Scene, verb: str, *, share: float, only: str, but: str = "no such key") -> None:
    async with scene.cluster.primary.client() as client:
        async for key in client.scan_iter(match=only, count=500):
            if not key.endswith(but.encode()) and scene.random.random() < share:
                if verb == "SET":
                    await client.set(key, scene.random.randbytes(scene.random.randrange(40)), keepttl=True)
                else:
                    await client.unlink(key)


async def refuse(scene: Scene) -> None:
    await _become(scene, Mode.REFUSE)


async def hang(scene: Scene) -> None:
    await _become(scene, Mode.HANG)


async def _become(scene: Scene, mode: Mode) -> None:
    for proxy in scene.proxies:
        await proxy.become(mode)
    try:
        await scene.wait(0.5, 6)
    finally:
        for proxy in scene.proxies:
            await proxy.become(Mode.PASS)


async def delay(scene: Scene) -> None:
    delay_s = scene.random.choice((0.02, 0.06, 0.3, 1.0))
    for proxy in scene.proxies:
        proxy.delay_s = delay_s
    try:
        await scene.wait(1, 6)
    finally:
        for proxy in scene.proxies:
            proxy.delay_s = 0


async def cut(scene: Scene) -> None:
    for _ in range(scene.random.randint(1, 20)):
        for proxy in scene.proxies:
            proxy.cut()
        await scene.wait(0, 0.3)


async def change_everybody(scene: Scene) -> None:
    """One statement by hand that changes more than the outbox takes one by one."""
    hand = truth.Hand(scene.checker.database_url)
    try:
        await change_by_hand(scene.checker, hand, range(scene.checker.crowd.size), scene.random)
    finally:
        hand.close()


async def kill_backends_in_commit(scene: Scene) -> None:
    for _ in range(3):
        async with truth.commits_held(scene.checker.database_url) as connection:
            await asyncio.sleep(HELD_S)
            await truth.kill_backends(connection, only_waiting=True)
        await scene.wait(0, 0.5)
    async with truth.connected(scene.checker.database_url) as connection:
        for _ in range(20):
            await truth.kill_backends(connection, only_waiting=False)
            await scene.wait(0, 0.1)


async def restart_postgres(scene: Scene) -> None:
    scene.cluster.postgres.stop_immediately()
    await asyncio.sleep(0.1)
    await truth.until_up(scene.checker.database_url)


async def pause_postgres(scene: Scene) -> None:
    stopped = scene.cluster.postgres.pause()
    try:
        await scene.wait(0.5, 5)
    finally:
        scene.cluster.postgres.go_on(stopped)
