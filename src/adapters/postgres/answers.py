"""The answers to requests that may be repeated, in PostgreSQL."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.postgres.database import connected, in_transaction
from application.access_ports import (
    Answer,
    Answers,
    Claim,
    Claimed,
    Erased,
    InFlight,
    OtherRequest,
    Repeatable,
)

_CLAIM = text("""
    INSERT INTO answers AS a (caller, key, fingerprint, token, claimed_until, forget_at)
    VALUES (
        :caller, :key, :fingerprint, :token,
        clock_timestamp() + CAST(:lease AS interval), clock_timestamp() + CAST(:keep AS interval)
    )
    ON CONFLICT (caller, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, token = excluded.token, claimed_until = excluded.claimed_until,
        forget_at = excluded.forget_at, status = NULL, headers = NULL, body = NULL, about = '{}'
    WHERE a.forget_at < clock_timestamp() OR (
        a.status IS NULL AND a.claimed_until < clock_timestamp() AND a.fingerprint = excluded.fingerprint
    )
    RETURNING token
""")
_LOOK = text("""
    SELECT fingerprint, status, headers, body, about FROM answers WHERE caller = :caller AND key = :key
""")
# Whoever is being erased is waited for, and then no longer there; who is here stays until this is committed.
_LOCK_USERS = text("SELECT id FROM users WHERE id = ANY(CAST(:about AS uuid[])) ORDER BY id FOR KEY SHARE")
_MINE = "caller = :caller AND key = :key AND token = :token AND status IS NULL AND fingerprint IS NOT NULL"
_KEEP = text(f"""
    UPDATE answers SET status = :status, headers = CAST(:headers AS bytea[]), body = :body,
        about = CAST(:about AS uuid[])
    WHERE {_MINE}
""")  # noqa: S608  # the part is our own literal
_KEEP_ERASED = text(f"UPDATE answers SET fingerprint = NULL WHERE {_MINE}")  # noqa: S608  # same
_DROP = text(f"DELETE FROM answers WHERE {_MINE}")  # noqa: S608  # same
_FORGET_OLD = text("DELETE FROM answers WHERE forget_at < clock_timestamp() RETURNING key")

ERASE = text("""
    UPDATE answers SET fingerprint = NULL, status = NULL, headers = NULL, body = NULL, about = '{}'
    WHERE about @> ARRAY[CAST(:user_id AS uuid)]
""")
"""Run after the user's row was deleted: what is kept before that is seen, what comes later sees no user."""


class PostgresAnswers(Answers):
    """The table of answers; a claim is a row without a status."""

    __slots__ = ("_engine",)

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, request: Repeatable, *, lease: timedelta, keep: timedelta) -> Claim:
        token = uuid4()
        whose = {"caller": request.caller, "key": request.key}
        values = {**whose, "fingerprint": request.fingerprint, "token": token, "lease": lease, "keep": keep}
        async with connected(self._engine) as connection:
            if (await connection.execute(_CLAIM, values)).first() is not None:
                return Claimed(token.hex)
            row = (await connection.execute(_LOOK, whose)).one_or_none()
        return _course(row, request)

    async def keep(self, request: Repeatable, claimed: Claimed, answer: Answer) -> None:
        about = sorted(answer.about)
        async with in_transaction(self._engine) as connection:
            here = (await connection.scalars(_LOCK_USERS, {"about": about})).all()
            if len(here) < len(about):
                await connection.execute(_KEEP_ERASED, _mine(request, claimed))
                return
            headers = [part for header in answer.headers for part in header]
            values = {"status": answer.status, "headers": headers, "body": answer.body, "about": about}
            await connection.execute(_KEEP, {**_mine(request, claimed), **values})

    async def drop(self, request: Repeatable, claimed: Claimed) -> None:
        async with connected(self._engine) as connection:
            await connection.execute(_DROP, _mine(request, claimed))

    async def forget_old(self) -> int:
        async with connected(self._engine) as connection:
            return len((await connection.execute(_FORGET_OLD)).all())


def _course(row: Row[Any] | None, request: Repeatable) -> Claim:
    if row is None:
        return InFlight()  # it was given up this moment; the client comes again
    if row.fingerprint is None:
        return Erased()
    if row.fingerprint != request.fingerprint:
        return OtherRequest()
    if row.status is None:
        return InFlight()
    names, values = row.headers[::2], row.headers[1::2]
    return Answer(row.status, list(zip(names, values, strict=True)), row.body, frozenset(row.about))


def _mine(request: Repeatable, claimed: Claimed) -> dict[str, Any]:
    return {"caller": request.caller, "key": request.key, "token": UUID(claimed.token)}
