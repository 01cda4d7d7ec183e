"""Exports are read from a real streaming replica, and show no less for that, whatever becomes of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from benchmarks.people import add_people
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from adapters.postgres import replica as replica_module
from adapters.postgres.database import open_engine
from adapters.postgres.replica import ReplicaSource, state_of
from application.checkup import ReplicaState
from application.exports import ReadPage, WhereItIsWritten
from domain.user import UserId
from entrypoints.container.families import PostgresAdapters
from entrypoints.container.wiring import Service
from entrypoints.settings import Settings
from tests.postgres.streaming import Replica, streaming_replica
from tests.servers import fresh_database
from tests.service.running import run_command

pytestmark = pytest.mark.servers

PEOPLE = 25
PAGE = 10


class World:
    """A database with people in it, its replica, and how many statements each was asked."""

    def __init__(self, url: str, database: asyncpg.Connection, replica: Replica) -> None:
        self.url, self.database, self.replica = url, database, replica
        self.asked: Counter[str] = Counter()
        self.primary_engine, self.replica_engine = open_engine(url), open_engine(replica.url)
        self._count("primary", self.primary_engine)
        self._count("replica", self.replica_engine)
        self.source = ReplicaSource(self.primary_engine, self.replica_engine)

    async def register(self) -> UUID:
        """Add somebody, and return who that is."""
        number = await self.database.fetchval("SELECT count(*) FROM users")
        before = {row["id"] for row in await self.database.fetch("SELECT id FROM users")}
        return next(one for one in await add_people(self.database, number + 1) if one not in before)

    async def everybody(self) -> Sequence[UUID]:
        return [row["id"] for row in await self.database.fetch("SELECT id FROM users ORDER BY id")]

    def _count(self, name: str, engine: AsyncEngine) -> None:
        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def count(*_: object) -> None:
            self.asked[name] += 1


@pytest.fixture
async def world(postgres_url: str, tmp_path: Path) -> AsyncIterator[World]:
    async with fresh_database(postgres_url) as url:
        database = await asyncpg.connect(url)
        await add_people(database, PEOPLE)
        async with streaming_replica(url, tmp_path) as replica:
            world = World(url, database, replica)
            yield world
            replica.go_on()
            await world.replica_engine.dispose()
            await world.primary_engine.dispose()
        await database.close()


async def rest_of(read_page: ReadPage, after: UUID | None = None) -> Sequence[UUID]:
    """Read all pages that come after somebody."""
    found: list[UUID] = []
    more = True
    while more:
        page = await read_page(None if after is None else UserId(after), PAGE)
        found += [person.id for person in page.items]
        after, more = found[-1], page.more
    return found


async def test_it_shows_what_was_committed_a_moment_ago(world: World) -> None:
    for _ in range(20):
        somebody = await world.register()
        with capture_logs() as logs:
            assert somebody in await rest_of(await world.source.open_pages())
        assert not logs
    assert world.asked["primary"] == 20  # where it stands, once for each export, and no page


async def test_a_replica_that_shows_nothing_new_is_passed_by(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_module, "CATCH_UP_S", 0.2)
    await rest_of(await world.source.open_pages())
    await world.replica.hold_replay(held=True)
    somebody = await world.register()
    with capture_logs() as logs:
        assert somebody in await rest_of(await world.source.open_pages())
    assert [(line["event"], line["reason"]) for line in logs] == [("replica_avoided", "behind")]
    await world.replica.hold_replay(held=False)
    assert await state_of(world.primary_engine, world.replica_engine) is ReplicaState.CAUGHT_UP


@pytest.mark.parametrize("fault", (Replica.die, Replica.stand_still))
async def test_an_export_goes_on_where_the_replica_has_left_it(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    read_page = await world.source.open_pages()
    before = world.asked["replica"]
    first = [person.id for person in (await read_page(None, PAGE)).items]
    assert world.asked["replica"] == before + 1
    monkeypatch.setattr(replica_module, "_ANSWER_S", 0.5)
    assert callable(fault)
    fault(world.replica)
    with capture_logs() as logs:
        assert [*first, *await rest_of(read_page, first[-1])] == await world.everybody()
    assert [line["event"] for line in logs] == ["replica_avoided"]
    assert await state_of(world.primary_engine, world.replica_engine) is ReplicaState.AWAY
    world.replica.go_on()


async def test_who_does_not_follow_is_no_replica(world: World) -> None:
    assert await state_of(world.primary_engine, world.primary_engine) is ReplicaState.NO_REPLICA
    await world.replica.promote()
    assert await state_of(world.primary_engine, world.replica_engine) is ReplicaState.NO_REPLICA


async def test_only_what_nobody_keeps_is_read_there(world: World, tmp_path: Path) -> None:
    told = {"DATABASE_URL": world.url, "BIRTHDAYS_REPLICA_URL": world.replica.url}
    settings = Settings.from_environment(told)
    service = Service(settings=settings, adapters=PostgresAdapters(settings=settings, database_url=world.url))
    use_cases = service.http()
    assert isinstance(use_cases.export_users.source, ReplicaSource)
    assert isinstance(use_cases.feeds.export.source, WhereItIsWritten)  # has an ETag
    seen = await asyncio.to_thread(run_command, ["doctor"], tmp_path / "var", 0, **told)
    assert "exports are read there" in " ".join(seen.stdout.split())


def test_an_address_that_is_none_is_one_sentence(postgres_url: str, tmp_path: Path) -> None:
    told = {"DATABASE_URL": postgres_url, "BIRTHDAYS_REPLICA_URL": "mysql://host/name"}
    refused = run_command(["serve"], tmp_path / "var", 0, **told)
    assert refused.returncode == 1
    assert refused.stderr == (
        "Error: BIRTHDAYS_REPLICA_URL is not a PostgreSQL address such as postgresql://user:password@host:5432/name.\n"
    )
