"""The ledger's statements: set-based, statuses as literals so that the partial indexes are found.

Rows of several people are locked in the order of date, kind and person by whoever waits for them, so that no two
transactions wait for each other.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text

from application.ledger import ClaimTerms
from application.ports import Shard

SHARD_OF_ID = "(get_byte(uuid_send({0}), 14) * 256 + get_byte(uuid_send({0}), 15))"
"""The last 16 bits of an id, as ``Shard.holds`` has them."""

OPEN = "m.ended IS NULL AND m.status IN ('SCHEDULED', 'RETRYING')"
"""The index holds all that has not ended: who is being sent stays in it, so that a claim costs no index a thing."""
WANTED_AT = "coalesce(m.retry_at, m.due_at)"
"""As the index on open messages has it, word for word."""


ON_DATE = """
    (m.occasion_on = CAST(:on AS date)
    OR m.occasion_on > CAST(:on AS date) AND m.occasion_on < CAST(:on AS date))
"""
"""Leads to the month before the statement starts, and to no index.

PostgreSQL reckons with a look into each of the months; to read a date that it believes to be empty would seem cheaper,
and compares everybody of that date with everybody in hand. For the same reason rows are looked up by lists, of one where
they are joined: neither are months left out by a list, nor is a date read in the order of the joins.
"""


def in_shard(shard: Shard) -> str:
    """Return the condition that a message is in *shard*; nothing where that is everybody."""
    if shard.of == 1:
        return ""
    return f"AND {SHARD_OF_ID.format('m.user_id')} % {int(shard.of)} = {int(shard.number)}"


@lru_cache(maxsize=16)
def first_due(shard: Shard) -> TextClause:
    """Return the statement that locks one of those who have waited for longest, and tells the date to claim.

    Dates that have been claimed are passed over: what is left of them may not be owed any more.
    """
    return text(f"""
    SELECT m.occasion_on FROM messages m
    WHERE {OPEN} AND {WANTED_AT} <= (SELECT service_now()) AND m.expires_at > (SELECT service_now())
      AND m.occasion_on <> ALL (CAST(:claimed AS date[])) {in_shard(shard)}
    ORDER BY {WANTED_AT}
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
    """)  # noqa: S608  # the parts are our own literals


# The date is a parameter: with it PostgreSQL knows the month before it starts, and looks at no other for any of the
# rows. Those it has locked are found again by their place, which nobody can change any more; the date stands beside it,
# since there is such a place in each month. What somebody changed after the claim had begun is locked in its new place,
# which this statement cannot see yet: it uses up the limit, and is left to the next claim.
#
# OFFSET 0 has each person judged once, and not anew for each column that depends on it. Who is not owed the message any
# more is written as it was: to leave such a row out and tell it otherwise costs a second list of all.
@lru_cache(maxsize=16)
def claim(limit: int, shard: Shard) -> TextClause:
    """Return the statement that claims up to *limit* messages of one date whose instant has come, the oldest first.

    The limit is a literal as well: a bound one may cost the index. Materialized, or the locking subquery
    might run again and lock more rows than the limit. Users are read without a lock: who changes one locks
    their open messages afterwards, and finds them claimed or is found by the claim.
    """
    return text(f"""
    WITH clock AS MATERIALIZED (SELECT service_now() AS now),
    due AS MATERIALIZED (
        SELECT m.ctid AS place, m.occasion_on, m.user_id, m.kind, m.timezone, m.reason, m.may_have_arrived
        FROM messages m
        WHERE {OPEN}
          AND {WANTED_AT} <= (SELECT now FROM clock)
          AND m.expires_at > (SELECT now FROM clock)
          AND {ON_DATE} {in_shard(shard)}
        ORDER BY {WANTED_AT}
        LIMIT {int(limit)}
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE messages m SET
        status = CASE WHEN j.verdict = 'STALE' THEN m.status ELSE j.verdict END,
        reason = CASE
            WHEN j.verdict = 'STALE' THEN m.reason
            WHEN j.verdict <> 'SENDING' THEN j.why_not
            WHEN m.reason = 'operator' THEN m.reason
        END,
        attempt = m.attempt + (j.verdict = 'SENDING')::int,
        fence = m.fence + (j.verdict = 'SENDING')::int,
        lease_until = CASE WHEN j.verdict = 'SENDING' THEN clock_timestamp() + CAST(:lease AS interval) END,
        retry_at = CASE WHEN j.verdict = 'STALE' THEN m.retry_at END,
        updated_at = CASE WHEN j.verdict = 'STALE' THEN m.updated_at ELSE (SELECT now FROM clock) END
    FROM (
        SELECT d.place, u.first_name, u.last_name, u.email, u.link_nonce, r.why_not, CASE
            WHEN r.why_not IS NOT NULL AND d.may_have_arrived THEN 'UNKNOWN'
            WHEN r.why_not = 'user-deleted' THEN 'CANCELLED'
            WHEN r.why_not IS NOT NULL THEN 'SKIPPED'
            WHEN d.reason = 'operator' THEN 'SENDING'
            WHEN u.timezone = d.timezone AND CASE d.kind
                WHEN 'BIRTHDAY' THEN
                    is_kept_on(d.occasion_on, u.birthday_month, u.birthday_day, r.rule)
                    AND (u.birthday_year IS NULL OR u.birthday_year < extract(year FROM d.occasion_on))
                ELSE
                    is_kept_on(d.occasion_on, u.anniversary_month, u.anniversary_day, r.rule)
                    AND extract(year FROM u.anniversary_on) < extract(year FROM d.occasion_on)
                END THEN 'SENDING'
            ELSE 'STALE'
        END AS verdict
        FROM due d
        LEFT JOIN users u ON u.id = d.user_id AND u.deleted_at IS NULL
        CROSS JOIN LATERAL (
            SELECT coalesce(u.leap_day_rule, CAST(:default_rule AS text)) AS rule, CASE
                WHEN u.id IS NULL THEN 'user-deleted'
                WHEN CASE d.kind WHEN 'BIRTHDAY' THEN u.no_birthdays ELSE u.no_anniversaries END THEN 'opted-out'
                WHEN CAST(:domains AS text[]) IS NOT NULL
                    AND split_part(u.email_key, '@', -1) <> ALL(CAST(:domains AS text[])) THEN 'domain-not-allowed'
                WHEN d.may_have_arrived AND NOT CAST(:repeats AS boolean) AND d.reason IS DISTINCT FROM 'operator'
                    THEN 'in-doubt'
            END AS why_not
        ) r
        OFFSET 0
    ) j
    WHERE {ON_DATE} AND m.ctid = j.place
    RETURNING m.user_id, m.kind, m.fence, m.attempt, m.due_at, m.expires_at, m.years, j.verdict,
        j.first_name, j.last_name, j.email, j.link_nonce
    """)  # noqa: S608  # the parts are our own literals


def claim_values(terms: ClaimTerms) -> dict[str, Any]:
    """Return what ``claim`` is asked with, but for the date."""
    return {
        "lease": terms.lease,
        "default_rule": str(terms.policy.leap_day_rule),
        "repeats": terms.repeats,
        "domains": None if terms.allowed_domains is None else sorted(terms.allowed_domains),
    }


# One kind of message of one date at a time: the date, being a parameter, leads to its month before the statement starts.
# With a date in each row PostgreSQL would look at every month for each of them; it is asked in a list alone, since months
# that are left out twice, at the start and then for a row, are none at all in PostgreSQL 18 once it has looked anew at a
# row that another transaction had just changed. Rows are taken in the order of their keys: the scheduler's connections
# have no way but an index.
#
# Most have been sent, at the same attempt of theirs: one list of people, which the index is walked through once for. A row
# for each and a join would cost a tenth of what a message does.
SETTLE_SENT = text(f"""
    WITH clock AS MATERIALIZED (SELECT service_now() AS now)
    UPDATE messages m SET
        status = 'SENT', reason = NULL, sent_at = (SELECT now FROM clock),
        lease_until = NULL, updated_at = (SELECT now FROM clock)
    WHERE {ON_DATE}
      AND m.occasion_on = ANY (ARRAY[CAST(:on AS date)]) AND m.user_id = ANY (CAST(:user_id AS uuid[]))
      AND m.kind = CAST(:kind AS text) AND m.status = 'SENDING' AND m.fence = CAST(:fence AS bigint)
""")  # noqa: S608  # the parts are our own literals

# Here each row has its own outcome, and is looked up by itself: the scheduler's connections join in no other way. The kind
# is in the row, since it would lead through all of that kind; a literal status would be one of the ledger's alone, and
# lead through all that is on its way for each outcome.
#
# What was given up by us after an attempt that may have arrived is UNKNOWN, as domain.message has it.
SETTLE = text(f"""
    WITH clock AS MATERIALIZED (SELECT service_now() AS now),
    outcome AS MATERIALIZED (
        SELECT *, 'SENDING' AS held, CAST(:kind AS text) AS kind,
            ARRAY[CAST(:on AS date)] AS dates, ARRAY[o.user_id] AS ids
        FROM unnest(
            CAST(:user_id AS uuid[]), CAST(:fence AS bigint[]), CAST(:status AS text[]), CAST(:reason AS text[]),
            CAST(:retry_at AS timestamptz[]), CAST(:may_have_arrived AS boolean[]), CAST(:uncounted AS integer[])
        ) AS o (user_id, fence, status, reason, retry_at, may_have_arrived, uncounted)
        ORDER BY o.user_id
    ), settled AS (
        UPDATE messages m SET
            status = CASE
                WHEN o.reason = 'attempts-used-up' AND (m.may_have_arrived OR o.may_have_arrived) THEN 'UNKNOWN'
                ELSE o.status
            END,
            reason = CASE WHEN o.status = 'RETRYING' AND m.reason = 'operator' THEN 'operator' ELSE o.reason END,
            retry_at = o.retry_at,
            attempt = m.attempt - o.uncounted,
            may_have_arrived = m.may_have_arrived OR o.may_have_arrived,
            sent_at = CASE WHEN o.status = 'SENT' THEN (SELECT now FROM clock) END,
            lease_until = NULL, updated_at = (SELECT now FROM clock)
        FROM outcome o
        WHERE {ON_DATE}
          AND m.occasion_on = ANY (o.dates) AND m.user_id = ANY (o.ids) AND m.kind = o.kind
          AND m.status = o.held AND m.fence = o.fence
        RETURNING m.status
    )
    SELECT status, count(*) FROM settled GROUP BY status
""")  # noqa: S608  # the parts are our own literals


@lru_cache(maxsize=16)
def reap(limit: int, shard: Shard, *, retries: bool) -> TextClause:
    """Return the statement that ends leases which have run out, by real time.

    No index holds the leases: each claim would pay for it. So this reads whatever is due and has not ended; who
    calls it takes care that it is not called all the time.
    """
    used_up = "m.attempt >= CAST(:attempts_max AS integer)" if retries else "true"
    used_up_reason = "attempts-used-up" if retries else "lease-lost"
    return text(f"""
    WITH clock AS MATERIALIZED (SELECT service_now() AS now),
    lost AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind, {used_up} AS is_last
        FROM messages m
        WHERE m.ended IS NULL AND {WANTED_AT} <= (SELECT now FROM clock)
          AND m.status = 'SENDING' AND m.lease_until < clock_timestamp() {in_shard(shard)}
        ORDER BY {WANTED_AT}
        LIMIT {int(limit)}
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE messages m SET
        status = CASE WHEN l.is_last THEN 'UNKNOWN' ELSE 'RETRYING' END,
        reason = CASE WHEN l.is_last THEN '{used_up_reason}' WHEN m.reason = 'operator' THEN m.reason ELSE 'lease-lost' END,
        retry_at = CASE WHEN NOT l.is_last THEN least((SELECT now FROM clock), m.expires_at) END,
        lease_until = NULL, may_have_arrived = true, updated_at = (SELECT now FROM clock)
    FROM lost l
    WHERE m.occasion_on = l.occasion_on AND m.user_id = l.user_id AND m.kind = l.kind
    RETURNING m.status
    """)  # noqa: S608  # the parts are our own literals


@lru_cache(maxsize=16)
def expire(limit: int, shard: Shard) -> TextClause:
    """Return the statement that ends what missed its window, of what has been due for longest.

    Nothing misses its window that was not due before, nor waits for an attempt beyond it.
    """
    return text(f"""
    WITH clock AS MATERIALIZED (SELECT service_now() AS now),
    late AS MATERIALIZED (
        SELECT m.occasion_on, m.user_id, m.kind
        FROM messages m
        WHERE {OPEN}
          AND {WANTED_AT} <= (SELECT now FROM clock)
          AND m.expires_at <= (SELECT now FROM clock)
          {in_shard(shard)}
        ORDER BY {WANTED_AT}
        LIMIT {int(limit)}
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE messages m SET
        status = CASE WHEN m.may_have_arrived THEN 'UNKNOWN' ELSE 'EXPIRED' END,
        reason = 'window-passed', retry_at = NULL, updated_at = (SELECT now FROM clock)
    FROM late l
    WHERE m.occasion_on = l.occasion_on AND m.user_id = l.user_id AND m.kind = l.kind
    RETURNING m.status
    """)  # noqa: S608  # the parts are our own literals


@lru_cache(maxsize=16)
def next_due(shard: Shard) -> TextClause:
    return text(f"""
    SELECT min({WANTED_AT}) FROM messages m
    WHERE {OPEN} AND m.expires_at > (SELECT service_now()) {in_shard(shard)}
    """)  # noqa: S608  # the parts are our own literals


_COLUMNS = """
    occasion_on, user_id, kind, status, reason, due_at, expires_at, timezone, wall_time, years,
    attempt, fence, retry_at, may_have_arrived, sent_at, created_at, updated_at
"""
_ARRAYS = """
    CAST(:occasion_on AS date[]), CAST(:user_id AS uuid[]), CAST(:kind AS text[]), CAST(:status AS text[]),
    CAST(:reason AS text[]), CAST(:due_at AS timestamptz[]), CAST(:expires_at AS timestamptz[]),
    CAST(:timezone AS text[]), CAST(:wall_time AS text[]), CAST(:years AS smallint[]),
    CAST(:attempt AS integer[]), CAST(:fence AS bigint[]), CAST(:retry_at AS timestamptz[]),
    CAST(:may_have_arrived AS boolean[]), CAST(:sent_at AS timestamptz[]), CAST(:created_at AS timestamptz[]), CAST(:updated_at AS timestamptz[])
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
        retry_at = n.retry_at, may_have_arrived = n.may_have_arrived, sent_at = n.sent_at, updated_at = n.updated_at
    FROM unnest({_ARRAYS}) AS n ({_COLUMNS})
    WHERE m.occasion_on = n.occasion_on AND m.user_id = n.user_id AND m.kind = n.kind
    RETURNING m.status
""")  # noqa: S608  # the parts are our own literals
