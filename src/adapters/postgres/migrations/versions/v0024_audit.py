"""The audit trail, which only grows; what operators decided is a part of it."""

from alembic import op

revision = "0024"
down_revision = "0032"
branch_labels = None
depends_on = None

_UP = (
    """
    CREATE TABLE audit (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_audit PRIMARY KEY,
        at timestamptz NOT NULL,
        actor_kind text NOT NULL,
        actor_id text,
        actor_name text,
        action text NOT NULL,
        user_id uuid,
        occasion_on date,
        kind text,
        subject text,
        fields text[] NOT NULL,
        reason text,
        CONSTRAINT ck_audit_message_is_whole CHECK (
            num_nonnulls(occasion_on, kind) = 0 OR num_nonnulls(occasion_on, kind, user_id) = 3
        )
    )
    """,
    "COMMENT ON TABLE audit IS 'Who did what: ids and names of fields. It refuses to be changed.'",
    "COMMENT ON COLUMN audit.user_id IS 'Also of who is erased since: whose it was nobody can tell any more.'",
    "COMMENT ON COLUMN audit.reason IS 'What an operator wrote; null once the person is erased.'",
    """
    INSERT INTO audit (at, actor_kind, action, user_id, occasion_on, kind, subject, fields, reason)
    SELECT decided_at, 'unknown', action, user_id, occasion_on, kind, channel, '{}', reason
    FROM decisions ORDER BY decided_at, id
    """,
    "DROP TABLE decisions",
    "CREATE INDEX ix_audit_user ON audit (user_id, id)",
    "CREATE INDEX ix_audit_at ON audit (at)",
    "CREATE INDEX ix_audit_decided ON audit (id) WHERE kind IS NOT NULL OR subject IS NOT NULL",
    # The reason of somebody who is erased may go, and what the retention takes; nothing else, whoever asks.
    """
    CREATE FUNCTION guard_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            OLD.reason := NULL;
            IF NEW IS NOT DISTINCT FROM OLD THEN
                RETURN NEW;
            END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF current_setting('audit.forgets', true) = 'yes' AND OLD.at < service_now() - interval '30 days' THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION 'The audit trail is added to and never changed.' USING ERRCODE = 'insufficient_privilege';
    END $$
    """,
    """
    CREATE TRIGGER guard_audit BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION guard_audit()
    """,
    """
    CREATE TRIGGER guard_audit_whole BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION guard_audit()
    """,
    "ALTER TABLE audit ENABLE ALWAYS TRIGGER guard_audit",
    "ALTER TABLE audit ENABLE ALWAYS TRIGGER guard_audit_whole",
    """
    CREATE FUNCTION forget_audit(before timestamptz, kept interval) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        forgotten bigint;
    BEGIN
        PERFORM set_config('audit.forgets', 'yes', true);
        DELETE FROM audit WHERE at < least(before, service_now() - greatest(kept, interval '30 days'));
        GET DIAGNOSTICS forgotten = ROW_COUNT;
        PERFORM set_config('audit.forgets', 'no', true);
        RETURN forgotten;
    END $$
    """,
)

_DOWN = (
    """
    CREATE TABLE decisions (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_decisions PRIMARY KEY,
        decided_at timestamptz NOT NULL,
        action text NOT NULL,
        reason text NOT NULL,
        channel text,
        occasion_on date,
        user_id uuid CONSTRAINT fk_decisions_user REFERENCES users ON DELETE CASCADE,
        kind text,
        CONSTRAINT ck_decisions_about_one CHECK (
            num_nonnulls(occasion_on, user_id, kind) = CASE WHEN channel IS NULL THEN 3 ELSE 0 END
        )
    )
    """,
    "CREATE INDEX ix_decisions_user ON decisions (user_id)",
    "CREATE INDEX ix_decisions_decided ON decisions (decided_at)",
    "DROP TABLE audit",
    "DROP FUNCTION guard_audit",
    "DROP FUNCTION forget_audit",
)


def upgrade() -> None:
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
