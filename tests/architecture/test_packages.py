"""Four packages, each loaded from here: their names are common words that other distributions use too."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, PROJECT, SRC, imported, module_name, source_files


def test_there_are_exactly_four_packages() -> None:
    found = {path.name for path in SRC.iterdir() if path.name != "__pycache__" and path.suffix != ".egg-info"}
    assert found == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_is_loaded_from_here(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__) == SRC / package / "__init__.py"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_of_the_same_name_further_back_in_the_path_does_not_matter(
    package: str, tmp_path: Path
) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise ImportError('another distribution')")
    program = f"import sys; sys.path[:0] = {[str(SRC), str(tmp_path)]!r}; import {package}"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_the_wheel_holds_the_four_packages() -> None:
    configuration = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    listed = ", ".join(f'"src/{package}"' for package in PACKAGES)
    assert f"packages = [{listed}]" in configuration


def test_the_domain_needs_little() -> None:
    """The contract lists what it may not import; this is all that it does import."""
    allowed = {
        "attrs",
        "collections",
        "contextlib",
        "datetime",
        "difflib",
        "domain",
        "enum",
        "functools",
        "importlib",
        "re",
        "typing",
        "tzdata",
        "unicodedata",
        "uuid",
        "zoneinfo",
    }
    for file in source_files():
        if file.is_relative_to(SRC / "domain"):
            assert {name.split(".")[0] for name in imported(file)} <= allowed, module_name(file)
