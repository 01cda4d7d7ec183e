"""What all tests share: how hypothesis runs, and the servers of a test run."""

import os
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.servers import fresh_engine, running_postgres, running_valkey

# Images of containers often forbid to keep bytecode: then each of the hundred processes that the tests start
# would compile all of our sources anew, for seconds.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile(
    "default",
    deadline=None,  # these machines are noisy
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("default")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL that runs for the whole test run."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The address of a Valkey that runs for the whole test run."""
    with running_valkey() as url:
        yield url


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a fresh, migrated database."""
    async with fresh_engine(postgres_url) as engine:
        yield engine
