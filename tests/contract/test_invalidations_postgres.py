"""The outbox in PostgreSQL keeps the contract."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import open_engine, set_clock
from adapters.postgres.invalidations import PostgresInvalidationLog, write_invalidations
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.errors import StoreUnavailable
from tests.contract.adapters import START, Recorder
from tests.contract.invalidation_keys import InvalidationKeysContract, Outbox
from tests.contract.invalidations import InvalidationLogContract

pytestmark = pytest.mark.servers


class OnPostgres:
    """Binds a contract to the outbox in PostgreSQL."""

    @pytest.fixture
    async def new_outbox(self, engine: AsyncEngine) -> Outbox:
        await set_clock(engine, START, speed=0)
        await write_invalidations(engine)
        return Outbox(PostgresInvalidationLog(engine), lambda: PostgresUnitOfWork(engine, Recorder()))

    @pytest.fixture
    async def outbox(self, new_outbox: Outbox) -> Outbox:
        await new_outbox.settle()
        return new_outbox


class TestKeys(OnPostgres, InvalidationKeysContract):
    pass


class TestInvalidationLog(OnPostgres, InvalidationLogContract):
    pass


async def test_a_server_that_cannot_be_reached_says_so() -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    log = PostgresInvalidationLog(engine)
    with pytest.raises(StoreUnavailable):
        await log.poll(overdue_s=1)
    with pytest.raises(StoreUnavailable):
        async with log.next_batch(0, 500):
            pass
    with pytest.raises(StoreUnavailable):
        await log.purge(delivered_before_s=1, limit=1)
    await engine.dispose()
