"""A PostgreSQL that logs all that it does by default learns nobody's address from what it refuses."""

import asyncio
from pathlib import Path

import attrs
import pytest

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.servers import embedded_postgres
from adapters.postgres.database import migrate, open_engine
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from application.announcer import Announcer
from application.errors import EmailTaken, ExternalIdTaken
from application.ports import UnitOfWorkFactory
from domain.user import User
from tests.contract.people import person

pytestmark = [pytest.mark.servers, pytest.mark.slow]

AS_IT_COMES = {
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_error_verbosity": "default",
    "log_parameter_max_length_on_error": "-1",
    "fsync": "off",
}


async def test_addresses_are_refused_before_the_server_sees_two_of_them(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        async with embedded_postgres(folder, settings=AS_IT_COMES) as url:
            engine = open_engine(url)
            try:
                await migrate(engine)
                outcomes = await _race(lambda: PostgresUnitOfWork(engine, Announcer()))
            finally:
                await engine.dispose()
    assert sorted(outcomes) == ["EmailTaken"] * 14 + ["ExternalIdTaken"] * 7 + ["stored"] * 3
    log = (tmp_path / "data" / "postgres.log").read_text()
    assert "canary" not in log
    assert "ERROR" not in log


async def _race(unit_of_work: UnitOfWorkFactory) -> list[str]:
    """Let eight register one address, eight change to another, and eight take one id, all at once."""
    known = [person(f"P{number}") for number in range(8)]
    async with unit_of_work() as uow:
        await uow.users.add(known)
        await uow.commit()

    async def add(user: User) -> str:
        return await _tried(unit_of_work, None, user)

    async def change(before: User) -> str:
        return await _tried(
            unit_of_work, before, attrs.evolve(before, email="canary2@example.com", version=2)
        )

    return list(
        await asyncio.gather(
            *(add(person("A", email="canary1@example.com")) for _ in range(8)),
            *(change(user) for user in known),
            *(add(person("B", external_id="canary-3")) for _ in range(8)),
        )
    )


async def _tried(unit_of_work: UnitOfWorkFactory, before: User | None, after: User) -> str:
    try:
        async with unit_of_work() as uow:
            if before is None:
                await uow.users.add([after])
            else:
                assert await uow.users.get(before.id) == before
                await uow.users.save([(before, after)])
            await uow.commit()
    except (EmailTaken, ExternalIdTaken) as taken:
        return type(taken).__name__
    return "stored"
