"""The statement that plans everybody: the zone table joined with the users, under the rules of plan_user."""

from sqlalchemy import text

from adapters.postgres.statements import SHARD_OF_ID

# Candidates are found without locks; then their users are locked and looked at once more, so that a
# user who is changed meanwhile is planned as changed, or plans themselves.
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
    ), owed AS MATERIALIZED (
        SELECT c.*, CASE c.kind
            WHEN 'BIRTHDAY' THEN extract(year FROM c.occasion_on)::int - u.birthday_year
            ELSE extract(year FROM c.occasion_on)::int - extract(year FROM u.anniversary_on)::int
        END AS years
        FROM candidate c JOIN users u ON u.id = c.user_id
        WHERE u.deleted_at IS NULL
          AND u.timezone = c.timezone
          AND (c.rule IS NULL OR c.rule = coalesce(u.leap_day_rule, CAST(:default_rule AS text)))
          AND {SHARD_OF_ID % "u.id"} % CAST(:shards AS integer) = CAST(:shard AS integer)
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
          AND NOT EXISTS (
            SELECT FROM messages m
            WHERE m.occasion_on = c.occasion_on AND m.user_id = c.user_id AND m.kind = c.kind
          )
        ORDER BY u.id, c.occasion_on
        FOR SHARE OF u
    ), rival AS MATERIALIZED (
        SELECT o.user_id, o.kind, o.occasion_on,
            bool_or(m.status IN ('SENT', 'UNKNOWN') OR m.may_have_arrived) AS has_greeted,
            bool_or(m.status = 'SENDING') AS is_greeting
        FROM owed o JOIN messages m ON m.user_id = o.user_id AND m.kind = o.kind
        WHERE (m.status IN ('SENDING', 'SENT', 'UNKNOWN') OR m.may_have_arrived)
          AND m.occasion_on <> o.occasion_on
          AND m.occasion_on > o.occasion_on - CAST(:guard_days AS integer)
          AND m.occasion_on < o.occasion_on + CAST(:guard_days AS integer)
        GROUP BY o.user_id, o.kind, o.occasion_on
    ), judged AS (
        SELECT o.*, CASE
            WHEN r.has_greeted THEN 'SKIPPED'
            WHEN o.expires_at <= CAST(:now AS timestamptz) THEN 'EXPIRED'
            ELSE 'SCHEDULED'
        END AS status
        FROM owed o LEFT JOIN rival r USING (user_id, kind, occasion_on)
        WHERE r.is_greeting IS NOT TRUE
    )
    INSERT INTO messages (
        occasion_on, user_id, kind, status, reason, due_at, expires_at, timezone, wall_time, years,
        created_at, updated_at
    )
    SELECT j.occasion_on, j.user_id, j.kind, j.status,
        CASE j.status WHEN 'SKIPPED' THEN 'greeted-recently' WHEN 'EXPIRED' THEN 'window-passed' END,
        j.due_at, j.expires_at, j.timezone, j.wall_time, j.years,
        CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM judged j
    ORDER BY j.occasion_on, j.user_id, j.kind
    ON CONFLICT DO NOTHING
    RETURNING status
""")  # noqa: S608  # the parts are our own literals
