"""What ended otherwise than by being sent is listed by an index: it is seldom, and was looked for in all of the ledger."""

from alembic import op

revision = "0032"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # None of the states that every message goes through: those would pay for it.
    op.execute("""
        CREATE INDEX ix_messages_ended ON messages (status, occasion_on, user_id, kind)
        WHERE status IN ('FAILED', 'UNKNOWN', 'EXPIRED', 'CANCELLED', 'SKIPPED')
    """)


def downgrade() -> None:
    op.execute("DROP INDEX ix_messages_ended")
