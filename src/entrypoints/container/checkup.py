"""The checks of 'birthdays doctor': everything that the service stands on is looked at, and nothing is changed."""

import os
import shutil
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from adapters.delivery.texts import InvalidTemplates
from adapters.embedded.data_folder import running_instance
from adapters.postgres.checkup import look_at_database, look_at_ledger
from adapters.postgres.database import InvalidDatabaseUrl, open_engine
from adapters.postgres.pooler import trouble_of
from adapters.postgres.replica import state_of
from application import checkup
from application.checkup import Finding
from application.errors import StoreUnavailable
from application.processes import Process
from domain.due import ZONE_DATA_VERSION
from entrypoints.container.families import PostgresAdapters
from entrypoints.settings import Settings

_NO_DATABASE = "postgresql://nobody@localhost/none"  # no check of the channel asks it


async def examine(settings: Settings) -> Sequence[Finding]:
    """Return what was found, in the order in which things stand on each other."""
    running = None if settings.database_url else running_instance(settings.data_dir)
    database_url = settings.database_url or (None if running is None else running.database_url)
    redis_url = settings.redis_url or (None if running is None else running.redis_url)
    return [
        _data_folder(settings.data_dir),
        *await _database(database_url),
        *await _replica(settings, database_url),
        checkup.of_zone_data(ZONE_DATA_VERSION, datetime.now(UTC).date()),
        await _cache(settings, redis_url),
        *await _channel(settings),
    ]


def _data_folder(folder: Path) -> Finding:
    there = folder
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return checkup.failed(
            "data folder",
            f"{folder} cannot be written to.",
            "Make it writable for this user, or set BIRTHDAYS_DATA_DIR.",
        )
    return checkup.of_disk(shutil.disk_usage(there).free)


async def _database(url: str | None) -> Sequence[Finding]:
    if url is None:
        return [
            checkup.unchecked(
                "database",
                "It is the service's own, and the service does not run.",
                "Start it with 'birthdays serve' and ask again, or set DATABASE_URL.",
            )
        ]
    try:
        engine = open_engine(url, pool_size=2)
    except InvalidDatabaseUrl as error:
        return [checkup.failed("database", str(error), "Set DATABASE_URL so.")]
    try:
        if (trouble := await trouble_of(engine)) is not None:
            return [checkup.failed("database", trouble.what, trouble.advice)]
        facts = await look_at_database(engine)
        found = [checkup.of_server(facts), checkup.of_schema(facts), checkup.of_clock(facts)]
        if facts.revision == facts.head:
            ledger = await look_at_ledger(engine)
            own = Process(version=version("birthdays"), zone_data=ZONE_DATA_VERSION)
            found += [
                checkup.of_service_clock(ledger),
                checkup.of_processes(ledger, own),
                checkup.of_plan(ledger),
                checkup.of_months(ledger),
                checkup.of_zones(ledger),
                checkup.of_messages(ledger),
            ]
    except StoreUnavailable:
        return [
            checkup.failed(
                "database",
                "It does not answer.",
                "Check that it runs, and that address, name and password in DATABASE_URL are right.",
            )
        ]
    finally:
        await engine.dispose()
    return found


async def _replica(settings: Settings, database_url: str | None) -> Sequence[Finding]:
    if settings.replica_url is None or database_url is None:
        return []
    try:
        primary, replica = (
            open_engine(database_url, pool_size=1),
            open_engine(settings.replica_url, pool_size=1),
        )
    except InvalidDatabaseUrl as error:
        return [checkup.failed("replica", str(error.of("BIRTHDAYS_REPLICA_URL")), "Set it so.")]
    try:
        return [checkup.of_replica(await state_of(primary, replica))]
    except StoreUnavailable:
        return [checkup.unchecked("replica", "The database does not answer.")]
    finally:
        await primary.dispose()
        await replica.dispose()


async def _cache(settings: Settings, url: str | None) -> Finding:
    if url is None:
        if settings.database_url is not None:
            return checkup.ok("cache", "None is configured: people are read from the database.")
        return checkup.unchecked("cache", "It is the service's own, and the service does not run.")
    adapters = PostgresAdapters(settings=settings, database_url=_NO_DATABASE, redis_url=url)
    async with aclosing(adapters.cache()) as cache:
        is_healthy = await cache.is_healthy()
    if is_healthy:
        return checkup.ok("cache", "It answers.")
    return checkup.failed(
        "cache",
        "It does not answer, so people are read from the database.",
        "Check that it runs, and that REDIS_URL, or REDIS_HOST and the password, are right.",
    )


async def _channel(settings: Settings) -> Sequence[Finding]:
    adapters = PostgresAdapters(settings=settings, database_url=_NO_DATABASE)
    try:
        channel = adapters.channel()
    except InvalidTemplates as error:
        return [checkup.failed("templates", str(error), "See 'birthdays templates check'.")]
    languages = ", ".join(adapters.texts().languages)
    found = [checkup.ok("templates", f"They can be used. Languages: {languages}.")]
    trouble = await channel.trouble()
    await channel.close()
    if trouble is None:
        found.append(checkup.ok("channel", _ACCEPTED[settings.channel]))
    else:
        found.append(checkup.failed("channel", trouble, _ADVICE[settings.channel]))
    return [*found, checkup.of_sender(settings.sender)] if settings.channel == "smtp" else found


_ACCEPTED = {
    "maildir": "The Maildir can be written to; nothing leaves this machine.",
    "console": "Messages are printed; nothing leaves this machine.",
    "smtp": "The mail server has greeted us, and let us in if it asks for a password; nothing was sent.",
    "webhook": "Its host has an address that is allowed and takes connections; nothing was posted.",
}
_ADVICE = {
    "maildir": "Make the folder writable for this user.",
    "console": "",
    "smtp": "Check host, port, tls, user and password in BIRTHDAYS_SMTP_URL.",
    "webhook": "Check BIRTHDAYS_WEBHOOK_URL; a host in your own network needs BIRTHDAYS_WEBHOOK_ALLOW_PRIVATE=true.",
}
