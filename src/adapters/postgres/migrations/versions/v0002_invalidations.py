"""The outbox of the cache: what a transaction made wrong is written in that transaction, whoever ran it."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE cache_shards (
        shard smallint CONSTRAINT pk_cache_shards PRIMARY KEY,
        epoch bigint NOT NULL DEFAULT 1,
        drawn bigint NOT NULL DEFAULT 0,
        base bigint NOT NULL DEFAULT 0,
        purged bigint NOT NULL DEFAULT 0
    )
    """,
    "COMMENT ON COLUMN cache_shards.drawn IS 'The last batch number given out; committed before it is used.'",
    "COMMENT ON COLUMN cache_shards.base IS 'The last batch that the cache is known to have carried out.'",
    "COMMENT ON COLUMN cache_shards.purged IS 'The highest batch of which something is forgotten.'",
    "INSERT INTO cache_shards (shard) VALUES (0)",
    """
    CREATE TABLE invalidations (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_invalidations PRIMARY KEY,
        shard smallint NOT NULL DEFAULT 0,
        key text NOT NULL,
        version bigint NOT NULL DEFAULT 0,
        written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        batch bigint,
        delivered_at timestamptz
    )
    """,
    "COMMENT ON COLUMN invalidations.key IS 'A key of the cache; * stands for all of them: a new epoch.'",
    "COMMENT ON COLUMN invalidations.batch IS 'In which batch it was delivered; null while it is pending.'",
    "CREATE INDEX ix_invalidations_pending ON invalidations (shard, id) WHERE batch IS NULL",
    "CREATE INDEX ix_invalidations_delivered ON invalidations (shard, batch) WHERE batch IS NOT NULL",
    # An epoch has a watermark only after somebody has begun it: this makes the first sweep do so.
    "INSERT INTO invalidations (shard, key) SELECT shard, '*' FROM cache_shards",
)

# The settings are of one transaction, and a savepoint that is rolled back takes its own back too. Whoever
# changes a row need not know of the outbox, nor have a right to it: hence the definer's rights.
_FUNCTIONS = (
    """
    CREATE FUNCTION is_first_in_transaction(mark text) RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE
        name CONSTANT text := 'invalidations.' || mark;
        this CONSTANT text := pg_current_xact_id()::text;
    BEGIN
        IF current_setting(name, true) = this THEN
            RETURN false;
        END IF;
        PERFORM set_config(name, this, true);
        RETURN true;
    END $$
    """,
    """
    CREATE FUNCTION invalidate_everything() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        IF is_first_in_transaction('everything') THEN
            INSERT INTO invalidations (shard, key) SELECT shard, '*' FROM cache_shards ORDER BY shard;
        END IF;
        RETURN NULL;
    END $$
    """,
    # Deferred, so that the shard is locked while the transaction commits and not for as long as it lasts.
    """
    CREATE FUNCTION begin_epoch() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        UPDATE cache_shards SET epoch = epoch + 1 WHERE shard = NEW.shard;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION invalidate_lists() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        IF is_first_in_transaction('lists') THEN
            INSERT INTO invalidations (key) VALUES ('birthdays:today:v1'), ('anniversaries:today:v1');
        END IF;
        RETURN NULL;
    END $$
    """,
    # A version lets the cache keep a value that is as new; 0 where the version does not tell. A transaction
    # that changes more people than a thousand leaves the whole epoch behind instead.
    """
    CREATE FUNCTION invalidate_user() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        people CONSTANT integer :=
            1 + coalesce(nullif(current_setting('invalidations.people', true), ''), '0')::integer;
    BEGIN
        IF people > 1000 THEN
            IF is_first_in_transaction('everything') THEN
                INSERT INTO invalidations (shard, key) SELECT shard, '*' FROM cache_shards ORDER BY shard;
            END IF;
            RETURN NULL;
        END IF;
        PERFORM set_config('invalidations.people', people::text, true);
        INSERT INTO invalidations (key, version) VALUES
            (
                'user:v1:' || OLD.id,
                CASE WHEN NEW.id = OLD.id AND NEW.version > OLD.version THEN NEW.version ELSE 0 END
            ),
            ('user:email:v1:' || OLD.email_key, 0);
        IF NEW.id <> OLD.id THEN
            INSERT INTO invalidations (key) VALUES ('user:v1:' || NEW.id);
        END IF;
        IF NEW.email_key <> OLD.email_key THEN
            INSERT INTO invalidations (key) VALUES ('user:email:v1:' || NEW.email_key);
        END IF;
        RETURN NULL;
    END $$
    """,
    # Asked for by statements and not by rows: this is where the ledger is busy. Written with the first
    # change and not at the commit; its age is overrated by that, which errs on the safe side.
    """
    CREATE FUNCTION invalidate_statistics() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        IF TG_OP <> 'TRUNCATE' THEN
            IF NOT EXISTS (SELECT FROM changed) THEN
                RETURN NULL;
            END IF;
        END IF;
        IF is_first_in_transaction('statistics') THEN
            INSERT INTO invalidations (key) VALUES ('scheduler:stats:v1');
        END IF;
        RETURN NULL;
    END $$
    """,
)

