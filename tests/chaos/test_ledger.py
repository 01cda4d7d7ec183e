"""The trigger of a run notes each step that no message may take, and none of the others."""

import pytest

from tests.chaos import ledger
from tests.faults.truth import connected
from tests.servers import fresh_database

pytestmark = pytest.mark.servers

_MONTH = (
    "CREATE TABLE messages_2027_03 PARTITION OF messages FOR VALUES FROM ('2027-03-01') TO ('2027-04-01')"
)
_ROW = """
    INSERT INTO messages (
        occasion_on, user_id, kind, status, fence, due_at, expires_at, timezone, wall_time, created_at, updated_at
    ) SELECT '2027-03-14', gen_random_uuid(), 'BIRTHDAY', $1, 2, i, i + interval '1 day', 'UTC', 'exact', i, i
    FROM (VALUES (timestamptz '2027-03-14 09:00Z')) v (i)
"""


@pytest.mark.parametrize(
    ("before", "after", "fence", "noted"),
    (
        ("SCHEDULED", "SENDING", 3, {}),
        ("SENDING", "SENT", 2, {}),
        ("SENDING", "SENDING", 2, {}),
        ("SENT", "RETRYING", 2, {"SENT -> RETRYING": 1}),
        ("RETRYING", "SENT", 2, {"RETRYING -> SENT": 1}),
        ("SENT", "SENT", 2, {"SENT -> SENT": 1}),
        ("UNKNOWN", "UNKNOWN", 2, {"UNKNOWN -> UNKNOWN": 1}),
        ("RETRYING", "SENDING", 1, {"RETRYING -> SENDING": 1}),
    ),
)
async def test_what_no_message_may_do_is_noted(
    postgres_url: str, before: str, after: str, fence: int, noted: dict[str, int]
) -> None:
    async with fresh_database(postgres_url) as url, connected(url) as connection:
        await ledger.audit(connection)
        await connection.execute(_MONTH)
        await connection.execute(_ROW, before)
        await connection.execute("UPDATE messages SET status = $1, fence = $2", after, fence)
        assert await ledger.forbidden_steps(connection) == noted
