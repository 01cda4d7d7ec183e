"""The statement that plans everybody: the zone table joined with the users, under the rules of plan_user."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text

from adapters.postgres.statements import SHARD_OF_ID
from application.ports import Shard
from domain.due import SendPolicy, ZoneRow

BY_LOOK_UPS = text("""
    SELECT set_config('work_mem', '64MB', true), set_config('enable_seqscan', 'off', true),
        set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
        set_config('enable_material', 'off', true), set_config('enable_bitmapscan', 'on', true),
        set_config('hash_mem_multiplier', '100', true), set_config('cpu_tuple_cost', '1', true),
        set_config('constraint_exclusion', 'off', true)
""")
"""For the transaction: sorted in memory, joined by index, and asked whether something is in a list by its hash.

A month that was empty when its statistics were taken would else be read through for each of its messages, and a list
that is believed to be long for each of those who may be in it. And what is compared costs much: dates are looked up
among people, never the other way, which compares everybody with every date.

Months are left out by their bounds alone: to hold what is asked against the checks of each month as well took a third
of the time in which the statement is planned, and none can be left out by them.
"""

_LOCK = 0x706C616E
IS_ALONE = text(f"""
    SELECT pg_try_advisory_xact_lock(
        {_LOCK << 32} | ((CAST(:shards AS bigint) - 1) << 16) | CAST(:shard AS bigint)
    )
""")
"""Whether nobody else plans this shard: it only saves work, and nobody waits for it."""

# Without coalesce PostgreSQL would reckon with one person in two hundred, whatever the number of shards, and where it has
# no statistics rather compare so few with every row of the table than look each row up.
_IN_SHARD = f"""(
    CAST(:shards AS integer) = 1
    OR coalesce({SHARD_OF_ID} % CAST(:shards AS integer) = CAST(:shard AS integer), false)
)"""

# Said once more with constants, for the choice of the months that are looked at.
_NEAR_TABLE = """
    m.occasion_on BETWEEN CAST(:first AS date) - CAST(:guard_days AS integer)
    AND CAST(:last AS date) + CAST(:guard_days AS integer)
