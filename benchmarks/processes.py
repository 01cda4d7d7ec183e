"""More processes over one PostgreSQL and one Valkey: what they answer together, and what each part spends on it.

All of them, the servers and the load share the machine: where its cores are used up, more processes bring
nothing. The processor time per request says what more machines would bring.
"""

import asyncio
import itertools
import statistics
from contextlib import AsyncExitStack
from pathlib import Path

import attrs

from benchmarks.people import PEOPLE, zipf
from benchmarks.processor import used_s, working_in
from benchmarks.report import Report, Spread, Table
from benchmarks.rivals import LIMITS
from benchmarks.running import COMMAND, Running, running_program
from benchmarks.stage import Stage, built_stage
from benchmarks.wrk import CONNECTIONS, put_load


@attrs.frozen(kw_only=True)
class Plan:
    """How many processes, how long and how often."""

    processes: tuple[int, ...] = (1, 2, 4, 8)
    rounds: int = 5
    seconds: float = 3.0
    draws: int = 20_000


QUICK = Plan(processes=(1, 2), rounds=2, seconds=2.0, draws=3_000)
_WRITE_EVERY = 20


@attrs.frozen
class _Found:
    per_s: float
    service_us: float
    servers_us: float


async def measure(plan: Plan) -> Report:
    """Run one, two and more processes in turns, under reads alone and under one write in twenty."""
    found: dict[tuple[int, str], list[_Found]] = {}
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(built_stage(shared=True))
        drawn = list(itertools.islice(zipf(stage.people, seed=1), plan.draws))
        reads = [f"GET /users/{person}" for person in drawn]
        mixed = [
            f'PUT /users/{person} {{"lastName":"Number {number}"}}' if number % _WRITE_EVERY == 0 else read
            for number, (person, read) in enumerate(zip(drawn, reads, strict=True))
        ]
        loads = {"reads": stage.requests("reads", reads), "95 / 5": stage.requests("mixed", mixed)}
        settings = {"BIRTHDAYS_AUTH": "off", **LIMITS}
        running = [
            await stack.enter_async_context(running_program([str(COMMAND), "serve"], stage.servers, settings))
            for _ in range(max(plan.processes))
        ]
        await put_load(running[0].port, loads["reads"], plan.seconds * 2, {})
        for _ in range(plan.rounds):
            for number, (name, file) in itertools.product(plan.processes, loads.items()):
                found.setdefault((number, name), []).append(
                    await _turn(stage, running, number, file, plan.seconds)
                )
    return _report(found, plan)


async def _turn(stage: Stage, running: list[Running], number: int, file: Path, seconds: float) -> _Found:
    chosen = running[:number]
    for one in running[number:]:
        one.pause()
    try:
        await asyncio.sleep(1.2)  # who slept renews the lease on the cache
        servers = working_in(stage.servers.folder)
        before = used_s([one.process.pid for one in chosen]), used_s(servers)
        samples = await asyncio.gather(
            *(
                put_load(one.port, file, seconds, {}, connections=max(2, CONNECTIONS // number))
                for one in chosen
            )
        )
        after = used_s([one.process.pid for one in chosen]), used_s(servers)
    finally:
        for one in running[number:]:
            one.go_on()
    requests = sum(sample.requests for sample in samples)
    service_us, servers_us = (
        (end - start) / requests * 1e6 for start, end in zip(before, after, strict=True)
    )
    return _Found(sum(sample.per_s for sample in samples), service_us, servers_us)


def _report(found: dict[tuple[int, str], list[_Found]], plan: Plan) -> Report:
    rows = [
        [
            f"{number}, {name}",
            Spread.of([one.per_s for one in ones]).shown(),
            Spread.of([one.service_us for one in ones]).shown(),
            Spread.of([one.servers_us for one in ones]).shown(1),
        ]
        for (number, name), ones in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    return Report(
        name="processes",
        title="More processes over the same servers",
        about=(
            f"`GET /users/{{id}}` by Zipf(1.0) among {PEOPLE:,} people, and the same with one PUT in {_WRITE_EVERY}; "
            f"{CONNECTIONS} connections in all, one wrk for each process, and everything on the same cores. "
            f"{plan.rounds} rounds of {plan.seconds:.0f} s in turns; medians, and the lowest and the highest."
        ),
        tables=[
            (
                "",
                Table(
                    [
                        "processes, load",
                        "requests/s together",
                        "service, µs of processor each",
                        "PostgreSQL and Valkey, µs each",
                    ],
                    rows,
                ),
            ),
        ],
        figures={
            f"{who} us, {name}": statistics.median(cost(one) for one in found[1, name])
            for name in ("reads", "95 / 5")
            for who, cost in (("service", _service_us), ("servers", _servers_us))
        },
    )


def _service_us(one: _Found) -> float:
    return one.service_us


def _servers_us(one: _Found) -> float:
    return one.servers_us
