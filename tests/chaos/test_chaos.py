"""A short run of chaos against both kinds of providers, and that it finds what is missing from a service."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.chaos.faults import Pace
from tests.chaos.site import Ground
from tests.chaos.trial import Report, Trial, report

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(900)]


async def run(*trials: Trial) -> Sequence[Report]:
    async with Ground.running() as ground:
        return await asyncio.gather(*(trial.run(ground) for trial in trials))


def short(*, deduplicates: bool, seed: int) -> Trial:
    """Return a run in which a provider misbehaves five times as often as in make chaos."""
    return Trial(
        deduplicates=deduplicates,
        messages=2000,
        seconds=8,
        seed=seed,
        processes=3,
        pace=Pace(processes_s=(0.3, 2), servers_s=(1, 3), breakers=1, spared=2),
        harshness=5,
        lease_s=3,
    )


@pytest.mark.parametrize("seed", (1,))
async def test_a_short_run_of_chaos_loses_nothing_and_sends_nothing_twice(seed: int) -> None:
    found = await run(*(short(deduplicates=deduplicates, seed=seed) for deduplicates in (True, False)))
    assert report(found, seed) == 0
    for one in found:
        assert sum(one.faults.values()) > 1
        assert one.verdict.requests > one.verdict.whims["well"] > 0
