"""What the operator's page looks up, and what operators decided."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_UP = (
    # Of the few that somebody has to look at; a message that goes well never enters it.
    """
    CREATE INDEX ix_messages_in_need ON messages (status, due_at)
    WHERE status IN ('UNKNOWN', 'FAILED', 'EXPIRED') AND reason IS DISTINCT FROM 'operator'
    """,
    # Beginnings of names are found, whatever the collation.
    """
    CREATE INDEX ix_users_first_name ON users (lower(first_name) text_pattern_ops)
    WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX ix_users_last_name ON users (lower(last_name) text_pattern_ops)
    WHERE deleted_at IS NULL
    """,
    """
    CREATE TABLE decisions (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_decisions PRIMARY KEY,
        decided_at timestamptz NOT NULL,
        action text NOT NULL,
        reason text NOT NULL,
        channel text,
        occasion_on date,
        user_id uuid CONSTRAINT fk_decisions_user REFERENCES users ON DELETE CASCADE,
        kind text,
        CONSTRAINT ck_decisions_about_one CHECK (
            num_nonnulls(occasion_on, user_id, kind) = CASE WHEN channel IS NULL THEN 3 ELSE 0 END
        )
    )
    """,
    "COMMENT ON TABLE decisions IS 'What operators decided about a message or a channel, and why.'",
    "CREATE INDEX ix_decisions_user ON decisions (user_id)",
    "CREATE INDEX ix_decisions_decided ON decisions (decided_at)",
)

_DOWN = (
    "DROP TABLE decisions",
    "DROP INDEX ix_users_last_name",
    "DROP INDEX ix_users_first_name",
    "DROP INDEX ix_messages_in_need",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
