"""Opening the database that the settings mean: migrated, on its clock, with the use cases over it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import attrs

from application.announcer import Announcer
from entrypoints.container import PostgresAdapters, Service
from entrypoints.settings import Settings


@attrs.frozen(kw_only=True)
class Store:
    """A service over an open database; *database* says in words which one."""

    service: Service
    announcer: Announcer
    database: str
    revision_before: str | None
    revision: str | None
