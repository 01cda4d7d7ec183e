"""How fast a person is shown who is in the cache: ours beside the limit and beside everybody else.

One process each, on a core of its own; wrk with 32 connections, PostgreSQL and Valkey share the other. People
are chosen by Zipf's law among 100,000; everybody who is asked for was asked for before. While a rival is measured
a client of ours asks it too, and compares what it is told with the database.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs

from benchmarks.http_client import Answer, Connection
from benchmarks.people import PEOPLE, documents, zipf
from benchmarks.processor import used_s
from benchmarks.report import Bars, Report, Spread, Table
from benchmarks.rivals import LIMIT, OPEN, OURS, RIVALS, WITHOUT, Rival
from benchmarks.running import Running, running_program
from benchmarks.stage import built_stage
from benchmarks.wrk import CONNECTIONS, LoadFailed, Sample, put_load

_WARMERS = 16
_SIDE_PAUSE_S = 0.05
_AWAKE_AFTER_S = 0.5
_HITS_WITHIN_S = 20.0


@attrs.frozen(kw_only=True)
class Plan:
    """How long and how often."""

    rounds: int = 5
    seconds: float = 4.0
    draws: int = 20_000
    rivals: Sequence[Rival] = RIVALS


QUICK = Plan(rounds=2, seconds=2.0, draws=3_000)


@attrs.frozen(kw_only=True)
class _Contestant:
    rival: Rival
    running: Running
    samples: list[Sample] = attrs.field(factory=list)
    processor_us: list[float] = attrs.field(factory=list)
    """Of its own processor time, for each request."""
    checked: list[str] = attrs.field(factory=list)
    """By X-Cache, what the answers said that were compared."""

    async def ask(self, connection: Connection, person: UUID) -> Answer:
        return await connection.request("GET", f"/users/{person}", timeout_s=10.0, **self.headers)

    @property
    def headers(self) -> dict[str, str]:
        key = self.running.key if self.rival.is_ours and self.rival is not OPEN else None
        return {} if key is None else {"Authorization": f"Bearer {key}"}


async def measure(plan: Plan) -> Report:
    """Run everybody who can, in turns."""
    absent = {rival: rival.missing for rival in plan.rivals if rival.missing}
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(built_stage())
        drawn = list(itertools.islice(zipf(stage.people, seed=1), plan.draws))
        paths = stage.requests("hits", [f"GET /users/{person}" for person in drawn])
        expected = await documents(stage.database, drawn)
        present = [rival for rival in plan.rivals if rival not in absent]
        programs = await asyncio.gather(
            *(
                stack.enter_async_context(
                    running_program(
                        rival.command,
                        # Ours have one cache together: on one PostgreSQL each would find those of the others
                        # behind, and begin anew.
                        stage.servers.with_redis_database(0 if rival.is_ours else number),
                        rival.settings,
                        cached=rival.is_cached,
                        cpu=stage.cpu,
                    )
                )
                for number, rival in enumerate(present, start=1)
            )
        )
        contestants = [
            _Contestant(rival=rival, running=running)
            for rival, running in zip(present, programs, strict=True)
        ]
        for contestant in contestants:
            if contestant.rival.is_cached:
                await _warm_up(contestant, list(expected))
            contestant.running.pause()
        for _ in range(plan.rounds):
            for contestant in contestants:
                await _turn(contestant, paths, expected, plan.seconds)
    return _report(contestants, absent, plan)


async def _turn(
    contestant: _Contestant, paths: Path, expected: Mapping[UUID, Mapping[str, Any]], seconds: float
) -> None:
    contestant.running.go_on()
    try:
        await _wait_until_awake(contestant, next(iter(expected)))
        until = time.monotonic() + seconds
        checking = asyncio.create_task(_compare(contestant, expected, until))
        pid = contestant.running.process.pid
        before_s = used_s([pid])
        sample = await put_load(contestant.running.port, paths, seconds, contestant.headers)
        contestant.processor_us.append((used_s([pid]) - before_s) / sample.requests * 1e6)
        contestant.samples.append(sample)
        await checking
    finally:
        contestant.running.pause()


async def _wait_until_awake(contestant: _Contestant, person: UUID) -> None:
    """Wait until a service that slept has renewed its lease on the cache."""
    await asyncio.sleep(_AWAKE_AFTER_S)
    if not (contestant.rival.is_ours and contestant.rival.is_cached):
        return
    connection = await Connection.open("127.0.0.1", contestant.running.port)
    async with asyncio.timeout(_HITS_WITHIN_S):
        while True:
            answer = await contestant.ask(connection, person)
            if answer.headers["x-cache"] == "HIT":
                break
            await asyncio.sleep(0.1)
    connection.close()


async def _compare(contestant: _Contestant, expected: Mapping[UUID, Mapping[str, Any]], until: float) -> None:
    """Ask beside the load, and compare. Raises LoadFailed for an answer that is not right."""
    connection = await Connection.open("127.0.0.1", contestant.running.port)
    for person, document in itertools.cycle(expected.items()):
        if time.monotonic() >= until:
            break
        answer = await contestant.ask(connection, person)
        told = answer.json() if answer.status == HTTPStatus.OK else {}
        if contestant.rival.knows_people and {name: told.get(name) for name in document} != document:
            raise LoadFailed(f"{contestant.rival.name} answered {answer.status}, and not what is stored.")
        contestant.checked.append(answer.headers.get("x-cache", ""))
        await asyncio.sleep(_SIDE_PAUSE_S)
    connection.close()


async def _warm_up(contestant: _Contestant, people: Sequence[UUID]) -> None:
    waiting = iter(people)

    async def read() -> None:
        connection = await Connection.open("127.0.0.1", contestant.running.port)
        for person in waiting:
            answer = await contestant.ask(connection, person)
            if answer.status != HTTPStatus.OK:
                raise LoadFailed(f"{contestant.rival.name} answered {answer.status} while it was warmed up.")
        connection.close()

    async with asyncio.TaskGroup() as readers:
        for _ in range(_WARMERS):
            readers.create_task(read())


def _report(contestants: Sequence[_Contestant], absent: Mapping[Rival, str], plan: Plan) -> Report:
    found = {one.rival: one for one in contestants}
    per_s = {rival: Spread.of([sample.per_s for sample in one.samples]) for rival, one in found.items()}
    p50 = {rival: Spread.of([sample.p50_ms for sample in one.samples]) for rival, one in found.items()}
    p99 = {rival: Spread.of([sample.p99_ms for sample in one.samples]) for rival, one in found.items()}
    spent = {rival: Spread.of(one.processor_us) for rival, one in found.items()}
    limit = per_s[LIMIT].median
    rows = [
        [
            rival.what,
            per_s[rival].shown(),
            f"{per_s[rival].median / limit:.2f}",
            p50[rival].shown(2),
            p99[rival].shown(1),
            spent[rival].shown(),
            f"{len(one.checked):,}",
        ]
        for rival, one in found.items()
    ]
    rows += [
        [rival.what, f"left out: {why} is not there", "", "", "", "", ""] for rival, why in absent.items()
    ]
    findings = []
    for rival in (OURS, OPEN):
        hits = found[rival].checked
        best = max(
            (
                other
                for other in found
                if not other.is_ours and other.knows_people and "Node" not in other.what
            ),
            key=lambda other: per_s[other].median,
            default=LIMIT,
        )
        findings.append(
            f"{rival.what}: {per_s[rival].median / limit:.2f} of the limit, "
            f"{per_s[rival].median / per_s[best].median:.2f} times {best.what}; p50 "
            f"{p50[rival].median / p50[WITHOUT].median:.2f} of that without a cache; "
            f"{hits.count('HIT'):,} of the {len(hits):,} compared answers were hits."
        )
    return Report(
        name="hit",
        title="A person who is in the cache",
        about=(
            f"`GET /users/{{id}}`, one process on one core; wrk with {CONNECTIONS} connections, PostgreSQL and Valkey "
            f"on the other. People by Zipf(1.0) among {PEOPLE:,}, everybody read once before. {plan.rounds} rounds "
            f"of {plan.seconds:.0f} s in turns; medians, and in brackets the lowest and the highest round. Every "
            "answer had the status 200; so many were compared with the database meanwhile, and none was wrong. Ours "
            "writes a line of log and counts a metric for each request, has a staleness bound, and its limits are on "
            "(so high that they refuse nobody); the others do none of that."
        ),
        tables=[
            (
                "",
                Table(
                    ["", "requests/s", "of the limit", "p50 ms", "p99 ms", "processor, µs each", "compared"],
                    rows,
                ),
            ),
        ],
        plots=[
            Bars(
                title="Requests a second, every one a hit",
                unit="requests/s",
                bars=[(rival.what.replace("*", ""), spread) for rival, spread in per_s.items()],
                highlighted=frozenset(rival.what.replace("*", "") for rival in per_s if rival.is_ours),
            )
        ],
        findings=findings,
    )
