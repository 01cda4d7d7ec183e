"""What the operator's page looks up costs what it shows: every look finds its rows by an index."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.postgres.database import open_engine
from adapters.postgres.message_reader import page_of
from adapters.postgres.operator_reader import DUE, IN_NEED_COUNTS, LATENESS, LATEST_IN_NEED, NEXT, finding
from domain.message import Status
from tests.contract.adapters import START
from tests.postgres.test_lists import fill, nodes
from tests.servers import filled_database, with_database

pytestmark = pytest.mark.servers

PEOPLE = 25_000
DAY = timedelta(days=1)
_SPREAD = """
    UPDATE messages SET status = CASE
        WHEN due_at >= '2027-03-13T12:00Z' AND occasion_on < '2027-03-16' THEN 'SCHEDULED'
        WHEN occasion_on = '2027-02-01' THEN 'FAILED' ELSE 'SENT' END,
        sent_at = due_at, reason = CASE WHEN occasion_on = '2027-02-01' THEN 'refused' END
"""
_NAMES = """
    UPDATE users SET first_name = 'First' || substr(id::text, 30), last_name = 'Last' || substr(id::text, 30)
"""


async def plan_of(
    connection: AsyncConnection, statement: TextClause, values: Mapping[str, Any]
) -> Sequence[Mapping[str, Any]]:
    [[found]] = await connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}"), values)
    return nodes((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])


def looked_at(plan: Sequence[Mapping[str, Any]], table: str) -> int:
    """Return how many rows of *table* were looked at; none was looked for by going through all of them."""
    scans = [node for node in plan if table in node.get("Relation Name", "")]
    assert not [node for node in scans if node["Node Type"] == "Seq Scan" and node["Plan Rows"] > 100]
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans
    )


def indexes(plan: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(node["Index Name"] for node in plan if "Index Name" in node)


@pytest.fixture(scope="module")
def filled_name(postgres_url: str) -> Iterator[str]:
    with filled_database(postgres_url, fill_a_year) as name:
        yield name


@pytest.fixture
async def filled(postgres_url: str, filled_name: str) -> AsyncIterator[AsyncEngine]:
    """A year's ledger, at which all tests look: what was sent, what comes, and a day on which all failed."""
    engine = open_engine(with_database(postgres_url, filled_name))
    yield engine
    await engine.dispose()


async def fill_a_year(engine: AsyncEngine) -> None:
    await fill(engine, people=PEOPLE, days=365)
    async with engine.begin() as connection:
        await connection.execute(text(_SPREAD))
        await connection.execute(text(_NAMES))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))


async def test_every_look_at_the_ledger_is_by_an_index(filled: AsyncEngine) -> None:
    a_day = 2 * (PEOPLE // 365 + 1)
    window = {"now": START, "until": START + DAY}
    async with filled.connect() as connection:
        counts = await plan_of(connection, IN_NEED_COUNTS, {"most": 50})
        assert looked_at(counts, "messages") <= 50
        latest = await plan_of(connection, LATEST_IN_NEED, {"limit": 20})
        assert looked_at(latest, "messages") <= 2 * a_day, "the days of 20 at most"
        assert "ended_due_at_idx" in indexes(latest)
        due = await plan_of(connection, DUE, window)
        assert looked_at(due, "messages") <= a_day
        assert "coalesce_expires_at_idx" in indexes(due)
        coming = await plan_of(connection, NEXT, {**window, "limit": 20})
        assert looked_at(coming, "messages") <= a_day + 20
        days = [date(2027, 3, 12), date(2027, 3, 11)]
        lateness = await plan_of(connection, LATENESS, {"days": days})
        assert looked_at(lateness, "messages") <= 2 * a_day
        assert "pkey" in indexes(lateness)


@pytest.mark.parametrize(
    "statuses",
    (
        [Status.SCHEDULED],
        [Status.RETRYING],
        [Status.SENDING],
        [Status.SENT],
        [Status.FAILED],
        [Status.UNKNOWN],
        [Status.CANCELLED, Status.SKIPPED],
        list(Status),
        [],
    ),
    ids=str,
)
async def test_a_page_of_the_ledger_is_read_and_not_looked_for(
    filled: AsyncEngine, statuses: list[Status]
) -> None:
    query = page_of(None, 101, statuses, None).compile(filled, compile_kwargs={"literal_binds": True})
    async with filled.connect() as connection:
        plan = await plan_of(connection, text(str(query)), {})
    assert looked_at(plan, "messages") <= 101 * max(1, len(statuses)) + 1000, indexes(plan)


@pytest.mark.parametrize(
    ("words", "index", "most"),
    (
        (["first00061a8"], "ix_users_first_name", 20),
        (["last0000"], "ix_users_last_name", 5000),
        (["First00061", "Last00061"], "name", 600),
        (["17@example.com"], "uq_users_live_email", 20),
    ),
)
async def test_somebody_is_found_by_an_index(
    filled: AsyncEngine, words: list[str], index: str, most: int
) -> None:
    statement, values = finding(words)
    async with filled.connect() as connection:
        plan = await plan_of(connection, statement, {**values, "limit": 50})
    assert index in indexes(plan)
    assert looked_at(plan, "users") <= most
