"""Made-up people, loaded in bulk, and which of them are asked for."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

PEOPLE = 100_000

_ADD = """
    INSERT INTO users (id, first_name, last_name, email, timezone, version, created_at, updated_at,
        birthday_year, birthday_month, birthday_day, anniversary_on, birthday_known_at, anniversary_known_at)
    SELECT md5('person ' || n)::uuid, 'Person', 'Number ' || n, 'p' || n || '@example.com',
        (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Auckland'])[n % 4 + 1], 1,
        moment, moment, 1950 + n % 50, n % 12 + 1, n % 28 + 1, date '2000-01-01' + n % 9000, moment, moment
    FROM generate_series(1, $1::int) AS n, (VALUES (timestamptz '2026-01-01 00:00:00.5Z')) AS t (moment)
    ON CONFLICT (id) DO NOTHING
"""


async def add_people(database: asyncpg.Connection, number: int = PEOPLE) -> Sequence[UUID]:
    """Bring the table to so many people, and return the ids of all who are not deleted."""
    there = await database.fetchval("SELECT count(*) FROM users")
    if there < number:
        await database.execute(_ADD, number)
        await database.execute("VACUUM ANALYZE users")
    return [
        row[0] for row in await database.fetch("SELECT id FROM users WHERE deleted_at IS NULL ORDER BY id")
    ]


def zipf(people: Sequence[UUID], seed: int) -> Iterator[UUID]:
    """Yield people for ever: few are asked for often, most seldom (Zipf's law, with the exponent 1)."""
    chance = random.Random(seed)  # noqa: S311  # a load, not a secret
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(people) + 1)))
    while True:
        yield from chance.choices(people, cum_weights=weights, k=1000)


async def documents(database: asyncpg.Connection, people: Sequence[UUID]) -> Mapping[UUID, Mapping[str, Any]]:
    """Return what is to be answered for each, but for the instants."""
    rows = await database.fetch(
        """
        SELECT id, first_name AS "firstName", last_name AS "lastName", email, timezone, version,
            make_date(birthday_year, birthday_month, birthday_day)::text AS "birthdayDate",
            anniversary_on::text AS "anniversaryDate"
        FROM users WHERE id = ANY($1)
        """,
        people,
    )
    return {row["id"]: {**row, "id": str(row["id"])} for row in rows}