# Deferred ones run during the commit: an invalidation's age counts from there. Their conditions are looked
# at when the row is changed, so that what says nothing new costs nothing then.
_DEFERRED = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
_TRIGGERS = (
    f"""
    CREATE CONSTRAINT TRIGGER begin_epoch AFTER INSERT ON invalidations {_DEFERRED}
    WHEN (NEW.key = '*') EXECUTE FUNCTION begin_epoch()
    """,
    f"""
    CREATE CONSTRAINT TRIGGER invalidate_changed_user AFTER UPDATE ON users {_DEFERRED}
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION invalidate_user()
    """,
    f"""
    CREATE CONSTRAINT TRIGGER invalidate_gone_user AFTER DELETE ON users {_DEFERRED}
    EXECUTE FUNCTION invalidate_user()
    """,
    f"""
    CREATE CONSTRAINT TRIGGER invalidate_lists_of_new_user AFTER INSERT ON users {_DEFERRED}
    WHEN (NEW.birthday_month IS NOT NULL OR NEW.anniversary_on IS NOT NULL)
    EXECUTE FUNCTION invalidate_lists()
    """,
    f"""
    CREATE CONSTRAINT TRIGGER invalidate_lists_of_changed_user AFTER UPDATE ON users {_DEFERRED}
    WHEN (
        (
            OLD.timezone, OLD.birthday_year, OLD.birthday_month, OLD.birthday_day, OLD.anniversary_on,
            OLD.leap_day_rule, OLD.deleted_at, OLD.id
        ) IS DISTINCT FROM (
            NEW.timezone, NEW.birthday_year, NEW.birthday_month, NEW.birthday_day, NEW.anniversary_on,
            NEW.leap_day_rule, NEW.deleted_at, NEW.id
        )
    ) EXECUTE FUNCTION invalidate_lists()
    """,
    f"""
    CREATE CONSTRAINT TRIGGER invalidate_lists_of_gone_user AFTER DELETE ON users {_DEFERRED}
    EXECUTE FUNCTION invalidate_lists()
    """,
    """
    CREATE TRIGGER invalidate_all_users AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION invalidate_everything()
    """,
    *(
        f"""
        CREATE TRIGGER invalidate_statistics_at_{event.lower()} AFTER {event} ON messages {transition}
        FOR EACH STATEMENT EXECUTE FUNCTION invalidate_statistics()
        """
        for event, transition in (
            ("INSERT", "REFERENCING NEW TABLE AS changed"),
            ("UPDATE", "REFERENCING NEW TABLE AS changed"),
            ("DELETE", "REFERENCING OLD TABLE AS changed"),
            ("TRUNCATE", ""),
        )
    ),
)

_DOWN = (
    *(
        f"DROP TRIGGER invalidate_statistics_at_{event} ON messages"
        for event in ("insert", "update", "delete", "truncate")
    ),
    *(
        f"DROP TRIGGER invalidate_{name} ON users"
        for name in (
            "changed_user",
            "gone_user",
            "lists_of_new_user",
            "lists_of_changed_user",
            "lists_of_gone_user",
            "all_users",
        )
    ),
    "DROP TABLE invalidations",
    "DROP TABLE cache_shards",
    "DROP FUNCTION invalidate_statistics, invalidate_user, invalidate_lists, begin_epoch, invalidate_everything",
    "DROP FUNCTION is_first_in_transaction",
)


# Nothing is written for a cache that nobody has: see adapters.postgres.invalidations.write_invalidations.
_OFF = ("ALTER TABLE users DISABLE TRIGGER USER", "ALTER TABLE messages DISABLE TRIGGER USER")


def upgrade() -> None:
    for statement in (*_TABLES, *_FUNCTIONS, *_TRIGGERS, *_OFF):
        op.execute(statement)


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
