"""Addresses are kept with their domain in its own letters, not as xn-- and ASCII: both are one mailbox."""

from alembic import op
from sqlalchemy import text

from domain.email import clean_address

revision = "0022"
down_revision = "0031"
branch_labels = None
depends_on = None

_ENCODED = text("SELECT id, email FROM users WHERE email ILIKE '%@%xn--%'")
# Where both forms are registered, the other one stays as it is, for a person to decide.
_REWRITE = text(
    """
    UPDATE users SET email = :email, version = version + 1
    WHERE id = :id AND (deleted_at IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM users AS other
        WHERE other.email_key = lower(:email) AND other.deleted_at IS NULL AND other.id <> users.id
    ))
    """
)


def upgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(_ENCODED).all():
        email = clean_address(row.email)
        if email != row.email:
            connection.execute(_REWRITE, {"id": row.id, "email": email})


def downgrade() -> None:
    pass  # what was written as xn-- and what was not cannot be told apart any more; both are addresses
