"""Today's lists are read by an index, and a long one in one value."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.message_reader import USERS_DUE, PostgresMessageReader
from application.occasions import ID_BYTES
from domain.due import occasion_dates
from domain.occasion import Kind

pytestmark = pytest.mark.servers

DAY = datetime(2027, 3, 13, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)

_USERS = text("""
    INSERT INTO users (
        id, first_name, last_name, email, timezone, version, created_at, updated_at,
        birthday_known_at, anniversary_known_at
    )
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'P', 'L', n || '@example.com', 'UTC', 1, now(), now(), now(), now()
    FROM generate_series(1, :people) n
""")
_MESSAGES = text("""
    INSERT INTO messages (
        occasion_on, user_id, kind, status, due_at, expires_at, timezone, wall_time, created_at, updated_at
    )
    SELECT d, lpad(to_hex(n), 32, '0')::uuid, kind, 'SENT', d + time '09:00', d + interval '33 h', 'UTC', 'exact',
        now(), now()
    FROM generate_series(1, :people) n, (VALUES ('BIRTHDAY'), ('ANNIVERSARY')) k (kind),
        LATERAL (SELECT DATE '2027-01-01' + CAST(n % :days AS integer) AS d) o
    ORDER BY 1, 2, 3
""")


async def fill(engine: AsyncEngine, *, people: int, days: int) -> None:
    """Give everybody a birthday and an anniversary, spread over so many days."""
    async with engine.begin() as connection:
        for month in range(1, 13):
            following = f"'2027-{month + 1:02}-01'" if month < 12 else "'2028-01-01'"
            await connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS messages_2027_{month:02} PARTITION OF messages "
                    f"FOR VALUES FROM ('2027-{month:02}-01') TO ({following})"
                )
            )
        await connection.execute(_USERS, {"people": people})
        await connection.execute(_MESSAGES, {"people": people, "days": days})
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE users, messages"))


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def test_a_list_costs_what_is_due_around_the_day_and_not_what_the_ledger_holds(
    engine: AsyncEngine,
) -> None:
    await fill(engine, people=25_000, days=365)
    oldest, newest = occasion_dates(DAY, NEXT_DAY)
    values = {
        "kind": "BIRTHDAY",
        "first": DAY,
        "until": NEXT_DAY,
        "oldest": oldest,
        "newest": newest,
    }
    async with engine.connect() as connection:
        [[found]] = await connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {USERS_DUE.text}"), values)
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    scans = [node for node in nodes(plan) if "messages" in node.get("Relation Name", "")]
    [scan] = scans
    assert scan["Relation Name"] == "messages_2027_03"
    assert scan["Node Type"] in {"Index Scan", "Bitmap Heap Scan"}
    indexes = {node["Index Name"] for node in nodes(plan) if "messages" in node.get("Index Name", "")}
    assert indexes == {"messages_2027_03_pkey"}
    due = 25_000 // 365 + 1
    looked_at = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
    assert scan["Actual Rows"] <= due
    assert looked_at <= 6 * due, "the days around it, of one kind"
    assert len(await PostgresMessageReader(engine).users_due(Kind.BIRTHDAY, DAY, NEXT_DAY)) == ID_BYTES * due


async def test_a_hundred_thousand_ids_come_in_one_value_in_order(engine: AsyncEngine) -> None:
    await fill(engine, people=100_000, days=1)
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    started_s = time.perf_counter()
    packed = await PostgresMessageReader(engine).users_due(
        Kind.BIRTHDAY, new_year, new_year + timedelta(days=1)
    )
    took_s = time.perf_counter() - started_s
    assert packed == b"".join(number.to_bytes(ID_BYTES, "big") for number in range(1, 100_001))
    assert took_s < 5, "a tenth of that, on a machine that has nothing else to do"
