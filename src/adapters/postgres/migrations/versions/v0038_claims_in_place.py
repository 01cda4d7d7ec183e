"""A claim changes nothing that an index holds, so that PostgreSQL writes it into the row's own page and no index.

What an index asks of the status is in a column of its own, which is empty as long as a message is on its way:
from its plan to its end.
"""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_ENDED = "'FAILED', 'UNKNOWN', 'EXPIRED', 'CANCELLED', 'SKIPPED'"
_IN_NEED = "'UNKNOWN', 'FAILED', 'EXPIRED'"
_NAMES = ("ix_messages_open", "ix_messages_sending", "ix_messages_ended", "ix_messages_in_need")

_UP = (
    *(f"DROP INDEX {name}" for name in _NAMES),
    # Room for a second copy of each row, before the rows are written anew: in this month and those to come.
    """
    DO $$
    DECLARE
        partition regclass;
    BEGIN
        FOR partition IN
            SELECT c.oid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'messages'::regclass
              AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''([0-9-]+)''\\)')::date > current_date
        LOOP
            EXECUTE format('ALTER TABLE %s SET (fillfactor = 45)', partition);
        END LOOP;
    END $$
    """,
    """
    ALTER TABLE messages ADD COLUMN ended text GENERATED ALWAYS AS (
        CASE WHEN status NOT IN ('SCHEDULED', 'SENDING', 'RETRYING') THEN status END
    ) STORED
    """,
    "COMMENT ON COLUMN messages.ended IS 'The status, if the message has ended; for the indexes.'",
    """
    CREATE INDEX ix_messages_open ON messages (coalesce(retry_at, due_at), expires_at)
    WHERE ended IS NULL
    """,
    f"""
    CREATE INDEX ix_messages_ended ON messages (ended, occasion_on, user_id, kind)
    WHERE ended IN ({_ENDED})
    """,
    f"""
    CREATE INDEX ix_messages_in_need ON messages (ended, due_at)
    WHERE ended IN ({_IN_NEED}) AND reason IS DISTINCT FROM 'operator'
    """,
    "ANALYZE messages",
)
_DOWN = (
    "DROP INDEX ix_messages_open",
    "DROP INDEX ix_messages_ended",
    "DROP INDEX ix_messages_in_need",
    "ALTER TABLE messages DROP COLUMN ended",
    """
    CREATE INDEX ix_messages_open ON messages (coalesce(retry_at, due_at), expires_at)
    WHERE status IN ('SCHEDULED', 'RETRYING')
    """,
    "CREATE INDEX ix_messages_sending ON messages (lease_until) WHERE status = 'SENDING'",
    f"""
    CREATE INDEX ix_messages_ended ON messages (status, occasion_on, user_id, kind)
    WHERE status IN ({_ENDED})
    """,
    f"""
    CREATE INDEX ix_messages_in_need ON messages (status, due_at)
    WHERE status IN ({_IN_NEED}) AND reason IS DISTINCT FROM 'operator'
    """,
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
