\restrict birthdays
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.add_count_triggers(ledger regclass, forget text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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
    END $$;
CREATE FUNCTION public.begin_epoch() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
    BEGIN
        UPDATE cache_shards SET epoch = epoch + 1 WHERE shard = NEW.shard;
        RETURN NULL;
    END $$;
CREATE FUNCTION public.count_messages() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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
    END $$;
CREATE FUNCTION public.count_partition(partition regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
    DECLARE
        bounds text;
        first date;
        until date;
    BEGIN
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', partition);
        SELECT pg_get_expr(c.relpartbound, c.oid) INTO bounds FROM pg_class c WHERE c.oid = partition;
        first := coalesce(substring(bounds FROM 'FROM \(''([0-9-]+)''\)')::date, 'infinity');
        until := coalesce(substring(bounds FROM 'TO \(''([0-9-]+)''\)')::date, '-infinity');
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
    END $$;
CREATE FUNCTION public.count_partitions() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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
                WHERE t.tgrelid = gone.partition AND t.tgname LIKE 'count\_messages\_%'
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
    END $$;
CREATE FUNCTION public.count_version() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    BEGIN
        NEW.email_key := OLD.email_key;
        IF NEW IS DISTINCT FROM OLD THEN
            NEW.version := OLD.version + 1;
        END IF;
        RETURN NEW;
    END $$;
CREATE FUNCTION public.fold_message_counts(most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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
    END $$;
CREATE FUNCTION public.forget_audit(before timestamp with time zone, kept interval) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
    DECLARE
        forgotten bigint;
    BEGIN
        PERFORM set_config('audit.forgets', 'yes', true);
        DELETE FROM audit WHERE at < least(before, service_now() - greatest(kept, interval '30 days'));
        GET DIAGNOSTICS forgotten = ROW_COUNT;
        PERFORM set_config('audit.forgets', 'no', true);
        RETURN forgotten;
    END $$;
CREATE FUNCTION public.forget_counts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
    BEGIN
        TRUNCATE message_counts, message_count_changes;
        RETURN NULL;
    END $$;
CREATE FUNCTION public.forget_counts_of(first date, until date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
    BEGIN
        DELETE FROM message_count_changes WHERE occasion_on >= first AND occasion_on < until;
        DELETE FROM message_counts WHERE occasion_on >= first AND occasion_on < until;
    END $$;
CREATE FUNCTION public.forget_counts_of_partition() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
    BEGIN
        PERFORM forget_counts_of(first_on, until_on) FROM counted_partitions WHERE partition = TG_RELID;
        UPDATE counted_partitions SET is_to_recount = true WHERE partition = TG_RELID;
        RETURN NULL;
    END $$;
CREATE FUNCTION public.greeting_digest(email_key text, kind text) RETURNS bytea
    LANGUAGE sql STABLE
    AS $$
        SELECT sha256(outer_pad || sha256(inner_pad || convert_to(kind || ' ' || email_key, 'UTF8')))
        FROM service_secret
    $$;
CREATE FUNCTION public.guard_audit() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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
    END $$;
CREATE FUNCTION public.invalidate_everything() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
    BEGIN
        IF is_first_in_transaction('everything') THEN
            INSERT INTO invalidations (shard, key) SELECT shard, '*' FROM cache_shards ORDER BY shard;
        END IF;
        RETURN NULL;
    END $$;
CREATE FUNCTION public.invalidate_lists() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
    BEGIN
        IF is_first_in_transaction('lists') THEN
            INSERT INTO invalidations (key) VALUES ('birthdays:today:v1'), ('anniversaries:today:v1');
        END IF;
        RETURN NULL;
    END $$;
CREATE FUNCTION public.invalidate_statistics() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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
    END $$;
CREATE FUNCTION public.invalidate_user() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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
            ('user:email:v2:' || encode(sha256(convert_to(OLD.email_key, 'UTF8')), 'hex'), 0);
        IF NEW.id <> OLD.id THEN
            INSERT INTO invalidations (key) VALUES ('user:v1:' || NEW.id);
        END IF;
        IF NEW.email_key <> OLD.email_key THEN
            INSERT INTO invalidations (key) VALUES ('user:email:v2:' || encode(sha256(convert_to(NEW.email_key, 'UTF8')), 'hex'));
        END IF;
        RETURN NULL;
    END $$;
CREATE FUNCTION public.is_first_in_transaction(mark text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
    DECLARE
        name CONSTANT text := 'invalidations.' || mark;
        this CONSTANT text := pg_current_xact_id()::text;
    BEGIN
        IF current_setting(name, true) = this THEN
            RETURN false;
        END IF;
        PERFORM set_config(name, this, true);
        RETURN true;
    END $$;
CREATE FUNCTION public.is_kept_on(on_date date, month smallint, day smallint, rule text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT CASE
            WHEN extract(month FROM on_date) = month AND extract(day FROM on_date) = day THEN true
            WHEN month = 2 AND day = 29 AND rule = 'feb28' THEN extract(month FROM on_date) = 2
                AND extract(day FROM on_date) = 28 AND extract(day FROM on_date + 1) = 1
            WHEN month = 2 AND day = 29 AND rule = 'mar1' THEN extract(month FROM on_date) = 3
                AND extract(day FROM on_date) = 1 AND extract(day FROM on_date - 1) = 28
            ELSE false
        END
    $$;
COMMENT ON FUNCTION public.is_kept_on(on_date date, month smallint, day smallint, rule text) IS 'Whether who was born on that month and day celebrates on this date, by their rule for 29 February.';
CREATE FUNCTION public.service_now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    AS $$
        SELECT coalesce(
            (SELECT started_at + (clock_timestamp() - origin_at) * speed FROM service_clock),
            clock_timestamp()
        )
    $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.answers (
    caller text NOT NULL,
    key text NOT NULL,
    fingerprint bytea,
    token uuid NOT NULL,
    claimed_until timestamp with time zone NOT NULL,
    forget_at timestamp with time zone NOT NULL,
    status smallint,
    headers bytea[],
    body bytea,
    about uuid[] DEFAULT '{}'::uuid[] NOT NULL
);
COMMENT ON COLUMN public.answers.fingerprint IS 'Null once a user whom it tells of is erased.';
COMMENT ON COLUMN public.answers.about IS 'The users of whom the answer tells: it is erased with each of them.';
CREATE TABLE public.api_keys (
    id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    digest bytea NOT NULL,
    previous_digest bytea,
    previous_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    tells_years boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_api_keys_digest CHECK ((length(digest) = 32)),
    CONSTRAINT ck_api_keys_kind CHECK ((kind = ANY (ARRAY['key'::text, 'session'::text, 'link'::text, 'feed'::text])))
);
COMMENT ON COLUMN public.api_keys.digest IS 'SHA-256 of the whole key; the key itself is stored nowhere.';
COMMENT ON COLUMN public.api_keys.tells_years IS 'Of a feed: whether it tells the years of birth and of hiring.';
CREATE TABLE public.messages (
    occasion_on date NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    reason text,
    due_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    timezone text NOT NULL,
    wall_time text NOT NULL,
    years smallint,
    attempt integer DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    retry_at timestamp with time zone,
    sent_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    may_have_arrived boolean DEFAULT false NOT NULL,
    CONSTRAINT ck_messages_kind CHECK ((kind = ANY (ARRAY['BIRTHDAY'::text, 'ANNIVERSARY'::text]))),
    CONSTRAINT ck_messages_retry_in_window CHECK ((retry_at <= expires_at)),
    CONSTRAINT ck_messages_status CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'SENDING'::text, 'RETRYING'::text, 'SENT'::text, 'FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text])))
)
PARTITION BY RANGE (occasion_on);
COMMENT ON COLUMN public.messages.may_have_arrived IS 'An attempt ended without an answer: the person may have it.';
CREATE VIEW public.attached_partitions AS
 SELECT inhrelid AS partition
   FROM pg_inherits i
  WHERE ((inhparent = ('public.messages'::regclass)::oid) AND (NOT inhdetachpending));
CREATE TABLE public.audit (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
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
    key_id text,
    CONSTRAINT ck_audit_message_is_whole CHECK (((num_nonnulls(occasion_on, kind) = 0) OR (num_nonnulls(occasion_on, kind, user_id) = 3)))
);
COMMENT ON TABLE public.audit IS 'Who did what: ids and names of fields. It refuses to be changed.';
COMMENT ON COLUMN public.audit.user_id IS 'Also of who is erased since: whose it was nobody can tell any more.';
COMMENT ON COLUMN public.audit.reason IS 'What an operator wrote; null once the person is erased.';
COMMENT ON COLUMN public.audit.key_id IS 'What was made, rotated or revoked; never its secret.';
ALTER TABLE public.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.bookmark (
    one boolean DEFAULT true NOT NULL,
    planned_until date,
    reckoned_with text,
    CONSTRAINT ck_bookmark_one CHECK (one)
);
COMMENT ON TABLE public.bookmark IS 'How far the plan has come, and the rules by which open messages were reckoned.';
CREATE TABLE public.cache_shards (
    shard smallint NOT NULL,
    epoch bigint DEFAULT 1 NOT NULL,
    drawn bigint DEFAULT 0 NOT NULL,
    base bigint DEFAULT 0 NOT NULL,
    purged bigint DEFAULT 0 NOT NULL
);
COMMENT ON COLUMN public.cache_shards.drawn IS 'The last batch number given out; committed before it is used.';
COMMENT ON COLUMN public.cache_shards.base IS 'The last batch that the cache is known to have carried out.';
COMMENT ON COLUMN public.cache_shards.purged IS 'The highest batch of which something is forgotten.';
CREATE TABLE public.channels (
    name text NOT NULL,
    paused_until timestamp with time zone,
    tokens double precision,
    counted_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    braked_at timestamp with time zone,
    braked_hour timestamp with time zone,
    braked_messages bigint,
    braked_allowed bigint
);
COMMENT ON TABLE public.channels IS 'What all processes know of a channel, in real time.';
COMMENT ON COLUMN public.channels.tokens IS 'How many messages it took at counted_at; null before it had a limit.';
COMMENT ON COLUMN public.channels.braked_at IS 'Since when it takes nothing until somebody has confirmed the hour.';
CREATE TABLE public.counted_partitions (
    partition oid NOT NULL,
    first_on date NOT NULL,
    until_on date NOT NULL,
    is_to_recount boolean DEFAULT false NOT NULL
);
COMMENT ON COLUMN public.counted_partitions.is_to_recount IS 'Set it, and the next fold counts the messages anew.';
CREATE TABLE public.due_hours (
    due_hour timestamp with time zone NOT NULL,
    messages bigint DEFAULT 0 NOT NULL,
    confirmed bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
COMMENT ON COLUMN public.due_hours.messages IS 'How many that were due in this hour were claimed.';
COMMENT ON COLUMN public.due_hours.confirmed IS 'How many an operator has said may be due in it.';
CREATE TABLE public.greeted_addresses (
    digest bytea NOT NULL,
    occasion_on date NOT NULL
);
COMMENT ON TABLE public.greeted_addresses IS 'Of who is erased: the keyed hash of address and kind, and the date, so that nobody is greeted twice.';
CREATE TABLE public.import_changes (
    import_id uuid NOT NULL,
    user_id uuid NOT NULL,
    version bigint NOT NULL,
    before jsonb,
    was_deleted boolean NOT NULL
);
COMMENT ON COLUMN public.import_changes.version IS 'Of the user as the import left them.';
COMMENT ON COLUMN public.import_changes.before IS 'What the person had told before; null for who was new.';
CREATE TABLE public.imports (
    id uuid NOT NULL,
    began_at timestamp with time zone NOT NULL
);
CREATE TABLE public.invalidations (
    id bigint NOT NULL,
    shard smallint DEFAULT 0 NOT NULL,
    key text NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    written_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    batch bigint,
    delivered_at timestamp with time zone
);
COMMENT ON COLUMN public.invalidations.key IS 'A key of the cache; * stands for all of them: a new epoch.';
COMMENT ON COLUMN public.invalidations.batch IS 'In which batch it was delivered; null while it is pending.';
ALTER TABLE public.invalidations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.invalidations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.message_count_changes (
    occasion_on date NOT NULL,
    status text NOT NULL,
    messages bigint NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
COMMENT ON TABLE public.message_count_changes IS 'What has been added to message_counts since; may be negative.';
CREATE TABLE public.message_counts (
    occasion_on date NOT NULL,
    status text NOT NULL,
    messages bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.messages_2027_03 (
    occasion_on date CONSTRAINT messages_occasion_on_not_null NOT NULL,
    user_id uuid CONSTRAINT messages_user_id_not_null NOT NULL,
    kind text CONSTRAINT messages_kind_not_null NOT NULL,
    status text CONSTRAINT messages_status_not_null NOT NULL,
    reason text,
    due_at timestamp with time zone CONSTRAINT messages_due_at_not_null NOT NULL,
    expires_at timestamp with time zone CONSTRAINT messages_expires_at_not_null NOT NULL,
    timezone text CONSTRAINT messages_timezone_not_null NOT NULL,
    wall_time text CONSTRAINT messages_wall_time_not_null NOT NULL,
    years smallint,
    attempt integer DEFAULT 0 CONSTRAINT messages_attempt_not_null NOT NULL,
    fence bigint DEFAULT 0 CONSTRAINT messages_fence_not_null NOT NULL,
    lease_until timestamp with time zone,
    retry_at timestamp with time zone,
    sent_at timestamp with time zone,
    created_at timestamp with time zone CONSTRAINT messages_created_at_not_null NOT NULL,
    updated_at timestamp with time zone CONSTRAINT messages_updated_at_not_null NOT NULL,
    may_have_arrived boolean DEFAULT false CONSTRAINT messages_may_have_arrived_not_null NOT NULL,
    CONSTRAINT ck_messages_kind CHECK ((kind = ANY (ARRAY['BIRTHDAY'::text, 'ANNIVERSARY'::text]))),
    CONSTRAINT ck_messages_retry_in_window CHECK ((retry_at <= expires_at)),
    CONSTRAINT ck_messages_status CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'SENDING'::text, 'RETRYING'::text, 'SENT'::text, 'FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text])))
);
CREATE TABLE public.messages_2027_04 (
    occasion_on date CONSTRAINT messages_occasion_on_not_null NOT NULL,
    user_id uuid CONSTRAINT messages_user_id_not_null NOT NULL,
    kind text CONSTRAINT messages_kind_not_null NOT NULL,
    status text CONSTRAINT messages_status_not_null NOT NULL,
    reason text,
    due_at timestamp with time zone CONSTRAINT messages_due_at_not_null NOT NULL,
    expires_at timestamp with time zone CONSTRAINT messages_expires_at_not_null NOT NULL,
    timezone text CONSTRAINT messages_timezone_not_null NOT NULL,
    wall_time text CONSTRAINT messages_wall_time_not_null NOT NULL,
    years smallint,
    attempt integer DEFAULT 0 CONSTRAINT messages_attempt_not_null NOT NULL,
    fence bigint DEFAULT 0 CONSTRAINT messages_fence_not_null NOT NULL,
    lease_until timestamp with time zone,
    retry_at timestamp with time zone,
    sent_at timestamp with time zone,
    created_at timestamp with time zone CONSTRAINT messages_created_at_not_null NOT NULL,
    updated_at timestamp with time zone CONSTRAINT messages_updated_at_not_null NOT NULL,
    may_have_arrived boolean DEFAULT false CONSTRAINT messages_may_have_arrived_not_null NOT NULL,
    CONSTRAINT ck_messages_kind CHECK ((kind = ANY (ARRAY['BIRTHDAY'::text, 'ANNIVERSARY'::text]))),
    CONSTRAINT ck_messages_retry_in_window CHECK ((retry_at <= expires_at)),
    CONSTRAINT ck_messages_status CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'SENDING'::text, 'RETRYING'::text, 'SENT'::text, 'FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text])))
);
CREATE TABLE public.messages_2027_05 (
    occasion_on date CONSTRAINT messages_occasion_on_not_null NOT NULL,
    user_id uuid CONSTRAINT messages_user_id_not_null NOT NULL,
    kind text CONSTRAINT messages_kind_not_null NOT NULL,
    status text CONSTRAINT messages_status_not_null NOT NULL,
    reason text,
    due_at timestamp with time zone CONSTRAINT messages_due_at_not_null NOT NULL,
    expires_at timestamp with time zone CONSTRAINT messages_expires_at_not_null NOT NULL,
    timezone text CONSTRAINT messages_timezone_not_null NOT NULL,
    wall_time text CONSTRAINT messages_wall_time_not_null NOT NULL,
    years smallint,
    attempt integer DEFAULT 0 CONSTRAINT messages_attempt_not_null NOT NULL,
    fence bigint DEFAULT 0 CONSTRAINT messages_fence_not_null NOT NULL,
    lease_until timestamp with time zone,
    retry_at timestamp with time zone,
    sent_at timestamp with time zone,
    created_at timestamp with time zone CONSTRAINT messages_created_at_not_null NOT NULL,
    updated_at timestamp with time zone CONSTRAINT messages_updated_at_not_null NOT NULL,
    may_have_arrived boolean DEFAULT false CONSTRAINT messages_may_have_arrived_not_null NOT NULL,
    CONSTRAINT ck_messages_kind CHECK ((kind = ANY (ARRAY['BIRTHDAY'::text, 'ANNIVERSARY'::text]))),
    CONSTRAINT ck_messages_retry_in_window CHECK ((retry_at <= expires_at)),
    CONSTRAINT ck_messages_status CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'SENDING'::text, 'RETRYING'::text, 'SENT'::text, 'FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text])))
);
CREATE TABLE public.messages_2027_06 (
    occasion_on date CONSTRAINT messages_occasion_on_not_null NOT NULL,
    user_id uuid CONSTRAINT messages_user_id_not_null NOT NULL,
    kind text CONSTRAINT messages_kind_not_null NOT NULL,
    status text CONSTRAINT messages_status_not_null NOT NULL,
    reason text,
    due_at timestamp with time zone CONSTRAINT messages_due_at_not_null NOT NULL,
    expires_at timestamp with time zone CONSTRAINT messages_expires_at_not_null NOT NULL,
    timezone text CONSTRAINT messages_timezone_not_null NOT NULL,
    wall_time text CONSTRAINT messages_wall_time_not_null NOT NULL,
    years smallint,
    attempt integer DEFAULT 0 CONSTRAINT messages_attempt_not_null NOT NULL,
    fence bigint DEFAULT 0 CONSTRAINT messages_fence_not_null NOT NULL,
    lease_until timestamp with time zone,
    retry_at timestamp with time zone,
    sent_at timestamp with time zone,
    created_at timestamp with time zone CONSTRAINT messages_created_at_not_null NOT NULL,
    updated_at timestamp with time zone CONSTRAINT messages_updated_at_not_null NOT NULL,
    may_have_arrived boolean DEFAULT false CONSTRAINT messages_may_have_arrived_not_null NOT NULL,
    CONSTRAINT ck_messages_kind CHECK ((kind = ANY (ARRAY['BIRTHDAY'::text, 'ANNIVERSARY'::text]))),
    CONSTRAINT ck_messages_retry_in_window CHECK ((retry_at <= expires_at)),
    CONSTRAINT ck_messages_status CHECK ((status = ANY (ARRAY['SCHEDULED'::text, 'SENDING'::text, 'RETRYING'::text, 'SENT'::text, 'FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text])))
);
CREATE TABLE public.processes (
    id uuid NOT NULL,
    version text NOT NULL,
    zone_data text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    seen_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
COMMENT ON TABLE public.processes IS 'Who serves this database; each says so every 15 seconds.';
CREATE TABLE public.service_clock (
    one boolean DEFAULT true NOT NULL,
    started_at timestamp with time zone NOT NULL,
    origin_at timestamp with time zone NOT NULL,
    speed double precision NOT NULL,
    CONSTRAINT ck_service_clock_one CHECK (one)
);
COMMENT ON TABLE public.service_clock IS 'Empty in real life. In a demonstration: the service''s time was started_at at the real origin_at.';
CREATE TABLE public.service_secret (
    one boolean DEFAULT true NOT NULL,
    key bytea NOT NULL,
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL,
    CONSTRAINT ck_service_secret_one CHECK (one)
);
COMMENT ON TABLE public.service_secret IS 'What links are signed with, and addresses of the erased are hashed with.';
COMMENT ON COLUMN public.service_secret.inner_pad IS 'The key as HMAC (RFC 2104) begins the inner hash with it.';
CREATE TABLE public.users (
    id uuid NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text NOT NULL,
    email_key text GENERATED ALWAYS AS (lower(email)) STORED NOT NULL,
    timezone text NOT NULL,
    birthday_year smallint,
    birthday_month smallint,
    birthday_day smallint,
    anniversary_on date,
    anniversary_month smallint GENERATED ALWAYS AS (EXTRACT(month FROM anniversary_on)) STORED,
    anniversary_day smallint GENERATED ALWAYS AS (EXTRACT(day FROM anniversary_on)) STORED,
    leap_day_rule text,
    version bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    birthday_known_at timestamp with time zone NOT NULL,
    anniversary_known_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    external_id text,
    no_birthdays boolean DEFAULT false NOT NULL,
    no_anniversaries boolean DEFAULT false NOT NULL,
    link_nonce integer DEFAULT 0 NOT NULL,
    CONSTRAINT ck_users_birthday_is_whole CHECK ((((birthday_month IS NULL) = (birthday_day IS NULL)) AND ((birthday_year IS NULL) OR (birthday_month IS NOT NULL)))),
    CONSTRAINT ck_users_leap_day_rule CHECK ((leap_day_rule = ANY (ARRAY['feb28'::text, 'mar1'::text, 'leap-years-only'::text])))
);
COMMENT ON COLUMN public.users.link_nonce IS 'Another one, and the links in all messages so far are good for nothing.';
ALTER TABLE ONLY public.messages ATTACH PARTITION public.messages_2027_03 FOR VALUES FROM ('2027-03-01') TO ('2027-04-01');
ALTER TABLE ONLY public.messages ATTACH PARTITION public.messages_2027_04 FOR VALUES FROM ('2027-04-01') TO ('2027-05-01');
ALTER TABLE ONLY public.messages ATTACH PARTITION public.messages_2027_05 FOR VALUES FROM ('2027-05-01') TO ('2027-06-01');
ALTER TABLE ONLY public.messages ATTACH PARTITION public.messages_2027_06 FOR VALUES FROM ('2027-06-01') TO ('2027-07-01');
INSERT INTO public.alembic_version VALUES ('0035');
INSERT INTO public.api_keys VALUES ('6ca2d8575ce6', 'key', 'first key', '{admin}', '\x7ba43c920254478e29044d55defb35fc2654282222b48abbc43cfbf549d40486', NULL, NULL, '2026-11-28 21:29:35.822092+00', NULL, NULL, NULL, false);
INSERT INTO public.api_keys VALUES ('034b345ddac4', 'link', 'login link', '{admin}', '\x777fb9dc3d181e33561cd4daebf4ee6905987ecfc109c86fbe53bece4b6818b8', NULL, NULL, '2026-11-28 21:29:35.830997+00', '2026-11-28 22:29:35.830997+00', NULL, NULL, false);
INSERT INTO public.api_keys VALUES ('a6cdbdb700fc', 'feed', 'team', '{}', '\xad7e435abc7f118f67e24d90a18e7efe53c3158c7fbb78ea251e4da35cdd7d75', NULL, NULL, '2026-11-28 21:29:50.550004+00', NULL, NULL, NULL, false);
INSERT INTO public.api_keys VALUES ('e5ff9956401b', 'key', 'payroll', '{users:read}', '\x83b8254de130ec5b1e71a97648ac7ccb374a2c7fbdf4b3f9b44aeae67c883509', NULL, NULL, '2026-11-28 21:29:50.01433+00', '2036-11-25 21:29:50.01433+00', NULL, NULL, false);
INSERT INTO public.api_keys VALUES ('77a016cd0e47', 'key', 'command line in /srv/birthdays/var', '{admin}', '\x8ed98b39bf28fb6ec7a528b8f704a5f3d8234c86f748b7ff2760effb00a22d0b', NULL, NULL, '2026-11-28 21:29:35.774839+00', NULL, NULL, '2026-11-28 21:29:58.284508+00', false);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (1, '2026-11-28 21:29:35.774839+00', 'service', NULL, NULL, 'make-key', NULL, NULL, NULL, NULL, '{}', NULL, '77a016cd0e47');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (2, '2026-11-28 21:29:35.822092+00', 'service', NULL, NULL, 'make-key', NULL, NULL, NULL, NULL, '{}', NULL, '6ca2d8575ce6');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (3, '2026-11-28 21:29:35.830997+00', 'service', NULL, NULL, 'make-link', NULL, NULL, NULL, NULL, '{}', NULL, '034b345ddac4');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (4, '2027-03-14 08:59:53.795027+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'register', '01a44343-fe43-7ff2-b856-dacf11022ba9', NULL, NULL, NULL, '{first_name,last_name,email,timezone,birthday,anniversary}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (5, '2027-03-14 08:59:53.795027+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'register', '01a44343-fe43-7625-98ab-8118acc3ab4e', NULL, NULL, NULL, '{first_name,last_name,email,timezone,birthday,anniversary,leap_day_rule}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (6, '2027-03-14 08:59:53.795027+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'register', '01a44343-fe43-7b05-be63-d1530d0dbd96', NULL, NULL, NULL, '{first_name,last_name,email,timezone,birthday}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (7, '2027-03-14 08:59:53.795027+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'register', '01a44343-fe43-7f9a-95c3-b6f4f7077b47', NULL, NULL, NULL, '{first_name,last_name,email,timezone,birthday}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (8, '2027-03-14 08:59:53.795027+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'register', '01a44343-fe43-7c40-9478-17e14b5fc8b0', NULL, NULL, NULL, '{first_name,last_name,email,timezone,birthday}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (9, '2027-03-14 08:59:54.208423+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'remove', '01a44343-fe43-7f9a-95c3-b6f4f7077b47', NULL, NULL, NULL, '{}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (10, '2027-03-14 08:59:54.388736+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'change', '01a44343-fe43-7c40-9478-17e14b5fc8b0', NULL, NULL, NULL, '{timezone}', NULL, NULL);
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (11, '2026-11-28 21:29:50.01433+00', 'command', NULL, 'root', 'make-key', NULL, NULL, NULL, NULL, '{}', NULL, 'e5ff9956401b');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (12, '2026-11-28 21:29:50.550004+00', 'command', NULL, 'root', 'make-feed', NULL, NULL, NULL, NULL, '{}', NULL, 'a6cdbdb700fc');
INSERT INTO public.audit OVERRIDING SYSTEM VALUE VALUES (13, '2026-11-28 21:29:58.214547+00', 'key', '77a016cd0e47', 'command line in /srv/birthdays/var', 'rotate-key', NULL, NULL, NULL, NULL, '{}', NULL, 'e5ff9956401b');
INSERT INTO public.bookmark VALUES (true, '2027-03-17', 'tzdata 2026f, 09:00, feb28');
INSERT INTO public.cache_shards VALUES (0, 1, 0, 0, 0);
INSERT INTO public.counted_partitions VALUES (17116, '2027-03-01', '2027-04-01', false);
INSERT INTO public.counted_partitions VALUES (17147, '2027-04-01', '2027-05-01', false);
INSERT INTO public.counted_partitions VALUES (17178, '2027-05-01', '2027-06-01', false);
INSERT INTO public.counted_partitions VALUES (17209, '2027-06-01', '2027-07-01', false);
INSERT INTO public.due_hours VALUES ('2027-03-14 09:00:00+00', 2, 0);
INSERT INTO public.import_changes VALUES ('dcaba5e5-7551-4ab5-8a7c-5f013a18d5f9', '01a44343-fe43-7ff2-b856-dacf11022ba9', 1, NULL, false);
INSERT INTO public.import_changes VALUES ('dcaba5e5-7551-4ab5-8a7c-5f013a18d5f9', '01a44343-fe43-7625-98ab-8118acc3ab4e', 1, NULL, false);
INSERT INTO public.import_changes VALUES ('dcaba5e5-7551-4ab5-8a7c-5f013a18d5f9', '01a44343-fe43-7b05-be63-d1530d0dbd96', 1, NULL, false);
INSERT INTO public.import_changes VALUES ('dcaba5e5-7551-4ab5-8a7c-5f013a18d5f9', '01a44343-fe43-7f9a-95c3-b6f4f7077b47', 1, NULL, false);
INSERT INTO public.import_changes VALUES ('dcaba5e5-7551-4ab5-8a7c-5f013a18d5f9', '01a44343-fe43-7c40-9478-17e14b5fc8b0', 1, NULL, false);
INSERT INTO public.imports VALUES ('dcaba5e5-7551-4ab5-8a7c-5f013a18d5f9', '2027-03-14 08:59:53.78179+00');
INSERT INTO public.invalidations OVERRIDING SYSTEM VALUE VALUES (1, 0, '*', 0, '2026-11-28 21:29:34.404214+00', NULL, NULL);
INSERT INTO public.message_counts VALUES ('2027-03-15', 'CANCELLED', 1);
INSERT INTO public.message_counts VALUES ('2027-03-15', 'SCHEDULED', 1);
INSERT INTO public.message_counts VALUES ('2027-03-14', 'SCHEDULED', 0);
INSERT INTO public.message_counts VALUES ('2027-03-14', 'SENDING', 0);
INSERT INTO public.message_counts VALUES ('2027-03-14', 'SENT', 2);
INSERT INTO public.messages_2027_03 VALUES ('2027-03-15', '01a44343-fe43-7f9a-95c3-b6f4f7077b47', 'BIRTHDAY', 'CANCELLED', 'user-deleted', '2027-03-15 09:00:00+00', '2027-03-16 09:00:00+00', 'UTC', 'exact', 47, 0, 0, NULL, NULL, NULL, '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:54.208423+00', false);
INSERT INTO public.messages_2027_03 VALUES ('2027-03-15', '01a44343-fe43-7c40-9478-17e14b5fc8b0', 'BIRTHDAY', 'SCHEDULED', NULL, '2027-03-15 00:00:00+00', '2027-03-16 09:00:00+00', 'Asia/Tokyo', 'exact', NULL, 0, 0, NULL, NULL, NULL, '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:54.388736+00', false);
INSERT INTO public.messages_2027_03 VALUES ('2027-03-14', '01a44343-fe43-7b05-be63-d1530d0dbd96', 'BIRTHDAY', 'SENT', NULL, '2027-03-14 09:00:00+00', '2027-03-15 09:00:00+00', 'UTC', 'exact', 115, 1, 1, NULL, NULL, '2027-03-14 09:00:00.337161+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 09:00:00.337161+00', false);
INSERT INTO public.messages_2027_03 VALUES ('2027-03-14', '01a44343-fe43-7ff2-b856-dacf11022ba9', 'BIRTHDAY', 'SENT', NULL, '2027-03-14 09:00:00+00', '2027-03-15 09:00:00+00', 'UTC', 'exact', 37, 1, 1, NULL, NULL, '2027-03-14 09:00:00.337161+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 09:00:00.337161+00', false);
INSERT INTO public.service_clock VALUES (true, '2027-03-14 08:59:40+00', '2026-11-28 21:29:34.924269+00', 1);
INSERT INTO public.service_secret VALUES (true, '\x5221bd78eb746574d8472f0f76edf892be5f3d7b4e361126ce8971b3b590a4b3', '\x64178b4edd425342ee71193940dbcea488690b4d78002710f8bf478583a692853636363636363636363636363636363636363636363636363636363636363636', '\x0e7de124b7283928841b73532ab1a4cee2036127126a4d7a92d52defe9ccf8ef5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c');
INSERT INTO public.users VALUES ('01a44343-fe43-7ff2-b856-dacf11022ba9', 'Ada', 'Lovelace', 'ada@example.com', DEFAULT, 'UTC', 1990, 3, 14, '2019-02-01', DEFAULT, DEFAULT, NULL, 1, '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', NULL, NULL, false, false, 0);
INSERT INTO public.users VALUES ('01a44343-fe43-7625-98ab-8118acc3ab4e', 'Lena', 'Leap', 'lena@example.com', DEFAULT, 'Europe/Berlin', 2000, 2, 29, '2020-02-29', DEFAULT, DEFAULT, 'mar1', 1, '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', NULL, NULL, false, false, 0);
INSERT INTO public.users VALUES ('01a44343-fe43-7b05-be63-d1530d0dbd96', 'Alan', 'Turing', 'alan@example.com', DEFAULT, 'UTC', 1912, 3, 14, NULL, DEFAULT, DEFAULT, NULL, 1, '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', NULL, NULL, false, false, 0);
INSERT INTO public.users VALUES ('01a44343-fe43-7f9a-95c3-b6f4f7077b47', 'Mary', 'Gone', 'mary@example.com', DEFAULT, 'UTC', 1980, 3, 15, NULL, DEFAULT, DEFAULT, NULL, 2, '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:54.208423+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:54.208423+00', NULL, false, false, 0);
INSERT INTO public.users VALUES ('01a44343-fe43-7c40-9478-17e14b5fc8b0', 'Grace', 'Hopper', 'grace@example.com', DEFAULT, 'Asia/Tokyo', NULL, 3, 15, NULL, DEFAULT, DEFAULT, NULL, 2, '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:54.388736+00', '2027-03-14 08:59:53.795027+00', '2027-03-14 08:59:53.795027+00', NULL, NULL, false, false, 0);
SELECT pg_catalog.setval('public.audit_id_seq', 13, true);
SELECT pg_catalog.setval('public.invalidations_id_seq', 1, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT pk_messages PRIMARY KEY (occasion_on, user_id, kind);
ALTER TABLE ONLY public.messages_2027_03
    ADD CONSTRAINT messages_2027_03_pkey PRIMARY KEY (occasion_on, user_id, kind);
ALTER TABLE ONLY public.messages_2027_04
    ADD CONSTRAINT messages_2027_04_pkey PRIMARY KEY (occasion_on, user_id, kind);
ALTER TABLE ONLY public.messages_2027_05
    ADD CONSTRAINT messages_2027_05_pkey PRIMARY KEY (occasion_on, user_id, kind);
ALTER TABLE ONLY public.messages_2027_06
    ADD CONSTRAINT messages_2027_06_pkey PRIMARY KEY (occasion_on, user_id, kind);
ALTER TABLE ONLY public.answers
    ADD CONSTRAINT pk_answers PRIMARY KEY (caller, key);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT pk_audit PRIMARY KEY (id);
ALTER TABLE ONLY public.bookmark
    ADD CONSTRAINT pk_bookmark PRIMARY KEY (one);
ALTER TABLE ONLY public.cache_shards
    ADD CONSTRAINT pk_cache_shards PRIMARY KEY (shard);
ALTER TABLE ONLY public.channels
    ADD CONSTRAINT pk_channels PRIMARY KEY (name);
ALTER TABLE ONLY public.counted_partitions
    ADD CONSTRAINT pk_counted_partitions PRIMARY KEY (partition);
ALTER TABLE ONLY public.due_hours
    ADD CONSTRAINT pk_due_hours PRIMARY KEY (due_hour);
ALTER TABLE ONLY public.greeted_addresses
    ADD CONSTRAINT pk_greeted_addresses PRIMARY KEY (digest, occasion_on);
ALTER TABLE ONLY public.import_changes
    ADD CONSTRAINT pk_import_changes PRIMARY KEY (import_id, user_id);
ALTER TABLE ONLY public.imports
    ADD CONSTRAINT pk_imports PRIMARY KEY (id);
ALTER TABLE ONLY public.invalidations
    ADD CONSTRAINT pk_invalidations PRIMARY KEY (id);
ALTER TABLE ONLY public.message_counts
    ADD CONSTRAINT pk_message_counts PRIMARY KEY (occasion_on, status);
ALTER TABLE ONLY public.processes
    ADD CONSTRAINT pk_processes PRIMARY KEY (id);
ALTER TABLE ONLY public.service_clock
    ADD CONSTRAINT pk_service_clock PRIMARY KEY (one);
ALTER TABLE ONLY public.service_secret
    ADD CONSTRAINT pk_service_secret PRIMARY KEY (one);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT pk_users PRIMARY KEY (id);
CREATE INDEX ix_answers_about ON public.answers USING gin (about);
CREATE INDEX ix_answers_forget_at ON public.answers USING btree (forget_at);
CREATE INDEX ix_audit_at ON public.audit USING btree (at);
CREATE INDEX ix_audit_decided ON public.audit USING btree (id) WHERE ((kind IS NOT NULL) OR (subject IS NOT NULL));
CREATE INDEX ix_audit_user ON public.audit USING btree (user_id, id);
CREATE INDEX ix_greeted_addresses_occasion ON public.greeted_addresses USING btree (occasion_on);
CREATE INDEX ix_import_changes_user ON public.import_changes USING btree (user_id);
CREATE INDEX ix_invalidations_delivered ON public.invalidations USING btree (shard, batch) WHERE (batch IS NOT NULL);
CREATE INDEX ix_invalidations_pending ON public.invalidations USING btree (shard, id) WHERE (batch IS NULL);
CREATE INDEX ix_messages_ended ON ONLY public.messages USING btree (status, occasion_on, user_id, kind) WHERE (status = ANY (ARRAY['FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text]));
CREATE INDEX ix_messages_in_need ON ONLY public.messages USING btree (status, due_at) WHERE ((status = ANY (ARRAY['UNKNOWN'::text, 'FAILED'::text, 'EXPIRED'::text])) AND (reason IS DISTINCT FROM 'operator'::text));
CREATE INDEX ix_messages_open ON ONLY public.messages USING btree (COALESCE(retry_at, due_at), expires_at) WHERE (status = ANY (ARRAY['SCHEDULED'::text, 'RETRYING'::text]));
CREATE INDEX ix_messages_sending ON ONLY public.messages USING btree (lease_until) WHERE (status = 'SENDING'::text);
CREATE INDEX ix_messages_user ON ONLY public.messages USING btree (user_id);
CREATE INDEX ix_users_anniversary ON public.users USING btree (timezone, anniversary_month, anniversary_day) WHERE ((deleted_at IS NULL) AND (anniversary_month IS NOT NULL) AND (anniversary_day IS NOT NULL));
CREATE INDEX ix_users_birthday ON public.users USING btree (timezone, birthday_month, birthday_day) WHERE ((deleted_at IS NULL) AND (birthday_month IS NOT NULL) AND (birthday_day IS NOT NULL));
CREATE INDEX ix_users_deleted_at ON public.users USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX ix_users_deleted_email ON public.users USING btree (email_key) WHERE (deleted_at IS NOT NULL);
CREATE INDEX ix_users_deleted_external_id ON public.users USING btree (external_id) WHERE ((deleted_at IS NOT NULL) AND (external_id IS NOT NULL));
CREATE INDEX ix_users_first_name ON public.users USING btree (lower(first_name) text_pattern_ops) WHERE (deleted_at IS NULL);
CREATE INDEX ix_users_last_name ON public.users USING btree (lower(last_name) text_pattern_ops) WHERE (deleted_at IS NULL);
CREATE INDEX messages_2027_03_coalesce_expires_at_idx ON public.messages_2027_03 USING btree (COALESCE(retry_at, due_at), expires_at) WHERE (status = ANY (ARRAY['SCHEDULED'::text, 'RETRYING'::text]));
CREATE INDEX messages_2027_03_lease_until_idx ON public.messages_2027_03 USING btree (lease_until) WHERE (status = 'SENDING'::text);
CREATE INDEX messages_2027_03_status_due_at_idx ON public.messages_2027_03 USING btree (status, due_at) WHERE ((status = ANY (ARRAY['UNKNOWN'::text, 'FAILED'::text, 'EXPIRED'::text])) AND (reason IS DISTINCT FROM 'operator'::text));
CREATE INDEX messages_2027_03_status_occasion_on_user_id_kind_idx ON public.messages_2027_03 USING btree (status, occasion_on, user_id, kind) WHERE (status = ANY (ARRAY['FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text]));
CREATE INDEX messages_2027_03_user_id_idx ON public.messages_2027_03 USING btree (user_id);
CREATE INDEX messages_2027_04_coalesce_expires_at_idx ON public.messages_2027_04 USING btree (COALESCE(retry_at, due_at), expires_at) WHERE (status = ANY (ARRAY['SCHEDULED'::text, 'RETRYING'::text]));
CREATE INDEX messages_2027_04_lease_until_idx ON public.messages_2027_04 USING btree (lease_until) WHERE (status = 'SENDING'::text);
CREATE INDEX messages_2027_04_status_due_at_idx ON public.messages_2027_04 USING btree (status, due_at) WHERE ((status = ANY (ARRAY['UNKNOWN'::text, 'FAILED'::text, 'EXPIRED'::text])) AND (reason IS DISTINCT FROM 'operator'::text));
CREATE INDEX messages_2027_04_status_occasion_on_user_id_kind_idx ON public.messages_2027_04 USING btree (status, occasion_on, user_id, kind) WHERE (status = ANY (ARRAY['FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text]));
CREATE INDEX messages_2027_04_user_id_idx ON public.messages_2027_04 USING btree (user_id);
CREATE INDEX messages_2027_05_coalesce_expires_at_idx ON public.messages_2027_05 USING btree (COALESCE(retry_at, due_at), expires_at) WHERE (status = ANY (ARRAY['SCHEDULED'::text, 'RETRYING'::text]));
CREATE INDEX messages_2027_05_lease_until_idx ON public.messages_2027_05 USING btree (lease_until) WHERE (status = 'SENDING'::text);
CREATE INDEX messages_2027_05_status_due_at_idx ON public.messages_2027_05 USING btree (status, due_at) WHERE ((status = ANY (ARRAY['UNKNOWN'::text, 'FAILED'::text, 'EXPIRED'::text])) AND (reason IS DISTINCT FROM 'operator'::text));
CREATE INDEX messages_2027_05_status_occasion_on_user_id_kind_idx ON public.messages_2027_05 USING btree (status, occasion_on, user_id, kind) WHERE (status = ANY (ARRAY['FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text]));
CREATE INDEX messages_2027_05_user_id_idx ON public.messages_2027_05 USING btree (user_id);
CREATE INDEX messages_2027_06_coalesce_expires_at_idx ON public.messages_2027_06 USING btree (COALESCE(retry_at, due_at), expires_at) WHERE (status = ANY (ARRAY['SCHEDULED'::text, 'RETRYING'::text]));
CREATE INDEX messages_2027_06_lease_until_idx ON public.messages_2027_06 USING btree (lease_until) WHERE (status = 'SENDING'::text);
CREATE INDEX messages_2027_06_status_due_at_idx ON public.messages_2027_06 USING btree (status, due_at) WHERE ((status = ANY (ARRAY['UNKNOWN'::text, 'FAILED'::text, 'EXPIRED'::text])) AND (reason IS DISTINCT FROM 'operator'::text));
CREATE INDEX messages_2027_06_status_occasion_on_user_id_kind_idx ON public.messages_2027_06 USING btree (status, occasion_on, user_id, kind) WHERE (status = ANY (ARRAY['FAILED'::text, 'UNKNOWN'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'SKIPPED'::text]));
CREATE INDEX messages_2027_06_user_id_idx ON public.messages_2027_06 USING btree (user_id);
CREATE UNIQUE INDEX uq_users_live_email ON public.users USING btree (email_key) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX uq_users_live_external_id ON public.users USING btree (external_id) WHERE (deleted_at IS NULL);
ALTER INDEX public.ix_messages_open ATTACH PARTITION public.messages_2027_03_coalesce_expires_at_idx;
ALTER INDEX public.ix_messages_sending ATTACH PARTITION public.messages_2027_03_lease_until_idx;
ALTER INDEX public.pk_messages ATTACH PARTITION public.messages_2027_03_pkey;
ALTER INDEX public.ix_messages_in_need ATTACH PARTITION public.messages_2027_03_status_due_at_idx;
ALTER INDEX public.ix_messages_ended ATTACH PARTITION public.messages_2027_03_status_occasion_on_user_id_kind_idx;
ALTER INDEX public.ix_messages_user ATTACH PARTITION public.messages_2027_03_user_id_idx;
ALTER INDEX public.ix_messages_open ATTACH PARTITION public.messages_2027_04_coalesce_expires_at_idx;
ALTER INDEX public.ix_messages_sending ATTACH PARTITION public.messages_2027_04_lease_until_idx;
ALTER INDEX public.pk_messages ATTACH PARTITION public.messages_2027_04_pkey;
ALTER INDEX public.ix_messages_in_need ATTACH PARTITION public.messages_2027_04_status_due_at_idx;
ALTER INDEX public.ix_messages_ended ATTACH PARTITION public.messages_2027_04_status_occasion_on_user_id_kind_idx;
ALTER INDEX public.ix_messages_user ATTACH PARTITION public.messages_2027_04_user_id_idx;
ALTER INDEX public.ix_messages_open ATTACH PARTITION public.messages_2027_05_coalesce_expires_at_idx;
ALTER INDEX public.ix_messages_sending ATTACH PARTITION public.messages_2027_05_lease_until_idx;
ALTER INDEX public.pk_messages ATTACH PARTITION public.messages_2027_05_pkey;
ALTER INDEX public.ix_messages_in_need ATTACH PARTITION public.messages_2027_05_status_due_at_idx;
ALTER INDEX public.ix_messages_ended ATTACH PARTITION public.messages_2027_05_status_occasion_on_user_id_kind_idx;
ALTER INDEX public.ix_messages_user ATTACH PARTITION public.messages_2027_05_user_id_idx;
ALTER INDEX public.ix_messages_open ATTACH PARTITION public.messages_2027_06_coalesce_expires_at_idx;
ALTER INDEX public.ix_messages_sending ATTACH PARTITION public.messages_2027_06_lease_until_idx;
ALTER INDEX public.pk_messages ATTACH PARTITION public.messages_2027_06_pkey;
ALTER INDEX public.ix_messages_in_need ATTACH PARTITION public.messages_2027_06_status_due_at_idx;
ALTER INDEX public.ix_messages_ended ATTACH PARTITION public.messages_2027_06_status_occasion_on_user_id_kind_idx;
ALTER INDEX public.ix_messages_user ATTACH PARTITION public.messages_2027_06_user_id_idx;
CREATE CONSTRAINT TRIGGER begin_epoch AFTER INSERT ON public.invalidations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.key = '*'::text)) EXECUTE FUNCTION public.begin_epoch();
CREATE TRIGGER count_messages_at_delete AFTER DELETE ON public.messages REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages ENABLE ALWAYS TRIGGER count_messages_at_delete;
CREATE TRIGGER count_messages_at_delete AFTER DELETE ON public.messages_2027_03 REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_03 ENABLE ALWAYS TRIGGER count_messages_at_delete;
CREATE TRIGGER count_messages_at_delete AFTER DELETE ON public.messages_2027_04 REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_04 ENABLE ALWAYS TRIGGER count_messages_at_delete;
CREATE TRIGGER count_messages_at_delete AFTER DELETE ON public.messages_2027_05 REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_05 ENABLE ALWAYS TRIGGER count_messages_at_delete;
CREATE TRIGGER count_messages_at_delete AFTER DELETE ON public.messages_2027_06 REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_06 ENABLE ALWAYS TRIGGER count_messages_at_delete;
CREATE TRIGGER count_messages_at_insert AFTER INSERT ON public.messages REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages ENABLE ALWAYS TRIGGER count_messages_at_insert;
CREATE TRIGGER count_messages_at_insert AFTER INSERT ON public.messages_2027_03 REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_03 ENABLE ALWAYS TRIGGER count_messages_at_insert;
CREATE TRIGGER count_messages_at_insert AFTER INSERT ON public.messages_2027_04 REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_04 ENABLE ALWAYS TRIGGER count_messages_at_insert;
CREATE TRIGGER count_messages_at_insert AFTER INSERT ON public.messages_2027_05 REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_05 ENABLE ALWAYS TRIGGER count_messages_at_insert;
CREATE TRIGGER count_messages_at_insert AFTER INSERT ON public.messages_2027_06 REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_06 ENABLE ALWAYS TRIGGER count_messages_at_insert;
CREATE TRIGGER count_messages_at_truncate AFTER TRUNCATE ON public.messages FOR EACH STATEMENT EXECUTE FUNCTION public.forget_counts();
ALTER TABLE public.messages ENABLE ALWAYS TRIGGER count_messages_at_truncate;
CREATE TRIGGER count_messages_at_truncate AFTER TRUNCATE ON public.messages_2027_03 FOR EACH STATEMENT EXECUTE FUNCTION public.forget_counts_of_partition();
ALTER TABLE public.messages_2027_03 ENABLE ALWAYS TRIGGER count_messages_at_truncate;
CREATE TRIGGER count_messages_at_truncate AFTER TRUNCATE ON public.messages_2027_04 FOR EACH STATEMENT EXECUTE FUNCTION public.forget_counts_of_partition();
ALTER TABLE public.messages_2027_04 ENABLE ALWAYS TRIGGER count_messages_at_truncate;
CREATE TRIGGER count_messages_at_truncate AFTER TRUNCATE ON public.messages_2027_05 FOR EACH STATEMENT EXECUTE FUNCTION public.forget_counts_of_partition();
ALTER TABLE public.messages_2027_05 ENABLE ALWAYS TRIGGER count_messages_at_truncate;
CREATE TRIGGER count_messages_at_truncate AFTER TRUNCATE ON public.messages_2027_06 FOR EACH STATEMENT EXECUTE FUNCTION public.forget_counts_of_partition();
ALTER TABLE public.messages_2027_06 ENABLE ALWAYS TRIGGER count_messages_at_truncate;
CREATE TRIGGER count_messages_at_update AFTER UPDATE ON public.messages REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages ENABLE ALWAYS TRIGGER count_messages_at_update;
CREATE TRIGGER count_messages_at_update AFTER UPDATE ON public.messages_2027_03 REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_03 ENABLE ALWAYS TRIGGER count_messages_at_update;
CREATE TRIGGER count_messages_at_update AFTER UPDATE ON public.messages_2027_04 REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_04 ENABLE ALWAYS TRIGGER count_messages_at_update;
CREATE TRIGGER count_messages_at_update AFTER UPDATE ON public.messages_2027_05 REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_05 ENABLE ALWAYS TRIGGER count_messages_at_update;
CREATE TRIGGER count_messages_at_update AFTER UPDATE ON public.messages_2027_06 REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION public.count_messages();
ALTER TABLE public.messages_2027_06 ENABLE ALWAYS TRIGGER count_messages_at_update;
CREATE TRIGGER count_version BEFORE UPDATE ON public.users FOR EACH ROW WHEN ((new.version <= old.version)) EXECUTE FUNCTION public.count_version();
ALTER TABLE public.users ENABLE ALWAYS TRIGGER count_version;
CREATE TRIGGER guard_audit BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.guard_audit();
ALTER TABLE public.audit ENABLE ALWAYS TRIGGER guard_audit;
CREATE TRIGGER guard_audit_whole BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.guard_audit();
ALTER TABLE public.audit ENABLE ALWAYS TRIGGER guard_audit_whole;
CREATE TRIGGER invalidate_all_users AFTER TRUNCATE ON public.users FOR EACH STATEMENT EXECUTE FUNCTION public.invalidate_everything();
ALTER TABLE public.users DISABLE TRIGGER invalidate_all_users;
CREATE CONSTRAINT TRIGGER invalidate_changed_user AFTER UPDATE ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION public.invalidate_user();
ALTER TABLE public.users DISABLE TRIGGER invalidate_changed_user;
CREATE CONSTRAINT TRIGGER invalidate_gone_user AFTER DELETE ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.invalidate_user();
ALTER TABLE public.users DISABLE TRIGGER invalidate_gone_user;
CREATE CONSTRAINT TRIGGER invalidate_lists_of_changed_user AFTER UPDATE ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((((((((old.timezone IS DISTINCT FROM new.timezone) OR (old.birthday_year IS DISTINCT FROM new.birthday_year)) OR (old.birthday_month IS DISTINCT FROM new.birthday_month)) OR (old.birthday_day IS DISTINCT FROM new.birthday_day)) OR (old.anniversary_on IS DISTINCT FROM new.anniversary_on)) OR (old.leap_day_rule IS DISTINCT FROM new.leap_day_rule)) OR (old.deleted_at IS DISTINCT FROM new.deleted_at)) OR (old.id IS DISTINCT FROM new.id))) EXECUTE FUNCTION public.invalidate_lists();
ALTER TABLE public.users DISABLE TRIGGER invalidate_lists_of_changed_user;
CREATE CONSTRAINT TRIGGER invalidate_lists_of_gone_user AFTER DELETE ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.invalidate_lists();
ALTER TABLE public.users DISABLE TRIGGER invalidate_lists_of_gone_user;
CREATE CONSTRAINT TRIGGER invalidate_lists_of_new_user AFTER INSERT ON public.users DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.birthday_month IS NOT NULL) OR (new.anniversary_on IS NOT NULL))) EXECUTE FUNCTION public.invalidate_lists();
ALTER TABLE public.users DISABLE TRIGGER invalidate_lists_of_new_user;
CREATE TRIGGER invalidate_statistics_at_delete AFTER DELETE ON public.messages REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.invalidate_statistics();
ALTER TABLE public.messages DISABLE TRIGGER invalidate_statistics_at_delete;
CREATE TRIGGER invalidate_statistics_at_insert AFTER INSERT ON public.messages REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.invalidate_statistics();
ALTER TABLE public.messages DISABLE TRIGGER invalidate_statistics_at_insert;
CREATE TRIGGER invalidate_statistics_at_truncate AFTER TRUNCATE ON public.messages FOR EACH STATEMENT EXECUTE FUNCTION public.invalidate_statistics();
ALTER TABLE public.messages DISABLE TRIGGER invalidate_statistics_at_truncate;
CREATE TRIGGER invalidate_statistics_at_update AFTER UPDATE ON public.messages REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION public.invalidate_statistics();
ALTER TABLE public.messages DISABLE TRIGGER invalidate_statistics_at_update;
ALTER TABLE ONLY public.import_changes
    ADD CONSTRAINT fk_import_changes_import FOREIGN KEY (import_id) REFERENCES public.imports(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.import_changes
    ADD CONSTRAINT fk_import_changes_user FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
\unrestrict birthdays
