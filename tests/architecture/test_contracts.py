"""The import contracts are kept, and each of them bites when it is broken on purpose."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import attrs
import pytest

from tests.architecture.sources import PROJECT, SRC

LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"
CONTRACT = "importlinter:contract:"


def contracts() -> list[str]:
    configuration = ConfigParser()
    configuration.read(PROJECT / ".importlinter", encoding="utf-8")
    return [name.removeprefix(CONTRACT) for name in configuration.sections() if name.startswith(CONTRACT)]


def lint(src: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    """Check the packages in *src* against all contracts, or one."""
    limit = [] if contract is None else ["--contract", contract]
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo", "--config", str(PROJECT / ".importlinter"), *limit],
        cwd=src.parent,
        env=os.environ | {"PYTHONPATH": str(src), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


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


def test_the_contracts_are_kept() -> None:
    answer = lint(SRC)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"Contracts: {len(contracts())} kept, 0 broken." in answer.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources that keeps every contract, to be broken and mended again."""
    src = tmp_path_factory.mktemp("broken") / "src"
    shutil.copytree(SRC, src, ignore=shutil.ignore_patterns("__pycache__"))
    assert lint(src).returncode == 0
    return src


@pytest.mark.parametrize("breach", BREACHES, ids=str)
def test_a_contract_bites(breach: Breach, copy: Path) -> None:
    file = copy / breach.file
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.write_text(f"{before or ''}\n{breach.line}\n", encoding="utf-8")
    try:
        answer = lint(copy, breach.contract)
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before, encoding="utf-8")
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "BROKEN" in answer.stdout


def test_each_contract_is_broken_once() -> None:
    assert {breach.contract for breach in BREACHES} == set(contracts())
