"""Ids that other systems know people by, and what imports have changed."""

from alembic import op

revision = "0011"
down_revision = "0005"
branch_labels = None
depends_on = None

_UP = (
    "ALTER TABLE users ADD COLUMN external_id text",
    "CREATE UNIQUE INDEX uq_users_live_external_id ON users (external_id) WHERE deleted_at IS NULL",
    """
    CREATE INDEX ix_users_deleted_external_id ON users (external_id)
    WHERE deleted_at IS NOT NULL AND external_id IS NOT NULL
    """,
    """
    CREATE TABLE imports (
        id uuid CONSTRAINT pk_imports PRIMARY KEY,
        began_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE import_changes (
        import_id uuid NOT NULL
            CONSTRAINT fk_import_changes_import REFERENCES imports ON DELETE CASCADE,
        user_id uuid NOT NULL
            CONSTRAINT fk_import_changes_user REFERENCES users ON DELETE CASCADE,
        version bigint NOT NULL,
        before jsonb,
        was_deleted boolean NOT NULL,
        CONSTRAINT pk_import_changes PRIMARY KEY (import_id, user_id)
    )
    """,
    "COMMENT ON COLUMN import_changes.version IS 'Of the user as the import left them.'",
    "COMMENT ON COLUMN import_changes.before IS 'What the person had told before; null for who was new.'",
    # Whoever is erased is erased here too, and that must not look through every import.
    "CREATE INDEX ix_import_changes_user ON import_changes (user_id)",
)

_DOWN = (
    "DROP TABLE import_changes",
    "DROP TABLE imports",
    "ALTER TABLE users DROP COLUMN external_id",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