"""

# Dates on which nobody was born or came are left out first: nobody knows beforehand how few are left, and PostgreSQL
# may choose to pass through them for each person.

# Each day of birth or of entry is looked up once, for the people of both kinds together: they are locked in the order
# of their ids as everybody locks them, and who has changed meanwhile is planned as changed, or plans themselves. A row
# of the table is of one kind, and the zone of the other kind is NULL, so that the index of that finds nobody: to find out
# the kind of each person costs more than to look them up.

# What the ledger holds of these dates is one range of its key. Whether those who are owed something had a greeting not
# long ago is found in one pass through each month: a look-up in a dozen months for each would cost several times what
# the message does. The few who have had one are looked up.


# Rows are added in the order in which people are locked, and by every plan in the same: nothing between puts them in
# another. OFFSET 0 has a rival looked up once for each.
_PLAN = f"""
    WITH zone_table AS MATERIALIZED (
        SELECT z.*, k.kind, extract(year FROM z.occasion_on)::int AS year,
            CASE k.kind WHEN 'BIRTHDAY' THEN z.timezone END AS birthday_timezone,
            CASE k.kind WHEN 'ANNIVERSARY' THEN z.timezone END AS anniversary_timezone
        FROM unnest(
            CAST(:timezone AS text[]), CAST(:on AS date[]), CAST(:month AS smallint[]),
            CAST(:day AS smallint[]), CAST(:rule AS text[]), CAST(:due_at AS timestamptz[]),
            CAST(:wall_time AS text[]), CAST(:expires_at AS timestamptz[])
        ) AS z (timezone, occasion_on, month, day, rule, due_at, wall_time, expires_at)
        CROSS JOIN (VALUES ('BIRTHDAY'), ('ANNIVERSARY')) AS k (kind)
        WHERE CASE k.kind
            WHEN 'BIRTHDAY' THEN EXISTS (
                SELECT FROM users u WHERE u.deleted_at IS NULL
                AND u.timezone = z.timezone AND u.birthday_month = z.month AND u.birthday_day = z.day
            )
            ELSE EXISTS (
                SELECT FROM users u WHERE u.deleted_at IS NULL
                AND u.timezone = z.timezone AND u.anniversary_month = z.month AND u.anniversary_day = z.day
            )
        END
    ), held AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind FROM messages m
        WHERE m.occasion_on BETWEEN CAST(:first AS date) AND CAST(:last AS date)
          AND {_IN_SHARD.format("m.user_id")}
    ), owed AS MATERIALIZED (
        SELECT u.id AS user_id, z.kind, z.occasion_on, z.timezone, z.due_at, z.wall_time, z.expires_at, CASE
            WHEN z.anniversary_timezone IS NULL THEN z.year - u.birthday_year
            ELSE z.year - extract(year FROM u.anniversary_on)::int
        END AS years,
        CASE WHEN z.anniversary_timezone IS NULL THEN u.no_birthdays ELSE u.no_anniversaries END AS is_declined
        FROM zone_table z
        JOIN users u ON (
            u.timezone = z.birthday_timezone AND u.birthday_month = z.month AND u.birthday_day = z.day
            OR u.timezone = z.anniversary_timezone AND u.anniversary_month = z.month AND u.anniversary_day = z.day
        )
        WHERE u.deleted_at IS NULL
          AND (z.rule IS NULL OR z.rule = coalesce(u.leap_day_rule, CAST(:default_rule AS text)))
          AND {_IN_SHARD.format("u.id")}
          AND CASE
            WHEN z.anniversary_timezone IS NULL THEN
                z.due_at >= u.birthday_known_at
                AND (u.birthday_year IS NULL OR u.birthday_year <= z.year)
            ELSE
                z.due_at >= u.anniversary_known_at
                AND extract(year FROM u.anniversary_on)::int <= z.year
          END
          AND (z.occasion_on, u.id, z.kind) NOT IN (SELECT occasion_on, user_id, kind FROM held)
        ORDER BY u.id, z.occasion_on, z.kind
        FOR SHARE OF u
    ), near AS MATERIALIZED (
        SELECT m.user_id, m.kind FROM messages m
        WHERE {_NEAR_TABLE} AND m.user_id = ANY (ARRAY(SELECT user_id FROM owed))
          AND (m.status IN ('SENT', 'UNKNOWN', 'SENDING') OR m.may_have_arrived)
    ), judged AS (
        SELECT r.*, CASE
            WHEN r.years = 0 OR r.is_declined OR r.rival = 'greeted' THEN 'SKIPPED'
            WHEN r.expires_at <= CAST(:now AS timestamptz) THEN 'EXPIRED'
            ELSE 'SCHEDULED'
        END AS status
        FROM (
            SELECT o.*, CASE WHEN (o.user_id, o.kind) IN (SELECT user_id, kind FROM near) THEN (
                SELECT CASE
                    WHEN bool_or(m.status = 'SENDING') THEN 'greeting'
                    WHEN bool_or(m.status IN ('SENT', 'UNKNOWN') OR m.may_have_arrived) THEN 'greeted'
                END
                FROM messages m
                WHERE {_NEAR_TABLE} AND m.user_id = o.user_id AND m.kind = o.kind
                  AND m.occasion_on <> o.occasion_on
                  AND m.occasion_on > o.occasion_on - CAST(:guard_days AS integer)
                  AND m.occasion_on < o.occasion_on + CAST(:guard_days AS integer)
            ) END AS rival
            FROM owed o
            OFFSET 0
        ) r
        WHERE r.rival IS DISTINCT FROM 'greeting'
    ), added AS (
        INSERT INTO messages (
            occasion_on, user_id, kind, status, reason, due_at, expires_at, timezone, wall_time, years,
            created_at, updated_at
        )
        SELECT j.occasion_on, j.user_id, j.kind, j.status,
            CASE
                WHEN j.years = 0 THEN 'zero-years'
                WHEN j.is_declined THEN 'opted-out'
                WHEN j.rival = 'greeted' THEN 'greeted-recently'
                WHEN j.expires_at <= CAST(:now AS timestamptz) THEN 'window-passed'
            END,
            j.due_at, j.expires_at, j.timezone, j.wall_time, j.years,
            CAST(:now AS timestamptz), CAST(:now AS timestamptz)
        FROM judged j
        {{conflict}}
        RETURNING status
    )
    SELECT
        count(*) FILTER (WHERE status = 'SCHEDULED') AS scheduled,
        count(*) FILTER (WHERE status = 'SKIPPED') AS skipped,
        count(*) FILTER (WHERE status = 'EXPIRED') AS expired
    FROM added
"""  # noqa: S608  # the parts are our own literals

PLAN = text(_PLAN.format(conflict="ON CONFLICT DO NOTHING"))
PLAN_ALONE = text(_PLAN.format(conflict=""))
"""Fails where another transaction has added a message meanwhile; to allow for it costs half as much as adding them."""


def plan_parameters(table: Sequence[ZoneRow], policy: SendPolicy, shard: Shard) -> Mapping[str, Any]:
    """Return the parameters of PLAN, all but *now*, and of IS_ALONE."""
    return {
        "timezone": [row.timezone for row in table],
        "on": [row.on for row in table],
        "first": min(row.on for row in table),
        "last": max(row.on for row in table),
        "month": [row.month for row in table],
        "day": [row.day for row in table],
        "rule": [row.leap_day_rule for row in table],
        "due_at": [row.due_at for row in table],
        "wall_time": [row.wall_time for row in table],
        "expires_at": [row.expires_at for row in table],
        "default_rule": str(policy.leap_day_rule),
        "guard_days": policy.greeted_guard.days,
        "shard": shard.number,
        "shards": shard.of,
    }
