"""The load: wrk, which costs a tenth of what it measures, on requests that were drawn beforehand."""

import asyncio
import shutil
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import attrs

CONNECTIONS = 32
_SCRIPT = Path(__file__).with_name("load.lua")


class LoadFailed(Exception):
    """Not every request was answered as it should be."""


@attrs.frozen
class Sample:
    """What one run has shown."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float


def is_there() -> bool:
    return shutil.which("wrk") is not None


async def put_load(
    port: int,
    requests_file: Path,
    seconds: float,
    headers: Mapping[str, str],
    *,
    connections: int = CONNECTIONS,
) -> Sample:
    """Send the requests of a file, each a line of method, path and perhaps a body. Raises LoadFailed where anything but 2xx came back."""
    process = await asyncio.create_subprocess_exec(
        "wrk",
        *("--threads", "1", "--connections", str(connections), "--duration", f"{seconds:.0f}s"),
        *("--timeout", "30s"),  # a late answer is told by the percentiles, it is not a wrong one
        *("--script", str(_SCRIPT), f"http://127.0.0.1:{port}", "--", str(requests_file)),
        *(f"{name}: {value}" for name, value in headers.items()),
        stdout=PIPE,
        stderr=PIPE,
    )
    told, trouble = await process.communicate()
    for line in told.decode().splitlines():
        if line.startswith("result "):
            requests, passed_us, p50_us, p99_us, *errors = map(int, line.split()[1:])
            if any(errors) or not requests:
                raise LoadFailed(f"Of {requests} requests, by status, connect, transfer, time-out: {errors}")
            return Sample(requests, requests / passed_us * 1e6, p50_us / 1000, p99_us / 1000)
    raise LoadFailed(trouble.decode() or told.decode())
