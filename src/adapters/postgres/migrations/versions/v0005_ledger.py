"""The ledger: attempts that may have arrived, one index by the instant of the next attempt, and channels."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_UP = (
    "ALTER TABLE messages ADD COLUMN may_have_arrived boolean NOT NULL DEFAULT false",
    "COMMENT ON COLUMN messages.may_have_arrived IS 'An attempt ended without an answer: the person may have it.'",
    # Else it would be found neither by the claim nor when its window has passed.
    "ALTER TABLE messages ADD CONSTRAINT ck_messages_retry_in_window CHECK (retry_at <= expires_at)",
    "DROP INDEX ix_messages_scheduled",
    "DROP INDEX ix_messages_retrying",
    """
    CREATE INDEX ix_messages_open ON messages (coalesce(retry_at, due_at))
    WHERE status IN ('SCHEDULED', 'RETRYING')
    """,
    "CREATE INDEX ix_messages_expiring ON messages (expires_at) WHERE status IN ('SCHEDULED', 'RETRYING')",
    """
    -- Of nothing but immutable parts, or it would be called for each row instead of becoming a part of the plan.
    CREATE FUNCTION is_kept_on(on_date date, month smallint, day smallint, rule text) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
        SELECT CASE
            WHEN extract(month FROM on_date) = month AND extract(day FROM on_date) = day THEN true
            WHEN month = 2 AND day = 29 AND rule = 'feb28' THEN extract(month FROM on_date) = 2
                AND extract(day FROM on_date) = 28 AND extract(day FROM on_date + 1) = 1
            WHEN month = 2 AND day = 29 AND rule = 'mar1' THEN extract(month FROM on_date) = 3
                AND extract(day FROM on_date) = 1 AND extract(day FROM on_date - 1) = 28
            ELSE false
        END
    $$
    """,
    """
    CREATE TABLE bookmark (
        one boolean CONSTRAINT pk_bookmark PRIMARY KEY DEFAULT true,
        planned_until date,
        reckoned_with text,
        CONSTRAINT ck_bookmark_one CHECK (one)
    )
    """,
    "COMMENT ON TABLE bookmark IS 'How far the plan has come, and the rules by which open messages were reckoned.'",
    "INSERT INTO bookmark DEFAULT VALUES",
    """
    CREATE TABLE channels (
        name text CONSTRAINT pk_channels PRIMARY KEY,
        paused_until timestamptz,
        tokens double precision,
        counted_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "COMMENT ON TABLE channels IS 'What all processes know of a channel, in real time.'",
    "COMMENT ON COLUMN channels.tokens IS 'How many messages it took at counted_at; null before it had a limit.'",
    """
    COMMENT ON FUNCTION is_kept_on IS
    'Whether who was born on that month and day celebrates on this date, by their rule for 29 February.'
    """,
)

_DOWN = (
    "DROP TABLE channels",
    "DROP TABLE bookmark",
    "DROP FUNCTION is_kept_on",
    "DROP INDEX ix_messages_expiring",
    "DROP INDEX ix_messages_open",
    "CREATE INDEX ix_messages_scheduled ON messages (due_at) WHERE status = 'SCHEDULED'",
    "CREATE INDEX ix_messages_retrying ON messages (retry_at) WHERE status = 'RETRYING'",
    "ALTER TABLE messages DROP CONSTRAINT ck_messages_retry_in_window",
    "ALTER TABLE messages DROP COLUMN may_have_arrived",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
