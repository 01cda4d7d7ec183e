"""Which processes of the service there are."""

from alembic import op

revision = "0028"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE processes (
            id uuid CONSTRAINT pk_processes PRIMARY KEY,
            version text NOT NULL,
            zone_data text NOT NULL,
            started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    op.execute("COMMENT ON TABLE processes IS 'Who serves this database; each says so every 15 seconds.'")


def downgrade() -> None:
    op.execute("DROP TABLE processes")
