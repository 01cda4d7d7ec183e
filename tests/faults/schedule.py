"""The kinds of faults, and the schedule that a seed gives them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import attrs

from tests.faults import faults
from tests.faults.checker import Checker
from tests.faults.cluster import Cluster
from tests.faults.faults import Scene
from tests.faults.weather import Part


@attrs.frozen
class Fault:
    """A kind of fault: its name as it is printed, what it breaks, and how."""

    kind: str
    part: Part
    act: Callable[[Scene], Awaitable[None]]


FAULTS = (
    Fault("process killed", Part.PROCESS, faults.kill_process),
    Fault("process paused", Part.PROCESS, faults.pause_process),
    Fault("process killed after its commit", Part.PROCESS, faults.kill_between_commit_and_invalidation),
    Fault("process killed, its cache hanging", Part.PROCESS, faults.kill_while_its_cache_hangs),
    Fault("process paused in its fills", Part.PROCESS, faults.pause_process_in_its_fill),
    Fault("process paused in its sweep", Part.PROCESS, faults.pause_process_in_its_sweep),
    Fault("fills held back", Part.CACHE, faults.hang_cache_in_a_fill),
    Fault("Valkey paused", Part.CACHE, faults.pause_valkey),
    Fault("Valkey killed, restarted empty", Part.CACHE, faults.empty_valkey_by_a_restart),
    Fault("Valkey restarted from an old snapshot", Part.CACHE, faults.wind_valkey_back),
    Fault("FLUSHALL", Part.CACHE, faults.flush),
    Fault("failover to a lagging replica", Part.CACHE, faults.fail_over_to_a_lagging_replica),
    Fault("failover, one process after another", Part.CACHE, faults.fail_over_one_process_after_another),
    Fault("half of the keys evicted", Part.CACHE, faults.evict),
    Fault("watermark removed", Part.CACHE, faults.remove_the_watermark),
    Fault("garbage written into keys", Part.CACHE, faults.write_garbage),
    Fault("Valkey refuses", Part.CACHE, faults.refuse),
    Fault("Valkey hangs", Part.CACHE, faults.hang),
    Fault("Valkey delayed", Part.CACHE, faults.delay),
    Fault("connections to Valkey cut", Part.CACHE, faults.cut),
    Fault("everybody changed by one statement", Part.CACHE, faults.change_everybody),
    Fault("backends killed in COMMIT", Part.DATABASE, faults.kill_backends_in_commit),
    Fault("PostgreSQL restarted", Part.DATABASE, faults.restart_postgres),
    Fault("PostgreSQL paused", Part.DATABASE, faults.pause_postgres),
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
