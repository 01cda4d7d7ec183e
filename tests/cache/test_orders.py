"""Readers, writers and a sweeper in every order of their calls: no stale hit, and nothing stale that settles."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.cache import casts
from tests.cache.casts import Cast, orders_of
from tests.cache.scenes import without_timers
from tests.cache.world import MemoryWorld, ValkeyWorld, raw_client, valkey_clients


@pytest.fixture(autouse=True)
def quietly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    without_timers(monkeypatch)
    with capture_logs():
        yield


SMALL = (
    (casts.all_in_one_process, 400),
    (casts.reader_and_two_writers, 200),
    (casts.paused_reader, 50),
    (casts.dying_sweeper, 100),
)
LARGE = (
    (casts.reader_writer_sweeper, 500),
    (casts.two_readers_and_a_writer, 1000),
    (casts.one_of_them_dies, 1000),
    (casts.failover, 500),
)


@pytest.mark.parametrize(
    ("cast", "at_least"),
    (*SMALL, *(pytest.param(*large, marks=pytest.mark.slow) for large in LARGE)),
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_in_memory(cast: Cast, at_least: int) -> None:
    orders = await orders_of(cast, MemoryWorld.empty)
    print(f"{cast.__name__}: {orders} orders")  # noqa: T201  # how much was tried belongs to the result
    assert orders >= at_least


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize(
    ("cast", "at_least"),
    ((casts.reader_writer_sweeper, 500), (casts.two_readers_and_a_writer, 1000), (casts.paused_reader, 50)),
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_on_valkey(cast: Cast, at_least: int, valkey_url: str) -> None:
    async with valkey_clients(valkey_url) as new_cache, raw_client(valkey_url) as raw:
        orders = await orders_of(cast, lambda: ValkeyWorld.of(new_cache(), raw))
    print(f"{cast.__name__}: {orders} orders")  # noqa: T201  # how much was tried belongs to the result
    assert orders >= at_least
