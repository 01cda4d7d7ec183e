"""A short run over a Valkey Cluster: its slot moves and its primary dies under load, and nothing stale is served."""

import pytest

from tests.faults.cluster import OURS
from tests.faults.sharded import trial
from tests.faults.trial import report

pytestmark = [pytest.mark.servers, pytest.mark.slow]

KINDS = ("slot moved", "primary killed", "failover that was asked for")


async def test_a_resharding_and_failovers_break_no_guarantee() -> None:
    checker = await trial(OURS, seconds=15, seed=5, kinds=KINDS, people=100)
    assert report(checker, 5) == 0
    assert set(checker.weather.counts()) == set(KINDS)
    assert checker.sources["HIT"] > checker.reads / 4
