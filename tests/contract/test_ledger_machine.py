"""Random lives of the ledger in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.adapters import Adapters
from tests.contract.ledger_machine import LedgerMachine
from tests.contract.test_memory import memory_adapters


@asynccontextmanager
async def memory_world() -> AsyncIterator[Adapters]:
    yield memory_adapters()[0]


class MemoryMachine(LedgerMachine):
    worlds = (memory_world,)


class TwoMemoriesMachine(LedgerMachine):
    worlds = (memory_world, memory_world)


@pytest.mark.slow
def test_the_ledger_in_memory_keeps_its_promises_whatever_happens() -> None:
    run_state_machine_as_test(MemoryMachine, settings=settings(max_examples=60, stateful_step_count=50))


@pytest.mark.slow
def test_two_ledgers_live_the_same_life() -> None:
    run_state_machine_as_test(TwoMemoriesMachine, settings=settings(max_examples=5, stateful_step_count=40))
