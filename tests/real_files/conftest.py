"""Where real files of people lie: not in this project, and not on every machine."""

from pathlib import Path

import pytest

from tests.http.conftest import api, logged, service, state, use_cases
from tests.real_files.files import FOLDER

__all__ = ["api", "logged", "service", "state", "use_cases"]


@pytest.fixture(scope="session")
def folder() -> Path:
    """The folder with the files; without it a test of them is skipped."""
    if not FOLDER.is_dir():
        pytest.skip("The real files are not on this machine; REAL_FILES names their folder.")
    return FOLDER
