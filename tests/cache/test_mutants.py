"""The orders find what each rule of the protocol is there for: without it a guarantee breaks."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.cache import casts, mutants
from tests.cache.casts import Cast, orders_of
from tests.cache.scenes import Violation, without_timers
from tests.cache.world import MemoryWorld, ValkeyWorld, raw_client, valkey_clients

MUTANTS: dict[str, tuple[Cast, dict[str, type], str]] = {
    "a fill without its lease": (
        casts.reader_writer_sweeper,
        {"cache_class": mutants.FillingAnyhow},
        "G3",
    ),
    "a lease that outlives an invalidation": (
        casts.reader_writer_sweeper,
        {"cache_class": mutants.KeepingLeases},
        "G[23]",
    ),
    "an answer that is judged before it is there": (
        casts.paused_reader,
        {"trust_class": mutants.JudgingEarly},
        "G5",
    ),
    "no lease of the reader": (casts.paused_reader, {"trust_class": mutants.WithoutLease}, "G5"),
    "overdue keys that nobody minds": (
        casts.paused_reader,
        {"trust_class": mutants.BlindToOverdue},
        "G5",
    ),
    "no watermark": (casts.failover, {"trust_class": mutants.WithoutWatermark}, "G5"),
    "rows that are marked before they are carried out": (
        casts.dying_sweeper,
        {"sweep_class": mutants.MarkingRowsFirst},
        "G[35]",
    ),
    "who joins a load that has begun": (
        casts.all_in_one_process,
        {"values_class": mutants.JoiningLate},
        "G2|before it was asked for",
    ),
}
every_mutant = pytest.mark.parametrize(("cast", "kinds", "broken"), MUTANTS.values(), ids=MUTANTS)


@pytest.fixture(autouse=True)
def quietly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    without_timers(monkeypatch)
    with capture_logs():
        yield


@every_mutant
async def test_in_memory(cast: Cast, kinds: dict[str, type], broken: str) -> None:
    with pytest.raises(Violation, match=broken):
        await orders_of(cast, MemoryWorld.empty, **kinds)


@pytest.mark.servers
@every_mutant
async def test_on_valkey(cast: Cast, kinds: dict[str, type], broken: str, valkey_url: str) -> None:
    async with valkey_clients(valkey_url) as new_cache, raw_client(valkey_url) as raw:
        with pytest.raises(Violation, match=broken):
            await orders_of(cast, lambda: ValkeyWorld.of(new_cache(), raw), **kinds)
