"""Users, the ledger of messages, and the service's clock."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_UP = (
    """
    CREATE TABLE users (
        id uuid CONSTRAINT pk_users PRIMARY KEY,
        first_name text NOT NULL,
        last_name text NOT NULL,
        email text NOT NULL,
        email_key text NOT NULL GENERATED ALWAYS AS (lower(email)) STORED,
        timezone text NOT NULL,
        birthday_year smallint,
        birthday_month smallint,
        birthday_day smallint,
        anniversary_on date,
        anniversary_month smallint GENERATED ALWAYS AS (extract(month FROM anniversary_on)) STORED,
        anniversary_day smallint GENERATED ALWAYS AS (extract(day FROM anniversary_on)) STORED,
        leap_day_rule text,
        version bigint NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        birthday_known_at timestamptz NOT NULL,
        anniversary_known_at timestamptz NOT NULL,
        deleted_at timestamptz,
        CONSTRAINT ck_users_birthday_is_whole CHECK (
            (birthday_month IS NULL) = (birthday_day IS NULL)
            AND (birthday_year IS NULL OR birthday_month IS NOT NULL)
        ),
        CONSTRAINT ck_users_leap_day_rule CHECK (leap_day_rule IN ('feb28', 'mar1', 'leap-years-only'))
    )
    """,
    "CREATE UNIQUE INDEX uq_users_live_email ON users (email_key) WHERE deleted_at IS NULL",
    "CREATE INDEX ix_users_deleted_email ON users (email_key) WHERE deleted_at IS NOT NULL",
    """
    CREATE INDEX ix_users_birthday ON users (timezone, birthday_month, birthday_day)
    WHERE deleted_at IS NULL
    """,
    """
    CREATE INDEX ix_users_anniversary ON users (timezone, anniversary_month, anniversary_day)
    WHERE deleted_at IS NULL
    """,
    """
    CREATE TABLE messages (
        occasion_on date NOT NULL,
        user_id uuid NOT NULL,
        kind text NOT NULL,
        status text NOT NULL,
        reason text,
        due_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        timezone text NOT NULL,
        wall_time text NOT NULL,
        years smallint,
        attempt integer NOT NULL DEFAULT 0,
        fence bigint NOT NULL DEFAULT 0,
        lease_until timestamptz,
        retry_at timestamptz,
        sent_at timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT pk_messages PRIMARY KEY (occasion_on, user_id, kind),
        CONSTRAINT ck_messages_kind CHECK (kind IN ('BIRTHDAY', 'ANNIVERSARY')),
        CONSTRAINT ck_messages_status CHECK (status IN (
            'SCHEDULED', 'SENDING', 'RETRYING', 'SENT', 'FAILED',
            'UNKNOWN', 'EXPIRED', 'CANCELLED', 'SKIPPED'
        ))
    ) PARTITION BY RANGE (occasion_on)
    """,
    "CREATE INDEX ix_messages_user ON messages (user_id)",
    "CREATE INDEX ix_messages_scheduled ON messages (due_at) WHERE status = 'SCHEDULED'",
    "CREATE INDEX ix_messages_retrying ON messages (retry_at) WHERE status = 'RETRYING'",
    "CREATE INDEX ix_messages_sending ON messages (lease_until) WHERE status = 'SENDING'",
    """
    CREATE TABLE service_clock (
        one boolean CONSTRAINT pk_service_clock PRIMARY KEY DEFAULT true,
        started_at timestamptz NOT NULL,
        origin_at timestamptz NOT NULL,
        speed double precision NOT NULL,
        CONSTRAINT ck_service_clock_one CHECK (one)
    )
    """,
    """
    COMMENT ON TABLE service_clock IS
    'Empty in real life. In a demonstration: the service''s time was started_at at the real origin_at.'
    """,
    """
    CREATE FUNCTION service_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
        SELECT coalesce(
            (SELECT started_at + (clock_timestamp() - origin_at) * speed FROM service_clock),
            clock_timestamp()
        )
    $$
    """,
)

_DOWN = (
    "DROP FUNCTION service_now()",
    "DROP TABLE service_clock",
    "DROP TABLE messages",
    "DROP TABLE users",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
