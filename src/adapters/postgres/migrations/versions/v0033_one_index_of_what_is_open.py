"""What is open is found by one index, by the next attempt and by the end of the window: each costs every plan."""

from alembic import op

revision = "0033"
down_revision = "0026"
branch_labels = None
depends_on = None

_OPEN = "WHERE status IN ('SCHEDULED', 'RETRYING')"


def upgrade() -> None:
    op.execute("DROP INDEX ix_messages_expiring")
    op.execute("DROP INDEX ix_messages_open")
    # What missed its window was due before, so it is among what is due: of that, the index alone is read.
    op.execute(f"CREATE INDEX ix_messages_open ON messages (coalesce(retry_at, due_at), expires_at) {_OPEN}")


def downgrade() -> None:
    op.execute("DROP INDEX ix_messages_open")
    op.execute(f"CREATE INDEX ix_messages_open ON messages (coalesce(retry_at, due_at)) {_OPEN}")
    op.execute(f"CREATE INDEX ix_messages_expiring ON messages (expires_at) {_OPEN}")
