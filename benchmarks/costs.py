"""What the cache costs where it does not help: a miss beside an uncached read, a PUT beside one without an outbox.

Two services, each on a database of its own of the same server: what is written for the cache is written by
triggers of the database. Each asks for, or changes, everybody at most once.
"""

import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import attrs

from benchmarks.people import PEOPLE, add_people
from benchmarks.report import Report, Spread, Table
from benchmarks.rivals import LIMITS
from benchmarks.running import COMMAND, Running, Servers, running_program
from benchmarks.stage import Stage, built_stage, prepare
from benchmarks.wrk import CONNECTIONS, Sample, put_load

WITH, WITHOUT = "with the cache", "without"
AIM = 1.3
_WRITERS = 8


@attrs.frozen(kw_only=True)
class Plan:
    """How long and how often."""

    rounds: int = 5
    seconds: float = 3.0


QUICK = Plan(rounds=2, seconds=2.0)


@attrs.frozen
class _Kind:
    """A request, by what it is called on the page, and how it is written for a person."""

    name: str
    line: str
    connections: int


_KINDS = (
    _Kind("GET, everybody for the first time", "GET /users/{person}", CONNECTIONS),
    _Kind("PUT of a name", 'PUT /users/{person} {{"lastName":"Round {round}"}}', _WRITERS),
    _Kind(
        "PUT of a birthday, with its re-plan",
        'PUT /users/{person} {{"birthdayDate":"1981-05-{day:02}"}}',
        _WRITERS,
    ),
)


async def measure(plan: Plan) -> Report:
    """Run both in turns."""
    samples: dict[tuple[str, str], list[Sample]] = {}
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(built_stage())
        other = await _other_database(stage.servers)
        settings = {"BIRTHDAYS_AUTH": "off", **LIMITS}
        services: Mapping[str, Running] = {
            WITH: await stack.enter_async_context(
                running_program([str(COMMAND), "serve"], stage.servers, settings, cpu=stage.cpu)
            ),
            WITHOUT: await stack.enter_async_context(
                running_program([str(COMMAND), "serve"], other, settings, cached=False, cpu=stage.cpu)
            ),
        }
        share = len(stage.people) // plan.rounds
        for number in range(plan.rounds):
            theirs = stage.people[number * share : (number + 1) * share]
            for kind in _KINDS:
                lines = _lines(kind, theirs, number)
                requests = stage.requests("requests", lines)
                for name, service in services.items():
                    async with _awake(services, service):
                        sample = await put_load(
                            service.port, requests, plan.seconds, {}, connections=kind.connections
                        )
                    samples.setdefault((kind.name, name), []).append(sample)
        await _compare(stage, other, samples)
    return _report(samples, plan)


def _lines(kind: _Kind, people: Sequence[UUID], number: int) -> list[str]:
    return [kind.line.format(person=person, round=number, day=number + 2) for person in people]


@asynccontextmanager
async def _awake(services: Mapping[str, Running], service: Running) -> AsyncIterator[None]:
    others = [other for other in services.values() if other is not service]
    for other in others:
        other.pause()
    try:
        yield
    finally:
        for other in others:
            other.go_on()


async def _other_database(servers: Servers) -> Servers:
    database = await asyncpg.connect(servers.database_url)
    await database.execute("CREATE DATABASE other")
    await database.close()
    url = urlunsplit(urlsplit(servers.database_url)._replace(path="/other"))
    other = attrs.evolve(servers, database_url=url)
    await prepare(url)
    database = await asyncpg.connect(url)
    await add_people(database)
    await database.close()
    return other


async def _compare(stage: Stage, other: Servers, samples: Mapping[tuple[str, str], Sequence[Sample]]) -> None:
    """Look into both databases: whatever was answered stands there. Raises RuntimeError if not."""
    for name, url in ((WITH, stage.servers.database_url), (WITHOUT, other.database_url)):
        database = await asyncpg.connect(url)
        changed = await database.fetchval(
            "SELECT count(*) FILTER (WHERE last_name LIKE 'Round %')"
            " + count(*) FILTER (WHERE birthday_year = 1981 AND birthday_month = 5) FROM users"
        )
        await database.close()
        told = sum(
            sample.requests
            for (kind, by), ones in samples.items()
            if by == name and "PUT" in kind
            for sample in ones
        )
        # Who was asked twice was changed once; nobody is changed without having been asked.
        if not 0 < changed <= told + _WRITERS * len(_KINDS) * 10:
            raise RuntimeError(f"{changed} changes stand in the database {name}, {told} were answered.")


def _report(samples: Mapping[tuple[str, str], Sequence[Sample]], plan: Plan) -> Report:
    rows = []
    for kind in _KINDS:
        per_s = {name: Spread.of([one.per_s for one in samples[kind.name, name]]) for name in (WITH, WITHOUT)}
        p50 = {name: Spread.of([one.p50_ms for one in samples[kind.name, name]]) for name in (WITH, WITHOUT)}
        rows.append(
            [
                kind.name,
                per_s[WITH].shown(),
                per_s[WITHOUT].shown(),
                f"{p50[WITH].median:.2f}",
                f"{p50[WITHOUT].median:.2f}",
                f"{per_s[WITHOUT].median / per_s[WITH].median:.2f}",
            ]
        )
    return Report(
        name="costs",
        title="What the cache costs where it does not help",
        about=(
            f"One process on one core; {CONNECTIONS} connections that read, {_WRITERS} that write; PostgreSQL (durable), "
            f"Valkey and the load on the other. {PEOPLE:,} people, each asked for or changed once. {plan.rounds} rounds "
            f"of {plan.seconds:.0f} s in turns; medians, and the lowest and the highest. Without the cache there is no "
            f"outbox and no invalidation either. The aim is a cost of at most {AIM}."
        ),
        tables=[
            (
                "",
                Table(
                    ["", "requests/s with", "requests/s without", "p50 ms with", "p50 ms without", "cost"],
                    rows,
                ),
            ),
        ],
        figures={
            "puts per s": statistics.median(
                one.per_s for kind in _KINDS[1:] for one in samples[kind.name, WITH]
            )
        },
    )
