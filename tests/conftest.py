"""What all tests share: how hypothesis runs, the servers of a test run, and what becomes of a failed test."""

import gc
import os
import re
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.servers import fresh_engine, running_postgres, running_valkey

# Images of containers often forbid to keep bytecode: then each of the hundred processes that the tests start
# would compile all of our sources anew, for seconds.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile(
    "random",
    deadline=None,  # these machines are noisy
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
# The same examples each time: nobody's change is stopped by what another's run has found by chance. Who looks for
# more says --hypothesis-profile=random.
settings.register_profile("default", settings.get_profile("random"), derandomize=True)
settings.load_profile("default")

_OF_MAKE_TEST = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.(servers|slow)\b", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave alone, in make check, files of which nothing would run: to import them is a good part of its time."""
    if config.option.markexpr != "not servers and not slow" or collection_path.suffix != ".py":
        return None
    return True if _OF_MAKE_TEST.search(collection_path.read_text(encoding="utf-8")) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among modules and tests, neither now nor later: they are many, and stay to the end."""
    gc.disable()
    done = yield
    gc.freeze()
    gc.set_threshold(5_000)
    gc.enable()
    return done


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with those that take long, so that both workers have something to do to the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Throw away what a failed test has left open, while nobody is judged: the next test would fail of it."""
    failed_before = item.session.testsfailed
    done = yield
    if item.session.testsfailed > failed_before:
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)  # its frames
        told, sys.unraisablehook = sys.unraisablehook, lambda _unraisable: None
        gc.collect()
        sys.unraisablehook = told
    return done


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
