"""The data folder that most tests use one after another: to make or copy one takes longer than to use it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres
from tests.embedded.running import QUICK


@pytest.fixture(scope="session")
def used_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which PostgreSQL was before, and which nobody has taken."""

    async def use() -> Path:
        with DataFolder(tmp_path_factory.mktemp("used") / "data") as folder:
            async with embedded_postgres(folder, settings=QUICK):
                return folder.path

    return asyncio.run(use())


@pytest.fixture(autouse=True)
def _temporary_files(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the processes that a test kills leave their sockets where pytest cleans up."""
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def folder(used_path: Path) -> Iterator[DataFolder]:
    with DataFolder(used_path) as folder:
        yield folder
