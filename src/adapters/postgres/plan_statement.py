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
        set_config('enable_material', 'off', true), set_config('enable_bitmapscan', 'off', true),
        set_config('hash_mem_multiplier', '100', true)
""")
"""For the transaction: sorted in memory, joined by index, and asked whether something is in a list by its hash.

A month that was empty when its statistics were taken would else be read through for each of its messages, and a list
that is believed to be long for each of those who may be in it.
"""

# Said once more with constants, for the choice of the months that are looked at.
_NEAR_TABLE = """
    m.occasion_on BETWEEN CAST(:first AS date) - CAST(:guard_days AS integer)
    AND CAST(:last AS date) + CAST(:guard_days AS integer)
"""

# Where nobody has taken statistics yet, all indexes look alike: a concatenation is in no index.

# Candidates are found without locks; then their users are locked and looked at once more, so that a
# user who is changed meanwhile is planned as changed, or plans themselves.

# What the ledger holds of all of them is read in one pass through each month: a look-up in a dozen months for each
# would cost several times what the message does. The few who have had a greeting not long ago are looked up.

# Rows are added in the order in which users are locked, and by every plan in the same. OFFSET 0 has a rival looked up
# once for each.
PLAN = text(f"""
    WITH zone_table AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:timezone AS text[]), CAST(:on AS date[]), CAST(:month AS smallint[]),
            CAST(:day AS smallint[]), CAST(:rule AS text[]), CAST(:due_at AS timestamptz[]),
            CAST(:wall_time AS text[]), CAST(:expires_at AS timestamptz[])
        ) AS z (timezone, occasion_on, month, day, rule, due_at, wall_time, expires_at)
    ), candidate AS MATERIALIZED (
        SELECT u.id AS user_id, 'BIRTHDAY' AS kind, z.*
        FROM zone_table z JOIN users u
          ON u.timezone = z.timezone AND u.birthday_month = z.month AND u.birthday_day = z.day
        WHERE u.deleted_at IS NULL
        UNION ALL
        SELECT u.id, 'ANNIVERSARY', z.*
        FROM zone_table z JOIN users u
          ON u.timezone = z.timezone AND u.anniversary_month = z.month AND u.anniversary_day = z.day
        WHERE u.deleted_at IS NULL
    ), near AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind,
            m.status IN ('SENT', 'UNKNOWN', 'SENDING') OR m.may_have_arrived AS is_rival
        FROM messages m
        WHERE {_NEAR_TABLE} AND m.user_id = ANY (ARRAY(SELECT user_id FROM candidate ORDER BY user_id))
    ), missing AS MATERIALIZED (
        SELECT * FROM candidate
        WHERE (occasion_on, user_id, kind) NOT IN (SELECT occasion_on, user_id, kind FROM near)
        ORDER BY user_id, occasion_on, kind
    ), owed AS MATERIALIZED (
        SELECT c.*, CASE c.kind
            WHEN 'BIRTHDAY' THEN extract(year FROM c.occasion_on)::int - u.birthday_year
            ELSE extract(year FROM c.occasion_on)::int - extract(year FROM u.anniversary_on)::int
        END AS years,
        CASE c.kind WHEN 'BIRTHDAY' THEN u.no_birthdays ELSE u.no_anniversaries END AS is_declined
        FROM missing c JOIN users u ON u.id = c.user_id
        WHERE u.deleted_at IS NULL
          AND u.timezone || '' = c.timezone
          AND (c.rule IS NULL OR c.rule = coalesce(u.leap_day_rule, CAST(:default_rule AS text)))
          AND (
            CAST(:shards AS integer) = 1
            OR {SHARD_OF_ID % "u.id"} % CAST(:shards AS integer) = CAST(:shard AS integer)
          )
          AND CASE c.kind
            WHEN 'BIRTHDAY' THEN
                u.birthday_month = c.month AND u.birthday_day = c.day
                AND c.due_at >= u.birthday_known_at
                AND (u.birthday_year IS NULL OR u.birthday_year < extract(year FROM c.occasion_on))
            ELSE
                u.anniversary_month = c.month AND u.anniversary_day = c.day
                AND c.due_at >= u.anniversary_known_at
                AND extract(year FROM u.anniversary_on) < extract(year FROM c.occasion_on)
          END
        ORDER BY u.id, c.occasion_on, c.kind
        FOR SHARE OF u
    ), judged AS (
        SELECT r.*, CASE
            WHEN r.is_declined OR r.rival = 'greeted' THEN 'SKIPPED'
            WHEN r.expires_at <= CAST(:now AS timestamptz) THEN 'EXPIRED'
            ELSE 'SCHEDULED'
        END AS status
        FROM (
            SELECT o.*, CASE WHEN (o.user_id, o.kind) IN (SELECT user_id, kind FROM near WHERE is_rival) THEN (
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
                WHEN j.is_declined THEN 'opted-out'
                WHEN j.status = 'SKIPPED' THEN 'greeted-recently'
                WHEN j.status = 'EXPIRED' THEN 'window-passed'
            END,
            j.due_at, j.expires_at, j.timezone, j.wall_time, j.years,
            CAST(:now AS timestamptz), CAST(:now AS timestamptz)
        FROM judged j
        ORDER BY j.user_id, j.occasion_on, j.kind
        ON CONFLICT DO NOTHING
        RETURNING status
    )
    SELECT status, count(*) FROM added GROUP BY status
""")  # noqa: S608  # the parts are our own literals


def plan_parameters(table: Sequence[ZoneRow], policy: SendPolicy, shard: Shard) -> Mapping[str, Any]:
    """Return the parameters of PLAN, all but *now*."""
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
