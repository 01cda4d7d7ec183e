"""How many messages were due in each hour of late, and what stops a channel when there are far more."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_UP = (
    """
    CREATE TABLE due_hours (
        due_hour timestamptz CONSTRAINT pk_due_hours PRIMARY KEY,
        messages bigint NOT NULL DEFAULT 0,
        confirmed bigint NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50)
    """,
    "COMMENT ON COLUMN due_hours.messages IS 'How many that were due in this hour were claimed.'",
    "COMMENT ON COLUMN due_hours.confirmed IS 'How many an operator has said may be due in it.'",
    """
    INSERT INTO due_hours (due_hour, messages)
    SELECT date_trunc('hour', due_at, 'UTC'), count(*) FROM messages
    WHERE status = 'SENT' AND due_at > service_now() - interval '30 days' GROUP BY 1
    """,
    """
    ALTER TABLE channels ADD COLUMN braked_at timestamptz, ADD COLUMN braked_hour timestamptz,
        ADD COLUMN braked_messages bigint, ADD COLUMN braked_allowed bigint
    """,
    "COMMENT ON COLUMN channels.braked_at IS 'Since when it takes nothing until somebody has confirmed the hour.'",
)

_DOWN = (
    """
    ALTER TABLE channels DROP COLUMN braked_at, DROP COLUMN braked_hour, DROP COLUMN braked_messages,
        DROP COLUMN braked_allowed
    """,
    "DROP TABLE due_hours",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
