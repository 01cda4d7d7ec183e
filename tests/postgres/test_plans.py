"""How PostgreSQL carries out what the scheduler asks all day: by its indexes, whatever plan it has cached."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres import partitions, statements
from adapters.postgres.database import open_engine, set_clock
from adapters.postgres.message_reader import BACKLOG
from adapters.postgres.plan_statement import BY_LOOK_UPS, PLAN, PLAN_ALONE, plan_parameters
from application.ports import ALL_SHARDS, Shard
from application.scheduler_observing import BACKLOG_MAX
from domain.due import zone_names, zone_table
from tests.contract.adapters import POLICY, START, TERMS
from tests.contract.people import BERLIN, PI_DAY
from tests.servers import filled_database, fresh_engine

pytestmark = pytest.mark.servers

_ROWS = 50_000
_BATCH = 500

# Three months; a day's worth of everything that is due, waits, is on its way or late, and much that is done.
_LEDGER = f"""
    INSERT INTO users (
        id, first_name, last_name, email, timezone, birthday_month, birthday_day, version, created_at,
        updated_at, birthday_known_at, anniversary_known_at
    )
    SELECT gen_random_uuid(), 'Ada', 'Lovelace', 'p' || n || '@example.com', 'Europe/Berlin', 3, 14, 1,
        '2020-01-01', '2020-01-01', '2020-01-01', '2020-01-01'
    FROM generate_series(1, {_ROWS}) n;
    INSERT INTO messages (
        occasion_on, user_id, kind, status, due_at, expires_at, timezone, wall_time, retry_at, lease_until,
        created_at, updated_at, fence
    )
    SELECT
        CASE WHEN n % 10 < 7 THEN date '2027-01-15' + (n % 50) ELSE date '2027-03-14' END,
        id, 'BIRTHDAY', s.status, d.due_at, d.due_at + interval '24 h', 'Europe/Berlin', 'exact',
        CASE WHEN s.status = 'RETRYING' THEN d.due_at + interval '10 min' END,
        CASE WHEN s.status = 'SENDING' THEN clock_timestamp() + (n / 100 % 7 - 3) * interval '1 min' END,
        '2027-01-01', '2027-01-01', 1
    FROM (SELECT id, (row_number() OVER ())::int AS n FROM users) u
    CROSS JOIN LATERAL (SELECT CASE
        WHEN n % 10 < 7 THEN 'SENT' WHEN n % 100 = 7 THEN 'SENDING' WHEN n % 100 = 8 THEN 'RETRYING'
        ELSE 'SCHEDULED' END AS status) s
    CROSS JOIN LATERAL (SELECT timestamptz '2027-03-12 13:00+00' + (n % 48) * interval '1 h' AS due_at) d;
"""


_DUE = (
    f"""
    INSERT INTO users (
        id, first_name, last_name, email, timezone, birthday_month, birthday_day, version, created_at,
        updated_at, birthday_known_at, anniversary_known_at
    )
    SELECT gen_random_uuid(), 'Ada', 'Lovelace', 'p' || n || '@example.com', 'Europe/Berlin', 3, 14, 1,
        '2020-01-01', '2020-01-01', '2020-01-01', '2020-01-01'
    FROM generate_series(1, {2 * _BATCH}) n
    """,
    """
    INSERT INTO messages (
        occasion_on, user_id, kind, status, due_at, expires_at, timezone, wall_time, created_at, updated_at
    )
    SELECT '2027-03-14', id, 'BIRTHDAY', 'SCHEDULED', service_now(), service_now() + interval '24 h',
        'Europe/Berlin', 'exact', '2027-01-01', '2027-01-01'
    FROM users
    """,
)
_ANYWHERE = text("""
    INSERT INTO users (
        id, first_name, last_name, email, timezone, birthday_month, birthday_day, anniversary_on, version, created_at,
        updated_at, birthday_known_at, anniversary_known_at
    )
    SELECT gen_random_uuid(), 'Ada', 'Lovelace', 'p' || n || '@example.com',
        (CAST(:zones AS text[]))[1 + n % cardinality(CAST(:zones AS text[]))], 1 + n % 12, 1 + n % 28,
        date '2015-01-01' + n % 365, 1, '2020-01-01', '2020-01-01', '2020-01-01', '2020-01-01'
    FROM generate_series(1, :people) n
