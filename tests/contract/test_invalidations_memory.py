"""The outbox in memory keeps the contract."""

import pytest

from adapters.clock import MovableClock
from adapters.memory.invalidations import MemoryInvalidationLog
from adapters.memory.store import MemoryStore
from adapters.memory.unit_of_work import MemoryUnitOfWork
from application.errors import StoreUnavailable
from tests.contract.adapters import START
from tests.contract.invalidation_keys import InvalidationKeysContract, Outbox
from tests.contract.invalidations import InvalidationLogContract


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(MovableClock(START, speed=0))


class OnMemory:
    """Binds a contract to the outbox in memory."""

    @pytest.fixture
    def new_outbox(self, store: MemoryStore) -> Outbox:
        return Outbox(MemoryInvalidationLog(store), lambda: MemoryUnitOfWork(store))

    @pytest.fixture
    async def outbox(self, new_outbox: Outbox) -> Outbox:
        await new_outbox.settle()
        return new_outbox


class TestKeys(OnMemory, InvalidationKeysContract):
    pass


class TestInvalidationLog(OnMemory, InvalidationLogContract):
    pass


async def test_a_store_that_cannot_be_reached_says_so(store: MemoryStore) -> None:
    store.is_reachable = False
    log = MemoryInvalidationLog(store)
    with pytest.raises(StoreUnavailable):
        await log.poll(overdue_s=1)
    with pytest.raises(StoreUnavailable):
        async with log.next_batch(0, 500):
            pass
    with pytest.raises(StoreUnavailable):
        await log.purge(delivered_before_s=1, limit=1)
