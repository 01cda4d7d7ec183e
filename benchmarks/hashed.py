"""The ledger and the people once more, in hash partitions by person."""

import asyncpg

from adapters.postgres.partitions import FILL_PER_CENT

PERSON = """id, first_name, last_name, email, timezone, birthday_year, birthday_month, birthday_day, version,
    created_at, updated_at, birthday_known_at, anniversary_known_at"""


async def make_partitions(keeper: asyncpg.Connection, parts: int) -> None:
    """Make the ledger and the people once more, by the hash of the person's id, with all indexes and triggers.

    Addresses cannot be unique there, so they have a table of their own, by the hash of the address.
    """
    ledger, people = f"ledger_{parts}", f"people_{parts}"
    await keeper.execute(f"""
        CREATE TABLE {ledger} (LIKE messages INCLUDING ALL) PARTITION BY HASH (user_id);
        CREATE TABLE {people} (LIKE users INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (id)) PARTITION BY HASH (id);
        CREATE TABLE addresses_{parts} (email_key text PRIMARY KEY, user_id uuid NOT NULL) PARTITION BY HASH (email_key);
    """)
    for number in range(parts):
        schema = f"s{parts}_{number}"
        part = f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {number})"
        await keeper.execute(f"""
            CREATE SCHEMA {schema};
            CREATE TABLE {schema}.messages PARTITION OF {ledger} {part} PARTITION BY RANGE (occasion_on);
            CREATE TABLE {schema}.users PARTITION OF {people} {part};
            CREATE TABLE {schema}.addresses PARTITION OF addresses_{parts} {part};
        """)
        for month in await keeper.fetch("""
            SELECT relid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds
            FROM pg_partition_tree('messages') JOIN pg_class c ON c.oid = relid WHERE isleaf
        """):
            await keeper.execute(
                f"CREATE TABLE {schema}.{month['name']} PARTITION OF {schema}.messages {month['bounds']}"
                f" WITH (fillfactor = {FILL_PER_CENT})"
            )
        await _copy_indexes(keeper, schema)
        await _copy_triggers(keeper, schema)
    await keeper.execute(f"""
        INSERT INTO {people} ({PERSON}) SELECT {PERSON} FROM users;
        INSERT INTO addresses_{parts} SELECT email_key, id FROM users;
        ANALYZE {people};
        ANALYZE addresses_{parts};
    """)


async def _copy_indexes(keeper: asyncpg.Connection, schema: str) -> None:
    for row in await keeper.fetch("""
        SELECT pg_get_indexdef(indexrelid) AS made FROM pg_index
        WHERE indrelid = 'public.users'::regclass AND NOT indisprimary
    """):
        await keeper.execute(row["made"].replace(" ON public.users", f" ON {schema}.users"))


async def _copy_triggers(keeper: asyncpg.Connection, schema: str) -> None:
    """Let statements that name the part be counted and told to the cache, as those are that name the whole."""
    for row in await keeper.fetch("""
        SELECT relname, pg_get_triggerdef(t.oid) AS made FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
        WHERE tgrelid IN ('public.users'::regclass, 'public.messages'::regclass) AND NOT tgisinternal
    """):
        whose = row["relname"]
        await keeper.execute(row["made"].replace(f" ON public.{whose} ", f" ON {schema}.{whose} "))
