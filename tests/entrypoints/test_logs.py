"""What gets into a log line when something goes wrong."""

import subprocess
import sys

import pytest

_PROGRAM = """
import asyncio
import logging
import structlog
from entrypoints.logs import configure_logs

configure_logs({format!r})

async def fail():
    email = "canary@example.com"
    try:
        raise LookupError(email)
    except LookupError as error:
        raise RuntimeError("Key (email)=(" + email + ") exists") from error

async def fail_together():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail())

async def fail_unseen():
    asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

try:
    asyncio.run(fail_together())
except Exception:
    structlog.get_logger().exception("tick_failed")
asyncio.run(fail_unseen())
logging.getLogger("library").error("It was %s", "canary@example.com")
logging.getLogger("library").info("nobody wants to know")
asyncio.run(fail())
"""


@pytest.mark.parametrize("log_format", ("json", "console"))
def test_an_error_shows_what_and_where_and_nobodys_values(log_format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(format=log_format)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    for told in (
        "ExceptionGroup",
        "RuntimeError",
        "LookupError",
        "in fail",
        "tick_failed",
        "It was %s",
        "process_failed",
    ):
        assert told in done.stderr
    assert "Task exception was never retrieved" in done.stderr
    assert "canary" not in done.stderr
    assert "nobody wants to know" not in done.stderr
