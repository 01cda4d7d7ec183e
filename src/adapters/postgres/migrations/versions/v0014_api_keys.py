"""Keys of the API, and the answers to requests that may be repeated."""

from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

_UP = (
    """
    CREATE TABLE api_keys (
        id text CONSTRAINT pk_api_keys PRIMARY KEY,
        kind text NOT NULL,
        name text NOT NULL,
        scopes text[] NOT NULL,
        digest bytea NOT NULL,
        previous_digest bytea,
        previous_until timestamptz,
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz,
        last_used_at timestamptz,
        CONSTRAINT ck_api_keys_kind CHECK (kind IN ('key', 'session', 'link')),
        CONSTRAINT ck_api_keys_digest CHECK (length(digest) = 32)
    )
    """,
    "COMMENT ON COLUMN api_keys.digest IS 'SHA-256 of the whole key; the key itself is stored nowhere.'",
    """
    CREATE TABLE answers (
        caller text NOT NULL,
        key text NOT NULL,
        fingerprint bytea,
        token uuid NOT NULL,
        claimed_until timestamptz NOT NULL,
        forget_at timestamptz NOT NULL,
        status smallint,
        headers bytea[],
        body bytea,
        about uuid[] NOT NULL DEFAULT '{}',
        CONSTRAINT pk_answers PRIMARY KEY (caller, key)
    )
    """,
    "COMMENT ON COLUMN answers.about IS 'The users of whom the answer tells: it is erased with each of them.'",
    "COMMENT ON COLUMN answers.fingerprint IS 'Null once a user whom it tells of is erased.'",
    "CREATE INDEX ix_answers_forget_at ON answers (forget_at)",
    "CREATE INDEX ix_answers_about ON answers USING gin (about)",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE answers")
    op.execute("DROP TABLE api_keys")
