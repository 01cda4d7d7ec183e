"""Keys in PostgreSQL."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Row, Text, any_, bindparam, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.audit import note
from adapters.postgres.database import connected, in_transaction
from adapters.postgres.tables import api_keys
from application.access_ports import ApiKeys
from application.trail import entry_of
from domain.access import ApiKey, KeyKind, Scope
from domain.audit import KeyDeed

# In the order of the ids, as any two who write at once must.
_NOTE_USES = text("""
    WITH used AS (
        SELECT k.id, n.at FROM api_keys k
        JOIN unnest(CAST(:ids AS text[]), CAST(:instants AS timestamptz[])) AS n (id, at) USING (id)
        WHERE k.last_used_at IS NULL OR k.last_used_at < n.at
        ORDER BY k.id FOR NO KEY UPDATE OF k
    )
    UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, used.at) FROM used WHERE k.id = used.id
""")


class PostgresApiKeys(ApiKeys):
    """The table of keys; each method takes a connection for a statement or two."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, key: ApiKey) -> None:
        async with in_transaction(self._engine) as connection:
            await connection.execute(insert(api_keys), _to_row(key))
            await note(connection, [entry_of(KeyDeed.MAKE, key, key.created_at)])

    async def find(self, key_ids: Sequence[str]) -> Sequence[ApiKey]:
        # One statement, prepared once, for any number of them.
        query = select(api_keys).where(api_keys.c.id == any_(bindparam("ids", type_=ARRAY(Text))))
        async with connected(self._engine) as connection:
            return [_to_key(row) for row in await connection.execute(query, {"ids": list(key_ids)})]

    async def list(self) -> Sequence[ApiKey]:
        query = select(api_keys).where(api_keys.c.kind != KeyKind.LINK.value)
        async with connected(self._engine) as connection:
            rows = await connection.execute(query.order_by(api_keys.c.created_at, api_keys.c.id))
            return [_to_key(row) for row in rows]

    async def change(
        self, key_id: str, by: Callable[[ApiKey], ApiKey], deed: KeyDeed, at: datetime
    ) -> ApiKey | None:
        async with in_transaction(self._engine) as connection:
            found = await connection.execute(
                select(api_keys).where(api_keys.c.id == key_id).with_for_update(key_share=True)
            )
            row = found.one_or_none()
            if row is None:
                return None
            before = _to_key(row)
            changed = by(before)
            if changed != before:
                stored = update(api_keys).where(api_keys.c.id == key_id)
                await connection.execute(stored.values(_to_row(changed)))
                await note(connection, [entry_of(deed, changed, at)])
        return changed

    async def take(self, key_id: str) -> ApiKey | None:
        async with connected(self._engine) as connection:
            gone = await connection.execute(
                delete(api_keys).where(api_keys.c.id == key_id).returning(api_keys)
            )
            row = gone.one_or_none()
        return None if row is None else _to_key(row)

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        values = {"ids": list(uses), "instants": list(uses.values())}
        async with connected(self._engine) as connection:
            await connection.execute(_NOTE_USES, values)

    async def forget_expired(self, before: datetime) -> int:
        passing = api_keys.c.kind.in_((KeyKind.SESSION.value, KeyKind.LINK.value))
        over = passing & (api_keys.c.expires_at < before)
        async with connected(self._engine) as connection:
            gone = await connection.execute(delete(api_keys).where(over).returning(api_keys.c.id))
            return len(gone.all())


def _to_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        kind=KeyKind(row.kind),
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes)),
        tells_years=row.tells_years,
        digest=row.digest,
        previous_digest=row.previous_digest,
        previous_until=row.previous_until,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


def _to_row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "kind": key.kind.value,
        "name": key.name,
        "scopes": sorted(scope.value for scope in key.scopes),
        "tells_years": key.tells_years,
        "digest": key.digest,
        "previous_digest": key.previous_digest,
        "previous_until": key.previous_until,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
