"""The ledger as it is, and what nobody may do to it."""

from collections.abc import Mapping, Sequence

import attrs

from tests.faults.truth import Connection

# What may become of a message while no operator does anything.
_STEPS = {
    "SCHEDULED": ("SENDING", "EXPIRED", "CANCELLED", "SKIPPED"),
    "RETRYING": ("SENDING", "EXPIRED", "CANCELLED", "SKIPPED", "UNKNOWN"),
    "SENDING": ("SENT", "RETRYING", "FAILED", "UNKNOWN"),
}
# An outcome that is written over one that was known leaves the status as it was, more often than not.
_OPEN = ", ".join(f"'{status}'" for status in _STEPS)
_ALLOWED = ", ".join(f"('{old}', '{new}')" for old, news in _STEPS.items() for new in news)
_AUDIT = f"""
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.steps (old_status text NOT NULL, new_status text NOT NULL);
    CREATE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chaos.steps VALUES (OLD.status, NEW.status);
        RETURN NULL;
    END $$;
    CREATE TRIGGER zz_chaos_note AFTER UPDATE ON messages FOR EACH ROW
    WHEN (
        (OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN ({_ALLOWED}))
        OR OLD.status NOT IN ({_OPEN}) OR NEW.fence < OLD.fence
    )
    EXECUTE FUNCTION chaos.note();
"""

_HURRY = """
    UPDATE messages m SET due_at = clock_timestamp(), expires_at = clock_timestamp() + interval '1 day'
    FROM (
        SELECT occasion_on, user_id, kind FROM messages
        WHERE status = 'SCHEDULED' AND due_at > clock_timestamp() LIMIT 400 FOR UPDATE SKIP LOCKED
    ) s
    WHERE m.occasion_on = s.occasion_on AND m.user_id = s.user_id AND m.kind = s.kind
"""

_OCCASION = "occasion_on || '.' || lower(kind) || '.' || user_id"


@attrs.frozen
class Row:
    """A message, as far as the judge asks."""

    status: str
    due_at: float
    """Seconds since the epoch."""


async def audit(connection: Connection) -> None:
    """Have every step written down that no message may take."""
    await connection.execute(_AUDIT)


async def pause(connection: Connection) -> None:
    """Have nothing leave until ``resume``, as if the provider had asked for it."""
    await connection.execute(
        "INSERT INTO channels (name, paused_until) VALUES ('webhook', clock_timestamp() + interval '1 day')"
    )


async def hurry(connection: Connection) -> None:
    """Let some of what waits for its instant be due now, all at once."""
    await connection.execute(_HURRY)


async def on_their_way(connection: Connection) -> Sequence[str]:
    """Return the occasions of the messages that somebody has in hand."""
    rows = await connection.fetch(f"SELECT {_OCCASION} AS occasion FROM messages WHERE status = 'SENDING'")
    return [row["occasion"] for row in rows]


async def count_open(connection: Connection, occasions: Sequence[str]) -> int:
    """Return how many of these have not ended."""
    found: int = await connection.fetchval(
        f"SELECT count(*) FROM messages WHERE {_OCCASION} = ANY ($1) AND status IN ({_OPEN})", list(occasions)
    )
    return found


async def resume(connection: Connection) -> None:
    await connection.execute("UPDATE channels SET paused_until = NULL")


async def forbidden_steps(connection: Connection) -> Mapping[str, int]:
    rows = await connection.fetch(
        "SELECT old_status || ' -> ' || new_status AS step, count(*) FROM chaos.steps GROUP BY 1"
    )
    return {row["step"]: row["count"] for row in rows}


async def counts(connection: Connection) -> Mapping[str, int]:
    rows = await connection.fetch("SELECT status, count(*) FROM messages GROUP BY status")
    return {row["status"]: row["count"] for row in rows}


async def read(connection: Connection) -> Mapping[str, Sequence[Row]]:
    """Return the rows of each occasion by its key; there should be one."""
    rows = await connection.fetch(
        f"SELECT {_OCCASION} AS occasion, status, extract(epoch FROM due_at)::float8 AS due_at FROM messages"
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["occasion"], []).append(Row(row["status"], row["due_at"]))
    return found
