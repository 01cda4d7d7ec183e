"""Feeds: secrets that stand in the address of a calendar."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_UP = (
    "ALTER TABLE api_keys ADD COLUMN tells_years boolean NOT NULL DEFAULT false",
    "COMMENT ON COLUMN api_keys.tells_years IS 'Of a feed: whether it tells the years of birth and of hiring.'",
    "ALTER TABLE api_keys DROP CONSTRAINT ck_api_keys_kind",
    """
    ALTER TABLE api_keys ADD CONSTRAINT ck_api_keys_kind
    CHECK (kind IN ('key', 'session', 'link', 'feed'))
    """,
)

_DOWN = (
    "DELETE FROM api_keys WHERE kind = 'feed'",
    "ALTER TABLE api_keys DROP CONSTRAINT ck_api_keys_kind",
    "ALTER TABLE api_keys ADD CONSTRAINT ck_api_keys_kind CHECK (kind IN ('key', 'session', 'link'))",
    "ALTER TABLE api_keys DROP COLUMN tells_years",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
