"""A short run of the faults on our service, and that what it looks for is found where it is."""

import asyncio
import time
from collections.abc import Sequence
from random import Random

import attrs
import pytest

from tests.faults.checker import TIMEOUT_S, Checker
from tests.faults.client import Client
from tests.faults.cluster import OURS, Cluster, Service
from tests.faults.crowd import Crowd
from tests.faults.faults import overtake_fills
from tests.faults.history import BOUND_S, Guarantee, History
from tests.faults.load import Pace
from tests.faults.proxy import Proxy
from tests.faults.schedule import FAULTS, Schedule
from tests.faults.services import SERVICES
from tests.faults.trial import Trial, report
from tests.faults.truth import Truth
from tests.faults.weather import Part, Weather

pytestmark = [pytest.mark.servers, pytest.mark.slow]

LONG = {
    "PostgreSQL paused",
    "process paused",
    "process paused in its fills",
    "process paused in its sweep",
    "fills held back",
}
"""Faults that are left to make faults."""
PEOPLE = 8
ROUNDS = 3


async def held_back_fills(service: Service) -> Checker:
    """Hold back what readers are about to put into the cache, until writes on another process have overtaken it."""
    weather = Weather()
    async with Cluster.running(service, processes=2) as cluster:
        checker = Checker(
            cluster.urls, cluster.postgres.url, Crowd(1, ROUNDS * PEOPLE), weather, History(weather, BOUND_S)
        )
        truth, ending = Truth(checker.database_url), asyncio.Event()
        await truth.install()
        clients = [[Client(url, TIMEOUT_S) for _ in range(PEOPLE)] for url in cluster.urls]
        await checker.register(clients[1])
        following = asyncio.create_task(checker.follow(truth, ending))
        spell = weather.begin("fills held back", Part.CACHE, time.monotonic())
        for first in range(0, ROUNDS * PEOPLE, PEOPLE):
            await _hold_back(checker, cluster.proxies[0], clients, range(first, first + PEOPLE))
        weather.end(spell, time.monotonic())
        await asyncio.sleep(BOUND_S)
        for person in range(ROUNDS * PEOPLE):
            await checker.read_person(clients[1][0], 1, person)
        ending.set()
        await following
        await truth.close()
        for client in (*clients[0], *clients[1]):
            client.close()
        return checker


async def _hold_back(
    checker: Checker, proxy: Proxy, clients: Sequence[Sequence[Client]], people: Sequence[int]
) -> None:
    slow = list(zip(clients[0], people, strict=True))
    used = checker.sources.total() - checker.sources["BYPASS"]
    async with asyncio.timeout(20):  # the cache is in use, and every connection is there before it gets slow
        while checker.sources.total() - checker.sources["BYPASS"] < used + PEOPLE:
            await asyncio.gather(*(checker.read_person(client, 0, person) for client, person in slow))
            await asyncio.sleep(0.05)
    await overtake_fills(checker, proxy, (0, clients[0]), (1, clients[1]), people)


@pytest.mark.parametrize("service", ("plain", "ours-without-lease"))
async def test_a_fill_after_the_invalidation_is_found_where_nothing_forbids_it(service: str) -> None:
    checker = await held_back_fills(SERVICES[service])
    assert checker.found[Guarantee.G5] > 0
    assert set(checker.found) <= {Guarantee.G5}
    assert checker.history.worst_s > BOUND_S


async def test_a_fill_after_the_invalidation_is_not_kept_by_ours() -> None:
    checker = await held_back_fills(OURS)
    assert not checker.found, checker.violations


@pytest.mark.parametrize("seed", (1,))
async def test_a_short_run_of_faults_finds_nothing_wrong(seed: int) -> None:
    async with Cluster.running(OURS) as cluster:
        quick = [fault for fault in FAULTS if fault.kind not in LONG]
        trial = Trial(
            urls=cluster.urls,
            database_url=cluster.postgres.url,
            seconds=12,
            seed=seed,
            people=150,
            pace=Pace(),
            settle_s=3,
        )
        checker = await attrs.evolve(trial, faults=Schedule(cluster, Random(seed), quick)).run()
    assert report(checker, seed) == 0
    assert checker.reads > 1000
    assert checker.weather.spells
