"""The cache keeps its promises in random lives, and breaks them where a rule of the protocol is left out."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from structlog.testing import capture_logs

from application import sweeping
from tests.cache import mutants
from tests.cache.life import CacheMachine, OpenWorld, memory_world
from tests.cache.scenes import Violation, without_timers
from tests.cache.world import ValkeyWorld, World, raw_client, valkey_clients

MUTANTS: dict[str, tuple[int, dict[str, Any]]] = {
    "a fill without its lease": (5, {"cache_class": mutants.FillingAnyhow}),
    "a lease that outlives an invalidation": (5, {"cache_class": mutants.KeepingLeases}),
    "no lease of the reader": (4, {"trust_class": mutants.WithoutLease}),
}
"""Those that lives find within seconds (the orders find them all), each with a seed that takes at most forty lives.

By chance it takes from ten lives to a thousand, which is a minute.
"""


@pytest.fixture(autouse=True)
def quietly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    without_timers(monkeypatch)
    monkeypatch.setattr(sweeping, "KEEP_DELIVERED_S", 3.0)
    monkeypatch.setattr(sweeping, "KEEP_PENDING_S", 8.0)
    with capture_logs():
        yield


def machine(world: OpenWorld, **kinds: Any) -> type[CacheMachine]:
    return type(
        "Machine", (CacheMachine,), {"open_world": staticmethod(world), "kinds": kinds, "seen": Counter()}
    )


def live(lives: type[CacheMachine], examples: int) -> Counter[str]:
    lived = settings(
        max_examples=examples, stateful_step_count=50, derandomize=True
    )  # so that counts are facts
    run_state_machine_as_test(lives, settings=lived)
    print(dict(sorted(lives.seen.items())))  # noqa: T201  # how much was tried belongs to the result
    return lives.seen


def test_lives_in_memory() -> None:
    seen = live(machine(memory_world), 8)
    assert seen["reads HIT"] > 3


@pytest.mark.slow
def test_long_lives_in_memory() -> None:
    seen = live(machine(memory_world), 120)
    assert seen["reads HIT"] > 100
    assert seen["gaps"] > 20
    assert seen["refused fills"] > 5


@pytest.mark.servers
def test_lives_on_valkey(valkey_url: str) -> None:
    @asynccontextmanager
    async def valkey_world() -> AsyncIterator[World]:
        async with valkey_clients(valkey_url) as new_cache, raw_client(valkey_url) as raw:
            yield ValkeyWorld.of(new_cache(), raw)

    seen = live(machine(valkey_world), 40)
    assert seen["reads HIT"] > 10


@pytest.mark.slow
@pytest.mark.parametrize(("begins_at", "kinds"), MUTANTS.values(), ids=MUTANTS)
def test_a_rule_that_is_left_out_is_found_out(begins_at: int, kinds: dict[str, Any]) -> None:
    with pytest.raises(Violation):
        run_state_machine_as_test(
            seed(begins_at)(machine(memory_world, **kinds)),
            settings=settings(
                max_examples=5000,
                stateful_step_count=50,
                database=None,
                phases=[Phase.generate],
                report_multiple_bugs=False,
            ),
        )
