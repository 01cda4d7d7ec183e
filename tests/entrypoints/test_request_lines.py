"""The line of a request is the same, whoever writes it."""

import asyncio
import io
import json
import subprocess
import sys

from entrypoints.request_lines import WrittenLines

_PROGRAM = """
import asyncio
from structlog.contextvars import bound_contextvars
from entrypoints.logs import configure_logs
from entrypoints.request_lines import WrittenLines, tell_line

async def main():
    tell = configure_logs("json")
    assert isinstance(tell, WrittenLines)
    with bound_contextvars(request_id="one.two"):
        for write in (tell_line, tell):
            write("GET", '/users/{id}"', 200, 0.0123456, b"one.two")
    await asyncio.sleep(0)

asyncio.run(main())
"""


def test_a_line_that_is_written_is_the_one_that_the_logger_writes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True, timeout=60
    )
    by_logger, written = map(json.loads, done.stderr.splitlines())
    assert list(written) == list(by_logger)
    assert len(written.pop("timestamp")) == len(by_logger.pop("timestamp"))
    assert written == by_logger


async def test_the_lines_of_one_turn_are_one_write() -> None:
    output, now = io.BytesIO(), iter((1.5, 1.75, 2.0))
    tell = WrittenLines(output, lambda: next(now))
    for number in range(3):
        tell("GET", "/users/{id}", 200, 0.001, b"%d" % number)
        assert output.getvalue() == b""
    await asyncio.sleep(0)
    told = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [(line["request_id"], line["timestamp"]) for line in told] == [
        ("0", "1970-01-01T00:00:01.500000Z"),
        ("1", "1970-01-01T00:00:01.750000Z"),
        ("2", "1970-01-01T00:00:02.000000Z"),
    ]
