"""A short run of the faults on our service, and that what it looks for is found where it is."""

import asyncio
import time
from random import Random

import attrs
import pytest

from tests.faults.checker import TIMEOUT_S, Checker
from tests.faults.client import Client
from tests.faults.cluster import OURS, Cluster, Service
from tests.faults.crowd import Crowd
from tests.faults.faults import FAULTS, Schedule
from tests.faults.history import BOUND_S, Guarantee, History
from tests.faults.load import Pace
from tests.faults.services import SERVICES
from tests.faults.trial import Trial, report
from tests.faults.truth import Truth
from tests.faults.weather import Part, Weather

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PEOPLE = 12
DELAY_S = 0.15


async def paused_before_its_fill(service: Service) -> Checker:
    """Let readers look into the cache and then into the database, and be overtaken by a write before they fill.

    Their connection to the cache is slow: a look takes two delays, and what they fill arrives after one more.
    The writer is on another process, whose connection is fast.
    """
    weather = Weather()
    async with Cluster.running(service, processes=2) as cluster:
        checker = Checker(
            cluster.urls, cluster.postgres.url, Crowd(1, PEOPLE), weather, History(weather, BOUND_S)
        )
        truth, ending = Truth(checker.database_url), asyncio.Event()
        await truth.install()
        slow, fast = ([Client(url, TIMEOUT_S) for _ in range(PEOPLE)] for url in cluster.urls)
        await checker.register(fast)
        following = asyncio.create_task(checker.follow(truth, ending))
        people = range(PEOPLE)
        # Every connection that is needed is made before it gets slow.
        await asyncio.gather(*(checker.read_person(slow[person], 0, person) for person in people))
        await asyncio.gather(*(checker.change(fast[person], 1, person) for person in people))
        spell = weather.begin("Valkey delayed", Part.CACHE, time.monotonic())
        cluster.proxies[0].delay_s = DELAY_S
        reading = [asyncio.create_task(checker.read_person(slow[person], 0, person)) for person in people]
        await asyncio.sleep(2.5 * DELAY_S)
        await asyncio.gather(*(checker.change(fast[person], 1, person) for person in people))
        await asyncio.gather(*reading)
        cluster.proxies[0].delay_s = 0
        weather.end(spell, time.monotonic())
        await asyncio.sleep(BOUND_S + 0.5)
        await asyncio.gather(*(checker.read_person(fast[person], 1, person) for person in people))
        ending.set()
        await following
        await truth.close()
        for client in (*slow, *fast):
            client.close()
        return checker


async def test_a_fill_after_the_invalidation_is_found_in_plain_cache_aside() -> None:
    checker = await paused_before_its_fill(SERVICES["plain"])
    assert checker.found[Guarantee.G5] > 0
    assert set(checker.found) <= {Guarantee.G5}
    assert checker.history.worst_s > BOUND_S


async def test_a_fill_after_the_invalidation_is_not_kept_by_ours() -> None:
    checker = await paused_before_its_fill(OURS)
    assert not checker.found, checker.violations


@pytest.mark.parametrize("seed", (1,))
async def test_a_short_run_of_faults_finds_nothing_wrong(seed: int) -> None:
    async with Cluster.running(OURS) as cluster:
        quick = [fault for fault in FAULTS if fault.kind not in {"PostgreSQL paused", "process paused"}]
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
