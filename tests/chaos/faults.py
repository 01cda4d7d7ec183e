"""The faults, and who brings them about: processes and servers are broken at the same time."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from random import Random

import attrs

from tests.chaos import ledger
from tests.chaos.provider import STILL_S
from tests.chaos.site import ANSWER_WITHIN_S, Site
from tests.faults.cluster import Process
from tests.faults.truth import LOST, connected, until_up

_LOOKS, _LOOK_EVERY_S = 30, 0.5


@attrs.define(eq=False)
class Scene:
    """What a fault has to do with: *hit* is the process, for those that hit one."""

    site: Site
    random: Random
    hit: Process

    async def wait(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(self.random.uniform(least_s, most_s))

    async def until_up(self) -> None:
        await until_up(self.site.database_url, ANSWER_WITHIN_S)


async def kill_process(scene: Scene) -> None:
    await scene.hit.kill()
    await scene.wait(0, 1)
    await scene.site.start(scene.hit)


async def kill_process_in_the_middle(scene: Scene) -> None:
    await _give_it_messages(scene)
    await kill_process(scene)


async def stop_process(scene: Scene) -> None:
    await scene.hit.stop()
    await scene.site.start(scene.hit)


async def pause_process(scene: Scene) -> None:
    await _pause(scene, 0.2, scene.site.lease_s * 0.9)


async def pause_process_beyond_its_leases(scene: Scene) -> None:
    """It wakes up when others have done what it had in hand, as far as they come to it."""
    await _give_it_messages(scene)
    scene.hit.pause()
    try:
        held = await scene.site.ask(ledger.on_their_way)
        await scene.wait(scene.site.lease_s + 2.5, scene.site.lease_s + 5)
        for _ in range(_LOOKS):
            if not await scene.site.ask(lambda connection: ledger.count_open(connection, held)):
                break
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        scene.hit.go_on()


async def kill_paused_process(scene: Scene) -> None:
    scene.hit.pause()
    await scene.wait(0, scene.site.lease_s)
    await scene.hit.kill()
    await scene.site.start(scene.hit)


async def _give_it_messages(scene: Scene) -> None:
    """It would seldom be met between a claim and its completion else."""
    scene.site.provider.send_signal(signal.SIGUSR2)
    await scene.site.ask(ledger.hurry)
    await scene.wait(0.4 * STILL_S, 0.6 * STILL_S)


async def _pause(scene: Scene, least_s: float, most_s: float) -> None:
    scene.hit.pause()
    try:
        await scene.wait(least_s, most_s)
    finally:
        scene.hit.go_on()


async def stop_postgres_fast(scene: Scene) -> None:
    scene.site.ground.postgres.stop_fast()


async def stop_postgres_immediately(scene: Scene) -> None:
    scene.site.ground.postgres.stop_immediately()


async def kill_postgres(scene: Scene) -> None:
    scene.site.ground.postgres.kill()


async def pause_postgres(scene: Scene) -> None:
    postgres = scene.site.ground.postgres
    stopped = postgres.pause()
    try:
        await scene.wait(0.3, 4)
    finally:
        postgres.go_on(stopped)


async def cut_connections_to_postgres(scene: Scene) -> None:
    for _ in range(scene.random.randint(1, 4)):
        with contextlib.suppress(*LOST):
            async with connected(scene.site.database_url) as connection:
                await connection.execute("""
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE backend_type = 'client backend' AND application_name = 'birthdays'
                """)
        await scene.wait(0, 0.5)


async def restart_valkey(scene: Scene) -> None:
    await scene.site.ground.valkey.kill()
    await scene.wait(0, 3)
    await scene.site.ground.valkey.start()


@attrs.frozen
class Fault:
    """A kind of fault: its name as it is printed, and how it is done; *times* as often as the others."""

    kind: str
    act: Callable[[Scene], Awaitable[None]]
    times: int = 1


KILLED = Fault("process killed with messages in hand", kill_process_in_the_middle)
OF_PROCESSES = (
    KILLED,
    Fault("process killed", kill_process, 2),
    Fault("process stopped by SIGTERM", stop_process),
    Fault("process paused", pause_process, 2),
    Fault("process paused beyond its leases", pause_process_beyond_its_leases, 3),
    Fault("process paused, then killed", kill_paused_process),
)
OF_SERVERS = (
    Fault("PostgreSQL restarted, fast", stop_postgres_fast),
    Fault("PostgreSQL restarted, immediately", stop_postgres_immediately),
    Fault("PostgreSQL killed", kill_postgres),
    Fault("PostgreSQL paused", pause_postgres),
    Fault("connections to PostgreSQL cut", cut_connections_to_postgres),
    Fault("Valkey killed, restarted empty", restart_valkey),
)
LAST = "processes killed at once, as the last fault"


@attrs.frozen(kw_only=True)
class Pace:
    """How many seconds pass, at least and at most, between one fault and the next."""

    processes_s: tuple[float, float] = (2.0, 8.0)
    servers_s: tuple[float, float] = (4.0, 14.0)
    breakers: int = 2
    """How many break processes, each one at a time."""
    spared: int = 0
    """How many processes live through the last fault."""


async def break_things(site: Site, random: Random, pace: Pace, ending: asyncio.Event) -> None:
    """Break processes and servers until *ending*; everything runs again when this returns."""
    async with asyncio.TaskGroup() as group:
        for _ in range(min(pace.breakers, len(site.processes) - 1)):
            group.create_task(_break_processes(site, Random(random.random()), pace, ending))
        group.create_task(_break_servers(site, Random(random.random()), pace, ending))


async def kill_at_last(site: Site, pace: Pace) -> None:
    """Kill processes all at once, and start them."""
    hit = site.processes[pace.spared :]
    site.faults[LAST] += 1
    site.look_for_deaths(site.processes)
    site.busy.update(hit)
    await asyncio.gather(*(process.kill() for process in hit))
    await site.start(*hit)
    site.busy.clear()


async def _break_processes(site: Site, random: Random, pace: Pace, ending: asyncio.Event) -> None:
    kinds = [KILLED]  # however short the run is
    while not await _is_over(ending, random.uniform(*pace.processes_s)):
        kinds = kinds or _in_any_order(OF_PROCESSES, random)
        hit = random.choice([process for process in site.processes if process not in site.busy])
        site.look_for_deaths([hit])
        site.busy.add(hit)
        await _act(kinds.pop(), Scene(site, random, hit))
        site.busy.discard(hit)


async def _break_servers(site: Site, random: Random, pace: Pace, ending: asyncio.Event) -> None:
    kinds: list[Fault] = []
    while not await _is_over(ending, random.uniform(*pace.servers_s)):
        kinds = kinds or _in_any_order(OF_SERVERS, random)
        scene = Scene(site, random, site.processes[0])
        async with site.ground.breaking:
            await scene.until_up()
            await _act(kinds.pop(), scene)
            await asyncio.sleep(0.1)
            await scene.until_up()


async def _act(fault: Fault, scene: Scene) -> None:
    scene.site.faults[fault.kind] += 1
    await fault.act(scene)


def _in_any_order(faults: Sequence[Fault], random: Random) -> list[Fault]:
    """Return each kind as often as it is to come before all of them come again."""
    kinds = [fault for fault in faults for _ in range(fault.times)]
    return random.sample(kinds, len(kinds))


async def _is_over(ending: asyncio.Event, pause_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ending.wait(), pause_s)
    return ending.is_set()
