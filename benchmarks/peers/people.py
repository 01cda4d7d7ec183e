"""The users table of the service, for the peers: what a typical small application has below its cache."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg

Person = dict[str, Any]
DATABASE_URL = os.environ.get("DATABASE_URL", "")
REDIS_URL = os.environ.get("REDIS_URL", "")
PORT = int(os.environ.get("BIRTHDAYS_PORT", "0"))
LIFETIME_S = 3600
POOL_SIZE = 10
CACHE_TIMEOUT_S = 0.5

_SHOWN = """
    id::text, first_name AS "firstName", last_name AS "lastName", email, timezone,
    make_date(birthday_year, birthday_month, birthday_day)::text AS "birthdayDate",
    anniversary_on::text AS "anniversaryDate", leap_day_rule AS "leapDayRule", version,
    to_char(created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "createdAt",
    to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "updatedAt"
"""


class AddressTaken(Exception):
    """Somebody has this address."""


class People:
    """Each method is one transaction."""

    def __init__(self) -> None:
        self._pool: Any = None

    @asynccontextmanager
    async def opened(self, _app: object = None) -> AsyncIterator[None]:
        self._pool = await asyncpg.create_pool(
            DATABASE_URL, min_size=0, max_size=POOL_SIZE, server_settings={"timezone": "UTC"}
        )
        try:
            yield
        finally:
            self._pool.terminate()

    async def get(self, person: UUID) -> Person | None:
        row = await self._pool.fetchrow(f"SELECT {_SHOWN} FROM users WHERE id = $1", person)
        return row and dict(row)

    async def find(self, address: str) -> Person | None:
        row = await self._pool.fetchrow(f"SELECT {_SHOWN} FROM users WHERE email_key = lower($1)", address)
        return row and dict(row)

    async def add(self, told: Mapping[str, str]) -> Person:
        row = await self._pool.fetchrow(
            "INSERT INTO users (id, first_name, last_name, email, timezone, version, created_at, updated_at, "
            "birthday_known_at, anniversary_known_at) VALUES ($1, $2, $3, $4, $5, 1, now(), now(), now(), now()) "
            f"RETURNING {_SHOWN}",
            uuid4(),
            told["firstName"],
            told["lastName"],
            told["email"],
            told["timezone"],
        )
        return dict(row)

    async def change(self, person: UUID, told: Mapping[str, str]) -> tuple[str, Person] | None:
        """Return the address before, and the person after the change. Raises AddressTaken."""
        async with self._pool.acquire() as connection:
            try:
                async with connection.transaction():
                    before = await connection.fetchval(
                        "SELECT email FROM users WHERE id = $1 FOR UPDATE", person
                    )
                    if before is None:
                        return None
                    row = await connection.fetchrow(
                        "UPDATE users SET last_name = $2, email = coalesce($3, email), version = version + 1, "
                        f"updated_at = now() WHERE id = $1 RETURNING {_SHOWN}",
                        person,
                        told["lastName"],
                        told.get("email"),
                    )
            except asyncpg.UniqueViolationError:
                raise AddressTaken from None
            return before, dict(row)
