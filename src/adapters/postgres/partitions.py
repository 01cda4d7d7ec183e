"""The ledger's partitions, one for each month of the occasions."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.postgres.database import sqlstate

_LOCK = 0x70617274
_LOCK_NOT_AVAILABLE = "55P03"
_ALIKE = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED"
FILL_PER_CENT = 45
"""Each row has room beside it for what its claim makes of it: only there no index has to be told."""
_LEAVES = text("SELECT relid::regclass::text FROM pg_partition_tree('messages') WHERE isleaf")


async def add(connection: AsyncConnection, first: date, last: date) -> None:
    """Make room for occasions from *first* to *last*; a repeat does nothing."""
    held = set(await connection.scalars(_LEAVES))
    missing = [month for month in _months(first, last) if _name(month) not in held]
    if not missing:
        return
    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    for month in missing:
        await _add(connection, month)


async def _add(connection: AsyncConnection, month: date) -> None:
    # Attaching locks the ledger less than CREATE ... PARTITION OF would: claims go on meanwhile.
    name, following = _name(month), _following(month)
    if await connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None:
        return
    for statement in (
        f"CREATE TABLE {name} (LIKE messages {_ALIKE}) WITH (fillfactor = {FILL_PER_CENT})",
        f"ALTER TABLE messages ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{following}')",
    ):
        await connection.execute(text(statement))


async def held_months(connection: AsyncConnection) -> frozenset[date]:
    """Return the first days of the months that there is room for."""
    return frozenset(_month(name) for name in await connection.scalars(_LEAVES))


async def drop_before(connection: AsyncConnection, day: date, wait_s: int = 2) -> tuple[int, int]:
    """Drop the months that lie before *day* altogether; return how many, and the messages in them.

    Detaching locks the whole ledger for a moment. Where that is not to be had within *wait_s* seconds nothing
    is dropped: who waits for such a lock holds up everybody who comes after.
    """
    months = await _whole_months_before(connection, day)
    if not months:
        return 0, 0
    messages = 0
    try:
        async with connection.begin_nested():
            await connection.execute(text(f"SET LOCAL lock_timeout = '{int(wait_s)}s'"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            for month in await _whole_months_before(connection, day):
                # By way of the ledger, so that its triggers see what goes: the counts, and the cache.
                gone = await connection.execute(
                    text("DELETE FROM messages WHERE occasion_on >= :first AND occasion_on < :following"),
                    {"first": month, "following": _following(month)},
                )
                messages += gone.rowcount
                await connection.execute(text(f"ALTER TABLE messages DETACH PARTITION {_name(month)}"))
                await connection.execute(text(f"DROP TABLE {_name(month)}"))
            await connection.execute(text("SET LOCAL lock_timeout = DEFAULT"))
    except DBAPIError as error:
        if sqlstate(error) != _LOCK_NOT_AVAILABLE:
            raise
        return 0, 0
    return len(months), messages


async def _whole_months_before(connection: AsyncConnection, day: date) -> Sequence[date]:
    first = day.replace(day=1)
    held = [_month(name) for name in await connection.scalars(_LEAVES)]
    return sorted(month for month in held if month < first)


def _months(first: date, last: date) -> Iterable[date]:
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = _following(month)


def _following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _name(month: date) -> str:
    return f"messages_{month:%Y_%m}"


def _month(name: str) -> date:
    year, month = name.rsplit("_", 2)[1:]
    return date(int(year), int(month), 1)
