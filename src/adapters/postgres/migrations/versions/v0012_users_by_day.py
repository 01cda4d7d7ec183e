"""The indexes of the plan hold nobody but whom they are for, so that neither can be taken for the other."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OCCASIONS = ("birthday", "anniversary")


def upgrade() -> None:
    for occasion in _OCCASIONS:
        op.execute(f"DROP INDEX ix_users_{occasion}")
        op.execute(f"""
            CREATE INDEX ix_users_{occasion} ON users (timezone, {occasion}_month, {occasion}_day)
            WHERE deleted_at IS NULL AND {occasion}_month IS NOT NULL AND {occasion}_day IS NOT NULL
        """)


def downgrade() -> None:
    for occasion in _OCCASIONS:
        op.execute(f"DROP INDEX ix_users_{occasion}")
        op.execute(f"""
            CREATE INDEX ix_users_{occasion} ON users (timezone, {occasion}_month, {occasion}_day)
            WHERE deleted_at IS NULL
        """)