""")


@pytest.fixture(scope="module")
def filled_name(postgres_url: str) -> Iterator[str]:
    with filled_database(postgres_url, _fill) as name:
        yield name


@pytest.fixture
async def ledger(postgres_url: str, filled_name: str) -> AsyncIterator[AsyncEngine]:
    """A copy of the ledger, which takes a tenth of the time that it takes to fill one."""
    async with fresh_engine(postgres_url, filled_name) as engine:
        yield engine


async def _fill(engine: AsyncEngine) -> None:
    await set_clock(engine, START, speed=0)
    async with engine.begin() as connection:
        for month in ("2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01"):
            name = f"messages_{month[:7].replace('-', '_')}"
            await connection.execute(
                text(
                    f"CREATE TABLE {name} PARTITION OF messages FOR VALUES FROM ('{month}')"
                    f" TO (date '{month}' + interval '1 month')"
                )
            )
        for statement in _LEDGER.split(";"):
            if statement.strip():
                await connection.execute(text(statement))
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM (ANALYZE) messages, users"))


_CLAIM = {**statements.claim_values(TERMS), "on": PI_DAY}
_STATEMENTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "first due": (statements.first_due(ALL_SHARDS).text, {"claimed": []}),
    "first due of another date": (
        statements.first_due(ALL_SHARDS).text,
        {"claimed": [PI_DAY - timedelta(days=1)]},
    ),
    "claim": (statements.claim(_BATCH, ALL_SHARDS).text, _CLAIM),
    "claim of a shard": (statements.claim(_BATCH, Shard(1, 4)).text, _CLAIM),
    "reap": (statements.reap(_BATCH, ALL_SHARDS, retries=True).text, {"attempts_max": 12}),
    "expire": (statements.expire(_BATCH, ALL_SHARDS).text, {}),
    "next due": (statements.next_due(ALL_SHARDS).text, {}),
    "backlog": (BACKLOG.text, {"now": START}),
}
_MODES = ("force_custom_plan", "force_generic_plan")


@pytest.mark.parametrize("is_known", (True, False), ids=("with statistics", "without statistics"))
async def test_what_the_scheduler_asks_all_day_is_found_by_an_index(
    ledger: AsyncEngine, *, is_known: bool
) -> None:
    """Nobody has taken statistics yet when those who were planned a minute ago are due."""
    if not is_known:
        await _forget_statistics(ledger, "messages_2027_01", "messages_2027_02", "messages_2027_03", "users")
    engine = open_engine(ledger.url.render_as_string(hide_password=False), by_index=True)
    async with engine.connect() as connection:
        due = await connection.scalar(
            text("SELECT count(*) FROM messages WHERE due_at <= :now AND ended IS NULL"), {"now": START}
        )
    for mode in _MODES:
        for name, (statement, parameters) in _STATEMENTS.items():
            plan = await _explained(engine, mode, statement, parameters)
            nodes = list(_nodes(plan))
            scanned = [node for node in nodes if node["Node Type"] == "Seq Scan"]
            assert [node for node in scanned if node["Actual Rows"] * node["Actual Loops"] > 100] == [], name
            indexes = {node.get("Index Name", "") for node in nodes}
            assert any("coalesce" in index for index in indexes), (name, indexes)
            read = max(_rows_read(node) for node in nodes)
            # A claim passes over what is past its window, a shard over the others' rows, who looks for lost leases
            # over all that is due.
            most = {"backlog": BACKLOG_MAX, "reap": due}.get(name, 0)
            assert read <= 10 * _BATCH + most, (name, mode, read)
    await engine.dispose()


async def test_a_claim_tells_no_index(postgres_url: str) -> None:
    """Each row is changed in its own page, which has room for it, and what leads to the row leads there still."""
    async with fresh_engine(postgres_url) as engine:
        await set_clock(engine, START, speed=0)
        async with engine.begin() as connection:
            await partitions.add(connection, PI_DAY, PI_DAY)
            for statement in _DUE:
                await connection.execute(text(statement))
        async with engine.begin() as connection:
            claimed = (await connection.execute(statements.claim(_BATCH, ALL_SHARDS), _CLAIM)).all()
            changed = await connection.execute(
                text(
                    "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'messages_2027_03'"
                )
            )
            assert len(claimed) == _BATCH
            assert changed.one() == (_BATCH, _BATCH)


async def test_an_outcome_costs_a_look_up_by_its_key_whatever_the_statistics_say(ledger: AsyncEngine) -> None:
    """Also if the ledger had nothing on its way when it was looked at last."""
    engine = open_engine(ledger.url.render_as_string(hide_password=False), by_index=True)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM messages WHERE status = 'SENDING'"))
        await connection.execute(text("ANALYZE messages"))
        found = await connection.execute(
            text(
                "UPDATE messages SET status = 'SENDING' WHERE status = 'SCHEDULED'"
                " AND occasion_on = '2027-03-14' AND kind = 'BIRTHDAY' RETURNING user_id, fence"
            )
        )
        rows = found.all()[:_BATCH]
    assert len(rows) == _BATCH
    sent = {
        "on": PI_DAY,
        "kind": "BIRTHDAY",
        "user_id": [row.user_id for row in rows],
    }
    outcomes = {
        "fence": [row.fence for row in rows],
        "status": ["SENT"] * len(rows),
        "reason": [None] * len(rows),
        "retry_at": [None] * len(rows),
        "may_have_arrived": [False] * len(rows),
        "uncounted": [0] * len(rows),
    }
    for statistics in ("stale", "fresh"):
        if statistics == "fresh":
            async with engine.begin() as connection:
                await connection.execute(text("ANALYZE messages"))
        for mode in _MODES:
            for statement, parameters in (
                (statements.SETTLE_SENT, sent | {"fence": rows[0].fence}),
                (statements.SETTLE, sent | outcomes),
            ):
                nodes = list(_nodes(await _explained(engine, mode, statement.text, parameters)))
                assert max(_rows_read(node) for node in nodes) <= 2 * _BATCH, (statistics, mode)
                assert "Seq Scan" not in {node["Node Type"] for node in nodes}, (statistics, mode)
    await engine.dispose()


@pytest.mark.parametrize("is_planned_early", (True, False), ids=("for an empty ledger", "without statistics"))
async def test_a_claim_and_its_outcomes_look_at_nobody_else_however_many_months_there_are(
    postgres_url: str, *, is_planned_early: bool
) -> None:
    """A look into each of many months may seem to cost more than all that a month without rows has."""
    async with fresh_engine(postgres_url) as ledger:
        await set_clock(ledger, START, speed=0)
        async with ledger.begin() as connection:
            await partitions.add(connection, date(2026, 1, 1), date(2028, 12, 1))
        sent: dict[str, Any] = {"on": PI_DAY, "kind": "BIRTHDAY", "user_id": [], "fence": 0}
        asked = {"claim": _STATEMENTS["claim"], "outcomes": (statements.SETTLE_SENT.text, sent)}
        engine = open_engine(ledger.url.render_as_string(hide_password=False), by_index=True)
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            for name, (statement, parameters) in asked.items():
                await connection.exec_driver_sql(f"PREPARE {name} AS {_numbered(statement, parameters)}")
                if is_planned_early:
                    await connection.exec_driver_sql(f"EXECUTE {name}({_literals(parameters)})")
            for statement in _DUE:
                await connection.exec_driver_sql(statement)
            found = await connection.execute(
                text(
                    "UPDATE messages SET status = 'SENDING' WHERE user_id IN (SELECT id FROM users LIMIT 300)"
                    " RETURNING user_id"
                )
            )
            sent["user_id"] = list(found.scalars())
            for name, (_, parameters) in asked.items():
                explain = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {name}({_literals(parameters)})"
                told = (await connection.exec_driver_sql(explain)).scalar_one()
                plans = json.loads(told) if isinstance(told, str) else told
                read = max(_rows_read(node) for node in _nodes(plans[0]["Plan"]))
                assert read <= 2 * _BATCH, name
        await engine.dispose()


@pytest.mark.parametrize("is_known", (True, False), ids=("with statistics", "without statistics"))
async def test_a_plan_passes_through_each_month_once_also_through_one_that_was_empty(
    ledger: AsyncEngine, *, is_known: bool
) -> None:
    """Statistics of messages are from before the plan, as they are whenever a plan is repeated.

    Those of people may not be there at all, after a first import.
    """
    async with ledger.begin() as connection:
        await connection.execute(text("DELETE FROM messages"))
    if not is_known:
        await _forget_statistics(ledger, "users")
    async with ledger.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM (ANALYZE) messages"))
    table = zone_table(POLICY, PI_DAY, PI_DAY, zone_names())  # in all of which but one nobody lives
    parameters = {**plan_parameters(table, POLICY, ALL_SHARDS), "now": START}
    for turn in ("first", "again"):
        for shard in (ALL_SHARDS, Shard(1, 2)):
            nodes = await _nodes_of_plan(ledger, {**parameters, "shard": shard.number, "shards": shard.of})
            assert max(_rows_read(node) for node in nodes) <= 2 * _ROWS, turn
            of_ledger = [node for node in nodes if _is_read(node, "messages_")]
            assert of_ledger, turn
            assert max(node["Actual Loops"] for node in of_ledger) == 1, turn
        if turn == "first":
            async with ledger.begin() as connection, asyncio.timeout(60):
                await connection.execute(BY_LOOK_UPS)
                assert (await connection.execute(PLAN, parameters)).one() == (_ROWS, 0, 0)


@pytest.mark.parametrize("is_known", (True, False), ids=("with statistics", "without statistics"))
async def test_a_shard_of_a_plan_looks_up_each_day_and_zone_and_compares_nobody_with_all_of_them(
    postgres_url: str, *, is_known: bool
) -> None:
    """People live anywhere and were born on any day, as after a first import that nobody has taken statistics of."""
    async with fresh_engine(postgres_url) as ledger:
        await set_clock(ledger, START, speed=0)
        async with ledger.begin() as connection:
            await connection.execute(text("ALTER TABLE users SET (autovacuum_enabled = off)"))
            await partitions.add(connection, PI_DAY, PI_DAY + timedelta(days=92))
            await connection.execute(_ANYWHERE, {"zones": zone_names(), "people": _ROWS})
            if is_known:
                await connection.execute(text("ANALYZE users"))
        table = zone_table(POLICY, *POLICY.plan_dates(START), zone_names())
        parameters = {**plan_parameters(table, POLICY, Shard(1, 2)), "now": START}
        nodes = await _nodes_of_plan(ledger, parameters)
        assert max(_rows_read(node) for node in nodes) <= 2 * _ROWS


async def test_a_plan_looks_up_those_alone_who_had_a_greeting_not_long_ago(ledger: AsyncEngine) -> None:
    """Every person of the ledger has a message in another month, of which a few have been sent."""
    async with ledger.begin() as connection:
        await connection.execute(text("DELETE FROM messages WHERE occasion_on = '2027-03-14'"))
        await connection.execute(
            text("UPDATE messages SET status = 'CANCELLED' WHERE occasion_on <> '2027-02-05'")
        )
        sent = await connection.scalar(text("SELECT count(*) FROM messages WHERE status = 'SENT'"))
    table = zone_table(POLICY, PI_DAY, PI_DAY, [BERLIN])
    parameters = {**plan_parameters(table, POLICY, ALL_SHARDS), "now": START}
    nodes = await _nodes_of_plan(ledger, parameters)
    async with ledger.connect() as connection:
        await connection.execute(BY_LOOK_UPS)
        planned = (await connection.execute(PLAN, parameters)).one()
    assert planned == (_ROWS - sent, sent, 0)
    assert max(node["Actual Loops"] for node in nodes if _is_read(node, "messages_")) == sent


async def _nodes_of_plan(ledger: AsyncEngine, parameters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Plan everybody, take it back, and return what PostgreSQL did; alone and not, in one mode each."""
    nodes: list[Mapping[str, Any]] = []
    engine = open_engine(ledger.url.render_as_string(hide_password=False), by_index=True)
    for mode, statement in zip(_MODES, (PLAN, PLAN_ALONE), strict=True):
        async with asyncio.timeout(60):
            nodes += _nodes(await _explained(engine, mode, statement.text, parameters, BY_LOOK_UPS))
    await engine.dispose()
    return nodes


