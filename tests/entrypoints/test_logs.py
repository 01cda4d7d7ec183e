"""What gets into a log line when something goes wrong."""

import subprocess
import sys

import pytest

_PROGRAM = """
import structlog
from entrypoints.logs import configure_logs

configure_logs({format!r})
try:
    email = "canary@example.com"
    raise RuntimeError("told")
except RuntimeError:
    structlog.get_logger().exception("tick_failed")
"""


@pytest.mark.parametrize("log_format", ("json", "console"))
def test_a_traceback_shows_where_and_nobodys_values(log_format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(format=log_format)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "RuntimeError" in done.stderr
    assert "tick_failed" in done.stderr
    # The console shows the line of source that raised, never what its variables held.
    assert "canary" not in done.stderr.replace('email = "canary@example.com"', "")
