"""The ledger's statements: set-based, statuses as literals so that the partial indexes are found.

Rows are locked in key order wherever more than one is, so that no two transactions wait for each other.
"""

from sqlalchemy import text

from application.ports import Shard

_SHARD_OF_ID = "('x' || right(CAST(%s AS text), 4))::bit(16)::int"


def _in(shard: Shard) -> str:
    """Return the condition that a message is in *shard*; nothing where that is everybody."""
    if shard.of == 1:
        return ""
    return f"AND {_SHARD_OF_ID % 'm.user_id'} % {int(shard.of)} = {int(shard.number)}"


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
          AND c.expires_at > CAST(:now AS timestamptz)
          AND {_SHARD_OF_ID % "u.id"} % CAST(:shards AS integer) = CAST(:shard AS integer)
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
    ), greeted AS MATERIALIZED (
        SELECT DISTINCT o.user_id, o.kind, o.occasion_on
        FROM owed o JOIN messages m ON m.user_id = o.user_id AND m.kind = o.kind
        WHERE m.status IN ('SENDING', 'SENT', 'UNKNOWN')
          AND m.occasion_on <> o.occasion_on
          AND m.occasion_on > o.occasion_on - CAST(:guard_days AS integer)
          AND m.occasion_on < o.occasion_on + CAST(:guard_days AS integer)
    )
    INSERT INTO messages (
        occasion_on, user_id, kind, status, reason, due_at, expires_at, timezone, wall_time, years,
        created_at, updated_at
    )
    SELECT o.occasion_on, o.user_id, o.kind,
        CASE WHEN g.user_id IS NULL THEN 'SCHEDULED' ELSE 'SKIPPED' END,
        CASE WHEN g.user_id IS NULL THEN NULL ELSE 'greeted-recently' END,
        o.due_at, o.expires_at, o.timezone, o.wall_time, o.years,
        CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM owed o LEFT JOIN greeted g USING (user_id, kind, occasion_on)
    ORDER BY o.occasion_on, o.user_id, o.kind
    ON CONFLICT DO NOTHING
    RETURNING status
""")  # noqa: S608  # the parts are our own literals


def claim(status: str, moment: str, limit: int, shard: Shard) -> str:
    """Return the statement that claims up to *limit* messages in *status* whose *moment* has come.

    The limit is a literal as well: a bound one may cost the index. Materialized, or the locking subquery
    might run again and lock more rows than the limit.
    """
    return f"""
    WITH clock AS MATERIALIZED (SELECT service_now() AS now),
    due AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind
        FROM messages m
        WHERE m.status = '{status}'
          AND m.{moment} <= (SELECT now FROM clock)
          AND m.expires_at > (SELECT now FROM clock)
          {_in(shard)}
        ORDER BY m.{moment}
        LIMIT {int(limit)}
        FOR NO KEY UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE messages m SET
            status = CASE WHEN u.id IS NULL THEN 'CANCELLED' ELSE 'SENDING' END,
            reason = CASE WHEN u.id IS NULL THEN 'user-deleted' END,
            attempt = CASE WHEN u.id IS NULL THEN m.attempt ELSE m.attempt + 1 END,
            fence = CASE WHEN u.id IS NULL THEN m.fence ELSE m.fence + 1 END,
            lease_until = CASE WHEN u.id IS NULL THEN NULL ELSE clock_timestamp() + CAST(:lease AS interval) END,
            retry_at = NULL,
            updated_at = (SELECT now FROM clock)
        FROM due d LEFT JOIN users u ON u.id = d.user_id AND u.deleted_at IS NULL
        WHERE m.occasion_on = d.occasion_on AND m.user_id = d.user_id AND m.kind = d.kind
        RETURNING m.occasion_on, m.user_id, m.kind, m.fence, m.attempt, m.due_at, m.expires_at, m.years,
            m.status, u.first_name, u.last_name, u.email
    )
    SELECT * FROM claimed ORDER BY due_at, occasion_on, user_id, kind
    """  # noqa: S608  # the three parts are our own literals


SETTLE = text("""
    WITH outcome AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:occasion_on AS date[]), CAST(:user_id AS uuid[]), CAST(:kind AS text[]),
            CAST(:fence AS bigint[]), CAST(:status AS text[]), CAST(:reason AS text[]),
            CAST(:retry_at AS timestamptz[])
        ) AS o (occasion_on, user_id, kind, fence, status, reason, retry_at)
    ), held AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind, o.status, o.reason, o.retry_at
        FROM messages m JOIN outcome o
          ON m.occasion_on = o.occasion_on AND m.user_id = o.user_id AND m.kind = o.kind
        WHERE m.status = 'SENDING' AND m.fence = o.fence
        ORDER BY m.occasion_on, m.user_id, m.kind
        FOR NO KEY UPDATE OF m
    )
    UPDATE messages m SET
        status = h.status, reason = h.reason, retry_at = h.retry_at, lease_until = NULL,
        sent_at = CASE WHEN h.status = 'SENT' THEN service_now() END,
        updated_at = service_now()
    FROM held h
    WHERE m.occasion_on = h.occasion_on AND m.user_id = h.user_id AND m.kind = h.kind
    RETURNING m.status
