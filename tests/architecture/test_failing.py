"""A test that fails takes no other with it: what it has left open is not told of the next."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PROJECT

FAILS = """
import asyncio, gc, socket

async def nobody_waits():
    pass

async def left_behind():
    try:
        await asyncio.sleep(60)
    finally:
        raise OSError("The server is gone.")

async def test_that_fails():
    here, there = socket.socketpair()
    streams, coroutine = await asyncio.open_connection(sock=here), nobody_waits()
    task = asyncio.create_task(left_behind())
    await asyncio.sleep(0)
    assert task.done(), "as it was to be"

def test_that_comes_next():
    gc.collect()
"""


@pytest.mark.slow
def test_what_a_failed_test_left_open_does_not_fail_the_next(tmp_path: Path) -> None:
    file = tmp_path / "test_two.py"
    file.write_text(FAILS, encoding="utf-8")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-p", "tests.conftest"),
            *("-c", str(PROJECT / "pyproject.toml"), "--rootdir", str(tmp_path), str(file)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "as it was to be" in run.stdout
    assert "1 failed, 1 passed" in run.stdout.splitlines()[-1], run.stdout
