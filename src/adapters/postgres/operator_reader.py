"""What an operator looks at, in PostgreSQL: every look finds its rows by an index."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.channel_rows import PAUSED_UNTIL
from adapters.postgres.database import connected
from adapters.postgres.message_rows import to_message
from adapters.postgres.statements import OPEN, WANTED_AT
from adapters.postgres.users import to_view
from application.operator_ports import (
    COUNTED_MAX,
    Attention,
    DueGroup,
    Lateness,
    NamedMessage,
    OperatorReader,
    PausedChannel,
)
from application.views import MessageView, UserView
from domain.brake import Braked
from domain.email import email_key
from domain.message import IN_NEED, Status

_NAMED = """
    SELECT m.*, u.first_name, u.last_name
    FROM messages m LEFT JOIN users u ON u.id = m.user_id AND u.deleted_at IS NULL
"""
_LATEST_FIRST = "m.due_at DESC, m.occasion_on DESC, m.user_id DESC, m.kind DESC"


def _in_need(status: Status) -> str:
    # As the index has it: the status is a literal, or it would not be found.
    return f"m.ended = '{status}' AND m.reason IS DISTINCT FROM 'operator'"


IN_NEED_COUNTS = text(
    " UNION ALL ".join(
        f"SELECT '{status}' AS status, count(*) AS number FROM (SELECT FROM messages m WHERE {_in_need(status)} LIMIT :most) s"  # noqa: S608  # our own literals
        for status in IN_NEED
    )
)
LATEST_IN_NEED = text(
    " UNION ALL ".join(
        f"(SELECT * FROM ({_NAMED} WHERE {_in_need(status)} ORDER BY {_LATEST_FIRST} LIMIT :limit) s)"  # noqa: S608  # our own literals
        for status in IN_NEED
    )
)
_COMING = f"{OPEN} AND {WANTED_AT} < :until AND m.expires_at > :now"
DUE = text(f"""
    SELECT date_trunc('minute', {WANTED_AT}) AS at, m.timezone, m.due_at <= :now AS is_late,
        {WANTED_AT} <= :now AS is_waiting, count(*) AS messages, count(DISTINCT m.user_id) AS people,
        min(m.due_at) AS oldest_due_at
    FROM messages m WHERE {_COMING}
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
""")  # noqa: S608  # the parts are our own literals
NEXT = text(f"{_NAMED} WHERE {_COMING} ORDER BY {WANTED_AT}, m.occasion_on, m.user_id, m.kind LIMIT :limit")
LATENESS = text("""
    SELECT occasion_on, count(*) AS sent, percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY late) AS usual,
        max(late) AS worst
    FROM (
        SELECT occasion_on, sent_at - due_at AS late FROM messages
        WHERE occasion_on = ANY(CAST(:days AS date[])) AND status = 'SENT' AND reason IS DISTINCT FROM 'operator'
    ) s
    GROUP BY occasion_on
""")
_HAS_PEOPLE = text("SELECT EXISTS (SELECT FROM users WHERE deleted_at IS NULL) AS has_people")
_PAUSED = text(f"""
    SELECT name, greatest(({PAUSED_UNTIL}) - clock_timestamp(), interval '0') AS pause, braked_hour, braked_messages,
        braked_allowed
    FROM channels c WHERE paused_until > clock_timestamp() OR braked_at IS NOT NULL ORDER BY name
""")  # noqa: S608  # the part is our own literal


class PostgresOperatorReader(OperatorReader):
    """Each look is one statement; what needs somebody two, on one connection."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def attention(self, limit: int) -> Attention:
        async with connected(self._engine) as connection:
            counted = await connection.execute(IN_NEED_COUNTS, {"most": COUNTED_MAX + 1})
            counts = {Status(row.status): row.number for row in counted}
            rows = (await connection.execute(LATEST_IN_NEED, {"limit": limit})).all()
        return Attention(counts, [_named(row) for row in rows])

    async def due(self, now: datetime, until: datetime) -> Sequence[DueGroup]:
        rows = await self._all(DUE, now=now, until=until)
        return [DueGroup(**row._mapping) for row in rows]  # noqa: SLF001  # public in spite of its name

    async def next_messages(self, now: datetime, until: datetime, limit: int) -> Sequence[NamedMessage]:
        return [_named(row) for row in await self._all(NEXT, now=now, until=until, limit=limit)]

    async def paused_channels(self) -> Sequence[PausedChannel]:
        return [
            PausedChannel(
                row.name,
                row.pause or timedelta(0),
                None
                if row.braked_hour is None
                else Braked(row.braked_hour, row.braked_messages, row.braked_allowed),
            )
            for row in await self._all(_PAUSED)
        ]

    async def lateness(self, days: Sequence[date]) -> Mapping[date, Lateness]:
        rows = await self._all(LATENESS, days=list(days))
        return {
            row.occasion_on: Lateness(sent=row.sent, median=row.usual[0], p99=row.usual[1], worst=row.worst)
            for row in rows
        }

    async def has_people(self) -> bool:
        [row] = await self._all(_HAS_PEOPLE)
        return bool(row.has_people)

    async def find_people(self, words: Sequence[str], limit: int) -> Sequence[UserView]:
        if not words:
            return []
        statement, values = finding(words)
        found = await self._all(statement, **values, limit=limit)
        return [to_view(row) for row in found]

    async def _all(self, statement: TextClause, **values: Any) -> Sequence[Row[Any]]:
        async with connected(self._engine) as connection:
            return (await connection.execute(statement, values)).all()


def finding(words: Sequence[str]) -> tuple[TextClause, Mapping[str, Any]]:
    """Return the statement that finds people, and its values: each way to read the words by an index of its own."""
    conditions: list[str] = []
    values: dict[str, Any] = {}

    def begins(column: str, part: Sequence[str]) -> str:
        name = f"part{len(values)}"
        values[name] = _beginning(" ".join(part))
        return f"lower({column}) LIKE lower(:{name})"

    if len(words) == 1:
        conditions += [begins("first_name", words), begins("last_name", words)]
        conditions += ["email_key = :email", "external_id = :external_id"]
        values |= {"email": email_key(words[0]), "external_id": words[0]}
    for cut in range(1, len(words)):
        for first, last in ((words[:cut], words[cut:]), (words[cut:], words[:cut])):
            conditions.append(f"{begins('first_name', first)} AND {begins('last_name', last)}")
    ways = " UNION ".join(
        f"(SELECT * FROM users WHERE deleted_at IS NULL AND {condition} LIMIT :limit)"  # noqa: S608  # the words are values
        for condition in conditions
    )
    return text(f"SELECT * FROM ({ways}) found ORDER BY id LIMIT :limit"), values  # noqa: S608  # same


def _beginning(text_: str) -> str:
    escaped = text_.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{escaped}%"


def _named(row: Row[Any]) -> NamedMessage:
    name = None if row.first_name is None else f"{row.first_name} {row.last_name}"
    return NamedMessage(MessageView.of(to_message(row)), name)
