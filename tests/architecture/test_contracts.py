"""The import contracts are kept, and each of them bites when it is broken on purpose."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import attrs
import pytest

from tests.architecture.sources import PROJECT, SRC

CONTRACT = "importlinter:contract:"
LINTER = """
import contextlib, io, json, sys
from importlinter.cli import lint_imports

for line in sys.stdin:
    with contextlib.redirect_stdout(io.StringIO()) as told:
        status = lint_imports(no_cache=True, no_logo=True, **json.loads(line))
    print(json.dumps([status, told.getvalue()]), flush=True)
"""
"""Says of the sources whether they keep the contracts, each time that it is asked: most of a start is imports."""


def contracts() -> list[str]:
    configuration = ConfigParser()
    configuration.read(PROJECT / ".importlinter", encoding="utf-8")
    return [name.removeprefix(CONTRACT) for name in configuration.sections() if name.startswith(CONTRACT)]


@attrs.frozen
class Copy:
    """A copy of the sources, to be broken and mended again, and who looks at it."""

    src: Path
    linter: "subprocess.Popen[str]"

    def lint(self, *limited_to: str) -> tuple[int, str]:
        """Check it against all contracts, or these; return the exit code and what was said."""
        assert self.linter.stdin is not None
        assert self.linter.stdout is not None
        asked = {"config_filename": str(PROJECT / ".importlinter"), "limit_to_contracts": limited_to}
        self.linter.stdin.write(json.dumps(asked) + "\n")
        self.linter.stdin.flush()
        status, told = json.loads(self.linter.stdout.readline())
        return status, told


@attrs.frozen
class Breach:
    """A line that breaks a contract where it is written."""

    contract: str
    file: str
    line: str

    def __str__(self) -> str:
        return f"{self.contract}: {self.file}: {self.line}"


BREACHES = [
    Breach("layers", "domain/intruder.py", "import application.views"),
    Breach("layers", "application/intruder.py", "from adapters.memory import store"),
    Breach("layers", "adapters/memory/intruder.py", "import entrypoints.settings"),
    Breach("adapters", "adapters/memory/intruder.py", "import adapters.postgres"),
    Breach("adapters", "adapters/clock.py", "import adapters.memory.store"),
    Breach("entrypoints", "entrypoints/scheduler/intruder.py", "import entrypoints.container"),
    Breach("entrypoints", "entrypoints/container/__init__.py", "import entrypoints.cli.main"),
    Breach("entrypoints", "entrypoints/intruder.py", "import attrs"),  # its place is not decided
    Breach("wiring-adapters", "entrypoints/settings.py", "import adapters.clock"),
    Breach("wiring-adapters", "entrypoints/cli/intruder.py", "from adapters.postgres import database"),
    Breach("wiring", "entrypoints/cli/intruder.py", "from dependency_injector.wiring import inject"),
    Breach("wiring", "adapters/clock.py", "import dependency_injector"),
    Breach("domain", "domain/intruder.py", "import logging"),
    Breach("domain", "domain/intruder.py", "from time import monotonic"),
    Breach("domain", "domain/intruder.py", "import os.path"),
    Breach("domain", "domain/intruder.py", "def now():\n    import asyncio"),
    Breach("domain", "domain/intruder.py", "if TYPE_CHECKING:\n    import random"),
    Breach("domain", "domain/intruder.py", "import structlog"),
    Breach("application", "application/intruder.py", "from sqlalchemy.ext import asyncio"),
    Breach("application", "application/intruder.py", "import litestar"),
    Breach("application", "application/intruder.py", "import msgspec.json"),
    Breach("cycles", "domain/occasion.py", "import domain.plan"),
    Breach("cycles", "application/errors.py", "import application.dispatch"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    src = tmp_path_factory.mktemp("broken") / "src"
    shutil.copytree(SRC, src, ignore=shutil.ignore_patterns("__pycache__"))
    with subprocess.Popen(
        [sys.executable, "-c", LINTER],
        cwd=src.parent,
        env=os.environ | {"PYTHONPATH": str(src), "COLUMNS": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as linter:
        copy = Copy(src, linter)
        status, told = copy.lint()
        assert status == 0, told
        assert f"Contracts: {len(contracts())} kept, 0 broken." in told
        yield copy


def test_the_contracts_are_kept(copy: Copy) -> None:
    """Whoever lends the copy has looked at it."""


@pytest.mark.parametrize("breach", BREACHES, ids=str)
def test_a_contract_bites(breach: Breach, copy: Copy) -> None:
    file = copy.src / breach.file
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{breach.line}\n", encoding="utf-8")
    try:
        status, told = copy.lint(breach.contract)
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")
    assert status == 1, told
    assert "BROKEN" in told


def test_each_contract_is_broken_once() -> None:
    assert {breach.contract for breach in BREACHES} == set(contracts())
