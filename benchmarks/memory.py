"""Whether the service's memory stays as it is under load: people read, changed and come, lists and pages asked for."""

import asyncio
import itertools
import random

from benchmarks.people import PEOPLE, zipf
from benchmarks.processor import resident_mib
from benchmarks.report import Lines, Report, Table
from benchmarks.rivals import LIMITS
from benchmarks.running import COMMAND, running_program
from benchmarks.stage import built_stage
from benchmarks.wrk import CONNECTIONS, put_load

SECONDS = 300.0
_TURNS = 30
_DRAWS = 50_000
_REQUESTS = {
    "GET /users/{person}": 900,
    'PUT /users/{person} {{"lastName":"Number {number}"}}': 50,
    "GET /birthdays/today": 30,
    "GET /users/{person}/upcoming": 10,
    "GET /users?limit=20": 5,
    "GET /users?email=p{other}@example.com": 5,
}
"""By how many of a thousand they are."""
_SETTLED_AFTER = 1 / 3
"""Which part of the time is left to warm up: pools, caches and the interpreter's own arenas fill."""


async def measure(seconds: float) -> Report:
    """Load the service in turns, and look at its memory after each."""
    seen: list[tuple[float, float]] = []
    requests = 0
    async with built_stage() as stage:
        chance = random.Random(1)  # noqa: S311  # a load, not a secret
        drawn = itertools.islice(zipf(stage.people, seed=2), _DRAWS)
        lines = [_line(str(person), chance, number) for number, person in enumerate(drawn)]
        file = stage.requests("mixed", lines)
        settings = {"BIRTHDAYS_AUTH": "off", **LIMITS}
        async with running_program(
            [str(COMMAND), "serve"], stage.servers, settings, cpu=stage.cpu
        ) as running:
            for turn in range(1, _TURNS + 1):
                sample = await put_load(running.port, file, seconds / _TURNS, {})
                requests += sample.requests
                seen.append(
                    (turn * seconds / _TURNS, await asyncio.to_thread(resident_mib, running.process.pid))
                )
    return _report(seen, requests, seconds)


def _line(person: str, chance: random.Random, number: int) -> str:
    [line] = chance.choices(list(_REQUESTS), weights=list(_REQUESTS.values()))
    return line.format(person=person, number=number, other=1 + number % PEOPLE)


def _report(seen: list[tuple[float, float]], requests: int, seconds: float) -> Report:
    settled = [mib for at, mib in seen if at >= seconds * _SETTLED_AFTER]
    half = len(settled) // 2
    rows = [
        ["after the first turn", f"{seen[0][1]:.1f}"],
        ["highest of the second third", f"{max(settled[:half]):.1f}"],
        ["highest of the last third", f"{max(settled[half:]):.1f}"],
    ]
    return Report(
        name="memory",
        title="Memory under load",
        about=(
            f"{seconds / 60:.0f} minutes, {requests:,} requests over {CONNECTIONS} connections: nine in ten are reads of "
            f"people by Zipf(1.0) among {PEOPLE:,}, one in twenty a PUT, the rest lists, pages, addresses and what is "
            "coming up. What the service's process holds (resident), in MiB. An hour of it: `python -m benchmarks "
            "--part memory --seconds 3600`."
        ),
        tables=[("", Table(["", "MiB"], rows))],
        plots=[
            Lines(
                title="Memory of the service's process",
                across="seconds",
                unit="MiB",
                curves=[("resident", seen)],
                is_by_factors=False,
            )
        ],
    )