async def _forget_statistics(ledger: AsyncEngine, *tables: str) -> None:
    async with ledger.begin() as connection:
        for table in tables:
            await connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
            await connection.execute(text(f"SELECT pg_clear_relation_stats('public', '{table}')"))
            await connection.execute(
                text(f"""
                SELECT pg_clear_attribute_stats('public', '{table}', attname::text, false)
                FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0
            """)
            )


async def _explained(
    engine: AsyncEngine,
    mode: str,
    statement: str,
    parameters: Mapping[str, Any],
    settings: TextClause | None = None,
) -> dict[str, Any]:
    """Carry *statement* out, take it back, and return what PostgreSQL did.

    It is prepared by SQL: an EXPLAIN with parameters of its own is planned for their values in any mode.
    """
    statement, values = _numbered(statement, parameters), _literals(parameters)
    async with engine.connect() as connection:
        if settings is not None:
            await connection.execute(settings)
        for command in (
            f"SET LOCAL plan_cache_mode = {mode}",
            f"PREPARE explained AS {statement}",
        ):
            await connection.exec_driver_sql(command)
        execute = f"EXECUTE explained({values})" if values else "EXECUTE explained"
        found = (await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {execute}")).scalar_one()
        await connection.rollback()
        await connection.exec_driver_sql("DEALLOCATE explained")
    plans: list[dict[str, Any]] = json.loads(found) if isinstance(found, str) else found
    return dict(plans[0]["Plan"])


def _numbered(statement: str, parameters: Mapping[str, Any]) -> str:
    for number, name in enumerate(parameters, start=1):
        statement = re.sub(rf"(?<!:):{name}\b", f"${number}", statement)
    return statement


def _literals(parameters: Mapping[str, Any]) -> str:
    return ", ".join(map(_literal, parameters.values()))


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        parts = ("NULL" if one is None else f'"{one}"' for one in value)
        return f"'{{{','.join(parts)}}}'"
    return f"'{value}'"


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _is_read(node: Mapping[str, Any], table: str) -> bool:
    is_of_table = str(node.get("Relation Name", "")).startswith(table)
    return is_of_table and node["Node Type"] != "ModifyTable" and node["Actual Loops"] > 0


def _rows_read(node: Mapping[str, Any]) -> float:
    """Return how many rows a node has looked at: those of a table, and all that it threw away."""
    thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    is_of_table = "Relation Name" in node and node["Node Type"] != "ModifyTable"
    return float((thrown + (node["Actual Rows"] if is_of_table else 0)) * node["Actual Loops"])
