"""What people do not want, how they get out, what is kept of who is erased, and no address in a key of the cache."""

import secrets

from alembic import op
from sqlalchemy import text

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_BLOCK = 64  # of SHA-256, in bytes

_TABLE = """
    CREATE TABLE service_secret (
        one boolean CONSTRAINT pk_service_secret PRIMARY KEY DEFAULT true,
        key bytea NOT NULL,
        inner_pad bytea NOT NULL,
        outer_pad bytea NOT NULL,
        CONSTRAINT ck_service_secret_one CHECK (one)
    )
"""
_UP = (
    "ALTER TABLE users ADD COLUMN no_birthdays boolean NOT NULL DEFAULT false",
    "ALTER TABLE users ADD COLUMN no_anniversaries boolean NOT NULL DEFAULT false",
    "ALTER TABLE users ADD COLUMN link_nonce integer NOT NULL DEFAULT 0",
    "COMMENT ON COLUMN users.link_nonce IS 'Another one, and the links in all messages so far are good for nothing.'",
    "COMMENT ON TABLE service_secret IS 'What links are signed with, and addresses of the erased are hashed with.'",
    "COMMENT ON COLUMN service_secret.inner_pad IS 'The key as HMAC (RFC 2104) begins the inner hash with it.'",
    """
    CREATE FUNCTION greeting_digest(email_key text, kind text) RETURNS bytea LANGUAGE sql STABLE AS $$
        SELECT sha256(outer_pad || sha256(inner_pad || convert_to(kind || ' ' || email_key, 'UTF8')))
        FROM service_secret
    $$
    """,
    """
    CREATE TABLE greeted_addresses (
        digest bytea NOT NULL,
        occasion_on date NOT NULL,
        CONSTRAINT pk_greeted_addresses PRIMARY KEY (digest, occasion_on)
    )
    """,
    """
    COMMENT ON TABLE greeted_addresses IS
    'Of who is erased: the keyed hash of address and kind, and the date, so that nobody is greeted twice.'
    """,
    "CREATE INDEX ix_greeted_addresses_occasion ON greeted_addresses (occasion_on)",
    "CREATE INDEX ix_users_deleted_at ON users (deleted_at) WHERE deleted_at IS NOT NULL",
)
_DOWN = (
    "DROP INDEX ix_users_deleted_at",
    "DROP TABLE greeted_addresses",
    "DROP FUNCTION greeting_digest",
    "DROP TABLE service_secret",
    "ALTER TABLE users DROP COLUMN link_nonce",
    "ALTER TABLE users DROP COLUMN no_anniversaries",
    "ALTER TABLE users DROP COLUMN no_birthdays",
)
_WITH_ADDRESS = "'user:email:v1:' || {row}.email_key"
_WITH_DIGEST = "'user:email:v2:' || encode(sha256(convert_to({row}.email_key, 'UTF8')), 'hex')"


def _call_references(before: str, after: str) -> None:
    """Let the outbox call who has an address by another key."""
    found = op.get_bind().scalar(text("SELECT pg_get_functiondef(CAST('invalidate_user' AS regproc))"))
    for row in ("OLD", "NEW"):
        found = found.replace(before.format(row=row), after.format(row=row))
    op.execute(found)


def upgrade() -> None:
    op.execute(_TABLE)
    key = secrets.token_bytes(32)
    pads = {
        name: bytes(byte ^ pad for byte in key.ljust(_BLOCK, b"\0"))
        for name, pad in (("i", 0x36), ("o", 0x5C))
    }
    op.get_bind().execute(
        text("INSERT INTO service_secret (key, inner_pad, outer_pad) VALUES (:key, :i, :o)"),
        {"key": key, **pads},
    )
    for statement in _UP:
        op.execute(statement)
    _call_references(_WITH_ADDRESS, _WITH_DIGEST)


def downgrade() -> None:
    _call_references(_WITH_DIGEST, _WITH_ADDRESS)
    for statement in _DOWN:
        op.execute(statement)