""")


def reap(limit: int, shard: Shard, *, deduplicates: bool) -> str:
    """Return the statement that ends leases which have run out, by real time."""
    outcome = (
        "status = 'RETRYING', retry_at = service_now()"
        if deduplicates
        else "status = 'UNKNOWN', retry_at = NULL"
    )
    return f"""
    WITH lost AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind
        FROM messages m
        WHERE m.status = 'SENDING' AND m.lease_until < clock_timestamp() {_in(shard)}
        ORDER BY m.occasion_on, m.user_id, m.kind
        LIMIT {int(limit)}
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE messages m SET {outcome}, reason = 'lease-lost', lease_until = NULL, updated_at = service_now()
    FROM lost l
    WHERE m.occasion_on = l.occasion_on AND m.user_id = l.user_id AND m.kind = l.kind
    RETURNING m.status
    """  # noqa: S608  # the parts are our own literals


def expire(status: str, moment: str, limit: int, shard: Shard) -> str:
    """Return the statement that expires messages in *status*; *moment* is the column of its index."""
    return f"""
    WITH clock AS MATERIALIZED (SELECT service_now() AS now),
    late AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind
        FROM messages m
        WHERE m.status = '{status}' AND m.expires_at <= (SELECT now FROM clock)
          {_in(shard)}
          {"AND m.due_at <= (SELECT now FROM clock)" if moment == "due_at" else ""}
        ORDER BY m.{moment}
        LIMIT {int(limit)}
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE messages m SET
        status = 'EXPIRED', reason = 'window-passed', retry_at = NULL, updated_at = (SELECT now FROM clock)
    FROM late l
    WHERE m.occasion_on = l.occasion_on AND m.user_id = l.user_id AND m.kind = l.kind
    RETURNING m.status
    """  # noqa: S608  # the parts are our own literals


def next_due(shard: Shard) -> str:
    return f"""
    SELECT least(
        (SELECT min(m.due_at) FROM messages m
         WHERE m.status = 'SCHEDULED' AND m.expires_at > (SELECT service_now()) {_in(shard)}),
        (SELECT min(m.retry_at) FROM messages m
         WHERE m.status = 'RETRYING' AND m.expires_at > (SELECT service_now()) {_in(shard)})
    )
    """  # noqa: S608  # the parts are our own literals


_COLUMNS = """
    occasion_on, user_id, kind, status, reason, due_at, expires_at, timezone, wall_time, years,
    attempt, fence, retry_at, sent_at, created_at, updated_at
"""
_ARRAYS = """
    CAST(:occasion_on AS date[]), CAST(:user_id AS uuid[]), CAST(:kind AS text[]), CAST(:status AS text[]),
    CAST(:reason AS text[]), CAST(:due_at AS timestamptz[]), CAST(:expires_at AS timestamptz[]),
    CAST(:timezone AS text[]), CAST(:wall_time AS text[]), CAST(:years AS smallint[]),
    CAST(:attempt AS integer[]), CAST(:fence AS bigint[]), CAST(:retry_at AS timestamptz[]),
    CAST(:sent_at AS timestamptz[]), CAST(:created_at AS timestamptz[]), CAST(:updated_at AS timestamptz[])
"""

ADD = text(f"""
    INSERT INTO messages ({_COLUMNS})
    SELECT * FROM unnest({_ARRAYS}) AS n ({_COLUMNS})
    ORDER BY occasion_on, user_id, kind
    ON CONFLICT DO NOTHING
    RETURNING status
""")  # noqa: S608  # the parts are our own literals

CHANGE = text(f"""
    UPDATE messages m SET
        status = n.status, reason = n.reason, due_at = n.due_at, expires_at = n.expires_at,
        timezone = n.timezone, wall_time = n.wall_time, years = n.years, attempt = n.attempt,
        retry_at = n.retry_at, sent_at = n.sent_at, updated_at = n.updated_at
    FROM unnest({_ARRAYS}) AS n ({_COLUMNS})
    WHERE m.occasion_on = n.occasion_on AND m.user_id = n.user_id AND m.kind = n.kind
    RETURNING m.status
""")  # noqa: S608  # the parts are our own literals
