"""How many messages there are by status, kept by every transaction that changes them, whoever runs it.

A statement on the ledger adds rows of what it changed: nothing is ever locked for a count. Now and then
somebody folds them into the counts. Both together are the truth, in any snapshot.
"""

from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = (
    """
    CREATE TABLE message_counts (
        occasion_on date NOT NULL,
        status text NOT NULL,
        messages bigint NOT NULL,
        CONSTRAINT pk_message_counts PRIMARY KEY (occasion_on, status)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE message_count_changes (
        occasion_on date NOT NULL,
        status text NOT NULL,
        messages bigint NOT NULL
    ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
    """,
    "COMMENT ON TABLE message_count_changes IS 'What has been added to message_counts since; may be negative.'",
    """
    CREATE TABLE counted_partitions (
        partition oid CONSTRAINT pk_counted_partitions PRIMARY KEY,
        first_on date NOT NULL,
        until_on date NOT NULL,
        is_to_recount boolean NOT NULL DEFAULT false
    )
    """,
    "COMMENT ON COLUMN counted_partitions.is_to_recount IS 'Set it, and the next fold counts the messages anew.'",
)

# Definer's rights: whoever changes a message need not have a right to the counts.
_FUNCTIONS = (
    """
    CREATE FUNCTION count_messages() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            INSERT INTO message_count_changes
            SELECT occasion_on, status, count(*) FROM added GROUP BY occasion_on, status;
        ELSIF TG_OP = 'DELETE' THEN
            INSERT INTO message_count_changes
            SELECT occasion_on, status, -count(*) FROM removed GROUP BY occasion_on, status;
        ELSE
            INSERT INTO message_count_changes
            SELECT occasion_on, status, sum(messages)
            FROM (
                SELECT occasion_on, status, 1 AS messages FROM added
                UNION ALL
                SELECT occasion_on, status, -1 FROM removed
            ) changed
            GROUP BY occasion_on, status HAVING sum(messages) <> 0;
        END IF;
        RETURN NULL;
    END $$
    """,
    # Not DELETE: it would leave what was committed after the snapshot of a transaction in repeatable read.
    """
    CREATE FUNCTION forget_counts() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        TRUNCATE message_counts, message_count_changes;
        RETURN NULL;
    END $$
    """,
    # Changes first: who is folding them has them locked, and the counts that it makes of them are seen next.
    """
    CREATE FUNCTION forget_counts_of(first date, until date) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        DELETE FROM message_count_changes WHERE occasion_on >= first AND occasion_on < until;
        DELETE FROM message_counts WHERE occasion_on >= first AND occasion_on < until;
    END $$
    """,
    # That the partition is counted anew afterwards makes up for a snapshot that was too old.
    """
    CREATE FUNCTION forget_counts_of_partition() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        PERFORM forget_counts_of(first_on, until_on) FROM counted_partitions WHERE partition = TG_RELID;
        UPDATE counted_partitions SET is_to_recount = true WHERE partition = TG_RELID;
        RETURN NULL;
    END $$
    """,
    # The ledger's triggers hear only of statements that name the ledger. These hear of those that name the
    # partition, until it is known to have been detached.
    """
    CREATE FUNCTION count_partition(partition regclass) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        bounds text;
        first date;
        until date;
    BEGIN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', partition);
        SELECT pg_get_expr(c.relpartbound, c.oid) INTO bounds FROM pg_class c WHERE c.oid = partition;
        first := coalesce(substring(bounds FROM 'FROM \\(''([0-9-]+)''\\)')::date, 'infinity');
        until := coalesce(substring(bounds FROM 'TO \\(''([0-9-]+)''\\)')::date, '-infinity');
        PERFORM forget_counts_of(first, until);
        EXECUTE format(
            'INSERT INTO message_counts SELECT occasion_on, status, count(*) FROM %s GROUP BY occasion_on, status',
            partition
        );
        IF NOT EXISTS (
            SELECT FROM pg_trigger t WHERE t.tgrelid = partition AND t.tgname = 'count_messages_at_insert'
        ) THEN
            PERFORM add_count_triggers(partition, 'forget_counts_of_partition');
        END IF;
        INSERT INTO counted_partitions AS p VALUES (count_partition.partition, first, until, false)
        ON CONFLICT ON CONSTRAINT pk_counted_partitions DO UPDATE
        SET first_on = excluded.first_on, until_on = excluded.until_on, is_to_recount = false;
    END $$
    """,
    """
    CREATE FUNCTION add_count_triggers(ledger regclass, forget text) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        event text;
        told text;
    BEGIN
        FOR event, told IN VALUES
            ('insert', 'REFERENCING NEW TABLE AS added'),
            ('update', 'REFERENCING NEW TABLE AS added OLD TABLE AS removed'),
            ('delete', 'REFERENCING OLD TABLE AS removed'),
            ('truncate', '')
        LOOP
            EXECUTE format(
                'CREATE TRIGGER count_messages_at_%s AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION %s()',
                event, event, ledger, told, CASE event WHEN 'truncate' THEN forget ELSE 'count_messages' END
            );
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER count_messages_at_%s', ledger, event);
        END LOOP;
    END $$
    """,
    """
    CREATE VIEW attached_partitions AS
    SELECT i.inhrelid AS partition FROM pg_inherits i
    WHERE i.inhparent = 'messages'::regclass AND NOT i.inhdetachpending
    """,
    # One after the other, so that nobody forgets what another has just counted; with a bound on waiting for
    # the ledger, since claims would queue up behind.
    """
    CREATE FUNCTION count_partitions() RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        gone record;
        event name;
    BEGIN
        PERFORM set_config('lock_timeout', '200ms', true);
        PERFORM pg_advisory_xact_lock(hashtext('counted_partitions'));
        FOR gone IN
            SELECT p.* FROM counted_partitions p
            WHERE NOT EXISTS (SELECT FROM attached_partitions a WHERE a.partition = p.partition)
        LOOP
            FOR event IN
                SELECT t.tgname FROM pg_trigger t
                WHERE t.tgrelid = gone.partition AND t.tgname LIKE 'count\\_messages\\_%'
            LOOP
                EXECUTE format('DROP TRIGGER %I ON %s', event, gone.partition::regclass);
            END LOOP;
            PERFORM forget_counts_of(gone.first_on, gone.until_on);
            DELETE FROM counted_partitions p WHERE p.partition = gone.partition;
        END LOOP;
        PERFORM count_partition(a.partition) FROM attached_partitions a
        WHERE NOT EXISTS (
            SELECT FROM counted_partitions p WHERE p.partition = a.partition AND NOT p.is_to_recount
        );
    EXCEPTION WHEN lock_not_available THEN
        NULL;
    END $$
    """,
    """
    CREATE FUNCTION fold_message_counts(most integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        folded bigint;
    BEGIN
        IF EXISTS (
            SELECT FROM attached_partitions a FULL JOIN counted_partitions p ON p.partition = a.partition
            WHERE a.partition IS NULL OR p.partition IS NULL OR p.is_to_recount
        ) THEN
            PERFORM count_partitions();
        END IF;
        WITH taken AS MATERIALIZED (
            SELECT ctid FROM message_count_changes LIMIT most FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM message_count_changes c USING taken t WHERE c.ctid = t.ctid
            RETURNING c.occasion_on, c.status, c.messages
        ), kept AS (
            INSERT INTO message_counts AS m
            SELECT occasion_on, status, sum(messages) FROM gone
            GROUP BY occasion_on, status ORDER BY occasion_on, status
            ON CONFLICT (occasion_on, status) DO UPDATE SET messages = m.messages + excluded.messages
        )
        SELECT count(*) INTO folded FROM gone;
        RETURN folded;
    END $$
    """,
)

_DOWN = (
    "DROP FUNCTION count_messages, forget_counts, forget_counts_of_partition CASCADE",
    "DROP FUNCTION fold_message_counts, count_partitions, count_partition, add_count_triggers, forget_counts_of",
    "DROP VIEW attached_partitions",
    "DROP TABLE counted_partitions, message_count_changes, message_counts",
)


def upgrade() -> None:
    for statement in (*_TABLES, *_FUNCTIONS):
        op.execute(statement)
    op.execute("SELECT add_count_triggers('messages', 'forget_counts')")
    op.execute("SELECT count_partition(partition) FROM attached_partitions")


def downgrade() -> None:
    for statement in _DOWN:
        op.execute(statement)
