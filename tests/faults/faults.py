"""The faults, one function each, and the schedule that a seed gives them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import attrs

from tests.faults import truth
from tests.faults.checker import Checker
from tests.faults.cluster import Cluster, Process
from tests.faults.load import change_by_hand
from tests.faults.proxy import Mode, Proxy
from tests.faults.weather import Part

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


@attrs.frozen
class Fault:
    """A kind of fault: its name as it is printed, what it breaks, and how."""

    kind: str
    part: Part
    act: Callable[[Scene], Awaitable[None]]


FAULTS = (
    Fault("process killed", Part.PROCESS, kill_process),
    Fault("process paused", Part.PROCESS, pause_process),
    Fault("process killed after its commit", Part.PROCESS, kill_between_commit_and_invalidation),
    Fault("process killed, its cache hanging", Part.PROCESS, kill_while_its_cache_hangs),
    Fault("Valkey paused", Part.CACHE, pause_valkey),
    Fault("Valkey killed, restarted empty", Part.CACHE, empty_valkey_by_a_restart),
    Fault("Valkey restarted from an old snapshot", Part.CACHE, wind_valkey_back),
    Fault("FLUSHALL", Part.CACHE, flush),
    Fault("failover to a lagging replica", Part.CACHE, fail_over_to_a_lagging_replica),
    Fault("failover, one process after another", Part.CACHE, fail_over_one_process_after_another),
    Fault("half of the keys evicted", Part.CACHE, evict),
    Fault("watermark removed", Part.CACHE, remove_the_watermark),
    Fault("garbage written into keys", Part.CACHE, write_garbage),
    Fault("Valkey refuses", Part.CACHE, refuse),
    Fault("Valkey hangs", Part.CACHE, hang),
    Fault("Valkey delayed", Part.CACHE, delay),
    Fault("connections to Valkey cut", Part.CACHE, cut),
    Fault("everybody changed by one statement", Part.CACHE, change_everybody),
    Fault("backends killed in COMMIT", Part.DATABASE, kill_backends_in_commit),
    Fault("PostgreSQL restarted", Part.DATABASE, restart_postgres),
    Fault("PostgreSQL paused", Part.DATABASE, pause_postgres),
)


@attrs.define(eq=False)
class Schedule:
    """Faults in an order that the seed gives: each kind once before any comes again.

    Now and then two at once, the second one of the cache; and now and then a calm in which everything has to
    be right at once.
    """

    cluster: Cluster
    random: Random
    kinds: Sequence[Fault] = FAULTS
    calm_every: int = 4
    calm_s: float = 4.0

    async def __call__(self, checker: Checker, ending: asyncio.Event) -> None:
        left: list[Fault] = []
        done = 0
        while not ending.is_set():
            if not left:
                left = self.random.sample(self.kinds, len(self.kinds))
            now = [left.pop()]
            if (
                now[0].part is not Part.CACHE and self.random.random() < 0.4
            ):  # both may use the cache's servers
                now += [fault for fault in left if fault.part is Part.CACHE][:1]
                left = [fault for fault in left if fault not in now]
            await asyncio.gather(*(self._act(fault, checker) for fault in now))
            done += 1
            calm = checker.weather.settle_s + self.calm_s
            pause_s = calm if done % self.calm_every == 0 else self.random.uniform(0.2, 2.0)
            await _sleep(pause_s, ending)

    async def _act(self, fault: Fault, checker: Checker) -> None:
        random = Random(self.random.random())
        everyone = range(len(self.cluster.processes))
        hit = random.sample(everyone, 1 if fault.part is Part.PROCESS else random.randint(1, len(everyone)))
        broken = frozenset(hit if fault.part is Part.PROCESS else ())
        spell = checker.weather.begin(fault.kind, fault.part, time.monotonic(), broken)
        await fault.act(Scene(self.cluster, checker, random, hit))
        checker.weather.end(spell, time.monotonic())


async def _sleep(seconds: float, ending: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(ending.wait(), seconds)
    except TimeoutError:
        return
