"""The audit trail tells what is done to keys too."""

from alembic import op

revision = "0035"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE audit ADD COLUMN key_id text")
    op.execute("COMMENT ON COLUMN audit.key_id IS 'What was made, rotated or revoked; never its secret.'")


def downgrade() -> None:
    op.execute("ALTER TABLE audit DROP COLUMN key_id")
