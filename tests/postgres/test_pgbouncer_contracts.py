"""The ledger and the outbox keep their contracts behind a PgBouncer that lends a connection for each transaction."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import open_engine
from tests.contract import test_invalidations_postgres as on_the_outbox
from tests.contract.claim import ClaimContract
from tests.contract.invalidations import InvalidationLogContract
from tests.contract.test_postgres import OnPostgres
from tests.contract.unit_of_work import UnitOfWorkContract
from tests.postgres.pgbouncer import KEEPS_STATEMENTS, pgbouncer
from tests.servers import fresh_database

if not KEEPS_STATEMENTS:
    pytest.skip("PgBouncer 1.21 or newer is not installed", allow_module_level=True)

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture
async def engine(postgres_url: str, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with (
        fresh_database(postgres_url) as database,
        pgbouncer(database, tmp_path, pool_mode="transaction", max_prepared_statements="200") as url,
    ):
        engine = open_engine(f"{url}?pgbouncer=true")
        yield engine
        await engine.dispose()


class TestUnitOfWork(OnPostgres, UnitOfWorkContract):
    pass


class TestClaim(OnPostgres, ClaimContract):
    pass


class TestInvalidationLog(on_the_outbox.OnPostgres, InvalidationLogContract):
    pass
